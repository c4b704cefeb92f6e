//! YAML text to a tree whose every node knows its place.
//!
//! It refuses what a configuration does not need and an attacker likes: anchors, aliases, tags, deep nesting, large
//! texts. Decision: saphyr's events instead of a deserialiser, for their places and for the style of a scalar: whether a
//! pattern was quoted decides what its backslashes mean.

use core::ops::Range;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::report::{Place, Report};
use crate::error::Code;

/// What etcd, and so a `ConfigMap`, holds at most.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// The list nests eight deep inside a `kind: List`.
const MAX_DEPTH: usize = 32;
/// A chart of hundreds of manifests is split; a bomb of `---` lines is not.
const MAX_DOCUMENTS: usize = 1000;

/// What is no longer is worth counting the characters of, for each of its scalars.
const MAX_LINE: usize = 4096;

/// The key that merges another map into its own. A refused one stays in its map as a member without a value, as the map may
/// have any key that is not found in it.
pub(super) const MERGE: &str = "<<";

const NO_ALIASES: &str = "anchors and aliases are not supported here";
const WRITE_OUT: &str = "write the value out, or in quotes if it begins with `*` or `&`";

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Member>),
    /// Already complained about: nothing more is to be said.
    Bad,
}

/// A key of a map, and its value.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) node: Node,
}

#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: ScalarStyle,
    /// How many characters stand before the text, when each of its characters is one of the file, on one line.
    lead: Option<usize>,
    /// Where the text of a literal block stands in the file.
    pub(super) inside: Option<Origin>,
}

/// How the places of a text map to those of the file it stands in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// Moved by so many lines and columns.
    Moved { file: usize, lines: usize, columns: usize },
    /// The text is folded or escaped: all its places are this one.
    Fixed(Place),
}

/// One document of a file, and what is to be said if it is read.
pub(super) struct Document {
    pub(super) root: Node,
    complaints: Vec<Complaint>,
}

struct Complaint {
    code: Code,
    at: Place,
    message: String,
    help: &'static str,
}

impl Origin {
    /// A file of its own.
    pub(super) fn file(file: usize) -> Self {
        Self::Moved { file, lines: 0, columns: 0 }
    }

    /// `line` counts from 1, `column` from 0, as the parser does.
    pub(super) fn place(self, line: usize, column: usize) -> Place {
        match self {
            Self::Moved { file, lines, columns } => Place {
                file,
                line: line.saturating_add(lines),
                column: column.saturating_add(columns).saturating_add(1),
                width: 1,
            },
            Self::Fixed(place) => place,
        }
    }

    fn at(self, marker: Marker) -> Place {
        self.place(marker.line(), marker.col())
    }

    /// The origin of a literal block's text. Its span begins with the first line that is not empty.
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
    /// Whether the node is YAML's null: nothing, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(Scalar { text, style: ScalarStyle::Plain, .. })
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether a part of the node was refused when it was read, so that keys may only seem to be missing.
    pub(super) fn is_incomplete(&self) -> bool {
        match &self.value {
            Value::Bad => true,
            Value::Scalar(_) => false,
            Value::List(items) => items.iter().any(Self::is_incomplete),
            Value::Map(members) => members.iter().any(|member| member.node.is_incomplete()),
        }
    }

    /// The member of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Member> {
        match &self.value {
            Value::Map(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The place of some bytes of this scalar's text, or of all of it where that cannot be told.
    pub(super) fn place_of(&self, span: Range<usize>) -> Place {
        let mut place = self.at;
        if let Value::Scalar(Scalar { text, lead: Some(lead), .. }) = &self.value {
            let chars = |end: usize| text.char_indices().take_while(|(at, _)| *at < end).count();
            let before = chars(span.start);
            place.column = place.column.saturating_add(*lead).saturating_add(before);
            place.width = chars(span.end).saturating_sub(before).max(1);
        }
        place
    }
}

impl Document {
    /// The document, with its complaints made.
    pub(super) fn accept(self, report: &mut Report) -> Node {
        for Complaint { code, at, message, help } in self.complaints {
            report.say(code, at, "", message, help);
        }
        self.root
    }
}

/// The documents of a text that are not empty, or `None` when it is no YAML at all, which is then reported.
pub(super) fn parse(text: &str, origin: Origin, report: &mut Report) -> Option<Vec<Document>> {
    let complaint = match documents(text.strip_prefix('\u{feff}').unwrap_or(text), origin) {
        Ok(documents) => return Some(documents),
        Err(complaint) => complaint,
    };
    report.say(complaint.code, complaint.at, "", complaint.message, complaint.help);
    None
}

fn documents(text: &str, origin: Origin) -> Result<Vec<Document>, Complaint> {
    admissible(text, origin)?;
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut builder = Builder::new(&lines, origin);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(text, origin, &error))?;
        if let Event::DocumentEnd = event {
            documents.extend(core::mem::replace(&mut builder, Builder::new(&lines, origin)).finish());
            if documents.len() > MAX_DOCUMENTS {
                let message = format!("more than {MAX_DOCUMENTS} documents in one file");
                return Err(Complaint {
                    code: Code::TooLarge,
                    at: origin.at(span.start),
                    message,
                    help: "split the file",
                });
            }
        }
        builder.event(event, span)?;
    }
    Ok(documents)
}

