//! Requests and replies.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, de};
pub use serde_json::Value;

/// A request; each is answered by one [`Reply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// Starts an instance of the plugin, which replaces the previous one. Answered by `started` or `refused`.
    Start(Start),
    /// Filters a chunk. Answered by `chunk`.
    Chunk(Chunk),
    /// Stops the instance as the agent does when it shuts down. Answered by `stopped`.
    Stop,
    /// Fluent Bit only: reads the metrics of the instance. Answered by `series`.
    Series,
    /// Stores a chunk for [`Request::Round`]. Answered by `held`.
    Hold(Chunk),
    /// Measures the memory of the driver's process. Answered by `resident`.
    Resident,
    /// Starts and warms up an instance, and measures the time in which it filters all stored chunks. Answered by
    /// `round`, or by `refused`.
    Round(Start),
}

/// The arguments of a start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    /// The agent's clock, nanoseconds since 1970.
    pub at: i64,
    /// Options of the plugin in the agent's configuration; one that is given twice is passed twice where the agent does.
    pub options: Vec<(String, Value)>,
    /// Operand stack of a WebAssembly guest, bytes; the default is Fluent Bit's.
    pub stack: Option<u32>,
    /// The directory that a WebAssembly guest may read.
    pub directory: Option<PathBuf>,
}

impl Start {
    /// A start at a time, with options.
    pub fn new<K: Into<String>>(at: i64, options: impl IntoIterator<Item = (K, Value)>) -> Self {
        let options = options.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Self { at, options, ..Self::default() }
    }
}

/// Records that arrive together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chunk {
    /// Their time of arrival, nanoseconds since 1970; it also sets the agent's clock.
    pub at: i64,
    /// The records.
    pub records: Vec<Record>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Its text. Fluent Bit gets an object decoded and any other text under `log`, Vector gets the text in `message`, a
    /// WebAssembly guest gets it unchanged.
    Text(String),
    /// The bytes of a text that is not UTF-8. Fluent Bit has no such records.
    Hex(Hex),
    /// Fluent Bit only: a JSON object as an event in the format of Fluent Bit before 2.1.
    OldEvent(String),
    /// Fluent Bit only: bytes of the chunk itself.
    Raw(Hex),
    /// Vector only: the value of `log`.
    Log(Value),
}

impl Record {
    /// The record with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(Hex(bytes.to_owned())),
        }
    }
}

/// Bytes, written as pairs of hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Hex {
    /// Parses pairs of hexadecimal digits.
    ///
    /// # Errors
    /// The text contains anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
        let bytes = bytes.filter(|_| text.len().is_multiple_of(2));
        bytes.map(Self).ok_or_else(|| format!("expected pairs of hexadecimal digits, found `{text}`"))
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// The instance started; the lines that it logged.
    Started(Vec<Line>),
    /// The plugin refused its options or its configuration; the lines that it logged.
    Refused(Vec<Line>),
    /// The result of a chunk.
    Chunk(Filtered),
    /// The instance stopped.
    Stopped(Stopped),
    /// The values of metrics by series.
    Series(BTreeMap<String, u64>),
    /// The chunk is stored.
    Held,
    /// Resident memory of the process, kB.
    Resident(u64),
    /// The result of a round.
    Round(Round),
    /// The request is invalid, or the plugin failed; one line.
    Failed(String),
}

/// The result of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filtered {
    /// Fluent Bit only.
    pub outcome: Option<Outcome>,
    /// The events after the plugin, in order.
    pub events: Vec<Event>,
    /// Fluent Bit only: why the events of an untouched chunk cannot be read.
    pub malformed: Option<String>,
    /// Vector only: the verdicts, one for each record or for each item of a batch.
    pub verdicts: Vec<String>,
    /// WebAssembly only: records that the agent loses.
    pub lost: Vec<Lost>,
    /// wasmtime only: the instructions that the guest executed for the chunk.
    pub instructions: Option<u64>,
    /// The lines that the plugin logged.
    pub log: Vec<Line>,
}

/// The result of Fluent Bit's plugin for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is used unchanged.
    Untouched,
    /// It is dropped.
    Dropped,
    /// It is replaced by other bytes.
    Replaced,
}

/// An event after the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Fluent Bit only: the encoded timestamp and metadata.
    pub head: Option<Hex>,
    /// Fluent Bit only: the metadata, unless it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// The text of a JSON value: Fluent Bit's body, Vector's log, the reply of a WebAssembly guest.
    pub body: String,
}

/// A record that the agent loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// Its index in the chunk.
    pub record: usize,
    /// The reason.
    pub reason: String,
}

/// The result of stopping an instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stopped {
    /// Vector only: pending summaries and reports, which its shutdown emits.
    pub events: Vec<Event>,
    /// Vector only: counters by name, `group.name` in a group.
    pub statistics: BTreeMap<String, u64>,
    /// Vector only: the metric events that the plugin emits for a timer, after its shutdown.
    pub metrics: Vec<Value>,
    /// Fluent Bit only: the values of metrics by series, after the instance stopped.
    pub series: BTreeMap<String, u64>,
    /// The lines that the plugin logged.
    pub log: Vec<Line>,
}

/// The result of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// CPU time of the thread that called the plugin, nanoseconds.
    pub nanos: u64,
    /// The number of events after the plugin.
    pub events: u64,
    /// Resident memory of the process at the end, kB.
    pub resident_kb: u64,
}

/// A line that a plugin logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// The line.
    pub text: String,
}

impl Line {
    /// The lines of a text, all of one level.
    pub fn of(level: Level, text: &str) -> Vec<Self> {
        text.lines().map(|line| Self { level, text: line.to_owned() }).collect()
    }

    /// The text without the name of the instance, which Fluent Bit's plugins put first.
    pub fn message(&self) -> &str {
        let named = self.text.strip_prefix("[filter:").and_then(|text| text.split_once("] "));
        named.map_or(&self.text, |(_, message)| message)
    }
}

/// Levels of log lines, numbered as Fluent Bit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// An error.
    Error = 1,
    /// A warning; also a line on the standard error of a WebAssembly guest, which has no levels.
    Warning = 2,
    /// Information.
    Info = 3,
    /// Anything below.
    Debug = 4,
}

/// Adds the numbers of a nested object by their paths: `group.name`.
pub fn flatten(path: &str, value: &Value, numbers: &mut BTreeMap<String, u64>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Value::Object(members) = value {
        members.iter().for_each(|(key, member)| flatten(&inner(key), member, numbers));
    } else if let Some(number) = value.as_u64() {
        numbers.insert(path.to_owned(), number);
    }
}
