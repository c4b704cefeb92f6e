//! Finds the findings of a record: the record itself, or what it contains as objects, lists and text.
//!
//! A finding is searched for under the keys of the option `look-in`, at most [`LEVELS`] deep, and in every other object
//! at the top level that is unmistakably one (Fluent Bit's `Merge_Log_Key` may have any name). The first key that
//! contains findings counts; the fields around it are transport. A list, several objects in one text, or lines of text
//! are a batch: each item is judged on its own, those that are no findings included.

mod keys;
mod text;

use memchr::{memchr, memchr2_iter};

use crate::config::ANY_OBJECT;
use crate::finding::{Field, Fields, Kind};
use crate::record::{KeyCache, Record, Scan, Str, SyntaxError, SyntaxErrorKind, Take, Value, unescape};

use keys::{Key, KeyTable, Path};
use text::Begins;

/// How many objects or texts may be around a finding, the record not counted. A path of several keys is one.
const LEVELS: usize = 3;

/// Where the findings of a record go.
pub(crate) trait Sink {
    /// A finding.
    fn finding(&mut self, found: &Found<'_, '_>);

    /// An item of a batch that is no finding, or a record that contains none.
    fn other(&mut self, other: &Other<'_, '_>);

    /// Whether the record is an entry or envelope of the filter's own that may pass unchanged.
    fn passes(&mut self, record: Record<'_>) -> bool;

    /// Whether a record's findings may be given one by one, or else only the single finding of a record.
    fn takes_batches(&self) -> bool;

    /// The path at which the next findings are searched for: a key, an index, or a line. Called in pairs with `leave`.
    fn enter(&mut self, _step: Step<'_>) {}

    /// The search at the last step has ended.
    fn leave(&mut self) {}
}

/// One step on the path to a finding.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "compile"), expect(dead_code, reason = "only explanations show paths"))]
pub(crate) enum Step<'p> {
    /// A member of an object.
    Key(&'p str),
    /// An element of a list.
    Index(usize),
    /// An object or line of a text.
    Part(usize),
}

/// A finding, and where it is.
pub(crate) struct Found<'s, 'a> {
    pub kind: Kind,
    pub members: &'s Members<'a>,
    pub scan: &'s Scan<'a>,
    /// The keys of members that are copies of it.
    pub copies: Vec<String>,
}

/// What is no finding.
pub(crate) struct Other<'s, 'a> {
    pub content: Content<'a>,
    /// The members, if it is an object.
    pub members: Option<&'s Members<'a>>,
    /// What is wrong with it, or with the finding in it.
    pub error: Option<SyntaxError>,
    /// Whether it contains several findings that the host cannot take one by one.
    pub batch: bool,
    /// Whether it is an item of a batch, and not the record.
    pub item: bool,
}

/// What was read of something that is no finding.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// An object.
    Object(Scan<'a>),
    /// A text, such as a line.
    Text(&'a [u8]),
    /// A value of another type, or a record that cannot be read.
    Value(Record<'a>),
}

/// The known members of an object.
#[derive(Default)]
pub(crate) struct Members<'a> {
    pub fields: Fields<'a>,
    /// Whether the filter's own key is among them.
    pub own: bool,
    /// Whether the names of an entry are among them.
    names: [bool; 2],
    /// The values that may contain findings, in the order in which they occur.
    candidates: Candidates<'a>,
}

/// A few values without an allocation.
#[derive(Default)]
struct Candidates<'a> {
    first: [Option<Candidate<'a>>; 2],
    more: Vec<Candidate<'a>>,
}

/// A value that may contain findings.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    value: Value<'a>,
    /// The path that names it; `None`: an object under a key that no path names.
    path: Option<usize>,
}

impl<'a> Members<'a> {
    /// Takes the known members of a record.
    #[inline(always)]
    fn read(&mut self, record: Record<'a>, cache: &mut KeyCache<KeyTable>) -> Result<Scan<'a>, SyntaxError> {
        let scan = record.members(cache, self)?;
        self.scanned(&scan);
        Ok(scan)
    }

    /// Takes those of the record at the beginning of a text; what follows it is returned.
    fn read_first(
        &mut self,
        text: &'a [u8],
        cache: &mut KeyCache<KeyTable>,
    ) -> Result<(Scan<'a>, &'a [u8]), SyntaxError> {
        let (scan, rest) = Record::json(text).first_members(cache, self)?;
        self.scanned(&scan);
        Ok((scan, rest))
    }

    fn scanned(&mut self, scan: &Scan<'_>) {
        self.fields.set_spelling(scan.is_utf8(), scan.is_plain());
    }

    #[cold]
    fn take_role(&mut self, key: Key, value: Value<'a>) {
        if let Some(Ok(vacant)) = key.slot().map(|slot| self.fields.vacant(slot)) {
            *vacant = value;
        }
        let candidate = match key.path() {
            Some(path) => Candidate { value, path: Some(path) },
            None if key == Key::OWN => {
                self.own = true;
                return;
            }
            None if key == Key::APPLICATION || key == Key::SUBSYSTEM => {
                let [application, subsystem] = &mut self.names;
                *(if key == Key::APPLICATION { application } else { subsystem }) = true;
                return;
            }
            None => Candidate { value, path: None },
        };
        if candidate.may_contain_finding() {
            self.candidates.push(candidate);
        }
    }

    /// Whether there is a value that may contain findings.
    pub fn has_candidates(&self) -> bool {
        matches!(self.candidates.first, [Some(_), ..])
    }

    /// The kind of the object under a key that no path names: it has to be unmistakable.
    fn certain_kind(&self) -> Option<Kind> {
        let fields = &self.fields;
        let has_origin = || fields.has(Field::Cluster) || fields.has(Field::Principal);
        match fields.kind()? {
            Kind::Detection => fields.etype().map(|_| Kind::Detection),
            Kind::Selection => has_origin().then_some(Kind::Selection),
            Kind::Activity => None,
        }
    }
}

impl<'a> Take<'a, Key> for Members<'a> {
    #[inline(always)]
    fn text(&mut self, key: Key, text: &'a [u8]) {
        match self.fields.vacant(key.only_slot()) {
            Ok(vacant) => *vacant = Value::Str(Str::Plain(text)),
            Err(false) if key != Key::NOTHING => self.take_role(key, Value::Str(Str::Plain(text))),
            Err(_) => (),
        }
    }

    #[inline(always)]
    fn value(&mut self, key: Key, value: Value<'a>) {
        match self.fields.vacant(key.only_slot()) {
            Ok(vacant) => *vacant = value,
            Err(false) if key != Key::NOTHING || matches!(value, Value::Map(_)) => self.take_role(key, value),
            Err(_) => (),
        }
    }
}

impl<'a> Candidates<'a> {
    fn push(&mut self, candidate: Candidate<'a>) {
        match self.first.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(candidate),
            None => self.more.push(candidate),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Candidate<'a>> + '_ {
        self.first.iter().flatten().chain(&self.more).copied()
    }
}

impl Candidate<'_> {
    /// A cheap look, so that the lines of other programs cost next to nothing.
    fn may_contain_finding(&self) -> bool {
        match self.value {
            Value::Str(text) => {
                let source = text.source();
                memchr(b'{', source).is_some()
            }
            Value::Map(bytes) => {
                // The letter of each word that occurs least: a searcher takes longer to build than most objects to search.
                let has = |word: &[u8], from: Option<usize>| {
                    from.and_then(|from| bytes.get(from..)).is_some_and(|rest| rest.starts_with(word))
                };
                self.path.is_some()
                    || memchr2_iter(b'y', b'u', bytes)
                        .any(|at| has(b"etype", at.checked_sub(2)) || has(b"rule", at.checked_sub(1)))
            }
            Value::List(_) => self.path.is_some(),
            _ => false,
        }
    }
}

/// What reading a record takes, from record to record.
pub(crate) struct Source {
    cache: KeyCache<KeyTable>,
    paths: Vec<Path>,
    /// Whether objects under other keys are searched, too.
    any_object: bool,
    /// Buffers for text whose escape sequences are resolved, one for each level.
    buffers: Vec<String>,
}

impl Source {
    /// For the paths of `look-in`.
    pub fn new(look_in: &[Vec<String>]) -> Self {
        Self::with_cache(look_in, KeyCache::new)
    }

    /// The same without a cache of keys: what a source with one has to agree with.
    #[cfg(any(test, feature = "compile"))]
    pub fn uncached(look_in: &[Vec<String>]) -> Self {
        Self::with_cache(look_in, KeyCache::disabled)
    }

    fn with_cache(look_in: &[Vec<String>], cache: impl FnOnce(KeyTable) -> KeyCache<KeyTable>) -> Self {
        let is_any = |path: &Vec<String>| matches!(&path[..], [key] if key == ANY_OBJECT);
        let paths = Path::sort(look_in.iter().filter(|path| !is_any(path)));
        Self {
            cache: cache(KeyTable::new(&paths)),
            paths,
            any_object: look_in.iter().any(is_any),
            buffers: Vec::new(),
        }
    }

    /// Takes the known members of a record.
    #[inline(always)]
    pub fn members<'a>(
        &mut self,
        record: Record<'a>,
        members: &mut Members<'a>,
    ) -> Result<Scan<'a>, SyntaxError> {
        members.read(record, &mut self.cache)
    }

