//! Looks at a pattern before it is compiled: what is wrong with it, where, and what cannot be meant.
//!
//! kAudit runs on the JVM, so a pattern may hold syntax of Java's that this engine lacks, or reads in another way; each
//! has words of its own. Decision: the syntax tree is walked instead of the text, so that `[++]` is no possessive
//! quantifier.

use core::convert::Infallible;
use core::ops::Range;

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSet, ClassSetBinaryOpKind, RepetitionKind, Span,
};
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Dot, Hir, HirKind, Look};
use saphyr_parser::ScalarStyle;

use super::characters::{self, Found};
use super::report::quote;
use super::variables;
use crate::error::Code;
use crate::pattern;

/// What all patterns of a configuration may take together, in bytes: a bound on the filter's memory, and on the time
/// that reading takes. One pattern has the smaller limit of [`crate::pattern`]; `[\w-]{1,63}` takes 3.5 MB.
const SIZE_LIMIT: usize = 32 << 20;
/// Deeper nesting is no pattern of a human's.
const NEST_LIMIT: u32 = 64;

/// What is to be said about a pattern.
pub(super) struct Remark {
    pub(super) code: Code,
    /// The bytes of the pattern.
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
    /// The pattern to write instead, if it is known.
    pub(super) repaired: Option<String>,
}

/// What a pattern is for, as far as it decides what cannot be meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its occurrence accepts, or counts.
    Accept,
    /// Its occurrence rejects.
    Reject,
    /// Its occurrences are overwritten.
    Overwrite,
}

/// What the patterns of a configuration take together.
pub(super) struct Budget {
    left: Option<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: Some(SIZE_LIMIT) }
    }
}

impl Budget {
    /// Compiles a pattern for its size. Once they are too large nothing is compiled any more, and nothing said.
    fn admit(&mut self, text: &str, purpose: Purpose) -> Option<Remark> {
        let left = self.left?;
        let compiled = match purpose {
            Purpose::Accept | Purpose::Reject => pattern::set(&[text]),
            Purpose::Overwrite => pattern::single(text),
        };
        let size = compiled.map_or(usize::MAX, |regex| regex.memory_usage());
        self.left = left.checked_sub(size);
        self.left.is_none().then(|| {
            let message = "with this pattern the configuration's patterns are too large".to_owned();
            remark(Code::LargePattern, 0..text.len(), message, "at most 10 MiB for one and 32 MiB for all when compiled; shorten counted repetitions such as `{1,1000}`")
        })
    }
}

/// Everything to be said about a pattern, which the user wrote in this style of YAML.
pub(super) fn check(pattern: &str, purpose: Purpose, style: ScalarStyle, budget: &mut Budget) -> Vec<Remark> {
    let (ast, hir) = match parse(pattern) {
        Ok(parsed) => parsed,
        Err(error) => return vec![unsubstituted(pattern).unwrap_or(error)],
    };
    let properties = hir.properties();
    let mut remarks = meaning(pattern, &ast, &hir);
    let Found { remarks: strays, repaired } = characters::check(pattern, &ast, purpose, style);
    // `"^admin$"` in quotes of its own never matches because of them: that is one mistake.
    let repaired = repaired.and_then(|text| parse(&text).ok().map(|(ast, hir)| meaning(&text, &ast, &hir)));
    if repaired.is_some_and(|rest| rest.iter().all(|remark| remark.code != Code::NeverMatches)) {
        remarks.retain(|remark| remark.code != Code::NeverMatches);
    }
    remarks.extend(strays);
    // Only in double quotes YAML takes backslashes away.
    if style != ScalarStyle::DoubleQuoted {
        remarks.extend(doubled_backslash(pattern));
    }
    let everywhere = everywhere(&hir, true);
    let of_all = |code, message: &str, help| remark(code, 0..pattern.len(), message.to_owned(), help);
    match purpose {
        Purpose::Accept if everywhere => remarks.push(of_all(
            Code::AcceptsAll,
            "the pattern occurs in every text, so all is accepted",
            "leave it out; or look for a `|` too many",
        )),
        Purpose::Reject if everywhere => remarks.push(of_all(
            Code::MatchesAll,
            "the pattern occurs in every text, so nothing is accepted",
            "look for a `|` too many",
        )),
        Purpose::Accept | Purpose::Reject => remarks.extend(java_class(&ast)),
        Purpose::Overwrite => {}
    }
    if properties.minimum_len().is_none() {
        remarks.push(of_all(
            Code::NeverMatches,
            "the pattern can never match",
            "a class has no character in it, as `[a&&b]` has none",
        ));
    }
    if properties.minimum_len() == Some(0) && purpose == Purpose::Overwrite {
        remarks.push(remark(
            Code::MatchesNothing,
            0..pattern.len(),
            "the pattern matches the empty text, so it occurs everywhere".to_owned(),
            "use `+` instead of `*`",
        ));
    }
    remarks.extend(budget.admit(pattern, purpose));
    remarks
}

