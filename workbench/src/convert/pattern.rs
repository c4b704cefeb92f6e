//! Rewrites patterns in the syntax of other engines.
//!
//! All of them search, as kAudit and the filter do: a pattern is not anchored. A pattern is parsed and written again
//! from its syntax tree, so that nothing is copied that the other engine reads differently. Syntax that it cannot
//! express is an error.

use std::fmt::{self, Write as _};

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, ClassUnicode,
    ClassUnicodeKind, Flag, FlagsItemKind, GroupKind, HexLiteralKind, LiteralKind, RepetitionKind,
    RepetitionRange,
};

/// The syntax of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// RE2, in the package `regexp` of Go.
    Re2,
    /// The crate `regex`, in a file in which `$` is a variable: it contains no dollar sign.
    Rust,
}

/// RE2's limit of a counted repetition, nested ones multiplied.
const MAX_REPEAT: u64 = 1000;

/// Rewrites a valid pattern.
///
/// # Errors
/// The syntax that cannot be expressed.
pub fn rewrite(pattern: &str, syntax: Syntax) -> Result<String, String> {
    let parsed = ast::parse::Parser::new().parse(pattern).map_err(|error| error.kind().to_string())?;
    let mut writer = Writer { syntax, multi_line: false, in_class: false, out: String::new() };
    // A flag may be set anywhere in the pattern, so the whole pattern counts.
    writer.multi_line = sets_multi_line(&parsed);
    writer.write(&parsed, 1)?;
    Ok(writer.out)
}

/// Returns whether a pattern has a class whose meaning depends on the engine: `\w`, `\d`, `\s` or `\b`.
///
/// In RE2 and in Java they are ASCII; in the filter they have the letters and digits of every script.
pub fn has_ascii_class(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        if char == '\\' && matches!(chars.next(), Some('w' | 'W' | 'd' | 'D' | 's' | 'S' | 'b' | 'B')) {
            return true;
        }
    }
    false
}

/// Returns whether a character is written as an escape sequence. YAML 1.1 has line breaks that 1.2 has not, such as
/// U+2028; they would end a block scalar.
pub fn needs_escape(char: char) -> bool {
    char.is_control() || (char.is_whitespace() && char != ' ')
}

