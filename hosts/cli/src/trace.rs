//! Fluent Bit's chunk trace: the records that entered the filter, from the events about each chunk.
//!
//! The trace's output `stdout` with the format `json_lines` writes an event as `{"type":2,"start_time":1,…,"trace_id":"0",
//! "plugin_instance":"kaudit.0","records":[{"timestamp":1,"record":{…}}]}`. The event of a filter (type 2) contains the
//! records after it, and exists only if the filter changed them. So the event before it contains the records that enter a
//! filter.
//!
//! The event of the input (type 1) contains what the chunk had before these records were added, and an event without
//! records lacks their value, so that its line is not JSON, and the next events are in the same line (5.1.1, and by its
//! source 2.2.3 and 3.2.10). So lines are searched for events, and only their records are read as JSON. Records that enter
//! the first filter are in no event.

use std::collections::BTreeMap;

use kaudit_filter::Time;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The maximum number of chunks whose filters are not complete. An agent has a few at a time.
const MAX_OPEN: usize = 1024;

/// The events so far.
#[derive(Debug, Default)]
pub struct Trace {
    /// For each chunk, the records after its last filter.
    chunks: BTreeMap<String, Vec<String>>,
    /// The number of events.
    pub events: u64,
    /// The number of events about this filter as the first one: its input is unknown.
    pub first: u64,
}

/// The records that entered the filter with a chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct Entered {
    /// The chunk's identifier in the trace.
    pub chunk: String,
    /// The records as JSON, in order.
    pub records: Vec<String>,
    /// The time at which the filter began; `None`: the event does not contain it.
    pub at: Option<Time>,
}

#[derive(Deserialize)]
struct Traced<'a> {
    #[serde(borrow)]
    record: &'a RawValue,
}

impl Trace {
    /// Reads a line, and returns the records that entered the filter according to its events.
    pub fn line(&mut self, line: &str) -> Vec<Entered> {
        const TYPE: &str = "\"type\":";
        const RECORDS: &str = "\"records\":";
        let (mut entered, mut rest) = (Vec::new(), line);
        while let Some((_, event)) = rest.split_once(TYPE) {
            // An event of the output (type 4) has no records.
            let Some((head, after)) = event.split_once(RECORDS).filter(|_| !event.starts_with('4')) else {
                rest = event;
                continue;
            };
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<Vec<Traced<'_>>>();
            let records = values.next().and_then(Result::ok);
            rest = match &records {
                Some(_) => after.get(values.byte_offset()..).unwrap_or_default(),
                None => after,
            };
            let records = records.unwrap_or_default().iter().map(|one| one.record.get().to_owned()).collect();
            entered.extend(self.event(head, records));
        }
        entered
    }

    /// Reads the event of an input or filter: its members before the records, and the records.
    fn event(&mut self, head: &str, records: Vec<String>) -> Option<Entered> {
        let chunk = member(head, "trace_id")?.to_owned();
        self.events += 1;
        if !head.starts_with('2') {
            self.chunks.remove(&chunk);
            return None;
        }
        let before = self.chunks.insert(chunk.clone(), records);
        while self.chunks.len() > MAX_OPEN {
            self.chunks.pop_first();
        }
        if !member(head, "plugin_instance")?.starts_with("kaudit.") {
            return None;
        }
        self.first += u64::from(before.is_none());
        let seconds = member(head, "start_time").and_then(|seconds| seconds.parse::<i64>().ok());
        Some(Entered {
            chunk,
            records: before?,
            at: seconds.map(|seconds| Time::from_millis(seconds * 1000)),
        })
    }
}

/// Returns the value of a member: a string without escape sequences, or a whole number.
fn member<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let (_, value) = head.split_once(&format!("\"{name}\":"))?;
    match value.strip_prefix('"') {
        Some(text) => text.split('"').next(),
        None => value.split(|c: char| !c.is_ascii_digit()).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of two chunks as Fluent Bit 5.1.1 prints them: a filter before this one, and an input without records.
    const LINES: &str = r#"
{"date":1.5,"type":1,"trace_id":"0","plugin_instance":"tail.0","records":"start_time",1583078400:"end_time",1583078400:["\x6b\x0c\xffffff94",{"type":2,"start_time":1583078400,"end_time":1583078400,"trace_id":"0","plugin_instance":"parser.0","records":[{"timestamp":1583078400,"record":{"eid":"a","note":"\"type\":2"}},{"timestamp":1583078400,"record":{"eid":"b"}}]}]}
{"date":1.5,"type":2,"start_time":1583078400,"end_time":1583078400,"trace_id":"0","plugin_instance":"kaudit.1","records":["\x6b\x0c",{"type":3,"trace_id":"0","plugin_instance":"tail.0","records":[]}]}
{"date":1.5,"type":4,"trace_id":"0","plugin_instance":"stdout.0","return":1,"start_time":1583078400,"end_time":1583078400}
{"date":1.5,"type":2,"start_time":1583078401,"end_time":1583078401,"trace_id":"1","plugin_instance":"kaudit.1","plugin_alias":"x","records":[{"timestamp":1,"record":{"eid":"c"}}]}"#;

    #[test]
    fn records_that_enter_the_filter_are_those_after_the_filter_before_it() {
        let mut trace = Trace::default();
        let entered: Vec<_> = LINES.lines().flat_map(|line| trace.line(line)).collect();
        let at = Some(Time::from_millis(1_583_078_400_000));
        let records = vec![r#"{"eid":"a","note":"\"type\":2"}"#.to_owned(), r#"{"eid":"b"}"#.to_owned()];
        assert_eq!(entered, [Entered { chunk: "0".to_owned(), records, at }]);
        assert_eq!(
            (trace.events, trace.first),
            (5, 1),
            "the input of the filter in the last chunk is unknown"
        );
    }

    #[test]
    fn other_lines_have_no_events() {
        let mut trace = Trace::default();
        for line in [
            "",
            "[2020/03/01] [ info] [fluent bit]",
            r#"{"eid":"a"}"#,
            "\"type\":2",
            "\"type\":2\"records\":[",
        ] {
            assert_eq!(trace.line(line), []);
        }
        assert_eq!(trace.events, 0);
    }
}
