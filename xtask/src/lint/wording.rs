//! The words of `words.toml` in everything that people read: documents, comments, strings, identifiers, names of files.

use std::fs;
use std::iter::successors;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::shell::{Done, read, root};

const LIST: &str = "xtask/src/lint/words.toml";

/// Checks all files of the repository that git does not ignore.
pub fn check() -> Done {
    let mut checker =
        Checker::parse(include_str!("words.toml")).map_err(|error| format!("{LIST}: {error}"))?;
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let listed = read(&mut git)?;
    let listed = String::from_utf8(listed.stdout).map_err(|_| "a file's name is not UTF-8")?;
    let paths: Vec<&str> = listed.split_terminator('\0').collect();
    let mut faults: Vec<String> = paths.iter().flat_map(|path| checker.file(&root(), path)).collect();
    faults.extend(checker.unused());
    if faults.is_empty() {
        eprintln!("{} files contain no word of {LIST}", paths.len());
        return Ok(());
    }
    Err(format!("use the terms that {LIST} lists\n  {}", faults.join("\n  ")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checker {
    word: Vec<Word>,
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    forms: Vec<Phrase>,
    instead: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    /// A file, a folder, or `.` for the repository.
    path: String,
    /// The words that surround and contain the excepted one; without it, the files are not checked.
    phrase: Option<Phrase>,
    reason: String,
    #[serde(skip)]
    used: bool,
}

/// Consecutive words, in lower case.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Phrase(Vec<String>);

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Self(words(&text).map(|word| text[word].to_ascii_lowercase()).collect())
    }
}

impl Checker {
    fn parse(list: &str) -> Done<Self> {
        toml::from_str(list).map_err(|error| error.to_string())
    }

    /// Checks the name and the contents of a file; binary files and deleted ones have no contents.
    fn file(&mut self, root: &Path, path: &str) -> Vec<String> {
        let mut faults = self.text(path, path);
        for fault in &mut faults {
            fault.insert_str(0, "name of ");
        }
        if let Ok(text) = fs::read_to_string(root.join(path)) {
            faults.extend(self.text(path, &text));
        }
        faults
    }

    /// Returns a line `path:line:column: …` for each fault.
    fn text(&mut self, path: &str, text: &str) -> Vec<String> {
        let tokens: Vec<Range<usize>> = words(text).collect();
        let mut faults = Vec::new();
        for index in 0..tokens.len() {
            for Word { forms, instead } in &self.word {
                let Some(form) = forms.iter().find(|form| form.begins_at(text, &tokens, index)) else {
                    continue;
                };
                let end = index + form.0.len();
                let is_excepted =
                    |exception: &&mut Exception| exception.covers(path, text, &tokens, index..end);
                if let Some(exception) = self.exception.iter_mut().find(is_excepted) {
                    exception.used = true;
                    continue;
                }
                let (before, found) = (&text[..tokens[index].start], form.0.join(" "));
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |begin| begin.chars().count()) + 1;
                faults.push(format!("{path}:{line}:{column}: `{found}`: write {instead}"));
            }
        }
        faults
    }

    /// Returns a line for each exception that no file needed.
    fn unused(&self) -> impl Iterator<Item = String> {
        let unused = self.exception.iter().filter(|exception| !exception.used);
        unused.map(|Exception { path, phrase, reason, .. }| {
            let phrase =
                phrase.as_ref().map_or_else(String::new, |Phrase(words)| format!(" `{}`", words.join(" ")));
            format!("{LIST}: unused exception: {path}{phrase} ({reason})")
        })
    }
}

impl Exception {
    /// Returns whether the words `hit` are in one of the files and inside the phrase.
    fn covers(&self, path: &str, text: &str, tokens: &[Range<usize>], hit: Range<usize>) -> bool {
        if self.path != "." && !Path::new(path).starts_with(&self.path) {
            return false;
        }
        self.phrase.as_ref().is_none_or(|phrase| {
            let earliest = (hit.end).saturating_sub(phrase.0.len());
            (earliest..=hit.start).any(|index| phrase.begins_at(text, tokens, index))
        })
    }
}