/// Whether a text is worth parsing: its size, and no character that the parser would take for the end.
fn admissible(text: &str, origin: Origin) -> Result<(), Complaint> {
    if text.len() > MAX_BYTES {
        let message = format!("{} bytes are too many for a configuration", text.len());
        return Err(Complaint {
            code: Code::TooLarge,
            at: origin.place(1, 0),
            message,
            help: "at most 1 MiB, as in a ConfigMap",
        });
    }
    for (line, content) in (1..).zip(text.split('\n')) {
        let stray = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
        if let Some((column, c)) = content.chars().enumerate().find(|&(_, c)| stray(c)) {
            let message = format!("the control character U+{:04X} is not allowed", u32::from(c));
            return Err(Complaint {
                code: Code::ControlCharacter,
                at: origin.place(line, column),
                message,
                help: "remove it",
            });
        }
    }
    Ok(())
}

/// The parser's error in our words where they say more.
fn syntax(text: &str, origin: Origin, error: &ScanError) -> Complaint {
    let marker = *error.marker();
    let at = origin.at(marker);
    if error.info().contains("unknown anchor") {
        return Complaint { code: Code::Alias, at, message: NO_ALIASES.to_owned(), help: WRITE_OUT };
    }
    if error.info().contains("recursion limit") {
        return too_deep(at);
    }
    // The parser reports a tab where the line before it ends, or takes it for something else.
    let indented_by_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    let tab = (1..).zip(text.lines()).skip(marker.line().saturating_sub(1)).take(2);
    if let Some((line, content)) = tab.into_iter().find(|(_, content)| indented_by_tab(content)) {
        let column = content.find('\t').unwrap_or(0);
        let message = "a tab is used for indentation".to_owned();
        return Complaint {
            code: Code::Tab,
            at: origin.place(line, column),
            message,
            help: "indent with spaces",
        };
    }
    // This one message holds a character of the user's.
    let reason =
        match error.info().strip_prefix("unexpected character: `").and_then(|rest| rest.chars().next()) {
            Some(c) => {
                format!("a value cannot begin with the character U+{:04X} without quotes", u32::from(c))
            }
            None => error.info().to_owned(),
        };
    let message = format!("not valid YAML: {reason}");
    // What a pattern such as `^system:` gets its author.
    let help = if reason.contains("mapping values") {
        "a value that ends with `:` or holds `: ` needs quotes; else check the indentation"
    } else {
        "check the indentation and the quotes on this line and the one before"
    };
    Complaint { code: Code::Syntax, at, message, help }
}

fn too_deep(at: Place) -> Complaint {
    let message = format!("nested more than {MAX_DEPTH} deep");
    Complaint { code: Code::TooLarge, at, message, help: "no configuration needs that" }
}

/// Events to a tree.
struct Builder<'t> {
    lines: &'t [&'t str],
    origin: Origin,
    open: Vec<(Place, Open)>,
    root: Option<Node>,
    complaints: Vec<Complaint>,
}

/// A list or map that is not yet at its end.
enum Open {
    List(Vec<Node>),
    Map { members: Vec<Member>, key: Key, seen: HashMap<String, usize> },
}

/// The key whose value comes next.
enum Key {
    None,
    Some(String, Place),
    /// A merge key, with its place and the number of complaints so far.
    Merge(Place, usize),
    Bad,
}

