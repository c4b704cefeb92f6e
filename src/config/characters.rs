//! Finds characters in a pattern that its author probably did not intend.
//!
//! These are control characters, invisible characters, white space at an end, and quotes around the whole. Such a
//! pattern compiles and then matches nothing, so no other check reports it. Decision: the literals of the syntax tree
//! are examined instead of the text, so that white space that `(?x)` ignores, and `[ ]`, `\x20` or `\"`, which are
//! intended, are not reported.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::ops::Range;

use regex_syntax::ast::{self, AssertionKind, Ast, ClassSetItem, Literal, LiteralKind};
use saphyr_parser::ScalarStyle;

use super::pattern_problem::{PatternProblem, Purpose};
use crate::error::Code;

/// Characters of a repaired pattern that a help line repeats.
const MAX_REPAIRED: usize = 80;
/// Names of characters that one message lists.
const MAX_NAMES: usize = 3;

/// Opening and closing quotes that are not part of a name.
const QUOTES: &[(char, &str)] = &[
    ('"', "\""),
    ('\'', "'"),
    ('`', "`'"),
    ('\u{2018}', "\u{2019}\u{2018}"),
    ('\u{2019}', "\u{2019}\u{2018}"),
    ('\u{201a}', "\u{2018}\u{2019}"),
    ('\u{201c}', "\u{201d}\u{201c}"),
    ('\u{201d}', "\u{201d}\u{201c}"),
    ('\u{201e}', "\u{201c}\u{201d}"),
    ('\u{ab}', "\u{bb}"),
    ('\u{bb}', "\u{ab}\u{bb}"),
    ('\u{2039}', "\u{203a}"),
    ('\u{203a}', "\u{2039}\u{203a}"),
];

/// Characters without a glyph that Unicode does not count as white space.
///
/// First and last character of each range.
const ZERO_WIDTH: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// The kind of a literal character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CharacterKind {
    /// A line break, a tab, or another control character.
    Control,
    /// White space other than a space, or a character without a glyph.
    Invisible,
    Blank,
    Visible,
}

impl CharacterKind {
    fn of(c: char) -> Self {
        let zero_width = || ZERO_WIDTH.iter().any(|(first, last)| (*first..=*last).contains(&c));
        match c {
            ' ' => Self::Blank,
            _ if c.is_control() => Self::Control,
            _ if c.is_whitespace() || zero_width() => Self::Invisible,
            _ => Self::Visible,
        }
    }
}

/// The replacement of a literal in a repaired pattern.
enum TextFix {
    Remove,
    Blank,
    /// The pattern's own escape sequence for a control character.
    Escape(char),
}

/// The result of [`check`].
#[derive(Default)]
pub(super) struct CharacterProblems {
    /// At most one of each code.
    pub(super) problems: Vec<PatternProblem>,
    /// The pattern without these characters, if it contains any.
    pub(super) repaired: Option<String>,
}

/// Examines the characters of a pattern.
pub(super) fn check(pattern: &str, ast: &Ast, purpose: Purpose, style: ScalarStyle) -> CharacterProblems {
    let strays = StrayCharacters::of(pattern, ast, purpose);
    if strays.fixes.is_empty() {
        return CharacterProblems::default();
    }
    let repaired = strays.repair(pattern).map(|text| repair_nested(text, purpose));
    // A redaction may contain the secret that it overwrites.
    let shown = repaired.clone().filter(|text| purpose != Purpose::Overwrite && is_short(text));
    let mut problems = Vec::new();
    let mut add = |code, literals: &[Literal], message: String, help: &str| {
        if let Some(first) = literals.first() {
            let (span, help) = (span(literals, at(first)), help.to_owned());
            problems.push(PatternProblem { code, span, message, help, repaired: shown.clone() });
        }
    };
    let StrayCharacters { controls, invisible, blanks, quotes, .. } = &strays;
    let message = format!("the pattern contains {}", names(controls));
    add(Code::PatternControl, controls, message, instead_of_control(controls, style));
    let message = format!("the pattern contains {}, which cannot be seen", names(invisible));
    add(Code::PatternInvisible, invisible, message, "remove it, or replace it by a blank");
    let of_whole = blanks.first().is_some_and(|blank| at(blank) == 0)
        || blanks.last().is_some_and(|blank| end(blank) == pattern.len());
    let part = if of_whole { "the pattern" } else { "an alternative of the pattern" };
    let message = format!("{part} begins or ends with white space");
    add(Code::PatternBlank, blanks, message, "remove it (an intended blank is `[ ]`)");
    let signs = quotes.first().zip(quotes.get(1)).map(|(open, close)| [open.c, '…', close.c]);
    let signs = signs.map(String::from_iter).unwrap_or_default();
    let message = format!("the quotes {signs} are part of the pattern");
    add(Code::PatternQuotes, quotes, message, "remove them");
    CharacterProblems { problems, repaired }
}

