//! Output formats of a report: annotated text, JSON, SARIF, GitHub commands.

use kaudit_filter::config::{self, Code, Diagnostic, Level};
use serde_json::{Value, json};

use super::{CheckReport, mask};
use crate::snippet::{self, Message};

/// The link to the explanation of the codes.
const HELP: &str = "https://github.com/kaudit-filter/kaudit-filter#check";

impl CheckReport {
    /// Returns each remark under its line of the file, and a summary line.
    pub fn text(&self, colour: bool) -> String {
        let mut out = self.problems(colour);
        out.push_str(&self.summary());
        out.push('\n');
        if let Some(worst) = self.remarks.iter().rev().max_by_key(|remark| remark.level()) {
            let label = worst.code().label();
            out += &["`check --explain ", label, "` explains this code\n"].concat();
        }
        out
    }

    /// Returns each remark under its line of the file, with an empty line after each.
    pub fn problems(&self, colour: bool) -> String {
        self.remarks.iter().map(|remark| self.annotated(remark, colour) + "\n\n").collect()
    }

    fn annotated(&self, remark: &Diagnostic, colour: bool) -> String {
        let text = self.texts.get(remark.file()).map_or("", String::as_str);
        let same_line = self
            .remarks
            .iter()
            .filter(|other| (other.file(), other.line()) == (remark.file(), remark.line()));
        let line = mask::masked_line(snippet::line(text, remark.line()), same_line);
        let restored = self.restored(remark);
        let restored = restored.map(|restored| format!("with its indentation:\n{}", restored.trim_end()));
        let help = Some(remark.help()).filter(|help| !help.is_empty()).map(str::to_owned);
        Message {
            level: remark.level(),
            code: Some(remark.code().label()),
            text: remark.message(),
            file: remark.file(),
            line: (remark.line(), &line),
            columns: (remark.column(), remark.width()),
            label: if remark.path().is_empty() { "here" } else { remark.path() },
            help: help.into_iter().chain(restored).collect(),
        }
        .text(colour)
    }

    /// Returns the text that a remark about lost indentation suggests, masked.
    fn restored(&self, remark: &Diagnostic) -> Option<String> {
        let text = self.texts.get(remark.file()).filter(|_| remark.code() == Code::IndentationLost)?;
        config::restore_indentation(text).map(|text| mask::masked(&text))
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> Value {
        let remarks = self.remarks.iter().map(|remark| {
            let mut members = json!({
                "code": remark.code().label(),
                "level": remark.level().name(),
                "title": remark.code().title(),
                "file": remark.file(),
                "line": remark.line(),
                "column": remark.column(),
                "width": remark.width(),
                "path": remark.path(),
                "message": remark.message(),
                "help": remark.help(),
            });
            if let Some(restored) = self.restored(remark) {
                members["restored"] = restored.into();
            }
            members
        });
        json!({
            "files": self.files,
            "configurations": self.configurations,
            "errors": self.count(Level::Error),
            "warnings": self.count(Level::Warning),
            "advice": self.count(Level::Advice),
            "remarks": remarks.collect::<Vec<_>>(),
        })
    }

    /// Returns the report as SARIF 2.1.0, the exchange format of code scanners.
    ///
    /// Decision: not `serde-sarif`, which generates its types from the JSON schema in a build script.
    pub fn sarif(&self) -> Value {
        let mut used: Vec<Code> = self.remarks.iter().map(Diagnostic::code).collect();
        used.sort_unstable();
        used.dedup();
        let rules = used.iter().map(|code| {
            json!({
                "id": code.label(),
                "shortDescription": {"text": code.title()},
                "fullDescription": {"text": code.explanation()},
                "helpUri": HELP,
                "defaultConfiguration": {"level": sarif_level(code.level())},
            })
        });
        let results = self.remarks.iter().map(|remark| {
            json!({
                "ruleId": remark.code().label(),
                "ruleIndex": used.binary_search(&remark.code()).unwrap_or_default(),
                "level": sarif_level(remark.level()),
                "message": {"text": message_line(remark)},
                "locations": [{
                    "physicalLocation": {
                        "artifactLocation": {"uri": uri(remark.file())},
                        "region": {
                            "startLine": remark.line(),
                            "startColumn": remark.column(),
                            "endColumn": remark.column() + remark.width(),
                        },
                    },
                    "logicalLocations": [{"fullyQualifiedName": remark.path()}],
                }],
            })
        });
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "kaudit-filter check",
                    "version": env!("CARGO_PKG_VERSION"),
                    "informationUri": HELP,
                    "rules": rules.collect::<Vec<_>>(),
                }},
                "columnKind": "unicodeCodePoints",
                "results": results.collect::<Vec<_>>(),
            }],
        })
    }

    /// Returns GitHub workflow commands, one a line, which annotate a change.
    pub fn github(&self) -> String {
        self.remarks.iter().map(command).collect()
    }
}

fn command(remark: &Diagnostic) -> String {
    let level = match remark.level() {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Advice => "notice",
    };
    format!(
        "::{level} file={},line={},col={},endColumn={},title={} {}::{}\n",
        escape_property(remark.file()),
        remark.line(),
        remark.column(),
        remark.column() + remark.width(),
        remark.code().label(),
        escape_property(remark.code().title()),
        escape_data(&message_line(remark)),
    )
}

/// Returns path, message and help in one line.
fn message_line(remark: &Diagnostic) -> String {
    let path = if remark.path().is_empty() { String::new() } else { format!("{}: ", remark.path()) };
    let help = if remark.help().is_empty() { String::new() } else { format!("; {}", remark.help()) };
    [&path, remark.message(), &help].concat()
}

fn sarif_level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Advice => "note",
    }
}

/// Returns a path as a URI, with other characters percent-encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Escapes the characters that GitHub interprets in a command's data.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the characters that GitHub interprets in a command's properties.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(uri("charts/kaudit-1.0.yaml"), "charts/kaudit-1.0.yaml");
        assert_eq!(uri("my charts/caf\u{e9} 100%.yaml"), "my%20charts/caf%C3%A9%20100%25.yaml");
    }
}
