//! Finds rules that no event of a source satisfies, and conditions that every event of it satisfies.
//!
//! Both follow from the fields that the source never has: there they are absent.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::located::LocatedRule;
use super::model::{CombineOp, Condition, Operand, Policy, Rule, Test};
use crate::audit::{EventField, FieldRef, SourceKind};
use crate::config::reading::{Problems, quote};
use crate::error::Code;

/// Reports the rules that are reported and cannot match, and the conditions that exclude nothing.
pub(super) fn check(
    problems: &mut Problems,
    policy: &Policy,
    located: &[LocatedRule],
    sources: &[SourceKind],
) {
    if sources.is_empty() {
        return;
    }
    let order = policy.in_reference_order();
    let used = policy.used_rules(&order);
    let values: Vec<RuleValues> =
        sources.iter().map(|source| rule_values(policy, located, &order, *source)).collect();
    for (index, (rule, location)) in policy.rules.iter().zip(located).enumerate() {
        if location.incomplete || used.get(index) != Some(&true) {
            continue;
        }
        // By the number of the condition, and its value.
        let mut found: BTreeMap<(usize, bool), Vec<SourceKind>> = BTreeMap::new();
        for (source, values) in sources.iter().zip(&values) {
            let value_of = |condition: &Condition| condition_value(condition, *source, values);
            if values.get(index) == Some(&Some(false)) {
                let refuting =
                    rule.conditions.iter().position(|condition| value_of(condition) == Some(false));
                // Of another rule the rule that refers to it is reported.
                if let Some(refuting) = refuting.filter(|_| rule.status) {
                    found.entry((refuting, false)).or_default().push(*source);
                }
                continue;
            }
            for (number, condition) in rule.conditions.iter().enumerate() {
                let Condition::Test(test) = condition else { continue };
                if value_of(condition) == Some(true) && !is_reported_without_source(test) {
                    found.entry((number, true)).or_default().push(*source);
                }
            }
        }
        for ((number, value), of_sources) in found {
            let (condition, at) = (rule.conditions.get(number), location.conditions.get(number));
            let (Some(condition), Some(at)) = (condition, at) else { continue };
            let field = of_sources
                .first()
                .and_then(|first| sources.iter().zip(&values).find(|(source, _)| *source == first))
                .and_then(|(source, values)| deciding_field(policy, condition, *source, values));
            let names: Vec<&str> = of_sources.iter().map(|source| source.name()).collect();
            let events = match field {
                Some(field) => format!("for events of {}, which have no `{field}`", names.join(" and ")),
                None => format!("for events of {}", names.join(" and ")),
            };
            let (message, help) = remark(rule, condition, value, &events);
            problems.add(Code::NeverFilled, at.value, &at.path, message, help);
        }
    }
}

/// Whether K093 reports a condition that is always true, since no source has the field.
fn is_reported_without_source(test: &Test) -> bool {
    let field = matches!(test.field, FieldRef::Known(EventField::CallerIpAsn | EventField::CallerIpCountry));
    field && test.negated
}

/// Returns the field because of which a condition always has its value, also through other rules.
fn deciding_field<'p>(
    policy: &'p Policy,
    condition: &'p Condition,
    source: SourceKind,
    values: &RuleValues,
) -> Option<&'p FieldRef> {
    let mut condition = condition;
    loop {
        match condition {
            Condition::Test(test) => return Some(&test.field),
            Condition::Ref { rule, .. } => {
                let value = values.get(*rule).copied().flatten()?;
                let mut conditions = policy.rules.get(*rule)?.conditions.iter();
                condition = conditions.find(|next| condition_value(next, source, values) == Some(value))?;
            }
        }
    }
}

/// The values of rules that are the same for every event of a source, by index.
type RuleValues = Vec<Option<bool>>;

fn rule_values(policy: &Policy, located: &[LocatedRule], order: &[usize], source: SourceKind) -> RuleValues {
    let mut values = vec![None; policy.rules.len()];
    for &index in order {
        let (Some(rule), Some(location)) = (policy.rules.get(index), located.get(index)) else { continue };
        if location.incomplete {
            continue;
        }
        // False decides a conjunction, true a disjunction.
        let decisive = rule.combine_op == CombineOp::Or;
        let mut value = Some(!decisive);
        for condition in &rule.conditions {
            match condition_value(condition, source, &values) {
                Some(found) if found == decisive => {
                    value = Some(decisive);
                    break;
                }
                Some(_) => {}
                None => value = None,
            }
        }
        values.get_mut(index).into_iter().for_each(|of_rule| *of_rule = value);
    }
    values
}

/// Returns the value that a condition has for every event of a source.
fn condition_value(condition: &Condition, source: SourceKind, rules: &RuleValues) -> Option<bool> {
    match condition {
        Condition::Ref { rule, negated } => {
            rules.get(*rule).copied().flatten().map(|value| value != *negated)
        }
        Condition::Test(test) if source.never_fills(&test.field) => {
            let accepts_absent = match &test.operand {
                Operand::Equal(word) => word.is_empty(),
                Operand::In(words) => words.iter().any(String::is_empty),
                Operand::Pattern(_) | Operand::Networks(_) => false,
            };
            Some(accepts_absent != test.negated)
        }
        Condition::Test(_) => None,
    }
}

/// Returns the message and the help for a condition that always has this value.
fn remark(rule: &Rule, condition: &Condition, value: bool, events: &str) -> (String, String) {
    let effect = match (value, rule.combine_op) {
        (false, _) => "so the rule cannot match",
        (true, CombineOp::And) => "so the condition excludes nothing",
        (true, CombineOp::Or) => "so the rule always matches",
    };
    let what = match condition {
        _ if !value && rule.combine_op == CombineOp::Or && rule.conditions.len() > 1 => {
            "no condition is ever true".to_owned()
        }
        Condition::Ref { negated, .. } => {
            format!("the rule of this reference is {} true", if *negated { "always" } else { "never" })
        }
        Condition::Test(test) => {
            format!("{} is {} true", quote(&test.to_string()), if value { "always" } else { "never" })
        }
    };
    let help = if value {
        "compare a field that these events have"
    } else {
        "compare a field that these events have, or set `status: false` for these clusters"
    };
    (format!("{what} {events}, {effect}"), help.to_owned())
}
