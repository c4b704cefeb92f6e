//! Overwrites what must not leave, in a body and in every text taken from it.
//!
//! A rule names a field in either spelling, nested or flattened, also within a detection's `context`. In a record that
//! is not a finding every rule applies to every string, since nobody knows where its secrets stand. Values are overwritten,
//! keys are not; and a text is read as it is: what it spells in escapes of its own (JSON within a string that is no finding,
//! a line that is broken JSON) is not found.

use core::ops::ControlFlow;
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
        let mut budget = Budget::default();
        let mut changed = 0_u64;
        for event in &mut tape.events {
            path.step(event);
            let names = |rule: &Rule| rule.names(&path.folded);
            changed = changed.saturating_add(self.value(event, names, &mut budget));
        }
        changed
    }

    /// Overwrites in a record that is not a finding: every rule, every string.
    pub fn everything(&self, tape: &mut Tape<'_>) -> u64 {
        let mut budget = Budget::default();
        let mut changed = 0_u64;
        for event in &mut tape.events {
            changed = changed.saturating_add(self.value(event, |_| true, &mut budget));
        }
        changed
    }

    fn value(&self, event: &mut Event<'_>, applies: impl Fn(&Rule) -> bool, budget: &mut Budget) -> u64 {
        if !self.rules.iter().any(&applies) {
            return 0;
        }
        let text = match event {
            Event::Str(text) => text.to_string(),
            Event::Number(number) => number.to_string(),
            _ => return 0,
        };
        let Some(new) = self.overwritten(&text, applies, budget) else { return 0 };
        *event = Event::Str(Cow::Owned(new));
        1
    }

    /// Whether a rule is about a known field.
    pub fn names(&self, field: Field) -> bool {
        self.rules.iter().any(|rule| rule.field == Some(field))
    }

    /// Overwrites in a text that may be any field's: every rule.
    pub fn everything_in(&self, text: &mut String) {
        if let Some(new) = self.overwritten(text, |_| true, &mut Budget::default()) {
            *text = new;
        }
    }

    /// Overwrites in the text of one known field.
    pub fn field(&self, field: Field, text: &mut String) {
        if let Some(new) = self.overwritten(text, |rule| rule.field == Some(field), &mut Budget::default()) {
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

    /// Returns the text with every match overwritten, or overwritten whole (see [`Budget`]); `None` if it does not change.
    fn replace(&self, text: &str, budget: &mut Budget) -> Option<String> {
        let mut new = String::new();
        let mut end = 0;
        let all = self.pattern.each(text, |found| {
            new.push_str(text.get(end..found.start).unwrap_or_default());
            new.push_str(&self.replacement);
            end = found.end;
            budget.spend(text.len().saturating_sub(end).saturating_add(self.replacement.len()))
        });
        if all.is_break() {
            return (text != self.replacement).then(|| self.replacement.clone());
        }
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
    use crate::pattern::{Compile, work};

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
                        let body = Body::Json(json.as_bytes());
                        let apply: [&dyn Fn() -> u64; 4] = [
                            &|| u64::from(redactor.may_apply(&body)),
                            &|| redactor.body(&mut body.clone().into_tape()),
                            &|| redactor.everything(&mut body.clone().into_tape()),
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
                    for all in [false, true] {
                        let mut tape = Body::Json(json.as_bytes()).into_tape();
                        let changed =
                            if all { redactor.everything(&mut tape) } else { redactor.body(&mut tape) };
                        let mut texts = 0;
                        for event in &tape.events {
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
