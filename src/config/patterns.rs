//! Checks a pattern before it is compiled.
//!
//! kAudit runs on the JVM, so a pattern may contain Java syntax that this engine does not support or interprets
//! differently; each such case has its own message. Decision: the syntax tree is examined instead of the text, so that
//! `[++]` is not reported as a possessive quantifier.

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSet, ClassSetBinaryOpKind, RepetitionKind, Span,
};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Dot, Hir, HirKind, Look};
use saphyr_parser::ScalarStyle;

use super::characters::{self, CharacterProblems};
use super::pattern_problem::{PatternProblem, Purpose};
use super::problems::quote;
use super::variables;
use crate::error::Code;
use crate::pattern;

/// The size limit of all compiled patterns of a configuration, in bytes.
///
/// It bounds the filter's memory and the time that reading takes. One pattern has the smaller limit of
/// [`crate::pattern`]; `[\w-]{1,63}` takes 3.5 MB.
const SIZE_LIMIT: usize = 32 << 20;
/// No pattern that a person wrote is nested deeper.
const NEST_LIMIT: u32 = 64;

/// The memory left for the patterns of a configuration.
pub(crate) struct PatternBudget {
    left: Option<usize>,
}

impl Default for PatternBudget {
    fn default() -> Self {
        Self { left: Some(SIZE_LIMIT) }
    }
}

impl PatternBudget {
    /// Compiles a pattern to measure its size.
    ///
    /// Once the limit is exceeded, nothing more is compiled or reported.
    fn admit(&mut self, text: &str, purpose: Purpose) -> Option<PatternProblem> {
        let left = self.left?;
        let compiled = match purpose {
            Purpose::Accept | Purpose::Reject => pattern::set(&[text]),
            Purpose::Overwrite => pattern::single(text),
        };
        let size = compiled.map_or(usize::MAX, |regex| regex.memory_usage());
        self.left = left.checked_sub(size);
        self.left.is_none().then(|| {
            let message = "with this pattern the configuration's patterns are too large".to_owned();
            problem(Code::LargePattern, 0..text.len(), message, "at most 10 MiB for one and 32 MiB for all when compiled; shorten counted repetitions such as `{1,1000}`")
        })
    }
}

/// Returns all problems of a pattern; `style` is its YAML style.
pub(super) fn check(
    pattern: &str,
    purpose: Purpose,
    style: ScalarStyle,
    budget: &mut PatternBudget,
) -> Vec<PatternProblem> {
    let (ast, hir) = match parse(pattern) {
        Ok(parsed) => parsed,
        Err(error) => return vec![variable_problem(pattern).unwrap_or(error)],
    };
    let properties = hir.properties();
    let mut problems = syntax_tree_problems(pattern, &ast, &hir);
    let CharacterProblems { problems: stray_characters, repaired } =
        characters::check(pattern, &ast, purpose, style);
    // With quotes inside its quotes, `"^admin$"` never matches because of them: one problem.
    let repaired =
        repaired.and_then(|text| parse(&text).ok().map(|(ast, hir)| syntax_tree_problems(&text, &ast, &hir)));
    if repaired.is_some_and(|rest| rest.iter().all(|problem| problem.code != Code::NeverMatches)) {
        problems.retain(|problem| problem.code != Code::NeverMatches);
    }
    problems.extend(stray_characters);
    // YAML removes backslashes in double quotes only.
    if style != ScalarStyle::DoubleQuoted {
        problems.extend(doubled_backslash(pattern));
    }
    let matches_every_text = matches_every_text(&hir, true);
    let of_all = |code, message: &str, help| problem(code, 0..pattern.len(), message.to_owned(), help);
    match purpose {
        Purpose::Accept if matches_every_text => problems.push(of_all(
            Code::AcceptsAll,
            "the pattern occurs in every text, so all is accepted",
            "omit it; or search for a superfluous `|`",
        )),
        Purpose::Reject if matches_every_text => problems.push(of_all(
            Code::MatchesAll,
            "the pattern occurs in every text, so nothing is accepted",
            "search for a superfluous `|`",
        )),
        Purpose::Accept | Purpose::Reject => problems.extend(java_class(&ast)),
        Purpose::Overwrite => {}
    }
    if properties.minimum_len().is_none() {
        problems.push(of_all(
            Code::NeverMatches,
            "the pattern can never match",
            "a class has no character in it, as `[a&&b]` has none",
        ));
    }
    if properties.minimum_len() == Some(0) && purpose == Purpose::Overwrite {
        problems.push(problem(
            Code::MatchesNothing,
            0..pattern.len(),
            "the pattern matches the empty text, so it occurs everywhere".to_owned(),
            "use `+` instead of `*`",
        ));
    }
    problems.extend(budget.admit(pattern, purpose));
    problems
}

