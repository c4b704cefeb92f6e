//! What the user wrote, checked but not compiled: every field is plain data that [`crate::Filter::new`] turns into
//! automata and tables.
//!
//! [`read()`] understands three dialects: a Kubernetes `ConfigMap` manifest, the bare list of its `audit-integration` key,
//! and the filter's own document. It never stops at the first mistake: a [`Diagnostic`] for each, with its place.
//! Decision: no serde here. A derived deserialiser stops at the first error and forgets lines; the reader walks a tree
//! of marked nodes instead.

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
mod read;
#[cfg(feature = "compile")]
mod report;
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
pub use inline::{INLINE, inline};
#[cfg(feature = "compile")]
pub use options::{OPTIONS, OptionDoc};
#[cfg(feature = "compile")]
pub use read::{Checked, Files, NoFiles, Reading, check, may_be_configuration, read, with_indentation};

/// A checked configuration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// Names, shape and spelling of entries.
    pub coralogix: Coralogix,
    /// The user's severity rows; the built-in table follows them.
    pub severity: Vec<SeverityRow>,
    /// Limits of age and size.
    pub guard: Guard,
    /// Defaults of the rate limits.
    pub rate_limit: RateLimits,
    /// What becomes of a record that is not a finding.
    pub unrecognised: Unrecognised,
    /// `look-in`: the paths, each as its keys, under which a record that is not a finding itself is searched for findings: an
    /// object, a list or a text. At most 64 paths of 1 to 3 keys; default [`LOOK_IN`]. Empty: only the record itself is read.
    pub look_in: Vec<Vec<String>>,
    /// What is overwritten before anything leaves.
    pub redact: Vec<Redaction>,
    /// All integrations of the list, in file order, those that do not apply included (see [`Integration::applies`]).
    pub integrations: Vec<Integration>,
}

/// Section `coralogix`: how an entry is named and shaped.
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
    pub keys: Keys,
}

/// `coralogix.shape`: which of Coralogix's two endpoints the output is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Shape {
    /// One entry a record, for `/logs/v1/singles`.
    #[default]
    Singles,
    /// Envelopes of many entries, for `/logs/v1/bulk`.
    Bulk,
}

/// `coralogix.text`: what an entry's `text` is. In envelopes (`shape: bulk`) it is always a string.
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
pub enum Keys {
    /// As they came.
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
    /// The severity with this number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Debug, Self::Verbose, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .into_iter()
            .find(|severity| i64::from(*severity as u8) == number)
    }
}

/// One row of `severity`: every clause that is given must hold.
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
    /// `non-authorized`: the finding's own flag.
    pub non_authorized: Option<bool>,
    /// `count`: whether a selection is a count rather than a finding of its own.
    pub count: Option<bool>,
    /// `severity`; `None` only in a row under construction.
    pub severity: Option<Severity>,
}

/// Section `guard`: what Coralogix would silently drop, the guard mends or refuses.
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

/// `guard.on-stale`: what becomes of a finding outside `max-age` and `max-ahead`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum OnStale {
    /// Its entry takes the time of arrival and says so; the text keeps the original.
    #[default]
    Clamp,
    /// It is dropped with the reason `stale`.
    Drop,
}

/// Section `rate-limit`: what a bare number in an integration means, and how limits are kept.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct RateLimits {
    /// `period`, nanoseconds; default 1 s, 1 ms to 1 d. A bare `rate-limit: 10` means ten in this period.
    pub period_ns: u64,
    /// `by`; default none.
    pub by: By,
    /// `burst`: how many pass at once after a quiet time; default: the limit itself, 1 to 100000.
    pub burst: Option<u32>,
    /// `max-keys`: how many limiter keys are remembered, over all integrations: at most 75 bytes each, and 3,000 with a
    /// summary pending; default 10000, 1 to 1000000.
    pub max_keys: usize,
    /// `summary-every`, nanoseconds; default 60 s, 1 s to 1 d.
    pub summary_every_ns: u64,
}

/// `rate-limit.by`: what shares one limit within an integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum By {
    /// The whole integration.
    #[default]
    None,
    /// Each entity.
    Entity,
    /// Each rule (of a detection: each short-doc).
    Rule,
    /// Each cluster.
    Cluster,
}

/// `unrecognised`: what becomes of a record that is not a finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum Unrecognised {
    /// It leaves as a valid entry, marked.
    #[default]
    Wrap,
    /// It stays in the stream as it is.
    Pass,
    /// It is dropped with the reason `unrecognised`.
    Drop,
}

/// One item of `redact`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Redaction {
    /// `field`: the name in either spelling; a nested field's keys joined by `.`, `-` or `_`. The same name inside a
    /// detection's `context` is meant too.
    pub field: String,
    /// `pattern`: what is overwritten, wherever it occurs in the field's value; a value with very many
    /// matches (100 in 2 kB, 60 in 20 kB) is overwritten whole.
    pub pattern: String,
    /// `replacement`: what stands in its place, literally; default `***`.
    pub replacement: String,
}

/// One item of kAudit's list.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct Integration {
    /// `name`, or the type and the place in the list: `detections-1`.
    pub name: String,
    /// `type`.
    pub kind: Kind,
    /// `target.stopped`: nothing is sent.
    pub stopped: bool,
    /// Whether this integration is one the filter stands in for: chosen by `use`, or by default an `http-api` target
    /// whose URI is Coralogix's.
    pub applies: bool,
    /// `target.rate-limit`; `None`: unlimited.
    pub rate_limit: Option<RateLimit>,
    /// `data-filter`.
    pub filter: DataFilter,
    /// Where the item begins, for messages.
    pub line: usize,
}

/// A limit, all defaults applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub struct RateLimit {
    /// How many in a period; 1 to 100000.
    pub limit: u32,
    /// The period, nanoseconds; 1 ms to 1 d.
    pub period_ns: u64,
    /// How many at once after a quiet time; 1 to 100000.
    pub burst: u32,
    /// What shares the limit.
    pub by: By,
}

/// `data-filter` of an integration; an empty list or an absent pattern accepts all.
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
    /// Findings are counted by cluster, principal, rule and namespace for each hour, and the counts are sent.
    Count,
}

impl Shape {
    /// The word for it, which is also the last segment of its endpoint's path.
    pub fn word(self) -> &'static str {
        match self {
            Self::Singles => "singles",
            Self::Bulk => "bulk",
        }
    }
}

impl By {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Entity => "entity",
            Self::Rule => "rule",
            Self::Cluster => "cluster",
        }
    }
}

impl Default for Config {
    /// No integration and every default: all findings would be dropped as `no-integration`.
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
            keys: Keys::default(),
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
