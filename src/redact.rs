//! Overwrites values that must not be sent, in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`; it applies to all
//! that the field contains. In a record that is not a finding, and in text that contains an object, every rule applies to
//! everything, keys included, since it is not known where secrets are.
//!
//! A pattern is searched in a text and in what the text spells by escape sequences of JSON or of URIs, up to three times
//! over: a text in which it is found only so is overwritten whole.

use std::borrow::Cow;

use memchr::{memchr, memmem::Finder};

use crate::config::Redaction;
use crate::finding::Field;
use crate::pattern::{BuildError, Find, Source};
use crate::record::{Document, Edit, Encoding, Event, Record, Value, unescape};

/// The compiled rules.
pub(crate) struct Redactor {
    rules: Vec<Rule>,
}

struct Rule {
    /// The field's path, folded (see [`fold`]).
    path: String,
    /// The known field of that name.
    field: Option<Field>,
    /// The path's last word, which the body's bytes contain in every spelling.
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
                field: Field::of(&path),
                pattern: source.find(&rule.pattern)?,
                replacement: rule.replacement.clone(),
                path,
            })
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether there may be something to overwrite in a finding's body: a rule's pattern occurs in a value whose key ends as
    /// the rule's path does, or there is text that may contain an object. Most bodies contain no secret.
    pub fn may_apply(&self, record: Record<'_>) -> bool {
        contains_object_text(record) || self.rules.iter().any(|rule| rule.may_apply(record))
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Overwrites everywhere in a document that is not a finding; returns how many values changed.
    pub fn everything(&self, document: &mut Document<'_>) -> u64 {
        let mut editor = Editor::new(self, Some(Scope::Everything));
        document.events.iter_mut().for_each(|event| editor.edit(event));
        editor.changed
    }

    /// The text with every rule that applies; `None` if it stays as it is.
    fn overwrite(&self, text: &str, applies: impl Fn(&Rule) -> bool) -> Option<String> {
        let mut new: Option<String> = None;
        for rule in self.rules.iter().filter(|rule| applies(rule)) {
            new = rule.replace(new.as_deref().unwrap_or(text)).or(new);
        }
        new
    }

    /// Whether a rule is about a known field.
    pub fn names(&self, field: Field) -> bool {
        self.rules.iter().any(|rule| rule.field == Some(field))
    }

    /// Overwrites in a text that may be any field's: every rule.
    pub fn everything_in(&self, text: &mut String) {
        if let Some(new) = self.overwrite(text, |_| true) {
            *text = new;
        }
    }

    /// Overwrites in the text of one known field.
    pub fn field(&self, field: Field, text: &mut String) {
        let everywhere = contains_object(text);
        if let Some(new) = self.overwrite(text, |rule| everywhere || rule.field == Some(field)) {
            *text = new;
        }
    }
}

/// What rules apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The fields that they name.
    Fields,
    /// Everything.
    Everything,
}

/// Overwrites values of a body while it is read.
pub(crate) struct Editor<'r> {
    redactor: &'r Redactor,
    /// `None`: nothing is overwritten.
    scope: Option<Scope>,
    path: Path,
    /// How many values and keys have changed.
    pub changed: u64,
}

impl<'r> Editor<'r> {
    pub fn new(redactor: &'r Redactor, scope: Option<Scope>) -> Self {
        Self { redactor, scope, path: Path::default(), changed: 0 }
    }

    /// Prepares for reading a body from its start, perhaps once more.
    pub fn start(&mut self) {
        (self.path, self.changed) = (Path::default(), 0);
    }

    fn overwrite(&self, text: &str, scope: Scope) -> Option<String> {
        let everywhere = scope == Scope::Everything || contains_object(text);
        self.redactor.overwrite(text, |rule| everywhere || rule.names(&self.path.folded))
    }
}

impl Edit for Editor<'_> {
    fn edit(&mut self, event: &mut Event<'_>) {
        let Some(scope) = self.scope else { return };
        let new = match event {
            Event::Str(text) => self.overwrite(text, scope),
            Event::Number(number) => self.overwrite(&number.to_string(), scope),
            // A key is in the field that is around it.
            Event::Key(key) => {
                self.path.leave_member();
                self.overwrite(key, scope)
            }
            _ => None,
        };
        if let Some(new) = new {
            self.changed = self.changed.saturating_add(1);
            *event = match event {
                // Two keys that become equal stay two.
                Event::Key(_) => Event::Key(Cow::Owned(format!("{new}#{}", self.changed))),
                _ => Event::Str(Cow::Owned(new)),
            };
        }
        if scope == Scope::Fields {
            self.path.step(event);
        }
    }
}

/// Whether a text may contain an object: JSON within a string, or a log line with some.
fn contains_object(text: &str) -> bool {
    memchr(b'{', text.as_bytes()).is_some()
}

/// Whether a string of a body may contain an object, as far as a search of the bytes shows.
fn contains_object_text(record: Record<'_>) -> bool {
    let bytes = record.bytes();
    match record.encoding() {
        // Its quotes are escaped.
        Encoding::Json => memchr(b'\\', bytes).is_some(),
        #[cfg(feature = "msgpack")]
        Encoding::MsgPack => memchr(b'{', bytes).is_some(),
    }
}

