//! Programs that `kaudit-filter migrate --to vrl` writes, compiled and run: each gives the engine's decision and entry.

#[path = "../../../workbench/tests/decisions/mod.rs"]
mod decisions;

use std::collections::BTreeMap;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::config::{FileLoader, read};
use kaudit_workbench::convert::{Target, convert};
use kaudit_workbench::migrate::Input;
use serde_json::Value as Json;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{Program, TargetValue, TimeZone, compile};
use vrl::diagnostic::Formatter;
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

const INPUTS: [&str; 6] = [
    "tests/data/config/seed-sample.yaml",
    "tests/data/config/vendor-targets.yaml",
    "examples/kaudit.yaml",
    "examples/audit-integration.yaml",
    "workbench/tests/data/migrate/older.input.yaml",
    "workbench/tests/data/convert/everything.input.yaml",
];

struct NoFiles;

impl FileLoader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file".to_owned())
    }
}

/// Returns the text of a block scalar, by its key.
fn block(yaml: &str, key: &str) -> String {
    let start = yaml.find(&format!("    {key}: |\n")).unwrap() + key.len() + 8;
    let lines = yaml[start..].lines().take_while(|line| line.is_empty() || line.starts_with("      "));
    lines.map(|line| line.get(6..).unwrap_or("").to_owned() + "\n").collect()
}

/// Returns the values of a plain scalar, by its key.
fn plain<'y>(yaml: &'y str, key: &str) -> Vec<&'y str> {
    let values = yaml.lines().filter_map(|line| line.trim_start().strip_prefix(key)?.strip_prefix(": "));
    values.filter(|value| *value != "|").collect()
}

fn compiled(source: &str) -> Program {
    // Vector replaces variables in its configuration.
    assert!(!source.contains('$'), "{source}");
    let compiled = compile(source, &vrl::stdlib::all());
    compiled.unwrap_or_else(|errors| panic!("{}", Formatter::new(source, errors))).program
}

fn run(program: &Program, event: Value) -> Value {
    let mut target =
        TargetValue { value: event, metadata: Value::Object(ObjectMap::new()), secrets: Secrets::default() };
    let mut runtime = Runtime::default();
    let result = runtime.resolve(&mut target, program, &TimeZone::default());
    result.unwrap_or_else(|error| panic!("{error}"));
    target.value
}

fn holds(condition: &Program, event: &Value) -> bool {
    let mut target = TargetValue {
        value: event.clone(),
        metadata: Value::Object(ObjectMap::new()),
        secrets: Secrets::default(),
    };
    Runtime::default().resolve(&mut target, condition, &TimeZone::default()).unwrap() == Value::Boolean(true)
}

fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap()
}

#[test]
fn every_program_decides_as_the_engine_does() {
    let now_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let records = decisions::records(now_ms);
    for input in INPUTS {
        let text = fs::read_to_string(format!("{ROOT}/{input}")).unwrap();
        let converted = convert(&[Input { name: input, text: &text }], &NoFiles, Target::Vrl).unwrap().text;
        let program = compiled(&block(&converted, "source"));
        let sent = compiled(plain(&converted, "condition")[0]);
        let entry = compiled(plain(&converted, "source")[0]);
        let limited = decisions::unlimited(read(input, &text, &NoFiles).config.unwrap());
        let mut verdicts: BTreeMap<String, usize> = BTreeMap::new();
        for (index, (record, decision)) in
            records.iter().zip(decisions::decisions(&limited, &records, now_ms)).enumerate()
        {
            // As a line of a log, and as an event whose members are the finding's.
            let message = Value::Bytes(format!("2026-03-17T08:13:50Z stdout F {record}").into());
            let line = Value::Object(ObjectMap::from([(KeyString::from("message"), message)]));
            let event = if index % 2 == 0 { line } else { serde_json::from_str::<Value>(record).unwrap() };
            let event = run(&program, event);
            let kept = holds(&sent, &event);
            let expected = format!("{:?} {:?}", decision.integration, decision.entry.is_some());
            let integration = json(&event)["kaudit"]["integration"].as_str().map(str::to_owned);
            let found = format!("{:?} {kept:?}", integration.filter(|name| !name.is_empty()));
            assert_eq!(found, expected, "{input}: {record}");
            *verdicts.entry(expected).or_default() += 1;
            if let Some(mut expected) = decision.entry {
                let mut found = json(&run(&entry, event));
                same_time(&mut found, &mut expected, now_ms);
                same_text(&mut found, &mut expected);
                assert_eq!(found, expected, "{input}: {record}");
            }
        }
        println!("{input}: {verdicts:?}");
        assert!(verdicts.len() > 2, "{input}: {verdicts:?}");
    }
}

/// Removes the times, which are the same unless they are the time of processing.
fn same_time(found: &mut Json, expected: &mut Json, now_ms: i64) {
    let [found, expected] = [found, expected].map(|entry| entry["timestamp"].take().as_i64().unwrap());
    assert!(
        if expected == now_ms { (found - now_ms).abs() < 600_000 } else { found == expected },
        "{found} {expected}"
    );
}

/// Removes texts that are equal, or that the filter marked.
fn same_text(found: &mut Json, expected: &mut Json) {
    let [found, expected] = [found, expected].map(|entry| match entry["text"].take() {
        Json::String(text) => serde_json::from_str(&text).unwrap(),
        text => text,
    });
    if expected.get("kaudit_filter").is_none() {
        assert_eq!(found, expected);
    } else if expected["kaudit_filter"].get("redacted").is_some() {
        for key in ["uri", "eid", "subresource_exec_command", "context", "context_uri", "context_eid"] {
            assert_eq!(found.get(key), expected.get(key));
        }
    }
}

#[test]
fn the_limits_are_throttles() {
    let text = fs::read_to_string(format!("{ROOT}/{}", INPUTS[5])).unwrap();
    let converted = convert(&[Input { name: "a", text: &text }], &NoFiles, Target::Vrl).unwrap().text;
    let program = compiled(&block(&converted, "source"));
    for (record, number, key) in [
        (r#"{"eid":"x","etype":"principal","category":"anomaly"}"#, 2, "x"),
        (r#"{"principal":"x","rule":"exec into pod","verb":"create"}"#, 3, "exec into pod"),
        (r#"{"principal":"x","id":"1","verb":"list"}"#, 6, ""),
    ] {
        let event = json(&run(&program, serde_json::from_str::<Value>(record).unwrap()));
        assert_eq!(
            (&event["kaudit"]["number"], &event["kaudit"]["key"]),
            (&number.into(), &key.into()),
            "{record}"
        );
        let route = compiled(plain(&converted, &format!("limit_{number}"))[0]);
        assert!(holds(&route, &serde_json::from_value::<Value>(event).unwrap()));
    }
    assert_eq!(plain(&converted, "threshold"), ["3", "7", "100"]);
    assert_eq!(plain(&converted, "window_secs"), ["60", "90", "90"]);
    assert_eq!(plain(&converted, "key_field"), ["\"{{ kaudit.key }}\""; 3]);
}
