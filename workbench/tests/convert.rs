//! Conversions to configurations of other agents, in `tests/data/convert`.
//! `NAME.TARGET.yaml` is the result, `NAME.TARGET.txt` the report. `BLESS=1` updates them.

mod decisions;
mod ottl;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kaudit_filter::config::{Config, FileLoader, read};
use kaudit_workbench::convert::{self, Converted, Target};
use kaudit_workbench::migrate::{Input, Refusal};
use ottl::{Pipeline, Record, Value};
use serde_json::json;
use serde_yaml_ng::Value as Yaml;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

struct Folder;

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(here().join("../tests/data/config").join(path)).map_err(|error| error.to_string())
    }
}

fn convert(name: &str, text: &str, target: Target) -> Result<Converted, String> {
    convert::convert(&[Input { name, text }], &Folder, target).map_err(|refusal| match refusal {
        Refusal::Mistakes(report) => report.problems(false),
        Refusal::Other(reason) => reason,
    })
}

fn expect(file: &str, found: &str, failed: &mut Vec<String>) {
    let path = here().join("tests/data/convert").join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    } else if fs::read_to_string(path).unwrap_or_default() != found {
        failed.push(format!("{file} would be:\n{found}"));
    }
}

/// The names of the results, and their inputs.
fn inputs() -> Vec<(&'static str, PathBuf)> {
    vec![
        ("seed-sample", here().join("../tests/data/config/seed-sample.yaml")),
        ("vendor-targets", here().join("../tests/data/config/vendor-targets.yaml")),
        ("example", here().join("../examples/kaudit.yaml")),
        ("example-list", here().join("../examples/audit-integration.yaml")),
        ("older", here().join("tests/data/migrate/older.input.yaml")),
        ("everything", here().join("tests/data/convert/everything.input.yaml")),
    ]
}

