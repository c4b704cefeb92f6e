//! The plugin's callbacks: start, one chunk, stop.
//!
//! Time is the host's clock, read once for each chunk. Decision: not the events' timestamps. A parser with a
//! `time_key` sets those to the log's own time, so a replayed file would look fresh to the guard while Coralogix, which
//! judges by its own clock, drops it; and a rate limit would follow the file's pace instead of the stream's.
//!
//! A failure never loses a record: if the filter's own code panics, if memory runs out or if a chunk is malformed, the
//! chunk passes through unfiltered. The filter keeps its state, including limits and counters; records of that chunk
//! that were already counted stay counted, and the statistics contain the number of unfiltered chunks.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::time::Duration;

use host_kit::config::{ConfigFile, SiblingFiles};
use host_kit::counters::{Counter, statistics_line, unrecognised_warning};
use host_kit::metrics::{Metrics, Unfiltered};
use host_kit::sample::Sampler;
use host_kit::state::{Account, StateFile};
use host_kit::timer::Timer;
use host_kit::{Session, seed};
use kaudit_filter::config::{By, Config, Report, Shape};
use kaudit_filter::stats::Stats;
use kaudit_filter::{Filter, Time};

use crate::abi::{Buffer, Instance, Level, LogGroups, OwnEvents, Plugin, Sent, log_groups};
use crate::chunk::{Outcome, Pass};
use crate::event::{self, Event};
use crate::groups::Groups;
use crate::options;
use crate::own::Own;
use crate::publish::Published;
use crate::slots::Slots;

/// The interval in which the agent sends records, nanoseconds, if it is not known: 5 s, as in the examples.
const DEFAULT_FLUSH: i64 = 5_000_000_000;
/// The message about entries whose names are not the resource's.
const SHARED: &str = "share the resource `kaudit`, `kaudit-shared`, and have their names as attributes: a chunk has at most \
                      1,024 resources, and before 4.2, Fluent Bit sends at most 100 in a request";

/// The minimum time between two updates of the metrics, nanoseconds.
///
/// Decision: not after each chunk. An update compares about 130 series, and a processor with a `condition` gets each
/// record as a chunk.
const PUBLISH_INTERVAL: i64 = 1_000_000_000;

/// One configured filter.
pub struct Kaudit {
    host: Instance,
    session: Session,
    metrics: Metrics,
    /// `None`: this Fluent Bit cannot publish them.
    published: Option<Published>,
    publish: Timer,
    own: Own,
    /// `None`: dropped records are not explained in the log.
    sampler: Option<Sampler>,
    has_emitter: bool,
    file: Option<ConfigFile<SiblingFiles>>,
    reload: Timer,
    statistics: Timer,
    stats_entry: bool,
    /// The counters at the beginning of the interval whose entry is due; `None`: none is due.
    entry_since: Option<Stats>,
    /// The counters when they were last logged.
    logged: Stats,
    /// Chunks that passed unfiltered, when their numbers were last logged.
    logged_unfiltered: Unfiltered,
    /// The offsets of the current chunk's events; kept to reuse its memory.
    events: Vec<Event>,
    /// The groups of the shape `otlp`.
    groups: Groups,
    /// Records in the resource that others share, and in groups of other filters, when their numbers were last logged.
    logged_groups: [u64; 2],
}

