//! The checked configuration: plain data, not yet compiled.
//!
//! Ranges and defaults of the fields are in the option table, [`super::OPTIONS`].

use alloc::string::String;
use alloc::vec::Vec;

use super::audit::Audit;
use super::look_in;
use super::names::names;
use super::severity::Severity;
use crate::finding::{Category, Confidence, Etype, Kind};
use crate::template::Template;

names! { Shape: Singles "singles", Bulk "bulk", Otlp "otlp", }
names! { TextForm: Object "object", String "string", }
names! { KeyStyle: Original "original", Snake "snake", }
names! { OnStale: Clamp "clamp", Drop "drop", }
names! { By: None "none", Entity "entity", Rule "rule", Cluster "cluster", }
names! { Unrecognised: Wrap "wrap", Pass "pass", Drop "drop", }
names! { Report: Details "details", Count "count", }

/// A checked configuration.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
    /// Used for a record that is not a finding itself. A path leads to an object, a list or a text. Empty: only the
    /// record itself is read.
    pub look_in: Vec<Vec<String>>,
    /// The evaluation of Kubernetes audit events; `None`: they are records like others.
    #[cfg_attr(feature = "tables", serde(skip))] // a baked guest evaluates none
    pub audit: Option<Audit>,
    /// Values that are overwritten before an entry is emitted.
    pub redact: Vec<Redaction>,
    /// All integrations of the list, in file order.
    /// Includes those that do not apply (see [`Integration::applies`]).
    pub integrations: Vec<Integration>,
}

/// Section `coralogix`: the names and the shape of entries.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Coralogix {
    /// `application-name`.
    pub application_name: Template,
    /// `subsystem-name`.
    pub subsystem_name: Template,
    /// `computer-name`; empty: the entry has none.
    pub computer_name: Template,
    /// `shape`.
    pub shape: Shape,
    /// `text`.
    pub text: TextForm,
    /// `keys`.
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
    /// Log records of the OpenTelemetry protocol, grouped by resource, for `/v1/logs`.
    Otlp,
}

impl Shape {
    /// Returns the path of the endpoint.
    pub fn path(self) -> &'static str {
        match self {
            Self::Singles => "/logs/v1/singles",
            Self::Bulk => "/logs/v1/bulk",
            Self::Otlp => "/v1/logs",
        }
    }
}

/// `coralogix.text`: the form of an entry's `text`.
///
/// In envelopes (`shape: bulk`) it is always a string, in OTLP (`shape: otlp`) always an object.
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

/// One row of `severity`: it matches if every clause that is given matches.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Guard {
    /// `max-age`, milliseconds.
    pub max_age_ms: i64,
    /// `max-ahead`, milliseconds.
    pub max_ahead_ms: i64,
    /// `max-entry-bytes`: the maximum size of an entry as JSON.
    pub max_entry_bytes: usize,
    /// `on-stale`.
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
#[non_exhaustive]
pub struct RateLimits {
    /// `period`, nanoseconds.
    /// The period of a limit without one: `rate-limit: 10` means ten in this period.
    pub period_ns: u64,
    /// `by`.
    pub by: By,
    /// `burst`: findings admitted at once after an idle time; `None`: the limit itself.
    pub burst: Option<u32>,
    /// `max-keys`: the number of limiter keys kept, over all integrations.
    /// At most 75 bytes each, and 3,000 with a summary pending.
    pub max_keys: usize,
    /// `summary-every`: the interval of summaries, nanoseconds.
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
#[non_exhaustive]
pub struct Redaction {
    /// `field`: the name in either spelling.
    /// A nested field's keys are joined by `.`, `-` or `_`. The same name inside a detection's `context` is redacted as
    /// well.
    pub field: String,
    /// `pattern`: every match in the field's value is overwritten.
    /// A value with very many matches (100 in 2 kB, 60 in 20 kB) is overwritten whole.
    pub pattern: String,
    /// `replacement`: the literal text that replaces a match.
    pub replacement: String,
}

/// One item of kAudit's list of integrations.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
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
    /// Findings per period.
    pub limit: u32,
    /// The period, nanoseconds.
    pub period_ns: u64,
    /// Findings admitted at once after an idle time.
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
#[non_exhaustive]
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
    /// Hourly counts by cluster, principal, rule, namespace and caller's address are sent.
    Count,
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
            audit: None,
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
            computer_name: Template::cluster(),
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

impl Integration {
    /// Creates an integration that applies, accepts every finding of a kind, and has no limit.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            stopped: false,
            applies: true,
            rate_limit: None,
            filter: DataFilter::default(),
            line: 0,
        }
    }
}
