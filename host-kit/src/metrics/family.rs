//! Metrics, their types and labels.

use kaudit_filter::finding::Kind;
use kaudit_filter::stats::Reason;

/// The prefix of all names.
pub const NAMESPACE: &str = "kaudit";

/// The value of the label `rule` for all rules without a series of their own.
pub const OTHER_RULES: &str = "other";

/// A metric: all samples of one name.
#[derive(Debug)]
pub struct Family {
    /// The name after the prefix: `records_total`. See [`Family::full_name`].
    pub name: &'static str,
    /// Counter or gauge.
    pub metric_type: MetricType,
    /// The meaning, in one line.
    pub help: &'static str,
    /// The labels, in the order of a sample's values.
    pub labels: &'static [Label],
    /// An example in `PromQL`.
    pub query: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// A sum that starts at 0 with the filter and never decreases.
    Counter,
    /// The present value.
    Gauge,
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    pub(super) values: Values,
}

/// The values of a label.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    Listed(&'static [&'static str]),
    Kinds,
    Reasons,
    Rules,
}

impl Family {
    /// Returns the name with the prefix, as in Prometheus: `kaudit_records_total`.
    pub fn full_name(&self) -> String {
        format!("{NAMESPACE}_{}", self.name)
    }
}

impl MetricType {
    /// Returns the name of the type in Prometheus' text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

impl Label {
    /// Returns all values that the label can have; `None`: the names of the policy's rules, and [`OTHER_RULES`].
    pub fn values(&self) -> Option<Vec<&'static str>> {
        match self.values {
            Values::Listed(values) => Some(values.to_vec()),
            Values::Kinds => Some(Kind::ALL.iter().map(|kind| kind.name()).chain([UNRECOGNISED]).collect()),
            Values::Reasons => Some(Reason::ALL.iter().map(|reason| reason.label()).collect()),
            Values::Rules => None,
        }
    }
}

/// The value of the label `kind` for kept records that are not findings.
pub(super) const UNRECOGNISED: &str = "unrecognised";
