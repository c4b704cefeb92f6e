//! The cases: TOML files, one for each group, read strictly. `tests/data/cases/README.md` describes the format.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use regex::Regex;
use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};
use toml::value::Datetime;

/// One case: a configuration, records in the order of their arrival, and what must become of them.
#[derive(Debug)]
pub struct Case {
    /// `group/name`.
    pub name: String,
    /// The filter's own document, YAML.
    pub config: String,
    /// The records.
    pub records: Vec<Record>,
    /// What the filter itself adds, in order: summaries and count reports.
    pub own: Vec<Pattern>,
    /// Bulk envelopes in any order; empty: the host emits entries.
    pub envelopes: Vec<Pattern>,
    /// Counters beyond those that follow from the verdicts.
    pub stats: BTreeMap<String, u64>,
    /// The largest entry the contract allows in this case, bytes.
    pub max_entry_bytes: usize,
}

/// One record and what must become of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The record as text; need not be JSON, nor UTF-8.
    pub bytes: Vec<u8>,
    /// Arrival, epoch milliseconds.
    pub at_ms: i64,
    /// `kept`, `dropped: <reason>`, `suppressed` or `passed`.
    pub verdict: String,
    /// What its entry must look like; only of kept records.
    pub entry: Pattern,
}

/// What a JSON value must look like. The default fits all.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    /// The whole value.
    pub whole: Option<Value>,
    /// Exact values by path.
    pub has: BTreeMap<String, Value>,
    /// Paths that must not exist.
    pub lacks: Vec<String>,
    /// Strings by path that a regular expression must find something in.
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

/// What a case asks of a host beyond running records through a filter; it follows from the case's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Records arrive at different times.
    Arrival,
    /// A record is not a JSON object; only a host that hands over text can have it.
    Text,
    /// A record's text is not one line, or not one JSON value; a host that finds records in a stream sees others.
    Bounds,
    /// Envelopes are emitted.
    Bulk,
    /// Entries leave that stand for no single record.
    Own,
}

impl Need {
    /// Why a host without it skips the case.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Arrival => "records arrive at different times, and the host sets the time",
            Self::Text => "a record is not a JSON object, and the host hands over decoded ones",
            Self::Bounds => {
                "a record's text is not one JSON value or line, and the host splits its input itself"
            }
            Self::Bulk => "envelopes are expected, and the host emits single entries",
            Self::Own => "summaries or reports are expected, and the host has no moment for them",
        }
    }
}

impl Case {
    /// What a host must be able to do to run this case.
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
        if !self.own.is_empty() {
            needs.insert(Need::Own);
        }
        needs
    }

    /// When the last record arrives, epoch milliseconds.
    pub fn end_ms(&self) -> i64 {
        self.records.iter().map(|record| record.at_ms).max().unwrap_or(0)
    }
}