    /// Gives all findings of a record to the sink, or the record itself if it has none.
    pub fn read(&mut self, record: Record<'_>, sink: &mut dyn Sink) {
        let mut members = Members::default();
        let scanned = self.members(record, &mut members);
        match (&scanned, members.fields.kind()) {
            (Ok(scan), Some(kind)) => {
                let copies = self.copies(&members, scan.body);
                sink.finding(&Found { kind, members: &members, scan, copies });
            }
            _ => self.search(record, scanned, &members, sink),
        }
    }

    /// Searches for the findings of a record that is not one itself, as its members show, or that could not be read.
    pub fn search<'a>(
        &mut self,
        record: Record<'a>,
        scanned: Result<Scan<'a>, SyntaxError>,
        members: &Members<'a>,
        sink: &mut dyn Sink,
    ) {
        if members.names == [true; 2] && scanned.is_ok() && sink.passes(record) {
            return;
        }
        let mut search = self.start(sink);
        let at = At::START;
        let found = match scanned {
            Ok(_) => search.candidates(record, members, at),
            Err(_) => search.whole(record, at),
        };
        if found == Outcome::Found {
            return;
        }
        let Search { error, batch, sink, .. } = search;
        let other = match scanned {
            Ok(scan) => {
                Other { content: Content::Object(scan), members: Some(members), error, batch, item: false }
            }
            Err(own) => {
                let error = Some(error.unwrap_or(own));
                Other { content: Content::Value(record), members: None, error, batch, item: false }
            }
        };
        sink.other(&other);
    }

    /// See [`copies`].
    pub fn copies<'a>(&mut self, members: &Members<'a>, record: Record<'a>) -> Vec<String> {
        copies(members, record, &self.paths, &mut self.cache, &mut self.buffers)
    }

    fn start<'s>(&'s mut self, sink: &'s mut dyn Sink) -> Search<'s> {
        let Self { cache, paths, any_object, buffers } = self;
        Search {
            cache,
            paths,
            any_object: *any_object,
            buffers,
            sink,
            error: None,
            batch: false,
            compares: false,
        }
    }
}