impl Plugin for Kaudit {
    /// Reads the options; logs the configuration, or every mistake.
    fn start(host: Instance, now: Time) -> Option<Self> {
        let refuse = |mistakes: Vec<String>| log_all(&host, Level::Error, &mistakes);
        let options = options::read(&host).map_err(refuse).ok()?;
        let config = options.config;
        let filter = Filter::new(&config, seed()).map_err(|error| refuse(vec![error.to_string()])).ok()?;
        if host.properties().is_none() {
            host.log(
                Level::Warn,
                "this Fluent Bit does not show its options, so a misspelt one is not noticed",
            );
        }
        log_all(&host, Level::Warn, &options.warnings);
        host.log(Level::Info, &format!("started: {}", describe(&config)));
        let metrics = Metrics::new(&filter, now);
        let session = Session::new(filter, &config).without_resource_logs();
        let flush = host.flush.unwrap_or(DEFAULT_FLUSH);
        let slots = (log_groups() == LogGroups::Limited).then(|| Slots::new(flush));
        let mut groups = Groups::new(seed(), slots);
        groups.redacts = !config.redact.is_empty();
        Some(Self {
            published: publish(&host, &metrics, session.engine()),
            own: restorable(&host, options.state, session.shape()),
            host,
            session,
            metrics,
            publish: Timer::new(PUBLISH_INTERVAL),
            sampler: options.sample_interval.map(|interval| Sampler::new(config, interval)),
            has_emitter: options.emitter,
            file: options.file,
            reload: Timer::new(options.reload_interval),
            statistics: Timer::new(options.stats_interval),
            stats_entry: options.stats_entry,
            entry_since: None,
            logged: Stats::default(),
            logged_unfiltered: Unfiltered::default(),
            events: Vec::new(),
            groups,
            logged_groups: [0; 2],
        })
    }

    /// Filters one chunk; writes its replacement to `out`.
    fn filter(&mut self, bytes: &[u8], tag: &CStr, now: Time, out: &mut Buffer) -> Outcome {
        if self.reload.is_due(now) {
            self.reload(now);
        }
        self.log_statistics_if_due(now);
        let guard = self.session.engine().guard();
        if let Err(refused) = self.own.chunk(tag, self.session.shape().name(), guard, now) {
            self.log(Level::Error, &format!("state_path: {refused}"));
        }
        let (outcome, left) = self.replacement(bytes, now, out);
        if outcome == Outcome::Replaced {
            self.own.sent(left);
        }
        self.publish_if_due(now);
        outcome
    }

    /// Counts a chunk that passed because the plugin's own code panicked.
    fn failed(&mut self, message: &str) {
        // Discards the chunk's entries: the chunk passed unchanged.
        self.session.close(|_| ());
        self.groups.discard();
        self.metrics.unfiltered.panicked += 1;
        self.log_first(
            |unfiltered| unfiltered.panicked,
            &format!("internal error (panic); chunk passed through unfiltered: {message}"),
        );
    }

    fn has_emitter(&self) -> bool {
        self.has_emitter
    }

    fn tick(&mut self, now: Time) {
        self.log_statistics_if_due(now);
        self.publish_if_due(now);
    }

    fn due(&mut self, now: Time) -> Option<OwnEvents> {
        if !self.session.may_suppress() && !self.stats_entry && self.own.events().is_empty() {
            return None;
        }
        let before = *self.session.stats();
        let (mut events, mut left) = (Vec::new(), Vec::new());
        if self.own.has_tag() {
            let groups = groups(&self.session, &mut self.groups);
            let mut pass = Pass::new(&[], &mut events, now, groups.map(|groups| groups.begin(now)));
            left = pass.encoded(self.own.events());
            self.session.due(now, |own| pass.own(&own));
            if let Some(since) = self.entry_since.take() {
                let counts = self.logged.since(&since);
                self.session.statistics(&counts, now, |own| pass.own(&own));
            }
            self.session.close(|envelope| pass.own(&envelope));
            pass.finish();
        }
        if self.groups.failed() {
            self.groups.discard();
            return None;
        }
        Some(self.own.take(events, left, Account::of(&self.session.stats().since(&before))))
    }

    fn sent(&mut self, sent: Sent) {
        match sent {
            Sent::Arrived => self.own.arrived(),
            Sent::Refused(events) => self.own.unsent(events),
            Sent::Failed(events, reason) => {
                self.own.unsent(events);
                self.log(Level::Warn, &format!("summaries and reports leave with the next chunk: {reason}"));
            }
        }
    }

