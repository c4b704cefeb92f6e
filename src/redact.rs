//! Redaction: overwrites values in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`, and applies to
//! everything that the field contains. In a record that is not a finding, and in text that contains an object, every
//! rule applies to everything, keys included, since the location of secrets is not known.
//!
//! A pattern is searched in a text and in the text with its escape sequences of JSON and of URIs resolved, up to six
//! times. If it only occurs in a resolved text, the whole text is overwritten. A list of bytes is read as the text that
//! the bytes encode.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::ops::ControlFlow;

use memchr::memmem::Finder;
use memchr::{memchr_iter, memchr2, memchr3};

use crate::config::Redaction;
use crate::finding::Field;
use crate::pattern::{BuildError, PatternFinder, PatternSource};
use crate::record::{Edit, Encoding, Event, OWN_KEY, Record, Value, first_byte_list, is_own_key, unescape};

/// The compiled rules.
pub(crate) struct Redactor {
    rules: Vec<Rule>,
}

struct Rule {
    /// The field's path, folded (see [`fold_key`]).
    path: String,
    /// One bit for each known field that the path covers.
    fields: u32,
    /// The path's last segment, which occurs in the body's bytes in every spelling.
    last_segment: Finder<'static>,
    pattern: PatternFinder,
    replacement: String,
}

