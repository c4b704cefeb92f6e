//! A checked policy: plain data, not yet compiled.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use core::fmt;

use crate::audit::FieldRef;
use crate::audit::net::Network;
use crate::config::Severity;

/// The maximum number of rules.
pub(super) const MAX_RULES: usize = 4096;
/// The maximum number of conditions of a rule.
#[cfg(feature = "compile")]
pub(super) const MAX_CONDITIONS: usize = 64;
/// The maximum number of different fields that the tests of a policy use.
#[cfg(feature = "compile")]
pub(super) const MAX_FIELDS: usize = 256;
/// The maximum number of values of all tests together, including those from files.
pub(super) const MAX_VALUES: usize = 65_536;
/// The maximum number of rules that refer to each other in a row.
pub(super) const MAX_DEPTH: usize = 16;

/// A policy: kAudit's list of rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The rules, in the order of the list.
    pub rules: Vec<Rule>,
}

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `id`: unique; a number, or a text as in old policies.
    pub id: String,
    /// `name`: unique.
    pub name: String,
    /// `documentation` or `description`; may be empty.
    pub documentation: String,
    /// `namespace`: the group of the rule, without an effect on matching; may be empty.
    pub group: String,
    /// `status`: whether matches are reported. Other rules may refer to the rule in any case. Default true.
    pub status: bool,
    /// `combine-op`; default and.
    pub combine_op: CombineOp,
    /// `conditions`; not empty.
    pub conditions: Vec<Condition>,
    /// `enforcement`, which this filter does not apply.
    pub enforcement: Option<Enforcement>,
    /// `severity` of the rule's selections. An addition of this filter.
    pub severity: Option<Severity>,
    /// `tags`, such as the techniques of MITRE ATT&CK. An addition of this filter.
    pub tags: Vec<String>,
    /// The line on which the rule begins, for messages.
    pub line: usize,
}

/// `combine-op`: how the conditions of a rule are combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CombineOp {
    /// All conditions are true.
    #[default]
    And,
    /// At least one condition is true.
    Or,
}

/// A condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `ref-id`: the conditions of another rule, with either status.
    Ref {
        /// The index of the rule in the policy.
        rule: usize,
        /// `not-ref-id`: the other rule is not true. An addition of this filter.
        negated: bool,
    },
    /// `field`, `match-op` and `match-value`.
    Test(Test),
}

/// A comparison of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// `field`.
    pub field: FieldRef,
    /// The operator is `!=`, `!~`, `not-in` or `not-cidr`: exactly the opposite of the other four.
    pub negated: bool,
    /// The operator without its negation, and the value.
    pub operand: Operand,
}

/// The value of a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operand {
    /// `=`: the value. Empty: the field is absent.
    Equal(String),
    /// `~`: a pattern that is searched in the value.
    Pattern(String),
    /// `in`: one of the values. An addition of this filter.
    In(Vec<String>),
    /// `cidr`: an address in one of the networks. An addition of this filter.
    Networks(Vec<Network>),
}

/// `enforcement`: the limits of kAudit's admission webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// `time-limit`, milliseconds.
    pub time_limit_ms: Option<u64>,
    /// `count-limit`.
    pub count_limit: Option<u64>,
}

/// The value of a condition or a rule for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It does not match.
    False,
    /// It depends on a part of the event that is missing, such as the request body.
    Unknown,
    /// It matches.
    True,
}

impl Truth {
    /// Returns the value of the opposite condition.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl Policy {
    /// Returns the indices of the rules, each after the rules to which it refers.
    ///
    /// Rules that refer to a cycle or are part of one are missing.
    pub(super) fn in_reference_order(&self) -> Vec<usize> {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.rules.len()];
        let mut pending: Vec<usize> = Vec::new();
        let mut order = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let mut references = 0_usize;
            for target in rule.references() {
                references = references.saturating_add(1);
                users.get_mut(target).into_iter().for_each(|users| users.push(index));
            }
            pending.push(references);
            if references == 0 {
                order.push(index);
            }
        }
        let mut next = 0;
        while let Some(rule) = order.get(next).copied() {
            next = next.saturating_add(1);
            for user in users.get(rule).into_iter().flatten() {
                let Some(pending) = pending.get_mut(*user) else { continue };
                *pending = pending.saturating_sub(1);
                if *pending == 0 {
                    order.push(*user);
                }
            }
        }
        order
    }
}

