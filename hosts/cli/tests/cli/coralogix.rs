//! Runs every query of `examples/coralogix` on entries of the filter, and every query of `otlp` on the same as OTLP logs.
//!
//! The expected number of results changes if a field is no longer emitted.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::common::{list, program, root, word};
use crate::coralogix_otlp::resource_logs;
use crate::coralogix_queries::{alert, at, documents, queries, terraform, widgets};

/// The day of the example findings, at noon.
const NOW: &str = "2026-03-17T12:00:00Z";

/// Findings that the examples lack: successful authentications.
/// They need a custom rule.
const MORE: &str = r#"{"principal":"kubernetes-admin","rule":"admin authentication success","cluster":"prod-eu","verb":"get","id":"a","time":1773735400007}
{"principal":"johnD","rule":"admin authentication success","cluster":"staging-us","verb":"get","id":"b","time":1773735400007}
{"principal":"johnD","rule":"admin authentication failure","cluster":"prod-eu","verb":"get","id":"c","time":1773735400007}
"#;

/// The folders with a set of resources, for entries that arrive by REST and by OTLP.
const SETS: [&str; 2] = ["", "otlp/"];

/// The number of entries that each query finds, with its label filters; the same in both sets.
const FOUND: &[(&str, usize)] = &[
    ("alert kAudit: critical finding", 7),
    ("alert kAudit: admin authentication failures", 2),
    ("alert kAudit: ratio of failed to successful admin authentications, numerator", 2),
    ("alert kAudit: ratio of failed to successful admin authentications, denominator", 3),
    ("alert kAudit: more admin authentication failures than usual", 2),
    ("alert kAudit: new principal", 26),
    ("view kAudit: detections", 9),
    ("view kAudit: incidents", 4),
    ("view kAudit: changes in usage patterns", 3),
    ("view kAudit: policy findings", 22),
    ("view kAudit: counts of policy findings", 4),
    ("view kAudit: activity", 3),
    ("view kAudit: suppressed by rate limits", 1),
    ("view kAudit: repaired by the filter", 4),
    ("metric kaudit_findings", 34),
    ("metric kaudit_suppressed", 1),
    ("widget Findings over time", 39),
    ("widget Findings by cluster", 39),
    ("widget Findings by principal", 39),
    ("widget Policy findings by rule", 22),
    ("widget Detections by type", 9),
    ("widget Detections by confidence", 9),
    ("widget Suppressed over time", 1),
    ("widget Suppressed by key of the limit", 1),
];

/// The endpoint with the entries of the example findings.
struct Endpoint {
    child: Child,
    url: String,
}

impl Endpoint {
    fn start() -> Self {
        let mut child = program()
            .args(["endpoint", "--listen", "127.0.0.1:0", "--now", NOW])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{first}")).to_owned();
        Self { child, url }
    }

    /// Posts lines of entries in the form of a set.
    fn post(&self, set: &str, entries: &[u8]) {
        if set.is_empty() {
            let answer = self.send("/logs/v1/singles", entries);
            assert_eq!(answer["rejected"], 0, "{answer}");
        } else {
            let logs = std::str::from_utf8(entries).unwrap().lines().map(resource_logs);
            let request = json!({"resourceLogs": logs.collect::<Vec<_>>()});
            assert_eq!(self.send("/v1/logs", request.to_string().as_bytes()), json!({}));
        }
    }

    fn send(&self, path: &str, body: &[u8]) -> Value {
        let request = minreq::post(format!("{}{path}", self.url)).with_header("Authorization", "Bearer key");
        let request = request.with_header("Content-Type", "application/json").with_body(body);
        serde_json::from_slice(request.send().unwrap().as_bytes()).unwrap()
    }

