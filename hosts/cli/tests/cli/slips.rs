//! Common slips at the command line: each answer names the mistake, or says why there is no result.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{self, Ran, root, run_in};

/// Returns a new folder.
fn folder(name: &str) -> PathBuf {
    common::folder("slips", name)
}

fn ran_in(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    run_in(folder, arguments, input.as_bytes())
}

const CONFIG: &str = "rate-limit: {period: 1m, by: entity}
integrations:
  - type: detections
    target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}
    data-filter: {confidence: [high, medium]}
";
const DETECTION: &str = "{\"etype\":\"principal\",\"eid\":\"johnD\",\"category\":\"incident\",\"confidence\":\"high\",\"time\":1773735300000}\n";
const EVENT: &str = "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"stage\":\"ResponseComplete\",\"verb\":\"get\",\"auditID\":\"a\"}\n";

#[test]
fn an_empty_explanation_has_a_reason() {
    let folder = folder("nothing");
    fs::write(folder.join("kaudit.yaml"), CONFIG).unwrap();
    let explain = |arguments: &[&str], input: &str| {
        ran_in(&folder, &[&["explain", "-c", "kaudit.yaml", "--clock", "record"], arguments].concat(), input)
    };
    for (arguments, input, expected) in [
        (&["--only", "suppressed"][..], DETECTION, "0 of 1 records are suppressed\n"),
        (&["--only", "passed"], DETECTION, "0 of 1 records are passed\n"),
        (&["--only", "dropped"], DETECTION, "0 of 1 records are dropped\n"),
        (&["--reason", "etype"], DETECTION, "0 of 1 records are dropped for the reason `etype`\n"),
        (&["--only", "suppressed", "--format", "json"], DETECTION, "0 of 1 records are suppressed\n"),
        (&[], "", "the input contains no record\n"),
    ] {
        let ran = explain(arguments, input);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", expected), "{arguments:?}");
    }
    let kept = explain(&["--only", "kept"], DETECTION);
    assert!(kept.out.starts_with("stdin:1: kept") && kept.err.is_empty(), "{}{}", kept.out, kept.err);
}

#[test]
fn records_that_are_not_recognised_are_a_warning() {
    let folder = folder("unrecognised");
    fs::write(folder.join("kaudit.yaml"), CONFIG).unwrap();
    let run = |input: &str, arguments: &[&str]| {
        ran_in(
            &folder,
            &[&["run", "-c", "kaudit.yaml", "--now", "2026-03-17T12:00:00Z"], arguments].concat(),
            input,
        )
    };
    let events = run(&EVENT.repeat(2), &[]);
    assert_eq!(events.code, Some(0));
    assert!(
        events.err.contains("\nwarning: 2 of 2 records are not recognised as findings")
            && events.err.contains("`kaudit-filter explain`")
            && events.err.contains("`policy-file`"),
        "{}",
        events.err
    );
    let mixed = run(&(EVENT.to_owned() + DETECTION), &[]);
    assert!(!mixed.err.contains("warning"), "{}", mixed.err);
    // The counters are the last line.
    let json = run(EVENT, &["--summary", "json"]);
    assert!(json.err.lines().last().unwrap().starts_with("{\"records\":1,"), "{}", json.err);
    assert!(json.err.contains("warning: 1 of 1 records"), "{}", json.err);
    assert_eq!(run(EVENT, &["--quiet"]).err, "");
}

#[test]
fn the_examples_are_checked_together() {
    let ran = ran_in(&root(), &["check", "examples"], "");
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(!ran.out.contains("error["), "{}", ran.out);
    // The list in `kubernetes/config` is checked with the document that states the period of its limits.
    assert!(!ran.out.contains("kubernetes/config/audit-integration.yaml"), "{}", ran.out);
}

#[test]
fn a_list_in_a_manifest_beside_the_configuration_is_found() {
    let folder = folder("beside");
    let list = "- type: detections\n  target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\", rate-limit: 5}\n";
    let indented = list.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
    let manifest = |name: &str, key: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  {key}: |\n{indented}")
    };
    fs::write(folder.join("list.yaml"), manifest("kaudit-integration-prod", "audit-integration")).unwrap();
    for file in ["audit-integration", "kaudit-integration-prod"] {
        fs::write(
            folder.join("kaudit.yaml"),
            format!("integrations-file: {file}\nrate-limit: {{period: 1m}}\n"),
        )
        .unwrap();
        let ran = ran_in(&folder, &["check", "."], "");
        assert_eq!(
            (ran.code, ran.out.lines().next()),
            (Some(0), Some("1 configuration: no problems found")),
            "{}",
            ran.out
        );
        assert_eq!(ran_in(&folder, &["run", "-c", "kaudit.yaml", "-q"], DETECTION).code, Some(0));
    }
    // A mistake in the manifest has its name and line.
    fs::write(
        folder.join("list.yaml"),
        manifest("a", "audit-integration").replace("detections", "detection"),
    )
    .unwrap();
    fs::write(folder.join("kaudit.yaml"), "integrations-file: audit-integration\n").unwrap();
    let ran = ran_in(&folder, &["check", "kaudit.yaml"], "");
    assert!(ran.code == Some(1) && ran.out.contains("--> list.yaml:6:"), "{}", ran.out);
    // Without the manifest the file is missing.
    fs::remove_file(folder.join("list.yaml")).unwrap();
    let ran = ran_in(&folder, &["check", "."], "");
    assert!(ran.code == Some(1) && ran.out.contains("`audit-integration` cannot be read"), "{}", ran.out);
}

