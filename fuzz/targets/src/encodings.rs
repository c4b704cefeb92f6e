//! One value in both encodings through filters of one configuration.

use kaudit_filter::record::{MAX_DEPTH, Record};
use kaudit_filter::stats::Stats;
use kaudit_filter::{Filter, Time};

use crate::configs::Setting;
use crate::json::Json;
use crate::pair::{Outcome, check_account, check_truncated, text as text_of};
use crate::{configs, records};

/// The maximum number of values of one input.
const MAX_VALUES: usize = 16;

/// Checks both encodings of one value: their verdicts are equal, and their entries equal by value.
///
/// The first byte selects as in [`crate::json_sequence`]. If `{` or `[` follows, the rest is lines of JSON; otherwise
/// its bytes are instructions that build values.
pub fn both_encodings(input: &[u8]) {
    let Some((selector, rest)) = input.split_first() else { return };
    let values: Vec<Json> = if let Some(b'{' | b'[') = rest.first() {
        let lines = rest.split(|byte| *byte == b'\n');
        lines.map_while(|line| Json::parse(line).ok()).take(MAX_VALUES).collect()
    } else {
        let mut build = Build { rest, left: 4096, quoted: 0 };
        (0..MAX_VALUES).map_while(|_| (!build.rest.is_empty()).then(|| build.record())).collect()
    };
    let setting = configs::sequence(selector & 7);
    let (mut json, mut msgpack) =
        (One::new(setting, selector & 8 != 0), One::new(setting, selector & 8 != 0));
    // JSON that is too deep is searched as text, and MessagePack that is too deep is not.
    for value in values.into_iter().filter(|value| value.depth() <= MAX_DEPTH) {
        let (mut text, mut packed) = (Vec::new(), Vec::new());
        write_json(&value, &mut text);
        rmpv::encode::write_value(&mut packed, &to_msgpack(&value)).expect("a vector takes everything");
        let shown = || String::from_utf8_lossy(&text).into_owned();
        let (one, stats) = json.process(Record::json(&text));
        let (other, other_stats) = msgpack.process(Record::msgpack(&packed));
        let names = |outcomes: &[Outcome]| outcomes.iter().map(Outcome::name).collect::<Vec<_>>();
        assert_eq!(names(&one), names(&other), "the encoding changes the verdict: {}", shown());
        assert_eq!(
            comparable(stats),
            comparable(other_stats),
            "the encoding changes the statistics: {}",
            shown()
        );
        for pair in one.iter().zip(&other) {
            if let (Outcome::Kept(one), Outcome::Kept(other)) = pair {
                let entries = [(one, Record::json(&text)), (other, Record::msgpack(&packed))];
                let entries = entries.map(|(written, record)| {
                    let entry = parse(&written.json);
                    check_truncated(&text_of(&entry, &written.json), record);
                    entry
                });
                compare(&entries[0], &entries[1], &value);
            }
        }
    }
}

/// A filter and its clock.
struct One {
    filter: Filter,
    now: i64,
}

impl One {
    fn new(setting: &Setting, single_output: bool) -> Self {
        Self { filter: setting.filter(single_output).0, now: records::NOW.nanos() }
    }

    fn process(&mut self, record: Record<'_>) -> (Vec<Outcome>, Stats) {
        self.now += 300_000_000;
        let before = *self.filter.stats();
        let mut outcomes = Vec::new();
        self.filter
            .process(record, Time::from_nanos(self.now), |verdict| outcomes.push(Outcome::of(&verdict)));
        let stats = self.filter.stats().since(&before);
        check_account(&stats, &outcomes);
        (outcomes, stats)
    }
}

/// Statistics without the counters of changes, which depend on the length of a record in its encoding.
fn comparable(mut stats: Stats) -> Stats {
    (stats.truncated, stats.redacted) = (0, 0);
    stats
}

fn parse(entry: &[u8]) -> Json {
    Json::parse(entry).unwrap_or_else(|error| panic!("no JSON: {error}\n{}", String::from_utf8_lossy(entry)))
}

