//! Coverage: the parts of a configuration that tests exercise, and the others.

use std::collections::BTreeSet;

use kaudit_filter::config::{Audit, Config, Integration};
use kaudit_filter::explain::{Explanation, MatchResult};
use kaudit_filter::policy::{Condition, Truth};

use crate::explain::{not_evaluated, written_condition};

/// The parts of one configuration that its tests exercised.
#[derive(Debug, Default)]
pub struct Coverage {
    matched: BTreeSet<usize>,
    rejections: BTreeSet<(usize, &'static str)>,
    rows: BTreeSet<usize>,
    /// The rules that were true for an event.
    true_rules: BTreeSet<usize>,
    /// Conditions by their rule and number, with the value that they had for an event.
    conditions: BTreeSet<(usize, usize, bool)>,
}

/// The maximum number of names in a row of a policy, without details.
const PRINTED: usize = 3;
const ALL: Names = Names::InRow(usize::MAX);

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
        if not_evaluated(&explanation.outcome).is_some() {
            return;
        }
        for rule in &explanation.rules {
            if rule.value == Truth::True {
                self.true_rules.insert(rule.rule);
            }
            for (number, condition) in rule.conditions.iter().enumerate() {
                if condition.value != Truth::Unknown {
                    self.conditions.insert((rule.rule, number, condition.value == Truth::True));
                }
            }
        }
    }

    /// Returns the coverage as text, with the names of the parts not exercised.
    ///
    /// `details`: with every rule and condition of a policy that is not exercised; otherwise with the first ones.
    pub fn text(&self, name: &str, config: &Config, details: bool) -> String {
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
        rows.push(row(
            "integrations",
            "match a finding",
            integrations.len(),
            &missing.collect::<Vec<_>>(),
            ALL,
        ));
        let missing = clauses.iter().filter(|clause| !self.rejections.contains(clause));
        let missing = missing.map(|(index, clause)| format!("{clause} of `{}`", name_of(*index)));
        rows.push(row("clauses", "reject a finding", clauses.len(), &missing.collect::<Vec<_>>(), ALL));
        let missing = (0..config.severity.len()).filter(|row| !self.rows.contains(row));
        rows.push(row(
            "severity rows",
            "applied",
            config.severity.len(),
            &missing.map(|row| format!("severity[{row}]")).collect::<Vec<_>>(),
            ALL,
        ));
        rows.extend(config.audit.iter().flat_map(|audit| self.policy_rows(audit, details)));
        rows.retain(|row| !row.is_empty());
        rows.join("\n") + "\n"
    }
}

impl Coverage {
    /// Returns the rows of a policy's rules and conditions.
    fn policy_rows(&self, audit: &Audit, details: bool) -> Vec<String> {
        let rules = &audit.policy.rules;
        let mut used: BTreeSet<usize> =
            rules.iter().enumerate().filter(|(_, rule)| rule.status).map(|(index, _)| index).collect();
        let reported: Vec<usize> = used.iter().copied().collect();
        // The rules to which they refer, too.
        let mut pending = reported.clone();
        while let Some(rule) = pending.pop().and_then(|index| rules.get(index)) {
            for condition in &rule.conditions {
                if let Condition::Ref { rule, .. } = condition
                    && used.insert(*rule)
                {
                    pending.push(*rule);
                }
            }
        }
        let missing_rules: Vec<String> = reported
            .iter()
            .filter(|index| !self.true_rules.contains(index))
            .filter_map(|index| rules.get(*index))
            .map(|rule| format!("`{}` (line {})", rule.name, rule.line))
            .collect();
        let mut all_conditions = 0;
        let mut missing_conditions = Vec::new();
        for (index, rule) in used.iter().filter_map(|index| Some((index, rules.get(*index)?))) {
            for (number, condition) in rule.conditions.iter().enumerate() {
                all_conditions += 1;
                let was = |value| self.conditions.contains(&(*index, number, value));
                let never = match (was(true), was(false)) {
                    (true, true) => continue,
                    (false, true) => "never true",
                    (true, false) => "never false",
                    (false, false) => "never tested",
                };
                let written = written_condition(condition, audit);
                missing_conditions.push(format!("{written} of `{}` (line {}) {never}", rule.name, rule.line));
            }
        }
        let parts = [
            ("rules", "select an event", reported.len(), missing_rules),
            ("conditions", "true and false", all_conditions, missing_conditions),
        ];
        let names = if details { Names::Below } else { Names::InRow(PRINTED) };
        parts.into_iter().map(|(label, verb, all, missing)| row(label, verb, all, &missing, names)).collect()
    }
}

/// The names of the parts that are not covered in a row.
#[derive(Clone, Copy)]
enum Names {
    /// In the row, if there are at most this number.
    InRow(usize),
    /// All, on lines of their own.
    Below,
}

fn row(label: &str, verb: &str, all: usize, missing: &[String], names: Names) -> String {
    if all == 0 {
        return String::new();
    }
    let not_covered = match names {
        _ if missing.is_empty() => String::new(),
        Names::InRow(most) if missing.len() > most => "; --coverage lists the others".to_owned(),
        Names::InRow(_) => format!("; not covered: {}", missing.join(", ")),
        Names::Below => {
            let lines: Vec<String> = missing.iter().map(|name| format!("\n    {name}")).collect();
            format!("; not covered:{}", lines.concat())
        }
    };
    format!("  {label:<14}{} of {all} {verb}{not_covered}", all - missing.len())
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
