//! Overwrites values that must not be sent, in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`; it applies to all
//! that the field contains. In a record that is not a finding, and in text that contains an object, every rule applies to
//! everything, keys included, since it is not known where secrets are.
//!
//! A pattern is searched in a text and in what the text spells by escape sequences of JSON or of URIs, up to six times
//! over: a text in which it is found only so is overwritten whole. A list of bytes is the text that it spells.

use core::ops::ControlFlow;
use std::borrow::Cow;

use memchr::memmem::Finder;
use memchr::{memchr_iter, memchr2, memchr3};

use crate::config::Redaction;
use crate::finding::Field;
use crate::pattern::{BuildError, Find, Source};
use crate::record::{Edit, Encoding, Event, OWN_KEY, Record, Value, first_bytes, is_own_key, unescape};

/// The compiled rules.
pub(crate) struct Redactor {
    rules: Vec<Rule>,
}

struct Rule {
    /// The field's path, folded (see [`fold`]).
    path: String,
    /// A bit for each known field that it names.
    fields: u32,
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
            let mut rule = Rule {
                word: Finder::new(word).into_owned(),
                fields: 0,
                pattern: source.find(&rule.pattern)?,
                replacement: rule.replacement.clone(),
                path,
            };
            let named = Field::ALL.iter().filter(|field| rule.names(&field.name().replace('-', "_")));
            rule.fields = named.fold(0, |fields, field| fields | bit(*field));
            Ok::<_, BuildError>(rule)
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether there may be something to overwrite in a finding's body: a rule's pattern occurs in a value whose key contains
    /// the last word of the rule's path, or there is text that may contain an object. Most bodies contain no secret.
    /// `plain`: no string contains a quote or a backslash.
    pub fn may_apply(&self, record: Record<'_>, plain: bool) -> bool {
        contains_object_text(record, plain) || self.rules.iter().any(|rule| rule.may_apply(record))
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Itself, if there are rules.
    pub fn rules(&self) -> Option<&Self> {
        (!self.is_empty()).then_some(self)
    }

    /// Whether a rule names a known field or what is around it: `resource` names `resource-type`.
    pub fn names(&self, field: Field) -> bool {
        self.rules.iter().any(|rule| rule.fields & bit(field) != 0)
    }

    /// Whether a rule applies to a known field with this text: one names the field, or the text contains an object.
    pub fn applies(&self, field: Field, text: &str) -> bool {
        self.names(field) || (!self.is_empty() && contains_object(text))
    }

    /// Overwrites in a text that may be any field's: every rule. `None`: it does not change.
    pub fn everything(&self, text: &str) -> Option<String> {
        self.overwritten(text, |_| true, &mut Budget::default())
    }

    /// As [`Self::everything`], in place.
    pub fn everything_in(&self, text: &mut String) {
        if let Some(new) = self.everything(text) {
            *text = new;
        }
    }

    /// Overwrites in the text of one known field.
    pub fn field(&self, field: Field, text: &mut String) {
        let everywhere = contains_object(text);
        let applies = |rule: &Rule| everywhere || rule.fields & bit(field) != 0;
        if let Some(new) = self.overwritten(text, applies, &mut Budget::default()) {
            *text = new;
        }
    }

    /// Returns the text with every match of the rules that apply overwritten; `None` if it does not change.
    fn overwritten(
        &self,
        text: &str,
        applies: impl Fn(&Rule) -> bool,
        budget: &mut Budget,
    ) -> Option<String> {
        budget.grow(text.len());
        let mut new = Cow::Borrowed(text);
        for rule in self.rules.iter().filter(|rule| applies(rule)) {
            if let Some(replaced) = rule.replace(&new, budget) {
                new = Cow::Owned(replaced);
            }
        }
        match new {
            Cow::Owned(new) => Some(new),
            Cow::Borrowed(_) => None,
        }
    }
}

/// The bit of a known field in a rule.
fn bit(field: Field) -> u32 {
    const _: () = assert!(Field::ALL.len() <= 32, "a bit for each");
    1_u32.wrapping_shl(field as u32)
}

/// The work that is left for one record: bytes that are searched again after a match, or written in its place.
///
/// To find all matches takes a search for each, and a pattern such as `a.*z|a` makes each search read all of the text
/// after the match before: 320 kB of `a` took 5.8 s. The first search of a text is free. The budget for further ones is
/// 64 KiB for a record and 32 bytes for each byte of its texts, so that the work for a record is linear in its size.
/// Texts with a match for which nothing is left are overwritten whole, which shows less than was asked for, never more.
///
/// Decision: a search is charged with all that it may read, not with the bytes that it has read, since not every host's
/// automaton can say so, and all hosts have to overwrite the same. A text of 2 kB may have 125 matches, one of 20 kB 70, if they are
/// spread evenly.
struct Budget {
    left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: 64 << 10 }
    }
}

