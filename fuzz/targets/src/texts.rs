//! Any text in the forms in which records contain one, and a secret in it that must not be in the output.

use std::cell::RefCell;

use kaudit_filter::entry::OWN_KEY;
use kaudit_filter::explain::Explainer;
use kaudit_filter::record::Record;

use crate::configs::{self, Setting};
use crate::expand::expand;
use crate::json::Json;
use crate::pair::{Outcome, Pair, text as text_of};
use crate::{records, secret};

/// The byte in a text that the secret replaces.
const MARKER: u8 = 0x01;

/// Checks any text in a record.
///
/// No form of it makes the filter panic, every item is counted, and a secret that redaction applies to is in no output.
///
/// The first byte selects the paths of `look-in` by its lower two bits, a host with a single output by the next one,
/// `MessagePack` by the next one, and by the next one whether the verdicts are explained; the second byte the redaction;
/// the third the form of the record; the fourth how the secret is spelled. By the seventh bit of the first byte the text is
/// a list of its bytes. The secret is planted at each byte 1 of the
/// text, or at its end if it has none.
pub fn text(input: &[u8]) {
    let [selector, redaction, form, spelling, text @ ..] = input else { return };
    let setting = configs::redacting(selector & 3, redaction & 15);
    let field = setting.field;
    let text = plant(&expand(text), &secret::planted(spelling & 15));
    let form = Form::ALL[usize::from(form & 15) % Form::ALL.len()];
    let node = form.record(field, if selector & 64 == 0 { Node::Text(text) } else { byte_list(text) });
    let mut bytes = Vec::new();
    let record = match &node {
        Node::Text(text) if form == Form::Bare => Record::json(text),
        node if selector & 8 == 0 => {
            node.write_json(&mut bytes);
            Record::json(&bytes)
        }
        node => {
            node.write_msgpack(&mut bytes);
            Record::msgpack(&bytes)
        }
    };
    let mut pair = Pair::new(setting, selector & 4 != 0);
    let outcomes = pair.process(record);
    pair.finish();
    for outcome in &outcomes {
        match outcome {
            Outcome::Kept(written) => {
                check_entry(&written.json, record.bytes(), field, form.is_within_field());
            }
            Outcome::Passed => {
                assert_eq!(secret::leak(record.bytes(), record.bytes()), None, "passed with the secret");
            }
            other => panic!("{other:?}, and nothing is dropped or suppressed"),
        }
    }
    if selector & 16 != 0 && selector & 4 == 0 {
        explain(setting, record, outcomes.len());
    }
}

/// Checks that each verdict is explained.
///
/// Explainers take milliseconds to build and are reused: without limits one record does not change the explanation of
/// another.
fn explain(setting: &'static Setting, record: Record<'_>, verdicts: usize) {
    thread_local! {
        static EXPLAINERS: RefCell<Vec<(&'static Setting, Explainer)>> = const { RefCell::new(Vec::new()) };
    }
    EXPLAINERS.with_borrow_mut(|all| {
        let at = all.iter().position(|(other, _)| std::ptr::eq(*other, setting)).unwrap_or_else(|| {
            let explainer = Explainer::new(&setting.config(), 7).expect("patterns that are small enough");
            all.push((setting, explainer));
            all.len() - 1
        });
        let explainer = &mut all[at].1;
        assert_eq!(explainer.explain(record, records::NOW).len(), verdicts, "explanations");
        assert!(explainer.stats().balances(), "the account");
    });
}

/// Replaces each marker by the secret, or adds it at the end.
fn plant(text: &[u8], secret: &str) -> Vec<u8> {
    let mut planted = text.split(|byte| *byte == MARKER).collect::<Vec<_>>();
    if planted.len() == 1 {
        planted.push(&[]);
    }
    // Many copies of it add no coverage.
    if planted.len() > 9 {
        planted.truncate(9);
    }
    planted.join(secret.as_bytes())
}

/// Checks that the secret is not in an entry.
///
/// It must be nowhere in the entry if the record is not a finding, or if all of the secret was in the redacted field;
/// otherwise it must not be in that field.
fn check_entry(entry: &[u8], record: &[u8], field: &str, within_field: bool) {
    let parsed = Json::parse(entry).expect("an entry is JSON");
    let text = text_of(&parsed, entry);
    let is_other = text.get(OWN_KEY).is_some_and(|own| own.get("unrecognised").is_some());
    let shown = || format!("{}\n{}", String::from_utf8_lossy(record), String::from_utf8_lossy(entry));
    if is_other || within_field {
        if let Some(form) = secret::leak(entry, record) {
            panic!("the secret, {form}, in an entry of\n{}", shown());
        }
    } else if let Some(value) = text.get(field) {
        assert!(!secret::is_in(value), "the secret in `{field}` of\n{}", shown());
    }
}

/// The form of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The text itself.
    Bare,
    Log,
    Message,
    List,
    /// As Fluent Bit's Kubernetes filter emits it.
    Kubernetes,
    /// JSON in JSON.
    Twice,
    /// As journald exports what is not printable.
    ByteList,
    Nested,
    Batch,
    /// A finding whose named field is the text.
    Field,
    FieldNested,
    FieldKey,
    /// The same within a log line.
    Wrapped,
    /// Binary data.
    Binary,
    /// The same as one of Azure's.
    Records,
    /// The same beside the raw line that it was parsed from.
    Merged,
}

