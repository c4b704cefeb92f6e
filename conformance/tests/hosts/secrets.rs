//! A random secret, planted at every position of every form of a record, never occurs in the output of any host.
//!
//! A record is a position × a spelling. Positions are records with a gap; spellings are JSON values with the secret in it.
//! Each record has a secret of its own, which contains the record's number, so that a leak names its record. The secret
//! is random for each run. `KAUDIT_SEED` repeats a run. The same records without `redact` are the control: there the
//! secret occurs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use conformance::case::{Case, Expected, Need, Pattern, Record};
use conformance::driver::{Driver, Outcome, Run};
use regex::bytes::Regex;
use rmpv::Value;

use crate::engine::{self, Encoding};

/// 2020-03-01T16:00:00Z.
const NOW: i64 = 1_583_078_400_000;

/// The pattern of the redaction: the text, and the same as a number.
const PATTERN: &str = "sec-[0-9a-f]{16}|77[0-9]{13}";

/// The shapes of the output; in one of them the names are templates of several fields.
const SHAPES: [(&str, &str); 5] = [
    ("singles object", "coralogix: {text: object}"),
    ("singles string", "coralogix: {text: string}"),
    ("bulk", "coralogix: {shape: bulk}"),
    ("otlp", "coralogix: {shape: otlp}"),
    (
        "keys snake",
        "coralogix: {keys: snake, application-name: '{cluster}{rule}', subsystem-name: '{type}{category}{etype}{verb}', computer-name: '{eid}{principal}{short-doc}{resource-type}'}",
    ),
];

