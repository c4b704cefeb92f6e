//! The rules of a policy in an explanation.

use kaudit_filter::config::{Audit, Config};
use kaudit_filter::explain::{Explanation, Outcome};
use kaudit_filter::policy::{
    CombineOp, Condition, ExplainedCondition, ExplainedRule, Rule, SeenValue, Truth,
};
use kaudit_filter::stats::Reason;
use serde_json::{Value, json};

use crate::lines::{AFTER_LABEL, quote};
use crate::style::{Paint, Style};

/// Returns the reason for which the rules are not evaluated on an audit event.
pub fn not_evaluated(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Dropped(reason @ (Reason::Stage | Reason::DuplicateStage | Reason::LegacyEvent)) => {
            Some(*reason)
        }
        _ => None,
    }
}

/// Returns the rules of the policy that are evaluated on the audit event of an explanation.
fn evaluated_rules<'c>(
    explanation: &'c Explanation,
    config: &'c Config,
) -> impl Iterator<Item = (&'c Rule, &'c ExplainedRule)> {
    let audit = config.audit.as_ref().filter(|_| not_evaluated(&explanation.outcome).is_none());
    audit.into_iter().flat_map(|audit| {
        explanation.rules.iter().filter_map(|explained| {
            let rule = audit.policy.rules.get(explained.rule)?;
            rule.status.then_some((rule, explained))
        })
    })
}

/// Returns the rules of the policy that select the audit event of an explanation.
pub fn selecting_rules<'c>(explanation: &'c Explanation, config: &'c Config) -> Vec<&'c Rule> {
    let rules = evaluated_rules(explanation, config);
    rules.filter(|(_, explained)| explained.value == Truth::True).map(|(rule, _)| rule).collect()
}

