//! Reads the configuration that a command runs with, and reports its mistakes.

use std::borrow::Cow;
use std::io::{self, Read as _};
use std::path::Path;

use host_kit::config::{ReadError, SiblingFiles, read_text, text};
use kaudit_filter::config::{self, Config, DataFilter, Integration};
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
    let text = read_text(file).map_err(|error| unreadable(&name, &error))?;
    let reading = config::read(&name, &text, &SiblingFiles::of(file));
    for remark in &reading.diagnostics {
        say(format_args!("{remark}"));
    }
    reading.config.ok_or(Outcome::Mistakes)
}

/// Reads the file without a remark; the built-in configuration if there is none or it has errors. For a plugin that
/// reads it itself, and reports its mistakes.
pub fn known(file: Option<&Path>) -> Config {
    let config = file.and_then(|file| {
        let text = read_text(file).ok()?;
        config::read(&file.to_string_lossy(), &text, &SiblingFiles::of(file)).config
    });
    config.unwrap_or_else(accept_all)
}

/// Returns the text of a file, or of standard input for `-`, and the name for messages.
pub fn named_text(file: &Path) -> (Cow<'_, str>, Result<String, ReadError>) {
    if file != Path::new("-") {
        return (file.to_string_lossy(), read_text(file));
    }
    let mut bytes = Vec::new();
    let limit = host_kit::config::MAX_BYTES + 1;
    let read = io::stdin().take(limit).read_to_end(&mut bytes).map_err(ReadError::Io);
    ("stdin".into(), read.and_then(|_| text(bytes).map_err(ReadError::Content)))
}

/// Reports that a file cannot be read. Content that is no configuration is a mistake in it.
pub fn unreadable(name: &str, error: &ReadError) -> Outcome {
    say(format_args!("{name}: cannot read: {error}"));
    match error {
        ReadError::Content(_) => Outcome::Mistakes,
        ReadError::Io(_) => Outcome::Failed,
    }
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