impl Rule {
    fn may_apply(&self, record: Record<'_>) -> bool {
        let bytes = record.bytes();
        let word = self.word.needle().len();
        // A budget: a body with too many candidates (a word within a text looks like a key of MessagePack) is read whole.
        let mut left = bytes.len();
        let mut from = 0_usize;
        while let Some(at) = bytes.get(from..).and_then(|rest| self.word.find(rest)) {
            let start = from.saturating_add(at);
            let mut end = start.saturating_add(word);
            // After a key's last word there may be indices.
            loop {
                let Some(less) = self.spares(record.value_after_key(end), left) else { return true };
                left = less;
                let Some(b'-' | b'_' | b'.' | b'0'..=b'9') = bytes.get(end) else { break };
                end = end.saturating_add(1);
            }
            from = start.saturating_add(1);
        }
        false
    }

    /// How many bytes of the budget are left after a value in which the pattern does not occur; `None` if it does, or if
    /// the value has to be read.
    fn spares(&self, value: Value<'_>, left: usize) -> Option<usize> {
        /// What each value costs at least.
        const EACH: usize = 8;
        let text = match value {
            Value::Absent | Value::Null | Value::Bool(_) => return left.checked_sub(1),
            Value::Number(value) => Cow::Owned(value.to_string()),
            value => Cow::from(value.text()?),
        };
        let left = left.checked_sub(text.len().saturating_add(EACH))?;
        (!self.occurs(&text)).then_some(left)
    }

    /// Whether the pattern occurs in a text or in what it spells.
    fn occurs(&self, text: &str) -> bool {
        self.pattern.occurs(text) || self.is_spelled(text)
    }

    /// Whether the pattern occurs in what a text spells by escape sequences.
    fn is_spelled(&self, text: &str) -> bool {
        /// How often a text is resolved: JSON in JSON in JSON.
        const TIMES: usize = 3;
        let mut text = Cow::Borrowed(text);
        for _ in 0..TIMES {
            let Some(resolved) = resolve(&text) else { return false };
            if self.pattern.occurs(&resolved) {
                return true;
            }
            text = Cow::Owned(resolved);
        }
        false
    }

    fn names(&self, path: &str) -> bool {
        let is_within = |path: &str| {
            path.strip_prefix(&*self.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        is_within(path) || path.strip_prefix("context_").is_some_and(is_within)
    }

    /// The text with every occurrence overwritten; `None` when there is none.
    ///
    /// Decision: a long text in which there is one is overwritten whole. To find all of them takes a search for each, and
    /// a pattern may make each search read all that is left: seconds for some hundred kilobytes.
    fn replace(&self, text: &str) -> Option<String> {
        const LONG: usize = 16 << 10;
        if text.len() > LONG {
            let occurs = text != self.replacement && self.occurs(text);
            return occurs.then(|| self.replacement.clone());
        }
        let mut new = String::new();
        let mut end = 0;
        self.pattern.each(text, |found| {
            new.push_str(text.get(end..found.start).unwrap_or_default());
            new.push_str(&self.replacement);
            end = found.end;
        });
        let rest = text.get(end..).unwrap_or_default();
        if self.is_spelled(rest) {
            return (text != self.replacement).then(|| self.replacement.clone());
        }
        new.push_str(rest);
        (new != text).then_some(new)
    }
}

/// A text with its escape sequences of JSON and of URIs resolved; `None` if it has none.
fn resolve(text: &str) -> Option<String> {
    let mut resolved = String::new();
    unescape(text, &mut resolved);
    if memchr(b'%', resolved.as_bytes()).is_some() {
        resolved = percent_decoded(&resolved);
    }
    (resolved != text).then_some(resolved)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().filter(|_| *byte == b'%').and_then(|code| {
            let [high, low] = code.map(|digit| char::from(digit).to_digit(16));
            u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()
        });
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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

/// The folded path of the value that is read next.
#[derive(Default)]
struct Path {
    folded: String,
    /// The path's length outside each open container.
    outer: Vec<usize>,
}

impl Path {
    /// Goes back to the map around a member, before its key.
    fn leave_member(&mut self) {
        self.folded.truncate(self.outer.last().copied().unwrap_or(0));
    }

    fn step(&mut self, event: &Event<'_>) {
        match event {
            Event::Map(_) | Event::List(_) => self.outer.push(self.folded.len()),
            Event::Key(key) => {
                self.leave_member();
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
    use crate::record::Limits;

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
            for record in [Record::json(&text), Record::msgpack(&packed)] {
                let mut editor = Editor::new(&redactor, Some(Scope::Fields));
                record.read(Limits::NONE, &mut editor);
                if editor.changed > 0 {
                    changed += 1;
                    if !redactor.may_apply(record) {
                        missed.push(text.clone());
                    }
                }
            }
        }
        assert!(changed > 10_000, "{changed}");
        assert!(missed.is_empty(), "{missed:?}");
    }
}
