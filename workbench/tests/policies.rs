//! The default policy: its own tests, a quiet cluster, and attacks.
//!
//! `policies/tests/rules.yaml` and `quiet.yaml` are tests of `kaudit-filter test`; `attacks.yaml` contains events with the
//! ids of rules that each select at least one of them.

use std::fs;
use std::path::Path;

use kaudit_filter::config::{Config, FileLoader, ReadResult, read};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict};
use kaudit_workbench::suite::{self, Coverage, Suite};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value};

/// Loads the files of `policies/`.
struct Policies;

impl FileLoader for Policies {
    fn load(&self, name: &str) -> Result<String, String> {
        fs::read_to_string(folder().join(name)).map_err(|error| error.to_string())
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// A configuration that sends every selection of the default policy.
fn config() -> Config {
    let text = "policy-file: default.yaml\nuse: all\nintegrations:\n- {type: selections, target: {target-type: slack, \
                slack-uri: 'https://example.com'}}\n";
    let ReadResult { config, diagnostics, .. } = read("kaudit.yaml", text, &Policies);
    let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    config.expect("no error")
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Mapping(members) => {
            let members = members.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json(value)));
            Value::Object(members.collect())
        }
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::FloatingPoint(value)) => value.into_inner().into(),
        Yaml::Value(Scalar::String(text)) => text.to_string().into(),
        other => panic!("{other:?} is not expected here"),
    }
}

/// A file of cases.
struct Cases {
    bases: Map<String, Value>,
    cases: Vec<Value>,
}

impl Cases {
    fn read(name: &str) -> Self {
        let text = fs::read_to_string(folder().join("tests").join(name)).unwrap();
        let documents = Yaml::load_from_str(&text).unwrap();
        let mut file = json(&documents[0]);
        let bases = file["bases"].take();
        let cases = file["cases"].take();
        Self { bases: bases.as_object().unwrap().clone(), cases: cases.as_array().unwrap().clone() }
    }

    /// Returns an event: the members of `event`, and the members of the base that it does not replace.
    fn event(&self, case: &Value) -> Value {
        let mut event = case.get("base").map_or_else(
            || Value::Object(Map::new()),
            |base| self.bases.get(base.as_str().unwrap()).unwrap_or_else(|| panic!("no base {base}")).clone(),
        );
        for (key, value) in case["event"].as_object().into_iter().flatten() {
            event[key] = value.clone();
        }
        event
    }
}

/// Returns the ids of the rules that select an event, in the order of the policy.
fn selected(config: &Config, event: &Value) -> Vec<u64> {
    let mut filter = Filter::new(config, 7).expect("small patterns");
    let mut ids = Vec::new();
    let now = Time::from_millis(1_767_323_046_000);
    filter.process(Record::json(&event.to_string()), now, |verdict| match verdict {
        Verdict::Kept(entry) => {
            let mut text = Vec::new();
            entry.write_text(&mut text);
            let text: Value = serde_json::from_slice(&text).expect("JSON");
            let id = text["kaudit_filter"]["rule"]["id"].as_str();
            ids.push(id.unwrap_or_else(|| panic!("no selection: {text:#}")).parse().unwrap());
        }
        Verdict::Dropped(_) => (),
        verdict => panic!("{verdict:?}"),
    });
    ids
}

/// Stratus Red Team's techniques that audit events show.
const TECHNIQUES: &[&str] = &[
    "k8s.credential-access.dump-secrets",
    "k8s.credential-access.steal-serviceaccount-token",
    "k8s.persistence.create-admin-clusterrole",
    "k8s.persistence.create-client-certificate",
    "k8s.persistence.create-token",
    "k8s.privilege-escalation.hostpath-volume",
    "k8s.privilege-escalation.nodes-proxy",
    "k8s.privilege-escalation.privileged-pod",
    "eks.persistence.backdoor-aws-auth-configmap",
];

fn expected(case: &Value) -> Vec<u64> {
    case["expect"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

#[test]
fn each_case_is_selected_by_its_rules() {
    let config = config();
    let mut coverage = Coverage::default();
    for name in ["rules.yaml", "quiet.yaml"] {
        let text = fs::read_to_string(folder().join("tests").join(name)).unwrap();
        let suite = Suite::read(name, &text, &Policies).unwrap();
        let results = suite.run(&config, &mut coverage).unwrap();
        assert!(results.len() > 50, "{name}");
        let passed = results.iter().all(|result| result.differences.is_empty());
        assert!(passed, "{}", suite::text(&results, false));
    }
    let coverage = coverage.text("the default policy", &config, true);
    let reported = config.audit.unwrap().policy.rules.into_iter().filter(|rule| rule.status).count();
    assert!(coverage.contains(&format!("{reported} of {reported} select an event")), "{coverage}");
}

#[test]
fn each_attack_is_selected() {
    let config = config();
    let cases = Cases::read("attacks.yaml");
    let mut failures = Vec::new();
    for technique in TECHNIQUES {
        assert!(cases.cases.iter().any(|case| case["technique"] == *technique), "no case of {technique}");
    }
    for case in &cases.cases {
        let events = case["events"].as_array().unwrap();
        let found: Vec<u64> =
            events.iter().flat_map(|event| selected(&config, &cases.event(event))).collect();
        let missing: Vec<u64> = expected(case).into_iter().filter(|id| !found.contains(id)).collect();
        if !missing.is_empty() || found.is_empty() {
            failures.push(format!("{}: {missing:?} missing in {found:?}", case["technique"]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
