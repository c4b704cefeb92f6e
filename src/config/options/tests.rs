//! Tests of the option table against the reader.

use super::{OPTIONS, OptionSpec, TARGET_TYPE, UNUSED};
use crate::config::{BOOLEANS, Code, Diagnostic, FileLoader, Level, OptionType, ReadResult, read};
use crate::finding::Kind;

/// For every option, a value that is not its default.
const NON_DEFAULTS: &[(&str, &str)] = &[
    ("coralogix.application-name", "a"),
    ("coralogix.subsystem-name", "a"),
    ("coralogix.computer-name", "a"),
    ("coralogix.shape", "bulk"),
    ("coralogix.text", "string"),
    ("coralogix.keys", "snake"),
    ("policy", "[{id: 1, name: a, conditions: [{field: verb, match-op: '=', match-value: get}]}]"),
    ("audit.source", "gke"),
    ("audit.stages", "Panic"),
    ("audit.caller-ip", "last"),
    ("audit.trusted-proxies", "[10.0.0.0/8]"),
    ("audit.cluster", "a"),
    ("detect.learning", "2h"),
    ("detect.lateness", "5m"),
    ("detect.max-series", "1000"),
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

/// The value of each required option in the documents of the tests.
const REQUIRED: &[(&str, &str)] = &[
    ("severity[].severity", "info"),
    ("redact[].field", "b"),
    ("redact[].pattern", "b"),
    ("integrations[].target.rate-limit.limit", "8"),
    ("integrations[].target.http-api-uri", "https://ingress.coralogix.com/logs/v1/bulk"),
];

/// A loader whose every file is a list of integrations.
struct AnyFile;

impl FileLoader for AnyFile {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok("- {type: activity, target: {target-type: http-api, http-api-uri: 'https://coralogix.com'}}"
            .to_owned())
    }
}

#[test]
fn defaults_are_what_reading_nothing_gives() {
    for (option, default) in OPTIONS.iter().filter_map(|option| Some((option, option.default?))) {
        // These sections have an effect even if they are empty.
        let section = OPTIONS
            .iter()
            .find(|section| matches!(section.path, "audit" | "detect") && is_below(option.path, section));
        let plain = section.map_or_else(|| document(option, None), |section| document(section, Some("{}")));
        let stated = document(option, Some(&default.to_string()));
        assert_eq!(meaning(&plain), meaning(&stated), "{}: {plain}{stated}", option.path);
    }
}

#[test]
fn every_option_has_its_effect() {
    for option in OPTIONS {
        let section = OPTIONS.iter().any(|other| other.path != option.path && is_below(other.path, option));
        let elsewhere =
            ["integrations-file", "policy-file", "integrations[].target.target-type"].contains(&option.path);
        let Some((_, other)) = NON_DEFAULTS.iter().find(|(path, _)| *path == option.path) else {
            assert!(section || elsewhere || option.help == UNUSED, "no value is known of {}", option.path);
            continue;
        };
        let (plain, stated) = (document(option, None), document(option, Some(other)));
        assert_ne!(meaning(&plain), meaning(&stated), "{}: {plain}{stated}", option.path);
    }
}

#[test]
fn every_path_is_there_once_and_below_its_parent() {
    let kinds_and_targets = [Kind::NAMES, TARGET_TYPE.names()].concat();
    for (index, option) in OPTIONS.iter().enumerate() {
        let (parent, _) = option.split();
        let parent = parent.trim_end_matches("[]");
        let before = OPTIONS.iter().take(index);
        assert!(parent.is_empty() || before.clone().any(|other| other.path == parent), "{}", option.path);
        assert!(!before.clone().any(|other| other.path == option.path), "{} twice", option.path);
        assert!(option.help.ends_with('.') && !option.help.contains("required"), "{}", option.path);
        assert!(option.only.iter().all(|name| kinds_and_targets.contains(name)), "{}", option.path);
    }
}

/// The reader accepts each end of a range and each name, and rejects values beyond, with an error that names the limits.
#[test]
fn the_reader_has_the_limits_of_the_table() {
    let (mut accepted, mut rejected) = (0, 0);
    // `policy-file` is of the same type as `integrations-file`, the only file that the loader has.
    for option in OPTIONS.iter().filter(|option| option.path != "policy-file") {
        for (value, is_allowed) in samples(option.value) {
            let mut keys = keys(option, Some(&value));
            if option.path != "use" {
                // Not every target is one of Coralogix's.
                keys.push(("use".to_owned(), "all".to_owned()));
            }
            let ReadResult { config, diagnostics } = read("x", &spell(&keys), &AnyFile);
            let path = option.path.replace("[]", "[0]").replace('*', "x");
            if is_allowed {
                assert!(config.is_some(), "{path} rejects {value}: {diagnostics:?}");
                accepted += 1;
                continue;
            }
            let is_its_error =
                |found: &&Diagnostic| found.level() == Level::Error && found.path().starts_with(&path);
            let errors: Vec<&Diagnostic> = diagnostics.iter().filter(is_its_error).collect();
            let [error] = errors[..] else { panic!("{path}, {value}: {diagnostics:?}") };
            assert!(states_the_limits(option.value, error), "{path} of {value}: {error}");
            rejected += 1;
        }
    }
    assert!(accepted > 150 && rejected > 150, "{accepted} accepted, {rejected} rejected");
}

