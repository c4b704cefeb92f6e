//! What the plugin does when Fluent Bit starts it, calls it with a chunk and stops it.
//!
//! Time is the host's clock, read once for each chunk. Decision: not the events' timestamps. A parser with a
//! `time_key` sets those to the log's own time, so a replayed file would look fresh to the guard while Coralogix, which
//! judges by its own clock, drops it; and a rate limit would follow the file's pace instead of the stream's.
//!
//! A failure never costs the stream a record: when the filter's own code panics, when memory runs out or when a chunk
//! is not what it should be, the chunk passes as it came. The filter is kept as it is, its limits and counters
//! included; what it had counted of that chunk stays counted, and the statistics say how many chunks passed so.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use kaudit_filter::config::{By, Config, Report, Shape, Unrecognised};
use kaudit_filter::stats::Stats;
use kaudit_filter::{Filter, Time};

use crate::abi::{Buffer, Instance, Level, Plugin};
use crate::chunk::{self, Event, Outcome, Pass};
use crate::options::{self, Options, Source};

/// One configured filter.
pub struct Kaudit {
    host: Instance,
    filter: Filter,
    shape: Shape,
    file: Option<Source>,
    look: Timer,
    tell: Timer,
    stats_entry: bool,
    /// The statistics when they were last told.
    told: Stats,
    unfiltered: Unfiltered,
    /// Places of the current chunk's events; kept for its memory.
    events: Vec<Event>,
}

/// Chunks that passed because something went wrong.
#[derive(Clone, Copy, Default)]
struct Unfiltered {
    malformed: u64,
    panicked: u64,
    memory: u64,
}

impl Plugin for Kaudit {
    /// Reads the options; logs what will be done, or every mistake.
    fn start(host: Instance) -> Option<Self> {
        let refuse = |mistakes: Vec<String>| log_all(&host, Level::Error, &mistakes);
        let options = options::read(&host).map_err(refuse).ok()?;
        let Options { config, warnings, file, reload_interval, stats_interval, stats_entry } = options;
        let filter = Filter::new(&config, seed()).map_err(|error| refuse(vec![error.to_string()])).ok()?;
        if host.properties().is_none() {
            host.log(
                Level::Warn,
                "this Fluent Bit does not show its options, so a misspelt one is not noticed",
            );
        }
        log_all(&host, Level::Warn, &warnings);
        host.log(Level::Info, &format!("started: {}", describe(&config)));
        Some(Self {
            host,
            filter,
            shape: config.coralogix.shape,
            file,
            look: Timer::new(reload_interval),
            tell: Timer::new(stats_interval),
            stats_entry,
            told: Stats::default(),
            unfiltered: Unfiltered::default(),
            events: Vec::new(),
        })
    }

    /// One chunk in; what takes its place is written to `out`.
    fn filter(&mut self, bytes: &[u8], now: Time, out: &mut Buffer) -> Outcome {
        if self.look.is_due(now) {
            self.reload();
        }
        let told = self.tell.is_due(now).then(|| self.tell());
        if let Err(error) = chunk::split(bytes, &mut self.events) {
            self.unfiltered.malformed += 1;
            if self.unfiltered.malformed == 1 {
                self.log(Level::Error, &format!("a chunk is malformed and passes unfiltered: {error}"));
            }
            return Outcome::Untouched;
        }
        let mut pass = Pass::new(bytes, out, self.shape, now);
        pass.events(&mut self.filter, &self.events);
        while let Some(entry) = self.filter.due(now) {
            pass.own(&entry);
        }
        if let Some(since) = told.filter(|_| self.stats_entry) {
            pass.own(&self.filter.statistics(&since, now));
        }
        let outcome = pass.finish();
        if outcome == Outcome::Replaced && out.failed() {
            self.unfiltered.memory += 1;
            if self.unfiltered.memory == 1 {
                self.log(Level::Error, "memory ran out, and a chunk passes unfiltered");
            }
            return Outcome::Untouched;
        }
        outcome
    }

    /// The plugin's own code panicked, and a chunk passed.
    fn failed(&mut self, message: &str) {
        self.unfiltered.panicked += 1;
        if self.unfiltered.panicked == 1 {
            self.log(Level::Error, &format!("a defect of the filter; a chunk passes unfiltered: {message}"));
        }
    }

