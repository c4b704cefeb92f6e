//! The table of metrics, and the values from which their samples are made.

use kaudit_filter::finding::{DetectionKind, Kind};
use kaudit_filter::stats::{Reason, Stats};

use super::family::{Family, Label, MetricType, UNRECOGNISED, Values};

const fn listed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::Listed(values) }
}

const VERDICT: Label = listed("verdict", &["kept", "dropped", "suppressed", "passed", "batch"]);
const REASON: Label = Label { name: "reason", values: Values::Reasons };
const KIND: Label = Label { name: "kind", values: Values::Kinds };
const ORIGIN: Label = listed("origin", &["finding", "summary", "report"]);
const BY: Label = listed("by", &["summary", "report"]);
const CHANGE: Label = listed("change", &["clamped", "truncated", "redacted"]);
const DETECTION: Label = listed("kind", DetectionKind::NAMES);
const RULE: Label = Label { name: "rule", values: Values::Rules };
const RESULT: Label = listed("result", &["loaded", "refused"]);
const CAUSE: Label = listed("cause", &["malformed", "panicked", "memory", "failed"]);

/// Reports the label values and the value of a sample. An empty label value means that the sample has no such label.
pub(super) type Report<'r> = dyn FnMut(&[&str], u64) + 'r;

/// A family, and the function that reports its samples.
pub(super) type Row = (Family, fn(&Source<'_>, &mut Report<'_>));

