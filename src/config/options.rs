//! The table of options, shared by the reader, the reference and the schema.
//!
//! A key that is not in the table is an unknown key, and the error for an invalid value quotes the table. The
//! documentation therefore cannot differ from the reader.

use super::look_in::LOOK_IN_TEXT;

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// The path of the key: `guard.max-age`.
    /// `[]` is an item of a list, `*` any end of a name.
    pub path: &'static str,
    /// The type and the allowed values, in the form that follows "expected".
    pub kind: &'static str,
    /// The default as it would be written; empty if there is none.
    pub default: &'static str,
    /// The types of integration or target that have the key; empty: all.
    pub only: &'static [&'static str],
    /// The effect of the key.
    pub help: &'static str,
}

const fn option(
    path: &'static str,
    kind: &'static str,
    default: &'static str,
    help: &'static str,
) -> OptionDoc {
    OptionDoc { path, kind, default, only: &[], help }
}

impl OptionDoc {
    const fn only(self, only: &'static [&'static str]) -> Self {
        Self { only, ..self }
    }

    /// Splits the path into the path of the map and the key.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }
}

const MAP: &str = "a map";
const LIST_OF_MAPS: &str = "a list of maps";
const TEXT: &str = "a text";
const BOOLEAN: &str = "true or false";
const PATTERN: &str = "a regular expression";
const TEMPLATE: &str = "a template of at most 256 characters, such as `{cluster|kaudit}`";
const ETYPES: &str = "principal, resource or cluster, or a list of them";
const CATEGORIES: &str = "incident or anomaly, or a list of them";
const CONFIDENCES: &str = "high, medium or low (0, 1 or 2), or a list of them";
const COUNT: &str = "a whole number from 1 to 100000";
const BY: &str = "none, entity, rule or cluster";
const PERIOD: &str = "a duration from 1ms to 1d, such as 500ms, 1s, 2m or 1h";

const DETECTIONS: &[&str] = &["detections"];
const SELECTIONS: &[&str] = &["selections"];
const AWS: &[&str] = &["aws-security-hub", "aws-s3"];

