//! The condition of an alert, and its evaluation.

use serde_json::Value;

use super::super::facets::SEVERITIES;
use super::super::query::Query;

/// The condition of an alert.
#[derive(Debug)]
pub enum Condition {
    /// Any matching entry raises the alert.
    Immediate(LogsFilter),
    /// More entries than the threshold match within the window.
    Threshold { filter: LogsFilter, window_ms: i64, threshold: f64 },
    /// The ratio of two numbers of entries within the window is above the threshold.
    Ratio { numerator: LogsFilter, denominator: LogsFilter, window_ms: i64, threshold: f64 },
    /// Not evaluated: it compares with the history of weeks.
    History { filter: LogsFilter, reason: &'static str },
}

/// The result of an evaluation, with the numbers that determine it.
pub enum Seen {
    /// Raised, last by the entry at this time, epoch milliseconds.
    Raised {
        detail: String,
        at: i64,
    },
    Quiet(String),
    NotEvaluated(&'static str),
}

impl Condition {
    /// Reads `alertType`.
    ///
    /// # Errors
    /// It has an unknown form.
    pub fn of(alert_type: &Value) -> Result<Self, String> {
        let (kind, body) =
            alert_type.as_object().and_then(|map| map.iter().next()).ok_or("alertType: expected a map")?;
        let filter = |name: &str| LogsFilter::of(&body[name]["simpleFilter"]);
        Ok(match kind.as_str() {
            "logsImmediate" => Self::Immediate(filter("logsFilter")?),
            "logsThreshold" => {
                let (window_ms, threshold) = rule(body, "logsThresholdConditionType")?;
                Self::Threshold { filter: filter("logsFilter")?, window_ms, threshold }
            }
            "logsRatioThreshold" => {
                let (window_ms, threshold) = rule(body, "conditionType")?;
                let numerator = LogsFilter::of(&body["numerator"]["simpleFilter"])?;
                let denominator = LogsFilter::of(&body["denominator"]["simpleFilter"])?;
                Self::Ratio { numerator, denominator, window_ms, threshold }
            }
            "logsAnomaly" => {
                let reason = "it compares with the usual number at this time of day";
                Self::History { filter: filter("logsFilter")?, reason }
            }
            "logsNewValue" => {
                let reason = "it compares with the values of the last months";
                Self::History { filter: filter("logsFilter")?, reason }
            }
            other => return Err(format!("unknown type of alert `{other}`")),
        })
    }

    /// Returns the filter of the entries that the alert is about.
    fn filter(&self) -> &LogsFilter {
        match self {
            Self::Immediate(filter) | Self::Threshold { filter, .. } | Self::History { filter, .. } => filter,
            Self::Ratio { numerator, .. } => numerator,
        }
    }

    /// Returns the Lucene query of the entries that the alert is about.
    pub fn query(&self) -> &str {
        &self.filter().text
    }

    /// Returns the conditions on labels that a search can express, as filters by facet.
    pub fn search_filters(&self) -> Vec<String> {
        let LogsFilter { labels, severities, .. } = self.filter();
        let mut filters = Vec::new();
        if let [severity] = &severities[..] {
            filters.push(format!("severity:{severity}"));
        }
        if let [Label { name: "subsystemName", operation: Operation::Is, value }] = &labels[..] {
            filters.push(format!("subsystem:{value}"));
        }
        filters
    }