impl Record {
    /// Whether a reader that finds records in a stream finds exactly this one.
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
    file.case
        .into_iter()
        .map(|raw| {
            let name = format!("{group}/{}", raw.name);
            if !names.insert(raw.name.clone()) {
                return Err(format!("{name}: the name is taken"));
            }
            raw.finish(&name, &file.default).map_err(|what| format!("{name}: {what}"))
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Default_,
    case: Vec<RawCase>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Default_ {
    config: Option<String>,
    now: Option<Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawCase {
    name: String,
    config: Option<String>,
    /// Sections in front of the file's default configuration.
    sections: Option<String>,
    now: Option<Datetime>,
    record: Vec<RawRecord>,
    #[serde(default)]
    own: Vec<RawPattern>,
    #[serde(default)]
    envelope: Vec<RawPattern>,
    #[serde(default)]
    stats: BTreeMap<String, u64>,
    max_entry_bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord {
    text: Option<String>,
    base64: Option<String>,
    /// Marks in the text, and what stands in their place how many times.
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
    fn finish(self, name: &str, default: &Default_) -> Result<Case, String> {
        let config = match (self.config, self.sections, &default.config) {
            (Some(config), None, _) => config,
            (None, sections, Some(config)) => sections.unwrap_or_default() + config,
            (Some(_), Some(_), _) => return Err("`config` and `sections` exclude each other".to_owned()),
            (None, _, None) => return Err("neither the case nor the file has a `config`".to_owned()),
        };
        let now = self.now.or(default.now);
        let mut records = Vec::new();
        for (index, raw) in self.record.into_iter().enumerate() {
            let times = raw.times;
            let record = raw.finish(now).map_err(|what| format!("record {index}: {what}"))?;
            records.extend(std::iter::repeat_n(record, times));
        }
        if records.is_empty() {
            return Err("no record".to_owned());
        }
        Ok(Case {
            name: name.to_owned(),
            config,
            records,
            own: self.own.into_iter().map(RawPattern::finish).collect::<Result<_, _>>()?,
            envelopes: self.envelope.into_iter().map(RawPattern::finish).collect::<Result<_, _>>()?,
            stats: self.stats,
            max_entry_bytes: self.max_entry_bytes.unwrap_or(MAX_ENTRY_BYTES),
        })
    }
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
        let entry =
            RawPattern { entry: self.entry, has: self.has, lacks: self.lacks, like: self.like }.finish()?;
        let expects_entry = !entry.fits_all();
        let verdict = match self.verdict {
            None if expects_entry => "kept".to_owned(),
            None => return Err("no `verdict`".to_owned()),
            Some(verdict) if verdict != "kept" && expects_entry => {
                return Err(format!("a record that is {verdict} has no entry to look at"));
            }
            Some(verdict) => known(verdict)?,
        };
        let at = self.at.or(now).ok_or("neither the record has an `at` nor the case or file a `now`")?;
        Ok(Record { bytes, at_ms: epoch_ms(at)?, verdict, entry })
    }
}

impl RawPattern {
    fn finish(self) -> Result<Pattern, String> {
        let whole = self.entry.map(|text| contract::parse(text.as_bytes())).transpose()?;
        if whole.is_some() && !self.has.is_empty() {
            return Err("`entry` is the whole entry, and `has` would say part of it again".to_owned());
        }
        Ok(Pattern { whole, has: self.has, lacks: self.lacks, like: self.like })
    }
}

impl Pattern {
    /// Whether nothing is asked.
    pub fn fits_all(&self) -> bool {
        self.whole.is_none() && self.has.is_empty() && self.lacks.is_empty() && self.like.is_empty()
    }
}

fn known(verdict: String) -> Result<String, String> {
    match verdict.strip_prefix("dropped: ") {
        Some(reason) if !reason.is_empty() => Ok(verdict),
        None if matches!(verdict.as_str(), "kept" | "suppressed" | "passed") => Ok(verdict),
        _ => Err(format!("`{verdict}` is no verdict; kept, `dropped: <reason>`, suppressed or passed")),
    }
}

/// A time of a case in epoch milliseconds.
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
        let seen: Vec<_> =
            case.records.iter().map(|r| (r.bytes.as_slice(), r.at_ms, r.verdict.as_str())).collect();
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
    fn mistakes_of_a_file_are_refused() {
        for (rest, complaint) in [
            ("record = []", "no record"),
            ("colour = 1\nrecord = []", "unknown field `colour`"),
            ("record = [{ text = '{}' }]", "record 0: no `verdict`"),
            ("record = [{ text = '{}', verdict = 'lost' }]", "`lost` is no verdict"),
            ("record = [{ text = '{}', verdict = 'dropped: ' }]", "`dropped: ` is no verdict"),
            ("record = [{ verdict = 'kept' }]", "one of `text` and `base64`"),
            ("record = [{ text = '{}', vedict = 'kept' }]", "unknown field `vedict`"),
            ("record = [{ text = '{}', verdict = 'passed', has = { a = 1 } }]", "has no entry to look at"),
            ("record = [{ text = '{}', entry = '{\"a\":1,\"a\":2}' }]", "the key `a` stands twice"),
            ("record = [{ text = '{}', like = { a = '(' } }]", "unclosed group"),
            (
                "record = [{ text = '{}', repeat = { z = ['a', 2] }, verdict = 'kept' }]",
                "which is not in the text",
            ),
            ("record = [{ text = '{}', at = 2020-03-01, verdict = 'kept' }]", "in UTC, with a Z"),
            ("config = ''\nsections = ''\nrecord = []", "exclude each other"),
            (
                "record = [{ text = '{}', verdict = 'kept' }]\n[[case]]\nname = 'a'\nrecord = []",
                "the name is taken",
            ),
        ] {
            let what = one(rest).err().unwrap_or_default();
            assert!(what.contains(complaint), "{rest}: {what:?} does not say {complaint:?}");
        }
    }
}
