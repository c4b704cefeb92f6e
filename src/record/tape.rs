//! A body in its editable form: the few records that have to change are read into a tape of events, edited, and written
//! in whichever encoding the host wants.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::FixedState;

#[cfg(feature = "msgpack")]
use super::msgpack;
use super::repeats::Repeats;
use super::{Number, Text, decimal, json, spelled};

/// One event of a body, in document order.
#[derive(Clone, Debug)]
pub enum Event<'a, S = Cow<'a, str>> {
    /// A map begins; it has so many members.
    Map(u32),
    /// A list begins; it has so many elements.
    List(u32),
    /// The innermost map or list ends.
    End,
    /// A key; its value follows.
    Key(S),
    /// A string.
    Str(S),
    /// A number.
    Number(Number<'a>),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
}

impl<'a, S> Event<'a, S> {
    fn map_text<T>(self, text: impl FnOnce(S) -> T) -> Event<'a, T> {
        match self {
            Self::Key(key) => Event::Key(text(key)),
            Self::Str(string) => Event::Str(text(string)),
            Self::Map(count) => Event::Map(count),
            Self::List(count) => Event::List(count),
            Self::End => Event::End,
            Self::Number(number) => Event::Number(number),
            Self::Bool(value) => Event::Bool(value),
            Self::Null => Event::Null,
        }
    }
}

/// A body as events. The default is empty: no value at all.
#[derive(Clone, Debug, Default)]
pub struct Tape<'a> {
    /// The events; containers balance, and their counts are right.
    pub events: Vec<Event<'a>>,
}

impl<'a> Tape<'a> {
    /// Reads a JSON value that was scanned before.
    pub(super) fn from_json(text: &'a [u8]) -> Self {
        let mut builder = Builder::new();
        // A scanned body is valid; were it not, what was read so far is closed below.
        let _ = json::walk(text, |event| {
            builder.push(match event.map_text(Cow::from) {
                // No reader has such a number; the text keeps what was meant.
                Event::Number(Number::Raw(text)) if !decimal::is_finite(spelled(text)) => {
                    Event::Str(spelled(text).into())
                }
                event => event,
            });
        });
        builder.finish()
    }

    /// Reads a `MessagePack` value that was scanned before.
    #[cfg(feature = "msgpack")]
    pub(super) fn from_msgpack(bytes: &'a [u8]) -> Self {
        let mut builder = Builder::new();
        let _ = msgpack::walk(bytes, |event| builder.push(event));
        builder.finish()
    }

    /// A map around the given members.
    pub(crate) fn map(members: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        let mut events = vec![Event::Map(0)];
        let mut count = 0_u32;
        for (key, value) in members {
            count = count.saturating_add(1);
            events.push(Event::Key(Cow::Borrowed(key)));
            events.extend(value.events);
        }
        if let Some(Event::Map(n)) = events.first_mut() {
            *n = count;
        }
        events.push(Event::End);
        Self { events }
    }

    /// A string.
    pub(crate) fn str(text: impl Into<Cow<'a, str>>) -> Self {
        Self { events: vec![Event::Str(text.into())] }
    }

    /// A whole number.
    pub(crate) fn int(value: i64) -> Self {
        Self { events: vec![Event::Number(Number::Int(value))] }
    }

    /// A count.
    pub(crate) fn uint(value: u64) -> Self {
        Self { events: vec![Event::Number(Number::Uint(value))] }
    }

    /// Adds a member at the end of a map.
    pub(crate) fn insert(&mut self, key: &'static str, value: Self) {
        if let Some(Event::Map(count)) = self.events.first_mut() {
            *count = count.saturating_add(1);
            self.events.pop();
            self.events.push(Event::Key(Cow::Borrowed(key)));
            self.events.extend(value.events);
            self.events.push(Event::End);
        }
    }

    /// Takes the first member whose key is wanted out of a map.
    fn remove(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        let mut depth = 0_usize;
        let at = self.events.iter().position(|event| {
            depth = after(depth, event);
            depth == 1 && matches!(event, Event::Key(key) if wanted(key))
        })?;
        let mut depth = 0_usize;
        let length = self.events.iter().skip(at).skip(1).position(|event| {
            depth = after(depth, event);
            depth == 0
        })?;
        let mut taken = self.events.drain(at..=at.saturating_add(length).saturating_add(1));
        taken.next();
        let value = Self { events: taken.collect() };
        if let Some(Event::Map(count)) = self.events.first_mut() {
            *count = count.saturating_sub(1);
        }
        Some(value)
    }

    /// Takes the filter's own member out of a map, from whoever put it there: small enough to stand beside what the
    /// filter has to say itself.
    pub(crate) fn take_own(&mut self) -> Self {
        const EVENTS: usize = 64;
        const BYTES: usize = 1024;
        let mut first = None;
        while let Some(value) = self.remove(is_own) {
            first = first.or(Some(value));
        }
        let value = first.unwrap_or_else(|| Self { events: vec![Event::Null] });
        let bytes = value.events.iter().map(|event| match event {
            Event::Key(text) | Event::Str(text) => text.len(),
            Event::Number(Number::Raw(text) | Number::Digits(text)) => text.len(),
            _ => 0,
        });
        if value.events.len() <= EVENTS && bytes.sum::<usize>() <= BYTES {
            value
        } else {
            Self::str("too large to keep")
        }
    }

