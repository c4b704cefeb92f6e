//! Finds the findings of a record: the record itself, or values in it.
//!
//! Such values are objects, lists and text.
//!
//! Findings are searched for under the keys of the option `look-in`, at most [`LEVELS`] deep. Any other object at the
//! top level is accepted if it is unmistakably a finding, because Fluent Bit's `Merge_Log_Key` may have any name. The
//! first key that contains findings counts; the fields around it belong to the transport. A list, several objects in
//! one text, or lines of text are a batch: each item gets its own verdict, including items that are not findings.

mod keys;
mod text;

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use memchr::{memchr, memchr2_iter};

use crate::audit::{self, EventForm, EventKeys, EventMembers};
use crate::config::ANY_OBJECT;
use crate::finding::{Field, Fields, Kind};
use crate::policy::ReportedRule;
use crate::record::{
    KeyCache, MemberVisitor, Record, Scan, Str, SyntaxError, SyntaxErrorKind, Value, unescape,
};

use keys::{KeyPath, KeyTable, KnownKey};
use text::ValueStart;

/// The maximum number of objects or texts around a finding, without the record.
///
/// A path of several keys is one level.
const LEVELS: usize = 3;

/// Whether audit events are recognised.
///
/// Decision: not in a filter that can only be built from tables, the baked guest. Their evaluation takes 247 kB there, as
/// much as the rest of the guest, and nearly all of its stack of 8 kB. `bake` rejects a configuration with them.
pub(crate) const EVENTS: bool = cfg!(feature = "compile");

/// The paths under which records have audit events, in addition to the paths of `look-in`: lists of events, and Elastic's
/// form.
const EVENT_PATHS: &[&[&str]] = &[&["items"], &["kubernetes", "audit"]];

/// Receives the findings of a record.
pub(crate) trait Sink {
    /// Receives a finding.
    fn finding(&mut self, found: &Found<'_, '_>);

    /// Receives an audit event.
    fn event(&mut self, event: &FoundEvent<'_, '_>);

    /// Receives an audit event in the legacy text format.
    fn legacy_event(&mut self);

    /// Receives an item of a batch that is not a finding, or a record without findings.
    fn not_a_finding(&mut self, other: &NotAFinding<'_, '_>);