impl Form {
    const ALL: [Self; 16] = [
        Self::Bare,
        Self::Log,
        Self::Message,
        Self::List,
        Self::Kubernetes,
        Self::Twice,
        Self::ByteList,
        Self::Nested,
        Self::Batch,
        Self::Field,
        Self::FieldNested,
        Self::FieldKey,
        Self::Wrapped,
        Self::Binary,
        Self::Records,
        Self::Merged,
    ];

    /// Returns whether all of the text is in the redacted field, or in a raw copy of it.
    fn is_within_field(self) -> bool {
        matches!(
            self,
            Self::Field | Self::FieldNested | Self::FieldKey | Self::Wrapped | Self::Records | Self::Merged
        )
    }

    fn record(self, field: &str, text: Node) -> Node {
        let json = |node: &Node| {
            let mut bytes = Vec::new();
            node.write_json(&mut bytes);
            Node::Text(bytes)
        };
        match self {
            Self::Bare => text,
            Self::Log => map([("log", text)]),
            Self::Message => map([("host", word("node-1")), ("message", text)]),
            Self::List => Node::List(vec![text]),
            Self::Kubernetes => map([
                ("log", text),
                ("stream", word("stdout")),
                ("time", word("2020-03-01T16:00:00.5Z")),
                (
                    "kubernetes",
                    map([("pod_name", word("kaudit-0")), ("labels", map([("app", word("kaudit"))]))]),
                ),
            ]),
            Self::Twice => map([("log", json(&map([("message", text)])))]),
            Self::ByteList => {
                let Node::Text(text) = text else { return text };
                map([("MESSAGE", byte_list(text))])
            }
            Self::Nested => map([("message", map([("inner", text)]))]),
            Self::Batch => Node::List(vec![finding("doc", word("x")), text.clone(), map([("log", text)])]),
            Self::Field => finding(field, text),
            Self::FieldNested => finding(field, map([("a", Node::List(vec![word("x"), text]))])),
            Self::FieldKey => {
                let Node::Text(key) = text else { return text };
                finding(field, Node::Map(vec![(key, Node::Number(1))]))
            }
            Self::Wrapped => map([("log", json(&finding(field, text))), ("stream", word("stdout"))]),
            Self::Binary => {
                let Node::Text(text) = text else { return text };
                map([("log", Node::Binary(text))])
            }
            Self::Records => map([(
                "records",
                Node::List(vec![map([("properties", map([("log", json(&finding(field, text)))]))])]),
            )]),
            Self::Merged => {
                let finding = finding(field, text);
                let raw = json(&finding);
                let Node::Map(mut members) = finding else { return raw };
                if field != "log" {
                    members.push((b"log".to_vec(), raw));
                }
                Node::Map(members)
            }
        }
    }
}

/// A record before it is encoded. Its strings need not be UTF-8.
#[derive(Clone)]
enum Node {
    Text(Vec<u8>),
    /// In JSON a string.
    Binary(Vec<u8>),
    Number(i64),
    List(Vec<Node>),
    Map(Vec<(Vec<u8>, Node)>),
}

fn word(text: &str) -> Node {
    Node::Text(text.as_bytes().to_vec())
}

fn map<const N: usize>(members: [(&str, Node); N]) -> Node {
    Node::Map(members.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
}

fn byte_list(bytes: Vec<u8>) -> Node {
    Node::List(bytes.into_iter().map(|byte| Node::Number(byte.into())).collect())
}

/// A detection with this value of a field.
fn finding(field: &str, value: Node) -> Node {
    let members = [
        ("etype", word("principal")),
        ("eid", word("admin")),
        ("category", word("incident")),
        ("confidence", word("high")),
        ("cluster", word("prod-eu")),
        ("time", Node::Number(records::NOW.millis())),
    ];
    let members = members.into_iter().filter(|(key, _)| *key != field).chain([(field, value)]);
    Node::Map(members.map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
}

impl Node {
    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) | Self::Binary(text) => write_string(text, out),
            Self::Number(number) => out.extend(number.to_string().bytes()),
            Self::List(elements) => {
                out.push(b'[');
                for (at, element) in elements.iter().enumerate() {
                    out.extend((at > 0).then_some(b','));
                    element.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    out.extend((at > 0).then_some(b','));
                    write_string(key, out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }

    fn write_msgpack(&self, out: &mut Vec<u8>) {
        let head = |head: u8, length: usize, out: &mut Vec<u8>| {
            out.push(head);
            out.extend(u32::try_from(length).expect("a short input").to_be_bytes());
        };
        match self {
            Self::Text(text) => {
                head(0xdb, text.len(), out);
                out.extend(text);
            }
            Self::Binary(text) => {
                head(0xc6, text.len(), out);
                out.extend(text);
            }
            Self::Number(number) => {
                out.push(0xd3);
                out.extend(number.to_be_bytes());
            }
            Self::List(elements) => {
                head(0xdd, elements.len(), out);
                for element in elements {
                    element.write_msgpack(out);
                }
            }
            Self::Map(members) => {
                head(0xdf, members.len(), out);
                for (key, value) in members {
                    Self::Text(key.clone()).write_msgpack(out);
                    value.write_msgpack(out);
                }
            }
        }
    }
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}
