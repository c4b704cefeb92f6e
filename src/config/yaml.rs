//! Parses YAML into a tree whose nodes have positions.
//!
//! It rejects features that a configuration does not need and an attacker could use: anchors, aliases, tags, deep
//! nesting, large texts. Decision: saphyr's events instead of a deserialiser, because they have positions and the style
//! of a scalar: the quotes of a pattern determine the meaning of its backslashes.
//!
//! Decision: not the tree of `saphyr` (`MarkedYaml`), which the workbench uses. It reports only the first duplicate
//! key, as a syntax error, or drops the earlier value; takes `a` and `"a"` for different keys; and contains no anchors
//! and aliases. It saves 93 lines here, and `kaudit.wasm` has 1,414,088 bytes with it instead of 1,365,306.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::problems::{Problems, SourceSpan};
use crate::error::Code;

/// The size limit of etcd, and so of a `ConfigMap`.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The list is nested eight deep inside a `kind: List`.
const MAX_DEPTH: usize = 32;
/// A chart of hundreds of manifests is allowed; a bomb of `---` lines is not.
const MAX_DOCUMENTS: usize = 1000;

/// The characters of a longer line are not counted for each of its scalars.
const MAX_LINE: usize = 4096;

/// The key that merges another map into its own.
///
/// It is rejected, and kept as a member without a value, as the map may have any key that is not found in it.
pub(crate) const MERGE: &str = "<<";

const NO_ALIASES: &str = "anchors and aliases are not supported here";
const WRITE_OUT: &str = "write the value out, or in quotes if it begins with `*` or `&`";

/// A value and its position.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: SourceSpan,
    pub(crate) value: YamlValue,
}

#[derive(Clone, Debug)]
pub(crate) enum YamlValue {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<YamlMember>),
    /// Already reported; causes no further errors.
    Invalid,
}

/// A key of a map and its value.
#[derive(Clone, Debug)]
pub(crate) struct YamlMember {
    pub(crate) key: String,
    pub(crate) at: SourceSpan,
    pub(crate) node: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: ScalarStyle,
    /// The number of characters before the text, such as a quote.
    /// Present if the text is on one line and has no escape sequences.
    lead: Option<usize>,
    /// The origin of the text of a literal block.
    pub(crate) inside: Option<Origin>,
}

/// Maps positions in a text to positions in the file that contains it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// Moved by a number of lines and columns.
    Moved { file: usize, lines: usize, columns: usize },
    /// The text is folded or escaped: every position maps to this one.
    Fixed(SourceSpan),
}

/// One document of a file, with problems that are reported if it is used.
pub(crate) struct YamlDocument {
    pub(crate) root: Node,
    problems: Vec<YamlProblem>,
}

struct YamlProblem {
    code: Code,
    at: SourceSpan,
    message: String,
    help: &'static str,
}

impl Origin {
    /// Returns the origin of a file's text.
    pub(crate) fn file(file: usize) -> Self {
        Self::Moved { file, lines: 0, columns: 0 }
    }

    /// Returns the span of one character.
    ///
    /// `line` counts from 1, `column` from 0, as in the parser.
    pub(crate) fn span(self, line: usize, column: usize) -> SourceSpan {
        match self {
            Self::Moved { file, lines, columns } => SourceSpan {
                file,
                line: line.saturating_add(lines),
                column: column.saturating_add(columns).saturating_add(1),
                width: 1,
            },
            Self::Fixed(at) => at,
        }
    }

    fn span_at(self, marker: Marker) -> SourceSpan {
        self.span(marker.line(), marker.col())
    }

    /// Returns the origin of a literal block's text.
    ///
    /// Its span begins with the first line that is not empty.
    fn of_block(self, span: Span, text: &str) -> Option<Self> {
        let Self::Moved { file, lines, columns } = self else { return None };
        let empty = text.bytes().take_while(|&byte| byte == b'\n').count();
        Some(Self::Moved {
            file,
            lines: lines.saturating_add(span.start.line()).saturating_sub(empty).saturating_sub(1),
            columns: columns.saturating_add(span.start.col()),
        })
    }
}

