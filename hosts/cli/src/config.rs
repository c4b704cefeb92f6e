//! Gets the configuration a command runs with, and says what is wrong with it.

use std::fs;
use std::io;
use std::path::Path;

use kaudit_filter::config::{self, Config, DataFilter, FileLoader, Integration};
use kaudit_filter::finding::Kind;

use crate::{Outcome, say};

/// Reads the file, or takes the built-in configuration where there is none.
///
/// Every remark about the file goes to standard error; with an error among them there is no configuration.
pub fn load(file: Option<&Path>) -> Result<Config, Outcome> {
    let Some(file) = file else {
        say(format_args!("no --config: every finding is sent, none is filtered or limited"));
        return Ok(accept_all());
    };
    let name = file.to_string_lossy();
    let text = read(file).map_err(|error| unreadable(&name, &error))?;
    let reading = config::read(&name, &text, &SiblingFiles(file));
    for remark in &reading.diagnostics {
        say(format_args!("{remark}"));
    }
    reading.config.ok_or(Outcome::Mistakes)
}

/// Reads the file without a remark; the built-in configuration if there is none or it has errors. For a plugin that
/// reads it itself, and reports its mistakes.
pub fn known(file: Option<&Path>) -> Config {
    let config = file.and_then(|file| {
        let text = read(file).ok()?;
        config::read(&file.to_string_lossy(), &text, &SiblingFiles(file)).config
    });
    config.unwrap_or_else(accept_all)
}

/// The files that a configuration names stand beside it.
pub struct SiblingFiles<'a>(pub &'a Path);

impl FileLoader for SiblingFiles<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        read(&self.0.with_file_name(path)).map_err(|error| error.to_string())
    }
}

/// A text file; the words of an error are for the user.
pub fn read(file: &Path) -> io::Result<String> {
    String::from_utf8(fs::read(file)?).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not utf-8"))
    })
}

/// Says that [`read`] failed; that what stands in a file is no text is a mistake in it.
pub fn unreadable(name: &str, error: &io::Error) -> Outcome {
    say(format_args!("{name}: cannot read: {error}"));
    if error.kind() == io::ErrorKind::InvalidData { Outcome::Mistakes } else { Outcome::Failed }
}

/// One unlimited integration for each kind of finding, and every default.
fn accept_all() -> Config {
    let integration = |kind: &Kind| Integration {
        name: kind.word().to_owned(),
        kind: *kind,
        stopped: false,
        applies: true,
        rate_limit: None,
        filter: DataFilter::default(),
        line: 0,
    };
    Config { integrations: Kind::ALL.iter().map(integration).collect(), ..Config::default() }
}
