//! The native steps: filter one event's log; return one entry of the filter's own.

use host_kit::counters::{self, Counter};
use host_kit::metrics::{Family, MetricType, Metrics, NAMESPACE};
use host_kit::{Emission, Session, seed};
use kaudit_filter::config::{Config, Shape, Unrecognised};
use kaudit_filter::entry::Entry;
use kaudit_filter::envelope::Form;
use kaudit_filter::record::Record;
use kaudit_filter::stats::{Reason, Stats};
use kaudit_filter::{Filter, Time, Verdict};
use mlua::prelude::{LuaError, LuaResult, LuaString, LuaTable, LuaUserData, LuaUserDataMethods, LuaValue};
use mlua::{IntoLua as _, IntoLuaMulti as _, Lua, MultiValue};

use crate::abi::{self, Value};
use crate::clock::Clock;
use crate::options::{Mode, Options};
use crate::pack;
use crate::table::Builder;

/// A filter and its connection to Lua.
pub struct Step {
    session: Session,
    metrics: Metrics,
    probe: Probe,
    /// The configured mode; `None`: the mode of each event.
    mode: Option<Mode>,
    /// The mode of the last event, in which the filter's own entries are emitted.
    last: Mode,
    clock: Clock,
    builder: Builder,
    /// Buffers, reused for every event.
    packed: Vec<u8>,
    written: Vec<u8>,
}

impl Step {
    /// Returns a filter for the options of `kaudit.new`; `builder` builds its entries.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn new(options: &LuaValue, builder: Builder) -> Result<Self, String> {
        let Options { config, now, mode } = Options::read(options)?;
        let filter = Filter::new(&config, seed()).map_err(|error| error.to_string())?;
        let clock = Clock { own: now };
        let start = clock.now().map_err(|error| format!("error: now: {error}"))?;
        Ok(Self {
            metrics: Metrics::new(&filter, start),
            session: Session::new(filter, &config).without_envelopes(),
            probe: Probe::new(&config)?,
            mode,
            last: mode.unwrap_or(Mode::Text),
            clock,
            builder,
            packed: Vec::new(),
            written: Vec::new(),
        })
    }

    /// Filters a log.
    ///
    /// Returns the verdict, the reason of a drop and the entry; for a record with several findings `batch`, the list of
    /// their verdicts and the list of their entries.
    fn process(&mut self, lua: &Lua, log: &LuaTable, message: LuaValue) -> LuaResult<MultiValue> {
        match message {
            LuaValue::String(message) if self.is_text(lua, log, &message)? => self.text(lua, &message),
            _ => self.table(lua, log),
        }
    }

    /// Returns whether the record is the message of this log, and not the log itself.
    ///
    /// It is, unless the log contains a finding and the message does not. A second filter checks this, since each
    /// record is counted once, and only if both are possible.
    fn is_text(&mut self, lua: &Lua, log: &LuaTable, message: &LuaString) -> LuaResult<bool> {
        if let Some(mode) = self.mode {
            return Ok(mode == Mode::Text);
        }
        if !may_contain_finding(lua, log)? {
            return Ok(true);
        }
        let message = message.as_bytes();
        if message.contains(&b'{') && self.probe.contains_finding(Record::json(&*message)) {
            return Ok(true);
        }
        // A log that cannot be packed cannot be filtered as a table.
        Ok(pack::table(lua, log, &mut self.packed).is_err()
            || !self.probe.contains_finding(Record::msgpack(&self.packed)))
    }

    fn text(&mut self, lua: &Lua, text: &LuaString) -> LuaResult<MultiValue> {
        self.last = Mode::Text;
        let now = self.clock.now()?;
        let Self { session, builder, written, .. } = self;
        let (text, shape) = (text.as_bytes(), session.shape());
        let mut answer = Answer::default();
        session.record(Record::json(&*text), now, |emission| {
            answer.take(lua, &emission, |entry| match shape {
                Shape::Singles | Shape::Otlp => self::text(lua, shape, entry, written)?.into_lua(lua),
                Shape::Bulk => builder.entry(lua, shape, entry, None)?.into_lua(lua),
            });
        });
        answer.finish(lua)
    }

    fn table(&mut self, lua: &Lua, log: &LuaTable) -> LuaResult<MultiValue> {
        self.last = Mode::Table;
        let now = self.clock.now()?;
        let Self { session, builder, packed, written, .. } = self;
        pack::table(lua, log, packed)?;
        let shape = session.shape();
        let mut answer = Answer::default();
        session.record(Record::msgpack(packed), now, |emission| {
            let record = Some((log, packed.as_slice()));
            answer.take(lua, &emission, |entry| match shape {
                Shape::Otlp => log_of(lua, shape, entry, written)?.into_lua(lua),
                Shape::Singles | Shape::Bulk => builder.entry(lua, shape, entry, record)?.into_lua(lua),
            });
        });
        answer.finish(lua)
    }

    /// Returns the next summary or report that is due, as the log of an event; with `all`, due or not.
    fn own(&mut self, lua: &Lua, all: bool) -> LuaResult<Option<LuaTable>> {
        let now = self.clock.now()?;
        let Self { session, last, builder, written, .. } = self;
        let shape = session.shape();
        let entry = if all { session.next_pending(now) } else { session.next_due(now) };
        let Some(entry) = entry else { return Ok(None) };
        match (shape, *last) {
            (Shape::Otlp, _) | (Shape::Singles, Mode::Text) => log_of(lua, shape, &entry, written),
            _ => builder.entry(lua, shape, &entry, None),
        }
        .map(Some)
    }

    /// Returns all metrics, as the values of Vector's metric events. `failed` is the number of events that were emitted
    /// unfiltered.
    ///
    /// Decision: totals and not increments: an event that is lost on its way then loses nothing.
    fn metrics(&mut self, lua: &Lua, failed: u64) -> LuaResult<Vec<LuaTable>> {
        self.metrics.unfiltered.failed = failed;
        let mut all = Vec::new();
        self.metrics.each(self.session.engine(), |family, labels, value| {
            all.push(metric(lua, family, labels, value));
        });
        all.into_iter().collect()
    }
}

