//! Coverage: the parts of a configuration that tests exercise, and the others.

use std::collections::BTreeSet;

use kaudit_filter::config::{Config, Integration};
use kaudit_filter::explain::{Explanation, MatchResult};

/// The parts of one configuration that its tests exercised.
#[derive(Debug, Default)]
pub struct Coverage {
    matched: BTreeSet<usize>,
    rejections: BTreeSet<(usize, &'static str)>,
    rows: BTreeSet<usize>,
}

impl Coverage {
    pub(super) fn record(&mut self, explanation: &Explanation) {
        for step in &explanation.integrations {
            if matches!(step.result, MatchResult::Matches | MatchResult::Stopped) {
                self.matched.insert(step.index);
            }
            self.rejections.extend(
                step.clauses.iter().filter(|clause| !clause.accepts).map(|clause| (step.index, clause.name)),
            );
        }
        self.rows.extend(explanation.severity.as_ref().and_then(|chosen| chosen.row));
    }

    /// Returns the coverage as text, with the names of the parts not exercised.
    pub fn text(&self, name: &str, config: &Config) -> String {
        let integrations: Vec<(usize, &Integration)> =
            config.integrations.iter().enumerate().filter(|(_, integration)| integration.applies).collect();
        let clauses: Vec<(usize, &'static str)> = integrations
            .iter()
            .flat_map(|(index, integration)| clauses(integration).into_iter().map(|clause| (*index, clause)))
            .collect();
        let mut rows = vec![format!("coverage of {name}")];
        let name_of =
            |index: usize| config.integrations.get(index).map_or("", |integration| &integration.name);
        let missing = integrations.iter().filter(|(index, _)| !self.matched.contains(index));
        let missing =
            missing.map(|(_, integration)| format!("`{}` (line {})", integration.name, integration.line));
        rows.push(row("integrations", "match a finding", integrations.len(), &missing.collect::<Vec<_>>()));
        let missing = clauses.iter().filter(|clause| !self.rejections.contains(clause));
        let missing = missing.map(|(index, clause)| format!("{clause} of `{}`", name_of(*index)));
        rows.push(row("clauses", "reject a finding", clauses.len(), &missing.collect::<Vec<_>>()));
        let missing = (0..config.severity.len()).filter(|row| !self.rows.contains(row));
        rows.push(row(
            "severity rows",
            "applied",
            config.severity.len(),
            &missing.map(|row| format!("severity[{row}]")).collect::<Vec<_>>(),
        ));
        rows.retain(|row| !row.is_empty());
        rows.join("\n") + "\n"
    }
}

fn row(label: &str, verb: &str, all: usize, missing: &[String]) -> String {
    if all == 0 {
        return String::new();
    }
    let covered = all - missing.len();
    let not_covered =
        if missing.is_empty() { String::new() } else { format!("; not covered: {}", missing.join(", ")) };
    format!("  {label:<14}{covered} of {all} {verb}{not_covered}")
}

/// Returns the names of an integration's clauses.
fn clauses(integration: &Integration) -> Vec<&'static str> {
    let filter = &integration.filter;
    let has = [
        ("etype", !filter.etype.is_empty()),
        ("category", !filter.category.is_empty()),
        ("confidence", !filter.confidence.is_empty()),
        ("entity-match", filter.entity_match.is_some()),
        ("entity-no-match", filter.entity_no_match.is_some()),
        ("rules-match", filter.rules_match.is_some()),
        ("rules-no-match", filter.rules_no_match.is_some()),
    ];
    has.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}