impl Budget {
    fn grow(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes.saturating_mul(32));
    }

    /// Takes the bytes, if that many are left.
    fn spend(&mut self, bytes: usize) -> ControlFlow<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
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
    budget: Budget,
    /// How many values and keys have changed.
    pub changed: u64,
}

impl<'r> Editor<'r> {
    pub fn new(redactor: &'r Redactor, scope: Option<Scope>) -> Self {
        Self { redactor, scope, path: Path::default(), budget: Budget::default(), changed: 0 }
    }

    /// Prepares for reading a body from its start, perhaps once more.
    pub fn start(&mut self) {
        *self = Self::new(self.redactor, self.scope);
    }

    fn overwrite(&mut self, text: &str, scope: Scope) -> Option<String> {
        let Self { redactor, path, budget, .. } = self;
        // The meaning of what another filter added is not known.
        let everywhere =
            scope == Scope::Everything || is_within(&path.folded, OWN_KEY) || contains_object(text);
        redactor.overwritten(text, |rule| everywhere || rule.names(&path.folded), budget)
    }
}

impl Edit for Editor<'_> {
    fn edit(&mut self, event: &mut Event<'_>) {
        let Some(scope) = self.scope else { return };
        let new = match event {
            Event::Str(text) => self.overwrite(text, scope),
            Event::Number(number) => self.overwrite(&number.to_string(), scope),
            // A key is in the field that is around it. The filter's own is no secret, and has to be found again.
            Event::Key(key) if is_own_key(key) => None,
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

    fn edit_bytes(&mut self, bytes: &[u8]) -> Option<String> {
        let new = self.overwrite(&String::from_utf8_lossy(bytes), self.scope?)?;
        self.changed = self.changed.saturating_add(1);
        Some(new)
    }
}

/// Whether a text may contain an object: JSON within a string, or a log line with some.
fn contains_object(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr_iter(b'{', bytes).any(|at| matches!(after_space(bytes, at), Some(b'"' | b'\\')))
}

/// Whether a string or a list of bytes in a body may contain an object, as far as a search of the body's bytes shows.
/// `plain`: no string does.
fn contains_object_text(record: Record<'_>, plain: bool) -> bool {
    let bytes = record.bytes();
    match record.encoding() {
        // Within a string its quotes are escaped; the brace may be, too.
        Encoding::Json => {
            memchr_iter(b'[', bytes).any(|at| spells_brace(bytes, at))
                || (!plain
                    && (memchr_iter(b'{', bytes).any(|at| after_space(bytes, at) == Some(b'\\'))
                        || memchr_iter(b'\\', bytes)
                            .any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(br"\u00")))))
        }
        // In a list of bytes the quote may be a number that has a head, and the brace a float.
        #[cfg(feature = "msgpack")]
        Encoding::MsgPack => memchr::memchr3_iter(b'{', 0xca, 0xcb, bytes).any(|at| match bytes.get(at..) {
            Some([b'{', ..]) => matches!(after_space(bytes, at), Some(b'"' | b'\\' | 0xca..=0xd3)),
            Some([0xca, 0x42, 0xf6 | 0xf7, ..] | [0xcb, 0x40, 0x5e, ..]) => true,
            _ => false,
        }),
    }
}

