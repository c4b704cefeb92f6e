//! Compiles patterns when a filter is built.

use alloc::boxed::Box;

use regex_automata::meta;

use super::literal::LiteralSet;
use super::regex::{CompiledSet, single};
use super::{Automaton, BuildError, OtherPatterns, PatternFinder, PatternSet, PatternSource, PatternTest};

/// Compiles each pattern of a filter under construction.
pub(crate) struct PatternCompiler;

impl PatternSource for PatternCompiler {
    fn test(&mut self, pattern: &str) -> Result<PatternTest, BuildError> {
        let literals = LiteralSet::of(&[pattern]);
        Ok(if literals.other_patterns(1).is_empty() {
            PatternTest::Literals(literals)
        } else {
            PatternTest::Compiled(single(pattern)?)
        })
    }

    fn find(&mut self, pattern: &str) -> Result<PatternFinder, BuildError> {
        Ok(PatternFinder::Compiled(single(pattern)?))
    }

    fn set(&mut self, patterns: &[&str]) -> Result<PatternSet, BuildError> {
        let literals = LiteralSet::of(patterns);
        let indices = literals.other_patterns(patterns.len());
        let others = if indices.is_empty() {
            None
        } else {
            let automaton = Automaton::Compiled(CompiledSet::of(patterns, &indices)?);
            Some(OtherPatterns { automaton, indices })
        };
        Ok(PatternSet { literals, others })
    }
}

impl From<Box<meta::BuildError>> for BuildError {
    fn from(error: Box<meta::BuildError>) -> Self {
        Self(format!("the patterns are too large together: {error}"))
    }
}
