//! The editable form of a body.
//!
//! The few bodies that have to change are read into a document, edited while or after reading, and written in the
//! host's encoding.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::number::Number;
use super::remark::{REMARK, char_prefix, original_length, remark};
use super::simd::plain_length;
use super::token::{Reader, Str, Token, read_bytes};

/// One event of a body, in document order.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A map begins; it has this many members.
    Map(u32),
    /// A list begins; it has this many elements.
    List(u32),
    /// The innermost map or list ends.
    End,
    /// A key; its value follows.
    Key(Cow<'a, str>),
    /// A string.
    Str(Cow<'a, str>),
    /// A number.
    Number(Number<'a>),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
}

impl<'a> From<Token<'a>> for Event<'a> {
    /// Converts tokens without a JSON form to strings.
    ///
    /// These are number keys, numbers beyond the range of a float, and extensions, of which only the type and the
    /// length are kept.
    fn from(token: Token<'a>) -> Self {
        match token {
            Token::Map => Self::Map(0),
            Token::List => Self::List(0),
            Token::End => Self::End,
            Token::Key(key) => Self::Key(key.into()),
            Token::Str(text) => Self::Str(text.into()),
            Token::Number(number) if number.is_finite() => Self::Number(number),
            Token::Number(number) => {
                Self::Str(number.raw().map_or_else(|| number.to_string().into(), Cow::Borrowed))
            }
            Token::Bool(value) => Self::Bool(value),
            Token::Null => Self::Null,
            #[cfg(feature = "msgpack")]
            Token::NumberKey(number) => Self::Key(number.to_string().into()),
            #[cfg(feature = "msgpack")]
            Token::Extension(kind, length) => {
                Self::Str(format!("[MessagePack extension {kind}, {length} bytes]").into())
            }
        }
    }
}

/// Changes a document while it is read. Called for each event in order.
pub(crate) trait Edit {
    /// Changes the text of an event if necessary.
    fn edit(&mut self, event: &mut Event<'_>);

    /// Returns the replacement of a list of bytes, or `None` to keep the list.
    fn edit_bytes(&mut self, _: &[u8]) -> Option<String> {
        None
    }
}

/// Changes nothing.
pub(crate) struct NoEdits;

impl Edit for NoEdits {
    fn edit(&mut self, _: &mut Event<'_>) {}
}

/// The limits of reading a body.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// The maximum length of a string in bytes. The rest is replaced by a remark.
    pub string: usize,
    /// The size without the content of string values at which reading stops.
    /// In bytes of JSON.
    pub structure: usize,
    /// The size at which reading stops, in bytes of JSON.
    pub total: usize,
}

impl Limits {
    pub const NONE: Self = Self { string: usize::MAX, structure: usize::MAX, total: usize::MAX };
}

/// A body as events. The default is empty and contains no value.
#[derive(Clone, Debug, Default)]
pub struct Document<'a> {
    /// The events. Containers are balanced, and their counts are correct.
    pub events: Vec<Event<'a>>,
}

impl<'a> Document<'a> {
    /// Reads a body up to its end, a limit or an encoding error.
    ///
    /// Closes the containers that are open then. Returns whether the body was read to its end. Of members with
    /// duplicate keys only the first is kept.
    pub(crate) fn read_within(
        reader: &mut (impl Reader<'a> + Clone),
        limits: Limits,
        edit: &mut dyn Edit,
    ) -> (Self, bool) {
        let mut builder = DocumentBuilder::default();
        let (mut structure, mut total) = (0_usize, 0_usize);
        let mut broken = false;
        let complete = loop {
            let mut event = match reader.next() {
                Ok(_) if broken => break false,
                Ok(Some(Token::List)) if let Some((text, complete)) = edited_byte_list(reader, edit) => {
                    broken = !complete;
                    Event::Str(text)
                }
                Ok(Some(token)) => {
                    let mut event = Event::from(token);
                    edit.edit(&mut event);
                    event
                }
                Ok(None) => break true,
                Err(_) => break false,
            };
            if let Event::Str(text) | Event::Key(text) = &mut event {
                truncate(text, limits.string);
            }
            let size = event.size();
            total = total.saturating_add(size);
            structure = structure.saturating_add(if matches!(event, Event::Str(_)) { 3 } else { size });
            if total > limits.total || structure > limits.structure {
                break false;
            }
            builder.push(event);
        };
        (builder.finish(), complete)
    }

    /// Calls `on` with each token until it returns `false`.
    pub(crate) fn tokens<'d>(&'d self, on: &mut dyn FnMut(Token<'d>) -> bool) {
        self.events.iter().all(|event| on(event.token()));
    }

    /// Creates a map of the given members.
    pub(crate) fn map(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let mut map = Self { events: vec![Event::Map(0), Event::End] };
        for (key, value) in members {
            map.insert(key, value);
        }
        map
    }

    /// Creates a list.
    pub(crate) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        let mut events = vec![Event::List(0)];
        let mut count = 0_u32;
        for item in items {
            events.extend(item.events);
            count = count.saturating_add(1);
        }
        events.push(Event::End);
        if let Some(Event::List(length)) = events.first_mut() {
            *length = count;
        }
        Self { events }
    }

    /// Creates a string.
    pub(crate) fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self { events: vec![Event::Str(text.into())] }
    }

    /// Creates an integer.
    pub(crate) fn int(value: i64) -> Self {
        Self { events: vec![Event::Number(Number::Int(value))] }
    }

    /// Creates an unsigned integer.
    pub(crate) fn uint(value: u64) -> Self {
        Self { events: vec![Event::Number(Number::Uint(value))] }
    }

    /// Appends a member to a map.
    pub(crate) fn insert(&mut self, key: &'static str, value: Self) {
        if let Some(Event::Map(count)) = self.events.first_mut() {
            *count = count.saturating_add(1);
            self.events.pop();
            self.events.push(Event::Key(Cow::Borrowed(key)));
            self.events.extend(value.events);
            self.events.push(Event::End);
        }
    }

    /// Removes the first member with a wanted key from a map, and returns its value.
    pub(crate) fn remove(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut depth = 0_usize;
        let at = self.events.iter().position(|event| {
            depth = depth_after(depth, event);
            depth == 1 && matches!(event, Event::Key(key) if wanted(key))
        })?;
        let mut depth = 0_usize;
        let length = self.events.iter().skip(at).skip(1).position(|event| {
            depth = depth_after(depth, event);
            depth == 0
        })?;
        let mut removed = self.events.drain(at..=at.saturating_add(length).saturating_add(1));
        removed.next();
        let value = Self { events: removed.collect() };
        if let Some(Event::Map(count)) = self.events.first_mut() {
            *count = count.saturating_sub(1);
        }
        Some(value)
    }

    /// Returns the size as JSON in bytes, including escape sequences.
    pub(crate) fn size(&self) -> usize {
        self.events.iter().fold(0, |sum, event| sum.saturating_add(event.size()))
    }

    /// Truncates strings to `length` bytes and a remark, where that shortens them.
    pub(crate) fn truncate(&mut self, length: usize) {
        for event in &mut self.events {
            if let Event::Str(text) = event {
                truncate(text, length);
            }
        }
    }

    /// Replaces hyphens in keys by underscores.
    ///
    /// A key is not changed if another key of its map already has the new name.
    pub(crate) fn snake_keys(&mut self) {
        let mut open: Vec<Vec<usize>> = Vec::new();
        let mut renamed = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            match event {
                Event::Map(_) | Event::List(_) => open.push(Vec::new()),
                Event::Key(_) => open.last_mut().into_iter().for_each(|keys| keys.push(at)),
                Event::End => self.plan_renames(&open.pop().unwrap_or_default(), &mut renamed),
                _ => (),
            }
        }
        for (at, name) in renamed {
            if let Some(Event::Key(key)) = self.events.get_mut(at) {
                *key = Cow::Owned(name);
            }
        }
    }

    fn plan_renames(&self, keys: &[usize], renamed: &mut Vec<(usize, String)>) {
        let name = |&at: &usize| match self.events.get(at) {
            Some(Event::Key(key)) => Some(key.as_ref()),
            _ => None,
        };
        if !keys.iter().filter_map(name).any(|key| key.contains('-')) {
            return;
        }
        // Sorting, unlike hashing, has no worst case that an attacker could choose.
        let mut taken: Vec<&str> = keys.iter().filter_map(name).collect();
        taken.sort_unstable();
        let mut new: Vec<(String, usize)> = Vec::new();
        for at in keys {
            let Some(key) = name(at).filter(|key| key.contains('-')) else { continue };
            let snake = key.replace('-', "_");
            if taken.binary_search(&snake.as_str()).is_err() {
                new.push((snake, *at));
            }
        }
        // Of several keys with the same new name, only the first is renamed.
        new.sort_unstable();
        new.dedup_by(|later, first| later.0 == first.0);
        renamed.extend(new.into_iter().map(|(snake, at)| (at, snake)));
    }

    /// Removes each member whose key duplicates an earlier one of its map.
    fn remove_duplicates(&mut self) {
        let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut removed: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.events.len() {
            match self.events.get(at) {
                Some(Event::Map(_) | Event::List(_)) => open.push((at, Vec::new())),
                Some(Event::Key(_)) => open.last_mut().into_iter().for_each(|(_, keys)| keys.push(at)),
                Some(Event::End) => {
                    let (map, keys) = open.pop().unwrap_or_default();
                    let duplicates = self.duplicates(&keys, at);
                    if let Some(Event::Map(count)) = self.events.get_mut(map) {
                        *count = count.saturating_sub(u32::try_from(duplicates.len()).unwrap_or(0));
                    }
                    removed.extend(duplicates);
                }
                _ => (),
            }
        }
        if removed.is_empty() {
            return;
        }
        // A removed member may contain other removed members.
        removed.sort_unstable();
        let mut removed = removed.into_iter().peekable();
        let mut at = 0_usize;
        self.events.retain(|_| {
            let here = at;
            at = at.saturating_add(1);
            while removed.next_if(|(_, end)| *end <= here).is_some() {}
            removed.peek().is_none_or(|(begin, _)| here < *begin)
        });
    }

    /// Returns the ranges of the members whose keys duplicate an earlier one.
    ///
    /// `keys` are the indices of a map's keys, `end` is the index of its end.
    fn duplicates(&self, keys: &[usize], end: usize) -> Vec<(usize, usize)> {
        let name = |at: usize| match self.events.get(at) {
            Some(Event::Key(key)) => key.as_ref(),
            _ => "",
        };
        let ends = keys.iter().skip(1).copied().chain([end]);
        let mut members: Vec<(usize, usize)> = keys.iter().copied().zip(ends).collect();
        // Sorting, unlike hashing, has no worst case that an attacker could choose.
        members.sort_by_key(|&(at, _)| name(at));
        let pairs = members.iter().zip(members.iter().skip(1));
        pairs.filter(|((one, _), (other, _))| name(*one) == name(*other)).map(|(_, &later)| later).collect()
    }
}