/// What another engine reads in another way, and what can never match.
fn meaning(pattern: &str, ast: &Ast, hir: &Hir) -> Vec<Remark> {
    let lines = hir.properties().look_set().contains_anchor_line();
    let mut walk = Walk { pattern, lines, remarks: Vec::new() };
    walk.visit(ast, false, false);
    // `$(NAME)` is the end of the text and then a group, which can never match.
    if let Some(variable) = variables::find(pattern) {
        let never =
            |remark: &Remark| remark.code == Code::NeverMatches && remark.span.start == variable.start;
        if walk.remarks.iter().any(never) {
            walk.remarks.retain(|remark| !never(remark));
            let message =
                format!("the variable {} is not substituted", quote(&variables::name(pattern, &variable)));
            walk.remarks.push(remark(Code::Variable, variable, message, variables::HELP));
        }
    }
    walk.remarks
}

/// The error for `${NAME}`, which is no pattern.
fn unsubstituted(pattern: &str) -> Option<Remark> {
    let variable = variables::find(pattern)
        .filter(|span| pattern.get(span.start..).is_some_and(|rest| rest.starts_with("${")))?;
    let message = format!(
        "the variable {} is not substituted, and is not a valid pattern",
        quote(&variables::name(pattern, &variable))
    );
    Some(remark(Code::Pattern, variable, message, variables::HELP))
}

fn parse(pattern: &str) -> Result<(Ast, Hir), Remark> {
    let ast = ast::parse::ParserBuilder::new()
        .nest_limit(NEST_LIMIT)
        .build()
        .parse(pattern)
        .map_err(|error| explain(&error))?;
    let hir = Translator::new()
        .translate(pattern, &ast)
        .map_err(|found| remark(Code::Pattern, bytes(found.span()), lower(&found.kind().to_string()), ""))?;
    Ok((ast, hir))
}

fn remark(code: Code, span: Range<usize>, message: String, help: impl Into<String>) -> Remark {
    Remark { code, span, message, help: help.into(), repaired: None }
}

fn bytes(span: &Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

fn lower(text: &str) -> String {
    text.strip_prefix("Unicode").map_or_else(|| text.to_owned(), |rest| format!("unicode{rest}"))
}

/// The parser's error, with words of its own for what is Java's alone.
fn explain(found: &ast::Error) -> Remark {
    let span = bytes(found.span());
    let at = found.pattern().get(span.clone()).unwrap_or("");
    let before = found.pattern().get(..span.start).unwrap_or("");
    let (code, message, help) = match (found.kind(), at) {
        (ast::ErrorKind::UnsupportedLookAround, at) => (
            Code::JavaPattern,
            format!(
                "{} `{at}…)` is not supported",
                if at.contains('<') { "look-behind" } else { "look-ahead" }
            ),
            "what must not occur is said by `entity-no-match` or `rules-no-match`",
        ),
        (ast::ErrorKind::UnsupportedBackreference, r"\0") => (
            Code::JavaPattern,
            "octal escapes are not supported".to_owned(),
            r"write the character's number as `\x{…}`",
        ),
        (ast::ErrorKind::UnsupportedBackreference, at) => (
            Code::JavaPattern,
            format!("the back-reference `{at}` is not supported"),
            "write out what it repeats",
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
            (Code::JavaPattern, format!("`{at}` is not supported"), instead_of(at))
        }
        (kind, _) => (Code::Pattern, lower(&kind.to_string()), ""),
    };
    remark(code, span, message, help)
}

/// What to write for an escape of Java's.
fn instead_of(escape: &str) -> &'static str {
    match escape {
        r"\Q" | r"\E" => r"instead of `\Q…\E` put a backslash before each special character",
        r"\Z" => r"`$` or `\z` is the end of the text",
        r"\G" => "a search here has no previous match; `^` is the beginning of the text",
        r"\k" => "back-references are not supported; write out what it repeats",
        r"\h" => r"write `[ \t]`",
        r"\R" => r"write `\r?\n`",
        r"\e" | r"\c" => r"write the character's number as `\x{…}`",
        _ => "letters and digits have no backslash unless it has a meaning, as in `\\d`",
    }
}

