//! The option table: every key of a configuration, once.
//!
//! The reader looks up each key here and parses its value by the type in the table; a key that is not in the table is an
//! unknown key. Messages, reference, JSON Schema and manifest are made of the same entries.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use core::fmt;

use super::look_in::LOOK_IN;
use super::option_type::EnumNames;
use super::option_type::OptionType::{self, Boolean, Map, MapList, Pattern, Text};
use super::severity::Severity;
use super::types::{By, KeyStyle, OnStale, Report, Shape, TextForm, Unrecognised};
use super::values::{DAY, MILLISECOND, SECOND};
use crate::audit::{CallerIp, SourceKind, StageOption};
use crate::finding::{Category, Confidence, Etype, Kind};

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// The path of the key: `guard.max-age`.
    /// `[]` is an item of a list, `*` any end of a name.
    pub path: &'static str,
    /// The type, with the limits of the value.
    pub value: OptionType,
    /// Whether the map that contains the key has to have it.
    pub required: bool,
    /// The default, if there is a fixed one.
    pub default: Option<DefaultValue>,
    /// The types of integration or target that have the key; empty: all.
    pub only: &'static [&'static str],
    /// The effect of the key, in sentences.
    pub help: &'static str,
}

/// The default of an option. Its text is the value as it is written in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// A scalar.
    Scalar(&'static str),
    /// A list of scalars.
    List(&'static [&'static str]),
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Scalar(text) => f.write_str(text),
            Self::List(items) => {
                // What is not a plain name needs quotes in YAML.
                let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
                let quote = |item: &&str| {
                    if item.chars().all(is_plain) { (*item).to_owned() } else { format!("'{item}'") }
                };
                write!(f, "[{}]", items.iter().map(quote).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

const fn option(path: &'static str, value: OptionType, help: &'static str) -> OptionSpec {
    OptionSpec { path, value, required: false, default: None, only: &[], help }
}

impl OptionSpec {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(DefaultValue::Scalar(default)), ..self }
    }

    const fn default_list(self, default: &'static [&'static str]) -> Self {
        Self { default: Some(DefaultValue::List(default)), ..self }
    }

    const fn only(self, only: &'static [&'static str]) -> Self {
        Self { only, ..self }
    }

    /// Returns the help, which also states whether the key is required.
    pub fn full_help(&self) -> String {
        match self.help.strip_suffix('.') {
            Some(help) if self.required => format!("{help}; required."),
            _ => self.help.to_owned(),
        }
    }

    /// Splits the path into the path of the map and the key.
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

/// Returns the type of an option with one value of an enumeration.
macro_rules! one_of {
    ($type:ident) => {
        OptionType::Enum(names_of!($type))
    };
}
/// Returns the type of an option with one value of an enumeration, or a list of them.
macro_rules! list_of {
    ($type:ident) => {
        OptionType::EnumList(names_of!($type))
    };
}
/// Returns the names of an enumeration.
macro_rules! names_of {
    ($type:ident) => {
        EnumNames { names: $type::NAMES, aliases: $type::ALIASES, any_case: false }
    };
}

const fn whole_number(min: u64, max: u64) -> OptionType {
    OptionType::Integer { noun: "a whole number", min, max }
}

const fn age(examples: &'static str) -> OptionType {
    // Ten years mean "never".
    OptionType::Duration { min: SECOND, max: 3650 * DAY, examples }
}

const fn template(may_be_empty: bool) -> OptionType {
    OptionType::Template { max_chars: 256, may_be_empty }
}

/// The maximum of limits and bursts.
///
/// With the maximum of [`PERIOD`] the duration of a whole burst is below 2^63 nanoseconds.
const MAX_COUNT: u64 = 100_000;
const COUNT: OptionType = whole_number(1, MAX_COUNT);
const PERIOD: OptionType =
    OptionType::Duration { min: MILLISECOND, max: DAY, examples: "500ms, 1s, 2m or 1h" };
