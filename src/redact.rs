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

    /// Whether a finding's body may hold a field that a rule names.
    pub fn may_apply(&self, body: &Body<'_>) -> bool {
        self.rules.iter().any(|rule| match body {
            Body::Json(text) => rule.word.find(text).is_some(),
            #[cfg(feature = "msgpack")]
            Body::MsgPack(bytes) => rule.word.find(bytes).is_some(),
            Body::Tape(_) => true,
        })
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
    fn names(&self, path: &str) -> bool {
        path == self.path || path.strip_prefix("context_") == Some(&self.path)
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