/// Adds the rules of the policy that select the event, with all their conditions.
///
/// Of the others it adds the nearest ones, most of whose conditions are true, with the first condition that is not.
pub fn push_rules(
    explanation: &Explanation,
    config: &Config,
    paint: Paint,
    rows: &mut Vec<(&'static str, String)>,
) {
    let Some(audit) = &config.audit else { return };
    let (selecting, mut others): (Vec<_>, Vec<_>) =
        evaluated_rules(explanation, config).partition(|(_, explained)| explained.value == Truth::True);
    // Rules that do not select the event matter if none does.
    let printed = if selecting.is_empty() { 5 } else { 2 };
    let of_finding = explanation.fields.iter().find(|(name, _)| *name == "rule").map(|(_, rule)| rule);
    let is_known = selecting.iter().any(|(rule, _)| Some(&rule.name) == of_finding);
    for (rule, explained) in selecting {
        let selects = paint.with(Style::Good, "selects the event");
        if is_known && Some(&rule.name) != of_finding {
            rows.push(("rule", format!("{} {selects}, too", quote(&rule.name))));
            continue;
        }
        rows.push(("rule", format!("{} {selects}", quote(&rule.name))));
        for (condition, explained) in rule.conditions.iter().zip(&explained.conditions) {
            push_condition(condition, explained, audit, paint, rows);
        }
    }
    others.sort_by_key(|(rule, explained)| {
        let conditions = &explained.conditions;
        let count = conditions.iter().filter(|condition| condition.value == Truth::True).count();
        let of_all =
            if rule.combine_op == CombineOp::Or { 0 } else { count * 1000 / conditions.len().max(1) };
        std::cmp::Reverse(of_all)
    });
    for (rule, explained) in others.iter().take(printed) {
        rows.push(("rule", format!("{} does not select it", quote(&rule.name))));
        let conditions = rule.conditions.iter().zip(&explained.conditions);
        let refuting = conditions.filter(|(_, condition)| condition.value != Truth::True);
        for (condition, explained) in refuting.take(1) {
            push_condition(condition, explained, audit, paint, rows);
            if let Condition::Ref { rule, negated: false } = condition {
                let reason = refuting_condition(*rule, &explanation.rules, audit);
                push_wrapped(&format!("      {reason}"), rows);
            }
        }
    }
    match others.len().saturating_sub(printed) {
        0 => {}
        more => rows.push(("", paint.with(Style::Faint, &format!("{more} more rules do not select it")))),
    }
}

/// Adds a condition with its value and the value seen.
fn push_condition(
    condition: &Condition,
    explained: &ExplainedCondition,
    audit: &Audit,
    paint: Paint,
    rows: &mut Vec<(&'static str, String)>,
) {
    let mark = match explained.value {
        Truth::True => paint.with(Style::Good, "yes"),
        Truth::False => paint.with(Style::Bad, "no "),
        Truth::Unknown => paint.with(Style::Neutral, "?  "),
    };
    let at = rows.len();
    push_wrapped(&format!("      {}", condition_text(condition, explained, audit)), rows);
    // The mark, which may be coloured, is not counted.
    if let Some((_, first)) = rows.get_mut(at) {
        first.replace_range(..6, &format!("  {mark} "));
    }
}

/// Adds a text in rows of at most 80 columns, as far as its words permit.
fn push_wrapped(text: &str, rows: &mut Vec<(&'static str, String)>) {
    match text.split_once(", the event has ") {
        Some((condition, seen)) if text.chars().count() > AFTER_LABEL => {
            rows.push(("", format!("{condition},")));
            rows.push(("", format!("      the event has {seen}")));
        }
        _ => rows.push(("", text.to_owned())),
    }
}

/// Returns the first condition because of which a rule does not select an event, with the value seen.
///
/// `explained` contains all rules; a reference is followed to the condition of the other rule.
pub fn refuting_condition(rule: usize, explained: &[ExplainedRule], audit: &Audit) -> String {
    let of_rule = audit.policy.rules.get(rule).zip(explained.iter().find(|explained| explained.rule == rule));
    let Some((rule, result)) = of_rule else { return String::new() };
    let mut conditions = rule.conditions.iter().zip(&result.conditions);
    let Some((condition, result)) = conditions.find(|(_, result)| result.value != Truth::True) else {
        return String::new();
    };
    let text = match condition {
        Condition::Ref { rule: other, negated: false } => {
            let reason = refuting_condition(*other, explained, audit);
            format!("{}: {reason}", condition_text(condition, result, audit))
        }
        _ => condition_text(condition, result, audit),
    };
    match rule.conditions.len() {
        several @ 2.. if rule.combine_op == CombineOp::Or => format!("none of {several}: {text}"),
        _ => text,
    }
}

/// Returns a condition in the form of a policy, for messages.
pub fn written_condition(condition: &Condition, audit: &Audit) -> String {
    match condition {
        Condition::Ref { rule, negated } => {
            let name = audit.policy.rules.get(*rule).map_or("", |rule| &rule.name);
            format!("{} {}", if *negated { "not-ref-id" } else { "ref-id" }, quote(name))
        }
        Condition::Test(test) => {
            /// Longer patterns and lists are truncated, so that most conditions fit on a line.
            const MAX: usize = 58;
            let written = test.to_string();
            match written.char_indices().nth(MAX) {
                Some((end, _)) => quote(&format!("{}…", &written[..end])),
                None => quote(&written),
            }
        }
    }
}

/// Returns a condition with the value seen.
fn condition_text(condition: &Condition, explained: &ExplainedCondition, audit: &Audit) -> String {
    let text = written_condition(condition, audit);
    let seen = match &explained.seen {
        None => String::new(),
        Some(SeenValue::Absent) => ", absent".to_owned(),
        Some(SeenValue::Unknown) => ", not in the event".to_owned(),
        Some(SeenValue::Text(text)) => format!(", the event has {}", quote(text)),
        Some(SeenValue::List(texts)) => format!(", the event has {}", quote(&texts.join("; "))),
    };
    format!("{text}{seen}")
}

/// Returns the rules that are reported, each with its value, which is null if a part of the event is missing.
pub fn rules_json(explanation: &Explanation, config: &Config) -> Value {
    let truth = |value: Truth| match value {
        Truth::True => Value::Bool(true),
        Truth::False => Value::Bool(false),
        Truth::Unknown => Value::Null,
    };
    let Some(audit) = &config.audit else { return json!([]) };
    let rules = evaluated_rules(explanation, config).map(|(rule, explained)| {
        let conditions = rule.conditions.iter().zip(&explained.conditions);
        let conditions: Vec<Value> = conditions
            .map(|(condition, explained)| {
                let written = match condition {
                    Condition::Test(test) => test.to_string(),
                    Condition::Ref { .. } => written_condition(condition, audit).replace('`', ""),
                };
                let seen = match &explained.seen {
                    Some(SeenValue::Text(text)) => Value::from(text.as_str()),
                    Some(SeenValue::List(texts)) => json!(texts),
                    Some(SeenValue::Absent | SeenValue::Unknown) | None => Value::Null,
                };
                json!({"condition": written, "value": truth(explained.value), "seen": seen})
            })
            .collect();
        json!({
            "id": rule.id, "name": rule.name, "value": truth(explained.value), "conditions": conditions,
        })
    });
    rules.collect()
}
