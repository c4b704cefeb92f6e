//! The configurations and pipelines in the `ConfigMaps`, and their copies in other folders.

use std::collections::BTreeMap;

use kaudit_filter::config::{self, Config};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time, Verdict};
use serde_json::Value;

use crate::deployments::deployments;
use crate::files::{at, list, text};
use crate::pod::{Place, Pod, SiblingFiles, without_comments};

#[test]
fn the_configuration_is_read_with_kaudit_s_own_list() {
    let mut configured = 0;
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let Some(volume) = list(at(pod.spec, "/volumes")).find(|volume| volume["name"] == "kaudit-config")
        else {
            assert_eq!(name, "overlays/wasm", "only a module contains its configuration");
            continue;
        };
        let files = pod.files(volume).unwrap();
        let file = match &*name {
            name if name.contains("audit-") || name.contains("audit/") => "audit.yaml",
            "aggregator" | "openshift" => "kaudit-aggregator.yaml",
            _ => "kaudit.yaml",
        };
        let config = read(file, &files);
        assert!(config.integrations.iter().any(|integration| integration.applies), "{name}");
        configured += 1;
    }
    assert_eq!(configured, deployments().len() - 1);
}

/// Reads a configuration among the files beside it.
fn read(file: &str, files: &BTreeMap<String, Place>) -> Config {
    let Place::Text(text) = &files[file] else { panic!("{file}") };
    let reading = config::read(file, text, &SiblingFiles(files));
    let remarks: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
    reading.config.unwrap_or_else(|| panic!("{file}: {remarks:?}"))
}

/// The files of the ConfigMap, with another text as kAudit's list.
fn files_with(list: &str) -> BTreeMap<String, Place> {
    let own = ["kaudit.yaml", "kaudit-aggregator.yaml"];
    let own = own.map(|name| (name.to_owned(), Place::Text(text(&format!("kubernetes/config/{name}")))));
    own.into_iter().chain([("audit-integration".to_owned(), Place::Text(list.to_owned()))]).collect()
}

/// A finding of the integration `selections` of the example.
const FINDING: &str =
    r#"{"principal":"ci-deployer","rule":"exec into pod","cluster":"prod-eu","id":"a","verb":"create"}"#;

/// Returns the verdict for [`FINDING`]: `None`: it is sent; or the reason of its drop.
fn dropped(config: &Config) -> Option<Reason> {
    let mut reason = None;
    let now = Time::from_millis(1_773_748_800_000);
    Filter::new(config, 0).unwrap().process(Record::json(FINDING), now, |verdict| {
        reason = match verdict {
            Verdict::Kept(_) => None,
            Verdict::Dropped(drop) => Some(drop),
            other => panic!("{other:?}"),
        };
    });
    reason
}

#[test]
fn findings_are_sent_at_every_step_of_switching_over() {
    let own = text("kubernetes/config/audit-integration");
    let guide = text("../docs/from-kaudit.md");

    // Tail: the filter's copy runs, also if kAudit's own list is stopped; a copy with `stopped: true` sends nothing.
    assert_eq!(dropped(&read("kaudit.yaml", &files_with(&own))), None);
    let stopped = own.replace("    rate-limit: 10", "    stopped: true\n    rate-limit: 10");
    assert_eq!(dropped(&read("kaudit.yaml", &files_with(&stopped))), Some(Reason::Stopped));
    assert!(guide.contains("`stopped`"), "the guide explains the reason");

    // Aggregator: kAudit's targets are the aggregator.
    let address = "http://kaudit-aggregator.logging:9880/kaudit.http";
    let moved = own.replace("https://ingress.eu2.coralogix.com/logs/v1/singles", address);
    assert_ne!(moved, own);
    assert_eq!(dropped(&read("kaudit-aggregator.yaml", &files_with(&moved))), None);
    assert!(guide.contains(address), "{guide}");
    let Place::Text(text) = &files_with(&moved)["kaudit.yaml"] else { unreachable!() };
    let refused = config::read("kaudit.yaml", text, &SiblingFiles(&files_with(&moved)));
    assert!(refused.config.is_none(), "without `use: all` no integration applies");
}