/// Finds syntax that other engines interpret differently, and dead patterns.
fn syntax_tree_problems(pattern: &str, ast: &Ast, hir: &Hir) -> Vec<PatternProblem> {
    let lines = hir.properties().look_set().contains_anchor_line();
    let mut checker = AstChecker { pattern, lines, problems: Vec::new() };
    checker.visit(ast, false, false);
    // To the parser `$(NAME)` is the end of the text and then a group, which can never match.
    if let Some(variable) = variables::find(pattern) {
        let never = |problem: &PatternProblem| {
            problem.code == Code::NeverMatches && problem.span.start == variable.start
        };
        if checker.problems.iter().any(never) {
            checker.problems.retain(|problem| !never(problem));
            let message =
                format!("the variable {} is not substituted", quote(&variables::name(pattern, &variable)));
            checker.problems.push(problem(Code::Variable, variable, message, variables::HELP));
        }
    }
    checker.problems
}

/// Returns the error for `${NAME}`, which is not a valid pattern.
fn variable_problem(pattern: &str) -> Option<PatternProblem> {
    let variable = variables::find(pattern)
        .filter(|span| pattern.get(span.start..).is_some_and(|rest| rest.starts_with("${")))?;
    let message = format!(
        "the variable {} is not substituted, and is not a valid pattern",
        quote(&variables::name(pattern, &variable))
    );
    Some(problem(Code::Pattern, variable, message, variables::HELP))
}

fn parse(pattern: &str) -> Result<(Ast, Hir), PatternProblem> {
    let ast = ast::parse::ParserBuilder::new()
        .nest_limit(NEST_LIMIT)
        .build()
        .parse(pattern)
        .map_err(|error| parser_problem(&error))?;
    let hir = Translator::new().translate(pattern, &ast).map_err(|found| {
        problem(Code::Pattern, byte_range(found.span()), lowercase_start(&found.kind().to_string()), "")
    })?;
    Ok((ast, hir))
}

fn problem(code: Code, span: Range<usize>, message: String, help: impl Into<String>) -> PatternProblem {
    PatternProblem { code, span, message, help: help.into(), repaired: None }
}

fn byte_range(span: &Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

fn lowercase_start(text: &str) -> String {
    text.strip_prefix("Unicode").map_or_else(|| text.to_owned(), |rest| format!("unicode{rest}"))
}

/// Converts a parser error, with messages of our own for Java syntax.
fn parser_problem(found: &ast::Error) -> PatternProblem {
    let span = byte_range(found.span());
    let at = found.pattern().get(span.clone()).unwrap_or("");
    let before = found.pattern().get(..span.start).unwrap_or("");
    let (code, message, help) = match (found.kind(), at) {
        (ast::ErrorKind::UnsupportedLookAround, at) => (
            Code::JavaPattern,
            format!(
                "{} `{at}…)` is not supported",
                if at.contains('<') { "look-behind" } else { "look-ahead" }
            ),
            "use `entity-no-match` or `rules-no-match` to exclude matches",
        ),
        (ast::ErrorKind::UnsupportedBackreference, r"\0") => (
            Code::JavaPattern,
            "octal escapes are not supported".to_owned(),
            r"write the character's number as `\x{…}`",
        ),
        (ast::ErrorKind::UnsupportedBackreference, at) => (
            Code::JavaPattern,
            format!("the back-reference `{at}` is not supported"),
            "repeat the pattern of the group",
        ),
        (ast::ErrorKind::FlagUnrecognized, ">") if before.ends_with("(?") => (
            Code::JavaPattern,
            "atomic groups `(?>…)` are not supported".to_owned(),
            "write `(?:…)`; a search here never backtracks",
        ),
        (ast::ErrorKind::NestLimitExceeded(limit), _) => {
            (Code::TooLarge, format!("nested more than {limit} deep"), "no pattern needs that")
        }
        (ast::ErrorKind::EscapeUnrecognized, at) => {
            (Code::JavaPattern, format!("`{at}` is not supported"), help_for_escape(at))
        }
        (kind, _) => (Code::Pattern, lowercase_start(&kind.to_string()), ""),
    };
    problem(code, span, message, help)
}

/// Returns the help for an escape sequence of Java's.
fn help_for_escape(escape: &str) -> &'static str {
    match escape {
        r"\Q" | r"\E" => r"instead of `\Q…\E` put a backslash before each special character",
        r"\Z" => r"`$` or `\z` is the end of the text",
        r"\G" => "a search here has no previous match; `^` is the beginning of the text",
        r"\k" => "back-references are not supported; repeat the pattern of the group",
        r"\h" => r"write `[ \t]`",
        r"\R" => r"write `\r?\n`",
        r"\e" | r"\c" => r"write the character's number as `\x{…}`",
        _ => "letters and digits have no backslash unless it has a meaning, as in `\\d`",
    }
}

