//! The checked configuration: plain data, not yet compiled.
//!
//! [`crate::Filter::new`] turns it into automata and tables.
//!
//! [`read()`] accepts three dialects: a Kubernetes `ConfigMap` manifest, the bare list of its `audit-integration` key,
//! and the filter's own document. It does not stop at the first error: it reports a [`Diagnostic`] with a position for
//! each. Decision: no serde here. A derived deserialiser stops at the first error and loses line numbers; the reader
//! walks a tree of nodes with positions instead.

#[cfg(feature = "compile")]
mod advice;
#[cfg(feature = "compile")]
mod characters;
#[cfg(feature = "compile")]
mod dialect;
#[cfg(feature = "compile")]
mod endpoint;
#[cfg(feature = "compile")]
mod indentation;
#[cfg(feature = "compile")]
mod inline;
#[cfg(feature = "compile")]
mod integrations;
mod look_in;
#[cfg(feature = "compile")]
mod options;
#[cfg(feature = "compile")]
mod patterns;
#[cfg(feature = "compile")]
mod problems;
#[cfg(feature = "compile")]
mod read;
#[cfg(feature = "compile")]
mod section;
#[cfg(feature = "compile")]
mod target;
#[cfg(feature = "compile")]
mod values;
#[cfg(feature = "compile")]
mod variables;
#[cfg(feature = "compile")]
mod yaml;

use crate::finding::{Category, Confidence, Etype, Kind};
use crate::template::Template;

pub(crate) use look_in::ANY_OBJECT;
pub use look_in::LOOK_IN;

#[cfg(feature = "compile")]
pub use crate::error::{Code, Diagnostic, Level};
#[cfg(feature = "compile")]
pub use inline::{INLINE_OPTIONS, read_inline};
#[cfg(feature = "compile")]
pub use options::{OPTIONS, OptionDoc};
#[cfg(feature = "compile")]
pub use read::{
    CheckResult, FileLoader, NoFiles, ReadResult, check, may_be_configuration, read, restore_indentation,
};

/// A checked configuration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// Names, shape and key style of entries.
    pub coralogix: Coralogix,
    /// The user's severity rows; the built-in table follows them.
    pub severity: Vec<SeverityRow>,
    /// Limits of age and size.
    pub guard: Guard,
    /// Defaults of the rate limits.
    pub rate_limit: RateLimits,
    /// Handling of records that are not findings.
    pub unrecognised: Unrecognised,
    /// `look-in`: the paths under which a record is searched for findings, as keys.
    /// Used for a record that is not a finding itself. A path leads to an object, a list or a text. At most 64 paths of
    /// 1 to 3 keys; default [`LOOK_IN`]. Empty: only the record itself is read.
    pub look_in: Vec<Vec<String>>,
    /// Values that are overwritten before an entry is emitted.
    pub redact: Vec<Redaction>,
    /// All integrations of the list, in file order.
    /// Includes those that do not apply (see [`Integration::applies`]).
    pub integrations: Vec<Integration>,
}

/// Section `coralogix`: the names and the shape of entries.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Coralogix {
    /// `application-name`; default `{cluster|kaudit}`.
    pub application_name: Template,
    /// `subsystem-name`; default `kaudit-{type}`.
    pub subsystem_name: Template,
    /// `computer-name`; default `{cluster}`. Empty: the entry has none.
    pub computer_name: Template,
    /// `shape`; default singles.
    pub shape: Shape,
    /// `text`; default object.
    pub text: TextForm,
    /// `keys`; default original.
    pub keys: KeyStyle,
}

/// `coralogix.shape`: the Coralogix endpoint for which the output is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Shape {
    /// One entry per record, for `/logs/v1/singles`.
    #[default]
    Singles,
    /// Envelopes of many entries, for `/logs/v1/bulk`.
    Bulk,
}

/// `coralogix.text`: the form of an entry's `text`.
///
/// In envelopes (`shape: bulk`) it is always a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum TextForm {
    /// The finding as a JSON object.
    #[default]
    Object,
    /// The finding as JSON in a string.
    String,
}

/// `coralogix.keys`: the spelling of the finding's keys in `text`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum KeyStyle {
    /// Unchanged.
    #[default]
    Original,
    /// Hyphens become underscores, which `DataPrime` reads without brackets.
    Snake,
}

/// A Coralogix severity, 1 to 6. Any other number makes Coralogix drop the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are Coralogix's own")]
pub enum Severity {
    Debug = 1,
    Verbose = 2,
    Info = 3,
    Warn = 4,
    Error = 5,
    Critical = 6,
}

impl Severity {
    /// Returns the severity with this number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Debug, Self::Verbose, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .into_iter()
            .find(|severity| i64::from(*severity as u8) == number)
    }
}

/// One row of `severity`: it matches if every clause that is given matches.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct SeverityRow {
    /// `type`: the kinds of finding; empty: any.
    pub kinds: Vec<Kind>,
    /// `etype`; empty: any.
    pub etype: Vec<Etype>,
    /// `category`; empty: any.
    pub category: Vec<Category>,
    /// `confidence`; empty: any.
    pub confidence: Vec<Confidence>,
    /// `entity`: a pattern searched in the entity.
    pub entity: Option<String>,
    /// `rule`: a pattern searched in the rule.
    pub rule: Option<String>,
    /// `non-authorized`: the finding's flag of this name.
    pub non_authorized: Option<bool>,
    /// `count`: whether a selection is a count rather than a finding of its own.
    pub count: Option<bool>,
    /// `severity`; `None` only in a row under construction.
    pub severity: Option<Severity>,
}