impl Node {
    /// Returns whether the node is YAML's null: an empty value, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, YamlValue::Scalar(Scalar { text, style: ScalarStyle::Plain, .. })
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Returns whether a part of the node was rejected, so that keys may only seem absent.
    pub(crate) fn is_incomplete(&self) -> bool {
        match &self.value {
            YamlValue::Invalid => true,
            YamlValue::Scalar(_) => false,
            YamlValue::List(items) => items.iter().any(Self::is_incomplete),
            YamlValue::Map(members) => members.iter().any(|member| member.node.is_incomplete()),
        }
    }

    /// Returns the member of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&YamlMember> {
        match &self.value {
            YamlValue::Map(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// Returns the span of a byte range of this scalar's text.
    ///
    /// If it is unknown, returns the span of the whole scalar.
    pub(crate) fn span_of(&self, span: Range<usize>) -> SourceSpan {
        let mut at = self.at;
        if let YamlValue::Scalar(Scalar { text, lead: Some(lead), .. }) = &self.value {
            let chars = |end: usize| text.char_indices().take_while(|(offset, _)| *offset < end).count();
            let before = chars(span.start);
            at.column = at.column.saturating_add(*lead).saturating_add(before);
            at.width = chars(span.end).saturating_sub(before).max(1);
        }
        at
    }
}

impl YamlDocument {
    /// Reports the document's problems and returns its root.
    pub(crate) fn accept(self, problems: &mut Problems) -> Node {
        for YamlProblem { code, at, message, help } in self.problems {
            problems.add(code, at, "", message, help);
        }
        self.root
    }
}

/// Parses all documents of a text that are not empty.
///
/// `None` if the text is not YAML; the error is reported.
pub(crate) fn parse(text: &str, origin: Origin, problems: &mut Problems) -> Option<Vec<YamlDocument>> {
    let problem = match documents(text.strip_prefix('\u{feff}').unwrap_or(text), origin) {
        Ok(documents) => return Some(documents),
        Err(problem) => problem,
    };
    problems.add(problem.code, problem.at, "", problem.message, problem.help);
    None
}

fn documents(text: &str, origin: Origin) -> Result<Vec<YamlDocument>, YamlProblem> {
    check_text(text, origin)?;
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut builder = TreeBuilder::new(&lines, origin);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax_problem(text, origin, &error))?;
        if let Event::DocumentEnd = event {
            documents.extend(core::mem::replace(&mut builder, TreeBuilder::new(&lines, origin)).finish());
            if documents.len() > MAX_DOCUMENTS {
                let message = format!("more than {MAX_DOCUMENTS} documents in one file");
                return Err(YamlProblem {
                    code: Code::TooLarge,
                    at: origin.span_at(span.start),
                    message,
                    help: "split the file",
                });
            }
        }
        builder.event(event, span)?;
    }
    Ok(documents)
}

/// Checks the size of a text, and rejects control characters.
///
/// The parser would take such a character for the end of the text.
fn check_text(text: &str, origin: Origin) -> Result<(), YamlProblem> {
    if text.len() > MAX_BYTES {
        let message = format!("{} bytes are too many for a configuration", text.len());
        return Err(YamlProblem {
            code: Code::TooLarge,
            at: origin.span(1, 0),
            message,
            help: "at most 1 MiB, as in a ConfigMap",
        });
    }
    for (line, content) in (1..).zip(text.split('\n')) {
        let stray = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
        if let Some((column, c)) = content.chars().enumerate().find(|&(_, c)| stray(c)) {
            let message = format!("the control character U+{:04X} is not allowed", u32::from(c));
            return Err(YamlProblem {
                code: Code::ControlCharacter,
                at: origin.span(line, column),
                message,
                help: "remove it",
            });
        }
    }
    Ok(())
}