    /// Logs and publishes the last counts, and stores the pending entries, which no later chunk can contain.
    fn stop(mut self, now: Time) {
        self.log_statistics();
        self.update_metrics();
        let before = *self.session.stats();
        let mut last = Vec::new();
        let groups = groups(&self.session, &mut self.groups);
        let mut pass = Pass::new(&[], &mut last, now, groups.map(|groups| groups.begin_unlimited(now)));
        self.session.finish(now, |own| pass.own(&own));
        pass.finish();
        let account = Account::of(&self.session.stats().since(&before));
        match self.own.stop(&last, account, self.session.shape().name()) {
            Ok(None) => {}
            Ok(Some(line)) => self.log(Level::Info, &line),
            Err(line) => self.log(Level::Warn, &line),
        }
    }
}

impl Kaudit {
    /// Writes a chunk's replacement to `out`. Returns the events of the filter's own that have to wait, too.
    fn replacement(&mut self, bytes: &[u8], now: Time, out: &mut Buffer) -> (Outcome, Vec<u8>) {
        if let Err(error) = event::split(bytes, &mut self.events) {
            self.metrics.unfiltered.malformed += 1;
            let line = format!("malformed chunk passed through unfiltered: {error}");
            self.log_first(|unfiltered| unfiltered.malformed, &line);
            return (Outcome::Untouched, Vec::new());
        }
        let groups = groups(&self.session, &mut self.groups);
        let mut pass = Pass::new(bytes, out, now, groups.map(|groups| groups.begin(now)));
        self.sampler.iter_mut().for_each(|sampler| sampler.tick(now));
        pass.events(&mut self.session, &self.events, |record, reason| {
            let sampler = self.sampler.as_mut();
            if let Some(line) = sampler.and_then(|sampler| sampler.dropped(record, reason, now)) {
                self.host.log(Level::Info, &line);
            }
        });
        let left = pass.encoded(self.own.events());
        self.session.due(now, |own| pass.own(&own));
        if let Some(since) = self.entry_since.take() {
            let counts = self.logged.since(&since);
            self.session.statistics(&counts, now, |own| pass.own(&own));
        }
        self.session.close(|envelope| pass.own(&envelope));
        let outcome = pass.finish();
        if outcome == Outcome::Replaced && (out.failed() || self.groups.failed()) {
            self.groups.discard();
            self.metrics.unfiltered.memory += 1;
            self.log_first(|unfiltered| unfiltered.memory, "out of memory; chunk passed through unfiltered");
            return (Outcome::Untouched, Vec::new());
        }
        (outcome, left)
    }

    fn publish_if_due(&mut self, now: Time) {
        if self.publish.is_due(now) {
            self.update_metrics();
        }
    }

    /// Sets the metrics that have changed.
    fn update_metrics(&mut self) {
        if let Some(published) = &mut self.published {
            published.update(&self.metrics, self.session.engine());
        }
    }

    /// Logs the first chunk of an interval that passed unfiltered for this cause.
    fn log_first(&self, cause: impl Fn(&Unfiltered) -> u64, line: &str) {
        if cause(&self.metrics.unfiltered) == cause(&self.logged_unfiltered) + 1 {
            self.log(Level::Error, line);
        }
    }

    /// Replaces the configuration if the file has changed and has no mistakes.
    fn reload(&mut self, now: Time) {
        let Some(changed) = self.file.as_ref().and_then(ConfigFile::changed) else { return };
        let read = options::supported(changed.read());
        self.file = Some(changed);
        let replaced = read.and_then(|(config, warnings)| {
            let replaced = self.metrics.replace(&mut self.session, &config, seed(), now);
            replaced.map_err(|error| vec![error.to_string()])?;
            Ok((config, warnings))
        });
        match replaced {
            Ok((config, warnings)) => {
                self.groups.redacts = !config.redact.is_empty();
                log_all(&self.host, Level::Warn, &warnings);
                self.log(Level::Info, &format!("reloaded: {}", describe(&config)));
                self.sampler.iter_mut().for_each(|sampler| sampler.replace(config.clone()));
            }
            Err(mistakes) => {
                self.metrics.refuse();
                log_all(&self.host, Level::Error, &mistakes);
                self.log(Level::Error, "not reloaded: the previous configuration stays in use");
            }
        }
    }