/// Walks the syntax tree for syntax with another meaning and dead parts.
struct AstChecker<'p> {
    pattern: &'p str,
    /// `^` or `$` matches at lines somewhere in the pattern.
    lines: bool,
    problems: Vec<PatternProblem>,
}

impl AstChecker<'_> {
    /// Visits a node.
    ///
    /// `before` and `after`: the pattern must match a character on this side of the node.
    fn visit(&mut self, ast: &Ast, before: bool, after: bool) {
        match ast {
            Ast::Empty(_)
            | Ast::Flags(_)
            | Ast::Literal(_)
            | Ast::Dot(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_) => {}
            Ast::ClassBracketed(class) => self.class(&class.kind),
            Ast::Assertion(assertion) => self.assertion(assertion, before, after),
            Ast::Repetition(repetition) => self.repetition(repetition, before, after),
            Ast::Group(group) => self.visit(&group.ast, before, after),
            Ast::Alternation(alternation) => {
                for ast in &alternation.asts {
                    self.visit(ast, before, after);
                }
            }
            Ast::Concat(concat) => self.concat(&concat.asts, before, after),
        }
    }

    fn concat(&mut self, asts: &[Ast], mut before: bool, after: bool) {
        let last = asts.iter().rposition(consumes);
        let mut doubled = false;
        for (index, ast) in asts.iter().enumerate() {
            self.visit(ast, before, after || last.is_some_and(|last| last > index));
            before |= consumes(ast);
            let end = matches!(ast, Ast::Assertion(assertion) if assertion.kind == AssertionKind::EndLine);
            if doubled && end {
                let message = "`$$` is the same as `$`".to_owned();
                let span = byte_range(ast.span());
                let span = span.start.saturating_sub(1)..span.end;
                self.problems.push(problem(Code::DoubledEnd, span, message, "write one `$`"));
            }
            doubled = end;
        }
    }

    fn repetition(&mut self, repetition: &ast::Repetition, before: bool, after: bool) {
        self.visit(&repetition.ast, before, after);
        // `(a+)+` has a group in between; a possessive quantifier directly follows another.
        if let (RepetitionKind::OneOrMore, Ast::Repetition(inner)) = (&repetition.op.kind, &*repetition.ast) {
            let start = inner.op.span.start.offset;
            let written = self.pattern.get(start..repetition.op.span.end.offset).unwrap_or("");
            let message = format!("the possessive quantifier `{written}` is not supported");
            self.problems.push(problem(
                Code::JavaPattern,
                start..repetition.op.span.end.offset,
                message,
                "omit the last `+`; a search here never backtracks",
            ));
        }
    }

    fn assertion(&mut self, assertion: &ast::Assertion, before: bool, after: bool) {
        let (code, message, help) = match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText if before && !self.lines => (
                Code::NeverMatches,
                "`^` after other text can never match",
                "`^` is the beginning of the text; `\\^` is the character",
            ),
            AssertionKind::EndLine | AssertionKind::EndText if after && !self.lines => (
                Code::NeverMatches,
                "`$` before other text can never match",
                "`$` is the end of the text; `\\$` is the character",
            ),
            AssertionKind::WordBoundaryStartAngle => (
                Code::WordEdge,
                "`\\<` is the beginning of a word here, in Java the character",
                "write `<` or `\\b`",
            ),
            AssertionKind::WordBoundaryEndAngle => (
                Code::WordEdge,
                "`\\>` is the end of a word here, in Java the character",
                "write `>` or `\\b`",
            ),
            _ => return,
        };
        self.problems.push(problem(code, byte_range(&assertion.span), message.to_owned(), help));
    }

    fn class(&mut self, set: &ClassSet) {
        match set {
            ClassSet::Item(item) => self.class_item(item),
            ClassSet::BinaryOp(operation) => {
                let sign = match operation.kind {
                    ClassSetBinaryOpKind::Intersection => "",
                    ClassSetBinaryOpKind::Difference => "--",
                    ClassSetBinaryOpKind::SymmetricDifference => "~~",
                };
                if !sign.is_empty() {
                    let message =
                        format!("`{sign}` in a class takes sets apart here, in Java it is two characters");
                    let help = "put a backslash before each of the two";
                    let at = operation.lhs.span().end.offset;
                    let span = at..at.saturating_add(sign.len());
                    self.problems.push(problem(Code::ClassOperator, span, message, help));
                }
                self.class(&operation.lhs);
                self.class(&operation.rhs);
            }
        }
    }

    fn class_item(&mut self, item: &ast::ClassSetItem) {
        match item {
            ast::ClassSetItem::Bracketed(class) => self.class(&class.kind),
            ast::ClassSetItem::Union(union) => union.items.iter().for_each(|item| self.class_item(item)),
            _ => {}
        }
    }
}