/// The characters of a pattern that are probably not intended.
///
/// The lists are in the order of the text.
struct StrayCharacters {
    controls: Vec<Literal>,
    invisible: Vec<Literal>,
    /// White space at the ends.
    blanks: Vec<Literal>,
    /// An opening and a closing one for each pair.
    quotes: Vec<Literal>,
    /// By start offset: the end offset and the fix.
    fixes: BTreeMap<usize, (usize, TextFix)>,
}

impl StrayCharacters {
    fn of(pattern: &str, ast: &Ast, purpose: Purpose) -> Self {
        let Ok(literals) = ast::visit(ast, LiteralVisitor::default());
        let mut ends = AlternativeEnds::default();
        ends.alternatives(ast, true, true);
        let of_kind =
            |kind: CharacterKind| literals.iter().filter(move |literal| CharacterKind::of(literal.c) == kind);
        let mut fixes = BTreeMap::new();
        for literal in of_kind(CharacterKind::Control).chain(of_kind(CharacterKind::Invisible)) {
            let fix = match literal.c {
                _ if ends.white.contains(&at(literal)) => TextFix::Remove,
                c if c.is_control() => TextFix::Escape(c),
                c if c.is_whitespace() => TextFix::Blank,
                _ => TextFix::Remove,
            };
            fixes.insert(at(literal), (end(literal), fix));
        }
        let blanks = of_kind(CharacterKind::Blank).filter(|literal| ends.white.contains(&at(literal)));
        let blanks: Vec<Literal> = blanks.cloned().collect();
        let quotes = ends.quotes(pattern, purpose);
        for literal in blanks.iter().chain(&quotes) {
            fixes.insert(at(literal), (end(literal), TextFix::Remove));
        }
        let controls = of_kind(CharacterKind::Control).cloned().collect();
        let invisible = of_kind(CharacterKind::Invisible).cloned().collect();
        Self { controls, invisible, blanks, quotes, fixes }
    }

    /// Returns the pattern with all fixes applied.
    fn repair(&self, pattern: &str) -> Option<String> {
        let mut text = String::new();
        let mut done = 0;
        for (start, (end, fix)) in &self.fixes {
            text.push_str(pattern.get(done..*start)?);
            match fix {
                TextFix::Remove => {}
                TextFix::Blank => text.push(' '),
                TextFix::Escape(c) => text.push_str(&escape(*c)),
            }
            done = *end;
        }
        text.push_str(pattern.get(done..)?);
        Some(text)
    }
}

/// Repairs the repaired pattern again.
///
/// Quotes may contain white space at their ends, and white space may enclose quotes.
fn repair_nested(mut text: String, purpose: Purpose) -> String {
    for _ in 0..2 {
        let Ok(ast) = ast::parse::Parser::new().parse(&text) else { break };
        let Some(next) = StrayCharacters::of(&text, &ast, purpose).repair(&text) else { break };
        text = next;
    }
    text
}

fn at(literal: &Literal) -> usize {
    literal.span.start.offset
}

fn end(literal: &Literal) -> usize {
    literal.span.end.offset
}

