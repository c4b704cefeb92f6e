//! The cases: TOML files, one for each group, read strictly. `tests/data/cases/README.md` describes the format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use regex::Regex;
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};
use toml::value::Datetime;

/// One case: a configuration, records in the order of their arrival, and the expected results.
#[derive(Clone, Debug)]
pub struct Case {
    /// `group/name`; `group/name+warm-up` where the case runs after its warm-up records.
    pub name: String,
    /// The filter's own document, YAML.
    pub config: String,
    /// The records, first the records of the warm-up.
    pub records: Vec<Record>,
    /// The entries that the filter adds, in order: detections, summaries and count reports.
    pub own: Vec<Pattern>,
    /// Bulk envelopes in any order; empty: the host emits entries.
    pub envelopes: Vec<Pattern>,
    /// Counters beyond those that follow from the verdicts.
    pub stats: BTreeMap<String, u64>,
    /// The largest entry the contract allows in this case, bytes.
    pub max_entry_bytes: usize,
}

/// One record and its expected outcome.
#[derive(Clone, Debug)]
pub struct Record {
    /// The record; it may be neither JSON nor UTF-8.
    pub bytes: Vec<u8>,
    /// Arrival, epoch milliseconds.
    pub at_ms: i64,
    /// The expected outcome; of a batch, one for each of its items, in order.
    pub outcomes: Vec<Expected>,
    /// The expected outcome of a batch on a host that does not split it, if the case has one.
    pub unsplit: Option<Expected>,
}

/// The expected outcome of a record, or of an item of a batch.
#[derive(Clone, Debug)]
pub struct Expected {
    /// `kept`, `dropped: <reason>`, `suppressed` or `passed`.
    pub verdict: String,
    /// The pattern of its entry.
    ///
    /// Of outcomes without an entry, only a passed item of a batch has one: the pattern of the record that is emitted
    /// for it.
    pub entry: Pattern,
}

/// A pattern for a JSON value. The default matches every value.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// The whole value.
    pub whole: Option<Value>,
    /// Exact values by path.
    pub has: BTreeMap<String, Value>,
    /// Paths that must not exist.
    pub lacks: Vec<String>,
    /// Regular expressions by the path of the string that they must match.
    pub like: BTreeMap<String, Like>,
}

/// A regular expression of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Like(pub Regex);

impl TryFrom<String> for Like {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        Regex::new(&text).map(Self)
    }
}

/// A capability that a case requires of a host; it follows from the case's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Records arrive at different times.
    Arrival,
    /// A record is not a JSON object; only a host that passes text can have it.
    Text,
    /// A record's text is not one line, or not one JSON value; a host that splits a stream into records reads others.
    Bounds,
    /// Envelopes are emitted.
    Bulk,
    /// Log records of OTLP are emitted.
    Otlp,
    /// Entries are emitted that belong to no single record.
    Own,
    /// A record is a batch, and each of its items becomes an entry of its own.
    Batch,
}

impl Need {
    /// Returns the reason why a host without it skips the case.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Arrival => "records arrive at different times, and the host sets the time",
            Self::Text => "a record is not a JSON object, and the host passes decoded ones",
            Self::Bounds => {
                "a record's text is not one JSON value or line, and the host splits its input itself"
            }
            Self::Bulk => "envelopes are expected, and the host emits single entries",
            Self::Otlp => "log records of OTLP are expected, and the host cannot emit them",
            Self::Own => "summaries or reports are expected, and the host cannot emit them",
            Self::Batch => "a record is a batch, and the host emits at most one entry for each record",
        }
    }
}