/// Returns values on both sides of each limit of a type, and whether they are allowed.
fn samples(value: OptionType) -> Vec<(String, bool)> {
    let text = |text: &str, allowed| (text.to_owned(), allowed);
    // Lengths are in characters, so these have two bytes.
    let long = |chars| "é".repeat(chars);
    match value {
        OptionType::Boolean => {
            let names = BOOLEANS.iter().flat_map(|(name, _)| [text(name, true), (name.to_uppercase(), true)]);
            names
                .chain([text("maybe", false), text("1", false), text("[]", false), text("~", false)])
                .collect()
        }
        OptionType::Integer { min, max, .. } | OptionType::IntegerOrMap { min, max } => vec![
            (min.to_string(), true),
            (max.to_string(), true),
            (format!(" {min} "), true),
            ((min - 1).to_string(), false),
            ((max + 1).to_string(), false),
            (format!("{min}.5"), false),
            text("-1", false),
            text("~", false),
        ],
        OptionType::Duration { min, max, .. } => {
            let (min, max) = (min / 1_000_000, max / 1_000_000);
            vec![
                (format!("{min}ms"), true),
                (format!("{max}ms"), true),
                (format!("{}ms", min - 1), false),
                (format!("{}ms", max + 1), false),
                ("99999999999999999d".to_owned(), false),
                (max.to_string(), false),
            ]
        }
        OptionType::Enum(names) | OptionType::EnumList(names) => {
            let known = names.names.iter().chain(names.aliases).map(|name| text(name, true));
            let upper = names.names.iter().map(|name| (name.to_uppercase(), names.any_case));
            let mut others = vec![text("unheard-of", false), text("", false)];
            if matches!(value, OptionType::EnumList(_)) {
                others.push((format!("[{}]", names.names.join(", ")), true));
                others.push(text("[unheard-of]", false));
            } else {
                others.push((format!("[{}]", names.names.join(", ")), false));
            }
            known.chain(upper).chain(others).collect()
        }
        OptionType::Pattern | OptionType::FileName => {
            vec![text("a", true), text("", false), text("[]", false)]
        }
        OptionType::Template { max_chars, may_be_empty } => vec![
            (long(max_chars), true),
            (long(max_chars + 1), false),
            text("", may_be_empty),
            text(" ", may_be_empty),
            text("[]", false),
        ],
        OptionType::Text => vec![text("", true), text("a", true), text("[a]", false)],
        OptionType::FieldName => {
            vec![text("a.0", true), text("0", false), text("0_1.2", false), text("", false)]
        }
        OptionType::Uri => vec![text("http://a", true), text("ftp://a", false), text("", false)],
        OptionType::IntegrationName { max_chars } => vec![
            (long(max_chars), true),
            (long(max_chars + 1), false),
            text("a_b-c d", true),
            text("a.b", false),
            text(" ", false),
        ],
        OptionType::IntegrationNames => vec![text("all", true), text("a", false), text("[[]]", false)],
        OptionType::Paths { max_items, max_keys, max_key_bytes } => {
            let items = |count| (0..count).map(|item| format!("k{item}")).collect::<Vec<_>>().join(", ");
            vec![
                text("[]", true),
                (format!("[{}]", items(max_items)), true),
                (format!("[{}]", items(max_items + 1)), false),
                (format!("[{}]", vec!["a"; max_keys].join(".")), true),
                (format!("[{}]", vec!["a"; max_keys + 1].join(".")), false),
                (format!("[{}]", "a".repeat(max_key_bytes)), true),
                (format!("[{}]", "a".repeat(max_key_bytes + 1)), false),
                text("a", false),
                text("~", false),
            ]
        }
        OptionType::Networks => vec![
            text("[10.0.0.0/8, '2001:db8::/32']", true),
            text("[]", true),
            text("[10.0.0.1/8]", false),
            text("[a]", false),
            text("10.0.0.0/8", false),
        ],
        OptionType::Rules => vec![text("{}", false), text("a", false), text("[a]", false)],
        OptionType::Map => vec![text("{}", true), text("~", true), text("[]", false), text("a", false)],
        OptionType::MapList => vec![text("[]", true), text("~", true), text("{}", false), text("[a]", false)],
        OptionType::Integrations => vec![text("{}", false), text("a", false)],
        OptionType::Target => vec![text("a", false), text("~", false)],
    }
}

