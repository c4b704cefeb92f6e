//! Filters Alcide kAudit findings in a stream of log records and makes log entries for Coralogix of them.
//!
//! This crate is the engine of kaudit-filter: one record in, verdicts out. A host owns everything else: it reads records
//! from an agent or a file, has the clock, and writes entries. The crate is `no_std`; it allocates, but has no clock,
//! file, environment, thread or output. Building a [`Filter`] can fail and reports every mistake of the configuration at
//! once. Running it cannot fail and cannot panic, for any input.
//!
//! # Example
//! ```
//! use kaudit_filter::config::{self, NoFiles};
//! use kaudit_filter::record::Record;
//! use kaudit_filter::{Filter, Time, Verdict};
//!
//! let text = "\
//! rate-limit: {by: entity}
//! integrations:
//!   - type: detections
//!     target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles', rate-limit: 1}
//!     data-filter: {confidence: [high]}
//! ";
//! let read = config::read("kaudit.yaml", text, &NoFiles);
//! let config = read.config.ok_or_else(|| format!("{:?}", read.diagnostics))?;
//! let mut filter = Filter::new(&config, 0x5eed)?; // a host takes the seed from the system's random source
//!
//! let now = Time::parse("2026-01-31T12:00:00Z").ok_or("not a time")?;
//! let (mut verdicts, mut output) = (Vec::new(), Vec::new());
//! for confidence in ["high", "high", "low"] {
//!     let record = format!(
//!         r#"{{"etype":"principal","eid":"jane","category":"incident","confidence":"{confidence}","time":{}}}"#,
//!         now.millis(),
//!     );
//!     filter.process(Record::json(&record), now, |verdict| {
//!         verdicts.push(match &verdict {
//!             Verdict::Kept(_) => "kept",
//!             Verdict::Dropped(reason) => reason.label(),
//!             Verdict::Suppressed => "suppressed",
//!             Verdict::Passed => "passed",
//!         });
//!         if let Verdict::Kept(entry) = verdict {
//!             entry.write_json(&mut output);
//!         }
//!     });
//! }
//! assert_eq!(verdicts, ["kept", "suppressed", "confidence"]);
//! assert!(output.starts_with(br#"{"timestamp":1769860800000,"severity":6,"applicationName":"kaudit""#));
//!
//! assert!(filter.due(now).is_none(), "the summary is due after a minute");
//! let summary = filter.finish(now).ok_or("no summary")?; // on shutdown
//! assert_eq!(summary.application(), "kaudit");
//! assert!(filter.finish(now).is_none() && filter.stats().balances());
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/embed/lines.rs` is a complete program. The package `kaudit-host-kit` contains what most hosts need around a
//! filter (envelopes, configuration files, reload, statistics), and `host-kit/examples/session.rs` uses it.
//!
//! # What a host must do
//! - Pass each record once, with the time of its arrival as `now`. The time may go backwards: after a clock was set back, no
//!   key of a rate limit waits longer than its burst takes to refill.
//! - Handle every [`Verdict`] within the callback of [`Filter::process`], since an entry borrows the record and the
//!   filter's buffers: write the entry of [`Verdict::Kept`], forward the record of [`Verdict::Passed`] unchanged, and
//!   nothing for the others. A record yields one verdict per finding in it, at least one.
//! - Drain [`Filter::due`] regularly, such as after each chunk of records or once per second, also when no records arrive:
//!   it returns detections, summaries of suppressed findings and count reports. A host that emits one entry per record calls
//!   [`Filter::set_single_output`]. One that may end without notice disables suppression with
//!   [`Filter::set_suppression_enabled`].
//! - Drain [`Filter::finish`] on shutdown. The number of suppressed and counted findings is lost otherwise.
//! - Pass a random seed to [`Filter::new`].
//! - For another configuration, call [`Filter::replace`], which keeps limits, counts and counters, instead of building
//!   another filter.
//! - Report [`Filter::stats`]. They balance: records + batch items + detections = kept + dropped + suppressed + passed + batches.
//!
//! A filter is used by one thread at a time. It has no global state, so a process may have any number.
//!
//! # Untrusted input
//! Records are untrusted: anyone who can write to a log that is collected can choose them. For any bytes, a filter returns
//! verdicts and does not panic. The bounds are:
//!
//! | resource | bound |
//! |---|---|
//! | time per record | near-linear in its length: patterns do not backtrack, duplicate keys are found by sorting, redaction has a budget of searches |
//! | nesting | [`record::MAX_DEPTH`] levels; a deeper record is malformed |
//! | entry | `guard.max-entry-bytes`; longer strings are truncated, and the entry is marked |
//! | memory during a call | proportional to the record, or to `guard.max-entry-bytes` for a body that is rewritten |
//! | limits and counts | `rate-limit.max-keys` keys of each, pending summaries included; above it findings share one key |
//! | detections | 8 MB with the default of `detect.max-series` |
//! | automata | 10 MiB for a compiled pattern, and 2 MiB for the states that its searches cache |
//! | open envelopes ([`envelope::Grouper`]) | 64 of [`envelope::MAX_BYTES`] |
//!
//! The engine does not limit the length of a record; a host should. Keys of tables are hashed with `SipHash` and the seed, so
//! that a sender who does not know the seed cannot make them collide.
//!
//! A sender can still forge findings, and can exhaust the rate limit of an integration to have real findings suppressed.
//! `rate-limit.by` confines that to one entity, rule or cluster; summaries count what was suppressed. Text of a record is
//! escaped as JSON in entries but not sanitised for a terminal or a web page. Redaction applies to every output that
//! contains text of a record, including labels and summaries.
//!
//! A configuration is trusted: its patterns decide how much time a record takes. Its size is limited by the host, the size
//! of a compiled pattern and of all patterns by the engine. No message contains the value of a secret.
//!
//! # Features
//! | feature | effect |
//! |---|---|
//! | `compile` (default) | [`config::read()`], [`Filter::new`], [`explain`]: reads configurations and compiles patterns |
//! | `detect` (default) | detections: finds changes in behaviour in audit events |
//! | `msgpack` (default) | reads and writes `MessagePack` |
//! | `otlp` (default) | writes log records of the OpenTelemetry protocol |
//! | `std` (default) | dependencies detect vector instructions at run time |
//! | `tables` | `Filter::from_baked`: builds a filter from a configuration that was compiled before |
//! | `bake` | `bake`: compiles a configuration for `tables` |

#![forbid(unsafe_code)]
// The compiler thus rejects files, clocks, threads, the environment and output.
#![cfg_attr(not(test), no_std)]
// Tests may fail loudly.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,          // running cannot panic
        clippy::expect_used,          // nor with a reason given
        clippy::panic,                // nor on purpose
        clippy::unreachable,          // impossible cases return a default instead
        clippy::indexing_slicing,     // an index out of range panics
        clippy::string_slice,         // and so does a slice within a character
        clippy::arithmetic_side_effects, // and an overflow in a debug build
    )
)]

#[cfg(not(any(feature = "compile", feature = "tables")))]
compile_error!(
    "enable the feature `compile` or `tables`: a filter is built from a configuration or from its tables"
);

#[macro_use]
extern crate alloc;

pub mod audit;
#[cfg(feature = "tables")]
mod baked;
pub mod config;
mod counts;
#[cfg(feature = "detect")]
mod detect;
mod digest;
pub mod entry;
pub mod envelope;
#[cfg(feature = "compile")]
mod error;
mod filter;
pub mod finding;
mod limit;
mod matcher;
mod pattern;
pub mod policy;
pub mod record;
mod redact;
mod severity;
mod source;
pub mod stats;
mod template;
mod time;

#[cfg(feature = "bake")]
pub use baked::bake;
#[cfg(feature = "detect")]
pub use detect::SnapshotError;
#[cfg(feature = "compile")]
pub use filter::explain;
pub use filter::{Filter, FindingTimes, RuleCount, Verdict};
pub use pattern::BuildError;
pub use severity::builtin_severities;
pub use time::{Civil, Time};