impl Policy {
    /// Returns for each rule whether it is reported, or a reported rule refers to it.
    ///
    /// `order` is [`Self::in_reference_order`].
    pub(crate) fn used_rules(&self, order: &[usize]) -> Vec<bool> {
        let mut used: Vec<bool> = self.rules.iter().map(|rule| rule.status).collect();
        // From the rules that refer to the rules to which they refer.
        for &index in order.iter().rev() {
            let Some(rule) = self.rules.get(index).filter(|_| used.get(index) == Some(&true)) else {
                continue;
            };
            for target in rule.references() {
                used.get_mut(target).into_iter().for_each(|used| *used = true);
            }
        }
        used
    }

    /// Returns the fields of the request body that a rule depends on, also through other rules.
    pub(crate) fn body_fields(&self, rule: usize) -> Vec<FieldRef> {
        let mut fields = Vec::new();
        let (mut seen, mut pending) = (vec![false; self.rules.len()], vec![rule]);
        while let Some(index) = pending.pop() {
            let Some(seen) = seen.get_mut(index).filter(|seen| !**seen) else { continue };
            *seen = true;
            let Some(rule) = self.rules.get(index) else { continue };
            pending.extend(rule.references());
            for condition in &rule.conditions {
                if let Condition::Test(Test { field, .. }) = condition
                    && field.is_body()
                    && !fields.contains(field)
                {
                    fields.push(field.clone());
                }
            }
        }
        fields
    }

    /// Returns for each rule the number of rules below it that refer to each other in a row.
    pub(super) fn depths(&self, order: &[usize]) -> Vec<usize> {
        let mut depths = vec![0_usize; self.rules.len()];
        for &index in order {
            let below = self.rules.get(index).into_iter().flat_map(Rule::references);
            let deepest = below.filter_map(|rule| depths.get(rule)).max();
            let depth = deepest.map_or(0, |depth| depth.saturating_add(1));
            depths.get_mut(index).into_iter().for_each(|of_rule| *of_rule = depth);
        }
        depths
    }

    /// Returns the number of values of all tests.
    pub(super) fn values(&self) -> usize {
        let conditions = self.rules.iter().flat_map(|rule| &rule.conditions);
        conditions.fold(0, |values, condition| values.saturating_add(condition.values()))
    }
}

impl Condition {
    /// Returns the number of values.
    pub(super) fn values(&self) -> usize {
        match self {
            Self::Ref { .. } => 0,
            Self::Test(test) => match &test.operand {
                Operand::Equal(_) | Operand::Pattern(_) => 1,
                Operand::In(values) => values.len(),
                Operand::Networks(networks) => networks.len(),
            },
        }
    }
}

impl Rule {
    /// Returns the indices of the rules to which this rule refers.
    pub(super) fn references(&self) -> impl Iterator<Item = usize> {
        self.conditions.iter().filter_map(|condition| match condition {
            Condition::Ref { rule, .. } => Some(*rule),
            Condition::Test(_) => None,
        })
    }
}

impl Test {
    /// Returns the operator as written in a policy.
    pub fn operator(&self) -> &'static str {
        match (&self.operand, self.negated) {
            (Operand::Equal(_), false) => "=",
            (Operand::Equal(_), true) => "!=",
            (Operand::Pattern(_), false) => "~",
            (Operand::Pattern(_), true) => "!~",
            (Operand::In(_), false) => "in",
            (Operand::In(_), true) => "not-in",
            (Operand::Networks(_), false) => "cidr",
            (Operand::Networks(_), true) => "not-cidr",
        }
    }
}

impl fmt::Display for Test {
    /// Writes the test in one line, with at most three values of a list.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |values: &mut dyn Iterator<Item = String>, count: usize| {
            let shown: Vec<String> = values.take(3).collect();
            let more = if count > shown.len() { ", …" } else { "" };
            write!(f, "{} {} [{}{more}]", self.field, self.operator(), shown.join(", "))
        };
        match &self.operand {
            Operand::In(values) => list(&mut values.iter().cloned(), values.len()),
            Operand::Networks(networks) => {
                list(&mut networks.iter().map(ToString::to_string), networks.len())
            }
            Operand::Equal(value) | Operand::Pattern(value) => {
                let value = if value.is_empty() { "''" } else { value };
                write!(f, "{} {} {value}", self.field, self.operator())
            }
        }
    }
}