impl Case {
    /// Returns the capabilities that a host must have to run this case.
    pub fn needs(&self) -> BTreeSet<Need> {
        let mut needs = BTreeSet::new();
        if self.records.windows(2).any(|pair| pair[0].at_ms != pair[1].at_ms) {
            needs.insert(Need::Arrival);
        }
        let is_object = |record: &Record| serde_json::from_slice::<Map<String, Value>>(&record.bytes).is_ok();
        if !self.records.iter().all(is_object) {
            needs.insert(Need::Text);
        }
        if !self.records.iter().all(Record::is_bounded) {
            needs.insert(Need::Bounds);
        }
        if !self.envelopes.is_empty() {
            needs.insert(Need::Bulk);
        }
        if self.is_otlp() {
            needs.insert(Need::Otlp);
        }
        if !self.own.is_empty() {
            needs.insert(Need::Own);
        }
        if self.records.iter().any(|record| record.is_batch() && record.unsplit.is_none()) {
            needs.insert(Need::Batch);
        }
        needs
    }

    /// Returns whether the configuration has the shape otlp.
    pub fn is_otlp(&self) -> bool {
        self.config.contains("shape: otlp")
    }

    /// Returns the case for a host that emits at most one entry for each record.
    ///
    /// A batch is one record there, and has the outcome `unsplit` of the case.
    #[must_use]
    pub fn without_batches(&self) -> Self {
        let mut case = self.clone();
        for record in &mut case.records {
            record.outcomes =
                record.unsplit.take().map_or_else(|| record.outcomes.clone(), |whole| vec![whole]);
        }
        case
    }

    /// Returns the expected outcomes of all records and of all items of batches, in order, each with its record.
    pub fn outcomes(&self) -> impl Iterator<Item = (&Record, &Expected)> {
        self.records.iter().flat_map(|record| record.outcomes.iter().map(move |expected| (record, expected)))
    }

    /// Returns the arrival of the last record, epoch milliseconds.
    pub fn end_ms(&self) -> i64 {
        self.records.iter().map(|record| record.at_ms).max().unwrap_or(0)
    }
}

impl Expected {
    /// Returns whether an entry, or the unchanged record, is emitted.
    pub fn is_emitted(&self) -> bool {
        matches!(self.verdict.as_str(), "kept" | "passed")
    }
}

impl Record {
    /// Returns whether the record contains several items, each with an outcome of its own.
    pub fn is_batch(&self) -> bool {
        self.outcomes.len() > 1
    }

    /// Returns whether a reader that splits a stream into records returns exactly this one.
    fn is_bounded(&self) -> bool {
        let mut values = Deserializer::from_slice(&self.bytes).into_iter::<Value>();
        match values.next() {
            None | Some(Ok(Value::Array(_))) => false,
            Some(Ok(_)) => values.next().is_none(),
            Some(Err(_)) => !self.bytes.contains(&b'\n'),
        }
    }
}

/// Reads every `*.toml` of a directory, in the order of their names; all mistakes of all files at once.
pub fn load(directory: &Path) -> Result<Vec<Case>, String> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .map_err(|error| format!("{}: {error}", directory.display()))?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for path in &files {
        let group = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match text.and_then(|text| parse(&group, &text)) {
            Ok(found) => cases.extend(found),
            Err(what) => mistakes.push(format!("{}: {what}", path.display())),
        }
    }
    if cases.is_empty() && mistakes.is_empty() {
        mistakes.push(format!("{}: no case", directory.display()));
    }
    if mistakes.is_empty() { Ok(cases) } else { Err(mistakes.join("\n")) }
}

