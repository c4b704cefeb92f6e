//! The interface to the file that `integrations-file` names.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

/// Loads the file that `integrations-file` names.
///
/// The engine itself reads no files.
pub trait FileLoader {
    /// Returns the text of a file; `path` is as written in the configuration.
    ///
    /// # Errors
    /// The reason for which it cannot be read, in a form for the user.
    fn load(&self, path: &str) -> Result<String, String>;
}

/// The loader of a host without files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl FileLoader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file can be read here; write the list under `integrations`".to_owned())
    }
}