impl<'t> Builder<'t> {
    fn new(lines: &'t [&'t str], origin: Origin) -> Self {
        Self { lines, origin, open: Vec::new(), root: None, complaints: Vec::new() }
    }

    fn finish(self) -> Option<Document> {
        let root = self.root.filter(|root| !root.is_null())?;
        Some(Document { root, complaints: self.complaints })
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Complaint> {
        let at = self.origin.at(span.start);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let at = self.wide(span);
                self.refuse(at, anchor, tag.is_some());
                let scalar = self.scalar(text.into_owned(), style, span);
                self.add(Node { at, value: Value::Scalar(scalar) });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some());
                self.open(at, Open::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(at, anchor, tag.is_some());
                self.open(at, Open::Map { members: Vec::new(), key: Key::None, seen: HashMap::new() })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(_) => {
                self.complain(Code::Alias, at, NO_ALIASES.to_owned(), WRITE_OUT);
                self.add(Node { at, value: Value::Bad });
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    /// A scalar's place, as wide as it is, if it is on one line.
    fn wide(&self, span: Span) -> Place {
        let at = self.origin.at(span.start);
        match self.origin {
            Origin::Moved { .. } => Place { width: self.written(span).unwrap_or(1).max(1), ..at },
            Origin::Fixed(_) => at,
        }
    }

    /// How many characters a scalar takes on its line; `None`: it is on several. To the parser the blanks and the
    /// comment behind a quoted one belong to it.
    fn written(&self, span: Span) -> Option<usize> {
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
            self.written(span) == Some(width)
        };
        let fixed = matches!(self.origin, Origin::Fixed(_));
        let lead = quotes.filter(|_| !fixed).filter(as_written);
        let inside = (style == ScalarStyle::Literal).then(|| self.origin.of_block(span, &text)).flatten();
        Scalar { text, style, lead, inside }
    }

    fn refuse(&mut self, at: Place, anchor: usize, tag: bool) {
        if anchor != 0 {
            self.complain(Code::Alias, at, NO_ALIASES.to_owned(), WRITE_OUT);
        }
        if tag {
            self.complain(
                Code::Tag,
                at,
                "tags are not supported here".to_owned(),
                "write the value without its `!`, or in quotes",
            );
        }
    }

    fn open(&mut self, at: Place, open: Open) -> Result<(), Complaint> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.open.push((at, open));
        Ok(())
    }

    fn close(&mut self) {
        let Some((at, open)) = self.open.pop() else { return };
        let value = match open {
            Open::List(items) => Value::List(items),
            Open::Map { members, .. } => Value::Map(members),
        };
        self.add(Node { at, value });
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((_, Open::List(items))) => items.push(node),
            Some((_, Open::Map { members, key, seen })) => match core::mem::replace(key, Key::None) {
                Key::None => {
                    let at = node.at;
                    let (next, complaint) = as_key(node, seen);
                    *key = next;
                    if let Key::Merge(_, complaints) = key {
                        *complaints = self.complaints.len().saturating_add(1);
                    }
                    self.complaints.extend(complaint.map(|(code, message, help)| Complaint {
                        code,
                        at,
                        message,
                        help,
                    }));
                }
                Key::Some(key, at) => members.push(Member { key, at, node }),
                Key::Merge(at, complaints) => {
                    // The alias is what is merged: one complaint is enough.
                    let of_value = self.complaints.split_off(complaints.min(self.complaints.len()));
                    self.complaints.extend(of_value.into_iter().filter(|found| found.code != Code::Alias));
                    members.push(Member { key: MERGE.to_owned(), at, node: Node { at, value: Value::Bad } });
                }
                Key::Bad => {}
            },
        }
    }

    fn complain(&mut self, code: Code, at: Place, message: String, help: &'static str) {
        self.complaints.push(Complaint { code, at, message, help });
    }
}

/// A node in a key's place, and what is wrong with it.
fn as_key(node: Node, seen: &mut HashMap<String, usize>) -> (Key, Option<(Code, String, &'static str)>) {
    let Value::Scalar(Scalar { text, .. }) = node.value else {
        let complaint = (
            Code::KeyNotText,
            "a key must be a text".to_owned(),
            "a `{` or `[` at the beginning of a value needs quotes",
        );
        return (Key::Bad, Some(complaint));
    };
    if text == MERGE {
        let message = "merge keys are not supported here".to_owned();
        return (Key::Merge(node.at, 0), Some((Code::Alias, message, "write out the keys that it merges")));
    }
    if let Some(first) = seen.get(&text) {
        let message = format!("duplicate key {}, first on line {first}", super::report::quote(&text));
        return (Key::Bad, Some((Code::DuplicateKey, message, "remove one of the two")));
    }
    seen.insert(text.clone(), node.at.line);
    (Key::Some(text, node.at), None)
}