/// Whether findings were given to the sink.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// There is none.
    Nothing,
    /// There are some, and all items have been given.
    Found,
    /// There is one after items that have not been given: the search has to start again and give all of them.
    Restart,
}

/// A position in the search.
#[derive(Clone, Copy)]
struct At {
    /// How many objects and texts are around it.
    level: usize,
    /// Whether nothing follows it in the record.
    last: bool,
    /// Whether there are items before it that have not been given.
    deferred: bool,
    /// Whether items are given although no finding has been found yet.
    emit: bool,
}

impl At {
    /// The record itself.
    const START: Self = Self { level: 0, last: true, deferred: false, emit: false };

    fn inner(self) -> Self {
        Self { level: self.level.saturating_add(1), ..self }
    }
}

struct Search<'s> {
    cache: &'s mut KeyCache<KeyTable>,
    paths: &'s [Path],
    any_object: bool,
    buffers: &'s mut Vec<String>,
    sink: &'s mut dyn Sink,
    /// What is wrong with the first finding that is broken.
    error: Option<SyntaxError>,
    /// Whether there are several findings that the host cannot take.
    batch: bool,
    /// Whether the findings are only compared with another.
    compares: bool,
}

/// The state of a walk over the items of one list or text.
struct Items {
    at: At,
    /// How many items came before.
    count: usize,
    found: bool,
    /// Whether there is a finding after items that have not been given.
    restart: bool,
}