impl Event<'_> {
    /// Returns the event as a token.
    fn token(&self) -> Token<'_> {
        match self {
            Self::Map(_) => Token::Map,
            Self::List(_) => Token::List,
            Self::End => Token::End,
            Self::Key(key) => Token::Key(Str::Plain(key.as_bytes())),
            Self::Str(text) => Token::Str(Str::Plain(text.as_bytes())),
            Self::Number(number) => Token::Number(*number),
            Self::Bool(value) => Token::Bool(*value),
            Self::Null => Token::Null,
        }
    }

    /// Returns the size as JSON in bytes, including the colon or comma after it.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Map(_) | Self::List(_) | Self::End => 2,
            Self::Key(text) | Self::Str(text) => escaped_length(text.as_bytes()).saturating_add(3),
            Self::Number(Number::Raw(text)) => text.len().saturating_add(1),
            Self::Number(Number::Int(value)) => {
                digits(value.unsigned_abs()).saturating_add(usize::from(*value < 0)).saturating_add(1)
            }
            Self::Number(Number::Uint(value)) => digits(*value).saturating_add(1),
            #[cfg(feature = "msgpack")]
            Self::Number(Number::Float(_)) => 25,
            Self::Bool(_) | Self::Null => 6,
        }
    }
}

/// Returns the number of decimal digits.
fn digits(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |power| usize::try_from(power).unwrap_or(0).saturating_add(1))
}