pub(super) static TABLE: &[Row] = &[
    (
        Family {
            name: "records_total",
            metric_type: MetricType::Counter,
            help: "Records, items of batches and derived detections, by verdict; dropped ones by reason, kept ones by kind.",
            labels: &[VERDICT, REASON, KIND],
            query: "sum by (verdict, reason, kind) (rate(kaudit_records_total[5m]))",
        },
        |source, report| {
            let stats = source.stats;
            for &kind in Kind::ALL {
                report(&["kept", "", kind.name()], stats.kept_of(kind));
            }
            report(&["kept", "", UNRECOGNISED], stats.wrapped);
            for &reason in Reason::ALL {
                report(&["dropped", reason.label(), ""], stats.dropped_for(reason));
            }
            report(&["suppressed", "", ""], stats.suppressed);
            report(&["passed", "", ""], stats.passed);
            report(&["batch", "", ""], stats.batches);
        },
    ),
    (
        Family {
            name: "received_records_total",
            metric_type: MetricType::Counter,
            help: "Records received from the agent.",
            labels: &[],
            query: "sum(rate(kaudit_received_records_total[5m]))",
        },
        |source, report| report(&[], source.stats.records),
    ),
    (
        Family {
            name: "batch_items_total",
            metric_type: MetricType::Counter,
            help: "Items of records that contain several findings; with the received records, the sum of all verdicts.",
            labels: &[],
            query: "sum(rate(kaudit_batch_items_total[5m]))",
        },
        |source, report| report(&[], source.stats.batch_items),
    ),
    (
        Family {
            name: "entries_total",
            metric_type: MetricType::Counter,
            help: "Entries for Coralogix: of kept findings and records, summaries of suppressed findings, count reports.",
            labels: &[ORIGIN],
            query: "sum by (origin) (increase(kaudit_entries_total[1h]))",
        },
        |source, report| {
            report(&["finding"], source.stats.kept());
            report(&["summary"], source.stats.summaries);
            report(&["report"], source.stats.reports);
        },
    ),
    (
        Family {
            name: "reported_findings_total",
            metric_type: MetricType::Counter,
            help: "Suppressed findings in summaries, and counted findings in count reports.",
            labels: &[BY],
            query: "sum by (by) (increase(kaudit_reported_findings_total[1h]))",
        },
        |source, report| {
            report(&["summary"], source.stats.summarised);
            report(&["report"], source.stats.reported);
        },
    ),
    (
        Family {
            name: "pending_findings",
            metric_type: MetricType::Gauge,
            help: "Suppressed or counted findings that no summary or count report contains yet.",
            labels: &[BY],
            query: "sum by (by) (kaudit_pending_findings)",
        },
        |source, report| {
            let stats = source.stats;
            report(&["summary"], stats.suppressed.saturating_sub(stats.summarised));
            report(&["report"], stats.dropped_for(Reason::Counted).saturating_sub(stats.reported));
        },
    ),
    (
        Family {
            name: "modified_entries_total",
            metric_type: MetricType::Counter,
            help: "Entries with a replaced timestamp (clamped), a truncated text, or redacted values.",
            labels: &[CHANGE],
            query: "sum by (change) (increase(kaudit_modified_entries_total[1h]))",
        },
        |source, report| {
            report(&["clamped"], source.stats.clamped);
            report(&["truncated"], source.stats.truncated);
            report(&["redacted"], source.stats.redacted);
        },
    ),
    (
        Family {
            name: "rule_selections_total",
            metric_type: MetricType::Counter,
            help: "Audit events that a rule of the policy selected.",
            labels: &[RULE],
            query: "topk(10, sum by (rule) (increase(kaudit_rule_selections_total[1d])))",
        },
        |source, report| {
            for (name, [selected, _]) in &source.rules {
                report(&[name], *selected);
            }
        },
    ),
    (
        Family {
            name: "rule_undecided_total",
            metric_type: MetricType::Counter,
            help: "Audit events for which a rule could not be decided, because the request body or another part is missing.",
            labels: &[RULE],
            query: "sum by (rule) (increase(kaudit_rule_undecided_total[1d])) > 0",
        },
        |source, report| {
            for (name, [_, undecided]) in &source.rules {
                report(&[name], *undecided);
            }
        },
    ),
    (
        Family {
            name: "detections_total",
            metric_type: MetricType::Counter,
            help: "Detections that the filter made of audit events, by kind; records_total counts their verdicts as well.",
            labels: &[DETECTION],
            query: "sum by (kind) (increase(kaudit_detections_total[1d]))",
        },
        |source, report| {
            for (kind, count) in DetectionKind::NAMES.iter().zip(source.stats.detected) {
                report(&[kind], count);
            }
        },
    ),
    (
        Family {
            name: "detect_late_events_total",
            metric_type: MetricType::Counter,
            help: "Audit events that detections did not use, because their window was closed or their time was far ahead.",
            labels: &[],
            query: "sum(increase(kaudit_detect_late_events_total[1h]))",
        },
        |source, report| report(&[], source.stats.detect_late),
    ),
    (
        Family {
            name: "detect_overflow_total",
            metric_type: MetricType::Counter,
            help: "Tallies, values, baselines and detections for which the bounded memory of detections was full.",
            labels: &[],
            query: "sum(increase(kaudit_detect_overflow_total[1h])) > 0",
        },
        |source, report| report(&[], source.stats.detect_overflow),
    ),
    (
        Family {
            name: "detect_series",
            metric_type: MetricType::Gauge,
            help: "Series with a baseline.",
            labels: &[],
            query: "kaudit_detect_series / kaudit_detect_max_series",
        },
        |source, report| report(&[], source.series_fill.0 as u64),
    ),
    (
        Family {
            name: "detect_max_series",
            metric_type: MetricType::Gauge,
            help: "Maximum of series with a baseline (detect.max-series), 0 without `detect`.",
            labels: &[],
            query: "max(kaudit_detect_max_series)",
        },
        |source, report| report(&[], source.series_fill.1 as u64),
    ),
    (
        Family {
            name: "limiter_keys",
            metric_type: MetricType::Gauge,
            help: "Keys in the table of rate limits.",
            labels: &[],
            query: "kaudit_limiter_keys / kaudit_limiter_max_keys",
        },
        |source, report| report(&[], source.limiter_fill.0 as u64),
    ),
    (
        Family {
            name: "limiter_max_keys",
            metric_type: MetricType::Gauge,
            help: "Maximum of keys in the table of rate limits (rate-limit.max-keys); further keys share one limit.",
            labels: &[],
            query: "max(kaudit_limiter_max_keys)",
        },
        |source, report| report(&[], source.limiter_fill.1 as u64),
    ),
    (
        Family {
            name: "config_loads_total",
            metric_type: MetricType::Counter,
            help: "Configurations that were loaded, at the start or later, or refused because of mistakes.",
            labels: &[RESULT],
            query: "sum by (result) (increase(kaudit_config_loads_total[1h]))",
        },
        |source, report| {
            report(&["loaded"], source.loads.loaded);
            report(&["refused"], source.loads.refused);
        },
    ),
    (
        Family {
            name: "config_last_load_successful",
            metric_type: MetricType::Gauge,
            help: "1 if the latest configuration is in use, 0 if it was refused and the previous one is in use.",
            labels: &[],
            query: "kaudit_config_last_load_successful == 0",
        },
        |source, report| report(&[], u64::from(source.loads.last_successful)),
    ),
    (
        Family {
            name: "config_loaded_timestamp_seconds",
            metric_type: MetricType::Gauge,
            help: "Time at which the configuration in use was loaded, in seconds since 1970.",
            labels: &[],
            query: "time() - kaudit_config_loaded_timestamp_seconds",
        },
        |source, report| report(&[], source.loads.loaded_at_seconds),
    ),
    (
        Family {
            name: "unfiltered_chunks_total",
            metric_type: MetricType::Counter,
            help: "Chunks that passed through unfiltered after a failure. In Vector, each event is a chunk.",
            labels: &[CAUSE],
            query: "sum by (cause) (increase(kaudit_unfiltered_chunks_total[1h])) > 0",
        },
        |source, report| {
            let Unfiltered { malformed, panicked, memory, failed } = source.unfiltered;
            report(&["malformed"], malformed);
            report(&["panicked"], panicked);
            report(&["memory"], memory);
            report(&["failed"], failed);
        },
    ),
];

/// The values from which samples are made.
pub(super) struct Source<'s> {
    pub stats: &'s Stats,
    pub limiter_fill: (usize, usize),
    pub series_fill: (usize, usize),
    pub loads: Loads,
    pub unfiltered: Unfiltered,
    /// The names of the rules with series, and the events that they selected and could not decide.
    pub rules: Vec<(&'s str, [u64; 2])>,
}

/// The configurations of a filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loads {
    pub loaded: u64,
    pub refused: u64,
    pub loaded_at_seconds: u64,
    /// Whether the latest configuration is in use.
    pub last_successful: bool,
}

/// The numbers of chunks that passed through unfiltered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfiltered {
    /// The chunk is not the agent's encoding.
    pub malformed: u64,
    /// The filter's own code panicked.
    pub panicked: u64,
    /// The memory for the result could not be allocated.
    pub memory: u64,
    /// Another error, such as a value that an event of Vector cannot contain.
    pub failed: u64,
}