impl Search<'_> {
    /// Searches the candidates of an object, until one contains findings.
    fn candidates<'x>(&mut self, record: Record<'x>, members: &Members<'x>, at: At) -> Outcome {
        if at.level >= LEVELS {
            return Outcome::Nothing;
        }
        for Candidate { value, path } in members.candidates.iter() {
            let outcome = match path {
                Some(path) => self.path(record, value, path, at),
                None => match value {
                    Value::Map(bytes) if at.level == 0 && self.any_object => {
                        self.certain(record.inner(bytes), at.inner())
                    }
                    _ => Outcome::Nothing,
                },
            };
            if outcome != Outcome::Nothing {
                return outcome;
            }
        }
        Outcome::Nothing
    }

    /// Searches the value of a path's first key: itself if the path ends there, and what its further keys lead to.
    fn path<'x>(&mut self, record: Record<'x>, value: Value<'x>, path: usize, at: At) -> Outcome {
        let Some(Path { first, ends, further }) = self.paths.get(path) else { return Outcome::Nothing };
        self.sink.enter(Step::Key(first));
        let mut outcome = if *ends { self.value(record, value, at.inner()) } else { Outcome::Nothing };
        if let Value::Map(bytes) = value {
            for keys in further {
                if outcome == Outcome::Nothing {
                    outcome = self.further(record.inner(bytes), keys, at);
                }
            }
        }
        self.sink.leave();
        outcome
    }

    /// Follows the further keys of a path.
    fn further(&mut self, record: Record<'_>, keys: &[Box<str>], at: At) -> Outcome {
        let Some((key, further)) = keys.split_first() else { return Outcome::Nothing };
        let value = record.member(key);
        self.sink.enter(Step::Key(key));
        let outcome = match value {
            value if further.is_empty() => self.value(record, value, at.inner()),
            Value::Map(bytes) => self.further(record.inner(bytes), further, at),
            _ => Outcome::Nothing,
        };
        self.sink.leave();
        outcome
    }

    /// Takes an object under a key that no path names, if it is unmistakably a finding.
    fn certain(&mut self, record: Record<'_>, at: At) -> Outcome {
        let mut members = Members::default();
        let Ok(scan) = members.read(record, self.cache) else { return Outcome::Nothing };
        match members.certain_kind() {
            Some(kind) => self.give(kind, &members, &scan, at),
            None => Outcome::Nothing,
        }
    }

    /// Searches a value.
    fn value(&mut self, record: Record<'_>, value: Value<'_>, at: At) -> Outcome {
        if at.level > LEVELS {
            return Outcome::Nothing;
        }
        match value {
            Value::Str(text) => self.string(text, at),
            Value::Map(bytes) => self.object(record.inner(bytes), at),
            Value::List(bytes) => self.list(record.inner(bytes), at),
            _ => Outcome::Nothing,
        }
    }

    /// Searches an object.
    fn object(&mut self, record: Record<'_>, at: At) -> Outcome {
        let mut members = Members::default();
        match members.read(record, self.cache) {
            Ok(scan) => self.members(&members, &scan, at),
            Err(_) => Outcome::Nothing,
        }
    }

    /// Takes an object as a finding, or searches what it contains.
    fn members<'x>(&mut self, members: &Members<'x>, scan: &Scan<'x>, at: At) -> Outcome {
        match members.fields.kind() {
            Some(kind) => self.give(kind, members, scan, at),
            None => self.candidates(scan.body, members, at),
        }
    }

    /// Gives a finding to the sink, unless items before it have to be given first or the host takes single ones only.
    fn give<'x>(&mut self, kind: Kind, members: &Members<'x>, scan: &Scan<'x>, at: At) -> Outcome {
        let is_only_item = at.last && !at.deferred && !at.emit;
        if !self.sink.takes_batches() && !is_only_item {
            self.batch = true;
            return Outcome::Nothing;
        }
        if at.deferred {
            return Outcome::Restart;
        }
        let keys = if self.compares {
            Vec::new()
        } else {
            copies(members, scan.body, self.paths, self.cache, self.buffers)
        };
        self.sink.finding(&Found { kind, members, scan, copies: keys });
        Outcome::Found
    }

    /// Searches a string, as a text.
    fn string(&mut self, text: Str<'_>, at: At) -> Outcome {
        match text.plain() {
            Some(bytes) => self.text(bytes, at),
            None => self.decoded(at, |buffer| {
                text.decode(buffer);
            }),
        }
    }

    /// Searches a text that `decode` writes into a buffer.
    fn decoded(&mut self, at: At, decode: impl FnOnce(&mut String)) -> Outcome {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        buffer.clear();
        decode(&mut buffer);
        let outcome = self.text(buffer.as_bytes(), at);
        self.buffers.push(buffer);
        outcome
    }

    /// Searches a record that is no object: a list, a string, or a text that is no JSON.
    fn whole(&mut self, record: Record<'_>, at: At) -> Outcome {
        match record.value() {
            Ok(Value::Str(text)) => self.string(text, at.inner()),
            Ok(Value::List(bytes)) => self.list(record.inner(bytes), at.inner()),
            Err(_) if record.is_text() => self.text(record.bytes(), at),
            Err(error) if error.kind == SyntaxErrorKind::TooDeep => {
                self.error = Some(error);
                Outcome::Nothing
            }
            _ => Outcome::Nothing,
        }
    }

    /// Searches the elements of a list.
    fn list(&mut self, record: Record<'_>, at: At) -> Outcome {
        if let Some(bytes) = record.byte_list() {
            return self.text(&bytes, at);
        }
        self.items(at, &mut |search, items| {
            let mut elements = record.elements().peekable();
            while let Some(value) = elements.next() {
                if !search.element(record, value, items, elements.peek().is_none()) {
                    return;
                }
            }
        })
    }

    /// Searches one element; whether to go on.
    fn element(&mut self, record: Record<'_>, value: Value<'_>, items: &mut Items, last: bool) -> bool {
        let at = items.next(last);
        // A list in a list is a level: the search goes no deeper than the stack of the smallest host.
        let at = if matches!(value, Value::List(_)) { at.inner() } else { at };
        self.sink.enter(Step::Index(items.count));
        let (outcome, error) = self.with_error(|search| search.value(record, value, at));
        let go_on = match outcome {
            Outcome::Nothing => match value {
                Value::Map(bytes) => {
                    let mut members = Members::default();
                    let inner = record.inner(bytes);
                    match members.read(inner, self.cache) {
                        Ok(scan) => self.item(Content::Object(scan), Some(&members), error, items),
                        Err(error) => self.item(Content::Value(inner), None, Some(error), items),
                    }
                }
                Value::Str(Str::Plain(text)) => self.item(Content::Text(text), None, error, items),
                Value::Str(text) => {
                    let mut decoded = String::new();
                    let text = text.decode(&mut decoded).as_bytes();
                    self.item(Content::Text(text), None, error, items)
                }
                Value::List(bytes) => self.item(Content::Value(record.inner(bytes)), None, error, items),
                Value::Number(number) => {
                    self.item(Content::Text(number.to_string().as_bytes()), None, None, items)
                }
                Value::Bool(value) => {
                    self.item(Content::Text(if value { b"true" } else { b"false" }), None, None, items)
                }
                Value::Absent | Value::Null => true,
            },
            outcome => items.take(outcome),
        };
        self.sink.leave();
        go_on
    }

    /// Takes an item that is no finding; whether to go on.
    fn item<'x>(
        &mut self,
        content: Content<'x>,
        members: Option<&Members<'x>>,
        error: Option<SyntaxError>,
        items: &mut Items,
    ) -> bool {
        if items.found || items.at.emit {
            self.sink.other(&Other { content, members, error, batch: false, item: true });
        } else if !self.sink.takes_batches() && self.batch {
            return false;
        }
        items.count = items.count.saturating_add(1);
        true
    }

    /// Walks over items, once more from the start if a finding follows items that are none.
    fn items(&mut self, at: At, walk: &mut dyn FnMut(&mut Self, &mut Items)) -> Outcome {
        // The items of an item are given only if a finding is among them.
        let at = At { emit: false, ..at };
        let mut items = Items { at, count: 0, found: false, restart: false };
        walk(self, &mut items);
        if items.restart && !at.deferred {
            items = Items { at: At { emit: true, ..at }, count: 0, found: false, restart: false };
            walk(self, &mut items);
        }
        match items {
            Items { restart: true, .. } => Outcome::Restart,
            Items { found: true, .. } => Outcome::Found,
            _ => Outcome::Nothing,
        }
    }

    /// Searches a text: the objects and lists in it, and its lines. What is before or after a value in its line is a
    /// prefix of a logger or a runtime, and transport.
    fn text(&mut self, text: &[u8], at: At) -> Outcome {
        if at.level > LEVELS {
            return Outcome::Nothing;
        }
        if let [b'{', ..] = text
            && let Some(outcome) = self.only_object(text, at)
        {
            return outcome;
        }
        if memchr(b'{', text).is_none() {
            return Outcome::Nothing;
        }
        self.items(at, &mut |search, items| {
            let mut rest = text;
            // The end of the current line and what follows it. It is searched once for each line: one line may contain
            // any number of values.
            let mut line_end = text;
            let mut after_value = false;
            loop {
                let (blank, line) = text::split_blank(rest);
                after_value &= !blank.contains(&b'\n');
                rest = line;
                if rest.is_empty() {
                    return;
                }
                search.sink.enter(Step::Part(items.count));
                if rest.len() <= line_end.len() {
                    line_end = text::split_line(rest).1;
                }
                let line = rest.get(..rest.len().saturating_sub(line_end.len())).unwrap_or_default();
                let mut after = line_end;
                let mut go_on = true;
                match search.first_value(line, rest, items) {
                    Some((after_it, on)) => {
                        (after, go_on, after_value) = (after_it, on, true);
                    }
                    None if !after_value => go_on = search.item(Content::Text(line), None, None, items),
                    None => (),
                }
                search.sink.leave();
                if !go_on {
                    return;
                }
                rest = after;
            }
        })
    }

    /// Takes a text that is one object and nothing else, as nearly all lines of findings are, without looking for lines.
    fn only_object(&mut self, text: &[u8], at: At) -> Option<Outcome> {
        let mut members = Members::default();
        let (scan, after) = members.read_first(text, self.cache).ok()?;
        text::split_blank(after).1.is_empty().then(|| self.members(&members, &scan, at))
    }

    /// Takes the first value of a line, which may reach beyond it; `None` if there is none. Returns what follows the value,
    /// and whether to go on.
    ///
    /// What contains a broken finding is an item that is malformed. It is not searched for other findings, which may be
    /// its own objects.
    fn first_value<'x>(
        &mut self,
        line: &'x [u8],
        text: &'x [u8],
        items: &mut Items,
    ) -> Option<(&'x [u8], bool)> {
        /// How many beginnings of a value are tried in a line: prefixes have few brackets.
        const TRIES: usize = 8;
        for at in text::value_offsets(line).take(TRIES) {
            let from = text.get(at..).unwrap_or_default();
            let line = line.get(at..).unwrap_or_default();
            let (taken, error) = self.with_error(|search| match text::begins(from) {
                Begins::Object => search.object_in_text(line, from, items),
                // The others are a level of their own.
                _ if items.at.level >= LEVELS => Err(from),
                Begins::List => search.list_in_text(from, items),
                Begins::String => search.string_in_text(from, items),
                Begins::Escaped => search.escaped_in_text(line, from, items),
                Begins::Nothing => Err(from),
            });
            match taken {
                Ok(taken) => return Some(taken),
                Err(after) if error.is_some() => {
                    let broken = text.get(..text.len().saturating_sub(after.len())).unwrap_or_default();
                    return Some((after, self.item(Content::Text(broken), None, error, items)));
                }
                Err(_) => (),
            }
        }
        None
    }

    /// Runs a part of the search. Returns what is wrong with the first broken finding in it, too.
    fn with_error<T>(&mut self, search: impl FnOnce(&mut Self) -> T) -> (T, Option<SyntaxError>) {
        let before = self.error.take();
        let result = search(self);
        let error = self.error;
        self.error = before.or(error);
        (result, error)
    }

    /// Takes the object at the beginning of a text.
    ///
    /// # Errors
    /// It is broken: what follows it, if it was to be a finding.
    fn object_in_text<'x>(
        &mut self,
        line: &[u8],
        text: &'x [u8],
        items: &mut Items,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let mut members = Members::default();
        let (scan, after) = match members.read_first(text, self.cache) {
            Ok(read) => read,
            Err(error) => {
                let too_deep = error.kind == SyntaxErrorKind::TooDeep;
                if too_deep || members.fields.is_part_of_finding() {
                    self.error = Some(error);
                }
                let length = if too_deep { text::nested_length(text) } else { error.offset.max(line.len()) };
                return Err(text.get(length..).unwrap_or_default());
            }
        };
        let go_on = match self.members(&members, &scan, items.next(text::is_end(after))) {
            Outcome::Nothing => self.item(Content::Object(scan), Some(&members), None, items),
            outcome => items.take(outcome),
        };
        Ok((after, go_on))
    }

    /// Takes the list at the beginning of a text.
    ///
    /// # Errors
    /// It contains no finding: what follows it.
    fn list_in_text<'x>(&mut self, text: &'x [u8], items: &mut Items) -> Result<(&'x [u8], bool), &'x [u8]> {
        let record = Record::json(text);
        let Ok((list @ Value::List(_), after)) = record.first_value() else { return Err(text) };
        // A level, as a list in a list is.
        let outcome = self.value(record, list, items.next(text::is_end(after)).inner());
        items.take_found(outcome, after)
    }

    /// Takes the string at the beginning of a text.
    ///
    /// # Errors
    /// It contains no finding: what follows it.
    fn string_in_text<'x>(
        &mut self,
        text: &'x [u8],
        items: &mut Items,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let Ok((Value::Str(string), after)) = Record::json(text).first_value() else { return Err(text) };
        let outcome = self.string(string, items.next(text::is_end(after)).inner());
        items.take_found(outcome, after)
    }

    /// Takes a line that was escaped once more than it was quoted.
    ///
    /// # Errors
    /// It contains no finding: what follows it.
    fn escaped_in_text<'x>(
        &mut self,
        line: &[u8],
        text: &'x [u8],
        items: &mut Items,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let (_, after) = text::split_line(text);
        let at = items.next(text::is_end(after)).inner();
        let outcome = self.decoded(at, |buffer| unescape(&String::from_utf8_lossy(line), buffer));
        items.take_found(outcome, after)
    }
}

