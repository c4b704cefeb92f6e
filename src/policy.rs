//! Policies over audit events: kAudit's rule language, read, checked, compiled and evaluated.
//!
//! A [`Policy`] is plain data. [`read()`] reads kAudit's list of rules with all mistakes, each with its position.
//! `CompiledPolicy` evaluates all rules of a policy on one event at a time.
//!
//! A condition compares a field of the event with a value, or refers to another rule. Everything is compared as text, an
//! empty text is an absent value, and a pattern is an unanchored search. A condition on a value that the event does not
//! contain is neither true nor false (Kleene's logic), so that a rule without its request body never matches.

mod compile;
mod evaluate;
#[cfg(feature = "compile")]
mod explain;
#[cfg(feature = "compile")]
mod lint;
#[cfg(feature = "compile")]
mod located;
mod model;
#[cfg(feature = "compile")]
mod read;
mod recent;
mod reported;
#[cfg(feature = "compile")]
mod resources;
mod rule_set;
#[cfg(feature = "compile")]
mod sources;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod work;

pub(crate) use evaluate::CompiledPolicy;
#[cfg(feature = "compile")]
pub(crate) use explain::PolicyExplainer;
#[cfg(feature = "compile")]
pub use explain::{ExplainedCondition, ExplainedRule, SeenValue};
pub use model::{CombineOp, Condition, Enforcement, Operand, Policy, Rule, Test, Truth};
#[cfg(feature = "compile")]
pub(crate) use read::PolicyReader;
#[cfg(feature = "compile")]
pub use read::{PolicyResult, check, read};
pub(crate) use reported::ReportedRule;