/// Returns the byte range of the literal at `start` and those directly after it.
fn span(literals: &[Literal], start: usize) -> Range<usize> {
    let mut span = start..start;
    for literal in literals.iter().filter(|literal| at(literal) >= start) {
        if at(literal) != span.end {
            break;
        }
        span.end = end(literal);
    }
    span
}

/// Returns whether a repaired pattern is valid and short enough for a help line.
fn is_short(text: &str) -> bool {
    let short = !text.is_empty() && text.chars().nth(MAX_REPAIRED).is_none() && !text.contains('`');
    short && ast::parse::Parser::new().parse(text).is_ok()
}

/// Returns a control character as the pattern syntax writes it.
///
/// `\b` is a backspace in YAML and a word boundary in a pattern.
fn escape(c: char) -> String {
    match c {
        '\u{7}' => r"\a".to_owned(),
        '\u{8}' => r"\b".to_owned(),
        '\t' => r"\t".to_owned(),
        '\n' => r"\n".to_owned(),
        '\u{b}' => r"\v".to_owned(),
        '\u{c}' => r"\f".to_owned(),
        '\r' => r"\r".to_owned(),
        _ => format!(r"\x{{{:X}}}", u32::from(c)),
    }
}

fn instead_of_control(controls: &[Literal], style: ScalarStyle) -> &'static str {
    match style {
        ScalarStyle::Literal | ScalarStyle::Folded => {
            "the text after `|` or `>` ends with a line break; put the pattern after its key, in single quotes"
        }
        ScalarStyle::DoubleQuoted if controls.iter().any(|literal| literal.c == '\u{8}') => {
            "`\\b` in double quotes is a backspace; put the pattern in single quotes"
        }
        ScalarStyle::DoubleQuoted => {
            "YAML replaces `\\n` or `\\t` in double quotes; put the pattern in single quotes"
        }
        ScalarStyle::Plain | ScalarStyle::SingleQuoted => {
            "remove it, or write the pattern's own escape sequence, such as `\\t`"
        }
    }
}