impl Redactor {
    /// Compiles the rules.
    pub fn new(rules: &[Redaction], source: &mut impl PatternSource) -> Result<Self, BuildError> {
        let rules = rules.iter().map(|rule| {
            let mut path = String::new();
            fold_key(&rule.field, &mut path);
            let last_segment = path.rsplit('_').next().unwrap_or_default();
            let mut rule = Rule {
                last_segment: Finder::new(last_segment).into_owned(),
                fields: 0,
                pattern: source.find(&rule.pattern)?,
                replacement: rule.replacement.clone(),
                path,
            };
            let named = Field::ALL.iter().filter(|field| rule.covers(&field.name().replace('-', "_")));
            rule.fields = named.fold(0, |fields, field| fields | bit(*field));
            Ok::<_, BuildError>(rule)
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Returns whether a finding's body may contain a value to overwrite.
    /// It may if a rule's pattern occurs in a value whose key contains the last segment of the rule's path, or if there
    /// is text that may contain an object. Most bodies contain no secret. `plain`: no string contains a quote or a
    /// backslash.
    pub fn may_apply(&self, record: Record<'_>, plain: bool) -> bool {
        contains_object_text(record, plain) || self.rules.iter().any(|rule| rule.may_apply(record))
    }

    /// Returns whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns itself if there are rules.
    pub fn rules(&self) -> Option<&Self> {
        (!self.is_empty()).then_some(self)
    }

    /// Returns whether a rule covers a known field or a field that contains it.
    /// Example: `resource` covers `resource-type`.
    pub fn covers(&self, field: Field) -> bool {
        self.rules.iter().any(|rule| rule.fields & bit(field) != 0)
    }

    /// Returns whether a rule applies to a known field with this text.
    /// It does if it covers the field, or if the text contains an object.
    pub fn applies(&self, field: Field, text: &str) -> bool {
        self.covers(field) || (!self.is_empty() && contains_object(text))
    }

    /// Returns a text redacted by every rule; `None`: it does not change.
    pub fn redact_all(&self, text: &str) -> Option<String> {
        self.overwritten(text, |_| true, &mut SearchBudget::default())
    }

    /// Redacts a text by every rule, in place.
    pub fn redact_all_in(&self, text: &mut String) {
        if let Some(new) = self.redact_all(text) {
            *text = new;
        }
    }

    /// Redacts the text of one known field, in place.
    pub fn redact_field(&self, field: Field, text: &mut String) {
        let all_rules = contains_object(text);
        let applies = |rule: &Rule| all_rules || rule.fields & bit(field) != 0;
        if let Some(new) = self.overwritten(text, applies, &mut SearchBudget::default()) {
            *text = new;
        }
    }

    /// Returns the text redacted by the rules that apply; `None`: no change.
    fn overwritten(
        &self,
        text: &str,
        applies: impl Fn(&Rule) -> bool,
        budget: &mut SearchBudget,
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

/// Returns the bit of a known field in a rule.
fn bit(field: Field) -> u32 {
    const _: () = assert!(Field::ALL.len() <= 32, "a bit for each");
    1_u32.wrapping_shl(field as u32)
}

/// The work that is left for one record, in bytes searched again or written.
///
/// To find all matches takes a search for each, and a pattern such as `a.*z
/// a` makes each search read all of the text after the previous match: 320 kB of `a` took 5.8 s. The first search of a
/// text is free. The budget for further searches is 64 KiB for a record and 32 bytes for each byte of its texts, so
/// that the work for a record is linear in its size. When the budget is exhausted, texts with a match are overwritten
/// completely, which hides more than the match, never less.
///
/// Decision: a search is charged with all bytes that it may read, not with those that it has read, since not every
/// host's automaton reports them, and all hosts have to overwrite the same values. A text of 2 kB may have 125 matches,
/// one of 20 kB 70, if they are spread evenly.
struct SearchBudget {
    left: usize,
}

impl Default for SearchBudget {
    fn default() -> Self {
        Self { left: 64 << 10 }
    }
}

impl SearchBudget {
    fn grow(&mut self, bytes: usize) {
        self.left = self.left.saturating_add(bytes.saturating_mul(32));
    }

    /// Charges the bytes if that many are left.
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

/// The values that rules apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The fields that the rules name.
    Fields,
    /// All values and keys.
    Everything,
}

/// Redacts the values of a body while it is read.
pub(crate) struct Editor<'r> {
    redactor: &'r Redactor,
    /// `None`: nothing is redacted.
    scope: Option<Scope>,
    path: FieldPath,
    budget: SearchBudget,
    /// The number of values and keys that have changed.
    pub changed: u64,
}

impl<'r> Editor<'r> {
    pub fn new(redactor: &'r Redactor, scope: Option<Scope>) -> Self {
        Self { redactor, scope, path: FieldPath::default(), budget: SearchBudget::default(), changed: 0 }
    }

    /// Resets the state before a body is read from its start.
    pub fn start(&mut self) {
        *self = Self::new(self.redactor, self.scope);
    }

    fn overwrite(&mut self, text: &str, scope: Scope) -> Option<String> {
        let Self { redactor, path, budget, .. } = self;
        // The meaning of metadata that another filter added is not known.
        let all_rules =
            scope == Scope::Everything || is_within(&path.folded, OWN_KEY) || contains_object(text);
        redactor.overwritten(text, |rule| all_rules || rule.covers(&path.folded), budget)
    }
}

impl Edit for Editor<'_> {
    fn edit(&mut self, event: &mut Event<'_>) {
        let Some(scope) = self.scope else { return };
        let new = match event {
            Event::Str(text) => self.overwrite(text, scope),
            Event::Number(number) => self.overwrite(&number.to_string(), scope),
            // A key belongs to the field that contains it. The filter's own key is no secret, and has to be found
            // again.
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
                // Two keys that become equal stay distinct.
                Event::Key(_) => Event::Key(Cow::Owned(format!("{new}#{}", self.changed))),
                _ => Event::Str(Cow::Owned(new)),
            };
        }
        if scope == Scope::Fields {
            self.path.advance(event);
        }
    }

    fn edit_bytes(&mut self, bytes: &[u8]) -> Option<String> {
        let new = self.overwrite(&String::from_utf8_lossy(bytes), self.scope?)?;
        self.changed = self.changed.saturating_add(1);
        Some(new)
    }
}

/// Returns whether a text may contain an object, as JSON or in a log line.
fn contains_object(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr_iter(b'{', bytes).any(|at| matches!(after_space(bytes, at), Some(b'"' | b'\\')))
}

/// Returns whether a string or a list of bytes in a body may contain an object.
/// The body's bytes are searched and not parsed. `plain`: no string contains a quote or a backslash.
fn contains_object_text(record: Record<'_>, plain: bool) -> bool {
    let bytes = record.bytes();
    match record.encoding() {
        // Within a string, quotes are escaped, and the brace may be as well.
        Encoding::Json => {
            memchr_iter(b'[', bytes).any(|at| contains_brace(bytes, at))
                || (!plain
                    && (memchr_iter(b'{', bytes).any(|at| after_space(bytes, at) == Some(b'\\'))
                        || memchr_iter(b'\\', bytes)
                            .any(|at| bytes.get(at..).is_some_and(|rest| rest.starts_with(br"\u00")))))
        }
        // In a list of bytes, the quote may be a number with a type marker, and the brace a float.
        #[cfg(feature = "msgpack")]
        Encoding::MsgPack => memchr::memchr3_iter(b'{', 0xca, 0xcb, bytes).any(|at| match bytes.get(at..) {
            Some([b'{', ..]) => matches!(after_space(bytes, at), Some(b'"' | b'\\' | 0xca..=0xd3)),
            Some([0xca, 0x42, 0xf6 | 0xf7, ..] | [0xcb, 0x40, 0x5e, ..]) => true,
            _ => false,
        }),
    }
}

/// Returns whether the list at a JSON offset is one of bytes with a brace.
fn contains_brace(json: &[u8], at: usize) -> bool {
    matches!(after_space(json, at), Some(b'-' | b'0'..=b'9'))
        && first_byte_list(json.get(at..).unwrap_or_default()).is_some_and(|(bytes, _)| bytes.contains(&b'{'))
}

/// Returns the next byte after an offset that is not white space.
fn after_space(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.saturating_add(1)..)?.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

impl Rule {
    fn may_apply(&self, record: Record<'_>) -> bool {
        let bytes = record.bytes();
        let length = self.last_segment.needle().len();
        // A budget: a body with too many candidates is read completely. Within a text, a segment can look like a
        // MessagePack key.
        let mut left = bytes.len();
        let mut from = 0_usize;
        while let Some(at) = bytes.get(from..).and_then(|rest| self.last_segment.find(rest)) {
            let start = from.saturating_add(at);
            let mut end = start.saturating_add(length);
            // After a key's last segment there may be indices and segments of fields below it: `extra_inner` is in
            // `extra`.
            let mut below = false;
            loop {
                let Some(less) = self.check_value(record.value_after_key(end), left) else { return true };
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

    /// Checks a value; returns the rest of the budget if the pattern is absent.
    /// `None`: the pattern occurs, or the value has to be read.
    fn check_value(&self, value: Value<'_>, left: usize) -> Option<usize> {
        /// The minimum cost of a value.
        const MIN_COST: usize = 8;
        let text = match value {
            Value::Absent | Value::Null | Value::Bool(_) => return left.checked_sub(1),
            Value::Number(value) => Cow::Owned(value.to_string()),
            value => Cow::from(value.text()?),
        };
        let left = left.checked_sub(text.len().saturating_add(MIN_COST))?;
        (!self.occurs(&text)).then_some(left)
    }

    /// Returns whether the pattern occurs in a text or in its unescaped forms.
    fn occurs(&self, text: &str) -> bool {
        self.pattern.occurs(text) || self.occurs_unescaped(text)
    }

    /// Returns whether the pattern occurs in the unescaped forms of a text.
    fn occurs_unescaped(&self, text: &str) -> bool {
        /// The maximum number of nested escapes that are resolved.
        /// Six are JSON in JSON in JSON in a line that is not read as JSON, in an escaped copy of it, with a URI.
        const MAX_DEPTH: usize = 6;
        let mut text = Cow::Borrowed(text);
        for _ in 0..MAX_DEPTH {
            let Some(resolved) = resolve_escapes(&text) else { return false };
            if self.pattern.occurs(&resolved) {
                return true;
            }
            text = Cow::Owned(resolved);
        }
        false
    }

    fn covers(&self, path: &str) -> bool {
        let covers = |path| is_within(path, &self.path);
        covers(path) || path.strip_prefix("context_").is_some_and(covers)
    }

    /// Returns the text with every match overwritten; `None`: no change.
    /// The whole text is overwritten if a match only occurs in an unescaped form, or if the budget is exhausted (see
    /// [`SearchBudget`]).
    fn replace(&self, text: &str, budget: &mut SearchBudget) -> Option<String> {
        let mut new = String::new();
        let mut end = 0;
        let mut unescaped_match = false;
        let all = self.pattern.each(text, |found| {
            let before = text.get(end..found.start).unwrap_or_default();
            unescaped_match |= self.occurs_unescaped(before);
            new.push_str(before);
            new.push_str(&self.replacement);
            end = found.end;
            budget.spend(text.len().saturating_sub(end).saturating_add(self.replacement.len()))
        });
        let rest = text.get(end..).unwrap_or_default();
        if all.is_break() || unescaped_match || self.occurs_unescaped(rest) {
            return (text != self.replacement).then(|| self.replacement.clone());
        }
        if new.is_empty() && end == 0 {
            return None;
        }
        new.push_str(rest);
        (new != text).then_some(new)
    }
}

/// Returns whether a folded path equals another or is below it.
fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// Returns the length of the next character if it may belong to a key, else 0.
/// In JSON that is any byte but the closing quote, since a key with escape sequences causes the body to be read anyway.
/// In MessagePack it is any character, as opposed to the type marker of a value.
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

/// Resolves escape sequences and byte lists of a text; `None` if it has none.
/// The escape sequences are the ones of JSON and of URIs.
fn resolve_escapes(text: &str) -> Option<String> {
    memchr3(b'\\', b'%', b'[', text.as_bytes())?;
    let mut resolved = String::new();
    unescape(text, &mut resolved);
    if memchr2(b'%', b'[', resolved.as_bytes()).is_some() {
        resolved = resolve_percent_and_lists(resolved.as_bytes());
    }
    (resolved != text).then_some(resolved)
}

/// Resolves the escape sequences of URIs and the lists of bytes in a text.
fn resolve_percent_and_lists(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'%' if let Some((code, after)) = percent_code(after) => {
                bytes.push(code);
                after
            }
            b'[' if let Some((list, after)) = first_byte_list(rest) => {
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

/// Parses two hexadecimal digits; returns the byte and the rest of the text.
fn percent_code(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_first_chunk::<2>()?;
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    Some((u8::try_from(high?.checked_mul(16)?.checked_add(low?)?).ok()?, after))
}

/// Appends a key with `_` as separator and without list indices.
/// `reasons_0_doc` and `reasons.doc` are then equal.
fn fold_key(key: &str, path: &mut String) {
    for segment in key.split(['-', '_', '.']) {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        if !path.is_empty() {
            path.push('_');
        }
        path.push_str(segment);
    }
}

/// The folded path of the next value.
#[derive(Default)]
struct FieldPath {
    folded: String,
    /// The path's length at the start of each open container.
    outer: Vec<usize>,
}

impl FieldPath {
    /// Resets the path to the map that contains the next member.
    fn leave_member(&mut self) {
        self.folded.truncate(self.outer.last().copied().unwrap_or(0));
    }

    fn advance(&mut self, event: &Event<'_>) {
        match event {
            Event::Map(_) | Event::List(_) => self.outer.push(self.folded.len()),
            Event::Key(key) => {
                self.leave_member();
                fold_key(key, &mut self.folded);
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
    use crate::pattern::{PatternCompiler, work};
    use crate::record::{Document, Limits};

    const KEYS: [&str; 5] = ["word", "path_word", "path-1", "word.é_x", "0"];

    /// Returns every map and list of two values, the first one of `values`.
    /// The second one is a string.
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
    fn may_apply_misses_nothing_that_is_overwritten() {
        let rules = [("word", "se"), ("path.word", "7|cr"), ("path", "et")];
        let rules = rules.map(|(field, pattern)| Redaction {
            field: field.to_owned(),
            pattern: pattern.to_owned(),
            replacement: "***".to_owned(),
        });
        let redactor = Redactor::new(&rules, &mut PatternCompiler).unwrap();
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
    fn may_apply_detects_an_object_in_a_list_of_bytes() {
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
        Redactor::new(&rules, &mut PatternCompiler).unwrap()
    }

    /// Returns records of about `size` bytes whose texts repeat `text`.
    /// They have all forms in which texts are found.
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

    /// Returns a record with its values redacted, and their number.
    fn edited<'j>(redactor: &Redactor, json: &'j str, scope: Scope) -> (Document<'j>, u64) {
        let mut editor = Editor::new(redactor, Some(scope));
        let (document, _) = Record::json(json).read(Limits::NONE, &mut editor);
        (document, editor.changed)
    }

    #[test]
    fn the_work_for_a_record_is_linear_in_its_size() {
        // Patterns whose search reads to the end of the text, for each of as many matches as the text has bytes.
        let sets: [&[(&str, &str, &str)]; 5] = [
            &[("doc", "a.*z|a", "***")],
            &[("doc", "a(?s:.*)z|a", "***"), ("doc", "b.*z|[b*]", "***")],
            // Each rule's replacement matches the next rule's pattern.
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
                                redactor.redact_all_in(&mut json.clone());
                                0
                            },
                        ];
                        for apply in apply {
                            work::take();
                            apply();
                            let work = work::take();
                            // Each rule reads each text once, including the replacements of earlier rules; then the
                            // budget applies.
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
    fn no_match_remains_when_the_budget_is_exhausted() {
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
    fn a_text_with_few_matches_keeps_its_other_bytes() {
        let redactor = redactor(&[("doc", r"password=\S+", "password=***")]);
        for (length, count) in [(10, 1), (100, 50), (2_000, 100), (20_000, 60), (1_000_000, 60)] {
            let apart = "x".repeat(length / count);
            let text = format!("{apart} password=1234 ").repeat(count);
            let mut new = text.clone();
            redactor.redact_all_in(&mut new);
            assert_eq!(new, text.replace("1234", "***"), "{length}, {count}");
        }
        // More matches than the budget allows.
        let mut text = format!("{} password=1234 ", "x".repeat(5_000)).repeat(400);
        redactor.redact_all_in(&mut text);
        assert_eq!(text, "password=***");
    }
}