const STAGES: OptionType = OptionType::Enum(names_of!(StageOption));
const CALLER_IP: OptionType = OptionType::Enum(names_of!(CallerIp));
/// In any case, unlike the others.
const SEVERITY: OptionType = OptionType::Enum(EnumNames { any_case: true, ..names_of!(Severity) });
const TARGET_TYPE: OptionType = OptionType::Enum(EnumNames {
    names: &["http-api", "slack", "syslog", "kafka", "azure", "aws-security-hub", "aws-s3"],
    aliases: &[],
    any_case: false,
});

/// The help of options that the reader validates and does not store.
const UNUSED: &str = "Not used by the filter.";

const DETECTIONS: &[&str] = &[Kind::Detection.name()];
const SELECTIONS: &[&str] = &[Kind::Selection.name()];
const AWS: &[&str] = &["aws-security-hub", "aws-s3"];

/// Every key of the filter's own document and of kAudit's list.
///
/// In the order of the reference.
pub const OPTIONS: &[OptionSpec] = &[
    option("coralogix", Map, "The names and the shape of entries."),
    option("coralogix.application-name", template(false), "The entry's `applicationName`.")
        .default("{cluster|kaudit}"),
    option("coralogix.subsystem-name", template(false), "The entry's `subsystemName`.")
        .default("kaudit-{type}"),
    option(
        "coralogix.computer-name",
        template(true),
        "The entry's `computerName`; empty: no `computerName`.",
    )
    .default("{cluster}"),
    option(
        "coralogix.shape",
        one_of!(Shape),
        "The Coralogix endpoint of the output: `/logs/v1/singles`, `/logs/v1/bulk`, or `/v1/logs` for OTLP.",
    )
    .default("singles"),
    option(
        "coralogix.text",
        one_of!(TextForm),
        "The JSON type of an entry's `text`; in `bulk` always a string, in `otlp` always an object.",
    )
    .default("object"),
    option("coralogix.keys", one_of!(KeyStyle), "The spelling of the finding's keys in `text`.")
        .default("original"),
    option("severity", MapList, "Rows that determine the severity: the first row whose clauses all match."),
    option("severity[].type", list_of!(Kind), "The kind of finding."),
    option("severity[].etype", list_of!(Etype), "A detection's `etype`."),
    option("severity[].category", list_of!(Category), "A detection's `category`."),
    option("severity[].confidence", list_of!(Confidence), "A detection's `confidence`."),
    option("severity[].entity", Pattern, "A pattern searched in the entity."),
    option("severity[].rule", Pattern, "A pattern searched in the rule."),
    option("severity[].non-authorized", Boolean, "The finding's own flag."),
    option("severity[].count", Boolean, "Whether a selection is a count instead of a single finding."),
    option("severity[].severity", SEVERITY, "The severity of the entry.").required(),
    option("guard", Map, "Repairs or drops entries that Coralogix would silently drop."),
    option("guard.max-age", age("24h"), "Older findings are stale.").default("24h"),
    option("guard.max-ahead", age("4h"), "Findings with a time further in the future are stale.")
        .default("4h"),
    option(
        "guard.max-entry-bytes",
        whole_number(16_384, 1_000_000),
        "The maximum size of an entry as JSON, in `otlp` of the same entry in `singles`; the longest texts of a larger one \
         are truncated.",
    )
    .default("30000"),
    option(
        "guard.on-stale",
        one_of!(OnStale),
        "Whether the time of a stale finding is replaced by its arrival time, or the finding is dropped.",
    )
    .default("clamp"),
    option("rate-limit", Map, "Defaults of rate limits, and the settings of the limiter."),
    option("rate-limit.period", PERIOD, "The period of a bare `rate-limit: 10`.").default("1s"),
    option("rate-limit.by", one_of!(By), "The field whose values have separate limits in an integration.")
        .default("none"),
    option("rate-limit.burst", COUNT, "The maximum number of findings at once; default: the limit itself."),
    option(
        "rate-limit.max-keys",
        whole_number(1, 1_000_000),
        "The maximum number of limiter keys; further ones share a limit.",
    )
    .default("10000"),
    option(
        "rate-limit.summary-every",
        OptionType::Duration { min: SECOND, max: DAY, examples: "60s" },
        "The interval of summaries of suppressed findings.",
    )
    .default("60s"),
    option("unrecognised", one_of!(Unrecognised), "The treatment of records that are not findings.")
        .default("wrap"),
    option(
        "look-in",
        OptionType::Paths { max_items: 64, max_keys: 3, max_key_bytes: 128 },
        "The keys under which a record is searched for findings; `[]`: none. A list replaces the default.",
    )
    .default_list(LOOK_IN),
    option(
        "policy",
        OptionType::Rules,
        "The rules that select Kubernetes audit events, as kAudit's list `audit-policy`. \
         With it, or with `policy-file` or `audit`, audit events are evaluated.",
    ),
    option(
        "policy-file",
        OptionType::FileName,
        "The file that contains the rules: the list, or kAudit's ConfigMap `kaudit-policy-<cluster>`.",
    ),
    option("audit", Map, "The evaluation of audit events."),
    option(
        "audit.source",
        list_of!(SourceKind),
        "Where the events come from. Rules that no event of it satisfies are reported.",
    ),
    option(
        "audit.stages",
        STAGES,
        "The events that are evaluated: one of each request (`first`), or the events of one stage.",
    )
    .default("first"),
    option(
        "audit.caller-ip",
        CALLER_IP,
        "The address of `sourceIPs` that is `caller-ip`. Clients can invent every address but the last.",
    )
    .default("first"),
    option(
        "audit.trusted-proxies",
        OptionType::Networks,
        "`caller-ip` is the last address outside these networks. It replaces `audit.caller-ip`.",
    ),
    option("audit.cluster", Text, "The cluster of events that do not name theirs."),
    option("detect", Map, "Detections of changes in behaviour, made of audit events; `detect: {}` has the defaults."),
    option(
        "detect.learning",
        age("24h"),
        "The time after the first event of a cluster in which nothing is reported. For seven times as long, a first \
         occurrence has low confidence.",
    )
    .default("24h"),
    option(
        "detect.lateness",
        OptionType::Duration { min: SECOND, max: 900 * SECOND, examples: "3m" },
        "The time for which a window of three minutes waits for late events.",
    )
    .default("3m"),
    option(
        "detect.max-series",
        whole_number(1_000, 1_000_000),
        "The maximum number of series with a baseline, at most 130 bytes each; the ones that were idle longest are dropped.",
    )
    .default("25000"),
    option("redact", MapList, "Rules that overwrite values before entries are sent."),
    option("redact[].field", OptionType::FieldName, "The field, in either spelling.").required(),
    option("redact[].pattern", Pattern, "The pattern; each match in the field is overwritten.").required(),
    option("redact[].replacement", Text, "The replacement, literally.").default("***"),
    option(
        "use",
        OptionType::IntegrationNames,
        "The integrations that apply; default: all with an `http-api` target of Coralogix.",
    ),
    option("integrations-file", OptionType::FileName, "The file that contains kAudit's list."),
    option(
        "integrations",
        OptionType::Integrations,
        "kAudit's list; a finding is sent by the first integration that matches it.",
    ),
    option("integrations[].type", one_of!(Kind), "The kind of findings that are sent.").required(),
    option(
        "integrations[].name",
        OptionType::IntegrationName { max_chars: 15 },
        "A short name, unique in the list; default: the type and the position, `detections-1`.",
    ),
    option("integrations[].target", OptionType::Target, "kAudit's destination.").required(),
    option("integrations[].target.target-type", TARGET_TYPE, "The type of the destination.").required(),
    option("integrations[].target.stopped", Boolean, "Whether the integration sends nothing.")
        .default("false"),
    option(
        "integrations[].target.rate-limit",
        OptionType::IntegerOrMap { min: 1, max: MAX_COUNT },
        "The maximum number of findings per `rate-limit.period`, or a map with further settings; default: unlimited.",
    ),
    option("integrations[].target.rate-limit.limit", COUNT, "The maximum number of findings per period.")
        .required(),
    option("integrations[].target.rate-limit.period", PERIOD, "The period; default: `rate-limit.period`."),
    option(
        "integrations[].target.rate-limit.burst",
        COUNT,
        "The maximum number of findings at once; default: `rate-limit.burst`.",
    ),
    option(
        "integrations[].target.rate-limit.by",
        one_of!(By),
        "The field whose values have separate limits; default: `rate-limit.by`.",
    ),
    option("integrations[].target.http-api-uri", OptionType::Uri, "The endpoint.")
        .required()
        .only(&["http-api"]),
    option("integrations[].target.http-api-token-header", Text, UNUSED).only(&["http-api"]),
    option("integrations[].target.http-api-token", Text, UNUSED).only(&["http-api"]),
    option("integrations[].target.slack-uri", Text, UNUSED).only(&["slack"]),
    option("integrations[].target.syslog-host", Text, UNUSED).only(&["syslog"]),
    option(
        "integrations[].target.syslog-port",
        OptionType::Integer { noun: "a port", min: 1, max: 65_535 },
        UNUSED,
    )
    .only(&["syslog"]),
    option("integrations[].target.syslog-tcp", Boolean, UNUSED).only(&["syslog"]),
    option("integrations[].target.kafka-broker", Text, UNUSED).only(&["kafka"]),
    option("integrations[].target.kafka-topic", Text, UNUSED).only(&["kafka"]),
    option("integrations[].target.workspace-id", Text, UNUSED).only(&["azure"]),
    option("integrations[].target.shared-key", Text, UNUSED).only(&["azure"]),
    option("integrations[].target.aws-*", Text, UNUSED).only(AWS),
    option(
        "integrations[].data-filter",
        Map,
        "Clauses that must all match; default: every finding of the type matches.",
    ),
    option("integrations[].data-filter.etype", list_of!(Etype), "A detection's `etype`.").only(DETECTIONS),
    option("integrations[].data-filter.category", list_of!(Category), "A detection's `category`.")
        .only(DETECTIONS),
    option("integrations[].data-filter.confidence", list_of!(Confidence), "A detection's `confidence`.")
        .only(DETECTIONS),
    option(
        "integrations[].data-filter.entity-match",
        Pattern,
        "Rejects findings unless the pattern occurs in the entity.",
    ),
    option(
        "integrations[].data-filter.entity-no-match",
        Pattern,
        "Rejects findings if the pattern occurs in the entity.",
    ),
    option(
        "integrations[].data-filter.rules-match",
        Pattern,
        "Rejects findings unless the pattern occurs in the rule.",
    )
    .only(SELECTIONS),
    option(
        "integrations[].data-filter.rules-no-match",
        Pattern,
        "Rejects findings if the pattern occurs in the rule.",
    )
    .only(SELECTIONS),
    option(
        "integrations[].data-filter.report",
        one_of!(Report),
        "Whether each selection is sent, or hourly counts.",
    )
    .default("details")
    .only(SELECTIONS),
];

