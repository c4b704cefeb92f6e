//! The state of reading that all sections share.

use alloc::string::String;
use alloc::vec::Vec;

use saphyr_parser::ScalarStyle;

use super::pattern_problem::Purpose;
use super::patterns::{self, PatternBudget};
use super::problems::Problems;
use super::section::Section;
use super::yaml::YamlValue;
use crate::audit::SourceKind;

/// The state of reading that all sections share.
#[derive(Default)]
pub(super) struct ConfigReader {
    pub(super) problems: Problems,
    pub(super) pattern_budget: PatternBudget,
    /// The sources of audit events for which policies are checked.
    pub(super) sources: Vec<SourceKind>,
    /// The document was made of inline options.
    pub(super) inline: bool,
}

impl ConfigReader {
    /// Returns a pattern after its check.
    ///
    /// A pattern with errors is returned as well, as the configuration is then not used.
    pub(super) fn pattern(&mut self, section: &Section<'_>, key: &str, purpose: Purpose) -> Option<String> {
        let pattern = section.text(&mut self.problems, key)?;
        let node = section.get(key)?.node;
        let style = match &node.value {
            YamlValue::Scalar(scalar) => scalar.style,
            _ => ScalarStyle::Plain,
        };
        let path = section.path_of(key);
        for problem in patterns::check(&pattern, purpose, style, &mut self.pattern_budget) {
            let at = node.span_of(problem.span);
            let help = match problem.repaired {
                None => problem.help,
                // An agent's own configuration has no quotes around a value.
                Some(pattern) if self.inline => format!("{}: write `{pattern}`", problem.help),
                Some(pattern) => format!("{}: write `'{}'`", problem.help, pattern.replace('\'', "''")),
            };
            self.problems.add(problem.code, at, &path, problem.message, help);
        }
        Some(pattern)
    }
}