/// Returns the length of a text inside a JSON string.
pub(crate) fn escaped_length(text: &[u8]) -> usize {
    length_of(text, |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    })
}

/// Returns the length of a text inside a JSON string inside a JSON string.
pub(crate) fn twice_escaped_length(text: &[u8]) -> usize {
    length_of(text, |byte| match byte {
        b'"' | b'\\' => 4,
        b'\n' | b'\r' | b'\t' => 3,
        0..0x20 => 7,
        _ => 1,
    })
}

fn length_of(text: &[u8], each: impl Fn(u8) -> usize) -> usize {
    // Most bytes of a text need no escape sequence.
    let (plain, rest) = text.split_at_checked(plain_length(text)).unwrap_or_default();
    rest.iter().fold(plain.len(), |sum, byte| sum.saturating_add(each(*byte)))
}

/// Truncates a text to `length` bytes and a remark, if that shortens it.
fn truncate(text: &mut Cow<'_, str>, length: usize) {
    if text.len() <= length.saturating_add(REMARK) {
        return;
    }
    let kept = char_prefix(text.as_bytes(), length).len();
    let remark = remark(original_length(text.len(), text.as_bytes()).saturating_sub(kept));
    let mut new = match core::mem::take(text) {
        Cow::Borrowed(text) => text.get(..kept).unwrap_or_default().to_owned(),
        Cow::Owned(mut text) => {
            text.truncate(kept);
            text
        }
    };
    new.reserve_exact(remark.len());
    new.push_str(&remark);
    *text = Cow::Owned(new);
}