#[test]
fn each_configuration_is_converted_to_each_target() {
    let mut failed = Vec::new();
    for (name, path) in inputs() {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        for target in Target::ALL {
            let converted = convert(file, &text, target).unwrap_or_else(|error| panic!("{name}: {error}"));
            let report: Vec<String> = converted.report.iter().map(ToString::to_string).collect();
            let report = report.join("\n") + "\n";
            for secret in ["do-not-repeat-me", "donotrepeatme", "private-key'", "me:secret"] {
                assert!(
                    !(converted.text.clone() + &report).to_lowercase().contains(secret),
                    "{name}: {secret}"
                );
            }
            expect(&format!("{name}.{}.yaml", target.name()), &converted.text, &mut failed);
            expect(&format!("{name}.{}.txt", target.name()), &report, &mut failed);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// 2026-03-17T10:00:00Z
const NOW_MS: i64 = 1_773_741_600_000;

fn text_of(name: &str, path: &Path, target: Target) -> String {
    let text = fs::read_to_string(path).unwrap();
    convert(name, &text, target).unwrap_or_else(|error| panic!("{name}: {error}")).text
}

#[test]
fn the_statements_decide_as_the_engine_does() {
    let records = decisions::records(NOW_MS);
    let mut redacted = 0;
    for (name, path) in inputs() {
        let yaml: Yaml = serde_yaml_ng::from_str(&text_of(name, &path, Target::Otelcol)).unwrap();
        let pipeline = Pipeline::read(&yaml);
        let config = read(name, &fs::read_to_string(&path).unwrap(), &Folder).config.unwrap();
        let config = decisions::unlimited(config);
        let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
        for (text, decision) in records.iter().zip(decisions::decisions(&config, &records, NOW_MS)) {
            let lines = [Value::Text(text.clone()), Value::of_json(&serde_json::from_str(text).unwrap())];
            for body in lines {
                let record =
                    Record { body: Some(body), severity_text: "stdout".to_owned(), ..Record::default() };
                let (kept, errors) = pipeline.process(record, NOW_MS * 1_000_000);
                assert_eq!(errors, Vec::<String>::new(), "{name}: {text}");
                let found = kept.as_ref().map(of_record);
                let expected =
                    decision.entry.as_ref().map(|entry| of_entry(entry, decision.integration.as_deref()));
                assert_eq!(found, expected, "{name}: {text}");
                if let (Some(record), Some(entry), Some(_)) = (&kept, &decision.entry, &decision.integration)
                {
                    let found = context(record.body.as_ref().unwrap());
                    redacted += usize::from(found.values().any(|value| format!("{value:?}").contains("***")));
                    let expected = overwritten(context(&Value::of_json(&finding_of(entry))), &config);
                    assert_eq!(found, expected, "{name}: {text}");
                }
                if let Some(record) = kept {
                    assert!(
                        !record.attributes.keys().any(|key| key.starts_with("kaudit.field")),
                        "{name}: {record:?}"
                    );
                }
            }
            *verdicts
                .entry(format!("{:?} {}", decision.integration, decision.entry.is_some()))
                .or_default() += 1;
        }
        assert!(verdicts.len() > 2, "{name}: {verdicts:?}");
    }
    assert!(redacted > 5, "{redacted}");
}

/// Returns the finding in an entry.
fn finding_of(entry: &serde_json::Value) -> serde_json::Value {
    entry["text"].as_str().map_or_else(|| entry["text"].clone(), |text| serde_json::from_str(text).unwrap())
}

/// Returns the members of a finding that have its context, with keys in one spelling.
fn context(finding: &Value) -> BTreeMap<String, Value> {
    let Value::Map(members) = finding else { panic!("{finding:?}") };
    let mut out = BTreeMap::new();
    for (key, value) in members.iter().filter(|(key, _)| key.starts_with("context")) {
        match value {
            Value::Map(members) => {
                out.extend(members.iter().map(|(key, value)| (format!("context_{key}"), value.clone())));
            }
            value => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    out.into_iter().map(|(key, value)| (key.replace('-', "_"), value)).collect()
}

/// Overwrites the lists of a context that redactions name.
fn overwritten(mut context: BTreeMap<String, Value>, config: &Config) -> BTreeMap<String, Value> {
    for rule in &config.redact {
        let key = format!("context_{}", rule.field.replace('-', "_"));
        if let Some(value @ Value::List(_)) = context.get_mut(&key) {
            *value = Value::List(vec![Value::Text(rule.replacement.clone())]);
        }
    }
    context
}

#[test]
fn a_list_in_the_context_is_overwritten_whole() {
    let text =
        text_of("everything", &here().join("tests/data/convert/everything.input.yaml"), Target::Otelcol);
    let pipeline = Pipeline::read(&serde_yaml_ng::from_str(&text).unwrap());
    for (value, expected) in [
        (json!(["/a", "/b?token=abc&c=1"]), json!(["token=$1"])),
        (json!([["/b?token=abc"], {"a": "token=abc"}]), json!(["token=$1"])),
        (json!({"a": ["token=abc"]}), json!(["token=$1"])),
        (json!("/b?token=abc&c=1"), json!("/b?token=$1&c=1")),
        (json!(7), json!(7)),
    ] {
        for (finding, at) in [
            (json!({"context": {"uri": value}}), "/context/uri"),
            (json!({"context_uri": value}), "/context_uri"),
            (json!({"uri": value}), "/uri"),
        ] {
            let mut finding = finding;
            finding["eid"] = json!("x");
            finding["etype"] = json!("principal");
            finding["time"] = json!(NOW_MS);
            let mut wanted = finding.clone();
            *wanted.pointer_mut(at).unwrap() = expected.clone();
            let record = Record { body: Some(Value::of_json(&finding)), ..Record::default() };
            let (kept, errors) = pipeline.process(record, NOW_MS * 1_000_000);
            assert_eq!(errors, Vec::<String>::new(), "{finding}");
            assert_eq!(kept.unwrap().body, Some(Value::of_json(&wanted)), "{finding}");
        }
    }
}

const LABELS: [&str; 4] = ["category", "className", "methodName", "threadId"];

/// Returns the integration, severity, names, labels and time of a record.
fn of_record(record: &Record) -> serde_json::Value {
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let is_finding = record.attributes.contains_key("kaudit.type");
    json!({
        "integration": text(record.attributes.get("kaudit.integration")),
        "number": record.severity_number,
        "severity": is_finding.then_some(&record.severity_text),
        "application": text(record.resource.get("cx.application.name")),
        "subsystem": text(record.resource.get("cx.subsystem.name")),
        "labels": LABELS.map(|name| text(record.attributes.get(name))),
        "time": is_finding.then_some(record.time_ns / 1_000_000),
    })
}

/// Returns the same of the engine's entry.
fn of_entry(entry: &serde_json::Value, integration: Option<&str>) -> serde_json::Value {
    let severity = usize::try_from(entry["severity"].as_u64().unwrap()).unwrap();
    let names = ["", "DEBUG", "VERBOSE", "INFO", "WARN", "ERROR", "CRITICAL"];
    let number = [0, 5, 5, 9, 13, 17, 21][severity];
    let is_finding = integration.is_some();
    json!({
        "integration": integration,
        "number": number,
        "severity": is_finding.then_some(names[severity]),
        "application": entry["applicationName"],
        "subsystem": entry["subsystemName"],
        "labels": LABELS.map(|name| entry.get(name)),
        "time": is_finding.then_some(&entry["timestamp"]),
    })
}

fn schema(file: &str) -> jsonschema::Validator {
    let text = fs::read_to_string(here().join("tests/data/convert").join(file)).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn assert_valid(name: &str, schema: &jsonschema::Validator, yaml: &Yaml) {
    let value = serde_json::to_value(yaml).unwrap();
    let errors: Vec<String> =
        schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
}

#[test]
fn the_results_have_the_schema_of_the_agents() {
    let (collector, vector) = (schema("otelcol.schema.json"), schema("vector.schema.json"));
    for (name, path) in inputs() {
        let yaml = |target| -> Yaml { serde_yaml_ng::from_str(&text_of(name, &path, target)).unwrap() };
        assert_valid(name, &collector, &yaml(Target::Otelcol));
        let chart = yaml(Target::OtelIntegration);
        assert_valid(name, &collector, &chart["opentelemetry-agent"]["config"]);
        assert_valid(name, &vector, &yaml(Target::Vrl));
    }
}

#[test]
fn the_charts_values_are_the_configuration_as_templates() {
    for (name, path) in inputs() {
        let configuration: Yaml = serde_yaml_ng::from_str(&text_of(name, &path, Target::Otelcol)).unwrap();
        let values = text_of(name, &path, Target::OtelIntegration);
        let rendered =
            values.replace("{{ .Values.global.domain }}", "example.com").replace("{{ \"{{\" }}", "{{");
        let values: Yaml = serde_yaml_ng::from_str(&rendered).unwrap();
        let values = &values["opentelemetry-agent"]["config"];
        assert_eq!(values["processors"], configuration["processors"], "{name}");
        assert_eq!(values["service"]["pipelines"], configuration["service"]["pipelines"], "{name}");
        assert_eq!(values["exporters"]["coralogix/kaudit"]["domain"].as_str(), Some("example.com"));
    }
}

#[test]
fn two_braces_are_text_in_the_charts_values() {
    let text = "coralogix: {application-name: \"{{{{a}}\"}
integrations:
  - {type: detections, target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}}
";
    let values = convert("a.yaml", text, Target::OtelIntegration).unwrap().text;
    assert!(values.contains(r#"set(log.attributes["cx.application.name"], "{{ "{{" }}a}")"#), "{values}");
}

#[test]
fn the_shape_is_reported_as_it_is_sent() {
    let singles = "partly: entries are sent to /logs/v1/singles";
    let unused = "unused: the exporter sends OTLP; the body is the finding";
    for (shape, target, expected) in [
        ("singles", Target::Vrl, "converted: the path of the sink"),
        ("bulk", Target::Vrl, singles),
        ("otlp", Target::Vrl, singles),
        ("singles", Target::Otelcol, unused),
        ("bulk", Target::Otelcol, unused),
        ("otlp", Target::Otelcol, "converted: the exporter sends OTLP"),
        ("otlp", Target::OtelIntegration, "converted: the exporter sends OTLP"),
    ] {
        let path = if shape == "otlp" { "v1/logs" } else { "logs/v1/singles" };
        let text = format!(
            "coralogix: {{shape: {shape}}}\nintegrations:\n  - {{type: detections, target: {{target-type: http-api, \
             http-api-uri: \"https://ingress.eu2.coralogix.com/{path}\"}}}}\n"
        );
        let converted = convert("a.yaml", &text, target).unwrap();
        let line = converted.report.iter().find(|line| line.path == "coralogix.shape").unwrap();
        assert_eq!(line.to_string(), format!("a.yaml:1: coralogix.shape: {expected}"), "{target:?}");
    }
}

#[test]
fn line_breaks_of_yaml_1_1_are_escaped() {
    let text = "coralogix: {application-name: \"a\\u2028b\\u2029c\\u00a0d\"}
redact: [{field: uri, pattern: \"x\\u2028\", replacement: \"\\u0085\"}]
integrations:
  - {type: detections, target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}}
";
    for (target, escaped) in [
        (Target::Otelcol, r"a\u2028b\u2029c\u00a0d"),
        (Target::OtelIntegration, r"a\u2028b\u2029c\u00a0d"),
        (Target::Vrl, r"a\u{2028}b\u{2029}c\u{a0}d"),
    ] {
        let converted = convert("a.yaml", text, target).unwrap().text;
        assert!(converted.contains(escaped), "{converted}");
        assert!(!converted.contains(['\u{2028}', '\u{2029}', '\u{85}']), "{converted}");
    }
}

#[test]
fn what_cannot_be_converted_is_an_error_with_its_position() {
    let list = |filter: &str| {
        format!(
            "# A list.\n- type: detections\n  target: {{target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}}\n  data-filter:\n    entity-match: {filter}\n"
        )
    };
    let error = convert("list.yaml", &list("'[a-z&&[^b]]'"), Target::Otelcol).unwrap_err();
    assert!(error.starts_with("list.yaml:5: integrations[0].data-filter.entity-match: "), "{error}");
    assert!(error.contains("an operation on classes"), "{error}");
    let error = convert("list.yaml", &list("'(a'"), Target::Vrl).unwrap_err();
    assert!(error.contains("list.yaml:5:"), "{error}");
    let policy = fs::read_to_string(here().join("tests/data/migrate/policy.input.yaml")).unwrap();
    let error = convert("policy.yaml", &policy, Target::Otelcol).unwrap_err();
    assert!(error.starts_with("policy.yaml: not converted: only the filter evaluates a policy"), "{error}");
}

#[test]
fn a_policy_is_lost_and_its_events_are_dropped() {
    let rules = fs::read_to_string(here().join("tests/data/migrate/policy.input.yaml")).unwrap();
    let integrations = fs::read_to_string(here().join("../examples/audit-integration.yaml")).unwrap();
    let both =
        [Input { name: "list.yaml", text: &integrations }, Input { name: "policy.yaml", text: &rules }];
    let converted = convert::convert(&both, &Folder, Target::Otelcol).unwrap();
    let lost = converted.report.iter().find(|line| line.path == "audit-policy").unwrap();
    assert!(lost.to_string().starts_with("policy.yaml:"), "{lost}");
    let pipeline = Pipeline::read(&serde_yaml_ng::from_str(&converted.text).unwrap());
    let event = json!({"kind": "Event", "auditID": "a", "verb": "get"});
    let record = Record { body: Some(Value::of_json(&event)), ..Record::default() };
    assert!(pipeline.process(record, NOW_MS * 1_000_000).0.is_none());
}

#[test]
fn every_valid_configuration_is_converted() {
    let mut converted = 0;
    for file in fs::read_dir(here().join("../tests/data/config")).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let valid = read(name, &text, &Folder).config.is_some();
        for target in Target::ALL {
            match convert(name, &text, target) {
                Ok(result) => {
                    assert!(valid, "{name} has errors, but was converted");
                    let yaml: Yaml = serde_yaml_ng::from_str(&result.text).unwrap();
                    if target == Target::Otelcol {
                        Pipeline::read(&yaml);
                    }
                    converted += 1;
                }
                Err(error) => assert!(
                    !error.is_empty() && (!valid || error.contains("cannot be converted")),
                    "{name}: {error}"
                ),
            }
        }
    }
    assert!(converted > 40, "only {converted} were converted");
}
