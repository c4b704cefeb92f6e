//! Explains a policy's result for one event: each rule and condition, with the value seen.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::evaluate::CompiledPolicy;
use super::model::{Condition, Policy, Rule, Truth};
use crate::audit::{FieldSource, FieldValue};
use crate::pattern::{BuildError, PatternCompiler};

/// The value of a rule for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedRule {
    /// The index of the rule in the policy. A rule whose status is false is explained as well.
    pub rule: usize,
    /// Whether the rule matches.
    pub value: Truth,
    /// The conditions, in the order of the rule.
    pub conditions: Vec<ExplainedCondition>,
}

/// The value of a condition for one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedCondition {
    /// The value of the field; `None` for a reference to another rule.
    pub seen: Option<SeenValue>,
    /// Whether the condition is true.
    pub value: Truth,
}

/// The value of a field of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenValue {
    /// The event has no such value.
    Absent,
    /// The part of the event that would have the value is missing.
    Unknown,
    /// One value.
    Text(String),
    /// Several values.
    List(Vec<String>),
}

/// Explains the rules of a policy.
///
/// It evaluates them as [`CompiledPolicy`] does, but all of them, and all their conditions.
pub(crate) struct PolicyExplainer {
    policy: Policy,
    compiled: CompiledPolicy,
}

impl PolicyExplainer {
    /// Compiles a policy, with the rules that are not reported.
    ///
    /// # Errors
    /// As of [`CompiledPolicy::new`].
    pub fn new(policy: &Policy) -> Result<Self, BuildError> {
        let all = policy.rules.iter().map(|rule| Rule { status: true, ..rule.clone() });
        let policy = Policy { rules: all.collect() };
        let compiled = CompiledPolicy::new(&policy, &mut PatternCompiler)?;
        Ok(Self { policy, compiled })
    }

    /// Returns all rules of the policy, with their values for an event.
    pub fn explain(&mut self, source: &mut impl FieldSource) -> Vec<ExplainedRule> {
        let Self { policy, compiled } = self;
        compiled.begin();
        let rules = policy.rules.iter().enumerate().map(|(index, rule)| {
            let conditions = rule.conditions.iter().enumerate();
            let conditions = conditions.map(|(number, condition)| ExplainedCondition {
                value: compiled.condition_value(index, number, source),
                seen: match condition {
                    Condition::Ref { .. } => None,
                    Condition::Test(test) => Some(SeenValue::of(source.value(&test.field))),
                },
            });
            let conditions = conditions.collect();
            ExplainedRule { rule: index, conditions, value: compiled.value(index, source) }
        });
        rules.collect()
    }
}

impl SeenValue {
    fn of(value: FieldValue<'_>) -> Self {
        match value {
            FieldValue::Absent => Self::Absent,
            FieldValue::Unknown => Self::Unknown,
            FieldValue::Text(text) => Self::Text(text.to_owned()),
            FieldValue::List(values) => Self::List(values.to_vec()),
        }
    }
}