/// Reads one file's text.
pub fn parse(group: &str, text: &str) -> Result<Vec<Case>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for raw in file.case {
        let name = format!("{group}/{}", raw.name);
        if !names.insert(raw.name.clone()) {
            return Err(format!("{name}: two cases have this name"));
        }
        cases.extend(raw.finish(&name, &file.default).map_err(|what| format!("{name}: {what}"))?);
    }
    Ok(cases)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Default_,
    case: Vec<RawCase>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Default_ {
    config: Option<String>,
    now: Option<Datetime>,
    #[serde(default)]
    warm_up: Vec<RawRecord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCase {
    name: String,
    config: Option<String>,
    /// Sections in front of the file's default configuration.
    sections: Option<String>,
    now: Option<Datetime>,
    /// Records that arrive before the others in a second run of the case.
    warm_up: Option<Vec<RawRecord>>,
    record: Vec<RawRecord>,
    #[serde(default)]
    own: Vec<RawPattern>,
    #[serde(default)]
    envelope: Vec<RawPattern>,
    #[serde(default)]
    stats: BTreeMap<String, u64>,
    max_entry_bytes: Option<usize>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord {
    text: Option<String>,
    base64: Option<String>,
    /// Marks in the text, each with its replacement and the number of its repetitions.
    #[serde(default)]
    repeat: BTreeMap<String, (String, usize)>,
    at: Option<Datetime>,
    #[serde(default = "once")]
    times: usize,
    verdict: Option<String>,
    entry: Option<String>,
    #[serde(default)]
    has: BTreeMap<String, Value>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    like: BTreeMap<String, Like>,
    /// The outcomes of a batch's items.
    batch: Option<Vec<RawExpected>>,
    /// The outcome of a batch on a host that does not split it.
    unsplit: Option<RawExpected>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    verdict: Option<String>,
    entry: Option<String>,
    #[serde(default)]
    has: BTreeMap<String, Value>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    like: BTreeMap<String, Like>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPattern {
    entry: Option<String>,
    #[serde(default)]
    has: BTreeMap<String, Value>,
    #[serde(default)]
    lacks: Vec<String>,
    #[serde(default)]
    like: BTreeMap<String, Like>,
}

fn once() -> usize {
    1
}

/// The guard's own default.
const MAX_ENTRY_BYTES: usize = 30_000;

impl RawCase {
    /// Returns the case, and if it has a warm-up, a second case with it.
    fn finish(self, name: &str, default: &Default_) -> Result<Vec<Case>, String> {
        let config = match (self.config, self.sections, &default.config) {
            (Some(config), None, _) => config,
            (None, sections, Some(config)) => sections.unwrap_or_default() + config,
            (Some(_), Some(_), _) => return Err("`config` and `sections` exclude each other".to_owned()),
            (None, _, None) => return Err("neither the case nor the file has a `config`".to_owned()),
        };
        let now = self.now.or(default.now);
        // The warm-up arrives with the first record, so that it requires no further capability.
        let first = self.record.first().and_then(|record| record.at).or(now);
        let warm_up = self.warm_up.unwrap_or_else(|| default.warm_up.clone());
        let warm_up = all(warm_up, first).map_err(|what| format!("warm-up: {what}"))?;
        let records = all(self.record, now)?;
        if records.is_empty() {
            return Err("no record".to_owned());
        }
        let cold = Case {
            name: name.to_owned(),
            config,
            records,
            own: self.own.into_iter().map(RawPattern::finish).collect::<Result<_, _>>()?,
            envelopes: self.envelope.into_iter().map(RawPattern::finish).collect::<Result<_, _>>()?,
            stats: self.stats,
            max_entry_bytes: self.max_entry_bytes.unwrap_or(MAX_ENTRY_BYTES),
        };
        if warm_up.is_empty() {
            return Ok(vec![cold]);
        }
        let mut warm = cold.clone();
        warm.name += "+warm-up";
        warm.records = [warm_up, warm.records].concat();
        Ok(vec![cold, warm])
    }
}

/// Returns the records, each as often as it arrives.
fn all(raw: Vec<RawRecord>, now: Option<Datetime>) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let times = raw.times;
        let record = raw.finish(now).map_err(|what| format!("record {index}: {what}"))?;
        records.extend(std::iter::repeat_n(record, times));
    }
    Ok(records)
}

impl RawRecord {
    fn finish(self, now: Option<Datetime>) -> Result<Record, String> {
        let mut bytes = match (self.text, self.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => {
                base64::prelude::BASE64_STANDARD.decode(text).map_err(|error| error.to_string())?
            }
            _ => return Err("one of `text` and `base64`".to_owned()),
        };
        for (mark, (part, times)) in &self.repeat {
            let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
            if !text.contains(mark) {
                return Err(format!("`repeat` names `{mark}`, which is not in the text"));
            }
            bytes = text.replace(mark, &part.repeat(*times)).into_bytes();
        }
        let own = RawExpected {
            verdict: self.verdict,
            entry: self.entry,
            has: self.has,
            lacks: self.lacks,
            like: self.like,
        };
        let at = self.at.or(now).ok_or("neither the record has an `at` nor the case or file a `now`")?;
        let at_ms = epoch_ms(at)?;
        let outcomes = match self.batch {
            None if self.unsplit.is_some() => return Err("`unsplit` without a `batch`".to_owned()),
            None => vec![own.finish(false)?],
            Some(_) if !own.is_empty() => {
                return Err("a record has both `batch` and an outcome; write one of them".to_owned());
            }
            Some(items) if items.len() < 2 => {
                return Err(
                    "a `batch` has at least two items; for one item, write the record's outcome".to_owned()
                );
            }
            Some(items) => {
                let item = |(index, item): (usize, RawExpected)| {
                    item.finish(true).map_err(|what| format!("item {index}: {what}"))
                };
                items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?
            }
        };
        let unsplit = self.unsplit.map(|whole| whole.finish(false)).transpose();
        let unsplit = unsplit.map_err(|what| format!("`unsplit`: {what}"))?;
        Ok(Record { bytes, at_ms, outcomes, unsplit })
    }
}

impl RawExpected {
    fn is_empty(&self) -> bool {
        self.verdict.is_none() && self.pattern().is_ok_and(|pattern| pattern.matches_all())
    }

    fn pattern(&self) -> Result<Pattern, String> {
        let Self { entry, has, lacks, like, .. } = self.clone();
        RawPattern { entry, has, lacks, like }.finish()
    }

    /// Reads the outcome of a record, or of an item of a batch.
    ///
    /// Only a passed item may have a pattern: its text is not in the case.
    fn finish(self, is_item: bool) -> Result<Expected, String> {
        let entry = self.pattern()?;
        let expects_entry = !entry.matches_all();
        let verdict = match self.verdict {
            None if expects_entry => "kept".to_owned(),
            None => return Err("no `verdict`".to_owned()),
            Some(verdict) if verdict == "passed" && is_item => verdict,
            Some(verdict) if verdict != "kept" && expects_entry => {
                return Err(format!("a record that is {verdict} has no entry to compare"));
            }
            Some(verdict) => known(verdict)?,
        };
        Ok(Expected { verdict, entry })
    }
}

impl RawPattern {
    fn finish(self) -> Result<Pattern, String> {
        let whole = self.entry.map(|text| contract::parse(text.as_bytes())).transpose()?;
        if whole.is_some() && !self.has.is_empty() {
            return Err("`entry` is the whole entry; `has` would repeat a part of it".to_owned());
        }
        Ok(Pattern { whole, has: self.has, lacks: self.lacks, like: self.like })
    }
}

impl Pattern {
    /// Returns whether the pattern matches every value.
    pub fn matches_all(&self) -> bool {
        self.whole.is_none() && self.has.is_empty() && self.lacks.is_empty() && self.like.is_empty()
    }
}

fn known(verdict: String) -> Result<String, String> {
    match verdict.strip_prefix("dropped: ") {
        Some(reason) if !reason.is_empty() => Ok(verdict),
        None if matches!(verdict.as_str(), "kept" | "suppressed" | "passed") => Ok(verdict),
        _ => Err(format!(
            "`{verdict}` is not a verdict; expected kept, `dropped: <reason>`, suppressed or passed"
        )),
    }
}

/// Returns a time of a case in epoch milliseconds.
pub fn epoch_ms(time: Datetime) -> Result<i64, String> {
    let text = time.to_string();
    let time = humantime::parse_rfc3339(&text)
        .map_err(|error| format!("{text}: {error}; write it in UTC, with a Z"))?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| format!("{text}: before 1970"))?;
    i64::try_from(since.as_millis()).map_err(|_| format!("{text}: too late"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "[default]\nconfig = 'integrations: []'\nnow = 2020-03-01T16:00:00Z\n[[case]]\nname = 'a'\n";

    fn one(rest: &str) -> Result<Case, String> {
        parse("group", &format!("{HEAD}{rest}")).map(|mut cases| cases.remove(0))
    }

    #[test]
    fn defaults_sections_repetition_and_times_expand() {
        let case = one(r#"
            sections = "unrecognised: drop\n"
            record = [
                { text = '{"a":"%x"}', repeat = { "%x" = ["yo", 3] }, times = 2, verdict = "dropped: etype" },
                { base64 = "/w==", at = 2020-03-01T16:00:00.250Z, has = { severity = 3 } },
            ]"#)
        .unwrap();
        assert_eq!(case.name, "group/a");
        assert_eq!(case.config, "unrecognised: drop\nintegrations: []");
        let seen: Vec<_> = case
            .outcomes()
            .map(|(record, expected)| (record.bytes.as_slice(), record.at_ms, expected.verdict.as_str()))
            .collect();
        let twice = (br#"{"a":"yoyoyo"}"#.as_slice(), 1_583_078_400_000, "dropped: etype");
        assert_eq!(seen, [twice, twice, (b"\xff".as_slice(), 1_583_078_400_250, "kept")]);
        assert_eq!(case.needs(), BTreeSet::from([Need::Arrival, Need::Text]));
    }

    #[test]
    fn needs_follow_from_the_data() {
        let needs = |text: &str, rest: &str| {
            one(&format!("record = [{{ text = '''{text}''', verdict = 'kept' }}]\n{rest}")).unwrap().needs()
        };
        assert_eq!(needs("{}", ""), BTreeSet::new());
        assert_eq!(needs("hello", ""), BTreeSet::from([Need::Text]));
        assert_eq!(needs("{\n}", ""), BTreeSet::new());
        for text in ["[{}]", "{} {}", "", "{\nx", "42 hello"] {
            assert!(needs(text, "").contains(&Need::Bounds), "{text}");
        }
        assert_eq!(needs("{}", "envelope = [{ has = { a = 1 } }]"), BTreeSet::from([Need::Bulk]));
        assert_eq!(needs("{}", "own = [{ has = { a = 1 } }]"), BTreeSet::from([Need::Own]));
    }

    #[test]
    fn a_batch_has_the_outcomes_of_its_items() {
        let case = one(
            r#"record = [
                { text = "{}", batch = [{ has = { a = 1 } }, { verdict = "dropped: x" }, { verdict = "passed", has = { b = 2 } }] },
                { text = "{}", batch = [{ verdict = "kept" }, { verdict = "kept" }], unsplit = { has = { c = 3 } } },
            ]"#,
        )
        .unwrap();
        let verdicts = |case: &Case| -> Vec<String> {
            case.outcomes().map(|(_, expected)| expected.verdict.clone()).collect()
        };
        assert_eq!(verdicts(&case), ["kept", "dropped: x", "passed", "kept", "kept"]);
        assert_eq!(case.needs(), BTreeSet::from([Need::Batch]));
        let whole = case.without_batches();
        assert_eq!(verdicts(&whole), ["kept", "dropped: x", "passed", "kept"]);
        assert_eq!(whole.records[1].outcomes[0].entry.has["c"], 3);
        let without_batch = Case { records: case.records[1..].to_vec(), ..case.clone() };
        assert_eq!(without_batch.needs(), BTreeSet::new(), "every host has an outcome");
    }

    #[test]
    fn a_warm_up_makes_a_second_case() {
        let text = format!(
            r#"{}
            record = [{{ text = "2", verdict = "kept", at = 2020-03-01T15:00:00Z }}]
            [[case]]
            name = "b"
            warm-up = [{{ text = "3", verdict = "passed", times = 2 }}]
            record = [{{ text = "4", verdict = "kept" }}]
            [[case]]
            name = "c"
            warm-up = []
            record = [{{ text = "5", verdict = "kept" }}]"#,
            HEAD.replace("[default]", "[default]\nwarm-up = [{ text = '1', verdict = 'dropped: x' }]")
        );
        let cases = parse("group", &text).unwrap();
        let seen: Vec<_> = cases
            .iter()
            .map(|case| {
                let records = case.outcomes().map(|(record, expected)| {
                    format!("{} {}", String::from_utf8_lossy(&record.bytes), expected.verdict)
                });
                (case.name.as_str(), records.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let expected = [
            ("group/a", "2 kept"),
            ("group/a+warm-up", "1 dropped: x, 2 kept"),
            ("group/b", "4 kept"),
            ("group/b+warm-up", "3 passed, 3 passed, 4 kept"),
            ("group/c", "5 kept"),
        ];
        assert_eq!(seen, expected.map(|(name, records)| (name, records.to_owned())));
        assert!(!cases[1].needs().contains(&Need::Arrival), "the warm-up arrives with the first record");
    }

    #[test]
    fn mistakes_of_a_file_are_refused() {
        for (rest, complaint) in [
            ("record = []", "no record"),
            ("colour = 1\nrecord = []", "unknown field `colour`"),
            ("record = [{ text = '{}' }]", "record 0: no `verdict`"),
            ("record = [{ text = '{}', verdict = 'lost' }]", "`lost` is not a verdict"),
            ("record = [{ text = '{}', verdict = 'dropped: ' }]", "`dropped: ` is not a verdict"),
            ("record = [{ verdict = 'kept' }]", "one of `text` and `base64`"),
            ("record = [{ text = '{}', vedict = 'kept' }]", "unknown field `vedict`"),
            ("record = [{ text = '{}', verdict = 'passed', has = { a = 1 } }]", "has no entry to compare"),
            ("record = [{ text = '{}', entry = '{\"a\":1,\"a\":2}' }]", "duplicate key `a`"),
            ("record = [{ text = '{}', like = { a = '(' } }]", "unclosed group"),
            (
                "record = [{ text = '{}', repeat = { z = ['a', 2] }, verdict = 'kept' }]",
                "which is not in the text",
            ),
            ("record = [{ text = '{}', at = 2020-03-01, verdict = 'kept' }]", "in UTC, with a Z"),
            ("config = ''\nsections = ''\nrecord = []", "exclude each other"),
            ("record = [{ text = '{}', batch = [{ verdict = 'kept' }] }]", "has at least two items"),
            (
                "record = [{ text = '{}', verdict = 'kept', batch = [{ verdict = 'kept' }, { verdict = 'kept' }] }]",
                "both `batch` and an outcome",
            ),
            (
                "record = [{ text = '{}', batch = [{ verdict = 'kept' }, {}] }]",
                "record 0: item 1: no `verdict`",
            ),
            (
                "record = [{ text = '{}', verdict = 'kept', unsplit = { verdict = 'kept' } }]",
                "without a `batch`",
            ),
            (
                "record = [{ text = '{}', batch = [{ verdict = 'kept' }, { verdict = 'kept' }], unsplit = {} }]",
                "`unsplit`: no `verdict`",
            ),
            ("warm-up = [{ text = '{}' }]\nrecord = []", "warm-up: record 0: no `verdict`"),
            (
                "record = [{ text = '{}', verdict = 'kept' }]\n[[case]]\nname = 'a'\nrecord = []",
                "two cases have this name",
            ),
        ] {
            let what = one(rest).err().unwrap_or_default();
            assert!(what.contains(complaint), "{rest}: {what:?} does not contain {complaint:?}");
        }
    }
}
