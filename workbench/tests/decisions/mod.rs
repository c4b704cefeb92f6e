//! Findings, and the engine's decision for each: the reference for programs in other languages.

use kaudit_filter::Time;
use kaudit_filter::config::Config;
use kaudit_filter::explain::{Explainer, MatchResult, Outcome};
use kaudit_filter::record::Record;
use serde_json::{Map, Value, json};

/// The engine's decision for a record.
pub struct Decision {
    /// The name of the integration that gets the finding.
    pub integration: Option<String>,
    /// The entry, if the record is sent.
    pub entry: Option<Value>,
}

/// Returns a configuration without limits, which depend on earlier findings.
pub fn unlimited(mut config: Config) -> Config {
    config.integrations.iter_mut().for_each(|integration| integration.rate_limit = None);
    config
}

/// Returns the engine's decisions for records that arrive at a time.
pub fn decisions(config: &Config, records: &[String], now_ms: i64) -> Vec<Decision> {
    let mut engine = Explainer::new(config, 1).expect("the configuration is valid");
    let decide = |record: &String| {
        let answers = engine.explain(Record::json(record.as_bytes()), Time::from_millis(now_ms));
        let [explanation] = &answers[..] else { panic!("one verdict: {record}") };
        let matched = explanation.integrations.iter().find(|step| step.result == MatchResult::Matches);
        Decision {
            integration: matched.map(|step| step.name.clone()),
            entry: match &explanation.outcome {
                Outcome::Kept(entry) => Some(serde_json::from_str(entry).unwrap()),
                _ => None,
            },
        }
    };
    records.iter().map(decide).collect()
}

/// Returns the examples, variants of them, and records that are not findings, around a time.
pub fn records(now_ms: i64) -> Vec<String> {
    let mut out: Vec<Value> = Vec::new();
    let examples = [
        include_str!("../../../examples/findings/detections.ndjson"),
        include_str!("../../../examples/findings/selections.ndjson"),
        include_str!("../../../examples/findings/selection-counts.ndjson"),
        include_str!("../../../examples/findings/activity.ndjson"),
    ];
    out.extend(examples.iter().flat_map(|file| file.lines()).map(|line| serde_json::from_str(line).unwrap()));
    assert_eq!(out.len(), 46);
    out.extend(detections());
    out.extend(selections());
    out.extend(activity());
    for (index, record) in out.iter_mut().enumerate() {
        let record = record.as_object_mut().unwrap();
        // Too old, or too far ahead, for some configurations.
        let offset = [60_000, 60_000, 60_000, 20 * 3_600_000, 72 * 3_600_000, -3_600_000][index % 6];
        record.insert("time".to_owned(), json!(now_ms - offset));
    }
    out.extend(secrets(now_ms));
    out.extend(others());
    out.iter().map(Value::to_string).collect()
}

const ENTITIES: [&str; 11] = [
    "johnD",
    "system:node:ip-10-0-0-1",
    "system:serviceaccount:kube-system:builder",
    "system:kube:7",
    "admin",
    "ci-build.1",
    "dev-shop",
    "KUBE-proxy",
    "cost$",
    "it's",
    "card 123-45",
];

fn detections() -> Vec<Value> {
    let mut out = Vec::new();
    for etype in [json!("principal"), json!(" Resource "), json!("cluster"), json!("other"), json!(7)] {
        for category in [
            json!("incident"),
            json!("alcide.category/anomaly"),
            json!("INCIDENT"),
            json!("none"),
            Value::Null,
        ] {
            for confidence in [json!("high"), json!(0), json!("1"), json!("LOW"), json!(true)] {
                let number = out.len();
                let entity = ENTITIES[number % ENTITIES.len()];
                let mut finding =
                    json!({"eid": entity, "etype": etype, "category": category, "confidence": confidence});
                let key = if number % 2 == 0 { "short-doc" } else { "short_doc" };
                finding[key] = json!("Change in usage pattern");
                if number % 3 > 0 {
                    finding["cluster"] = json!(if number % 3 == 1 { "prod-eu" } else { " " });
                }
                if number % 7 == 0 {
                    finding["non-authorized"] = json!("TRUE");
                }
                out.push(finding);
            }
        }
    }
    out.push(json!({"eid": 42, "etype": "principal", "category": "incident", "confidence": "high"}));
    out
}

fn selections() -> Vec<Value> {
    let rules = [
        "exec into pod",
        "pod unsafe",
        "test exec unsafe",
        "role binding change",
        "secrets access",
        "it's a rule",
        "cost $",
        "admin login",
        "",
    ];
    let mut out = Vec::new();
    for entity in ENTITIES.iter().chain(&["", "^x"]) {
        for rule in rules {
            for shape in 0..4 {
                let mut finding = json!({"principal": entity, "rule": rule});
                match shape {
                    0 => finding["verb"] = json!("create"),
                    1 => finding["count"] = json!(3),
                    2 => {
                        finding["id"] = json!("5e1ec7ed");
                        finding["non_authorized"] = json!(true);
                        finding["resource-namespace"] = json!("crm");
                    }
                    _ => {
                        finding["username"] = json!("johnD");
                        finding["verb"] = json!("get");
                        finding["non-authorized"] = json!(false);
                        finding["resource_namespace"] = json!("pay'ments");
                        finding["resource_type"] = json!("pods");
                    }
                }
                if rule.len() % 2 == 0 {
                    finding["cluster"] = json!("staging \"us\" {{1}}");
                }
                out.push(finding);
            }
        }
    }
    out
}

fn activity() -> Vec<Value> {
    let of = |(index, entity): (usize, &&str)| {
        let key = if index % 2 == 0 { "principal" } else { "username" };
        let mut finding = Map::from_iter([(key.to_owned(), json!(entity))]);
        finding.insert("id".to_owned(), json!(format!("id-{index}")));
        finding.insert("verb".to_owned(), json!("list"));
        finding.insert("uri".to_owned(), json!("/api?token=abc&x=1"));
        finding.insert("non_authorized".to_owned(), json!(if index % 3 == 0 { "true" } else { "no" }));
        finding.into()
    };
    ENTITIES.iter().enumerate().map(of).collect()
}

/// Detections with values to redact in `context`, in lists as kAudit writes them, and flattened.
fn secrets(now_ms: i64) -> Vec<Value> {
    let contexts = [
        json!({"context": {"uri": ["token=abc"], "eid": ["123-45"], "caller-ip-country": ["AQ"]}}),
        json!({"context": {"uri": "/x?token=abc&y=1", "eid": "card 123-45"}}),
        json!({"context_uri": "/x?token=abc&y=1", "context_eid": ["123-45"], "uri": ["token=abc"]}),
    ];
    let of = |mut finding: Value| {
        finding["eid"] = json!("card 123-45");
        finding["etype"] = json!("principal");
        finding["category"] = json!("incident");
        finding["confidence"] = json!("high");
        finding["cluster"] = json!("prod-eu");
        finding["time"] = json!(now_ms - 60_000);
        finding
    };
    contexts.into_iter().map(of).collect()
}

fn others() -> Vec<Value> {
    vec![
        json!({"level": "info", "msg": "starting up"}),
        json!({"eid": "", "etype": "principal"}),
        json!({"rule": "exec", "cluster": "prod-eu"}),
        json!({"id": "1", "rule": ""}),
    ]
}