#[test]
fn mistakes_are_shown_under_their_line_by_every_command() {
    let folder = folder("snippets");
    fs::write(folder.join("kaudit.yaml"), CONFIG.replace("medium", "meduim")).unwrap();
    let test = "config: kaudit.yaml\nnow: 2026-03-17T12:00:00Z\ntests:\n  - name: a\n    steps: [{record: {a: 1}, droped: etype}]\n";
    fs::write(folder.join("mistaken.test.yaml"), test).unwrap();
    fs::write(folder.join("good.test.yaml"), test.replace("droped", "dropped")).unwrap();
    for arguments in [
        &["check", "kaudit.yaml"][..],
        &["run", "-c", "kaudit.yaml"],
        &["explain", "-c", "kaudit.yaml"],
        &["bake", "-c", "kaudit.yaml", "-o", "out.wasm"],
        &["migrate", "kaudit.yaml"],
        &["test", "good.test.yaml"],
        &["pipe", "-c", "kaudit.yaml"],
        &["bench", "-c", "kaudit.yaml", "--generate", "1"],
    ] {
        let ran = ran_in(&folder, arguments, "");
        let both = ran.out + &ran.err;
        assert_eq!(ran.code, Some(1), "{arguments:?}: {both}");
        for part in [
            "kaudit.yaml:5:",
            "data-filter: {confidence: [high, meduim]}",
            "^^^^^^",
            "did you mean `medium`?",
        ] {
            assert!(both.contains(part), "{arguments:?}: no {part:?} in {both}");
        }
    }
    let ran = ran_in(&folder, &["test", "mistaken.test.yaml"], "");
    for part in ["unknown key `droped`; did you mean `dropped`?", "--> mistaken.test.yaml:5:", "^^^^^^"] {
        assert!(ran.err.contains(part), "no {part:?} in {}", ran.err);
    }
}

#[test]
fn common_slips_are_named() {
    let folder = folder("named");
    fs::write(folder.join("kaudit.yaml"), CONFIG).unwrap();
    fs::write(folder.join("findings.ndjson"), DETECTION).unwrap();
    fs::write(folder.join("type.yaml"), CONFIG.replace("target-type: http-api", "target-type: http"))
        .unwrap();
    let flat = "apiVersion: v1\nkind: ConfigMap\nmetadata:\nname: kaudit-integration-prod\ndata:\naudit-integration: |\n- type: detections\ntarget:\ntarget-type: http-api\nhttp-api-uri: 'https://api.coralogix.com/logs/v1/bulk'\n";
    fs::write(folder.join("flat.yaml"), flat).unwrap();
    for (arguments, input, code, expected) in [
        (&["check", "type.yaml"][..], "", 1, &["{target-type: http,", "did you mean `http-api`?"][..]),
        (&["check", "flat.yaml"], "", 1, &["indentation"]),
        (
            &["run", "-c", "findings.ndjson", "kaudit.yaml"],
            "",
            1,
            &["findings.ndjson: contains records, not a configuration: pass the configuration with --config"],
        ),
        (&["init", "--domain", "foo", "a"], "", 2, &["expected the domain of a Coralogix account"]),
        (&["init", "--limit", "abc", "a"], "", 2, &["abc"]),
    ] {
        let ran = ran_in(&folder, arguments, input);
        let both = ran.out + &ran.err;
        assert_eq!(ran.code, Some(code), "{arguments:?}: {both}");
        for part in expected {
            assert!(both.contains(part), "{arguments:?}: no {part:?} in {both}");
        }
    }
    let explained = ran_in(&folder, &["explain", "--clock", "record", "findings.ndjson"], "");
    assert!(explained.out.contains("`detections` matches the finding"), "{}", explained.out);
}

#[test]
fn migrate_never_replaces_a_file() {
    let folder = folder("migrate");
    let list = "# kAudit's list\n\n- type: detections\n  target:\n    target-type: http-api\n    http-api-uri: https://api.<domain>/logs/v1/bulk\n    rate-limit: 10\n";
    fs::write(folder.join("list.yaml"), list).unwrap();
    fs::write(folder.join("kaudit.yaml"), "mine\n").unwrap();
    let refused = ran_in(&folder, &["migrate", "list.yaml", "-o", "kaudit.yaml"], "");
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    assert!(refused.err.starts_with("kaudit.yaml: exists already; nothing was written"), "{}", refused.err);
    assert_eq!(fs::read_to_string(folder.join("kaudit.yaml")).unwrap(), "mine\n");

    let written = ran_in(&folder, &["migrate", "list.yaml", "-o", "new.yaml"], "");
    assert_eq!(written.code, Some(0), "{}", written.err);
    // Positions refer to the input.
    assert!(written.err.contains("changed: list.yaml:6: the endpoint was replaced"), "{}", written.err);
    assert!(written.err.contains("--> list.yaml:6:"), "{}", written.err);
    assert!(written.err.contains("`coralogix: {shape: bulk}` was added"), "{}", written.err);
    let new = fs::read_to_string(folder.join("new.yaml")).unwrap();
    assert!(
        new.contains("coralogix: {shape: bulk}\n") && new.contains("https://ingress.<domain>/logs/v1/bulk"),
        "{new}"
    );
    assert_eq!(ran_in(&folder, &["check", "new.yaml"], "").code, Some(0));
}
