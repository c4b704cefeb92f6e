//! `kaudit-filter explain` as a process, over the shipped examples.
//! `BLESS=1` updates the snapshot.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::common::{self, Output, Ran, feed, folder, root, run_in};

/// Runs a command on the example findings.
fn run(command: &str, arguments: &[&str]) -> Output {
    let kinds = ["detections", "selections", "selection-counts", "activity"];
    let files = kinds.map(|kind| format!("examples/findings/{kind}.ndjson"));
    let files = files.each_ref().map(String::as_str);
    common::run(&[&[command], &CONFIG[..], arguments, &files].concat())
}

/// Explains a chunk trace from standard input.
fn trace(lines: &str) -> Output {
    feed(&["explain", "--config", "examples/kaudit.yaml", "--trace"], lines)
}

const CONFIG: [&str; 4] = ["--config", "examples/kaudit.yaml", "--now", "2026-03-17T12:00:00Z"];

#[test]
fn the_examples_are_explained() {
    let (code, out, err) = run("explain", &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains('\u{1b}'), "colours in a pipe");
    let file = root().join("hosts/cli/tests/data/explain.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(file, &out).unwrap();
    } else {
        assert_eq!(fs::read_to_string(file).unwrap(), out);
    }
}

#[test]
fn verdicts_agree_with_the_counters_of_run() {
    let (_, out, _) = run("explain", &["--format", "json"]);
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let verdict = line["verdict"].as_str().unwrap_or("own").to_owned();
        *verdicts.entry(verdict).or_default() += 1;
        if let Some(reason) = line["reason"].as_str() {
            *verdicts.entry(reason.to_owned()).or_default() += 1;
        }
    }
    let (_, _, err) = run("run", &["--summary", "json"]);
    let counters: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    for (name, path) in [
        ("kept", "/kept/total"),
        ("dropped", "/dropped/total"),
        ("suppressed", "/suppressed"),
        ("confidence", "/dropped/confidence"),
        ("stopped", "/dropped/stopped"),
        ("counted", "/dropped/counted"),
    ] {
        let count = counters.pointer(path).and_then(Value::as_u64);
        assert!(
            count > Some(0) && verdicts.get(name).copied() == count,
            "{name}: {verdicts:?} and {counters}"
        );
    }
    let own = counters["summaries"].as_u64().unwrap() + counters["reports"].as_u64().unwrap();
    assert_eq!(verdicts["own"], own);
}