impl Items {
    /// The position of the next item.
    fn next(&self, last: bool) -> At {
        let first = self.count == 0;
        let deferred = self.at.deferred || !(first || self.found || self.at.emit);
        At { last: self.at.last && last && first, deferred, ..self.at }
    }

    /// Takes what the search of an item returned; whether to go on.
    fn take(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Restart => self.restart = true,
            _ => self.found = true,
        }
        self.count = self.count.saturating_add(1);
        outcome != Outcome::Restart
    }

    /// As [`Self::take`] of the value before `after`; an error if it contains no finding.
    fn take_found<'x>(&mut self, outcome: Outcome, after: &'x [u8]) -> Result<(&'x [u8], bool), &'x [u8]> {
        match outcome {
            Outcome::Nothing => Err(after),
            outcome => Ok((after, self.take(outcome))),
        }
    }
}

/// The keys of a finding's members that are copies of it: text or an object under a key of `look-in` that is a finding
/// with the same values.
#[inline]
fn copies<'a>(
    members: &Members<'a>,
    record: Record<'a>,
    paths: &[Path],
    cache: &mut KeyCache<KeyTable>,
    buffers: &mut Vec<String>,
) -> Vec<String> {
    if members.has_candidates() { any_copies(members, record, paths, cache, buffers) } else { Vec::new() }
}

