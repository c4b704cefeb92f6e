//! The endpoint's counters in Prometheus' text format.

use std::collections::BTreeMap;

use contract::Clause;
use host_kit::exposition::Exposition;
use host_kit::metrics::MetricType::Counter;

use super::store::Counts;

/// Counters beside [`Counts`].
#[derive(Debug, Default)]
pub struct EndpointMetrics {
    /// Posted requests that were answered, by status.
    statuses: BTreeMap<u16, u64>,
    /// Violations of the contract.
    violations: BTreeMap<Clause, u64>,
}

impl EndpointMetrics {
    /// Counts an answer.
    pub fn count_status(&mut self, status: u16) {
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Counts the violations of an entry.
    pub fn count_violations(&mut self, clauses: &[Clause]) {
        for clause in clauses {
            *self.violations.entry(*clause).or_default() += 1;
        }
    }

    /// Returns all counters as text.
    pub fn text(&self, counts: &Counts) -> String {
        let mut text = Exposition::default();
        text.family(name("requests_total"), Counter, "Posted requests that were answered, by status.");
        for (status, count) in &self.statuses {
            text.sample([("status", &*status.to_string())], *count);
        }
        text.family(name("faults_total"), Counter, "Requests with a fault that --fault injected.");
        text.sample([], counts.faults);
        text.family(
            name("entries_total"),
            Counter,
            "Entries; Coralogix would drop or alter the rejected ones.",
        );
        text.sample([("result", "accepted")], counts.accepted);
        text.sample([("result", "rejected")], counts.rejected);
        text.family(name("violations_total"), Counter, "Violations of the contract, by its clause.");
        for clause in Clause::ALL {
            let count = self.violations.get(&clause).copied().unwrap_or(0);
            text.sample([("clause", clause.label())], count);
        }
        text.finish()
    }
}

fn name(name: &str) -> String {
    format!("kaudit_endpoint_{name}")
}
