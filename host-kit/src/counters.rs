//! The engine's counters as one list with stable names.

use std::fmt::Write as _;

use kaudit_filter::stats::Stats;

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
}
