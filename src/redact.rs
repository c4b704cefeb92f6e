//! Overwrites what must not leave, in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`. In a record that
//! is not a finding every rule applies to every string, since nobody knows where its secrets stand. Values are overwritten,
//! keys are not; and a text is read as it is: what it spells in escapes of its own (JSON within a string that is no finding,
//! a line that is broken JSON) is not found.

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::config::Redaction;
use crate::finding::Field;
use crate::pattern::{BuildError, Find, Source};
use crate::record::{Body, Event, Tape, Text, Value};

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

    /// Whether there may be something to overwrite in a finding's body that may leave as it came: a rule's pattern occurs
    /// in a value whose key ends as the rule's path does. Most bodies with such a key hold no secret.
    pub fn may_apply(&self, body: &Body<'_>) -> bool {
        self.rules.iter().any(|rule| rule.may_apply(body))
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
    fn may_apply(&self, body: &Body<'_>) -> bool {
        let Some(bytes) = body.bytes() else { return true };
        let word = self.word.needle().len();
        // Whoever makes the look dear (a word within a text looks like a key of MessagePack again and again) has the body
        // walked through.
        let mut left = bytes.len();
        let mut from = 0_usize;
        while let Some(at) = bytes.get(from..).and_then(|rest| self.word.find(rest)) {
            let start = from.saturating_add(at);
            let mut end = start.saturating_add(word);
            // Behind a key's last word, places in lists may stand.
            loop {
                let Some(less) = self.spares(body.behind_key(end), left) else { return true };
                left = less;
                let Some(b'-' | b'_' | b'.' | b'0'..=b'9') = bytes.get(end) else { break };
                end = end.saturating_add(1);
            }
            from = start.saturating_add(1);
        }
        false
    }

    /// How many of the bytes that are left may still be looked at, behind a value in which the pattern does not occur;
    /// `None`: it does, or only a walk can tell.
    fn spares(&self, value: Value<'_>, left: usize) -> Option<usize> {
        /// What a look costs at least.
        const LOOK: usize = 8;
        let number;
        let text = match value {
            Value::Null | Value::Bool(_) => return left.checked_sub(1),
            Value::Number(value) => {
                number = value.to_string();
                Text::Plain(&number)
            }
            // None in a map or a list.
            value => value.text()?,
        };
        let left = left.checked_sub(text.length().saturating_add(LOOK))?;
        (!self.pattern.occurs(text.decode(&mut String::new()))).then_some(left)
    }

    fn names(&self, path: &str) -> bool {
        path == self.path || path.strip_prefix("context_") == Some(&self.path)
    }

    /// The text with every occurrence overwritten; `None` when there is none.
    ///
    /// Decision: a long text in which there is one is overwritten whole. To find all of them takes a search for each, and
    /// a pattern may make each search read all that is left: seconds for some hundred kilobytes.
    fn replace(&self, text: &str) -> Option<String> {
        const LONG: usize = 16 << 10;
        if text.len() > LONG {
            let occurs = text != self.replacement && self.pattern.occurs(text);
            return occurs.then(|| self.replacement.clone());
        }
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

/// Appends a key with its separators as `_` and its list positions gone: `reasons_0_doc` and `reasons.doc` are one.
fn fold(key: &str, path: &mut String) {
    for word in key.split(['-', '_', '.']) {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
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
        for text in around(&around(&around(&values))) {
            let mut packed = Vec::new();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            rmpv::encode::write_value(&mut packed, &rmpv::ext::to_value(value).unwrap()).unwrap();
            for body in [Body::Json(text.as_bytes()), Body::MsgPack(&packed)] {
                if redactor.body(&mut body.clone().into_tape()) > 0 {
                    changed += 1;
                    if !redactor.may_apply(&body) {
                        missed.push(text.clone());
                    }
                }
            }
        }
        assert!(changed > 10_000, "{changed}");
        assert!(missed.is_empty(), "{missed:?}");
    }
}
