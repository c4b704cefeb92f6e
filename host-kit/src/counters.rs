//! The engine's counters as one list with stable names.

use std::fmt::Write as _;

use kaudit_filter::stats::{Reason, Stats};

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// `kept`, `dropped`, or empty for a counter without a group.
    pub group: &'static str,
    /// The name within the group; `total` is the sum of the group's others.
    pub name: &'static str,
    /// The count.
    pub count: u64,
}

/// Returns all counters, zero or not, in a fixed order.
pub fn all(stats: &Stats) -> Vec<Counter> {
    let mut all = Vec::new();
    for (group, counters) in stats.counters() {
        if !group.is_empty() {
            all.push(Counter { group, name: "total", count: counters.iter().map(|(_, count)| count).sum() });
        }
        all.extend(counters.into_iter().map(|(name, count)| Counter { group, name, count }));
    }
    all
}

impl Counter {
    /// Returns the name with its group: `records`, `dropped.etype`.
    pub fn label(&self) -> String {
        if self.group.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.group, self.name) }
    }
}

/// Returns the counters as an object, with one object for each group.
#[cfg(feature = "json")]
pub fn json(stats: &Stats) -> serde_json::Map<String, serde_json::Value> {
    let mut object = serde_json::Map::new();
    for Counter { group, name, count } in all(stats) {
        let place = if group.is_empty() {
            Some(&mut object)
        } else {
            object.entry(group).or_insert_with(|| serde_json::json!({})).as_object_mut()
        };
        if let Some(place) = place {
            place.insert(name.to_owned(), count.into());
        }
    }
    object
}

/// Returns the counters that are not zero as a line for the agent's log: `statistics: records=3 dropped.etype=1`.
///
/// `records` is always there: an operator can distinguish a filter that keeps everything from one that receives nothing.
/// `host` are counters of the host's own.
pub fn statistics_line(stats: &Stats, host: &[Counter]) -> String {
    let mut line = "statistics:".to_owned();
    for counter in
        all(stats).into_iter().filter(|counter| counter.name != "total").chain(host.iter().copied())
    {
        if counter.count > 0 || counter.label() == "records" {
            // Writing to a string cannot fail.
            let _ = write!(line, " {}={}", counter.label(), counter.count);
        }
    }
    line
}

/// Returns a warning if most records are sent without being findings, or if none is recognised at all.
///
/// The filter then has no effect, although every record has a verdict. Records that a configuration passes on
/// purpose (`unrecognised: pass`) are not counted, since they are usually the other records of a mixed stream.
pub fn unrecognised_warning(stats: &Stats) -> Option<String> {
    let verdicts = (stats.records + stats.batch_items).saturating_sub(stats.batches);
    let dropped = stats.dropped_for(Reason::Unrecognised);
    let unrecognised = stats.wrapped + dropped;
    let is_most = stats.wrapped.saturating_mul(2) > verdicts;
    let is_all = unrecognised > 0 && unrecognised == verdicts;
    (is_most || is_all).then(|| {
        let result = if stats.wrapped > 0 { "sent unfiltered as `kaudit-unrecognised`" } else { "dropped" };
        format!(
            "{unrecognised} of {verdicts} records are not recognised as findings and are {result}: `kaudit-filter \
             explain` prints why; for Kubernetes audit events set `policy-file`; for other records set `unrecognised`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_counters_that_are_not_zero() {
        let unfiltered = |count| Counter { group: "unfiltered", name: "malformed", count };
        let mut stats = Stats::default();
        assert_eq!(statistics_line(&stats, &[unfiltered(0)]), "statistics: records=0");
        stats.records = 3;
        stats.dropped[2] = 2;
        stats.kept[0] = 1;
        let line = statistics_line(&stats, &[unfiltered(4)]);
        assert_eq!(line, "statistics: records=3 kept.detections=1 dropped.etype=2 unfiltered.malformed=4");
        let total = all(&stats).into_iter().find(|counter| counter.label() == "dropped.total");
        assert_eq!(total.map(|total| total.count), Some(2));
    }

    #[test]
    fn mostly_unrecognised_records_are_a_warning() {
        let unrecognised =
            Reason::ALL.iter().position(|reason| *reason == Reason::Unrecognised).expect("a reason");
        for (records, wrapped, dropped, expected) in [
            (0, 0, 0, None),
            (10, 5, 0, None),
            (10, 6, 0, Some("6 of 10 records are not recognised as findings and are sent unfiltered")),
            (10, 0, 9, None),
            (10, 0, 10, Some("10 of 10 records are not recognised as findings and are dropped")),
        ] {
            let mut stats = Stats::default();
            (stats.records, stats.wrapped) = (records, wrapped);
            stats.dropped[unrecognised] = dropped;
            let warning = unrecognised_warning(&stats);
            match expected {
                None => assert_eq!(warning, None),
                Some(start) => assert!(warning.is_some_and(|warning| warning.starts_with(start)), "{start}"),
            }
        }
        // An item of a batch has a verdict of its own, and the batch has none.
        let mut batch = Stats::default();
        (batch.records, batch.batches, batch.batch_items, batch.wrapped) = (1, 1, 3, 2);
        assert!(unrecognised_warning(&batch).is_some_and(|warning| warning.starts_with("2 of 3 records")));
    }
}
