//! The filter's metrics in the agent's own endpoint.
//!
//! Each series has the label `name`, the name of the filter, as Fluent Bit's own metrics have: an agent with two filters
//! would have each series twice otherwise.

use std::ffi::CString;

use host_kit::metrics::{MetricType, Metrics, NAMESPACE};
use kaudit_filter::Filter;

use crate::abi::{Cmetrics, Metric};

/// The series of a filter, in the order of [`Metrics::each`].
pub struct Published(Vec<Series>);

struct Series {
    metric: Metric,
    labels: Vec<CString>,
    value: u64,
}

impl Published {
    /// Creates all series; `None`: the agent cannot create them.
    pub fn create(cmetrics: Cmetrics, name: &str, metrics: &Metrics, filter: &Filter) -> Option<Self> {
        let (mut series, mut last, mut complete) = (Vec::new(), None, true);
        let text = |text: &str| CString::new(text).unwrap_or_default();
        metrics.each(filter, |family, labels, value| {
            let metric = match last {
                Some((name, metric)) if name == family.name => metric,
                _ => {
                    let names: Vec<_> = ["name"]
                        .into_iter()
                        .chain(family.labels.iter().map(|label| label.name))
                        .map(text)
                        .collect();
                    let is_gauge = family.metric_type == MetricType::Gauge;
                    cmetrics.create(
                        &text(NAMESPACE),
                        &text(family.name),
                        &text(family.help),
                        &names,
                        is_gauge,
                    )
                }
            };
            last = Some((family.name, metric));
            let Some(metric) = metric else { return complete = false };
            let labels: Vec<_> = [name].iter().chain(labels).map(|label| text(label)).collect();
            metric.set(&labels, value);
            series.push(Series { metric, labels, value });
        });
        complete.then_some(Self(series))
    }

    /// Sets the series whose values have changed.
    pub fn update(&mut self, metrics: &Metrics, filter: &Filter) {
        let mut series = self.0.iter_mut();
        metrics.each(filter, |_, _, value| {
            if let Some(series) = series.next().filter(|series| series.value != value) {
                series.value = value;
                series.metric.set(&series.labels, value);
            }
        });
    }
}
