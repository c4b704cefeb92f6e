//! The plugin's callbacks: start, one chunk, stop.
//!
//! Time is the host's clock, read once for each chunk. Decision: not the events' timestamps. A parser with a
//! `time_key` sets those to the log's own time, so a replayed file would look fresh to the guard while Coralogix, which
//! judges by its own clock, drops it; and a rate limit would follow the file's pace instead of the stream's.
//!
//! A failure never loses a record: if the filter's own code panics, if memory runs out or if a chunk is malformed, the
//! chunk passes through unfiltered. The filter keeps its state, including limits and counters; records of that chunk
//! that were already counted stay counted, and the statistics contain the number of unfiltered chunks.

use std::fmt::Write as _;
use std::time::Duration;

use host_kit::config::{ConfigFile, SiblingFiles};
use host_kit::timer::Timer;
use host_kit::{Session, counters, seed};
use kaudit_filter::config::{By, Config, Report, Shape, Unrecognised};
use kaudit_filter::stats::Stats;
use kaudit_filter::{Filter, Time};

use crate::abi::{Buffer, Instance, Level, Plugin};
use crate::chunk::{self, Event, Outcome, Pass};
use crate::options::{self, Options};

/// One configured filter.
pub struct Kaudit {
    host: Instance,
    session: Session,
    file: Option<ConfigFile<SiblingFiles>>,
    reload: Timer,
    statistics: Timer,
    stats_entry: bool,
    /// The counters when they were last logged.
    logged: Stats,
    unfiltered: Unfiltered,
    /// The offsets of the current chunk's events; kept to reuse its memory.
    events: Vec<Event>,
}

/// The numbers of chunks that passed through unfiltered, by cause.
#[derive(Clone, Copy, Default)]
struct Unfiltered {
    malformed: u64,
    panicked: u64,
    memory: u64,
}

impl Plugin for Kaudit {
    /// Reads the options; logs the configuration, or every mistake.
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
            session: Session::new(filter, &config),
            file,
            reload: Timer::new(reload_interval),
            statistics: Timer::new(stats_interval),
            stats_entry,
            logged: Stats::default(),
            unfiltered: Unfiltered::default(),
            events: Vec::new(),
        })
    }

    /// Filters one chunk; writes its replacement to `out`.
    fn filter(&mut self, bytes: &[u8], now: Time, out: &mut Buffer) -> Outcome {
        if self.reload.is_due(now) {
            self.reload();
        }
        let logged = self.statistics.is_due(now).then(|| self.log_statistics());
        if let Err(error) = chunk::split(bytes, &mut self.events) {
            self.unfiltered.malformed += 1;
            if self.unfiltered.malformed == 1 {
                self.log(Level::Error, &format!("malformed chunk passed through unfiltered: {error}"));
            }
            return Outcome::Untouched;
        }
        let mut pass = Pass::new(bytes, out, now);
        pass.events(&mut self.session, &self.events);
        self.session.due(now, |own| pass.own(&own));
        if let Some(since) = logged.filter(|_| self.stats_entry) {
            self.session.statistics(&since, now, |own| pass.own(&own));
        }
        self.session.close(|envelope| pass.own(&envelope));
        let outcome = pass.finish();
        if outcome == Outcome::Replaced && out.failed() {
            self.unfiltered.memory += 1;
            if self.unfiltered.memory == 1 {
                self.log(Level::Error, "out of memory; chunk passed through unfiltered");
            }
            return Outcome::Untouched;
        }
        outcome
    }

    /// Counts a chunk that passed because the plugin's own code panicked.
    fn failed(&mut self, message: &str) {
        // Discards the chunk's entries: the chunk passed unchanged.
        self.session.close(|_| ());
        self.unfiltered.panicked += 1;
        if self.unfiltered.panicked == 1 {
            self.log(
                Level::Error,
                &format!("internal error (panic); chunk passed through unfiltered: {message}"),
            );
        }
    }

    /// Logs the last statistics, and the pending entries, which no later chunk can contain.
    fn stop(mut self) {
        self.log_statistics();
        let before = *self.session.stats();
        let latest = Time::from_nanos(i64::MAX);
        self.session.finish(latest, |_| ());
        let lost = self.session.stats().since(&before);
        if lost.summaries + lost.reports > 0 {
            let line = format!(
                "shutdown: not sent: {} pending summaries (of {} suppressed findings) and {} pending reports (of {} \
                 counted findings)",
                lost.summaries, lost.summarised, lost.reports, lost.reported
            );
            self.log(Level::Warn, &line);
        }
    }
}

impl Kaudit {
    /// Replaces the configuration if the file has changed and has no mistakes.
    fn reload(&mut self) {
        let Some(changed) = self.file.as_ref().and_then(ConfigFile::changed) else { return };
        let read = changed.read();
        self.file = Some(changed);
        let replaced = read.and_then(|(config, warnings)| {
            self.session.replace(&config, seed()).map_err(|error| vec![error.to_string()])?;
            Ok((config, warnings))
        });
        match replaced {
            Ok((config, warnings)) => {
                log_all(&self.host, Level::Warn, &warnings);
                self.log(Level::Info, &format!("reloaded: {}", describe(&config)));
            }
            Err(mistakes) => {
                log_all(&self.host, Level::Error, &mistakes);
                self.log(Level::Error, "not reloaded: the previous configuration stays in use");
            }
        }
    }

    /// Logs the counters since the last call and returns them.
    fn log_statistics(&mut self) -> Stats {
        let stats = *self.session.stats();
        let since = stats.since(&self.logged);
        let Unfiltered { malformed, panicked, memory } = std::mem::take(&mut self.unfiltered);
        let unfiltered = [("malformed", malformed), ("panicked", panicked), ("memory", memory)];
        self.log(Level::Info, &counters::statistics_line(&since, "unfiltered", &unfiltered));
        self.logged = stats;
        since
    }

    fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }
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