/// Returns the options of a map, given its path in the table.
pub(super) fn options_of(table: &str) -> impl Iterator<Item = (&'static str, &'static OptionSpec)> {
    OPTIONS.iter().filter_map(move |option| {
        let (parent, key) = option.split();
        (parent == table).then_some((key, option))
    })
}

/// Returns the option of a key in a map, given the map's path in the table.
pub(super) fn find(table: &str, key: &str) -> Option<&'static OptionSpec> {
    options_of(table)
        .find(|(name, _)| *name == key || name.strip_suffix('*').is_some_and(|start| key.starts_with(start)))
        .map(|(_, option)| option)
}

/// Returns the option of this path.
pub(super) fn of_path(path: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.path == path)
}

/// Returns the type of a key in a map, given the map's path in the table.
pub(super) fn type_of(table: &str, key: &str) -> Option<OptionType> {
    find(table, key).map(|option| option.value)
}

/// Returns the path of another map, below this one, that has the key.
pub(super) fn map_of_key(table: &str, key: &str) -> Option<&'static str> {
    let below = |parent: &str| parent.strip_prefix(table).is_some_and(|rest| !rest.is_empty());
    // The last is the most likely: `type` is an integration's rather than a severity row's.
    let mut options = OPTIONS.iter().rev().map(OptionSpec::split);
    options.find(|(parent, name)| *name == key && below(parent)).map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests;