#[test]
fn options_select_verdicts() {
    let heads = |arguments: &[&str]| {
        let (code, out, err) = run("explain", arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        out.lines().filter(|line| line.starts_with("examples/")).map(str::to_owned).collect::<Vec<_>>()
    };
    let suppressed = heads(&["--only", "suppressed"]);
    assert!(
        suppressed.len() == 5 && suppressed.iter().all(|line| line.ends_with(": suppressed")),
        "{suppressed:?}"
    );
    let reason = heads(&["--reason", "entity-no-match"]);
    assert_eq!(reason, ["examples/findings/detections.ndjson:9: dropped: entity-no-match"]);
    let (code, _, err) = run("explain", &["--reason", "colour"]);
    assert!(code == Some(2) && err.contains("entity-no-match"), "{err}");
}

fn explained(test: &str, config: &str, records: &str, arguments: &[&str]) -> String {
    let folder = folder("explain", test);
    fs::write(folder.join("kaudit.yaml"), config).unwrap();
    fs::write(folder.join("in.ndjson"), records).unwrap();
    let explain = ["explain", "--config", "kaudit.yaml", "--now", "2026-03-17T12:00:00Z", "in.ndjson"];
    let Ran { code, out, err } = run_in(&folder, &[&explain, arguments].concat(), b"");
    assert!(matches!(code, Some(0 | 1)), "{err}");
    out + &err
}

const TARGET: &str =
    "target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'";

#[test]
fn where_a_finding_is_found_or_searched_for_is_printed() {
    let config = format!("integrations:\n- {{type: detections, {TARGET}}}}}\n");
    let finding = r#"{"etype":"principal","eid":"johnD","category":"incident"}"#;
    let quoted = serde_json::to_string(finding).unwrap();
    let many = |text: &str| {
        let keys = ["log", "message", "msg", "MESSAGE", "body", "event"];
        let members = keys.map(|key| format!("\"{key}\":\"{text}\""));
        format!("{{{}}}", members.join(","))
    };
    let records = [
        finding.to_owned(),
        format!("{{\"log\":{quoted}}}"),
        format!("{{\"records\":[{{\"properties\":{{\"log\":{quoted}}}}},{{\"a\":1}}]}}"),
        format!("{{\"parsed\":{finding}}}"),
        many("{x}"),
        "{\"a\":1}".to_owned(),
    ];
    let records = records.join("\n");
    // Long lines are wrapped.
    let text = explained("paths", &config, &records, &[]).replace("\n            ", " ");
    for part in [
        "in.ndjson:1: kept\n  record    a finding of detections: it has",
        "in.ndjson:2: kept\n  record    a finding of detections in `log`: it has",
        "in.ndjson:3, item 1 of 2: kept\n  record    a finding of detections in `records[0].properties.log`: it has",
        "in.ndjson:3, item 2 of 2: kept\n  record    not a finding in `records[1]`: ",
        "in.ndjson:4: kept\n  record    a finding of detections in `parsed`: it has",
        "; searched in `log`, `message`, `msg`, `MESSAGE` and 2 more\n",
        "in.ndjson:6: kept\n  record    not a finding: it has none of the keys",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let json = explained("paths", &config, &records, &["--format", "json"]);
    let json: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json[2]["recognised"]["path"], "records[0].properties.log");
    assert_eq!((&json[3]["line"], &json[3]["item"], &json[3]["items"]), (&3.into(), &2.into(), &2.into()));
    assert_eq!(json[5]["recognised"]["searched"].as_array().unwrap().len(), 6);
}

#[test]
fn no_secret_is_printed() {
    use std::hash::{BuildHasher as _, RandomState};
    let secret = format!("S{:016x}", RandomState::new().hash_one(0));
    let fields = ["eid", "principal", "short-doc", "cluster", "rule", "category", "resource-name", "etype"];
    let redact = fields.map(|field| format!("- {{field: {field}, pattern: 'S[0-9a-f]{{16}}'}}\n")).concat();
    let integrations = ["detections", "selections"].map(|kind| {
        // Patterns that match all of the secret, a part of it, or none.
        ["S[0-9a-f]{16}", "S[0-9a-f]{9}", "^x"].map(|pattern| {
            let filter = format!("data-filter: {{entity-no-match: '{pattern}', rules-match: 'S|a'}}");
            let filter =
                if kind == "detections" { filter.replace(", rules-match: 'S|a'", "") } else { filter };
            format!("- {{type: {kind}, {TARGET}, rate-limit: 1}}, {filter}}}\n")
        })
    });
    let config = format!(
        "rate-limit: {{by: entity}}\nredact:\n{redact}integrations:\n{}",
        integrations.concat().concat()
    );
    let detection = format!(
        r#"{{"etype":"principal","eid":"{secret}","category":"{secret}","short-doc":"a {secret} b","cluster":"{secret}"}}"#
    );
    let selection = format!(
        r#"{{"rule":"a {secret}","principal":"{secret}","verb":"get","resource-name":"{secret}","cluster":"{secret}"}}"#
    );
    let other = format!(r#"{{"etype":"{secret}","x":"{secret}","y":{{"{secret}":1}}}}"#);
    let cut = &detection[..detection.len() - 1];
    let text = serde_json::to_string(&format!("INFO {selection} {secret}")).unwrap();
    let records = [
        &detection,
        &detection,
        &selection,
        &selection,
        &other,
        cut,
        &secret,
        &format!("{{\"log\":{text}}}"),
        &format!("{{\"records\":[{detection},\"{secret}\",{other}]}}"),
    ]
    .map(str::to_owned);
    let stream = records.join("\n");
    for arguments in [&[][..], &["--format", "json"]] {
        let printed = explained("secret", &config, &stream, arguments);
        assert!(printed.contains("***"), "{printed}");
        assert!(printed.matches("entity-no-match").count() > 5, "{printed}");
        assert!(printed.contains("suppressed"), "{printed}");
        // No part of it either.
        assert!(!printed.contains(&secret[..8]), "{secret} in {printed}");
    }
    // The same records as a test with a wrong expectation for each.
    let folder = folder("explain", "secret-tests");
    fs::write(folder.join("kaudit.yaml"), &config).unwrap();
    let steps = records.each_ref().map(|record| {
        let record = record.replace('\'', "''");
        format!("      - record: '{record}'\n        passed: all\n")
    });
    let suite = format!(
        "config: kaudit.yaml\nnow: 2026-03-17T12:00:00Z\ntests:\n  - name: a\n    steps:\n{}",
        steps.concat()
    );
    fs::write(folder.join("tests.yaml"), suite).unwrap();
    let Ran { out, err, .. } = run_in(&folder, &["test", "tests.yaml", "--junit", "junit.xml"], b"");
    let printed = out + &err + &fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(printed.contains("***") && printed.contains("- 1 passed"), "{printed}");
    assert!(!printed.contains(&secret[..8]), "{secret} in {printed}");
}

#[test]
fn a_chunk_trace_is_explained_at_the_time_of_the_filter() {
    let filter = |plugin: &str, records: &str| {
        format!(
            r#"{{"date":1.5,"type":2,"start_time":1583078400,"trace_id":"7","plugin_instance":"{plugin}","records":{records}}}"#
        )
    };
    let finding =
        r#"{"eid":"a","etype":"principal","category":"anomaly","confidence":"low","time":1583078400000}"#;
    let records = format!(r#"[{{"timestamp":1583078400,"record":{finding}}}]"#);
    // An event without records is not JSON.
    let lines = format!("{}\n{}\n", filter("parser.0", &records), filter("kaudit.1", "[\"\\x6b\","));
    let (code, out, err) = trace(&lines);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("chunk 7, stdin:2: dropped: confidence\n"), "{out}");
    assert!(!out.contains("too-old"), "{out}");

    let (code, out, err) = trace(&filter("kaudit.0", &records));
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.starts_with("1 chunks have no records: no filter before `kaudit` changes them"), "{err}");

    let (code, _, err) = trace("[2020/03/01 16:00:00] [ info] started\n");
    assert_eq!(code, Some(1));
    assert!(err.starts_with("the input has no event of a chunk trace; expected "), "{err}");
}