    /// Returns whether the record is the filter's own entry or envelope and may pass unchanged.
    fn passes(&mut self, record: Record<'_>) -> bool;

    /// Returns whether the findings of a batch may be given one by one.
    ///
    /// If not, only the single finding of a record is given.
    fn takes_batches(&self) -> bool;

    /// Enters the path step under which the next findings are searched for.
    ///
    /// Each call is followed by one of `leave`.
    fn enter(&mut self, _step: PathStep<'_>) {}

    /// Leaves the last path step.
    fn leave(&mut self) {}
}

/// One step of the path to a finding.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "compile"), expect(dead_code, reason = "only explanations show paths"))]
pub(crate) enum PathStep<'p> {
    /// A member of an object.
    Key(&'p str),
    /// An element of a list.
    Index(usize),
    /// An object or a line in a text.
    Part(usize),
}

/// A finding, and its members.
pub(crate) struct Found<'s, 'a> {
    pub kind: Kind,
    pub members: &'s Members<'a>,
    pub scan: &'s Scan<'a>,
    /// The keys of the members that are copies of the finding.
    pub copies: Vec<String>,
    /// The rule of the policy that selected the event of which the finding was made.
    pub rule: Option<&'s ReportedRule>,
}

/// A Kubernetes audit event.
pub(crate) struct FoundEvent<'s, 'a> {
    pub record: Record<'a>,
    pub members: &'s EventMembers<'a>,
    pub form: EventForm,
    /// The cluster that the surrounding record names.
    pub cluster: Option<&'s str>,
}

/// A record or an item of a batch that is not a finding.
pub(crate) struct NotAFinding<'s, 'a> {
    pub content: Content<'a>,
    /// The members, if the content is an object.
    pub members: Option<&'s Members<'a>>,
    /// The syntax error in it, or in the finding that it contains.
    pub error: Option<SyntaxError>,
    /// Whether it contains several findings that the host cannot take one by one.
    pub batch: bool,
    /// Whether it is an item of a batch, not a whole record.
    pub item: bool,
}

/// The content of a record or item that is not a finding.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    /// An object.
    Object(Scan<'a>),
    /// A text, such as a line.
    Text(&'a [u8]),
    /// A value of another type, or an invalid record.
    Value(Record<'a>),
}

/// The known members of an object.
#[derive(Default)]
pub(crate) struct Members<'a> {
    pub fields: Fields<'a>,
    /// Whether the object has the filter's own key.
    pub has_own_key: bool,
    /// Whether the object has `applicationName` and `subsystemName`, as entries do.
    entry_names: [bool; 2],
    /// The values that may contain findings, in record order.
    candidates: Candidates<'a>,
    /// The members of an audit event, if the object has some.
    event: Option<EventMembers<'a>>,
    /// The text that names the cluster of the events in the object: a log group or a resource id.
    cluster: Value<'a>,
}

/// A list of values that stores the first two without an allocation.
#[derive(Default)]
struct Candidates<'a> {
    first: [Option<Candidate<'a>>; 2],
    more: Vec<Candidate<'a>>,
}

/// A value that may contain findings.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    value: Value<'a>,
    /// The index of the path that names it; `None` for an object that no path names.
    path: Option<usize>,
}

impl<'a> Members<'a> {
    /// Reads the known members of a record.
    #[inline(always)]
    fn read(&mut self, record: Record<'a>, cache: &mut KeyCache<KeyTable>) -> Result<Scan<'a>, SyntaxError> {
        let scan = record.members(cache, self)?;
        self.scanned(&scan);
        Ok(scan)
    }

    /// Reads the known members of the record at the beginning of a text.
    ///
    /// Returns the text after the record as well.
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
    fn take_role(&mut self, key: KnownKey, value: Value<'a>) {
        if let Some(Ok(vacant)) = key.slot().map(|slot| self.fields.vacant(slot)) {
            *vacant = value;
        }
        if EVENTS && let Some(member) = key.member() {
            self.event.get_or_insert_default().set(member, value);
            return;
        }
        let candidate = match key.path() {
            Some(path) => Candidate { value, path: Some(path) },
            None if key == KnownKey::OWN => {
                self.has_own_key = true;
                return;
            }
            None if key == KnownKey::APPLICATION || key == KnownKey::SUBSYSTEM => {
                let [application, subsystem] = &mut self.entry_names;
                *(if key == KnownKey::APPLICATION { application } else { subsystem }) = true;
                return;
            }
            None if key == KnownKey::LOG_GROUP || key == KnownKey::RESOURCE_ID => {
                self.cluster = value;
                return;
            }
            None => Candidate { value, path: None },
        };
        if candidate.may_contain_finding(EVENTS && key.may_be_legacy_event()) {
            self.candidates.push(candidate);
        }
    }

    /// Returns whether some value may contain findings.
    pub fn has_candidates(&self) -> bool {
        matches!(self.candidates.first, [Some(_), ..])
    }

    /// Returns the form of the audit event that the object is, if it is one.
    fn event(&self, record: Record<'a>) -> Option<(&EventMembers<'a>, EventForm)> {
        if !EVENTS {
            return None;
        }
        let members = self.event.as_ref()?;
        Some((members, members.form(record)?))
    }

    /// Returns the kind of finding that the object is, if it is one. An audit event is none, even with the members of
    /// one.
    pub fn kind(&self, record: Record<'a>) -> Option<Kind> {
        self.fields.kind().filter(|_| self.event(record).is_none())
    }

    /// Returns the cluster of the events in the object, if it names one.
    fn cluster(&self) -> Option<String> {
        let Value::Str(text) = self.cluster else { return None };
        audit::cluster_of_wrapper(text.decode(&mut String::new())).map(str::to_owned)
    }

    /// Returns the kind of an object that no path names and that is no event, if it is unmistakable.
    fn unmistakable_kind(&self) -> Option<Kind> {
        let fields = &self.fields;
        let has_origin = || fields.has(Field::Cluster) || fields.has(Field::Principal);
        match fields.kind()? {
            Kind::Detection => fields.etype().map(|_| Kind::Detection),
            Kind::Selection => has_origin().then_some(Kind::Selection),
            Kind::Activity => None,
        }
    }
}

impl<'a> MemberVisitor<'a, KnownKey> for Members<'a> {
    #[inline(always)]
    fn text(&mut self, key: KnownKey, text: &'a [u8]) {
        match self.fields.vacant(key.only_slot()) {
            Ok(vacant) => *vacant = Value::Str(Str::Plain(text)),
            Err(false) if key != KnownKey::NONE => self.take_role(key, Value::Str(Str::Plain(text))),
            Err(_) => (),
        }
    }

    #[inline(always)]
    fn value(&mut self, key: KnownKey, value: Value<'a>) {
        match self.fields.vacant(key.only_slot()) {
            Ok(vacant) => *vacant = value,
            Err(false) if key != KnownKey::NONE || matches!(value, Value::Map(_)) => {
                self.take_role(key, value);
            }
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
    /// A cheap check that rejects nearly all lines of other programs.
    fn may_contain_finding(&self, may_be_legacy_event: bool) -> bool {
        match self.value {
            Value::Str(text) => {
                let source = text.source();
                memchr(b'{', source).is_some()
                    || may_be_legacy_event
                        && matches!(source, [b'0'..=b'9', ..])
                        && audit::is_legacy_line(source)
            }
            Value::Map(bytes) => {
                // Searches for the rarest letter of each name: a substring searcher takes longer to build than most
                // objects to search.
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

/// Finds the findings of records, and keeps its key cache between them.
pub(crate) struct Recogniser {
    cache: KeyCache<KeyTable>,
    paths: Vec<KeyPath>,
    /// Whether objects under other keys are searched as well.
    any_object: bool,
    /// Whether audit events are recognised.
    events: bool,
    /// The keys of events, read without the other keys; `None` if events are not recognised, and in the reference.
    event_keys: Option<Box<KeyCache<EventKeys>>>,
    /// Buffers for text with resolved escape sequences, one for each level.
    buffers: Vec<String>,
}

impl Recogniser {
    /// Creates a recogniser for the paths of `look-in`.
    ///
    /// It recognises audit events if `events` is set.
    pub fn new(look_in: &[Vec<String>], events: bool) -> Self {
        let event_keys = events.then(|| Box::new(KeyCache::new(EventKeys)));
        Self { event_keys, ..Self::with_cache(look_in, events, KeyCache::new) }
    }

    /// Creates a recogniser without a key cache, the reference for all others.
    #[cfg(any(test, feature = "compile"))]
    pub fn uncached(look_in: &[Vec<String>], events: bool) -> Self {
        Self::with_cache(look_in, events, KeyCache::disabled)
    }

    fn with_cache(
        look_in: &[Vec<String>],
        events: bool,
        cache: impl FnOnce(KeyTable) -> KeyCache<KeyTable>,
    ) -> Self {
        let is_any = |path: &Vec<String>| matches!(&path[..], [key] if key == ANY_OBJECT);
        let mut paths = KeyPath::sort(look_in.iter().filter(|path| !is_any(path)));
        if events {
            for path in EVENT_PATHS {
                KeyPath::add(&mut paths, path);
            }
        }
        Self {
            cache: cache(KeyTable::new(&paths, events)),
            paths,
            any_object: look_in.iter().any(is_any),
            events,
            event_keys: None,
            buffers: Vec::new(),
        }
    }

    /// Returns the members of a record that is an audit event in the API server's own form.
    ///
    /// `None`: the record has to be searched. Decision: a reading of its own, which looks up no other keys, and skips nested
    /// values without a search for duplicate keys, since no part of an event is sent. The guard's `bodies-json-dropped`
    /// takes 97,176 instead of 227,832 instructions.
    #[inline]
    fn event<'a>(&mut self, record: Record<'a>) -> Option<EventMembers<'a>> {
        event(self.event_keys.as_deref_mut()?, record)
    }

    /// Reads the known members of a record.
    #[inline(always)]
    pub fn members<'a>(
        &mut self,
        record: Record<'a>,
        members: &mut Members<'a>,
    ) -> Result<Scan<'a>, SyntaxError> {
        members.read(record, &mut self.cache)
    }

    /// Passes all findings of a record to the sink, or the record if it has none.
    #[inline]
    pub fn read(&mut self, record: Record<'_>, sink: &mut impl Sink) {
        if let Some(members) = self.event(record) {
            let form = EventForm::ApiServer;
            return sink.event(&FoundEvent { record, members: &members, form, cluster: None });
        }
        let mut members = Members::default();
        let scanned = self.members(record, &mut members);
        match (&scanned, members.kind(record)) {
            (Ok(scan), Some(kind)) => {
                let copies = self.copies(&members, scan.body);
                sink.finding(&Found { kind, members: &members, scan, copies, rule: None });
            }
            _ => self.search(record, scanned, &members, sink),
        }
    }

    /// Searches a record that is not a finding itself for findings.
    ///
    /// `scanned` is the error if the record could not be read.
    fn search<'a>(
        &mut self,
        record: Record<'a>,
        scanned: Result<Scan<'a>, SyntaxError>,
        members: &Members<'a>,
        sink: &mut dyn Sink,
    ) {
        let may_be_entry = members.entry_names == [true; 2] && members.event(record).is_none();
        if may_be_entry && scanned.is_ok() && sink.passes(record) {
            return;
        }
        let mut search = self.start(sink);
        let at = Position::START;
        let found = match scanned {
            Ok(_) => search.event_or_candidates(record, members, at),
            Err(_) => search.non_object(record, at),
        };
        if found == Searched::Found {
            return;
        }
        let Search { error, refused_batch: batch, sink, .. } = search;
        let other = match scanned {
            Ok(scan) => NotAFinding {
                content: Content::Object(scan),
                members: Some(members),
                error,
                batch,
                item: false,
            },
            Err(own) => {
                let error = Some(error.unwrap_or(own));
                NotAFinding { content: Content::Value(record), members: None, error, batch, item: false }
            }
        };
        sink.not_a_finding(&other);
    }

    /// Returns the keys of members that are copies of a finding (see [`copies`]).
    fn copies<'a>(&mut self, members: &Members<'a>, record: Record<'a>) -> Vec<String> {
        copies(members, record, &self.paths, &mut self.cache, &mut self.buffers)
    }

    fn start<'s>(&'s mut self, sink: &'s mut dyn Sink) -> Search<'s> {
        let Self { cache, paths, any_object, events, event_keys, buffers } = self;
        Search {
            event_keys: event_keys.as_deref_mut(),
            cache,
            paths,
            any_object: *any_object,
            events: *events,
            cluster: None,
            buffers,
            sink,
            error: None,
            refused_batch: false,
            is_comparison: false,
        }
    }
}

/// The result of a search: whether findings were passed to the sink.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Searched {
    /// No finding.
    Nothing,
    /// At least one finding. All items have been passed to the sink.
    Found,
    /// A finding follows items that have not been passed to the sink.
    ///
    /// The search has to start again and pass all of them.
    Restart,
}

/// A position in the search, and the state of the batches around it.
#[derive(Clone, Copy)]
struct Position {
    /// The number of objects and texts around the position.
    level: usize,
    /// Whether nothing follows the position in the record.
    last: bool,
    /// Whether items before the position have not been passed to the sink.
    deferred: bool,
    /// Whether items are passed on although no finding has been found yet.
    emit: bool,
}

impl Position {
    /// The position of the record itself.
    const START: Self = Self { level: 0, last: true, deferred: false, emit: false };

