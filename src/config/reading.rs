//! The parts of the reader that the reader of policies uses as well.

use alloc::borrow::ToOwned as _;

use saphyr_parser::ScalarStyle;

use super::pattern_problem::Purpose;
use super::patterns;
use crate::error::Code;

pub(crate) use super::dialect::parse_data_value;
pub(crate) use super::files::load;
pub(crate) use super::patterns::{PatternBudget, occurs_in_every_text};
pub(crate) use super::problems::{Problems, SourceSpan, quote};
pub(crate) use super::section::{describe_node, nearest};
pub(crate) use super::yaml::{MERGE, Node, Origin, Scalar, YamlMember, YamlValue, parse as parse_yaml};

/// Checks a pattern of a policy, whose node has the pattern as its text.
///
/// `negated`: a match makes the condition false.
pub(crate) fn check_pattern(
    problems: &mut Problems,
    budget: &mut PatternBudget,
    node: &Node,
    path: &str,
    negated: bool,
) {
    let YamlValue::Scalar(Scalar { text, style, .. }) = &node.value else { return };
    let purpose = if negated { Purpose::Reject } else { Purpose::Accept };
    let style = if node.is_null() { ScalarStyle::Plain } else { *style };
    for problem in patterns::check(text, purpose, style, budget) {
        // The policy's own checks report them, in terms of conditions.
        if matches!(problem.code, Code::AcceptsAll | Code::MatchesAll) {
            continue;
        }
        let help = match problem.repaired {
            None if problem.help.contains("no-match") => {
                "a condition with `!~` says what must not occur".to_owned()
            }
            None => problem.help,
            Some(pattern) => format!("{}: write `'{}'`", problem.help, pattern.replace('\'', "''")),
        };
        problems.add(problem.code, node.span_of(problem.span), path, problem.message, help);
    }
}
