//! Tests of evaluation: a plain evaluator as reference, tables of operators, bounds of the work.

mod bounds;
mod operators;
mod reference;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::evaluate::CompiledPolicy;
use super::model::{CombineOp, Condition, Operand, Policy, Rule, Test};
use crate::audit::{EventPart, FieldRef, FieldSource, FieldValue, RawPart};
use crate::pattern::PatternCompiler;

/// The value of a field of an [`Event`].
#[derive(Clone, Debug)]
enum Value {
    Unknown,
    Text(String),
    List(Vec<String>),
}

/// An event with given values; other fields are absent.
#[derive(Clone, Debug, Default)]
struct Event {
    values: BTreeMap<FieldRef, Value>,
    /// The fields that were read.
    read: Vec<FieldRef>,
    /// The last part that was returned.
    raw: String,
}

impl Event {
    fn of(values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| (field(name), Value::Text((*value).to_owned())));
        Self { values: values.collect(), ..Self::default() }
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.values.insert(field(name), value);
        self
    }
}

impl FieldSource for Event {
    fn value(&mut self, field: &FieldRef) -> FieldValue<'_> {
        if self.read.last() != Some(field) {
            self.read.push(field.clone());
        }
        match self.values.get(field) {
            None => FieldValue::Absent,
            Some(Value::Unknown) => FieldValue::Unknown,
            Some(Value::Text(text)) => FieldValue::Text(text),
            Some(Value::List(values)) => FieldValue::List(values),
        }
    }

    fn part(&mut self, part: EventPart) -> Option<RawPart<'_>> {
        let Self { values, raw, .. } = self;
        raw.clear();
        for (field, value) in values.iter().filter(|(field, _)| field.part() == Some(part)) {
            if let Value::Unknown = value {
                return None;
            }
            write!(raw, "{field} {value:?}").unwrap();
        }
        Some(RawPart { tag: 0, bytes: raw.as_bytes() })
    }
}

fn field(name: &str) -> FieldRef {
    FieldRef::of(name).unwrap_or_else(|| panic!("there is no field {name}"))
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// Creates a test: the words of `in` and the networks of `cidr` are separated by commas.
fn test(name: &str, operator: &str, value: &str) -> Condition {
    let (negated, operand) = match operator {
        "=" | "!=" => (operator == "!=", Operand::Equal(value.to_owned())),
        "~" | "!~" => (operator == "!~", Operand::Pattern(value.to_owned())),
        "in" | "not-in" => (operator == "not-in", Operand::In(words(value))),
        "cidr" | "not-cidr" => {
            let networks =
                words(value).iter().map(|text| crate::audit::net::Network::parse(text).unwrap()).collect();
            (operator == "not-cidr", Operand::Networks(networks))
        }
        _ => panic!("there is no operator {operator}"),
    };
    Condition::Test(Test { field: field(name), negated, operand })
}

fn rule(combine_op: CombineOp, status: bool, conditions: Vec<Condition>) -> Rule {
    Rule {
        id: String::new(),
        name: String::new(),
        documentation: String::new(),
        group: String::new(),
        status,
        combine_op,
        conditions,
        enforcement: None,
        severity: None,
        tags: Vec::new(),
        line: 1,
    }
}

fn and(conditions: Vec<Condition>) -> Rule {
    rule(CombineOp::And, true, conditions)
}

fn compiled(rules: Vec<Rule>) -> CompiledPolicy {
    CompiledPolicy::new(&Policy { rules }, &mut PatternCompiler).unwrap()
}

/// Returns the rules that match, and those whose value is unknown.
fn evaluate(policy: &mut CompiledPolicy, event: &mut Event) -> (Vec<usize>, Vec<usize>) {
    let before = policy.undecided().to_vec();
    let mut found = Vec::new();
    policy.evaluate(event, |rule| found.push(rule));
    let counted = policy.undecided().iter().zip(before).enumerate();
    (found, counted.filter(|(_, (after, before))| **after > *before).map(|(rule, _)| rule).collect())
}
