//! Prometheus' text format, version 0.0.4.
//!
//! Decision: no crate. Client libraries keep counters of their own, in registries with locks; the format itself is three
//! kinds of lines.

use std::fmt::Write as _;

use kaudit_filter::Filter;

use crate::metrics::{MetricType, Metrics};

/// The value of the header `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns all metrics of a filter as text.
pub fn text(metrics: &Metrics, filter: &Filter) -> String {
    let mut exposition = Exposition::default();
    metrics.each(filter, |family, values, value| {
        let name = family.full_name();
        if exposition.family != name {
            exposition.family(name, family.metric_type, family.help);
        }
        exposition.sample(family.labels.iter().map(|label| label.name).zip(values.iter().copied()), value);
    });
    exposition.finish()
}

/// Samples as text.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    /// The name of the samples that follow.
    family: String,
}

impl Exposition {
    /// Begins the samples of a metric.
    pub fn family(&mut self, name: String, metric_type: MetricType, help: &str) {
        let (help, metric_type) = (escape(help), metric_type.name());
        // Writing to a string cannot fail.
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {metric_type}\n");
        self.family = name;
    }

    /// Adds a sample. Labels with empty values are omitted: to Prometheus, they are the same as none.
    pub fn sample<'l>(&mut self, labels: impl IntoIterator<Item = (&'l str, &'l str)>, value: u64) {
        let Self { text, family } = self;
        text.push_str(family);
        let mut separator = '{';
        for (label, value) in labels.into_iter().filter(|(_, value)| !value.is_empty()) {
            let value = escape(value).replace('"', "\\\"");
            let _ = write!(text, "{separator}{label}=\"{value}\"");
            separator = ',';
        }
        let end = if separator == ',' { "}" } else { "" };
        let _ = writeln!(text, "{end} {value}");
    }

    /// Returns the text.
    pub fn finish(self) -> String {
        self.text
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_empty_labels_omitted() {
        let mut exposition = Exposition::default();
        exposition.family("a_total".to_owned(), MetricType::Counter, "a \"b\" \\ c\nd");
        exposition.sample([("x", ""), ("y", "")], 0);
        exposition.sample([("x", "1 \"2\" \\ 3\n4"), ("y", ""), ("z", "5")], u64::MAX);
        exposition.family("b".to_owned(), MetricType::Gauge, "e");
        exposition.sample([], 7);
        assert_eq!(
            exposition.finish(),
            concat!(
                "# HELP a_total a \"b\" \\\\ c\\nd\n",
                "# TYPE a_total counter\n",
                "a_total 0\n",
                "a_total{x=\"1 \\\"2\\\" \\\\ 3\\n4\",z=\"5\"} 18446744073709551615\n",
                "# HELP b e\n",
                "# TYPE b gauge\n",
                "b 7\n",
            )
        );
    }
}
