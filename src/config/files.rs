//! The interface to the file that `integrations-file` names.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use super::problems::{Problems, SourceSpan, quote};
use crate::error::Code;

/// Loads the file that `integrations-file` names.
///
/// The engine itself reads no files.
pub trait FileLoader {
    /// Returns the text of a file; `path` is as written in the configuration.
    ///
    /// # Errors
    /// The reason for which it cannot be read, in a form for the user.
    fn load(&self, path: &str) -> Result<String, String>;

    /// Returns the name of a loaded file in messages: `path`, unless it was found elsewhere.
    fn name(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// The loader of a host without files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl FileLoader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file can be read here; write the list under `integrations`".to_owned())
    }
}

/// Loads a file that a configuration names; reports one that cannot be read.
///
/// `at` and `path` are the position of its name.
pub(crate) fn load(
    problems: &mut Problems,
    files: &dyn FileLoader,
    name: &str,
    code: Code,
    (at, path): (SourceSpan, &str),
) -> Option<String> {
    files
        .load(name)
        .map_err(|reason| {
            problems.add(code, at, path, format!("{} cannot be read: {reason}", quote(name)), "");
        })
        .ok()
}