    /// Tells what was not told yet, and what can no longer leave: after this there is no chunk to put it in.
    fn stop(mut self) {
        self.tell();
        let before = *self.filter.stats();
        let latest = Time::from_nanos(i64::MAX);
        while self.filter.finish(latest).is_some() {}
        let after = self.filter.stats();
        let lost = after.since(&before);
        if lost.summaries + lost.reports > 0 {
            let line = format!(
                "stopped before {} summaries of {} suppressed findings and {} reports of {} counted ones could leave",
                lost.summaries, lost.summarised, lost.reports, lost.reported
            );
            self.log(Level::Warn, &line);
        }
    }
}

impl Kaudit {
    /// Takes over what the file says now, if that is another configuration and one without mistakes.
    fn reload(&mut self) {
        let Some(file) = &self.file else { return };
        let now = file.again();
        if now == *file {
            return;
        }
        let read = now.read();
        self.file = Some(now);
        let replaced = read.and_then(|(config, warnings)| {
            self.filter.replace(&config, seed()).map_err(|error| vec![error.to_string()])?;
            Ok((config, warnings))
        });
        match replaced {
            Ok((config, warnings)) => {
                self.shape = config.coralogix.shape;
                log_all(&self.host, Level::Warn, &warnings);
                self.log(Level::Info, &format!("reloaded: {}", describe(&config)));
            }
            Err(mistakes) => {
                log_all(&self.host, Level::Error, &mistakes);
                self.log(Level::Error, "not reloaded: the configuration before stays in use");
            }
        }
    }

    /// Logs the counters since the last call, also when all are zero: an operator can tell a filter that keeps everything
    /// from one that receives nothing.
    fn tell(&mut self) -> Stats {
        let stats = *self.filter.stats();
        let since = stats.since(&self.told);
        let Unfiltered { malformed, panicked, memory } = self.unfiltered;
        let mut unfiltered = vec![("malformed", malformed), ("panicked", panicked), ("memory", memory)];
        unfiltered.retain(|(_, count)| *count > 0);
        let counters = since.non_zero().into_iter().chain([("unfiltered", unfiltered)]);
        let words = counters.flat_map(|(group, counters)| {
            counters.into_iter().map(move |(name, count)| match group {
                "" => format!("{name}={count}"),
                _ => format!("{group}.{name}={count}"),
            })
        });
        self.log(Level::Info, &format!("statistics: {}", words.collect::<Vec<_>>().join(" ")));
        self.told = stats;
        self.unfiltered = Unfiltered::default();
        since
    }

    fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }
}

/// Comes due at equal intervals of the host's clock, and at once when that was set back.
struct Timer {
    interval: i64,
    next: Option<Time>,
}

impl Timer {
    fn new(interval: i64) -> Self {
        Self { interval, next: None }
    }

    /// Whether the interval is over; it begins with the first question.
    fn is_due(&mut self, now: Time) -> bool {
        let wait = self.next.map_or(self.interval, |next| next.nanos().saturating_sub(now.nanos()));
        let due = wait <= 0 || wait > self.interval;
        if due || self.next.is_none() {
            self.next = Some(Time::from_nanos(now.nanos().saturating_add(self.interval)));
        }
        due
    }
}

fn log_all(host: &Instance, level: Level, lines: &[String]) {
    for line in lines {
        host.log(level, line);
    }
}

/// The configuration in one line.
fn describe(config: &Config) -> String {
    let mut text = String::new();
    for integration in &config.integrations {
        let _ = write!(text, "{} ({}", integration.name, integration.kind.word());
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
    let shape = match config.coralogix.shape {
        Shape::Singles => "singles",
        Shape::Bulk => "bulk",
    };
    let unrecognised = match config.unrecognised {
        Unrecognised::Wrap => "wrap",
        Unrecognised::Pass => "pass",
        Unrecognised::Drop => "drop",
    };
    let _ = write!(text, "shape {shape}, unrecognised {unrecognised}");
    text
}

/// A number that an attacker does not know, for the engine's tables.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