/// Lists the characters' names, each once: `a tab and a backspace`.
fn names(literals: &[Literal]) -> String {
    let mut names: Vec<String> = Vec::new();
    for name in literals.iter().map(|literal| name(literal.c)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MAX_NAMES {
        let more = names.len().saturating_sub(MAX_NAMES);
        names.truncate(MAX_NAMES);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn name(c: char) -> String {
    let name = match c {
        '\n' | '\r' | '\u{85}' => "a line break",
        '\t' => "a tab",
        '\u{8}' => "a backspace",
        '\u{a0}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' | '\u{200d}' => "a zero-width joiner",
        '\u{2028}' => "a line separator",
        '\u{202f}' => "a narrow no-break space",
        '\u{3000}' => "an ideographic space",
        '\u{feff}' => "a byte order mark",
        _ if c.is_control() => "the control character",
        _ => "the character",
    };
    let code = u32::from(c);
    if c == '\n' || c == '\t' { name.to_owned() } else { format!("{name} (U+{code:04X})") }
}

/// Collects the verbatim literals, in the order of the text.
#[derive(Default)]
struct LiteralVisitor(Vec<Literal>);

impl LiteralVisitor {
    fn take(&mut self, literal: &Literal) {
        if literal.kind == LiteralKind::Verbatim {
            self.0.push(literal.clone());
        }
    }
}

impl ast::Visitor for LiteralVisitor {
    type Output = Vec<Literal>;
    type Err = Infallible;

    fn finish(self) -> Result<Self::Output, Infallible> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Infallible> {
        if let Ast::Literal(literal) = ast {
            self.take(literal);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Infallible> {
        match item {
            ClassSetItem::Literal(literal) => self.take(literal),
            ClassSetItem::Range(range) => {
                self.take(&range.start);
                self.take(&range.end);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The ends of a pattern's alternatives, without `^` and `$`.
#[derive(Default)]
struct AlternativeEnds {
    /// Offsets of white space and characters without a glyph at an end.
    white: Vec<usize>,
    /// The first and the last node of each alternative, if they are literals.
    outer: Vec<(Option<Literal>, Option<Literal>)>,
}

impl AlternativeEnds {
    /// Collects the ends of each alternative.
    ///
    /// `first` and `last`: the node is at the beginning or at the end of the pattern.
    fn alternatives(&mut self, ast: &Ast, first: bool, last: bool) {
        match ast {
            Ast::Alternation(alternation) => {
                for ast in &alternation.asts {
                    self.alternatives(ast, first, last);
                }
            }
            Ast::Group(group) => self.alternatives(&group.ast, first, last),
            Ast::Concat(concat) => self.sequence(&concat.asts, first, last),
            other => self.sequence(core::slice::from_ref(other), first, last),
        }
    }

    fn sequence(&mut self, asts: &[Ast], first: bool, last: bool) {
        let before = asts.iter().position(|ast| !Self::is_white(ast)).unwrap_or(asts.len());
        let after =
            asts.iter().rposition(|ast| !Self::is_white(ast)).map_or(0, |last| last.saturating_add(1));
        let white = |ast: &Ast| match ast {
            Ast::Literal(literal) => Some(at(literal)),
            _ => None,
        };
        if first {
            self.white.extend(asts.iter().take(before).filter_map(white));
        }
        if last {
            self.white.extend(asts.iter().skip(after.max(if first { before } else { 0 })).filter_map(white));
        }
        match asts.get(before..after) {
            Some([Ast::Group(group)]) => self.alternatives(&group.ast, first, last),
            Some([open, .., close]) => {
                if first && last {
                    self.outer.push((verbatim(open), verbatim(close)));
                }
                self.inner(open, first, false);
                self.inner(close, false, last);
            }
            _ => {}
        }
    }

    fn inner(&mut self, ast: &Ast, first: bool, last: bool) {
        if let Ast::Group(group) = ast {
            self.alternatives(&group.ast, first, last);
        }
    }

    /// Returns whether this is white space, a character without a glyph, or an anchor.
    fn is_white(ast: &Ast) -> bool {
        match ast {
            Ast::Literal(literal) => {
                literal.kind == LiteralKind::Verbatim
                    && (literal.c.is_whitespace() || CharacterKind::of(literal.c) == CharacterKind::Invisible)
            }
            Ast::Assertion(assertion) => matches!(
                assertion.kind,
                AssertionKind::StartLine
                    | AssertionKind::EndLine
                    | AssertionKind::StartText
                    | AssertionKind::EndText
            ),
            Ast::Flags(_) | Ast::Empty(_) => true,
            _ => false,
        }
    }

    /// Returns the quotes at both ends of the pattern or of an alternative.
    ///
    /// They are in the order of the text.
    fn quotes(&self, pattern: &str, purpose: Purpose) -> Vec<Literal> {
        let whole = self.outer.first().zip(self.outer.last()).map(|((open, _), (_, close))| (open, close));
        let pairs = whole.into_iter().chain(self.outer.iter().map(|(open, close)| (open, close)));
        let pairs = pairs.filter_map(|(open, close)| open.as_ref().zip(close.as_ref()));
        // A redaction's pattern may match JSON: `"token":"[^"]*"`.
        let inner = |open: &Literal| pattern.matches(open.c).nth(2).is_some();
        let stray = |open: &Literal| purpose != Purpose::Overwrite || !inner(open);
        let pairs = pairs.filter(|(open, close)| is_pair(open, close) && stray(open));
        let mut quotes: Vec<Literal> =
            pairs.flat_map(|(open, close)| [open.clone(), close.clone()]).collect();
        quotes.sort_by_key(at);
        quotes.dedup_by_key(|literal| at(literal));
        quotes
    }
}

fn verbatim(ast: &Ast) -> Option<Literal> {
    match ast {
        Ast::Literal(literal) if literal.kind == LiteralKind::Verbatim => Some((**literal).clone()),
        _ => None,
    }
}

fn is_pair(open: &Literal, close: &Literal) -> bool {
    let closes = |c: char| QUOTES.iter().any(|(opening, closing)| *opening == c && closing.contains(close.c));
    at(open) < at(close) && closes(open.c)
}