impl Phrase {
    /// Returns whether the words at `index` are these, also if a line break or a hyphen separates them.
    fn begins_at(&self, text: &str, tokens: &[Range<usize>], index: usize) -> bool {
        let found = tokens.get(index..).and_then(|rest| rest.get(..self.0.len()));
        found.is_some_and(|found| {
            let is_gap = |gap: &str| gap.chars().all(|c| c.is_whitespace() || "-_/!#*\\".contains(c));
            found.iter().zip(&self.0).all(|(token, word)| text[token.clone()].eq_ignore_ascii_case(word))
                && found.windows(2).all(|pair| is_gap(&text[pair[0].end..pair[1].start]))
        })
    }
}

/// Returns the words of a text and of its identifiers: `is_ready`, `isReady` and `IsReady` are two words each.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let next = move |from: usize| {
        let start = from + bytes.get(from..)?.iter().position(u8::is_ascii_alphabetic)?;
        let starts_word = |end: &usize| {
            let (before, at) = (bytes[end - 1], bytes[*end]);
            !at.is_ascii_alphabetic()
                || at.is_ascii_uppercase()
                    && (before.is_ascii_lowercase() || bytes.get(end + 1).is_some_and(u8::is_ascii_lowercase))
        };
        Some(start..(start + 1..bytes.len()).find(starts_word).unwrap_or(bytes.len()))
    };
    successors(next(0), move |word| next(word.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "
        [[word]]
        forms = ['apple', 'apples']
        instead = 'pear'
        [[word]]
        forms = ['big plum']
        instead = 'peach'
        [[exception]]
        path = 'docs'
        phrase = 'the apple of an eye'
        reason = 'idiom'
        [[exception]]
        path = 'docs/quoted.txt'
        reason = 'quotation'
    ";

    #[test]
    fn words_are_found_in_prose_and_identifiers() {
        for (path, text, expected) in [
            ("a.rs", "An Apple", "a.rs:1:4: `apple`: write pear"),
            (
                "a.rs",
                "ä apples, red\n\n/// apple",
                "a.rs:1:3: `apples`: write pear; a.rs:3:5: `apple`: write pear",
            ),
            ("a.rs", "let two_apples = 2;", "a.rs:1:9: `apples`: write pear"),
            (
                "a.rs",
                "const APPLE: RedApple",
                "a.rs:1:7: `apple`: write pear; a.rs:1:17: `apple`: write pear",
            ),
            (
                "a.rs",
                "HTTPApple, appleCount",
                "a.rs:1:5: `apple`: write pear; a.rs:1:12: `apple`: write pear",
            ),
            ("a.rs", "/// A big\n    /// plum.", "a.rs:1:7: `big plum`: write peach"),
            ("a.rs", "BigPlum", "a.rs:1:1: `big plum`: write peach"),
            ("apple", "", "name of apple:1:1: `apple`: write pear"),
            // Near misses.
            ("a.rs", "grapple, applesauce, pineapple, APPLESAUCE, big, plum", ""),
            ("a.rs", "big, plum", ""),
            // Exceptions.
            ("docs/a.md", "She is the apple of an eye.", ""),
            ("docs/a.md", "the apple of the eye", "docs/a.md:1:5: `apple`: write pear"),
            ("a.md", "the apple of an eye", "a.md:1:5: `apple`: write pear"),
            ("docs-2/a.md", "the apple of an eye", "docs-2/a.md:1:5: `apple`: write pear"),
            ("docs/quoted.txt", "apples", ""),
        ] {
            let mut checker = Checker::parse(LIST).unwrap();
            let mut faults = checker.file(Path::new("/absent"), path);
            faults.extend(checker.text(path, text));
            assert_eq!(faults.join("; "), expected, "{path}: {text}");
        }
    }

    #[test]
    fn an_unused_exception_is_a_fault() {
        let mut checker = Checker::parse(LIST).unwrap();
        let idiom = "xtask/src/lint/words.toml: unused exception: docs `the apple of an eye` (idiom)";
        let quotation = "xtask/src/lint/words.toml: unused exception: docs/quoted.txt (quotation)";
        assert_eq!(checker.unused().collect::<Vec<_>>(), [idiom, quotation]);
        assert!(checker.text("docs/quoted.txt", "the apple of an eye").is_empty());
        assert_eq!(checker.unused().collect::<Vec<_>>(), [quotation], "one exception for one hit");
    }

    #[test]
    fn an_entry_has_all_its_fields() {
        for list in [
            "word = [{ forms = ['a'] }]",
            "word = []\nexception = [{ path = 'a' }]",
            "word = [{ forms = ['a'], instead = 'b', else = '' }]",
        ] {
            assert!(Checker::parse(list).is_err(), "{list}");
        }
    }
}