/// Every key of the filter's own document and of kAudit's list.
///
/// In the order of the reference.
pub const OPTIONS: &[OptionDoc] = &[
    option("coralogix", MAP, "", "The names and the shape of entries."),
    option("coralogix.application-name", TEMPLATE, "{cluster|kaudit}", "The entry's `applicationName`."),
    option("coralogix.subsystem-name", TEMPLATE, "kaudit-{type}", "The entry's `subsystemName`."),
    option(
        "coralogix.computer-name",
        TEMPLATE,
        "{cluster}",
        "The entry's `computerName`; empty: no `computerName`.",
    ),
    option(
        "coralogix.shape",
        "singles or bulk",
        "singles",
        "The Coralogix endpoint of the output: `/logs/v1/singles` or `/logs/v1/bulk`.",
    ),
    option(
        "coralogix.text",
        "object or string",
        "object",
        "The JSON type of an entry's `text`; in `bulk` always a string.",
    ),
    option(
        "coralogix.keys",
        "original or snake",
        "original",
        "The spelling of the finding's keys in `text`.",
    ),
    option(
        "severity",
        LIST_OF_MAPS,
        "",
        "Rows that determine the severity: the first row whose clauses all match.",
    ),
    option(
        "severity[].type",
        "detections, selections or activity, or a list of them",
        "",
        "The kind of finding.",
    ),
    option("severity[].etype", ETYPES, "", "A detection's `etype`."),
    option("severity[].category", CATEGORIES, "", "A detection's `category`."),
    option("severity[].confidence", CONFIDENCES, "", "A detection's `confidence`."),
    option("severity[].entity", PATTERN, "", "A pattern searched in the entity."),
    option("severity[].rule", PATTERN, "", "A pattern searched in the rule."),
    option("severity[].non-authorized", BOOLEAN, "", "The finding's own flag."),
    option("severity[].count", BOOLEAN, "", "Whether a selection is a count instead of a single finding."),
    option(
        "severity[].severity",
        "debug, verbose, info, warn, error or critical, or a number from 1 to 6",
        "",
        "The severity of the entry; required.",
    ),
    option("guard", MAP, "", "Repairs or drops entries that Coralogix would silently drop."),
    option("guard.max-age", "a duration from 1s to 3650d, such as 24h", "24h", "Older findings are stale."),
    option(
        "guard.max-ahead",
        "a duration from 1s to 3650d, such as 4h",
        "4h",
        "Findings with a time further in the future are stale.",
    ),
    option(
        "guard.max-entry-bytes",
        "a whole number from 16384 to 1000000",
        "30000",
        "The maximum size of an entry as JSON; the longest texts of a larger one are truncated.",
    ),
    option(
        "guard.on-stale",
        "clamp or drop",
        "clamp",
        "Whether the time of a stale finding is replaced by its arrival time, or the finding is dropped.",
    ),
    option("rate-limit", MAP, "", "Defaults of rate limits, and the settings of the limiter."),
    option("rate-limit.period", PERIOD, "1s", "The period of a bare `rate-limit: 10`."),
    option("rate-limit.by", BY, "none", "The field whose values have separate limits in an integration."),
    option(
        "rate-limit.burst",
        COUNT,
        "",
        "The maximum number of findings at once; default: the limit itself.",
    ),
    option(
        "rate-limit.max-keys",
        "a whole number from 1 to 1000000",
        "10000",
        "The maximum number of limiter keys; further ones share a limit.",
    ),
    option(
        "rate-limit.summary-every",
        "a duration from 1s to 1d, such as 60s",
        "60s",
        "The interval of summaries of suppressed findings.",
    ),
    option("unrecognised", "wrap, pass or drop", "wrap", "The treatment of records that are not findings."),
    option(
        "look-in",
        "a list of at most 64 keys or dotted paths of up to 3 keys, such as `[log, properties.log]`",
        LOOK_IN_TEXT,
        "The keys under which a record is searched for findings; `[]`: none. A list replaces the default.",
    ),
    option("redact", LIST_OF_MAPS, "", "Rules that overwrite values before entries are sent."),
    option("redact[].field", "a field's name", "", "The field, in either spelling; required."),
    option("redact[].pattern", PATTERN, "", "The pattern; each match in the field is overwritten; required."),
    option("redact[].replacement", TEXT, "***", "The replacement, literally."),
    option(
        "use",
        "all, or a list of names of integrations",
        "",
        "The integrations that apply; default: all with an `http-api` target of Coralogix.",
    ),
    option(
        "integrations-file",
        "a file's name, or a key of the same ConfigMap",
        "",
        "The file that contains kAudit's list.",
    ),
    option(
        "integrations",
        "a list of integrations",
        "",
        "kAudit's list; a finding is sent by the first integration that matches it.",
    ),
    option(
        "integrations[].type",
        "detections, selections or activity",
        "",
        "The kind of findings that are sent; required.",
    ),
    option(
        "integrations[].name",
        "up to 15 letters, digits, `_`, `-` and spaces",
        "",
        "A short name, unique in the list; default: the type and the position, `detections-1`.",
    ),
    option(
        "integrations[].target",
        "a map, or the older dialect's list",
        "",
        "kAudit's destination; required.",
    ),
    option(
        "integrations[].target.target-type",
        "http-api, slack, syslog, kafka, azure, aws-security-hub or aws-s3",
        "",
        "The type of the destination; required.",
    ),
    option("integrations[].target.stopped", BOOLEAN, "false", "Whether the integration sends nothing."),
    option(
        "integrations[].target.rate-limit",
        "a whole number from 1 to 100000, or a map",
        "",
        "The maximum number of findings per `rate-limit.period`, or a map with further settings; default: unlimited.",
    ),
    option(
        "integrations[].target.rate-limit.limit",
        COUNT,
        "",
        "The maximum number of findings per period; required.",
    ),
    option(
        "integrations[].target.rate-limit.period",
        PERIOD,
        "",
        "The period; default: `rate-limit.period`.",
    ),
    option(
        "integrations[].target.rate-limit.burst",
        COUNT,
        "",
        "The maximum number of findings at once; default: `rate-limit.burst`.",
    ),
    option(
        "integrations[].target.rate-limit.by",
        BY,
        "",
        "The field whose values have separate limits; default: `rate-limit.by`.",
    ),
    option("integrations[].target.http-api-uri", "an http or https URI", "", "The endpoint; required.")
        .only(&["http-api"]),
    option("integrations[].target.http-api-token-header", TEXT, "", "Not used by the filter.")
        .only(&["http-api"]),
    option("integrations[].target.http-api-token", TEXT, "", "Not used by the filter.").only(&["http-api"]),
    option("integrations[].target.slack-uri", TEXT, "", "Not used by the filter.").only(&["slack"]),
    option("integrations[].target.syslog-host", TEXT, "", "Not used by the filter.").only(&["syslog"]),
    option("integrations[].target.syslog-port", "a port from 1 to 65535", "", "Not used by the filter.")
        .only(&["syslog"]),
    option("integrations[].target.syslog-tcp", BOOLEAN, "", "Not used by the filter.").only(&["syslog"]),
    option("integrations[].target.kafka-broker", TEXT, "", "Not used by the filter.").only(&["kafka"]),
    option("integrations[].target.kafka-topic", TEXT, "", "Not used by the filter.").only(&["kafka"]),
    option("integrations[].target.workspace-id", TEXT, "", "Not used by the filter.").only(&["azure"]),
    option("integrations[].target.shared-key", TEXT, "", "Not used by the filter.").only(&["azure"]),
    option("integrations[].target.aws-*", TEXT, "", "Not used by the filter.").only(AWS),
    option(
        "integrations[].data-filter",
        MAP,
        "",
        "Clauses that must all match; default: every finding of the type matches.",
    ),
    option("integrations[].data-filter.etype", ETYPES, "", "A detection's `etype`.").only(DETECTIONS),
    option("integrations[].data-filter.category", CATEGORIES, "", "A detection's `category`.")
        .only(DETECTIONS),
    option("integrations[].data-filter.confidence", CONFIDENCES, "", "A detection's `confidence`.")
        .only(DETECTIONS),
    option(
        "integrations[].data-filter.entity-match",
        PATTERN,
        "",
        "Rejects findings unless the pattern occurs in the entity.",
    ),
    option(
        "integrations[].data-filter.entity-no-match",
        PATTERN,
        "",
        "Rejects findings if the pattern occurs in the entity.",
    ),
    option(
        "integrations[].data-filter.rules-match",
        PATTERN,
        "",
        "Rejects findings unless the pattern occurs in the rule.",
    )
    .only(SELECTIONS),
    option(
        "integrations[].data-filter.rules-no-match",
        PATTERN,
        "",
        "Rejects findings if the pattern occurs in the rule.",
    )
    .only(SELECTIONS),
    option(
        "integrations[].data-filter.report",
        "details or count",
        "details",
        "Whether each selection is sent, or hourly counts.",
    )
    .only(SELECTIONS),
];