/// Whether a key is the filter's own, in either spelling.
///
/// `keys: snake` would turn one spelling into the other.
pub(crate) fn is_own_key(key: &str) -> bool {
    key.replace('-', "_") == super::OWN_KEY
}

fn depth_after(depth: usize, event: &Event<'_>) -> usize {
    match event {
        Event::Map(_) | Event::List(_) => depth.saturating_add(1),
        Event::End => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Reads the list that the last token began, if its text has to change.
///
/// Returns the new text, and whether the list was read to its end. The list is read ahead to its end, regardless of the
/// limits: a part of a secret is still secret.
#[inline(never)]
fn edited_byte_list<'a>(
    reader: &mut (impl Reader<'a> + Clone),
    edit: &mut dyn Edit,
) -> Option<(Cow<'a, str>, bool)> {
    let mut ahead = reader.clone();
    let (bytes, complete) = read_bytes(&mut ahead)?;
    let text = edit.edit_bytes(&bytes)?;
    *reader = ahead;
    Some((text.into(), complete))
}

/// Collects events and sets the counts of maps and lists.
#[derive(Default)]
struct DocumentBuilder<'a> {
    events: Vec<Event<'a>>,
    /// The index of each open container, and the number of its members so far.
    open: Vec<(usize, u32)>,
    keys: usize,
}

impl<'a> DocumentBuilder<'a> {
    fn push(&mut self, event: Event<'a>) {
        match &event {
            Event::End => return self.close(),
            Event::Key(_) => self.keys = self.keys.saturating_add(1),
            // Any other event is a value: an element of its list, or a map member whose key was not counted.
            _ => {
                if let Some((_, count)) = self.open.last_mut() {
                    *count = count.saturating_add(1);
                }
            }
        }
        if matches!(event, Event::Map(_) | Event::List(_)) {
            self.open.push((self.events.len(), 0));
        }
        self.events.push(event);
    }

    fn close(&mut self) {
        if let Some((at, count)) = self.open.pop() {
            if let Some(Event::Map(n) | Event::List(n)) = self.events.get_mut(at) {
                *n = count;
            }
            self.events.push(Event::End);
        }
    }

    fn finish(mut self) -> Document<'a> {
        if let Some(Event::Key(_)) = self.events.last() {
            self.push(Event::Null);
        }
        while !self.open.is_empty() {
            self.close();
        }
        let mut document = Document { events: self.events };
        if self.keys > 1 {
            document.remove_duplicates();
        }
        document
    }
}
