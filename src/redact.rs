//! Overwrites what must not leave, in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`. In a record that
//! is not a finding every rule applies to every string, since nobody knows where its secrets stand.

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::config::Redaction;
use crate::finding::Field;
use crate::pattern::{BuildError, Find, Source};
use crate::record::{Body, Event, Tape};

/// The compiled rules.
pub(crate) struct Redactor {
    rules: Vec<Rule>,
}

struct Rule {
    /// The field's path, folded (see [`fold`]).
    path: String,
    /// The known field of that name.
    field: Option<Field>,
    /// The path's last word, which stands in the body's bytes in every spelling.
    word: Finder<'static>,
    pattern: Find,
    replacement: String,
}

impl Redactor {
    /// Compiles the rules.
    pub fn new(rules: &[Redaction], source: &mut impl Source) -> Result<Self, BuildError> {
        let rules = rules.iter().map(|rule| {
            let mut path = String::new();
            fold(&rule.field, &mut path);
            let word = path.rsplit('_').next().unwrap_or_default();
            Ok::<_, BuildError>(Rule {
                word: Finder::new(word).into_owned(),
                field: Field::of(path.as_bytes()),
                pattern: source.find(&rule.pattern)?,
                replacement: rule.replacement.clone(),
                path,
            })
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether there may be something to overwrite in a finding's body: a rule's pattern occurs in a value whose key ends
    /// as the rule's path does. Most bodies with such a key hold no secret and leave as they came.
    pub fn finds(&self, body: &Body<'_>) -> bool {
        let bytes = match body {
            Body::Json(text) => text,
            #[cfg(feature = "msgpack")]
            Body::MsgPack(bytes) => bytes,
            Body::Tape(_) => return true,
        };
        self.rules.iter().any(|rule| rule.word.find(bytes).is_some()) && self.finds_value(body)
    }

    #[inline(never)]
    fn finds_value(&self, body: &Body<'_>) -> bool {
        let mut found = false;
        let mut at = At::Unknown;
        body.walk(|event| match event {
            Event::Key(key) => at = self.at(key),
            // What follows in a list, or under a key without words, belongs to a key that was passed by.
            Event::End => at = At::Unknown,
            Event::Str(text) => found = found || self.finds_in(&text, &at),
            Event::Number(number) if at != At::Elsewhere => {
                found = found || self.finds_in(&number.to_string(), &at);
            }
            _ => (),
        });
        found
    }

    /// Where the value of this key stands.
    fn at<'k>(&self, key: Cow<'k, str>) -> At<'k> {
        match last_word(&key) {
            None => At::Unknown,
            Some(word) if self.rules.iter().any(|rule| rule.ends_with(word)) => At::Under(key),
            Some(_) => At::Elsewhere,
        }
    }

    fn finds_in(&self, text: &str, at: &At<'_>) -> bool {
        let word = match at {
            At::Elsewhere => return false,
            At::Under(key) => last_word(key),
            At::Unknown => None,
        };
        let named = |rule: &&Rule| word.is_none_or(|word| rule.ends_with(word));
        self.rules.iter().filter(named).any(|rule| rule.occurs(text))
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Overwrites in a finding's body; how many values changed.
    pub fn body(&self, tape: &mut Tape<'_>) -> u64 {
        let mut path = Path::default();
        let mut changed = 0_u64;
        for event in &mut tape.events {
            path.step(event);
            changed = changed.saturating_add(self.value(event, |rule| rule.names(&path.folded)));
        }
        changed
    }

    /// Overwrites in a record that is not a finding: every rule, every string.
    pub fn everything(&self, tape: &mut Tape<'_>) -> u64 {
        let mut changed = 0_u64;
        for event in &mut tape.events {
            changed = changed.saturating_add(self.value(event, |_| true));
        }
        changed
    }

    fn value(&self, event: &mut Event<'_>, applies: impl Fn(&Rule) -> bool) -> u64 {
        if !self.rules.iter().any(&applies) {
            return 0;
        }
        let text = match event {
            Event::Str(text) => text.to_string(),
            Event::Number(number) => number.to_string(),
            _ => return 0,
        };
        let mut new = Cow::Borrowed(text.as_str());
        for rule in self.rules.iter().filter(|rule| applies(rule)) {
            if let Some(replaced) = rule.replace(&new) {
                new = Cow::Owned(replaced);
            }
        }
        let Cow::Owned(new) = new else { return 0 };
        *event = Event::Str(Cow::Owned(new));
        1
    }

    /// Whether a rule is about a known field.
    pub fn names(&self, field: Field) -> bool {
        self.rules.iter().any(|rule| rule.field == Some(field))
    }

    /// Overwrites in a text that may be any field's: every rule.
    pub fn everything_in(&self, text: &mut String) {
        for rule in &self.rules {
            if let Some(replaced) = rule.replace(text) {
                *text = replaced;
            }
        }
    }

    /// Overwrites in the text of one known field.
    pub fn field(&self, field: Field, text: &mut String) {
        for rule in self.rules.iter().filter(|rule| rule.field == Some(field)) {
            if let Some(replaced) = rule.replace(text) {
                *text = replaced;
            }
        }
    }
}

impl Rule {
    /// Whether its path ends with this word.
    fn ends_with(&self, word: &str) -> bool {
        self.word.needle() == word.as_bytes()
    }

    fn names(&self, path: &str) -> bool {
        path == self.path || path.strip_prefix("context_") == Some(&self.path)
    }

    fn occurs(&self, text: &str) -> bool {
        let mut occurs = false;
        self.pattern.each(text, |_| occurs = true);
        occurs
    }

    /// The text with every occurrence overwritten; `None` when there is none.
    fn replace(&self, text: &str) -> Option<String> {
        let mut new = String::new();
        let mut end = 0;
        self.pattern.each(text, |found| {
            new.push_str(text.get(end..found.start).unwrap_or_default());
            new.push_str(&self.replacement);
            end = found.end;
        });
        if new.is_empty() && end == 0 {
            return None;
        }
        new.push_str(text.get(end..).unwrap_or_default());
        (new != text).then_some(new)
    }
}

/// Where a value stands, for a look that follows no paths.
#[derive(PartialEq)]
enum At<'k> {
    /// Under a key that ends with no rule's word.
    Elsewhere,
    /// Under this key, which ends with a rule's word.
    Under(Cow<'k, str>),
    /// Under a key that is not known any more, or that has no words.
    Unknown,
}

/// The words of a key: what stands between its separators, but for list positions.
fn words(key: &str) -> impl DoubleEndedIterator<Item = &str> {
    key.split(['-', '_', '.']).filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
}

fn last_word(key: &str) -> Option<&str> {
    words(key).next_back()
}

/// Appends a key with its separators as `_` and its list positions gone: `reasons_0_doc` and `reasons.doc` are one.
fn fold(key: &str, path: &mut String) {
    for word in words(key) {
        if !path.is_empty() {
            path.push('_');
        }
        path.push_str(word);
    }
}

/// The folded path of the value that a walk stands at.
#[derive(Default)]
struct Path {
    folded: String,
    /// The path's length outside each open container.
    outer: Vec<usize>,
}

impl Path {
    fn step(&mut self, event: &Event<'_>) {
        match event {
            Event::Map(_) | Event::List(_) => self.outer.push(self.folded.len()),
            Event::Key(key) => {
                self.folded.truncate(self.outer.last().copied().unwrap_or(0));
                fold(key, &mut self.folded);
            }
            Event::End => {
                self.folded.truncate(self.outer.pop().unwrap_or(0));
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Compile;

    const KEYS: [&str; 5] = ["word", "path_word", "path-1", "x", "0"];

    /// Every map of two members and every list of two elements that has one of these values, and a string behind it.
    fn around(values: &[String]) -> Vec<String> {
        let mut all = Vec::new();
        for value in values {
            all.push(format!("[{value},\"secret\"]"));
            for first in KEYS {
                all.extend(KEYS.map(|second| format!("{{\"{first}\":{value},\"{second}\":\"secret\"}}")));
            }
        }
        all
    }

    #[test]
    fn the_look_misses_nothing_that_is_overwritten() {
        let rules = [("word", "se"), ("path.word", "7|cr"), ("path", "et")];
        let rules = rules.map(|(field, pattern)| Redaction {
            field: field.to_owned(),
            pattern: pattern.to_owned(),
            replacement: "***".to_owned(),
        });
        let redactor = Redactor::new(&rules, &mut Compile).unwrap();
        let values = ["\"secret\"", "\"s\\u0065c\"", "7", "null"].map(str::to_owned);
        let mut changed = 0;
        let mut missed = Vec::new();
        for body in around(&around(&around(&values))) {
            let mut tape = Body::Json(body.as_bytes()).into_tape();
            if redactor.body(&mut tape) > 0 {
                changed += 1;
                if !redactor.finds(&Body::Json(body.as_bytes())) {
                    missed.push(body);
                }
            }
        }
        assert!(changed > 10_000, "{changed}");
        assert!(missed.is_empty(), "{missed:?}");
    }
}