    fn search(&self, query: &str) -> Vec<Value> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let answer = minreq::get(format!("{}/entries?{query}", self.url)).send().unwrap();
        let answer: Value = serde_json::from_slice(answer.as_bytes()).unwrap();
        assert_eq!(answer["reasons"], Value::Null, "{query}: {answer}");
        list(&answer["entries"]).map(|received| received["entry"].clone()).collect()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The entries of the example findings, and of some more.
fn entries() -> Vec<u8> {
    let examples = root().join("examples");
    let findings = ["detections", "selections", "selection-counts", "activity"];
    let findings = findings.map(|kind| examples.join(format!("findings/{kind}.ndjson")));
    let mut run = program();
    run.args(["run", "--now", NOW, "--config"]).arg(examples.join("kaudit.yaml")).args(findings).arg("-");
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(MORE.as_bytes()).unwrap();
    // One that has to be truncated.
    let uris = "/api/v1/namespaces/crm/pods ".repeat(2_000);
    writeln!(stdin, "{}", MORE.lines().next().unwrap().replace("\"get\"", &json!(uris).to_string())).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().stdout
}

/// Returns whether the entry has a field of a query.
fn has(entry: &Value, field: &str) -> bool {
    if let Some(label) = field.strip_prefix("label ") {
        return entry.as_object().unwrap().keys().any(|key| key.eq_ignore_ascii_case(label));
    }
    let finding = if entry["logRecord"].is_null() { &entry["text"] } else { entry };
    !at(finding, &format!("/{}", field.replace('.', "/"))).is_null()
}

#[test]
fn every_query_finds_its_entries() {
    for set in SETS {
        let endpoint = Endpoint::start();
        endpoint.post(set, &entries());
        let mut found = Vec::new();
        for (name, query) in queries(set) {
            let entries = endpoint.search(&query.query);
            let entries: Vec<&Value> = entries.iter().filter(|entry| query.accepts(entry)).collect();
            assert!(!entries.is_empty(), "{set}{name} finds nothing");
            for field in &query.fields {
                assert!(entries.iter().any(|entry| has(entry, field)), "{set}{name}: no entry has `{field}`");
            }
            found.push((name, entries.len()));
        }
        let expected: Vec<(String, usize)> =
            FOUND.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(found, expected, "{set}");
    }
}

#[test]
fn every_finding_has_the_group_fields_of_its_widgets() {
    for set in SETS {
        let endpoint = Endpoint::start();
        endpoint.post(set, &entries());
        for (name, query) in widgets(set) {
            let mut entries = endpoint.search(&query.query);
            entries.retain(|entry| entry["subsystemName"] != "kaudit-unrecognised");
            for field in &query.fields {
                let complete = entries.iter().all(|entry| has(entry, field));
                assert!(complete, "{set}{name}: an entry has no `{field}`");
            }
        }
    }
}

/// Returns the priority of an alert of Terraform: its own, or its rule's, as the provider has deprecated both together.
fn priority(alert: &Value) -> &Value {
    let (_, kind) = alert["type_definition"].as_object().unwrap().iter().next().unwrap();
    let own = &alert["priority"];
    match at(kind, "/rules/0/override/priority") {
        Value::Null => own,
        of_rule => {
            assert!(own.is_null(), "`priority` beside `override`: {alert}");
            of_rule
        }
    }
}

#[test]
fn terraform_and_the_operator_have_the_same_resources() {
    SETS.into_iter().for_each(assert_same_resources);
}

fn assert_same_resources(set: &str) {
    let spelt = |name: &str, description: &Value, priority: &Value, kind: &Value| {
        let (queries, settings) = alert(name, kind);
        (name.to_owned(), (description.clone(), word(priority).to_lowercase(), queries, settings))
    };
    let operator: BTreeMap<_, _> = documents(set, "alerts.yaml")
        .iter()
        .map(|document| &document["spec"])
        .map(|spec| spelt(word(&spec["name"]), &spec["description"], &spec["priority"], &spec["alertType"]))
        .collect();
    let terraformed: BTreeMap<_, _> = terraform(set, "coralogix_alert")
        .values()
        .map(|alert| {
            let kind = &alert["type_definition"];
            spelt(word(&alert["name"]), &alert["description"], priority(alert), kind)
        })
        .collect();
    assert_eq!(operator, terraformed);
    assert_eq!(operator.len(), 5);

    let metrics = terraform(set, "coralogix_events2metric");
    let specs = documents(set, "events2metrics.yaml");
    assert_eq!(metrics.len(), specs.len());
    for spec in specs.iter().map(|document| &document["spec"]) {
        let metric = &metrics[word(&spec["name"]).trim_start_matches("kaudit_")];
        let labels = list(&spec["metricLabels"])
            .map(|label| (word(&label["targetLabel"]).to_owned(), label["sourceField"].clone()));
        assert_eq!(metric["name"], spec["name"]);
        assert_eq!(metric["description"], spec["description"]);
        assert_eq!(at(metric, "/logs_query/lucene"), at(spec, "/query/logs/lucene"));
        assert_eq!(at(metric, "/logs_query/subsystems"), at(spec, "/query/logs/subsystemNameFilters"));
        assert_eq!(metric["metric_labels"], Value::Object(labels.collect()));
        let field = at(metric, "/metric_fields/suppressed");
        assert_eq!(at(field, "/source_field"), at(spec, "/metricFields/0/sourceField"));
        // The provider computes the name of an aggregation's metric, and rejects a plan that sets it.
        assert!(field.is_null() || at(field, "/aggregations/sum") == &json!({"enable": true}), "{field}");
    }

    // One dashboard for both.
    let dashboard = &terraform(set, "coralogix_dashboard")["kaudit"]["content_json"];
    assert!(dashboard.to_string().contains("dashboard.json"), "{dashboard}");
    assert_eq!(documents(set, "dashboard.yaml")[0]["spec"]["configMapRef"]["key"], "dashboard.json");
}

#[test]
fn alerts_conform_to_the_operator() {
    for document in SETS.into_iter().flat_map(|set| documents(set, "alerts.yaml")) {
        let spec = &document["spec"];
        assert_eq!(document["apiVersion"], "coralogix.com/v1beta1");
        assert!(["p1", "p2", "p3", "p4", "p5"].contains(&word(&spec["priority"])), "{spec}");
        let kind = spec["alertType"].as_object().unwrap();
        assert_eq!(kind.len(), 1);
        if kind.contains_key("logsImmediate") {
            assert_eq!(spec["groupByKeys"], Value::Null);
        }
        let condition =
            at(&spec["alertType"], &format!("/{}/rules/0/condition", kind.keys().next().unwrap()));
        for key in ["threshold", "minimumThreshold"] {
            assert!(
                condition[key].is_null() || condition[key].is_string(),
                "a threshold is quoted: {condition}"
            );
        }
    }
}

#[test]
fn a_version_tag_is_one_request_without_the_key_as_argument() {
    // A script in place of curl that prints its arguments.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("version-tag");
    fs::create_dir_all(&scratch).unwrap();
    let curl = scratch.join("curl");
    fs::write(&curl, "#!/bin/sh\nprintf '%s\\n' \"$@\"\necho --stdin--\ncat\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&curl).status().unwrap().success());
    let path = format!("{}:{}", scratch.display(), std::env::var("PATH").unwrap());
    let tag = |arguments: &[&str]| {
        let mut script = Command::new("sh");
        script.arg(root().join("examples/coralogix/version-tag.sh")).args(arguments).env("PATH", &path);
        script
            .env("CORALOGIX_DOMAIN", "eu2.coralogix.com")
            .env("CORALOGIX_API_KEY", "secret")
            .output()
            .unwrap()
    };
    let output = tag(&["crm \"4.7.1\"", "prod-eu", "staging us"]);
    let output = String::from_utf8(output.stdout).unwrap();
    let (arguments, stdin) = output.split_once("--stdin--\n").unwrap();
    assert!(!arguments.contains("secret"), "{arguments}");
    assert_eq!(stdin, "header = \"Authorization: Bearer secret\"\n");
    let lines: Vec<&str> = arguments.lines().collect();
    assert_eq!(lines.last(), Some(&"https://api.eu2.coralogix.com/api/v1/external/tags"));
    let body = lines[lines.iter().position(|line| *line == "--data").unwrap() + 1];
    let body: Value = serde_json::from_str(body).unwrap();
    let subsystems = ["kaudit-detections", "kaudit-selections", "kaudit-activity"];
    assert_eq!(
        body,
        json!({"name": "crm \"4.7.1\"", "application": ["prod-eu", "staging us"], "subsystem": subsystems})
    );
    assert_eq!(tag(&["crm"]).status.code(), Some(2));
    for name in ["a\tb", "a\nb"] {
        let refused = tag(&["crm", name]);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{name:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("control character"));
    }
}