/// Returns the options of a map, given its path in the table.
pub(super) fn options_of(table: &str) -> impl Iterator<Item = (&'static str, &'static OptionDoc)> {
    OPTIONS.iter().filter_map(move |option| {
        let (parent, key) = option.split();
        (parent == table).then_some((key, option))
    })
}

/// Returns the option of a key in a map, given the map's path in the table.
pub(super) fn find(table: &str, key: &str) -> Option<&'static OptionDoc> {
    options_of(table)
        .find(|(name, _)| *name == key || name.strip_suffix('*').is_some_and(|start| key.starts_with(start)))
        .map(|(_, option)| option)
}

/// Returns the values of an enumeration; none if the kind is not one.
pub(super) fn enum_values(kind: &'static str) -> impl Iterator<Item = &'static str> {
    let end = [" (", ", or a "].iter().filter_map(|mark| kind.find(mark)).min().unwrap_or(kind.len());
    let values = kind.get(..end).unwrap_or("").split(", ").flat_map(|values| values.split(" or "));
    let enumeration = values.clone().all(|value| !value.contains(' '));
    values.filter(move |_| enumeration)
}

/// Returns the path of another map, below this one, that has the key.
pub(super) fn map_of_key(table: &str, key: &str) -> Option<&'static str> {
    let below = |parent: &str| parent.strip_prefix(table).is_some_and(|rest| !rest.is_empty());
    // The last is the most likely: `type` is an integration's rather than a severity row's.
    let mut options = OPTIONS.iter().rev().map(OptionDoc::split);
    options.find(|(parent, name)| *name == key && below(parent)).map(|(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::OPTIONS;
    use crate::config::{NoFiles, read};

    /// For every option, a value that is not its default.
    const NON_DEFAULTS: &[(&str, &str)] = &[
        ("coralogix.application-name", "a"),
        ("coralogix.subsystem-name", "a"),
        ("coralogix.computer-name", "a"),
        ("coralogix.shape", "bulk"),
        ("coralogix.text", "string"),
        ("coralogix.keys", "snake"),
        ("severity[].type", "activity"),
        ("severity[].etype", "cluster"),
        ("severity[].category", "anomaly"),
        ("severity[].confidence", "low"),
        ("severity[].entity", "a"),
        ("severity[].rule", "a"),
        ("severity[].non-authorized", "true"),
        ("severity[].count", "true"),
        ("severity[].severity", "debug"),
        ("guard.max-age", "1h"),
        ("guard.max-ahead", "1h"),
        ("guard.max-entry-bytes", "20000"),
        ("guard.on-stale", "drop"),
        ("rate-limit.period", "1m"),
        ("rate-limit.by", "rule"),
        ("rate-limit.burst", "7"),
        ("rate-limit.max-keys", "7"),
        ("rate-limit.summary-every", "7s"),
        ("unrecognised", "drop"),
        ("look-in", "[a]"),
        ("redact[].field", "a"),
        ("redact[].pattern", "a"),
        ("redact[].replacement", "a"),
        ("use", "[a]"),
        ("integrations[].type", "activity"),
        ("integrations[].name", "a"),
        ("integrations[].target.stopped", "true"),
        ("integrations[].target.rate-limit", "7"),
        ("integrations[].target.rate-limit.limit", "7"),
        ("integrations[].target.rate-limit.period", "7s"),
        ("integrations[].target.rate-limit.burst", "7"),
        ("integrations[].target.rate-limit.by", "rule"),
        ("integrations[].target.http-api-uri", "https://example.com"),
        ("integrations[].data-filter.etype", "cluster"),
        ("integrations[].data-filter.category", "anomaly"),
        ("integrations[].data-filter.confidence", "low"),
        ("integrations[].data-filter.entity-match", "a"),
        ("integrations[].data-filter.entity-no-match", "a"),
        ("integrations[].data-filter.rules-match", "a"),
        ("integrations[].data-filter.rules-no-match", "a"),
        ("integrations[].data-filter.report", "count"),
    ];

    /// The help of options that the filter validates and does not store.
    const UNUSED: &str = "Not used by the filter.";

    #[test]
    fn defaults_are_what_reading_nothing_gives() {
        for option in OPTIONS.iter().filter(|option| !option.default.is_empty()) {
            let (plain, stated) = (document(option.path, None), document(option.path, Some(option.default)));
            assert_eq!(meaning(&plain), meaning(&stated), "{}: {plain}{stated}", option.path);
        }
    }

    #[test]
    fn every_option_has_its_effect() {
        for option in OPTIONS {
            let section = OPTIONS.iter().any(|other| {
                other.path.strip_prefix(option.path).is_some_and(|rest| rest.starts_with(['.', '[']))
            });
            let elsewhere = ["integrations-file", "integrations[].target.target-type"].contains(&option.path);
            let other = NON_DEFAULTS.iter().find(|(path, _)| *path == option.path).map(|(_, other)| *other);
            let Some(other) = other else {
                assert!(
                    section || elsewhere || option.help == UNUSED,
                    "no value is known of {}",
                    option.path
                );
                continue;
            };
            let (plain, stated) = (document(option.path, None), document(option.path, Some(other)));
            assert_ne!(meaning(&plain), meaning(&stated), "{}: {plain}{stated}", option.path);
        }
    }

    #[test]
    fn every_path_is_there_once_and_below_its_parent() {
        for (index, option) in OPTIONS.iter().enumerate() {
            let (parent, _) = option.split();
            let parent = parent.trim_end_matches("[]");
            let before = OPTIONS.iter().take(index);
            assert!(parent.is_empty() || before.clone().any(|other| other.path == parent), "{}", option.path);
            assert!(!before.clone().any(|other| other.path == option.path), "{} twice", option.path);
            assert!(option.help.ends_with('.'), "{}", option.path);
        }
    }

    /// Returns a document with or without the option of this path.
    fn document(path: &str, value: Option<&str>) -> String {
        let kind =
            if path.contains("rules") || path.ends_with("report") { "selections" } else { "detections" };
        let mut keys = vec![
            ("integrations[].type".to_owned(), kind),
            ("integrations[].target.target-type".to_owned(), "http-api"),
            ("integrations[].target.http-api-uri".to_owned(), "https://ingress.coralogix.com/logs/v1/bulk"),
        ];
        if path.starts_with("severity") {
            keys.push(("severity[].severity".to_owned(), "info"));
        }
        if path.starts_with("redact") {
            keys.extend([("redact[].field".to_owned(), "b"), ("redact[].pattern".to_owned(), "b")]);
        }
        if path.starts_with("integrations[].target.rate-limit.") {
            keys.push(("integrations[].target.rate-limit.limit".to_owned(), "8"));
        }
        if let Some(value) = value {
            keys.retain(|(key, _)| key != path);
            keys.push((path.to_owned(), value));
        }
        format!("{}\n", spell(&keys))
    }

    /// Writes paths and values as one flow map.
    fn spell(keys: &[(String, &str)]) -> String {
        let mut members = Vec::new();
        let mut heads: Vec<&str> = keys.iter().map(|(key, _)| key.split('.').next().unwrap_or("")).collect();
        heads.sort_unstable();
        heads.dedup();
        for head in heads {
            let below: Vec<_> = keys
                .iter()
                .filter_map(|(key, value)| {
                    Some((key.strip_prefix(head)?.strip_prefix('.')?.to_owned(), *value))
                })
                .collect();
            let value = keys.iter().find(|(key, _)| key == head).map(|(_, value)| (*value).to_owned());
            let quoted = value.map(|value| if value.starts_with('[') { value } else { format!("'{value}'") });
            let value = quoted.unwrap_or_else(|| spell(&below));
            members.push(match head.strip_suffix("[]") {
                Some(head) => format!("{head}: [{value}]"),
                None => format!("{head}: {value}"),
            });
        }
        format!("{{{}}}", members.join(", "))
    }

    /// Returns the configuration that a document yields, or its diagnostics.
    fn meaning(document: &str) -> String {
        let reading = read("document", document, &NoFiles);
        match reading.config {
            Some(config) => format!("{config:?}"),
            None => format!("{:?}", reading.diagnostics),
        }
    }
}