#[cold]
fn any_copies<'a>(
    members: &Members<'a>,
    record: Record<'a>,
    paths: &[Path],
    cache: &mut KeyCache<KeyTable>,
    buffers: &mut Vec<String>,
) -> Vec<String> {
    let mut keys = Vec::new();
    for Candidate { value, path } in members.candidates.iter() {
        let Some(path) = path.and_then(|path| paths.get(path)) else { continue };
        let mut same = Same { fields: &members.fields, same: false };
        let mut search = Search {
            cache,
            paths,
            any_object: false,
            buffers,
            sink: &mut same,
            error: None,
            batch: false,
            compares: true,
        };
        search.value(record, value, At { level: 1, ..At::START });
        if same.same {
            keys.push(String::from(&*path.first));
        }
    }
    keys
}

/// Compares the findings it is given with another.
struct Same<'s, 'a> {
    fields: &'s Fields<'a>,
    same: bool,
}

impl Sink for Same<'_, '_> {
    fn finding(&mut self, found: &Found<'_, '_>) {
        self.same |= found.members.fields.is_same_finding(self.fields);
    }

    fn other(&mut self, _: &Other<'_, '_>) {}

    fn passes(&mut self, _: Record<'_>) -> bool {
        false
    }

    fn takes_batches(&self) -> bool {
        true
    }
}