/// Compares entries of one finding.
///
/// The truncated text of an oversized record depends on its length, and the error of a malformed one contains a
/// position: both differ between encodings.
fn compare(one: &Json, other: &Json, value: &Json) {
    let (mut texts, mut marks) = (Vec::new(), Vec::new());
    for entry in [one, other] {
        let Json::Map(members) = text_of(entry, &[]) else { return };
        let (own, rest): (Vec<_>, Vec<_>) = members.into_iter().partition(|(key, _)| key == "kaudit_filter");
        texts.push(Json::Map(rest));
        marks.push(own.into_iter().next().map(|(_, own)| own));
    }
    let mark = |at: usize, key: &str| marks[at].as_ref().and_then(|own: &Json| own.get(key)).cloned();
    let is_truncated = [0, 1].map(|at| mark(at, "truncated").is_some()).contains(&true);
    let names = [
        "timestamp",
        "severity",
        "applicationName",
        "subsystemName",
        "computerName",
        "category",
        "className",
    ];
    for name in names.into_iter().chain(["methodName", "threadId"]) {
        assert_eq!(one.get(name), other.get(name), "{name} of {value:?}");
    }
    for key in ["unrecognised", "clamped", "time", "summary", "counted"] {
        assert_eq!(mark(0, key), mark(1, key), "the mark {key} of {value:?}");
    }
    if !is_truncated {
        assert_eq!(mark(0, "previous"), mark(1, "previous"), "the mark previous of {value:?}");
    }
    // For a value that is not an object, the entry has its JSON text, or in MessagePack the value itself.
    let is_value = match (mark(0, "unrecognised"), texts[1].get("message")) {
        (Some(Json::Str(word)), _) if word == "not-an-object" => true,
        (Some(_), Some(message)) => !matches!(message, Json::Str(_)),
        _ => false,
    };
    if !is_truncated && !is_value {
        assert_eq!(texts[0], texts[1], "the text of {value:?}");
    }
}