    fn inner(self) -> Self {
        Self { level: self.level.saturating_add(1), ..self }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "two are options, two are results of different steps")]
struct Search<'s> {
    cache: &'s mut KeyCache<KeyTable>,
    event_keys: Option<&'s mut KeyCache<EventKeys>>,
    paths: &'s [KeyPath],
    any_object: bool,
    events: bool,
    /// The cluster that an object around the position names.
    cluster: Option<String>,
    buffers: &'s mut Vec<String>,
    sink: &'s mut dyn Sink,
    /// The syntax error of the first invalid finding.
    error: Option<SyntaxError>,
    /// Whether there are several findings, which the host cannot take one by one.
    refused_batch: bool,
    /// Whether the findings are only compared with another.
    is_comparison: bool,
}

/// The state of a walk over the items of one list or text.
struct ItemWalk {
    at: Position,
    /// The number of items before the current one.
    count: usize,
    found: bool,
    /// Whether a finding follows items that have not been passed to the sink.
    restart: bool,
}

impl Search<'_> {
    /// Accepts an object as an audit event, or searches its candidates.
    fn event_or_candidates<'x>(
        &mut self,
        record: Record<'x>,
        members: &Members<'x>,
        at: Position,
    ) -> Searched {
        if let Some((event, form)) = members.event(record) {
            return self.emit_event(record, event, form, at);
        }
        let Some(cluster) = members.cluster() else { return self.candidates(record, members, at) };
        let outer = self.cluster.replace(cluster);
        let outcome = self.candidates(record, members, at);
        self.cluster = outer;
        outcome
    }

    /// Passes an audit event to the sink, also on a host that takes single findings only: its record is not sent there.
    ///
    /// It is withheld if earlier items have to be passed on first.
    fn emit_event<'x>(
        &mut self,
        record: Record<'x>,
        members: &EventMembers<'x>,
        form: EventForm,
        at: Position,
    ) -> Searched {
        if at.deferred {
            return Searched::Restart;
        }
        self.sink.event(&FoundEvent { record, members, form, cluster: self.cluster.as_deref() });
        Searched::Found
    }

    /// Accepts a record with a syntax error as an audit event if it begins as one.
    ///
    /// EKS cuts long messages. The bodies of an event are never sent, not even as a malformed record.
    #[cold]
    fn cut_event(&mut self, record: Record<'_>, at: Position) -> Option<Searched> {
        if !EVENTS || !self.events {
            return None;
        }
        let members = EventMembers::read_head(record);
        let form = members.form(record)?;
        Some(self.emit_event(record, &members, form, at))
    }

    /// Searches the candidates of an object until one contains findings.
    fn candidates<'x>(&mut self, record: Record<'x>, members: &Members<'x>, at: Position) -> Searched {
        if at.level >= LEVELS {
            return Searched::Nothing;
        }
        for Candidate { value, path } in members.candidates.iter() {
            let outcome = match path {
                Some(path) => self.path(record, value, path, at),
                None => match value {
                    Value::Map(bytes) if at.level == 0 && self.any_object => {
                        self.unmistakable(record.inner(bytes), at.inner())
                    }
                    _ => Searched::Nothing,
                },
            };
            if outcome != Searched::Nothing {
                return outcome;
            }
        }
        Searched::Nothing
    }

    /// Searches the value of a path's first key, and the values of the longer paths.
    fn path<'x>(&mut self, record: Record<'x>, value: Value<'x>, path: usize, at: Position) -> Searched {
        let Some(KeyPath { first, is_whole_path, tails }) = self.paths.get(path) else {
            return Searched::Nothing;
        };
        self.sink.enter(PathStep::Key(first));
        let mut outcome =
            if *is_whole_path { self.value(record, value, at.inner()) } else { Searched::Nothing };
        if let Value::Map(bytes) = value {
            for keys in tails {
                if outcome == Searched::Nothing {
                    outcome = self.follow(record.inner(bytes), keys, at);
                }
            }
        }
        self.sink.leave();
        outcome
    }

    /// Follows the remaining keys of a path.
    fn follow(&mut self, record: Record<'_>, keys: &[Box<str>], at: Position) -> Searched {
        let Some((key, further)) = keys.split_first() else { return Searched::Nothing };
        let value = record.member(key);
        self.sink.enter(PathStep::Key(key));
        let outcome = match value {
            value if further.is_empty() => self.value(record, value, at.inner()),
            Value::Map(bytes) => self.follow(record.inner(bytes), further, at),
            _ => Searched::Nothing,
        };
        self.sink.leave();
        outcome
    }

    /// Accepts an object that no path names if it is unmistakably a finding.
    fn unmistakable(&mut self, record: Record<'_>, at: Position) -> Searched {
        let mut members = Members::default();
        let Ok(scan) = members.read(record, self.cache) else { return Searched::Nothing };
        if let Some((event, form)) = members.event(record) {
            return self.emit_event(record, event, form, at);
        }
        match members.unmistakable_kind() {
            Some(kind) => self.emit_finding(kind, &members, &scan, at),
            None => Searched::Nothing,
        }
    }

    /// Searches a value.
    fn value(&mut self, record: Record<'_>, value: Value<'_>, at: Position) -> Searched {
        if at.level > LEVELS {
            return Searched::Nothing;
        }
        match value {
            Value::Str(text) => self.string(text, at),
            Value::Map(bytes) => self.object(record.inner(bytes), at),
            Value::List(bytes) => self.list(record.inner(bytes), at),
            _ => Searched::Nothing,
        }
    }

    /// Searches an object.
    fn object(&mut self, record: Record<'_>, at: Position) -> Searched {
        let mut members = Members::default();
        match members.read(record, self.cache) {
            Ok(scan) => self.members(&members, &scan, at),
            Err(_) => Searched::Nothing,
        }
    }

    /// Accepts an object as a finding, or searches its members.
    fn members<'x>(&mut self, members: &Members<'x>, scan: &Scan<'x>, at: Position) -> Searched {
        match members.kind(scan.body) {
            Some(kind) => self.emit_finding(kind, members, scan, at),
            None => self.event_or_candidates(scan.body, members, at),
        }
    }

    /// Passes a finding to the sink.
    ///
    /// It is withheld if earlier items have to be passed on first, or if the host takes single findings only.
    fn emit_finding<'x>(
        &mut self,
        kind: Kind,
        members: &Members<'x>,
        scan: &Scan<'x>,
        at: Position,
    ) -> Searched {
        let is_only_item = at.last && !at.deferred && !at.emit;
        if !self.sink.takes_batches() && !is_only_item {
            self.refused_batch = true;
            return Searched::Nothing;
        }
        if at.deferred {
            return Searched::Restart;
        }
        let keys = if self.is_comparison {
            Vec::new()
        } else {
            copies(members, scan.body, self.paths, self.cache, self.buffers)
        };
        self.sink.finding(&Found { kind, members, scan, copies: keys, rule: None });
        Searched::Found
    }

    /// Searches a string as text.
    fn string(&mut self, text: Str<'_>, at: Position) -> Searched {
        match text.plain() {
            Some(bytes) => self.text(bytes, at),
            None => self.decoded(at, |buffer| {
                text.decode(buffer);
            }),
        }
    }

    /// Searches a text that `decode` writes into a buffer.
    fn decoded(&mut self, at: Position, decode: impl FnOnce(&mut String)) -> Searched {
        let mut buffer = self.buffers.pop().unwrap_or_default();
        buffer.clear();
        decode(&mut buffer);
        let outcome = self.text(buffer.as_bytes(), at);
        self.buffers.push(buffer);
        outcome
    }

    /// Searches a record that is not an object: a list, a string, or other text.
    fn non_object(&mut self, record: Record<'_>, at: Position) -> Searched {
        match record.value() {
            Ok(Value::Str(text)) => self.string(text, at.inner()),
            Ok(Value::List(bytes)) => self.list(record.inner(bytes), at.inner()),
            Err(_) if record.is_text() => self.text(record.bytes(), at),
            Err(_) if let Some(outcome) = self.cut_event(record, at) => outcome,
            Err(error) if error.kind == SyntaxErrorKind::TooDeep => {
                self.error = Some(error);
                Searched::Nothing
            }
            _ => Searched::Nothing,
        }
    }

    /// Searches the elements of a list.
    fn list(&mut self, record: Record<'_>, at: Position) -> Searched {
        if let Some(bytes) = record.byte_list() {
            return self.text(&bytes, at);
        }
        self.walk_items(at, &mut |search, items| {
            let mut elements = record.elements().peekable();
            while let Some(value) = elements.next() {
                if !search.element(record, value, items, elements.peek().is_none()) {
                    return;
                }
            }
        })
    }

    /// Searches one element; returns whether to continue.
    fn element(&mut self, record: Record<'_>, value: Value<'_>, items: &mut ItemWalk, last: bool) -> bool {
        let at = items.next(last);
        // A list in a list is a level: the depth of the search is limited by the stack of the smallest host.
        let at = if matches!(value, Value::List(_)) { at.inner() } else { at };
        self.sink.enter(PathStep::Index(items.count));
        let (outcome, error) = self.with_error(|search| search.value(record, value, at));
        let go_on = match outcome {
            Searched::Nothing => match value {
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

    /// Passes on an item that is not a finding; returns whether to continue.
    fn item<'x>(
        &mut self,
        content: Content<'x>,
        members: Option<&Members<'x>>,
        error: Option<SyntaxError>,
        items: &mut ItemWalk,
    ) -> bool {
        if items.found || items.at.emit {
            self.sink.not_a_finding(&NotAFinding { content, members, error, batch: false, item: true });
        } else if !self.sink.takes_batches() && self.refused_batch && !self.events {
            // The record is not split, unless an audit event follows.
            return false;
        }
        items.count = items.count.saturating_add(1);
        true
    }

    /// Walks over items, a second time if a finding follows items that are not.
    fn walk_items(&mut self, at: Position, walk: &mut dyn FnMut(&mut Self, &mut ItemWalk)) -> Searched {
        // The items of an item are passed on only if a finding is among them.
        let at = Position { emit: false, ..at };
        let mut items = ItemWalk { at, count: 0, found: false, restart: false };
        walk(self, &mut items);
        if items.restart && !at.deferred {
            items = ItemWalk { at: Position { emit: true, ..at }, count: 0, found: false, restart: false };
            walk(self, &mut items);
        }
        match items {
            ItemWalk { restart: true, .. } => Searched::Restart,
            ItemWalk { found: true, .. } => Searched::Found,
            _ => Searched::Nothing,
        }
    }

    /// Searches a text: the objects and lists in it, and its lines.
    ///
    /// Text before or after a value in its line is transport, such as the prefix of a logger or a runtime.
    fn text(&mut self, text: &[u8], at: Position) -> Searched {
        if at.level > LEVELS {
            return Searched::Nothing;
        }
        if let [b'{', ..] = text
            && let Some(outcome) = self.single_object(text, at)
        {
            return outcome;
        }
        if memchr(b'{', text).is_none() {
            return self.legacy_event(text, at);
        }
        self.walk_items(at, &mut |search, items| {
            let mut rest = text;
            // The end of the current line and the text after it. It is searched once per line, because one line may
            // contain any number of values.
            let mut line_end = text;
            let mut after_value = false;
            loop {
                let (blank, line) = text::split_blank(rest);
                after_value &= !blank.contains(&b'\n');
                rest = line;
                if rest.is_empty() {
                    return;
                }
                search.sink.enter(PathStep::Part(items.count));
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

    /// Accepts an audit event in the legacy text format, which has no braces.
    ///
    /// On a host that takes single findings only, a record with other items is kept whole: the line has no bodies.
    fn legacy_event(&mut self, text: &[u8], at: Position) -> Searched {
        if !EVENTS || !self.events || !audit::is_legacy_line(text) {
            return Searched::Nothing;
        }
        if at.deferred && !self.sink.takes_batches() {
            self.refused_batch = true;
            return Searched::Nothing;
        }
        if at.deferred {
            return Searched::Restart;
        }
        self.sink.legacy_event();
        Searched::Found
    }

    /// Accepts a text that is exactly one object, as nearly all lines of findings are.
    ///
    /// Lines are not searched for in this case.
    fn single_object(&mut self, text: &[u8], at: Position) -> Option<Searched> {
        let record = Record::json(text);
        if let Some(members) = self.event_keys.as_deref_mut().and_then(|keys| event(keys, record)) {
            return Some(self.emit_event(record, &members, EventForm::ApiServer, at));
        }
        let mut members = Members::default();
        match members.read_first(text, self.cache) {
            Ok((scan, after)) => {
                text::split_blank(after).1.is_empty().then(|| self.members(&members, &scan, at))
            }
            Err(_) if text::is_end(text::split_line(text).1) => self.cut_event(Record::json(text), at),
            Err(_) => None,
        }
    }

    /// Reads the first value of a line, which may extend beyond it.
    ///
    /// Returns the text after the value, and whether to continue; `None` if there is no value.
    ///
    /// A value that contains an invalid finding is a malformed item. It is not searched for other findings, which may
    /// be its own objects.
    fn first_value<'x>(
        &mut self,
        line: &'x [u8],
        text: &'x [u8],
        items: &mut ItemWalk,
    ) -> Option<(&'x [u8], bool)> {
        /// The maximum number of offsets tried in a line. Prefixes have few brackets.
        const TRIES: usize = 8;
        for at in text::value_offsets(line).take(TRIES) {
            let from = text.get(at..).unwrap_or_default();
            let line = line.get(at..).unwrap_or_default();
            let (taken, error) = self.with_error(|search| match text::value_start(from) {
                ValueStart::Object => search.object_in_text(line, from, items),
                // Values other than objects are a level of their own.
                _ if items.at.level >= LEVELS => Err(from),
                ValueStart::List => search.list_in_text(from, items),
                ValueStart::String => search.string_in_text(from, items),
                ValueStart::Escaped => search.escaped_in_text(line, from, items),
                ValueStart::Nothing => Err(from),
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

    /// Runs a part of the search, and returns the first syntax error in it as well.
    fn with_error<T>(&mut self, search: impl FnOnce(&mut Self) -> T) -> (T, Option<SyntaxError>) {
        let before = self.error.take();
        let result = search(self);
        let error = self.error;
        self.error = before.or(error);
        (result, error)
    }

    /// Reads the object at the beginning of a text.
    ///
    /// # Errors
    /// The object is invalid. Returns the text after it if it began as a finding.
    fn object_in_text<'x>(
        &mut self,
        line: &[u8],
        text: &'x [u8],
        items: &mut ItemWalk,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let mut members = Members::default();
        let (scan, after) = match members.read_first(text, self.cache) {
            Ok(read) => read,
            Err(error) => {
                let too_deep = error.kind == SyntaxErrorKind::TooDeep;
                if let Some(outcome) = self.cut_event(Record::json(line), items.next(false)) {
                    let length = if too_deep { text::nested_length(text) } else { line.len() };
                    let after = text.get(length..).unwrap_or_default();
                    return items.take_found(outcome, after);
                }
                if too_deep || members.fields.is_part_of_finding() {
                    self.error = Some(error);
                }
                let length = if too_deep { text::nested_length(text) } else { error.offset.max(line.len()) };
                return Err(text.get(length..).unwrap_or_default());
            }
        };
        let go_on = match self.members(&members, &scan, items.next(text::is_end(after))) {
            Searched::Nothing => self.item(Content::Object(scan), Some(&members), None, items),
            outcome => items.take(outcome),
        };
        Ok((after, go_on))
    }

    /// Reads the list at the beginning of a text.
    ///
    /// # Errors
    /// The list contains no finding. Returns the text after it.
    fn list_in_text<'x>(
        &mut self,
        text: &'x [u8],
        items: &mut ItemWalk,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let record = Record::json(text);
        let Ok((list @ Value::List(_), after)) = record.first_value() else { return Err(text) };
        // A list in a text is a level, as a list in a list is.
        let outcome = self.value(record, list, items.next(text::is_end(after)).inner());
        items.take_found(outcome, after)
    }

    /// Reads the string at the beginning of a text.
    ///
    /// # Errors
    /// The string contains no finding. Returns the text after it.
    fn string_in_text<'x>(
        &mut self,
        text: &'x [u8],
        items: &mut ItemWalk,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let Ok((Value::Str(string), after)) = Record::json(text).first_value() else { return Err(text) };
        let outcome = self.string(string, items.next(text::is_end(after)).inner());
        items.take_found(outcome, after)
    }

    /// Reads a line that was escaped once more than it was quoted.
    ///
    /// # Errors
    /// The line contains no finding. Returns the text after it.
    fn escaped_in_text<'x>(
        &mut self,
        line: &[u8],
        text: &'x [u8],
        items: &mut ItemWalk,
    ) -> Result<(&'x [u8], bool), &'x [u8]> {
        let (_, after) = text::split_line(text);
        let at = items.next(text::is_end(after)).inner();
        let outcome = self.decoded(at, |buffer| unescape(&String::from_utf8_lossy(line), buffer));
        items.take_found(outcome, after)
    }
}

impl ItemWalk {
    /// Returns the position of the next item.
    fn next(&self, last: bool) -> Position {
        let first = self.count == 0;
        let deferred = self.at.deferred || !(first || self.found || self.at.emit);
        Position { last: self.at.last && last && first, deferred, ..self.at }
    }

    /// Records the search result of an item; returns whether to continue.
    fn take(&mut self, outcome: Searched) -> bool {
        match outcome {
            Searched::Restart => self.restart = true,
            _ => self.found = true,
        }
        self.count = self.count.saturating_add(1);
        outcome != Searched::Restart
    }

    /// Records the search result of the value before `after`.
    ///
    /// # Errors
    /// The value contains no finding. Returns `after`.
    fn take_found<'x>(&mut self, outcome: Searched, after: &'x [u8]) -> Result<(&'x [u8], bool), &'x [u8]> {
        match outcome {
            Searched::Nothing => Err(after),
            outcome => Ok((after, self.take(outcome))),
        }
    }
}

/// See [`Recogniser::event`].
#[inline]
fn event<'a>(keys: &mut KeyCache<EventKeys>, record: Record<'a>) -> Option<EventMembers<'a>> {
    if !EVENTS || !audit::begins_as_event(record) {
        return None;
    }
    let members = EventMembers::read_event(record, keys)?;
    (members.form(record) == Some(EventForm::ApiServer)).then_some(members)
}

/// Returns the keys of a finding's members that are copies of the finding.
///
/// A copy is text or an object under a key of `look-in` that is a finding with the same values.
#[inline]
fn copies<'a>(
    members: &Members<'a>,
    record: Record<'a>,
    paths: &[KeyPath],
    cache: &mut KeyCache<KeyTable>,
    buffers: &mut Vec<String>,
) -> Vec<String> {
    if members.has_candidates() { any_copies(members, record, paths, cache, buffers) } else { Vec::new() }
}

#[cold]
fn any_copies<'a>(
    members: &Members<'a>,
    record: Record<'a>,
    paths: &[KeyPath],
    cache: &mut KeyCache<KeyTable>,
    buffers: &mut Vec<String>,
) -> Vec<String> {
    let mut keys = Vec::new();
    for Candidate { value, path } in members.candidates.iter() {
        let Some(path) = path.and_then(|path| paths.get(path)) else { continue };
        let mut check = CopyCheck { fields: &members.fields, is_copy: false };
        let mut search = Search {
            cache,
            event_keys: None,
            paths,
            any_object: false,
            events: false,
            cluster: None,
            buffers,
            sink: &mut check,
            error: None,
            refused_batch: false,
            is_comparison: true,
        };
        search.value(record, value, Position { level: 1, ..Position::START });
        if check.is_copy {
            keys.push(String::from(&*path.first));
        }
    }
    keys
}

/// Compares the findings it receives with another.
struct CopyCheck<'s, 'a> {
    fields: &'s Fields<'a>,
    is_copy: bool,
}

impl Sink for CopyCheck<'_, '_> {
    fn finding(&mut self, found: &Found<'_, '_>) {
        self.is_copy |= found.members.fields.is_same_finding(self.fields);
    }

    fn event(&mut self, _: &FoundEvent<'_, '_>) {}

    fn legacy_event(&mut self) {}

    fn not_a_finding(&mut self, _: &NotAFinding<'_, '_>) {}

    fn passes(&mut self, _: Record<'_>) -> bool {
        false
    }

    fn takes_batches(&self) -> bool {
        true
    }
}