    /// Turns hyphens in keys into underscores, except where another key of the same map has that name already.
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

    /// Drops each member whose key stood in its map before: the first counts, as it does in recognising a finding.
    fn drop_repeated(&mut self) {
        let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
        let mut dropped: Vec<(usize, usize)> = Vec::new();
        for at in 0..self.events.len() {
            match self.events.get(at) {
                Some(Event::Map(_) | Event::List(_)) => open.push((at, Vec::new())),
                Some(Event::Key(_)) => open.last_mut().into_iter().for_each(|(_, keys)| keys.push(at)),
                Some(Event::End) => {
                    let (map, keys) = open.pop().unwrap_or_default();
                    let repeated = self.repeated(&keys, at);
                    if let Some(Event::Map(count)) = self.events.get_mut(map) {
                        *count = count.saturating_sub(u32::try_from(repeated.len()).unwrap_or(0));
                    }
                    dropped.extend(repeated);
                }
                _ => (),
            }
        }
        // What is dropped may hold what would have been dropped in it.
        dropped.sort_unstable();
        let mut dropped = dropped.into_iter().peekable();
        let mut at = 0_usize;
        self.events.retain(|_| {
            let here = at;
            at = at.saturating_add(1);
            while dropped.next_if(|(_, end)| *end <= here).is_some() {}
            dropped.peek().is_none_or(|(begin, _)| here < *begin)
        });
    }

    /// Of a map's keys, given by their places, those that repeat one before: where their members begin and end.
    fn repeated(&self, keys: &[usize], end: usize) -> Vec<(usize, usize)> {
        let name = |at: usize| match self.events.get(at) {
            Some(Event::Key(key)) => key.as_ref(),
            _ => "",
        };
        let ends = keys.iter().skip(1).copied().chain([end]);
        let mut members: Vec<(usize, usize)> = keys.iter().copied().zip(ends).collect();
        // Sorting, unlike hashing, has no keys that an attacker could choose to make it slow.
        members.sort_by_key(|&(at, _)| name(at));
        let pairs = members.iter().zip(members.iter().skip(1));
        pairs.filter(|((one, _), (other, _))| name(*one) == name(*other)).map(|(_, &later)| later).collect()
    }

    fn plan_renames(&self, keys: &[usize], renamed: &mut Vec<(usize, String)>) {
        let name = |&at: &usize| match self.events.get(at) {
            Some(Event::Key(key)) => Some(key.as_ref()),
            _ => None,
        };
        if !keys.iter().filter_map(name).any(|key| key.contains('-')) {
            return;
        }
        let mut taken: HashSet<Cow<'_, str>, FixedState> =
            keys.iter().filter_map(name).map(Cow::Borrowed).collect();
        for at in keys {
            let Some(key) = name(at).filter(|key| key.contains('-')) else { continue };
            let snake = key.replace('-', "_");
            if taken.insert(Cow::Owned(snake.clone())) {
                renamed.push((*at, snake));
            }
        }
    }
}

/// Whether a key is the filter's own, in either spelling: `keys: snake` would turn one into the other.
fn is_own(key: &str) -> bool {
    key.replace('-', "_") == super::OWN_KEY
}

/// The depth behind an event.
fn after(depth: usize, event: &Event<'_>) -> usize {
    match event {
        Event::Map(_) | Event::List(_) => depth.saturating_add(1),
        Event::End => depth.saturating_sub(1),
        _ => depth,
    }
}

/// Collects events and fills in the counts of maps and lists.
struct Builder<'a> {
    events: Vec<Event<'a>>,
    /// Where each open container began, and how many members it has so far.
    open: Vec<(usize, u32)>,
    repeats: Repeats,
    /// Whether some key may stand twice in its map.
    repeated: bool,
}

impl<'a> Builder<'a> {
    fn new() -> Self {
        Self { events: Vec::new(), open: Vec::new(), repeats: Repeats::new(), repeated: false }
    }

    fn push(&mut self, event: Event<'a>) {
        match &event {
            Event::End => return self.close(),
            Event::Key(key) => self.repeated |= !self.repeats.is_new(key.as_bytes()),
            // Any other event is a value: a member of the list it stands in; in a map its key was not counted.
            _ => {
                if let Some((_, count)) = self.open.last_mut() {
                    *count = count.saturating_add(1);
                }
            }
        }
        if matches!(event, Event::Map(_) | Event::List(_)) {
            self.open.push((self.events.len(), 0));
            self.repeats.open();
        }
        self.events.push(event);
    }

    fn close(&mut self) {
        if let Some((at, count)) = self.open.pop() {
            if let Some(Event::Map(n) | Event::List(n)) = self.events.get_mut(at) {
                *n = count;
            }
            self.events.push(Event::End);
            self.repeats.close();
        }
    }

    fn finish(mut self) -> Tape<'a> {
        while !self.open.is_empty() {
            self.close();
        }
        let mut tape = Tape { events: self.events };
        if self.repeated {
            tape.drop_repeated();
        }
        tape
    }
}

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Self {
        match text {
            Text::Plain(text) => Cow::Borrowed(text),
            Text::Bytes(bytes) => super::text(bytes),
            Text::Escaped(text) => {
                let mut plain = String::with_capacity(text.len());
                json::unescape(text, &mut plain);
                Cow::Owned(plain)
            }
        }
    }
}