/// Converts a parser error, with a more specific message if there is one.
fn syntax_problem(text: &str, origin: Origin, error: &ScanError) -> YamlProblem {
    let marker = *error.marker();
    let at = origin.span_at(marker);
    if error.info().contains("unknown anchor") {
        return YamlProblem { code: Code::Alias, at, message: NO_ALIASES.to_owned(), help: WRITE_OUT };
    }
    if error.info().contains("recursion limit") {
        return too_deep(at);
    }
    // The parser reports a tab at the end of the line before it, or as another error.
    let indented_by_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    let tab = (1..).zip(text.lines()).skip(marker.line().saturating_sub(1)).take(2);
    if let Some((line, content)) = tab.into_iter().find(|(_, content)| indented_by_tab(content)) {
        let column = content.find('\t').unwrap_or(0);
        let message = "a tab is used for indentation".to_owned();
        return YamlProblem {
            code: Code::Tab,
            at: origin.span(line, column),
            message,
            help: "indent with spaces",
        };
    }
    // This message contains a character of the user's text.
    let reason =
        match error.info().strip_prefix("unexpected character: `").and_then(|rest| rest.chars().next()) {
            Some(c) => {
                format!("a value cannot begin with the character U+{:04X} without quotes", u32::from(c))
            }
            None => error.info().to_owned(),
        };
    let message = format!("not valid YAML: {reason}");
    // The usual cause is a pattern such as `^system:`.
    let help = if reason.contains("mapping values") {
        "a value that ends with `:` or contains `: ` needs quotes; else check the indentation"
    } else {
        "check the indentation and the quotes on this line and the one before"
    };
    YamlProblem { code: Code::Syntax, at, message, help }
}

fn too_deep(at: SourceSpan) -> YamlProblem {
    let message = format!("nested more than {MAX_DEPTH} deep");
    YamlProblem { code: Code::TooLarge, at, message, help: "no configuration needs that" }
}

/// Builds the tree of a document from parser events.
struct TreeBuilder<'t> {
    lines: &'t [&'t str],
    origin: Origin,
    open: Vec<(SourceSpan, OpenContainer)>,
    root: Option<Node>,
    problems: Vec<YamlProblem>,
}

/// A list or map whose end was not reached.
enum OpenContainer {
    List(Vec<Node>),
    Map { members: Vec<YamlMember>, key: PendingKey, seen: BTreeMap<String, usize> },
}

/// The key whose value comes next.
enum PendingKey {
    None,
    Some(String, SourceSpan),
    /// A merge key, with its position and the number of problems so far.
    Merge(SourceSpan, usize),
    Invalid,
}