    /// Evaluates the condition over entries in the form that Coralogix searches.
    pub fn seen(&self, documents: &[Value]) -> Seen {
        match self {
            Self::Immediate(filter) => {
                let times = filter.times(documents);
                match times.last() {
                    Some(at) => Seen::Raised { detail: format!("{} matching entries", times.len()), at: *at },
                    None => Seen::Quiet("0 matching entries".to_owned()),
                }
            }
            Self::Threshold { filter, window_ms, threshold } => {
                let times = filter.times(documents);
                let (most, at) = most_in_window(&times, *window_ms);
                let detail = format!("at most {most} in {}; raised above {threshold}", minutes(*window_ms));
                if number(most) > *threshold { Seen::Raised { detail, at } } else { Seen::Quiet(detail) }
            }
            Self::Ratio { numerator, denominator, window_ms, threshold } => {
                let (above, below) = (numerator.times(documents), denominator.times(documents));
                ratio(&above, &below, *window_ms, *threshold)
            }
            Self::History { reason, .. } => Seen::NotEvaluated(reason),
        }
    }
}

/// Returns the window, in milliseconds, and the threshold of the first rule.
fn rule(body: &Value, type_name: &str) -> Result<(i64, f64), String> {
    let condition = &body["rules"][0]["condition"];
    let window = condition["timeWindow"]["specificValue"].as_str().and_then(milliseconds);
    let threshold = condition["threshold"].as_str().and_then(|text| text.parse().ok());
    match (window, threshold) {
        (Some(window), Some(threshold)) if condition[type_name] == "moreThan" => Ok((window, threshold)),
        _ => Err(format!("rules: expected one with `timeWindow`, `threshold` and `{type_name}: moreThan`")),
    }
}

/// Parses a window such as `10m` or `1h`.
fn milliseconds(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let unit = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

/// Returns a count for a comparison with a threshold.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn minutes(window_ms: i64) -> String {
    format!("{} minutes", window_ms / 60_000)
}

/// Returns the largest number of times within a window, and the last time of the latest such window.
fn most_in_window(times: &[i64], window_ms: i64) -> (usize, i64) {
    let mut first = 0;
    let mut most = (0, 0);
    for (index, time) in times.iter().enumerate() {
        while time - times[first] >= window_ms {
            first += 1;
        }
        most = most.max((index + 1 - first, *time));
    }
    most
}

/// Evaluates a ratio in the windows that end with each entry of the numerator and of the denominator.
fn ratio(above: &[i64], below: &[i64], window_ms: i64, threshold: f64) -> Seen {
    let within = |times: &[i64], end: i64| {
        let from = times.partition_point(|time| *time <= end - window_ms);
        times.partition_point(|time| *time <= end) - from
    };
    let mut ends: Vec<i64> = above.iter().chain(below).copied().collect();
    ends.sort_unstable();
    let mut raised = None;
    for end in &ends {
        let (upper, lower) = (within(above, *end), within(below, *end));
        // Without entries in the denominator the ratio is infinite.
        if upper > 0 && number(upper) > threshold * number(lower) {
            raised = Some((upper, lower, *end));
        }
    }
    let detail = |upper, lower| {
        format!("{upper} to {lower} in {}; raised above a ratio of {threshold}", minutes(window_ms))
    };
    match (raised, ends.last()) {
        (Some((upper, lower, at)), _) => Seen::Raised { detail: detail(upper, lower), at },
        (None, Some(end)) => Seen::Quiet(detail(within(above, *end), within(below, *end))),
        (None, None) => Seen::Quiet(detail(0, 0)),
    }
}

/// A filter of entries: a query, and conditions on labels.
#[derive(Debug)]
pub struct LogsFilter {
    text: String,
    /// `None`: every entry.
    query: Option<Query>,
    labels: Vec<Label>,
    /// Names of severities; empty: every severity.
    severities: Vec<String>,
}

/// The labels on which an alert may have conditions.
const LABELS: [&str; 2] = ["applicationName", "subsystemName"];

/// A condition on a label.
#[derive(Debug)]
struct Label {
    name: &'static str,
    operation: Operation,
    value: String,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Is,
    StartsWith,
    EndsWith,
    Includes,
}

impl LogsFilter {
    fn of(filter: &Value) -> Result<Self, String> {
        let text = filter["luceneQuery"].as_str().unwrap_or_default().to_owned();
        let query = Some(&text).filter(|text| !text.trim().is_empty()).map(|text| Query::parse(text));
        let query = query.transpose().map_err(|error| format!("luceneQuery: {error}"))?;
        let labels = &filter["labelFilters"];
        let list = |name: &str| labels[name].as_array().cloned().unwrap_or_default();
        let mut conditions = Vec::new();
        for name in LABELS {
            for condition in list(name) {
                let operation = match condition["operation"].as_str() {
                    Some("is") => Operation::Is,
                    Some("startsWith") => Operation::StartsWith,
                    Some("endsWith") => Operation::EndsWith,
                    Some("includes") => Operation::Includes,
                    _ => return Err(format!("{name}: unknown operation {}", condition["operation"])),
                };
                let value = condition["value"].as_str().unwrap_or_default().to_owned();
                conditions.push(Label { name, operation, value });
            }
        }
        let severities =
            list("severity").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Ok(Self { text, query, labels: conditions, severities })
    }

    fn matches(&self, document: &Value) -> bool {
        let metadata = &document["coralogix"]["metadata"];
        let severity =
            metadata["severity"].as_u64().and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
        let severity = severity.and_then(|index| SEVERITIES.get(index)).copied().unwrap_or_default();
        (self.severities.is_empty() || self.severities.iter().any(|name| name == severity))
            && LABELS.iter().all(|name| self.label_matches(name, metadata))
            && self.query.as_ref().is_none_or(|query| query.matches(document))
    }

    /// Returns whether a label fulfils one of its conditions.
    fn label_matches(&self, name: &str, metadata: &Value) -> bool {
        let mut conditions = self.labels.iter().filter(|label| label.name == name).peekable();
        conditions.peek().is_none() || conditions.any(|label| label.matches(metadata))
    }

    /// Returns the times of the matching entries in ascending order, epoch milliseconds.
    fn times(&self, documents: &[Value]) -> Vec<i64> {
        let matching = documents.iter().filter(|document| self.matches(document));
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is discarded")]
        let time = |document: &Value| document["coralogix"]["timestamp"].as_f64().map(|time| time as i64);
        let mut times: Vec<i64> = matching.filter_map(time).collect();
        times.sort_unstable();
        times
    }
}

impl Label {
    fn matches(&self, metadata: &Value) -> bool {
        let found = metadata[self.name].as_str().unwrap_or_default();
        match self.operation {
            Operation::Is => found == self.value,
            Operation::StartsWith => found.starts_with(&self.value),
            Operation::EndsWith => found.ends_with(&self.value),
            Operation::Includes => found.contains(&self.value),
        }
    }
}