fn sets_multi_line(ast: &Ast) -> bool {
    let sets = |flags: &ast::Flags| flags.flag_state(Flag::MultiLine) == Some(true);
    match ast {
        Ast::Flags(flags) => sets(&flags.flags),
        Ast::Group(group) => {
            matches!(&group.kind, GroupKind::NonCapturing(flags) if sets(flags))
                || sets_multi_line(&group.ast)
        }
        Ast::Repetition(repetition) => sets_multi_line(&repetition.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().any(sets_multi_line),
        Ast::Concat(concat) => concat.asts.iter().any(sets_multi_line),
        _ => false,
    }
}

struct Writer {
    syntax: Syntax,
    multi_line: bool,
    in_class: bool,
    out: String,
}

impl Writer {
    fn format(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.out.write_fmt(text);
    }

    /// Appends a node; `repeats` is the product of the counted repetitions around it.
    fn write(&mut self, ast: &Ast, repeats: u64) -> Result<(), String> {
        match ast {
            Ast::Empty(_) => {}
            Ast::Flags(flags) => {
                let flags = self.flags(&flags.flags)?;
                if !flags.is_empty() {
                    self.format(format_args!("(?{flags})"));
                }
            }
            Ast::Literal(literal) => self.literal(literal)?,
            Ast::Dot(_) => self.out.push('.'),
            Ast::Assertion(assertion) => self.assertion(&assertion.kind)?,
            Ast::ClassUnicode(class) => self.unicode_class(class)?,
            Ast::ClassPerl(class) => self.perl_class(class),
            Ast::ClassBracketed(class) => self.class(class)?,
            Ast::Repetition(repetition) => self.repetition(repetition, repeats)?,
            Ast::Group(group) => self.group(group, repeats)?,
            Ast::Alternation(alternation) => {
                for (index, ast) in alternation.asts.iter().enumerate() {
                    if index > 0 {
                        self.out.push('|');
                    }
                    self.write(ast, repeats)?;
                }
            }
            Ast::Concat(concat) => {
                for ast in &concat.asts {
                    self.write(ast, repeats)?;
                }
            }
        }
        Ok(())
    }

    /// Returns flags without `x`, whose white space and comments are not in the syntax tree.
    fn flags(&self, flags: &ast::Flags) -> Result<String, String> {
        let mut out = String::new();
        for item in &flags.items {
            let FlagsItemKind::Flag(flag) = item.kind else {
                out.push('-');
                continue;
            };
            match flag {
                Flag::CaseInsensitive => out.push('i'),
                Flag::MultiLine => out.push('m'),
                Flag::DotMatchesNewLine => out.push('s'),
                Flag::SwapGreed => out.push('U'),
                Flag::IgnoreWhitespace => {}
                Flag::Unicode | Flag::CRLF if self.syntax == Syntax::Re2 => {
                    return Err("the flags `u` and `R`".to_owned());
                }
                Flag::Unicode => out.push('u'),
                Flag::CRLF => out.push('R'),
            }
        }
        Ok(out.strip_suffix('-').map_or(out.clone(), str::to_owned))
    }

    fn literal(&mut self, literal: &ast::Literal) -> Result<(), String> {
        if matches!(literal.kind, LiteralKind::HexFixed(HexLiteralKind::X)) && !literal.c.is_ascii() {
            return Err("a byte that is no character".to_owned());
        }
        self.char(literal.c);
        Ok(())
    }

    /// Appends a character, escaped.
    fn char(&mut self, char: char) {
        match char {
            // The quotation mark ends a literal of VRL.
            '$' | '\'' if self.syntax == Syntax::Rust => self.format(format_args!("\\x{:02X}", char as u32)),
            '\n' => self.out.push_str("\\n"),
            '\t' => self.out.push_str("\\t"),
            '\r' => self.out.push_str("\\r"),
            _ if needs_escape(char) => {
                self.format(format_args!("\\x{{{:X}}}", char as u32));
            }
            _ if self.is_special(char) => self.out.extend(['\\', char]),
            _ => self.out.push(char),
        }
    }

    /// Returns whether a character has a meaning; white space and `#` have none, since the flag `x` is not written.
    fn is_special(&self, char: char) -> bool {
        r"\.+*?()|[]{}^$".contains(char) || self.in_class && "-&~".contains(char)
    }

    fn assertion(&mut self, kind: &AssertionKind) -> Result<(), String> {
        self.out.push_str(match kind {
            AssertionKind::StartLine => "^",
            AssertionKind::EndLine if self.syntax == Syntax::Rust && self.multi_line => {
                return Err("`$` with the flag `m`".to_owned());
            }
            AssertionKind::EndLine if self.syntax == Syntax::Re2 => "$",
            AssertionKind::EndLine | AssertionKind::EndText => "\\z",
            AssertionKind::StartText => "\\A",
            AssertionKind::WordBoundary => "\\b",
            AssertionKind::NotWordBoundary => "\\B",
            _ if self.syntax == Syntax::Re2 => return Err("an assertion of half a word boundary".to_owned()),
            AssertionKind::WordBoundaryStart | AssertionKind::WordBoundaryStartAngle => "\\b{start}",
            AssertionKind::WordBoundaryEnd | AssertionKind::WordBoundaryEndAngle => "\\b{end}",
            AssertionKind::WordBoundaryStartHalf => "\\b{start-half}",
            AssertionKind::WordBoundaryEndHalf => "\\b{end-half}",
        });
        Ok(())
    }

    fn perl_class(&mut self, class: &ClassPerl) {
        let letter = match class.kind {
            ClassPerlKind::Digit => 'd',
            ClassPerlKind::Space => 's',
            ClassPerlKind::Word => 'w',
        };
        self.out.extend(['\\', if class.negated { letter.to_ascii_uppercase() } else { letter }]);
    }

    fn unicode_class(&mut self, class: &ClassUnicode) -> Result<(), String> {
        let name = match &class.kind {
            ClassUnicodeKind::OneLetter(letter) => letter.to_string(),
            ClassUnicodeKind::Named(name) => name.clone(),
            ClassUnicodeKind::NamedValue { .. } => return Err("a class with `=`".to_owned()),
        };
        // Categories have one or two letters in both engines; longer names may be properties, which RE2 has not.
        if self.syntax == Syntax::Re2 && name.len() > 2 {
            return Err(format!("the class `\\p{{{name}}}`"));
        }
        self.format(format_args!("\\{}{{{name}}}", if class.is_negated() { 'P' } else { 'p' }));
        Ok(())
    }

    fn class(&mut self, class: &ClassBracketed) -> Result<(), String> {
        let ClassSet::Item(item) = &class.kind else {
            return Err("an operation on classes".to_owned());
        };
        self.out.push_str(if class.negated { "[^" } else { "[" });
        self.in_class = true;
        let written = self.class_item(item);
        self.in_class = false;
        self.out.push(']');
        written
    }

    fn class_item(&mut self, item: &ClassSetItem) -> Result<(), String> {
        match item {
            ClassSetItem::Empty(_) => {}
            ClassSetItem::Literal(literal) => self.literal(literal)?,
            ClassSetItem::Range(range) => {
                self.literal(&range.start)?;
                self.out.push('-');
                self.literal(&range.end)?;
            }
            ClassSetItem::Ascii(class) => {
                let not = if class.negated { "^" } else { "" };
                self.format(format_args!("[:{not}{}:]", ascii_class(&class.kind)));
            }
            ClassSetItem::Unicode(class) => self.unicode_class(class)?,
            ClassSetItem::Perl(class) => self.perl_class(class),
            ClassSetItem::Bracketed(_) => return Err("a class within a class".to_owned()),
            ClassSetItem::Union(union) => {
                for item in &union.items {
                    self.class_item(item)?;
                }
            }
        }
        Ok(())
    }

    fn repetition(&mut self, repetition: &ast::Repetition, repeats: u64) -> Result<(), String> {
        let (times, max) = match &repetition.op.kind {
            RepetitionKind::ZeroOrOne => ("?".to_owned(), 1),
            RepetitionKind::ZeroOrMore => ("*".to_owned(), 1),
            RepetitionKind::OneOrMore => ("+".to_owned(), 1),
            RepetitionKind::Range(RepetitionRange::Exactly(times)) => (format!("{{{times}}}"), *times),
            RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (format!("{{{least},}}"), *least),
            RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => {
                (format!("{{{least},{most}}}"), *most)
            }
        };
        let repeats = repeats * u64::from(max.max(1));
        if self.syntax == Syntax::Re2 && repeats > MAX_REPEAT {
            return Err(format!("more than {MAX_REPEAT} repetitions"));
        }
        // RE2 rejects a repetition of a repetition.
        let grouped = matches!(*repetition.ast, Ast::Repetition(_));
        if grouped {
            self.out.push_str("(?:");
        }
        self.write(&repetition.ast, repeats)?;
        if grouped {
            self.out.push(')');
        }
        self.out.push_str(&times);
        if !repetition.greedy {
            self.out.push('?');
        }
        Ok(())
    }

    fn group(&mut self, group: &ast::Group, repeats: u64) -> Result<(), String> {
        match &group.kind {
            GroupKind::CaptureIndex(_) => self.out.push('('),
            GroupKind::CaptureName { name, .. } => self.format(format_args!("(?P<{}>", name.name)),
            GroupKind::NonCapturing(flags) => {
                let flags = self.flags(flags)?;
                self.format(format_args!("(?{flags}:"));
            }
        }
        self.write(&group.ast, repeats)?;
        self.out.push(')');
        Ok(())
    }
}

fn ascii_class(kind: &ast::ClassAsciiKind) -> &'static str {
    use ast::ClassAsciiKind as Kind;
    match kind {
        Kind::Alnum => "alnum",
        Kind::Alpha => "alpha",
        Kind::Ascii => "ascii",
        Kind::Blank => "blank",
        Kind::Cntrl => "cntrl",
        Kind::Digit => "digit",
        Kind::Graph => "graph",
        Kind::Lower => "lower",
        Kind::Print => "print",
        Kind::Punct => "punct",
        Kind::Space => "space",
        Kind::Upper => "upper",
        Kind::Word => "word",
        Kind::Xdigit => "xdigit",
    }
}