impl<'t> TreeBuilder<'t> {
    fn new(lines: &'t [&'t str], origin: Origin) -> Self {
        Self { lines, origin, open: Vec::new(), root: None, problems: Vec::new() }
    }

    fn finish(self) -> Option<YamlDocument> {
        let root = self.root.filter(|root| !root.is_null())?;
        Some(YamlDocument { root, problems: self.problems })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlProblem> {
        let at = self.origin.span_at(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let at = self.scalar_span(span);
                self.refuse_anchor_and_tag(at, anchor, tag.is_some());
                let scalar = self.scalar(text.into_owned(), style, span);
                self.add(Node { at, value: YamlValue::Scalar(scalar) });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_anchor_and_tag(at, anchor, tag.is_some());
                self.open(at, OpenContainer::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_anchor_and_tag(at, anchor, tag.is_some());
                self.open(
                    at,
                    OpenContainer::Map { members: Vec::new(), key: PendingKey::None, seen: BTreeMap::new() },
                )?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(_) => {
                self.add_problem(Code::Alias, at, NO_ALIASES.to_owned(), WRITE_OUT);
                self.add(Node { at, value: YamlValue::Invalid });
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// Returns a scalar's span; its width is 1 if it is on several lines.
    fn scalar_span(&self, span: Span) -> SourceSpan {
        let at = self.origin.span_at(span.start);
        match self.origin {
            Origin::Moved { .. } => SourceSpan { width: self.written_width(span).unwrap_or(1).max(1), ..at },
            Origin::Fixed(_) => at,
        }
    }

    /// Returns the number of characters of a scalar on its line.
    ///
    /// `None` if it is on several lines. The parser's span of a quoted scalar includes the blanks and the comment after
    /// it.
    fn written_width(&self, span: Span) -> Option<usize> {
        let line = self.lines.get(span.start.line().saturating_sub(1))?;
        if span.start.line() != span.end.line() {
            return None;
        }
        if line.len() > MAX_LINE {
            return Some(span.len());
        }
        let mut chars = line.chars().skip(span.start.col()).take(span.len());
        let quote = chars.next().filter(|c| matches!(c, '\'' | '"'));
        let Some(quote) = quote else { return Some(span.len()) };
        let mut length = 1_usize;
        while let Some(c) = chars.next() {
            length = length.saturating_add(1);
            let doubled = || quote == '\'' && chars.clone().next() == Some('\'');
            if c == quote && !doubled() {
                break;
            }
            if c == quote || c == '\\' && quote == '"' {
                chars.next();
                length = length.saturating_add(1);
            }
        }
        Some(length)
    }

    fn scalar(&self, text: String, style: ScalarStyle, span: Span) -> Scalar {
        let quotes = match style {
            ScalarStyle::Plain => Some(0),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some(1),
            ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        let as_written = |quotes: &usize| {
            let width = text.chars().count().saturating_add(*quotes).saturating_add(*quotes);
            self.written_width(span) == Some(width)
        };
        let fixed = matches!(self.origin, Origin::Fixed(_));
        let lead = quotes.filter(|_| !fixed).filter(as_written);
        let inside = (style == ScalarStyle::Literal).then(|| self.origin.of_block(span, &text)).flatten();
        Scalar { text, style, lead, inside }
    }

    fn refuse_anchor_and_tag(&mut self, at: SourceSpan, anchor: usize, tag: bool) {
        if anchor != 0 {
            self.add_problem(Code::Alias, at, NO_ALIASES.to_owned(), WRITE_OUT);
        }
        if tag {
            self.add_problem(
                Code::Tag,
                at,
                "tags are not supported here".to_owned(),
                "write the value without its `!`, or in quotes",
            );
        }
    }

    fn open(&mut self, at: SourceSpan, open: OpenContainer) -> Result<(), YamlProblem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open.push((at, open));
        Ok(())
    }

    fn close(&mut self) {
        let Some((at, open)) = self.open.pop() else { return };
        let value = match open {
            OpenContainer::List(items) => YamlValue::List(items),
            OpenContainer::Map { members, .. } => YamlValue::Map(members),
        };
        self.add(Node { at, value });
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((_, OpenContainer::List(items))) => items.push(node),
            Some((_, OpenContainer::Map { members, key, seen })) => {
                match core::mem::replace(key, PendingKey::None) {
                    PendingKey::None => {
                        let at = node.at;
                        let (next, problem) = read_key(node, seen);
                        *key = next;
                        if let PendingKey::Merge(_, problems) = key {
                            *problems = self.problems.len().saturating_add(1);
                        }
                        self.problems.extend(problem.map(|(code, message, help)| YamlProblem {
                            code,
                            at,
                            message,
                            help,
                        }));
                    }
                    PendingKey::Some(key, at) => members.push(YamlMember { key, at, node }),
                    PendingKey::Merge(at, problems) => {
                        // The alias is the value that is merged: one error is enough.
                        let of_value = self.problems.split_off(problems.min(self.problems.len()));
                        self.problems.extend(of_value.into_iter().filter(|found| found.code != Code::Alias));
                        members.push(YamlMember {
                            key: MERGE.to_owned(),
                            at,
                            node: Node { at, value: YamlValue::Invalid },
                        });
                    }
                    PendingKey::Invalid => {}
                }
            }
        }
    }

    fn add_problem(&mut self, code: Code, at: SourceSpan, message: String, help: &'static str) {
        self.problems.push(YamlProblem { code, at, message, help });
    }
}

/// Converts a node to a key, and returns the problem if it is not valid.
fn read_key(
    node: Node,
    seen: &mut BTreeMap<String, usize>,
) -> (PendingKey, Option<(Code, String, &'static str)>) {
    let YamlValue::Scalar(Scalar { text, .. }) = node.value else {
        let problem = (
            Code::KeyNotText,
            "a key must be a text".to_owned(),
            "a `{` or `[` at the beginning of a value needs quotes",
        );
        return (PendingKey::Invalid, Some(problem));
    };
    if text == MERGE {
        let message = "merge keys are not supported here".to_owned();
        return (
            PendingKey::Merge(node.at, 0),
            Some((Code::Alias, message, "write out the keys that it merges")),
        );
    }
    if let Some(first) = seen.get(&text) {
        let message = format!("duplicate key {}, first on line {first}", super::problems::quote(&text));
        return (PendingKey::Invalid, Some((Code::DuplicateKey, message, "remove one of the two")));
    }
    seen.insert(text.clone(), node.at.line);
    (PendingKey::Some(text, node.at), None)
}