/// Whether the list at an offset of JSON is one of bytes that spell a brace.
fn spells_brace(json: &[u8], at: usize) -> bool {
    matches!(after_space(json, at), Some(b'-' | b'0'..=b'9'))
        && first_bytes(json.get(at..).unwrap_or_default()).is_some_and(|(bytes, _)| bytes.contains(&b'{'))
}

/// The byte after the one at an offset, white space left out.
fn after_space(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.saturating_add(1)..)?.iter().copied().find(|byte| !byte.is_ascii_whitespace())
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
            // After a key's last word there may be indices, and the words of fields below it: `extra_inner` is in `extra`.
            let mut below = false;
            loop {
                let Some(less) = self.spares(record.value_after_key(end), left) else { return true };
                left = less;
                let rest = bytes.get(end..).unwrap_or_default();
                below |= matches!(rest, [b'-' | b'_' | b'.', ..]);
                let length = match rest {
                    [b'-' | b'_' | b'.' | b'0'..=b'9', ..] => 1,
                    _ if below => length_in_key(rest, record.encoding()),
                    _ => 0,
                };
                if length == 0 {
                    break;
                }
                end = end.saturating_add(length);
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
        /// How often a text is resolved: JSON in JSON in JSON in a line that is not read as JSON, in an escaped copy of it,
        /// with a URI.
        const TIMES: usize = 6;
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
        let names = |path| is_within(path, &self.path);
        names(path) || path.strip_prefix("context_").is_some_and(names)
    }

    /// Returns the text with every match overwritten; `None` if it does not change. A text is overwritten whole where a
    /// match is only spelled by escape sequences, or where nothing is left of the budget (see [`Budget`]).
    fn replace(&self, text: &str, budget: &mut Budget) -> Option<String> {
        let mut new = String::new();
        let mut end = 0;
        let mut spelled = false;
        let all = self.pattern.each(text, |found| {
            let before = text.get(end..found.start).unwrap_or_default();
            spelled |= self.is_spelled(before);
            new.push_str(before);
            new.push_str(&self.replacement);
            end = found.end;
            budget.spend(text.len().saturating_sub(end).saturating_add(self.replacement.len()))
        });
        let rest = text.get(end..).unwrap_or_default();
        if all.is_break() || spelled || self.is_spelled(rest) {
            return (text != self.replacement).then(|| self.replacement.clone());
        }
        if new.is_empty() && end == 0 {
            return None;
        }
        new.push_str(rest);
        (new != text).then_some(new)
    }
}

/// Whether a folded path is another or in it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// The length of the next character, if it may belong to a key: in JSON anything but the closing quote, since a key with
/// escape sequences has its body read anyway; in MessagePack anything but the head of a value that is no character.
fn length_in_key(rest: &[u8], encoding: Encoding) -> usize {
    match encoding {
        Encoding::Json => usize::from(!matches!(rest, [] | [b'"', ..])),
        #[cfg(feature = "msgpack")]
        Encoding::MsgPack => {
            let character = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
            character.map_or(0, char::len_utf8)
        }
    }
}

/// A text with its escape sequences of JSON and of URIs and its lists of bytes resolved; `None` if it has none.
fn resolve(text: &str) -> Option<String> {
    memchr3(b'\\', b'%', b'[', text.as_bytes())?;
    let mut resolved = String::new();
    unescape(text, &mut resolved);
    if memchr2(b'%', b'[', resolved.as_bytes()).is_some() {
        resolved = decoded(resolved.as_bytes());
    }
    (resolved != text).then_some(resolved)
}