/// Returns whether a valid pattern matches every text.
pub(crate) fn occurs_in_every_text(pattern: &str) -> bool {
    parse(pattern).is_ok_and(|(_, hir)| matches_every_text(&hir, true))
}

/// Returns whether every text matches.
///
/// The match is empty at the beginning of the text, or extends to its end with `.*`.
fn matches_every_text(hir: &Hir, start: bool) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(look) => start && matches!(look, Look::Start | Look::StartLF | Look::StartCRLF),
        HirKind::Repetition(repetition) => repetition.min == 0 || matches_every_text(&repetition.sub, start),
        HirKind::Capture(capture) => matches_every_text(&capture.sub, start),
        HirKind::Alternation(hirs) => hirs.iter().any(|hir| matches_every_text(hir, start)),
        HirKind::Concat(hirs) => {
            let mut rest = false;
            hirs.iter().all(|hir| {
                let end = matches!(hir.kind(), HirKind::Look(Look::End | Look::EndLF));
                let fits = matches_every_text(hir, start) || end && rest;
                rest = is_dot_star(hir) || end && rest;
                fits
            })
        }
    }
}

/// Returns whether this is `.*`, in a group or not.
fn is_dot_star(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => is_dot_star(&capture.sub),
        HirKind::Repetition(repetition) => {
            let any = [Dot::AnyChar, Dot::AnyCharExceptLF].map(Hir::dot);
            repetition.min == 0 && repetition.max.is_none() && any.contains(&repetition.sub)
        }
        _ => false,
    }
}

/// Reports the first `\w` or `\W`.
///
/// They match letters of all scripts here, and of ASCII in Java. `\d` and `\s` differ as well, but not for the names
/// that are matched.
fn java_class(ast: &Ast) -> Option<PatternProblem> {
    let Ok(class) = ast::visit(ast, WordClassFinder(None));
    let class = class?;
    let sign = if class.negated { "\\W" } else { "\\w" };
    let message = format!("`{sign}` matches the letters of every script, in Java only ASCII letters");
    let help = "to be exact write `[A-Za-z0-9_]`; for ASCII names there is no difference";
    Some(problem(Code::JavaClass, byte_range(&class.span), message, help))
}

/// Finds the first `\w` or `\W`.
struct WordClassFinder(Option<ClassPerl>);

impl ast::Visitor for WordClassFinder {
    type Output = Option<ClassPerl>;
    type Err = Infallible;

    fn finish(self) -> Result<Self::Output, Infallible> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::ClassPerl(class) = ast {
            self.take(class);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Infallible> {
        if let ast::ClassSetItem::Perl(class) = item {
            self.take(class);
        }
        Ok(())
    }
}

impl WordClassFinder {
    fn take(&mut self, class: &ClassPerl) {
        if class.kind == ClassPerlKind::Word && self.0.is_none() {
            self.0 = Some(class.clone());
        }
    }
}

/// Returns whether every match of this node has at least one character.
fn consumes(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => false,
        Ast::Literal(_) | Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => {
            true
        }
        Ast::Repetition(repetition) => {
            let at_least_once = match &repetition.op.kind {
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => false,
                RepetitionKind::OneOrMore => true,
                RepetitionKind::Range(
                    ast::RepetitionRange::Exactly(least)
                    | ast::RepetitionRange::AtLeast(least)
                    | ast::RepetitionRange::Bounded(least, _),
                ) => *least > 0,
            };
            at_least_once && consumes(&repetition.ast)
        }
        Ast::Group(group) => consumes(&group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().all(consumes),
        Ast::Concat(concat) => concat.asts.iter().any(consumes),
    }
}

/// Reports `\\.` in a YAML style that keeps both backslashes.
///
/// It matches a backslash and then any character. The vendor's sample contains it.
fn doubled_backslash(pattern: &str) -> Option<PatternProblem> {
    let mut chars = pattern.char_indices();
    while let Some((offset, c)) = chars.next() {
        if c != '\\' || !matches!(chars.next(), Some((_, '\\'))) {
            continue;
        }
        let Some(next) = chars.clone().next().map(|(_, next)| next) else { continue };
        if matches!(next, '.' | 'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'b' | 'B') {
            let wrong = quote(&format!("\\\\{next}"));
            let message = format!("{wrong} means a backslash and then `{next}`");
            let help = format!("in a value without double quotes write `\\{next}`");
            return Some(problem(Code::DoubledBackslash, offset..offset.saturating_add(3), message, help));
        }
    }
    None
}