/// Section `guard`: repairs or drops findings that Coralogix would silently drop.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Guard {
    /// `max-age`, milliseconds; default 24 h, 1 s to 3650 d.
    pub max_age_ms: i64,
    /// `max-ahead`, milliseconds; default 4 h, 1 s to 3650 d.
    pub max_ahead_ms: i64,
    /// `max-entry-bytes`: an entry's size as JSON; default 30000, 16384 to 1000000.
    pub max_entry_bytes: usize,
    /// `on-stale`; default clamp.
    pub on_stale: OnStale,
}

/// `guard.on-stale`: handling of findings outside `max-age` and `max-ahead`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum OnStale {
    /// The entry gets the time of arrival and a mark; the text keeps the original time.
    #[default]
    Clamp,
    /// The finding is dropped with the reason `stale`.
    Drop,
}

/// Section `rate-limit`: defaults of rate limits, and bounds of their state.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct RateLimits {
    /// `period`, nanoseconds; default 1 s, 1 ms to 1 d.
    /// The period of a limit without one: `rate-limit: 10` means ten in this period.
    pub period_ns: u64,
    /// `by`; default none.
    pub by: By,
    /// `burst`: findings admitted at once after an idle time; 1 to 100000.
    /// Default: the limit itself.
    pub burst: Option<u32>,
    /// `max-keys`: the number of limiter keys kept, over all integrations.
    /// At most 75 bytes each, and 3,000 with a summary pending; default 10000, 1 to 1000000.
    pub max_keys: usize,
    /// `summary-every`: the interval of summaries, nanoseconds.
    /// Default 60 s, 1 s to 1 d.
    pub summary_every_ns: u64,
}

/// `rate-limit.by`: the findings of an integration that share one limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum By {
    /// All findings of the integration.
    #[default]
    None,
    /// The findings of one entity.
    Entity,
    /// The findings of one rule (of a detection: one short-doc).
    Rule,
    /// The findings of one cluster.
    Cluster,
}

/// `unrecognised`: handling of records that are not findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Unrecognised {
    /// The record is emitted as a valid entry, marked.
    #[default]
    Wrap,
    /// The record stays in the stream unchanged.
    Pass,
    /// The record is dropped with the reason `unrecognised`.
    Drop,
}

/// One item of `redact`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Redaction {
    /// `field`: the name in either spelling.
    /// A nested field's keys are joined by `.`, `-` or `_`. The same name inside a detection's `context` is redacted as
    /// well.
    pub field: String,
    /// `pattern`: every match in the field's value is overwritten.
    /// A value with very many matches (100 in 2 kB, 60 in 20 kB) is overwritten whole.
    pub pattern: String,
    /// `replacement`: the literal text that replaces a match; default `***`.
    pub replacement: String,
}

/// One item of kAudit's list of integrations.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Integration {
    /// `name`, or the type and the number in the list: `detections-1`.
    pub name: String,
    /// `type`.
    pub kind: Kind,
    /// `target.stopped`: nothing is sent.
    pub stopped: bool,
    /// Whether the filter replaces this integration.
    /// Chosen by `use`; by default every `http-api` target with a URI of Coralogix's.
    pub applies: bool,
    /// `target.rate-limit`; `None`: unlimited.
    pub rate_limit: Option<RateLimit>,
    /// `data-filter`.
    pub filter: DataFilter,
    /// The line on which the item begins, for messages.
    pub line: usize,
}

/// A rate limit, with all defaults applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct RateLimit {
    /// Findings per period; 1 to 100000.
    pub limit: u32,
    /// The period, nanoseconds; 1 ms to 1 d.
    pub period_ns: u64,
    /// Findings admitted at once after an idle time; 1 to 100000.
    pub burst: u32,
    /// The findings that share the limit.
    pub by: By,
}

/// `data-filter` of an integration.
///
/// An empty list or an absent pattern accepts every finding.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the names are kAudit's own, described in the option table")]
pub struct DataFilter {
    pub etype: Vec<Etype>,
    pub category: Vec<Category>,
    pub confidence: Vec<Confidence>,
    pub entity_match: Option<String>,
    pub entity_no_match: Option<String>,
    pub rules_match: Option<String>,
    pub rules_no_match: Option<String>,
    pub report: Report,
}

/// `data-filter.report` of a selections integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Report {
    /// Each finding is sent.
    #[default]
    Details,
    /// Hourly counts by cluster, principal, rule and namespace are sent.
    Count,
}

impl Shape {
    /// Returns its name, which is also the last segment of its endpoint's path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Bulk => "bulk",
        }
    }
}

impl By {
    /// Returns its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Entity => "entity",
            Self::Rule => "rule",
            Self::Cluster => "cluster",
        }
    }
}

impl Default for Config {
    /// No integration and every default: every finding is dropped as `no-integration`.
    fn default() -> Self {
        Self {
            coralogix: Coralogix::default(),
            severity: Vec::new(),
            guard: Guard::default(),
            rate_limit: RateLimits::default(),
            unrecognised: Unrecognised::default(),
            look_in: look_in::default(),
            redact: Vec::new(),
            integrations: Vec::new(),
        }
    }
}

impl Default for Coralogix {
    fn default() -> Self {
        Self {
            application_name: Template::builtin_application(),
            subsystem_name: Template::builtin_subsystem(),
            computer_name: Template::builtin_computer(),
            shape: Shape::default(),
            text: TextForm::default(),
            keys: KeyStyle::default(),
        }
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            max_age_ms: 24 * 3_600_000,
            max_ahead_ms: 4 * 3_600_000,
            max_entry_bytes: 30_000,
            on_stale: OnStale::default(),
        }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            period_ns: 1_000_000_000,
            by: By::default(),
            burst: None,
            max_keys: 10_000,
            summary_every_ns: 60_000_000_000,
        }
    }
}
