//! Compares truncated entries with a simple reference.
//!
//! The reference is the whole body as a document, each of its strings truncated separately.

use crate::config::{Severity, TextForm};
use crate::entry::{Entry, Labels, Misfit, Names};
use crate::record::{Body, Document, Event, REMARK, Record};

/// A small pseudo-random number generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    /// Returns the content of a JSON string, from a few characters to hundreds.
    fn string(&mut self) -> String {
        let pieces: &[&str] = match self.below(3) {
            0 => &["abc"],
            1 => &["abc", "é", "😀", "\\\"", "\\\\", "\\n"],
            _ => &[
                "é",
                "\\/",
                "\\b",
                "\\u0001",
                "\\u001F",
                "\\u00e9",
                "\\ud83d\\ude00",
                "\\t",
                "[truncated 7 bytes]",
            ],
        };
        let most = if self.below(3) == 0 { 400 } else { 15 };
        let count = self.below(most);
        let text: String = (0..count).map(|_| self.of(pieces)).collect();
        text + self.of(&["", "", "…[truncated 7 bytes]"])
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => self.of(&["1", "-70000", "1.50", "12345678901"]).to_owned(),
            1 => self.of(&["true", "false", "null", "{}", "[ ]"]).to_owned(),
            2..=5 => format!("\"{}\"", self.string()),
            6 => self.map(depth - 1),
            _ => {
                let values: Vec<String> = (0..self.below(8)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", values.join(self.of(&[",", ", "])))
            }
        }
    }

    fn map(&mut self, depth: usize) -> String {
        let members: Vec<String> = (0..self.below(8))
            .map(|n| {
                format!(
                    "\"{}{n}\"{}{}",
                    self.of(&["k", "é", "key:"]),
                    self.of(&[":", " : "]),
                    self.value(depth)
                )
            })
            .collect();
        format!("{{{}}}", members.join(self.of(&[",", " ,\t"])))
    }
}

/// Returns an entry that is marked as truncated.
fn entry<'a>(names: &'a Names, text: TextForm, body: Body<'a>) -> Entry<'a> {
    let labels =
        Labels { names, category: b"incident", class: b"", method: b"\"", thread: b"", plain: false };
    let marks = Document::map([("truncated", Document::int(1))]);
    Entry { timestamp_ms: 1, arrival_ns: 1, severity: Severity::Info, labels, text, body, marks }
}

fn json(entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    entry.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

/// Writes an entry in `MessagePack` and reads it again.
fn msgpack(entry: &Entry<'_>) -> String {
    let mut out = Vec::new();
    entry.write_msgpack(&mut out);
    format!("{:?}", Record::msgpack(&out).document())
}

/// Truncates a record to a maximum, and compares its entry with the reference.
fn check(record: Record<'_>, text: TextForm, max: usize) {
    let names = Names::default();
    let whole = || entry(&names, text, Body::Document(record.document()));
    let shortened = |length| {
        let mut document = record.document();
        document.truncate(length);
        entry(&names, text, Body::Document(document))
    };
    let mut of_document = whole();
    let mut cut = entry(&names, text, Body::Verbatim(record));
    let outcome = cut.truncate_to(max);
    assert_eq!(outcome, of_document.truncate_to(max));
    match (outcome, &cut.body) {
        (Ok(()), Body::Truncated(truncated)) => {
            let length = &truncated.1;
            let plain = shortened(*length);
            assert!(json(&cut).len() <= max, "{} of {max}", json(&cut).len());
            assert_eq!(json(&cut), json(&plain));
            assert_eq!(json(&cut), json(&of_document));
            assert_eq!(msgpack(&cut), msgpack(&plain));
            assert_eq!(*length == usize::MAX, json(&whole()).len() <= max);
            let read = entry(&names, text, Body::Document(cut.body.clone().into_document()));
            assert_eq!(json(&read), json(&plain));
        }
        (Ok(()), body) => panic!("{body:?}"),
        (Err(_), body) => {
            assert!(matches!(body, Body::Verbatim(_)));
            // A remark counts with its maximum length.
            let long = |event: &&Event<'_>| matches!(event, Event::Str(text) if text.len() > REMARK);
            let remarks = record.document().events.iter().filter(long).count() * REMARK;
            let least = json(&shortened(0)).len();
            assert!(least + remarks > max, "{least} and {remarks} of {max}");
        }
    }
}

#[test]
fn an_entry_is_truncated_as_its_document_would_be() {
    let mut random = Random(88_172_645_463_325_252);
    for _ in 0..40 {
        let text = random.map(3);
        let names = Names::default();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let mut packed = Vec::new();
        rmpv::encode::write_value(&mut packed, &rmpv::ext::to_value(&value).unwrap()).unwrap();
        for record in [Record::json(&text), Record::msgpack(&packed)] {
            for form in [TextForm::Object, TextForm::String] {
                let size = json(&entry(&names, form, Body::Document(record.document()))).len();
                let some = random.below(size);
                for max in [0, size / 10, size / 2, size * 9 / 10, some, size - 1, size, size + 1] {
                    check(record, form, max);
                }
            }
        }
    }
}

#[test]
fn long_keys_and_a_large_structure_are_different_misfits() {
    let names = Names::default();
    let misfit = |text: &str| {
        entry(&names, TextForm::Object, Body::Verbatim(Record::json(text))).truncate_to(10_000).unwrap_err()
    };
    assert_eq!(misfit(&format!("{{\"{}\":1}}", "k".repeat(11_000))), Misfit::Keys);
    assert_eq!(misfit(&format!("{{\"k\":[1{}]}}", ",1".repeat(6_000))), Misfit::Structure);
    assert_eq!(misfit(&format!("{{\"k\":[1{}]}}", ",1".repeat(4_980))), Misfit::Strings);
}

#[test]
fn a_string_that_is_truncated_twice_has_one_remark() {
    for text in ["a".repeat(10_000), "a".repeat(9_977) + "…[truncated 0 bytes]"] {
        let mut document = Document::str(text);
        document.truncate(5_000);
        document.truncate(100);
        let [Event::Str(text)] = document.events.as_slice() else { panic!("{document:?}") };
        assert!(
            text.ends_with("a…[truncated 9900 bytes]") || text.ends_with("a…[truncated 9877 bytes]"),
            "{text}"
        );
        assert_eq!(text.matches('…').count(), 1);
    }
}
