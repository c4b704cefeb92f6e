//! Prometheus' text format, version 0.0.4.
//!
//! Decision: no crate. Client libraries keep counters of their own, in registries with locks; the format itself is three
//! kinds of lines.

use std::fmt::Write as _;

use kaudit_filter::Filter;

use crate::metrics::{Family, Metrics};

/// The value of the header `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all metrics of a filter as text.
pub fn text(metrics: &Metrics, filter: &Filter) -> String {
    let mut text = Exposition::default();
    metrics.each(filter, |family, labels, value| text.sample(family, labels, value));
    text.finish()
}

/// Samples as text. The samples of a family follow each other.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    family: Option<&'static str>,
}

impl Exposition {
    /// Adds a sample, and the head of its family before the first one. Labels with empty values are omitted.
    pub fn sample(&mut self, family: &Family, labels: &[&str], value: u64) {
        let Self { text, family: last } = self;
        let name = family.full_name();
        if last.replace(family.name) != Some(family.name) {
            let help = family.help.replace('\\', r"\\").replace('\n', r"\n");
            // Writing to a string cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {}\n", family.metric_type.name());
        }
        text.push_str(&name);
        let mut separator = '{';
        for (label, value) in family.labels.iter().zip(labels).filter(|(_, value)| !value.is_empty()) {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(text, "{separator}{}=\"{value}\"", label.name);
            separator = ',';
        }
        if separator == ',' {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }
}