/// Writes a value like the filter, so that its length equals the length of the entry's text.
fn write_json(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Null => out.extend(b"null"),
        Json::Bool(value) => out.extend(value.to_string().bytes()),
        Json::Int(value) => out.extend(value.to_string().bytes()),
        Json::Float(value) => out.extend(format!("{value:?}").bytes()),
        Json::Str(text) => write_string(text, out),
        Json::List(elements) => {
            out.push(b'[');
            for (at, element) in elements.iter().enumerate() {
                out.extend((at > 0).then_some(b','));
                write_json(element, out);
            }
            out.push(b']');
        }
        Json::Map(members) => {
            out.push(b'{');
            for (at, (key, value)) in members.iter().enumerate() {
                out.extend((at > 0).then_some(b','));
                write_string(key, out);
                out.push(b':');
                write_json(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

fn to_msgpack(value: &Json) -> rmpv::Value {
    match value {
        Json::Null => rmpv::Value::Nil,
        Json::Bool(value) => (*value).into(),
        Json::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            _ => rmpv::Value::Nil,
        },
        Json::Float(value) => (*value).into(),
        Json::Str(text) => text.as_str().into(),
        Json::List(elements) => rmpv::Value::Array(elements.iter().map(to_msgpack).collect()),
        Json::Map(members) => {
            let member = |(key, value): &(String, Json)| (key.as_str().into(), to_msgpack(value));
            rmpv::Value::Map(members.iter().map(member).collect())
        }
    }
}

/// Keys and strings that affect verdicts.
const WORDS: [&str; 64] = [
    "etype",
    "eid",
    "time",
    "timestamp",
    "category",
    "confidence",
    "cluster",
    "short-doc",
    "short_doc",
    "doc",
    "context",
    "reasons",
    "rule",
    "verb",
    "principal",
    "uri",
    "resource-name",
    "resource_namespace",
    "subresource-exec-command",
    "non_authorized",
    "status-code",
    "count",
    "count-period",
    "id",
    "log",
    "message",
    "msg",
    "body",
    "stringValue",
    "records",
    "properties",
    "logEvents",
    "items",
    "kaudit_filter",
    "kaudit-filter",
    "applicationName",
    "subsystemName",
    "severity",
    "text",
    "logEntries",
    "a",
    "ab",
    "a-b",
    "a_b",
    "",
    "principal",
    "cluster",
    "resource",
    "incident",
    "anomaly",
    "High",
    "medium",
    "low",
    "write",
    "exec into pod",
    "2020-03-01T16:00:00Z",
    "1583078400000",
    "true",
    "secret",
    "eid",
    "\u{e9}\u{1f600}",
    "\"\\\n",
    "direction",
    "project",
];

/// Builds values from bytes: each byte selects the next token.
struct Build<'a> {
    rest: &'a [u8],
    /// The remaining number of values.
    left: usize,
    /// The number of texts around the current value.
    quoted: usize,
}

/// The maximum number of texts around a value. Each multiplies its size: backslashes double, and a byte in a list takes
/// four.
const MAX_QUOTED: usize = 4;

impl Build<'_> {
    fn byte(&mut self) -> u8 {
        let Some((byte, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *byte
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A record: nearly always a map.
    fn record(&mut self) -> Json {
        match self.byte() {
            0xff => self.value(0),
            count => self.map(count, 0),
        }
    }

    fn map(&mut self, count: u8, depth: usize) -> Json {
        let member = |build: &mut Self| (build.string(), build.value(depth + 1));
        let mut members = Vec::new();
        for _ in 0..count % 24 {
            if !self.rest.is_empty() {
                members.push(member(self));
            }
        }
        Json::Map(members)
    }

    fn string(&mut self) -> String {
        match self.byte() {
            word @ 0..=0xdf => WORDS[usize::from(word) % WORDS.len()].to_owned(),
            length => {
                let length = usize::from(length & 0x1f).min(self.rest.len());
                let (text, rest) = self.rest.split_at(length);
                self.rest = rest;
                String::from_utf8_lossy(text).into_owned()
            }
        }
    }

    fn value(&mut self, depth: usize) -> Json {
        self.left = self.left.saturating_sub(1);
        let kind = self.byte();
        if self.left == 0 {
            return Json::Null;
        }
        // All other numbers, and containers that are too deep, give short strings.
        match kind % 20 {
            0 => Json::Null,
            1 => Json::Bool(kind & 0x80 != 0),
            2 => Json::Int(i8::from_be_bytes(self.bytes()).into()),
            3 => Json::Int(i64::from_be_bytes(self.bytes()).into()),
            4 => Json::Int(u64::from_be_bytes(self.bytes()).into()),
            5 => {
                let float = f64::from_be_bytes(self.bytes());
                if float.is_finite() { Json::Float(float) } else { Json::Null }
            }
            6 => Json::Int(
                i128::from(records::NOW.millis()) + i128::from(i16::from_be_bytes(self.bytes())) * 9_999,
            ),
            7 => {
                let by = [1.0, 1e-3, 1e3, 1e6][usize::from(self.byte() % 4)];
                #[expect(clippy::cast_precision_loss, reason = "a time of about 2^41")]
                let millis = records::NOW.millis() as f64;
                Json::Float(millis * by + f64::from(self.byte()) / 4.0)
            }
            // JSON within a string.
            12 if self.quoted < MAX_QUOTED => {
                self.quoted += 1;
                let mut text = Vec::new();
                let before = self.byte();
                if before & 1 != 0 {
                    text.extend(b"2020-03-01T16:00:00Z stdout F ");
                }
                for _ in 0..=before >> 6 {
                    write_json(&self.value(depth + 1), &mut text);
                    text.extend((before & 2 != 0).then_some(b'\n'));
                }
                self.quoted -= 1;
                Json::Str(String::from_utf8_lossy(&text).into_owned())
            }
            // Text as a list of its bytes.
            13 if self.quoted < MAX_QUOTED => {
                self.quoted += 1;
                let mut text = Vec::new();
                write_json(&self.map(3, depth), &mut text);
                self.quoted -= 1;
                Json::List(text.into_iter().map(|byte| Json::Int(byte.into())).collect())
            }
            // Text that is long.
            14 => {
                self.left = self.left.saturating_sub(100);
                let count = usize::from(self.byte()) * 40;
                Json::Str(self.string().repeat(count).chars().take(20_000).collect())
            }
            15..=17 if depth < 28 => {
                let count = self.byte();
                self.map(count, depth)
            }
            18 | 19 if depth < 28 => {
                let count = self.byte() % 16;
                Json::List((0..count).map(|_| self.value(depth + 1)).collect())
            }
            _ => Json::Str(self.string()),
        }
    }
}