/// Spellings: a JSON value, and how often it is wrapped as text in `{"a":…}`. In it, `@P` is the secret, `@E` the secret
/// with its first letter as an escape sequence of JSON, `@D` the same with its hyphen, `@F` with all characters, `@Q`
/// percent-encoded in its first letter, `@W` in all characters, `@X` twice, `@N` the number, and `@L` the secret as the
/// elements of a list of bytes.
const SPELLINGS: [(&str, &str, usize); 55] = [
    ("string", r#""@P""#, 0),
    ("in a longer string", r#""a @P b""#, 0),
    ("between other characters", r#""token=@P;x""#, 0),
    ("twice in a string", r#""@P @P""#, 0),
    ("escaped in part", r#""@E""#, 0),
    ("escaped hyphen", r#""a @D b""#, 0),
    ("escaped as a whole", r#""@F""#, 0),
    ("plain and escaped", r#""@P @E""#, 0),
    ("among characters of several bytes", r#""é😀@Pé""#, 0),
    ("among zero bytes", r#""\u0000@P\u0000""#, 0),
    ("after half a surrogate pair", r#""\ud800@P""#, 0),
    ("among line breaks", r#""a\n@P\r\nb""#, 0),
    ("among slashes", r#""\/@P\/""#, 0),
    ("JSON text", r#""@P""#, 1),
    ("JSON text in JSON text", r#""@P""#, 2),
    ("JSON text, three times", r#""@P""#, 3),
    ("JSON text, escaped", r#""@E""#, 1),
    ("JSON text in JSON text, escaped", r#""@E""#, 2),
    ("JSON text, three times, escaped", r#""@E""#, 3),
    ("JSON text, escaped as a whole", r#""@F""#, 1),
    ("JSON text, a key", r#"{"@P":1}"#, 1),
    ("JSON text, an escaped key", r#"{"@E":1}"#, 2),
    ("JSON text, broken", r#""{\"a\":\"@P""#, 0),
    ("JSON text, broken and escaped", r#""{\"a\":\"\\u0073@R""#, 0),
    ("log line", r#""2020-03-01T16:00:00Z INFO x.y - {\"a\":\"@P\"}""#, 0),
    ("log line, escaped", r#""2020-03-01T16:00:00Z INFO x.y - {\"a\":\"\\u0073@R\"} after""#, 0),
    ("URI", r#""https://h/p?q=@Q&r=1""#, 0),
    ("URI, encoded as a whole", r#""https://h/p?q=@W""#, 0),
    ("URI, encoded twice", r#""https://h/p?q=@X""#, 0),
    ("URI in JSON text", r#""/?q=@Q""#, 1),
    ("URI with an escaped percent sign", r#""/?q=\u002573@R""#, 0),
    ("list of bytes", "[@L]", 0),
    ("list of bytes, among others", r#"[[1,2],[97,195,-0,@L,32,49.0],["x"]]"#, 0),
    ("list of bytes in JSON text", "[@L]", 1),
    ("list of bytes in JSON text, twice", "[@L]", 2),
    ("list of bytes in a line, broken", r#""INFO {\"a\":[@L""#, 0),
    ("list of the bytes of an escape sequence", "[92,117,48,48,55,51,@M]", 0),
    ("number", "@N", 0),
    ("negative number", "-@N", 0),
    ("number with a fraction", "@N.0", 0),
    ("number with an exponent", "@Ne0", 0),
    ("number as text", r#""@N""#, 0),
    ("number in JSON text", "@N", 1),
    ("map", r#"{"x":{"y":"@P"}}"#, 0),
    ("list", r#"["@P"]"#, 0),
    ("last in a list", r#"["a",{"b":1},[],"@P"]"#, 0),
    ("maps and lists", r#"[[{"a":[{"b":"@P"}]}]]"#, 0),
    ("key", r#"{"@P":1}"#, 0),
    ("part of a key", r#"{"a @P b":"x"}"#, 0),
    ("escaped key", r#"{"b":1,"@E":1}"#, 0),
    ("key in a URI", r#"{"b":1,"/?@Q":1}"#, 0),
    ("key and value", r#"{"@P":{"@P":["@P"]}}"#, 0),
    ("key that occurs twice", r#"{"@P":1,"@P":"@P"}"#, 0),
    ("number as a key", r#"{"@N":1}"#, 0),
    ("the filter's own key, nested", r#"{"kaudit_filter":{"a":"@P"}}"#, 0),
];

/// A few of the spellings, for groups with many positions.
const FEW: [&str; 9] = [
    "in a longer string",
    "escaped in part",
    "JSON text in JSON text",
    "JSON text, escaped",
    "URI",
    "list of bytes",
    "number",
    "key and value",
    "part of a key",
];

/// Keys with their values, as JSON.
type Members = &'static [(&'static str, &'static str)];

/// A finding of each kind; `@I` is the record's number.
const DETECTION: Members = &[
    ("etype", r#""principal""#),
    ("eid", r#""e@I""#),
    ("category", r#""incident""#),
    ("confidence", r#""high""#),
    ("cluster", r#""c""#),
    ("short-doc", r#""d""#),
    ("principal", r#""p@I""#),
    ("time", "1583078400000"),
];
const SELECTION: Members = &[
    ("rule", r#""r@I""#),
    ("id", r#""i""#),
    ("verb", r#""get""#),
    ("cluster", r#""c""#),
    ("principal", r#""p@I""#),
    ("resource-type", r#""pods""#),
    ("resource_namespace", r#""n""#),
    ("resource_name", r#""m""#),
    ("time", "1583078400000"),
];
const ACTIVITY: Members = &[
    ("id", r#""i""#),
    ("verb", r#""get""#),
    ("cluster", r#""c@I""#),
    ("principal", r#""p""#),
    ("resource-type", r#""pods""#),
    ("time", "1583078400000"),
];

/// Members of findings that the rules of [`NAMED`] name: a key, and a value with the gap `@V`.
const MEMBERS: [(&str, Members, Members); 3] = [
    (
        "detection",
        DETECTION,
        &[
            ("etype", "@V"),
            ("eid", "@V"),
            ("category", "@V"),
            ("cluster", "@V"),
            ("short-doc", "@V"),
            ("short_doc", "@V"),
            ("principal", "@V"),
            ("extra", "@V"),
            ("extra-0", "@V"),
            ("extra.inner", "@V"),
            ("extra_inner_0", "@V"),
            (r"\u0065xtra", "@V"),
            ("context", r#"{"a":1,"extra":@V}"#),
            ("context_extra", "@V"),
            ("reasons", r#"[{"doc":"x"},{"doc":@V}]"#),
            ("extra", r#"{"a":@V,"a":1}"#),
            ("extra", r#"{"a":[],"b":{"c":@V}}"#),
        ],
    ),
    (
        "selection",
        SELECTION,
        &[
            ("rule", "@V"),
            ("id", "@V"),
            ("verb", "@V"),
            ("cluster", "@V"),
            ("principal", "@V"),
            ("resource-type", "@V"),
            ("resource_type", "@V"),
            ("resource_namespace", "@V"),
            ("resource", r#"{"name":@V}"#),
            ("extra", "@V"),
        ],
    ),
    (
        "activity",
        ACTIVITY,
        &[("id", "@V"), ("verb", "@V"), ("cluster", "@V"), ("principal", "@V"), ("resource-type", "@V")],
    ),
];

/// The rules of findings: known fields, the parents of known fields (`short`, `resource`), and other fields.
const NAMED: [&str; 12] = [
    "cluster",
    "eid",
    "principal",
    "short",
    "rule",
    "verb",
    "category",
    "etype",
    "resource",
    "id",
    "extra",
    "reasons.doc",
];

/// The texts around a finding, applied in order: `@R` is the record, `@S` the record as a JSON string, `@B` its
/// members, and `@C` a finding without secret.
const AROUND: [(&str, &[&str]); 30] = [
    ("text under `log`", &[r#"{"log":@S}"#]),
    ("text under `log`, with transport", &[r#"{"stream":"stdout","log":@S,"kubernetes":{"pod":"a"}}"#]),
    ("text in text", &[r#"{"log":@S}"#, r#"{"message":@S}"#]),
    ("text in text in text", &[r#"{"log":@S}"#, r#"{"message":@S}"#, r#"{"event":@S}"#]),
    ("object under `payload`", &[r#"{"payload":@R}"#]),
    ("object under any key", &[r#"{"anything":@R}"#]),
    ("object at a path", &[r#"{"properties":{"log":@R}}"#]),
    ("line with a prefix", &["2020-03-01T16:00:00Z INFO @R"]),
    ("CRI line", &["2020-03-01T16:00:00.1Z stdout F @R"]),
    ("prefix under `log`", &["2020-03-01 INFO a.b.C - @R", r#"{"log":@S}"#]),
    ("byte order mark", &["\u{feff}@R"]),
    ("byte order mark under `log`", &["\u{feff}@R", r#"{"log":@S}"#]),
    ("JSON string", &["@S"]),
    ("list", &["[@C,@R]"]),
    ("list in an envelope", &[r#"{"records":[@R,@C]}"#]),
    ("list of texts", &[r#"{"logEvents":[{"message":@S},{"message":@S}]}"#]),
    ("two in a text", &["@R@R", r#"{"log":@S}"#]),
    ("lines in a text", &["@C\n@R\nother", r#"{"log":@S}"#]),
    ("lines", &["@R\n@C"]),
    ("with its text under `log`", &[r#"{@B,"log":@S}"#]),
    ("after its text under `log`", &[r#"{"log":@S,@B}"#]),
    ("with its line under `message`", &[r#"{@B,"stream":"stdout","message":@S}"#]),
    ("with its text under another key", &[r#"{@B,"original":@S}"#]),
    ("with its object under `log_processed`", &[r#"{@B,"log_processed":@R}"#]),
    ("with the text of another time", &[r#"{"time":1583078399000,@B,"log":@S}"#]),
    ("with its text twice", &[r#"{@B,"log":@S,"message":@S}"#]),
    (
        "with its text in text",
        &[r#"{"log":@S}"#, r#"{"etype":"principal","eid":"e@I","time":1583078400000,"log":@S}"#],
    ),
    ("with the filter's own key", &[r#"{"kaudit_filter":{"clamped":"too-old"},@B}"#]),
    ("cut at its end", &["@A"]),
    ("cut under `log`", &["@A", r#"{"log":@S}"#]),
];

/// Members that have gaps at any position in a finding: the filter's own key, and text that contains an object.
const FINDINGS_ELSEWHERE: [(&str, &str); 10] = [
    ("kaudit_filter", "@V"),
    ("kaudit_filter", r#"{"summary":{"sample":@V}}"#),
    ("kaudit-filter", r#"{"a":[1,@V]}"#),
    ("eid", "@T"),
    ("cluster", "@T"),
    ("short-doc", "@T"),
    ("principal", "@T"),
    ("category", "@T"),
    ("other", "@T"),
    ("other", r#"{"a":["x",@T]}"#),
];

/// Records without a finding; `@K` is the gap of a key.
const OTHERS: [(&str, &str); 58] = [
    ("member", r#"{"a":@V}"#),
    ("member after others", r#"{"b":"c","d":[1],"a":@V,"e":null}"#),
    ("key", "{@K:1}"),
    ("key after others", r#"{"a":{"b":1},@K:{"c":2}}"#),
    ("nested", r#"{"a":{"b":[{"c":@V}]}}"#),
    ("under `log`", r#"{"log":@V}"#),
    ("under `message`", r#"{"message":@V,"stream":"stderr"}"#),
    ("text under `log`", r#"{"log":@T}"#),
    ("under `records`", r#"{"records":[@V,1]}"#),
    ("cluster", r#"{"cluster":@V}"#),
    ("cluster as text", r#"{"cluster":@T}"#),
    ("principal", r#"{"principal":@V,"a":1}"#),
    ("eid", r#"{"eid":@V}"#),
    ("etype", r#"{"etype":@V}"#),
    ("rule", r#"{"rule":@V}"#),
    ("verb", r#"{"verb":@V}"#),
    ("category", r#"{"category":@V}"#),
    ("short-doc", r#"{"short-doc":@V}"#),
    ("resource-type", r#"{"resource-type":@V}"#),
    ("time", r#"{"time":@V}"#),
    ("timestamp", r#"{"timestamp":@V,"time":1}"#),
    ("the filter's own key", r#"{"a":1,"kaudit_filter":@V}"#),
    ("the filter's own key, hyphenated", r#"{"kaudit-filter":{"a":@V}}"#),
    ("the filter's own key, twice", r#"{"kaudit_filter":1,"kaudit-filter":@V,"kaudit_filter":@V}"#),
    ("value", "@V"),
    ("list", "[@V]"),
    ("lists", "[[1,[@V]],{}]"),
    ("line", "starting: @V"),
    ("line, no JSON", "@V: starting {"),
    ("duplicate key", r#"{"a":1,"a":@V}"#),
    ("duplicate key, first", r#"{"a":@V,"b":{"a":1},"a":1}"#),
    ("deepest", r#"{"a":[[[[[[[[[[[[[[[[[{"b":@V}]]]]]]]]]]]]]]]]]}"#),
    ("too deep", r#"{"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{"b":@V}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#),
    (
        "before what is too deep",
        r#"{"b":@V,"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    ),
    (
        "too deep, maps",
        r#"{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":@V}}}}}}}}}}}}}}}}}}}}}}}}}}"#,
    ),
    ("cut after it", r#"{"a":@V"#),
    ("cut after a comma", r#"{"a":@V,"#),
    ("cut in a key", r#"{"a":@V,"b"#),
    ("broken before it", r#"{"a":tru,"b":@V}"#),
    ("broken after it", r#"{"a":@V,"b":01}"#),
    ("anything after it", r#"{"a":@V} trailing"#),
    ("key in what is broken", r#"{@K:1,"b":}"#),
    ("finding that is cut", r#"{"etype":"principal","eid":"e","a":@V,"b":"#),
    (
        "finding that is broken, under `log`",
        r#"{"log":"{\"etype\":\"principal\",\"eid\":\"e\",\"b\":","a":@V}"#,
    ),
    (
        "finding that is too deep",
        r#"{"etype":"principal","eid":"e","time":1583078400000,"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[{"b":@V}]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    ),
    ("item of a batch", r#"[@C,{"a":@V},@C]"#),
    ("value in a batch", "[@V,@C]"),
    ("item of an envelope", r#"{"records":[@C,@V],"a":1}"#),
    ("line of a batch", "@C\n{\"a\":@V}\n@C"),
    ("text of a batch", "@C\nstarting: @V\n"),
    (
        "own output, text",
        r#"{"applicationName":"a","subsystemName":"s","timestamp":1583078400000,"severity":3,"text":{"a":@V}}"#,
    ),
    (
        "own output, string",
        r#"{"applicationName":"a","subsystemName":"s","timestamp":1583078400000,"severity":3,"text":@T}"#,
    ),
    (
        "own output, its name",
        r#"{"applicationName":@V,"subsystemName":"s","timestamp":1583078400000,"severity":3,"text":{"a":1}}"#,
    ),
    (
        "own output, its label",
        r#"{"applicationName":"a","subsystemName":"s","threadId":@V,"timestamp":1583078400000,"severity":3,"text":"a"}"#,
    ),
    (
        "own output, its mark",
        r#"{"applicationName":"a","subsystemName":"s","timestamp":1583078400000,"severity":3,"text":{"a":1,"kaudit_filter":{"summary":{"key":@V}}}}"#,
    ),
    (
        "own output, envelope",
        r#"{"applicationName":"a","subsystemName":"s","logEntries":[{"timestamp":1583078400000,"severity":3,"text":@T}]}"#,
    ),
    (
        "own output, envelope's label",
        r#"{"applicationName":"a","subsystemName":"s","logEntries":[{"timestamp":1583078400000,"severity":3,"threadId":@V,"text":"a"}]}"#,
    ),
    (
        "own output, key",
        r#"{"applicationName":"a","subsystemName":"s","timestamp":1583078400000,"severity":3,"text":{@K:1}}"#,
    ),
];

/// Oversized records: `@V` is a string with padding before and after the gap, `@Z` padding.
const OVERSIZED: [(&str, &str); 14] = [
    ("member of a finding", r#"{"etype":"principal","eid":"e@I","time":1583078400000,"extra":@V}"#),
    (
        "member of a finding before padding",
        r#"{"etype":"principal","eid":"e@I","time":1583078400000,"extra":@V,"b":"@Z"}"#,
    ),
    (
        "member of a finding after padding",
        r#"{"b":"@Z","etype":"principal","eid":"e@I","time":1583078400000,"extra":@V}"#,
    ),
    (
        "nested in a finding",
        r#"{"etype":"principal","eid":"e@I","time":1583078400000,"extra":[{"a":"@Z","b":@V}]}"#,
    ),
    ("with its text", r#"{"etype":"principal","eid":"e@I","time":1583078400000,"extra":"x","log":@T}"#),
    ("entity", r#"{"etype":"principal","eid":@V,"time":1583078400000}"#),
    (
        "the filter's own key in a finding",
        r#"{"etype":"principal","eid":"e@I","time":1583078400000,"kaudit_filter":@V}"#,
    ),
    ("member", r#"{"a":@V}"#),
    ("known field", r#"{"verb":@V,"b":"@Z"}"#),
    ("list", r#"{"b":["@Z",1,"@Z"],"a":[@V]}"#),
    ("many members", r#"{"verb":"x","list":[@L],"cluster":@V,"principal":"p"}"#),
    ("value", "@V"),
    ("line", "starting: @V"),
    ("cut", r#"{"a":@V,"b":"@Z""#),
];

/// The secrets of a run, or of one group of records in it.
#[derive(Clone)]
struct Secrets {
    /// Six random digits in front of the record's number, and six after it.
    head: String,
    tail: String,
    /// The same for numbers, four digits each.
    numbers: (String, String),
    found: Regex,
}

impl Secrets {
    /// Secrets from a seed.
    fn new(seed: u64) -> Self {
        // SplitMix64.
        let mix = |step: u64| {
            let mut z = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let head = format!("{:06x}", mix(1) & 0xff_ffff);
        let tail = format!("{:06x}", mix(2) & 0xff_ffff);
        let numbers = (format!("{:04}", mix(3) % 10_000), format!("{:04}", mix(4) % 10_000));
        let secret = format!("sec-{head}");
        let hex = |text: &str| text.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let mut parts = vec![
            format!("(?i:{secret}(?<text>[0-9a-f]{{4}})?)"),
            format!("(?i:{})", hex(&secret)),
            format!("77{}(?<number>[0-9]{{5}}){}", numbers.0, numbers.1),
            format!("(?i:(?<ended>[0-9a-f]{{4}}){tail})"),
        ];
        // The beginning of the secret in base64, independent of the bytes before and after it.
        parts.extend((0..3).map(|before| {
            let encoded = BASE64_STANDARD_NO_PAD.encode(format!("{}{secret}", &"\0\0\0"[..before]));
            let skip = [0, 2, 3][before];
            let whole = (before + secret.len()) / 3 * 4;
            format!("(?-i:{})", regex::escape(&encoded[skip..whole]))
        }));
        Self { head, tail, numbers, found: Regex::new(&parts.join("|")).expect("a regex") }
    }

    fn text(&self, index: usize) -> String {
        format!("sec-{}{index:04x}{}", self.head, self.tail)
    }

    fn number(&self, index: usize) -> String {
        format!("77{}{index:05}{}", self.numbers.0, self.numbers.1)
    }

    /// A spelling of the secret of a record.
    fn spelled(&self, (_, value, times): (&str, &str, usize), index: usize) -> String {
        let secret = self.text(index);
        let rest = &secret[1..];
        let list = |text: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
        let each = |spell: fn(u8) -> String| secret.bytes().map(spell).collect::<String>();
        let mut json = value
            .replace("@P", &secret)
            .replace("@E", &format!(r"\u0073{rest}"))
            .replace("@R", rest)
            .replace("@D", &secret.replace('-', r"\u002d"))
            .replace("@F", &each(|byte| format!(r"\u{byte:04X}")))
            .replace("@Q", &format!("%73{rest}"))
            .replace("@W", &each(|byte| format!("%{byte:02x}")))
            .replace("@X", &format!("%2573{rest}"))
            .replace("@N", &self.number(index))
            .replace("@L", &list(&secret))
            .replace("@M", &list(rest));
        for _ in 0..times {
            json = quoted(&format!(r#"{{"a":{json}}}"#));
        }
        json
    }

    /// Returns the numbers of the records whose secrets are in a text, in any encoding; `None`: a number that cannot be
    /// read.
    fn occur(&self, text: &[u8]) -> BTreeSet<Option<usize>> {
        /// How often escape sequences are resolved.
        const TIMES: usize = 9;
        let mut occur = BTreeSet::new();
        let mut text = without_padding(text);
        for _ in 0..TIMES {
            for found in self.found.captures_iter(&text) {
                let number = |name: &str, radix: u32| {
                    let digits = std::str::from_utf8(found.name(name)?.as_bytes()).ok()?;
                    usize::from_str_radix(digits, radix).ok()
                };
                occur.insert(number("text", 16).or(number("number", 10)).or(number("ended", 16)));
            }
            let resolved = resolve(&text);
            if resolved == text {
                break;
            }
            text = resolved;
        }
        occur
    }
}

/// A text with its escape sequences of JSON and of URIs and its lists of bytes resolved once.
fn resolve(text: &[u8]) -> Vec<u8> {
    let mut resolved = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let code = |skip: usize, length: usize| {
            let digits = std::str::from_utf8(after.get(skip..skip + length)?).ok()?;
            u32::from_str_radix(digits, 16).ok()
        };
        let used = match (first, after.first()) {
            (b'%', _) if let Some(byte) = code(0, 2) => {
                resolved.extend(u8::try_from(byte));
                2
            }
            (b'\\', Some(b'u')) if let Some(character) = code(1, 4) => {
                let character = char::from_u32(character).unwrap_or('\u{fffd}');
                resolved.extend(character.to_string().bytes());
                5
            }
            (b'[', _) if let Some((bytes, used)) = byte_list(after) => {
                resolved.extend(bytes);
                used
            }
            (b'\\', Some(byte @ (b'"' | b'\\' | b'/'))) => {
                resolved.push(*byte);
                1
            }
            (b'\\', Some(b'n' | b'r' | b't' | b'b' | b'f')) => {
                resolved.push(b' ');
                1
            }
            (byte, _) => {
                resolved.push(*byte);
                0
            }
        };
        rest = &after[used..];
    }
    resolved
}

/// The bytes whose numbers, with commas between them, are at the beginning of a text, and its length.
fn byte_list(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'.' | b',' | b' ');
    let length = text.iter().take_while(|byte| is_number(byte)).count();
    let numbers = std::str::from_utf8(&text[..length]).ok()?;
    let bytes: Option<Vec<u8>> = numbers
        .split(',')
        .map(|number| number.trim().trim_start_matches('-').trim_end_matches(".0").parse().ok())
        .collect();
    Some((bytes.filter(|bytes| bytes.len() > 1)?, length))
}

/// A text without its padding: of each run of the same byte, at most eight are kept.
fn without_padding(text: &[u8]) -> Vec<u8> {
    text.chunk_by(|one, other| one == other).flat_map(|run| &run[..run.len().min(8)]).copied().collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A record with gaps.
#[derive(Clone)]
struct Position {
    name: String,
    record: String,
    around: &'static [&'static str],
}

impl Position {
    fn new(name: impl Into<String>, record: impl Into<String>) -> Self {
        Self { name: name.into(), record: record.into(), around: &[] }
    }

    /// A finding with this member, which replaces the one of the same key.
    fn finding((kind, members): (&str, &[(&str, &str)]), key: &str, value: &str) -> Self {
        let folded = |key: &str| key.replace('_', "-");
        let kept = members.iter().filter(|(other, _)| folded(other) != folded(key));
        let mut record = String::from("{");
        for (key, value) in kept {
            let _ = write!(record, "\"{key}\":{value},");
        }
        let _ = write!(record, "\"{key}\":{value}}}");
        Self::new(format!("{kind}, {key}: {value}"), record)
    }

    fn within(&self, (name, around): (&str, &'static [&'static str])) -> Self {
        Self { name: format!("{}; {name}", self.name), around, ..self.clone() }
    }

    /// Returns the record with the gaps filled; `None` if a gap takes only strings, and the value is not a string.
    fn fill(&self, value: &str, index: usize) -> Option<Vec<u8>> {
        if self.record.contains("@K") && !value.starts_with('"') {
            return None;
        }
        let clean = r#"{"etype":"resource","eid":"clean","time":1583078400000}"#;
        let text = quoted(&format!(r#"{{"a":{value}}}"#));
        let number = index.to_string();
        let mut record = self.record.replace("@C", clean).replace("@I", &number);
        record = record.replace("@T", &text).replace("@K", value).replace("@V", value);
        for around in self.around {
            let members =
                record.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
            let cut = record.strip_suffix('}').unwrap_or_default();
            record = around
                .replace("@C", clean)
                .replace("@I", &number)
                .replace("@A", cut)
                .replace("@S", &quoted(&record))
                .replace("@B", members)
                .replace("@R", &record);
        }
        Some(record.into_bytes())
    }
}

/// Records for one configuration.
struct Group {
    name: &'static str,
    /// The fields that are redacted.
    rules: &'static [&'static str],
    config: &'static str,
    /// Whether each record arrives twice, and entries are emitted later.
    twice: bool,
    /// The minimum percentage of the records whose secrets are in the output without redaction. The others are
    /// truncated.
    control: usize,
    records: Vec<Planted>,
}

/// A record with a secret.
struct Planted {
    position: String,
    spelling: &'static str,
    bytes: Vec<u8>,
}

const PLAIN: &str = "
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: activity, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
";
const LIMITED: &str = "
rate-limit: {period: 1h}
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 1, by: entity}}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 1, by: rule}}}
- {type: activity, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 1, by: cluster}}}
";
const COUNTED: &str = "
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}, data-filter: {report: count}}
";

/// All records. Each is one position in one spelling.
fn groups(secrets: &Secrets) -> Vec<Group> {
    let fields: Vec<Position> = MEMBERS
        .iter()
        .flat_map(|(kind, members, gaps)| {
            gaps.iter().map(|(key, value)| Position::finding((kind, members), key, value))
        })
        .collect();
    let wrapped = ["eid", "extra", "context"].into_iter().flat_map(|key| {
        let value = if key == "context" { r#"{"extra":@V}"# } else { "@V" };
        let finding = Position::finding(("detection", DETECTION), key, value);
        AROUND.iter().map(move |around| finding.within(*around))
    });
    let named: Vec<_> = fields.iter().cloned().chain(wrapped).collect();
    let elsewhere: Vec<_> = FINDINGS_ELSEWHERE
        .iter()
        .map(|(key, value)| Position::finding(("detection", DETECTION), key, value))
        .chain(OTHERS.iter().map(|(name, record)| Position::new(*name, *record)))
        .collect();
    let counted: Vec<_> =
        fields.iter().filter(|position| position.name.starts_with("selection")).cloned().collect();
    let all = |_: &str| true;
    let few = |name: &str| FEW.contains(&name);
    let fill =
        |positions: &[Position], chosen: &dyn Fn(&str) -> bool| {
            let mut records = Vec::new();
            for position in positions {
                for spelling in SPELLINGS.iter().filter(|(name, ..)| chosen(name)) {
                    let index = records.len();
                    records.extend(position.fill(&secrets.spelled(*spelling, index), index).map(|bytes| {
                        Planted { position: position.name.clone(), spelling: spelling.0, bytes }
                    }));
                }
            }
            records
        };
    let mut limited = fill(&fields, &all);
    limited.extend(at_cuts(secrets, limited.len()));
    vec![
        Group {
            name: "findings",
            rules: &NAMED,
            config: PLAIN,
            twice: false,
            control: 95,
            records: fill(&named, &all),
        },
        Group {
            name: "elsewhere",
            rules: &["nowhere"],
            config: PLAIN,
            twice: false,
            control: 85,
            records: fill(&elsewhere, &all),
        },
        Group {
            name: "oversized",
            rules: &["extra", "eid"],
            config: PLAIN,
            twice: false,
            control: 50,
            records: oversized(secrets, &few),
        },
        Group {
            name: "summaries",
            rules: &NAMED,
            config: LIMITED,
            twice: true,
            control: 95,
            records: limited,
        },
        Group {
            name: "reports",
            rules: &NAMED,
            config: COUNTED,
            twice: true,
            control: 40,
            records: fill(&counted, &all),
        },
    ]
}

/// Findings whose labels, limiter keys and samples are truncated within the secret.
fn at_cuts(secrets: &Secrets, first: usize) -> Vec<Planted> {
    let mut records = Vec::new();
    for key in ["eid", "short-doc", "cluster", "principal"] {
        for before in (50..340).step_by(5) {
            let index = first + records.len();
            let position = Position::finding(("detection", DETECTION), key, r#""@V""#);
            let value = format!("{}{}", "y".repeat(before), secrets.text(index));
            records.extend(position.fill(&value, index).map(|bytes| Planted {
                position: position.name,
                spelling: "near a label's greatest length",
                bytes,
            }));
        }
    }
    records
}

/// Records above `max-entry-bytes` (16,384), up to ten times, with the secret in the kept part, in the truncated part,
/// and near the boundary.
fn oversized(secrets: &Secrets, few: &dyn Fn(&str) -> bool) -> Vec<Planted> {
    const SIZES: [usize; 4] = [9_000, 20_000, 70_000, 170_000];
    let mut records = Vec::new();
    let mut put =
        |name: &str, record: &str, spelling: (&'static str, &str, usize), size: usize, before: usize| {
            let index = records.len();
            let spelled = secrets.spelled(spelling, index);
            let after = size.saturating_sub(before);
            let value = match spelled.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
                Some(inner) => format!("\"{} {inner} {}\"", "y".repeat(before), "z".repeat(after)),
                None => format!("[\"{}\",{spelled},\"{}\"]", "y".repeat(before), "z".repeat(after)),
            };
            let record =
                record.replace("@Z", &"w".repeat(size)).replace("@L", &vec!["1"; size / 8].join(","));
            let position = Position::new(format!("{name}, {size} bytes, after {before}"), record);
            records.extend(position.fill(&value, index).map(|bytes| Planted {
                position: position.name,
                spelling: spelling.0,
                bytes,
            }));
        };
    for (name, record) in OVERSIZED {
        for size in SIZES {
            for spelling in SPELLINGS.iter().filter(|(name, ..)| few(name)) {
                for before in [0, size / 2, size] {
                    // Few of the large ones, which are slow.
                    if size < 50_000 || spelling.0 == FEW[0] || (before == 0 && spelling.0 == FEW[1]) {
                        put(name, record, *spelling, size, before);
                    }
                }
            }
        }
        for cut in [1_024, 16_384] {
            for before in (cut - 600..cut + 30).step_by(7) {
                if name == "member" || name == "member of a finding" {
                    put(name, record, SPELLINGS[1], 20_000, before);
                }
            }
        }
    }
    records
}

impl Group {
    fn config(&self, shape: &str, redacts: bool) -> String {
        let mut config = format!("{shape}\nguard: {{max-entry-bytes: 16384}}\n");
        if redacts {
            config += "redact:\n";
            for field in self.rules {
                let _ = writeln!(config, "- {{field: {field}, pattern: '{PATTERN}'}}");
            }
        }
        config + self.config
    }

    /// A case of these records.
    fn case(&self, (shape, section): (&str, &str), redacts: bool, records: Vec<Record>) -> Case {
        Case {
            name: format!("secrets/{}/{shape}", self.name),
            config: self.config(section, redacts),
            records,
            own: Vec::new(),
            envelopes: Vec::new(),
            stats: BTreeMap::new(),
            max_entry_bytes: 16_384,
        }
    }

    /// Returns the numbers of the records that a host accepts, and the number of others by reason.
    fn taken(&self, driver: &dyn Driver) -> (BTreeSet<usize>, BTreeMap<&'static str, usize>) {
        let mut reasons = BTreeMap::new();
        let taken = |index: &usize| {
            let case = self.case(SHAPES[0], true, vec![arrives(self.records[*index].bytes.clone(), NOW)]);
            let lacks = |need: &Need| !driver.capabilities().contains(need);
            let reason = case.needs().into_iter().find(lacks).map(Need::reason).or(driver.skips(&case));
            reason.map(|reason| *reasons.entry(reason).or_default() += 1).is_none()
        };
        ((0..self.records.len()).filter(taken).collect(), reasons)
    }

    /// Splits records into runs of a few megabytes, the limit of one request to a browser.
    ///
    /// Records with summaries stay together.
    fn runs(&self, taken: &BTreeSet<usize>) -> Vec<BTreeSet<usize>> {
        const BYTES: usize = 8_000_000;
        let (mut runs, mut bytes) = (vec![BTreeSet::new()], 0);
        for index in taken {
            bytes += self.records[*index].bytes.len();
            if bytes > BYTES && !self.twice {
                runs.push(BTreeSet::new());
                bytes = 0;
            }
            runs.last_mut().expect("there is one").insert(*index);
        }
        runs
    }

    /// Returns the records that a host accepts, as one case.
    fn stream(
        &self,
        driver: &dyn Driver,
        shape: (&str, &str),
        redacts: bool,
        taken: &BTreeSet<usize>,
    ) -> Case {
        let has = |need: Need| driver.capabilities().contains(&need);
        let records = taken.iter().map(|index| arrives(self.records[*index].bytes.clone(), NOW));
        let times = if self.twice { 2 } else { 1 };
        let records = records.flat_map(|record| std::iter::repeat_n(record, times)).collect();
        let mut case = self.case(shape, redacts, records);
        if self.twice {
            case.own = vec![Pattern::default()];
            if !has(Need::Own) && has(Need::Arrival) {
                // Such a host emits a summary or report instead of a record that is dropped or suppressed, as all of
                // these but the first are.
                let later = NOW + 3 * 3_600_000;
                let record = format!(
                    r#"{{"id":"i","verb":"get","cluster":"later","principal":"p","resource-type":"pods","time":{later}}}"#
                );
                let record = arrives(record.into_bytes(), later);
                case.records.extend(std::iter::repeat_n(record, taken.len() + 1));
                case.own.clear();
            }
        }
        if shape.0 == "bulk" {
            case.envelopes = vec![Pattern::default()];
        }
        case
    }
}

fn arrives(bytes: Vec<u8>, at_ms: i64) -> Record {
    let kept = Expected { verdict: "kept".to_owned(), entry: Pattern::default() };
    Record { bytes, at_ms, outcomes: vec![kept], unsplit: None }
}

/// Everything that a host returned or logged.
fn output(run: Run) -> Vec<Vec<u8>> {
    let mut lines = run.lines;
    lines.extend(run.log);
    lines.extend(run.verdicts.into_iter().flatten().map(String::into_bytes));
    lines.extend(run.stats.into_iter().flat_map(BTreeMap::into_keys).map(String::into_bytes));
    lines
}

/// Where secrets occur in lines, each with the first line that contains it.
fn occurrences(secrets: &Secrets, lines: &[Vec<u8>]) -> BTreeMap<Option<usize>, String> {
    let mut occurrences = BTreeMap::new();
    for line in lines {
        for index in secrets.occur(line) {
            occurrences.entry(index).or_insert_with(|| excerpt(line));
        }
    }
    occurrences
}

fn excerpt(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let excerpt: String = text.chars().take(700).collect();
    if excerpt.len() < text.len() { excerpt + "…" } else { excerpt }
}

fn seed() -> u64 {
    let given = std::env::var("KAUDIT_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(0))
}

/// The runs on one host.
#[derive(Default)]
struct Tally {
    /// Records by shape.
    runs: BTreeMap<&'static str, usize>,
    /// Secrets that occurred in the control, and its records.
    shown: usize,
    controlled: usize,
    /// Records that the host does not accept, by reason.
    reasons: BTreeMap<&'static str, usize>,
    /// Positions and spellings of the records it took.
    positions: BTreeSet<String>,
    spellings: BTreeSet<&'static str>,
}

impl Tally {
    fn runs(&self) -> usize {
        self.runs.values().sum()
    }

    /// Positions and spellings that no record had.
    fn missing(&self, groups: &[Group]) -> String {
        let records = || groups.iter().flat_map(|group| &group.records);
        let positions: BTreeSet<_> = records()
            .map(|record| &*record.position)
            .filter(|name| !self.positions.contains(*name))
            .collect();
        let spellings: BTreeSet<_> =
            records().map(|record| record.spelling).filter(|name| !self.spellings.contains(name)).collect();
        format!("{} positions, {} spellings", positions.len(), spellings.len())
    }
}

#[test]
fn planted_secrets_are_in_no_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace");
    // Built for release, all records take a minute; a debug build of each host takes several.
    let is_complete = std::env::var_os("KAUDIT_DIST").is_some();
    let hosts = std::env::var("KAUDIT_HOSTS");
    let hosts = hosts.unwrap_or_else(|_| if is_complete { "" } else { "engine" }.to_owned());
    let seed = seed();
    let secrets = Secrets::new(seed);
    let groups = groups(&secrets);
    let (mut tallies, mut leaks) = (BTreeMap::<_, Tally>::new(), String::new());
    for driver in &mut super::drivers(root, &hosts, "secrets", is_complete) {
        if driver.absent().is_none() {
            let tally = tallies.entry(driver.name()).or_default();
            for group in &groups {
                run(driver.as_mut(), group, &secrets, tally, &mut leaks);
            }
        }
    }
    let records = || groups.iter().flat_map(|group| &group.records);
    let positions = records().map(|planted| &planted.position).collect::<BTreeSet<_>>().len();
    for (host, tally) in &tallies {
        println!(
            "{host}: {:?}; the control shows {} of {} secrets; no record had {}; not taken: {:?}",
            tally.runs,
            tally.shown,
            tally.controlled,
            tally.missing(&groups),
            tally.reasons
        );
    }
    println!(
        "{positions} positions × {} spellings ({} records) × {} hosts × {} shapes = {} runs, {} leaks",
        SPELLINGS.len(),
        records().count(),
        tallies.len(),
        SHAPES.len(),
        tallies.values().map(Tally::runs).sum::<usize>(),
        leaks.matches("\n    ").count()
    );
    assert!(leaks.is_empty(), "KAUDIT_SEED={seed}: {} leaks\n{leaks}", leaks.matches("\n    ").count());
}

/// Runs a group on a host in each shape, and in some without redaction.
fn run(driver: &mut dyn Driver, group: &Group, secrets: &Secrets, tally: &mut Tally, leaks: &mut String) {
    /// The shapes that run without redaction, too: text as an object and as a string.
    const CONTROLLED: [&str; 2] = ["singles object", "singles string"];
    let host = driver.name();
    let (taken, reasons) = group.taken(driver);
    for (reason, count) in reasons {
        *tally.reasons.entry(reason).or_default() += count;
    }
    for planted in taken.iter().filter_map(|index| group.records.get(*index)) {
        tally.positions.insert(planted.position.clone());
        tally.spellings.insert(planted.spelling);
    }
    for shape in SHAPES {
        let needed =
            [("bulk", Need::Bulk), ("otlp", Need::Otlp)].into_iter().find(|(name, _)| *name == shape.0);
        if needed.is_some_and(|(_, need)| !driver.capabilities().contains(&need)) {
            continue;
        }
        let place = format!("{host}, {}, {}", shape.0, group.name);
        let mut found = |redacts: bool| {
            let mut found = BTreeMap::new();
            for taken in group.runs(&taken) {
                match driver.run(&group.stream(driver, shape, redacts, &taken)) {
                    Outcome::Ran(run) => found.extend(occurrences(secrets, &output(run))),
                    other => panic!("{place}: {other:?}"),
                }
            }
            found
        };
        for (index, line) in found(true) {
            let planted = index.and_then(|index| group.records.get(index));
            let (position, spelling) =
                planted.map_or(("?", "?"), |planted| (&*planted.position, planted.spelling));
            let _ = writeln!(leaks, "{place}: {position} × {spelling}\n    {line}");
        }
        *tally.runs.entry(shape.0).or_default() += taken.len();
        if !CONTROLLED.contains(&shape.0) {
            continue;
        }
        let shown = found(false);
        let shown = taken.iter().filter(|index| shown.contains_key(&Some(**index))).count();
        tally.shown += shown;
        tally.controlled += taken.len();
        if shown * 100 < taken.len() * group.control {
            let _ = writeln!(leaks, "{place}: the control\n    shows {shown} of {} secrets", taken.len());
        }
    }
}

/// A `MessagePack` value around a secret, which is given as bytes.
type Special = (&'static str, fn(&[u8]) -> Value);

/// Values that JSON lacks. In a finding, they are under a field that the redaction names.
const SPECIALS: [Special; 14] = [
    ("binary", |secret| Value::Binary(secret.to_vec())),
    ("binary with other bytes", |secret| Value::Binary([b"\xff\x00", secret, b"\xfe"].concat())),
    ("extension", |secret| Value::Ext(7, secret.to_vec())),
    ("application extension", |secret| Value::Ext(0, secret.to_vec())),
    ("invalid UTF-8 before it", |secret| broken(&[b"\xff\xc3", secret].concat())),
    ("invalid UTF-8 after it", |secret| broken(&[secret, b"\xe2\x82"].concat())),
    ("invalid UTF-8 in JSON text", |secret| broken(&[b"{\"a\":\"\xff", secret, b"\"}"].concat())),
    ("binary key", |secret| Value::Map(vec![(Value::Binary(secret.to_vec()), 1.into())])),
    ("key of invalid UTF-8", |secret| Value::Map(vec![(broken(&[b"\xff", secret].concat()), 1.into())])),
    ("value of a number key", |secret| {
        Value::Map(vec![(1.into(), text(secret)), (Value::Boolean(true), text(secret))])
    }),
    ("value of a null key", |secret| Value::Map(vec![(Value::Nil, Value::Array(vec![text(secret)]))])),
    ("list as a key", |secret| Value::Map(vec![(Value::Array(vec![text(secret)]), 1.into())])),
    ("too deep", |secret| (0..30).fold(text(secret), |inner, _| Value::Array(vec![inner]))),
    ("too deep, maps", |secret| (0..30).fold(text(secret), |inner, _| Value::Map(vec![("a".into(), inner)]))),
];

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// A string of bytes that are not UTF-8.
fn broken(bytes: &[u8]) -> Value {
    let mut packed = vec![0xda, 0];
    packed.push(u8::try_from(bytes.len()).expect("a short string"));
    packed.extend(bytes);
    rmpv::decode::read_value(&mut packed.as_slice()).expect("a string")
}

/// The records around a special: a finding, other records, and an entry that the filter has made.
fn special_records(special: &Value) -> Vec<(&'static str, Value)> {
    let map = |members: &[(&str, Value)]| {
        Value::Map(members.iter().map(|(key, value)| ((*key).into(), value.clone())).collect())
    };
    let finding = |key: &str| {
        map(&[
            ("etype", "principal".into()),
            (key, special.clone()),
            ("eid", "e".into()),
            ("time", NOW.into()),
        ])
    };
    let entry = |name: Value, text: Value| {
        map(&[
            ("applicationName", name),
            ("subsystemName", "s".into()),
            ("timestamp", NOW.into()),
            ("severity", 3.into()),
            ("text", text),
        ])
    };
    vec![
        ("member of a finding", finding("extra")),
        ("label of a finding", finding("short-doc")),
        ("the filter's own key", finding("kaudit_filter")),
        ("member", map(&[("a", special.clone())])),
        ("under `log`", map(&[("log", special.clone()), ("b", 1.into())])),
        ("name", map(&[("cluster", special.clone())])),
        ("list", Value::Array(vec![special.clone()])),
        ("value", special.clone()),
        ("item of a batch", map(&[("records", Value::Array(vec![finding("extra"), special.clone()]))])),
        ("own output", entry("a".into(), map(&[("a", special.clone())]))),
        ("own output, its name", entry(special.clone(), map(&[("a", 1.into())]))),
        ("oversized", map(&[("b", "w".repeat(70_000).into()), ("a", special.clone())])),
    ]
}

#[test]
fn secrets_in_messagepack_are_in_no_output() {
    let seed = seed();
    let secrets = Secrets::new(seed);
    let (mut total, mut leaks, mut shown) = (0, String::new(), 0);
    for (shape, section) in SHAPES {
        for redacts in [true, false] {
            let group = Group {
                name: "",
                rules: &["extra", "short-doc"],
                config: PLAIN,
                twice: false,
                control: 0,
                records: vec![],
            };
            let config =
                engine::read(&group.config(section, redacts)).unwrap_or_else(|remarks| panic!("{remarks:?}"));
            for (name, special) in SPECIALS {
                for (position, record) in special_records(&special(secrets.text(1).as_bytes())) {
                    let mut bytes = Vec::new();
                    rmpv::encode::write_value(&mut bytes, &record).expect("a vector takes all");
                    for (end, bytes) in [("", &bytes[..]), (", cut", &bytes[..bytes.len() - 1])] {
                        // A record that ends within the secret contains a part of it, which no pattern can match.
                        if !end.is_empty() && !secrets.occur(bytes).contains(&Some(1)) {
                            continue;
                        }
                        let fed = engine::feed(&config, Encoding::MsgPack, &[(bytes.to_vec(), NOW)]);
                        let lines: Vec<_> =
                            fed.expect("a filter").emitted.into_iter().map(|line| line.bytes).collect();
                        let found = occurrences(&secrets, &lines);
                        if !redacts {
                            shown += found.len();
                            continue;
                        }
                        total += 1;
                        for line in found.values() {
                            let _ = writeln!(leaks, "{shape}: {position}{end} × {name}\n    {line}");
                        }
                    }
                }
            }
        }
    }
    println!("{total} records of MessagePack, {shown} secrets without redaction");
    assert!(shown * 2 > total, "without redaction only {shown} of {total} secrets are emitted");
    assert!(leaks.is_empty(), "KAUDIT_SEED={seed}: {} leaks\n{leaks}", leaks.matches("\n    ").count());
}
