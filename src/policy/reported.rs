//! The properties of a rule that its selections have, besides the fields of kAudit's records.

use alloc::string::String;
use alloc::vec::Vec;

use super::model::Policy;
use crate::audit::FieldRef;
use crate::config::Severity;

/// A rule as its selections name it.
#[derive(Debug)]
pub(crate) struct ReportedRule {
    /// The index in the policy.
    pub index: usize,
    pub id: String,
    pub name: String,
    /// Whether its matches are selections.
    pub status: bool,
    pub documentation: String,
    pub tags: Vec<String>,
    /// `None`: the severity of its selections follows from the table, as for other findings.
    pub severity: Option<Severity>,
    /// The body fields that the rule, and the rules to which it refers, test.
    pub body_fields: Vec<FieldRef>,
}

impl ReportedRule {
    /// Returns all rules of a policy, in its order.
    pub fn all(policy: &Policy) -> Vec<Self> {
        let rules = policy.rules.iter().enumerate().map(|(index, rule)| Self {
            index,
            id: rule.id.clone(),
            name: rule.name.clone(),
            status: rule.status,
            documentation: rule.documentation.clone(),
            tags: rule.tags.clone(),
            severity: rule.severity,
            body_fields: policy.body_fields(index),
        });
        rules.collect()
    }
}