    /// Logs the counters at the end of an interval, with or without a chunk; an entry leaves with the next events.
    fn log_statistics_if_due(&mut self, now: Time) {
        if self.statistics.is_due(now) {
            let before = self.logged;
            self.log_statistics();
            if self.stats_entry {
                self.entry_since.get_or_insert(before);
            }
        }
    }

    /// Logs the counters since the last call.
    fn log_statistics(&mut self) {
        let stats = *self.session.stats();
        let since = stats.since(&self.logged);
        let now = self.metrics.unfiltered;
        let before = std::mem::replace(&mut self.logged_unfiltered, now);
        let unfiltered = |name, count| Counter { group: "unfiltered", name, count };
        let refused = std::mem::take(&mut self.own.refused_files);
        let groups = [self.groups.shared_records, self.groups.passed_records];
        let before_groups = std::mem::replace(&mut self.logged_groups, groups);
        let [shared, passed] = std::array::from_fn(|index| groups[index] - before_groups[index]);
        let host = [
            unfiltered("malformed", now.malformed - before.malformed),
            unfiltered("panicked", now.panicked - before.panicked),
            unfiltered("memory", now.memory - before.memory),
            Counter { group: "state", name: "refused", count: refused },
            Counter { group: "otlp", name: "shared", count: shared },
            Counter { group: "otlp", name: "passed", count: passed },
        ];
        self.log(Level::Info, &statistics_line(&since, &host));
        if shared > 0 {
            self.log(Level::Warn, &format!("{shared} entries {SHARED}"));
        }
        if let Some(warning) = unrecognised_warning(&since) {
            self.log(Level::Warn, &warning);
        }
        self.logged = stats;
    }

    fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }
}

/// Creates the metrics; `None`: there are none, and the log contains the reason.
fn publish(host: &Instance, metrics: &Metrics, filter: &Filter) -> Option<Published> {
    let published =
        host.metrics().and_then(|cmetrics| Published::create(cmetrics, &host.name(), metrics, filter));
    if published.is_none() {
        host.log(Level::Info, "no metrics: this Fluent Bit does not export the functions for them");
    }
    published
}

/// Returns the filter's own events, and logs the account of the last run's events in the file.
fn restorable(host: &Instance, file: Option<StateFile>, shape: Shape) -> Own {
    let mut own = Own::new(file);
    match own.restorable(shape.name()) {
        Ok(account) if account.is_empty() => {}
        Ok(account) => {
            host.log(Level::Info, &format!("of the last run, to be sent with the first chunk: {account}"));
        }
        Err(refused) => host.log(Level::Error, &format!("state_path: {refused}")),
    }
    own
}

/// Returns the groups if the shape has them.
fn groups<'g>(session: &Session, groups: &'g mut Groups) -> Option<&'g mut Groups> {
    (session.shape() == Shape::Otlp).then_some(groups)
}

fn log_all(host: &Instance, level: Level, lines: &[String]) {
    for line in lines {
        host.log(level, line);
    }
}

/// Returns the configuration in one line.
fn describe(config: &Config) -> String {
    let mut text = String::new();
    for integration in &config.integrations {
        let _ = write!(text, "{} ({}", integration.name, integration.kind.name());
        if !integration.applies {
            text += ", not used";
        } else if integration.stopped {
            text += ", stopped";
        } else if let Some(limit) = integration.rate_limit {
            let period = Duration::from_nanos(limit.period_ns);
            let _ = write!(text, ", at most {} in {period:?}", limit.limit);
            if limit.by != By::None {
                let _ = write!(text, " by {}", limit.by.name());
            }
        } else {
            text += ", no limit";
        }
        if integration.filter.report == Report::Count {
            text += ", counted";
        }
        text += "), ";
    }
    let (shape, unrecognised) = (config.coralogix.shape.name(), config.unrecognised.name());
    let _ = write!(text, "shape {shape}, unrecognised {unrecognised}");
    text
}