/// Looks at a pattern's tree for what another engine reads in another way, and for what can never match.
struct Walk<'p> {
    pattern: &'p str,
    /// `^` and `$` mean lines somewhere.
    lines: bool,
    remarks: Vec<Remark>,
}

impl Walk<'_> {
    /// `before` and `after`: whether something must be matched on this side of the node.
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
                let message = "`$$` is no more than `$`".to_owned();
                let span = bytes(ast.span());
                let span = span.start.saturating_sub(1)..span.end;
                self.remarks.push(remark(Code::DoubledEnd, span, message, "write one `$`"));
            }
            doubled = end;
        }
    }

    fn repetition(&mut self, repetition: &ast::Repetition, before: bool, after: bool) {
        self.visit(&repetition.ast, before, after);
        // `(a+)+` has a group in between; here one quantifier follows the other directly.
        if let (RepetitionKind::OneOrMore, Ast::Repetition(inner)) = (&repetition.op.kind, &*repetition.ast) {
            let start = inner.op.span.start.offset;
            let written = self.pattern.get(start..repetition.op.span.end.offset).unwrap_or("");
            let message = format!("the possessive quantifier `{written}` is not supported");
            self.remarks.push(remark(
                Code::JavaPattern,
                start..repetition.op.span.end.offset,
                message,
                "leave the last `+` out; a search here never backtracks",
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
        self.remarks.push(remark(code, bytes(&assertion.span), message.to_owned(), help));
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
                    self.remarks.push(remark(Code::ClassOperator, span, message, help));
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

/// Whether a pattern that can be read occurs in every text.
pub(super) fn occurs_everywhere(pattern: &str) -> bool {
    parse(pattern).is_ok_and(|(_, hir)| everywhere(&hir, true))
}

/// Whether a match is found in every text: at its beginning without any character, or to its end with `.*`.
fn everywhere(hir: &Hir, start: bool) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(look) => start && matches!(look, Look::Start | Look::StartLF | Look::StartCRLF),
        HirKind::Repetition(repetition) => repetition.min == 0 || everywhere(&repetition.sub, start),
        HirKind::Capture(capture) => everywhere(&capture.sub, start),
        HirKind::Alternation(hirs) => hirs.iter().any(|hir| everywhere(hir, start)),
        HirKind::Concat(hirs) => {
            let mut rest = false;
            hirs.iter().all(|hir| {
                let end = matches!(hir.kind(), HirKind::Look(Look::End | Look::EndLF));
                let fits = everywhere(hir, start) || end && rest;
                rest = takes_all(hir) || end && rest;
                fits
            })
        }
    }
}

/// Whether this is `.*`, in a group or not.
fn takes_all(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => takes_all(&capture.sub),
        HirKind::Repetition(repetition) => {
            let any = [Dot::AnyChar, Dot::AnyCharExceptLF].map(Hir::dot);
            repetition.min == 0 && repetition.max.is_none() && any.contains(&repetition.sub)
        }
        _ => false,
    }
}

/// The first `\w` or `\W`: letters of all scripts here, of ASCII in Java. Of `\d` and `\s` nobody sees the difference in
/// the names that are looked at.
fn java_class(ast: &Ast) -> Option<Remark> {
    let Ok(class) = ast::visit(ast, Words(None));
    let class = class?;
    let sign = if class.negated { "\\W" } else { "\\w" };
    let message = format!("`{sign}` knows the letters of every script, in Java those of ASCII");
    let help = "to be exact write `[A-Za-z0-9_]`; for ASCII names there is no difference";
    Some(remark(Code::JavaClass, bytes(&class.span), message, help))
}

/// Finds the first class of word characters.
struct Words(Option<ClassPerl>);

impl ast::Visitor for Words {
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

impl Words {
    fn take(&mut self, class: &ClassPerl) {
        if class.kind == ClassPerlKind::Word && self.0.is_none() {
            self.0 = Some(class.clone());
        }
    }
}

/// Whether a match of this takes at least one character.
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

/// The vendor's sample writes `\\.` where YAML takes no backslash away: a backslash, and then any character.
fn doubled_backslash(pattern: &str) -> Option<Remark> {
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
            return Some(remark(Code::DoubledBackslash, offset..offset.saturating_add(3), message, help));
        }
    }
    None
}
