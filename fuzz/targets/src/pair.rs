//! Two filters of one configuration, with and without a key cache, for the same records in the same order.

use kaudit_filter::entry::{Entry, OWN_KEY};
use kaudit_filter::record::{Body, Encoding, Record};
use kaudit_filter::stats::{Reason, Stats};
use kaudit_filter::{Filter, Time, Verdict};

use crate::any_value;
use crate::configs::Setting;
use crate::json::Json;
use crate::records;

/// A verdict, and the written entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Kept(Written),
    Dropped(Reason),
    Suppressed,
    Passed,
}

/// An entry in all encodings.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    pub json: Vec<u8>,
    item: Vec<u8>,
    log_record: Vec<u8>,
    msgpack: Vec<u8>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.json))
    }
}

impl Outcome {
    /// Copies a verdict.
    pub fn of(verdict: &Verdict<'_>) -> Self {
        match verdict {
            Verdict::Kept(entry) => Self::Kept(Written::of(entry)),
            Verdict::Dropped(reason) => Self::Dropped(*reason),
            Verdict::Suppressed => Self::Suppressed,
            Verdict::Passed => Self::Passed,
        }
    }

    /// Returns the verdict without its entry.
    pub fn name(&self) -> String {
        match self {
            Self::Kept(_) => "Kept".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

impl Written {
    /// Writes an entry.
    pub fn of(entry: &Entry<'_>) -> Self {
        let [mut json, mut item, mut log_record, mut msgpack] = [const { Vec::new() }; 4];
        entry.write_json(&mut json);
        entry.write_bulk_item(&mut item);
        entry.write_otlp_record(&mut log_record);
        entry.write_msgpack(&mut msgpack);
        Self { json, item, log_record, msgpack }
    }

    /// Checks that the forms are valid, mean the same and are small enough. Returns the entry.
    pub fn check(&self, max: usize) -> Json {
        let entry = Json::parse(&self.json).unwrap_or_else(|error| panic!("no JSON: {error}\n{self:?}"));
        assert!(!entry.has_duplicates(), "a duplicate key\n{self:?}");
        assert!(!self.json.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "a line break\n{self:?}");
        assert!(self.json.len() <= max, "{} bytes, at most {max} are allowed\n{self:?}", self.json.len());
        let item = Json::parse(&self.item).unwrap_or_else(|error| panic!("no JSON item: {error}\n{self:?}"));
        let log_record = Json::parse(&self.log_record);
        let log_record = log_record.unwrap_or_else(|error| panic!("no JSON log record: {error}\n{self:?}"));
        let mut rest = &self.msgpack[..];
        let packed = rmpv::decode::read_value(&mut rest);
        let packed = packed.unwrap_or_else(|error| panic!("no MessagePack: {error}\n{self:?}"));
        assert!(rest.is_empty(), "{} bytes after the MessagePack\n{self:?}", rest.len());
        let packed = records::to_json(&packed).expect("MessagePack without a form in JSON");

        let body = text(&entry, &self.json);
        assert_eq!(body, text(&item, &self.item), "the item differs");
        let logged = log_record.get("body").is_some_and(|logged| any_value::is(&body, logged));
        assert!(logged, "the log record differs\n{self:?}\n{}", String::from_utf8_lossy(&self.log_record));
        let (json_names, packed_names) = (without_text(&entry), without_text(&packed));
        assert_eq!(json_names, packed_names, "the members in MessagePack differ");
        assert_eq!(body, text(&packed, &self.msgpack), "the text in MessagePack differs");
        for name in ["applicationName", "subsystemName"] {
            assert!(
                matches!(entry.get(name), Some(Json::Str(name)) if !name.trim().is_empty()),
                "{name}: {self:?}"
            );
        }
        assert!(matches!(entry.get("severity"), Some(Json::Int(1..=6))), "severity: {self:?}");
        assert!(matches!(entry.get("timestamp"), Some(Json::Int(_))), "timestamp: {self:?}");
        entry
    }
}

/// Returns the text of an entry as an object, parsed if it is a string.
pub fn text(entry: &Json, written: &[u8]) -> Json {
    let text = match entry.get("text") {
        Some(Json::Str(text)) => {
            Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("the text: {error}\n{text}"))
        }
        Some(object) => object.clone(),
        None => panic!("no text\n{}", String::from_utf8_lossy(written)),
    };
    assert!(
        matches!(text, Json::Map(_)),
        "a text that is not an object\n{}",
        String::from_utf8_lossy(written)
    );
    assert!(!text.has_duplicates(), "a duplicate key of the text\n{}", String::from_utf8_lossy(written));
    text
}

fn without_text(entry: &Json) -> Json {
    match entry {
        Json::Map(members) => Json::Map(members.iter().filter(|(key, _)| key != "text").cloned().collect()),
        other => other.clone(),
    }
}

/// The filters.
pub struct Pair {
    warm: Filter,
    cold: Filter,
    max: usize,
    now: i64,
}

impl Pair {
    /// Returns new filters for a configuration.
    pub fn new(setting: &Setting, single_output: bool) -> Self {
        let (warm, config) = setting.filter(single_output);
        let (mut cold, _) = setting.filter(single_output);
        cold.forget_caches(&config);
        Self { warm, cold, max: config.guard.max_entry_bytes, now: records::NOW.nanos() }
    }

    /// Passes a record through both and compares them. Returns the verdicts.
    pub fn process(&mut self, record: Record<'_>) -> Vec<Outcome> {
        // Limits admit, suppress and summarise within one sequence.
        self.now += 300_000_000;
        let now = Time::from_nanos(self.now);
        let before = *self.warm.stats();
        let (mut outcomes, mut others) = (Vec::new(), Vec::new());
        self.warm.process(record, now, |verdict| {
            check_verbatim(&verdict);
            outcomes.push(Outcome::of(&verdict));
        });
        self.cold.process(record, now, |verdict| others.push(Outcome::of(&verdict)));
        assert_eq!(outcomes, others, "the cache changes the verdict");
        let stats = self.warm.stats();
        assert_eq!(stats, self.cold.stats(), "the cache changes the statistics");
        check_account(&stats.since(&before), &outcomes);
        for outcome in &outcomes {
            if let Outcome::Kept(written) = outcome {
                let entry = written.check(self.max);
                check_truncated(&text(&entry, &written.json), record);
            }
        }
        self.own(now, false);
        outcomes
    }

    /// Drains both filters and checks that the counters balance.
    pub fn finish(mut self) {
        self.own(Time::from_nanos(self.now), true);
        let stats = self.warm.stats();
        assert!(stats.balances(), "{stats:?}");
        assert_eq!(stats.suppressed, stats.summarised, "suppressed findings without a summary");
        let counted = stats.dropped_for(Reason::Counted);
        assert_eq!(counted, stats.reported, "counted findings without a report");
    }

    /// Compares summaries and reports.
    fn own(&mut self, now: Time, all: bool) {
        fn next(filter: &mut Filter, now: Time, all: bool) -> Option<Written> {
            let entry = if all { filter.finish(now) } else { filter.due(now) };
            entry.map(|entry| Written::of(&entry))
        }
        loop {
            let entry = next(&mut self.warm, now, all);
            assert_eq!(entry, next(&mut self.cold, now, all), "the cache changes a summary");
            match entry {
                Some(entry) => entry.check(self.max),
                None => return,
            };
        }
    }
}

/// Checks that the statistics count a record's verdicts.
pub fn check_account(stats: &Stats, outcomes: &[Outcome]) {
    assert!(stats.balances(), "{stats:?}");
    assert_eq!(stats.records, 1);
    assert!(!outcomes.is_empty(), "a record without a verdict");
    let count = |wanted: &dyn Fn(&Outcome) -> bool| outcomes.iter().filter(|one| wanted(one)).count() as u64;
    assert_eq!(stats.kept(), count(&|one| matches!(one, Outcome::Kept(_))), "kept");
    assert_eq!(stats.dropped(), count(&|one| matches!(one, Outcome::Dropped(_))), "dropped");
    assert_eq!(stats.suppressed, count(&|one| matches!(one, Outcome::Suppressed)), "suppressed");
    assert_eq!(stats.passed, count(&|one| matches!(one, Outcome::Passed)), "passed");
    let items = if outcomes.len() > 1 { outcomes.len() as u64 } else { 0 };
    assert_eq!((stats.batches, stats.batch_items), (items.min(1), items), "batches");
}

/// Checks that an entry is marked if a string of its text is truncated. The remark may be the record's own.
pub fn check_truncated(text: &Json, record: Record<'_>) {
    let remark = "[truncated ";
    let mut cut = false;
    text.strings(&mut |string| cut |= string.contains(remark));
    let is_marked = text.get(OWN_KEY).is_some_and(|own| own.get("truncated").is_some());
    // The remark as text, or as a list of its bytes in either encoding.
    let is_its_own = || {
        let numbers = remark.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(",");
        // Without the type markers of MessagePack's integers, however wide.
        let bytes: Vec<u8> = record.bytes().iter().copied().filter(u8::is_ascii_graphic).collect();
        let bytes = String::from_utf8_lossy(&bytes);
        bytes.contains(remark.trim_end()) || bytes.contains(&numbers)
    };
    assert!(!cut || is_marked || is_its_own(), "truncated without a mark: {text:.2000?}");
}

/// Checks that a body that is copied unchanged is equal to the record by value.
fn check_verbatim(verdict: &Verdict<'_>) {
    let Verdict::Kept(entry) = verdict else { return };
    let Body::Verbatim(record) = entry.body() else { return };
    if record.encoding() != Encoding::Json {
        return;
    }
    let body = Json::parse(record.bytes()).expect("a body that is copied is JSON");
    let mut text = Vec::new();
    entry.write_text(&mut text);
    let Ok(Json::Map(mut members)) = Json::parse(&text) else {
        panic!("no JSON: {}", String::from_utf8_lossy(&text));
    };
    if !entry.marks().events.is_empty() {
        let own = members.pop().map(|(key, _)| key);
        assert_eq!(own.as_deref(), Some(OWN_KEY));
    }
    assert_eq!(Json::Map(members), body, "the body changed while it was copied");
}