/// Whether an error names the allowed values.
fn states_the_limits(value: OptionType, error: &Diagnostic) -> bool {
    let text = format!("{}; {}", error.message(), error.help());
    match (error.code(), value) {
        // The help is another option.
        (Code::ZeroLimit, OptionType::Integer { .. } | OptionType::IntegerOrMap { .. }) => true,
        // A type that is nearly one of them is answered with that one.
        (Code::TargetType, OptionType::Enum(names)) => {
            text.contains("did you mean") || names.names.iter().all(|name| text.contains(name))
        }
        // An item of a list.
        (_, OptionType::Paths { max_items, max_keys, max_key_bytes }) if text.contains("at most") => {
            [max_items, max_keys, max_key_bytes].iter().any(|max| text.contains(&format!("at most {max}")))
        }
        // An item of a list, such as an address within a network.
        (Code::Value, OptionType::Networks) => text.contains("network"),
        (Code::Shape, OptionType::MapList | OptionType::Rules) if error.path().ends_with(']') => {
            text.contains("expected a map")
        }
        _ => text.contains(&format!("expected {value}")),
    }
}

/// The reader reports the absence of the required options, and of no other.
#[test]
fn required_is_what_the_reader_requires() {
    for option in OPTIONS {
        let (map, key) = option.split();
        let mut keys = required(option);
        keys.retain(|(path, _)| !is_below(path, option));
        if !map.is_empty() && !keys.iter().any(|(path, _)| path.starts_with(map)) {
            keys.push((map.to_owned(), "{}".to_owned()));
        }
        let text = spell(&keys);
        let diagnostics = read("x", &text, &AnyFile).diagnostics;
        let missing: Vec<_> = diagnostics
            .iter()
            .filter(|found| found.code() == Code::Missing)
            .map(|found| (found.message().to_owned(), found.help().to_owned()))
            .collect();
        let expected = (format!("`{key}` is missing"), format!("expected {}", option.value));
        let expected = if option.required { vec![expected] } else { Vec::new() };
        assert_eq!(missing, expected, "{}: {text}", option.path);
    }
}

/// Returns the required options of the maps that contain an option, and the required options of an integration, with values.
fn required(option: &OptionSpec) -> Vec<(String, String)> {
    let only = option.only.first();
    let kind = only.filter(|only| Kind::NAMES.contains(only)).unwrap_or(&"detections");
    let target = only.filter(|only| TARGET_TYPE.names().contains(only)).unwrap_or(&"http-api");
    let is_used = |other: &&OptionSpec| {
        let (map, _) = other.split();
        let list = map.starts_with("integrations[]");
        let contains = option.path.starts_with(&format!("{map}."));
        other.required
            && (contains || list && !map.ends_with("rate-limit"))
            && (other.only.is_empty() || other.only.contains(target))
            && other.value != OptionType::Target
            && !(list && option.path == "integrations-file")
    };
    let value = |path: &str| match path {
        "integrations[].type" => kind,
        "integrations[].target.target-type" => target,
        _ => REQUIRED.iter().find(|(other, _)| *other == path).map(|(_, value)| value).expect(path),
    };
    let used = OPTIONS.iter().filter(is_used);
    used.map(|other| (other.path.to_owned(), (*value(other.path)).to_owned())).collect()
}

/// Whether a path is the path of an option, or below it.
fn is_below(path: &str, option: &OptionSpec) -> bool {
    path.strip_prefix(option.path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Returns the required options, and the value of an option if it is given.
fn keys(option: &OptionSpec, value: Option<&str>) -> Vec<(String, String)> {
    let mut keys = required(option);
    if let Some(value) = value {
        keys.retain(|(path, _)| !is_below(path, option));
        if option.path == "integrations[].target.target-type" && value != "http-api" {
            keys.retain(|(path, _)| path != "integrations[].target.http-api-uri");
        }
        keys.push((option.path.replace('*', "x"), value.to_owned()));
    }
    keys
}

/// Returns a document with these keys.
fn document(option: &OptionSpec, value: Option<&str>) -> String {
    format!("{}\n", spell(&keys(option, value)))
}

/// Writes paths and values as one flow map: lists, `{}` and `~` as YAML, other values as text.
fn spell(keys: &[(String, String)]) -> String {
    let mut members = Vec::new();
    let mut heads: Vec<&str> = keys.iter().map(|(key, _)| key.split('.').next().unwrap_or("")).collect();
    heads.sort_unstable();
    heads.dedup();
    for head in heads {
        let below: Vec<_> = keys
            .iter()
            .filter_map(|(key, value)| {
                Some((key.strip_prefix(head)?.strip_prefix('.')?.to_owned(), value.clone()))
            })
            .collect();
        let value = keys.iter().find(|(key, _)| key == head).map(|(_, value)| value.clone());
        let is_yaml = |value: &str| value.starts_with('[') || ["{}", "~"].contains(&value);
        let value = value.map(|value| if is_yaml(&value) { value } else { format!("'{value}'") });
        let value = value.unwrap_or_else(|| spell(&below));
        members.push(match head.strip_suffix("[]") {
            Some(head) => format!("{head}: [{value}]"),
            None => format!("{head}: {value}"),
        });
    }
    format!("{{{}}}", members.join(", "))
}

/// Returns the configuration that a document yields, or its diagnostics.
fn meaning(document: &str) -> String {
    let ReadResult { config, diagnostics } = read("document", document, &AnyFile);
    match config {
        Some(config) => format!("{config:?}"),
        None => format!("{diagnostics:?}"),
    }
}