#[cfg(test)]
mod tests {
    use super::{Syntax, rewrite};

    #[test]
    fn patterns_are_rewritten() {
        for (pattern, re2, rust) in [
            ("^system:|^admin$", "^system:|^admin$", r"^system:|^admin\z"),
            (r"^exec|unsafe$", r"^exec|unsafe$", r"^exec|unsafe\z"),
            (r"(?i)secret|cluster-?admin", "(?i)secret|cluster-?admin", "(?i)secret|cluster-?admin"),
            (r"\$\{HOME\}'", r"\$\{HOME\}'", r"\x24\{HOME\}\x27"),
            (r"(?x) a b # comment", "ab", "ab"),
            (r"(?P<name>a{2,3}?)\d[^\w.-]", r"(?P<name>a{2,3}?)\d[^\w\.\-]", r"(?P<name>a{2,3}?)\d[^\w\.\-]"),
            (r"(?:a*)*\pL", r"(?:a*)*\p{L}", r"(?:a*)*\p{L}"),
            (r"a**", r"(?:a*)*", r"(?:a*)*"),
            ("ä\\t\u{7}", "ä\\t\\x{7}", "ä\\t\\x{7}"),
            (r"\bx\z", r"\bx\z", r"\bx\z"),
            (r"[[:alpha:]]", r"[[:alpha:]]", r"[[:alpha:]]"),
        ] {
            assert_eq!(rewrite(pattern, Syntax::Re2).as_deref(), Ok(re2), "{pattern}");
            assert_eq!(rewrite(pattern, Syntax::Rust).as_deref(), Ok(rust), "{pattern}");
        }
    }

    #[test]
    fn what_re2_has_not_is_an_error() {
        for pattern in [
            "[a-z&&[^b]]",
            "[a[bc]]",
            r"a{1001}",
            r"(?:a{100}){11}",
            r"\p{Greek}",
            r"\b{start}a",
            "(?-u)a",
            r"\p{sc=Greek}",
        ] {
            assert!(rewrite(pattern, Syntax::Re2).is_err(), "{pattern}");
        }
    }
}