/// Resolves the escape sequences of URIs and the lists of bytes in a text.
fn decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' if let Some((code, after)) = percent_code(after) => {
                bytes.push(code);
                after
            }
            b'[' if let Some((list, after)) = first_bytes(rest) => {
                bytes.extend(list);
                after
            }
            _ => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two hexadecimal digits spell, and what follows them.
fn percent_code(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    Some((u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()?, after))
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
    use crate::pattern::{Compile, work};
    use crate::record::{Document, Limits};

    const KEYS: [&str; 5] = ["word", "path_word", "path-1", "word.é_x", "0"];

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
        let values = ["\"secret\"", "\"s\\u0065c\"", "7", "[115,101]"].map(str::to_owned);
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
                    if !redactor.may_apply(record, record.check().is_ok_and(|scan| scan.is_plain())) {
                        missed.push(text.clone());
                    }
                }
            }
        }
        assert!(changed > 10_000, "{changed}");
        assert!(missed.is_empty(), "{missed:?}");
    }

    #[test]
    fn the_look_sees_an_object_in_a_list_of_bytes() {
        let redactor = redactor(&[("none", "secret", "***")]);
        for text in [r#"{"a":"secret"}"#, "x \u{e9} { \"a\":\"secret", r#"{\"a\":\"secret"#] {
            let json = |after: &str| {
                let numbers: Vec<_> = text.bytes().map(|byte| format!("{byte}{after}")).collect();
                format!(r#"{{"b":[{}]}}"#, numbers.join(" , "))
            };
            let packed = |each: &dyn Fn(u8) -> Vec<u8>| {
                let head = [b"\x81\xa1b\xdc\0", &[u8::try_from(text.len()).unwrap()][..]].concat();
                text.bytes().fold(head, |packed, byte| [packed, each(byte)].concat())
            };
            let with = |head: u8, number: &[u8]| [&[head], number].concat();
            let packed = [
                packed(&|byte| if byte < 128 { vec![byte] } else { vec![0xcc, byte] }),
                packed(&|byte| vec![0xcc, byte]),
                packed(&|byte| with(0xd1, &i16::from(byte).to_be_bytes())),
                packed(&|byte| with(0xd3, &i64::from(byte).to_be_bytes())),
                packed(&|byte| with(0xca, &f32::from(byte).to_be_bytes())),
                packed(&|byte| with(0xcb, &f64::from(byte).to_be_bytes())),
            ];
            let json = [json(""), json(".0")];
            let records = json.iter().map(Record::json);
            for record in records.chain(packed.iter().map(|packed| Record::msgpack(packed))) {
                let mut editor = Editor::new(&redactor, Some(Scope::Fields));
                record.read(Limits::NONE, &mut editor);
                assert_eq!(editor.changed, 1, "{record:?}");
                assert!(redactor.may_apply(record, record.check().unwrap().is_plain()), "{record:?}");
            }
        }
    }

    fn redactor(rules: &[(&str, &str, &str)]) -> Redactor {
        let rules: Vec<_> = rules
            .iter()
            .map(|(field, pattern, replacement)| Redaction {
                field: (*field).to_owned(),
                pattern: (*pattern).to_owned(),
                replacement: (*replacement).to_owned(),
            })
            .collect();
        Redactor::new(&rules, &mut Compile).unwrap()
    }

    /// Records of about `size` bytes whose texts are made of `text`, in all forms that texts are found in.
    fn records_of(text: &str, size: usize) -> Vec<serde_json::Value> {
        let texts = |each: usize| {
            let text = text.repeat((each / text.len()).max(1));
            vec![serde_json::Value::from(text); size / each]
        };
        let mut records: Vec<_> = [2, 20, 200, 2_000, size]
            .into_iter()
            .filter(|each| *each <= size)
            .map(|each| serde_json::json!({ "doc": texts(each) }))
            .collect();
        let members = texts(100).into_iter().enumerate().map(|(at, text)| (format!("doc_{at}"), text));
        records.push(serde_json::Value::Object(members.collect()));
        let nested = texts(300).into_iter().map(|text| serde_json::json!({ "1": [{ "0": text }, {}] }));
        records.push(serde_json::json!({ "doc": nested.collect::<Vec<_>>() }));
        records
    }

    /// A record with its values overwritten, and how many were.
    fn edited<'j>(redactor: &Redactor, json: &'j str, scope: Scope) -> (Document<'j>, u64) {
        let mut editor = Editor::new(redactor, Some(scope));
        let (document, _) = Record::json(json).read(Limits::NONE, &mut editor);
        (document, editor.changed)
    }

    #[test]
    fn the_work_for_a_record_is_linear_in_its_size() {
        // Patterns whose search reads on to the end of the text, for each of as many matches as the text has bytes.
        let sets: [&[(&str, &str, &str)]; 5] = [
            &[("doc", "a.*z|a", "***")],
            &[("doc", "a(?s:.*)z|a", "***"), ("doc", "b.*z|[b*]", "***")],
            // Each rule's replacement is what the next one finds.
            &[("doc", "a.*z|a", "bbbbbbbb"), ("doc", "b.*z|b", "cccccccc"), ("doc", "c.*z|c", "dddddddd")],
            &[("doc", "(a.*z)?", "")],
            &[("doc", "é.*z|é", ""), ("doc", "a.*z|a", "")],
        ];
        for rules in sets {
            let redactor = redactor(rules);
            for size in [100, 1_000, 10_000] {
                for text in ["a", "é", "ab"] {
                    for record in records_of(text, size) {
                        let json = record.to_string();
                        let apply: [&dyn Fn() -> u64; 4] = [
                            &|| u64::from(redactor.may_apply(Record::json(&json), false)),
                            &|| edited(&redactor, &json, Scope::Fields).1,
                            &|| edited(&redactor, &json, Scope::Everything).1,
                            &|| {
                                redactor.everything_in(&mut json.clone());
                                0
                            },
                        ];
                        for apply in apply {
                            work::take();
                            apply();
                            let work = work::take();
                            // Each rule reads each text once, with what those before it wrote; then there is the budget.
                            let bound =
                                rules.len() * (33 * json.len() + (64 << 10)) + 32 * json.len() + (64 << 10);
                            assert!(work <= bound, "{work} > {bound}: {rules:?}, {size} of {text:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_that_matches_is_left_where_the_budget_ends() {
        let redactor = redactor(&[("doc", "a.*z|a", "*"), ("doc", "secret", "#")]);
        for size in [100, 1_000, 10_000] {
            for text in ["a", "ab", "secreta", "secret, "] {
                for record in records_of(text, size) {
                    let json = record.to_string();
                    for scope in [Scope::Fields, Scope::Everything] {
                        let (document, changed) = edited(&redactor, &json, scope);
                        let mut texts = 0;
                        for event in &document.events {
                            if let Event::Str(text) = event {
                                texts += 1;
                                assert!(!text.contains('a') && !text.contains("secret"), "{text:.40}");
                            }
                        }
                        assert_eq!(changed, texts, "{size} of {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_text_with_few_matches_keeps_the_rest() {
        let redactor = redactor(&[("doc", r"password=\S+", "password=***")]);
        for (length, count) in [(10, 1), (100, 50), (2_000, 100), (20_000, 60), (1_000_000, 60)] {
            let apart = "x".repeat(length / count);
            let text = format!("{apart} password=1234 ").repeat(count);
            let mut new = text.clone();
            redactor.everything_in(&mut new);
            assert_eq!(new, text.replace("1234", "***"), "{length}, {count}");
        }
        // One more than there is work for.
        let mut text = format!("{} password=1234 ", "x".repeat(5_000)).repeat(400);
        redactor.everything_in(&mut text);
        assert_eq!(text, "password=***");
    }
}