/// Returns a sample as the value of a metric event.
fn metric(lua: &Lua, family: &Family, labels: &[&str], value: u64) -> LuaResult<LuaTable> {
    let labels = family.labels.iter().map(|label| label.name).zip(labels.iter().copied());
    let tags = lua.create_table_from(labels.filter(|(_, value)| !value.is_empty()))?;
    let metric =
        lua.create_table_from([("namespace", NAMESPACE), ("name", family.name), ("kind", "absolute")])?;
    metric.raw_set("tags", tags)?;
    let member = match family.metric_type {
        MetricType::Counter => "counter",
        MetricType::Gauge => "gauge",
    };
    metric.raw_set(member, lua.create_table_from([("value", value)])?)?;
    Ok(metric)
}

/// The values returned for a record: the outcome of its finding, or of each of several.
#[derive(Default)]
struct Answer {
    first: Option<(&'static str, Option<&'static str>, Option<LuaValue>)>,
    /// For several findings: the verdicts, and the entries of the kept ones.
    batch: Option<(LuaTable, LuaTable)>,
    error: Option<LuaError>,
}

impl Answer {
    /// Adds the next verdict.
    fn take(
        &mut self,
        lua: &Lua,
        emission: &Emission<'_>,
        build: impl FnOnce(&Entry<'_>) -> LuaResult<LuaValue>,
    ) {
        if self.error.is_none() {
            self.error = self.try_take(lua, emission, build).err();
        }
    }

    fn try_take(
        &mut self,
        lua: &Lua,
        emission: &Emission<'_>,
        build: impl FnOnce(&Entry<'_>) -> LuaResult<LuaValue>,
    ) -> LuaResult<()> {
        let (word, reason, entry) = match emission {
            Emission::Entry(entry) | Emission::Grouped(entry) => ("kept", None, Some(build(entry)?)),
            Emission::Dropped(reason) => ("dropped", Some(reason.label()), None),
            Emission::Suppressed => ("suppressed", None, None),
            Emission::Passed => ("passed", None, None),
            Emission::Envelope(_) => return Ok(()),
        };
        if self.first.is_none() && self.batch.is_none() {
            self.first = Some((word, reason, entry));
            return Ok(());
        }
        let (verdicts, entries) = match &self.batch {
            Some(batch) => batch,
            None => &*self.batch.insert((lua.create_table()?, lua.create_table()?)),
        };
        for (word, reason, entry) in self.first.take().into_iter().chain([(word, reason, entry)]) {
            match reason {
                Some(reason) => verdicts.raw_push(format!("{word}: {reason}"))?,
                None => verdicts.raw_push(word)?,
            }
            if let Some(entry) = entry {
                entries.raw_push(entry)?;
            }
        }
        Ok(())
    }

    fn finish(self, lua: &Lua) -> LuaResult<MultiValue> {
        match self {
            Self { error: Some(error), .. } => Err(error),
            Self { batch: Some((verdicts, entries)), .. } => ("batch", verdicts, entries).into_lua_multi(lua),
            Self { first: Some(first), .. } => first.into_lua_multi(lua),
            // The engine gives each record a verdict.
            Self { first: None, .. } => Err(LuaError::runtime("no verdict")),
        }
    }
}

/// A filter that returns whether a record contains a finding, without counting it.
struct Probe(Filter);

impl Probe {
    /// Returns a probe that searches the same keys as this configuration.
    fn new(config: &Config) -> Result<Self, String> {
        let mut config = config.clone();
        config.integrations.clear();
        config.severity.clear();
        config.redact.clear();
        config.unrecognised = Unrecognised::Drop;
        Filter::new(&config, 0).map(Self).map_err(|error| error.to_string())
    }

    /// Returns whether there is a finding, or an entry of the filter's own.
    fn contains_finding(&mut self, record: Record<'_>) -> bool {
        let mut found = false;
        self.0.process(record, Time::default(), |verdict| {
            found |= !matches!(verdict, Verdict::Dropped(Reason::Unrecognised));
        });
        found
    }
}

/// Returns an entry as text; in OTLP it is a `ResourceLogs` object.
fn text(lua: &Lua, shape: Shape, entry: &Entry<'_>, buffer: &mut Vec<u8>) -> LuaResult<LuaString> {
    buffer.clear();
    match shape {
        Shape::Otlp => Form::ResourceLogs.write_one(entry, buffer),
        Shape::Singles | Shape::Bulk => entry.write_json(buffer),
    }
    lua.create_string(&*buffer)
}

/// Returns a log whose message is an entry as text.
fn log_of(lua: &Lua, shape: Shape, entry: &Entry<'_>, buffer: &mut Vec<u8>) -> LuaResult<LuaTable> {
    lua.create_table_from([("message", text(lua, shape, entry, buffer)?)])
}

/// Returns whether a log may contain a finding outside its message.
///
/// It may if it has one of the keys that identify the kinds of findings, or an object or text that may be a finding.
fn may_contain_finding(lua: &Lua, log: &LuaTable) -> LuaResult<bool> {
    let mut may = false;
    abi::read(lua, log, |log| {
        log.members(|key, value| {
            let Value::Str(key) = key else { return true };
            may = match (key, value) {
                (b"message", _) => false,
                (b"eid" | b"rule" | b"verb", _) => true,
                (_, Value::Str(text)) => text.contains(&b'{'),
                (_, Value::Table(table)) => !pack::is_date(table),
                _ => false,
            };
            !may
        });
    })?;
    Ok(may)
}

impl LuaUserData for Step {
    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("process", |lua, step, (log, message): (LuaTable, LuaValue)| {
            step.process(lua, &log, message)
        });
        methods.add_method_mut("own", |lua, step, all: bool| step.own(lua, all));
        methods.add_method_mut("metrics", |lua, step, failed: u64| step.metrics(lua, failed));
        methods.add_method("stats", |lua, step, ()| stats(lua, step.session.stats()));
    }
}

/// Returns the counters as a table, named and nested as in the program's `--summary json`.
fn stats(lua: &Lua, stats: &Stats) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    for Counter { group, name, count } in counters::all(stats) {
        if group.is_empty() {
            table.raw_set(name, count)?;
        } else {
            let members = match table.raw_get::<Option<LuaTable>>(group)? {
                Some(members) => members,
                None => lua.create_table()?,
            };
            members.raw_set(name, count)?;
            table.raw_set(group, members)?;
        }
    }
    Ok(table)
}