#[test]
fn copies_equal_the_other_examples() {
    for (copy, original) in [
        ("kubernetes/config/source-kubernetes.yaml", "vector/source-kubernetes.yaml"),
        ("kubernetes/config/singles.yaml", "vector/singles.yaml"),
        ("kubernetes/wasm/agent.conf", "kubernetes/config/agent.conf"),
        ("kubernetes/audit/config/singles.yaml", "vector/singles.yaml"),
        ("kubernetes/audit/config/default.yaml", "../policies/default.yaml"),
        ("kubernetes/audit/config/source-log-file.yaml", "audit/vector/log-file.yaml"),
    ] {
        assert!(text(copy) == text(original), "examples/{copy} differs from examples/{original}");
    }
    let list = text("audit-integration.yaml");
    let (_, list) = list.split_once("audit-integration: |\n").unwrap();
    let list: Vec<&str> = list.lines().map(|line| line.strip_prefix("    ").unwrap_or_default()).collect();
    assert!(
        text("kubernetes/config/audit-integration").lines().eq(list),
        "the list differs from examples/audit-integration.yaml"
    );
    let output = |file: &str| {
        let text = text(file);
        let output = without_comments(&text[text.find("[OUTPUT]").unwrap()..]);
        output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for file in [
        "config/fluent-bit.conf",
        "config/aggregator.conf",
        "wasm/fluent-bit.conf",
        "audit/config/log-file.conf",
        "audit/config/webhook.conf",
    ] {
        assert_eq!(output(&format!("kubernetes/{file}")), output("fluent-bit/tail.conf"), "{file}");
    }
    // The document for audit events, but for the path of the policy.
    let sections = |file: &str| text(file).split_once("\naudit:\n").unwrap().1.to_owned();
    assert!(sections("kubernetes/audit/config/audit.yaml") == sections("audit/audit.yaml"));
}

#[test]
fn inputs_of_audit_events_equal_the_other_examples() {
    let moved = |path: &str| {
        path.replace("/var/lib/fluent-bit/", "/kaudit/state/").replace("/etc/kaudit/tls/", "/kaudit/tls/")
    };
    for name in ["log-file", "webhook"] {
        let example: Value = serde_saphyr::from_str(&text(&format!("audit/fluent-bit/{name}.yaml"))).unwrap();
        let input = example["pipeline"]["inputs"][0].as_object().unwrap();
        let plain = |value: &Value| match value {
            Value::Bool(value) => if *value { "on" } else { "off" }.to_owned(),
            Value::String(text) => moved(text),
            other => other.to_string(),
        };
        let input = input.iter().filter(|(key, _)| *key != "name");
        let expected: BTreeMap<String, String> =
            input.map(|(key, value)| (key.clone(), plain(value))).collect();
        let text = text(&format!("kubernetes/audit/config/{name}.conf"));
        let (_, input) = text.split_once("[INPUT]\n").unwrap();
        let (input, _) = input.split_once("\n\n").unwrap();
        let found: BTreeMap<String, String> = input
            .lines()
            .map(|line| line.trim().split_once(' ').unwrap())
            .filter(|(key, _)| *key != "name")
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Returns the number of emitted findings of one entity with 600 findings a minute, spread evenly over some filters.
fn kept(config: &Config, filters: usize) -> usize {
    let mut filters: Vec<Filter> = (0..filters).map(|_| Filter::new(config, 0).unwrap()).collect();
    let count = filters.len();
    let mut keeps = |number: usize| {
        let now = Time::from_millis(1_773_748_800_000 + i64::try_from(number).unwrap() * 100);
        let mut kept = false;
        let filter = &mut filters[number % count];
        filter.process(Record::json(FINDING), now, |verdict| kept = matches!(verdict, Verdict::Kept(_)));
        kept
    };
    (0..600).filter(|number| keeps(*number)).count()
}

#[test]
fn the_readme_s_figures_of_limits_are_the_engine_s() {
    let config = read("kaudit.yaml", &files_with(&text("kubernetes/config/audit-integration")));
    let readme = text("kubernetes/README.md");
    let figures = [1, 3, 50].map(|filters| {
        let kept = kept(&config, filters);
        format!("| {filters} | {kept} | {} |", 600 - kept)
    });
    assert!(readme.contains(&figures.join("\n")), "README.md has not:\n{}", figures.join("\n"));
}
