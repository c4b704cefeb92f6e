//! `kaudit-filter run` as a process: arguments, configuration, counters, clocks and streams.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::common::{Ran, file, gzipped, program, root, run_in};

pub const NOON: &str = "2026-03-17T12:00:00Z";

pub const DETECTION: &str = r#"{"etype":"principal","eid":"johnD","category":"anomaly","confidence":"medium","short-doc":"Change in usage pattern","cluster":"prod-eu","time":1773735300000}"#;
pub const SELECTION: &str = r#"{"rule":"exec into pod","principal":"johnD","verb":"create","cluster":"prod-eu","time":1773735301000}"#;

/// Runs the program in the repository's root.
pub fn ran(arguments: &[&str], stdin: &[u8]) -> Ran {
    run_in(&root(), arguments, stdin)
}

/// A configuration with unlimited integrations for detections and selections.
pub fn all(more: &str) -> String {
    let target = r#"target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}"#;
    format!("{more}integrations:\n- type: detections\n  {target}\n- type: selections\n  {target}\n")
}

fn examples() -> Vec<String> {
    let kinds = ["detections", "selections", "selection-counts", "activity"];
    kinds.iter().map(|kind| format!("examples/findings/{kind}.ndjson")).collect()
}

#[test]
fn without_arguments_the_next_steps_are_printed() {
    let ran = ran(&[], b"");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("kaudit-filter run -c kaudit.yaml findings.ndjson"), "{}", ran.err);
}

#[test]
fn the_help_has_its_sections() {
    let ran = ran(&["run", "--help"], b"");
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    for term in
        ["RECORDS", "CONFIGURATION", "TIME", "Examples:", "Exit codes:", "--clock", "RFC 3339", "gzip"]
    {
        assert!(ran.out.contains(term), "no `{term}` in\n{}", ran.out);
    }
}

#[test]
fn the_examples_are_accounted_for() {
    let files = examples();
    for config in ["examples/kaudit.yaml", "examples/audit-integration.yaml"] {
        let options = ["run", "--config", config, "--now", NOON, "--summary", "json"];
        let arguments: Vec<&str> = options.into_iter().chain(files.iter().map(String::as_str)).collect();
        let ran = ran(&arguments, b"");
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let counters = ran.counters();
        let number = |name: &str| counters.pointer(name).and_then(Value::as_u64).unwrap();
        let lines: usize =
            files.iter().map(|file| fs::read_to_string(root().join(file)).unwrap().lines().count()).sum();
        assert_eq!(number("/records"), lines as u64);
        assert_eq!(
            number("/records"),
            number("/kept/total") + number("/dropped/total") + number("/suppressed") + number("/passed"),
            "{counters}"
        );
        for group in ["kept", "dropped"] {
            let parts = counters[group].as_object().unwrap().iter().filter(|(name, _)| *name != "total");
            let sum: u64 = parts.map(|(_, count)| count.as_u64().unwrap()).sum();
            assert_eq!(sum, number(&format!("/{group}/total")), "{group}: {counters}");
        }
        assert_eq!(number("/entries"), number("/kept/total") + number("/summaries") + number("/reports"));
        assert_eq!(number("/entries"), ran.out.lines().count() as u64);
        assert_eq!(number("/summarised"), number("/suppressed"));
        assert_eq!(number("/reported"), number("/dropped/counted"));
        assert!(
            number("/suppressed") > 0 && number("/dropped/stopped") > 0,
            "the examples contain both: {counters}"
        );
        for entry in ran.entries() {
            assert!((1..=6).contains(&entry["severity"].as_u64().unwrap()), "{entry}");
        }
    }
}

#[test]
fn every_mistake_of_the_configuration_is_reported_at_once() {
    let config = file(
        "mistakes",
        "kaudit.yaml",
        all("coralogix: {shape: flat}\nguards: {}\nrate-limit: {period: soon}\n"),
    );
    let ran = ran(&["run", "--config", &config], DETECTION.as_bytes());
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    let positions: Vec<&str> =
        ran.err.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")).collect();
    assert_eq!(
        positions,
        [format!("{config}:1:20"), format!("{config}:2:1"), format!("{config}:3:22")],
        "{}",
        ran.err
    );
}

#[test]
fn unreadable_files_are_named() {
    let input = file("unreadable", "in.ndjson", DETECTION);
    let config = file("unreadable", "kaudit.yaml", b"coralogix:\n  shape: \xff\n");
    let cut = &gzipped(&format!("{DETECTION}\n").repeat(2000));
    let broken = file("unreadable", "broken.gz", &cut[..cut.len() - 30]);
    for (arguments, code, message) in [
        (vec!["--config", "no-such.yaml", &input], 2, "no-such.yaml: cannot read: "),
        (vec!["--config", &config, &input], 1, "kaudit.yaml: cannot read: line 2 is not UTF-8"),
        (vec!["no-such.ndjson", &input], 2, "no-such.ndjson: cannot open: "),
        (vec!["hosts", &input], 2, "hosts: "),
        (vec![&broken, &input], 1, "broken.gz: cannot read: "),
        (vec!["--now", "yesterday", &input], 2, "RFC 3339"),
        (vec!["--now", NOON, "--clock", "record", &input], 2, "cannot be used with"),
        (vec!["--shape", "flat", &input], 2, "singles"),
    ] {
        let ran = ran(&[&["run"], &arguments[..]].concat(), b"");
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(message), "{arguments:?}: {}", ran.err);
        // An unreadable input does not end the run; an invalid configuration or option does.
        let continues = ran.err.contains("\nrecords");
        assert_eq!(ran.out.contains("johnD"), continues);
        assert_eq!(continues, !arguments[0].starts_with("--"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn integrations_may_be_in_another_file() {
    let list = all("").replace("integrations:\n", "");
    file("integrations-file", "audit-integration", list);
    let config = file("integrations-file", "kaudit.yaml", "integrations-file: audit-integration\n");
    let good = ran(&["run", "--config", &config, "--now", NOON], DETECTION.as_bytes());
    assert_eq!((good.code, good.entries().len()), (Some(0), 1), "{}", good.err);
    let config = file("integrations-file", "missing.yaml", "integrations-file: no-such\n");
    let missing = ran(&["run", "--config", &config], DETECTION.as_bytes());
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("no-such"), "{}", missing.err);
}

#[test]
fn clocks_determine_the_arrival_time() {
    let old = DETECTION.replace("1773735300000", "1583073360000");
    let day_later = DETECTION.replace("1773735300000", "1773821700000");
    let input = format!("{old}\n{DETECTION}\n{day_later}\n");
    for (clock, clamped) in [
        (&["--now", NOON][..], 2),
        (&["--now", "2020-03-01T15:36:00+01:00"], 2),
        (&["--clock", "record"], 0),
        // The findings are older than the maximum age.
        (&["--clock", "wall"], 3),
        (&[], 3),
    ] {
        let ran = ran(&[&["run", "--summary", "json"], clock].concat(), input.as_bytes());
        assert_eq!(ran.counters()["clamped"], clamped, "{clock:?}");
    }
}

#[test]
fn a_limit_counts_arrivals() {
    let config = file(
        "limit",
        "kaudit.yaml",
        format!("rate-limit: {{period: 1m}}\n{}", all("").replace("singles\"}", "singles\", rate-limit: 2}")),
    );
    let minutes = [0, 0, 0, 10, 10, 10].map(|minute| {
        SELECTION.replace("1773735301000", &(1_773_735_301_000_i64 + minute * 60_000).to_string())
    });
    let input = minutes.join("\n");
    for (clock, kept, summaries) in [(&["--now", NOON][..], 2, 1), (&["--clock", "record"], 4, 2)] {
        let ran =
            ran(&[&["run", "--config", &config, "--summary", "json"], clock].concat(), input.as_bytes());
        let counters = ran.counters();
        assert_eq!(
            (&counters["kept"]["total"], &counters["summaries"]),
            (&kept.into(), &summaries.into()),
            "{clock:?}: {counters}"
        );
        assert_eq!(ran.entries().len(), kept + summaries);
    }
}

#[test]
fn bulk_groups_entries_into_envelopes() {
    let input = format!("{DETECTION}\n{SELECTION}\n{DETECTION}\n");
    let ran = ran(&["run", "--now", NOON, "--shape", "bulk", "--summary", "json"], input.as_bytes());
    let envelopes = ran.entries();
    let sizes: Vec<usize> =
        envelopes.iter().map(|envelope| envelope["logEntries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2, 1]);
    assert_eq!(envelopes[0]["subsystemName"], "kaudit-detections");
    let counters = ran.counters();
    assert_eq!((&counters["entries"], &counters["envelopes"]), (&3.into(), &2.into()));
}

#[test]
fn the_table_omits_counters_that_are_zero() {
    let ran = ran(&["run", "--now", NOON], format!("{DETECTION}\nx\n").as_bytes());
    let table = ran.err.split_once("\n\n").unwrap().1;
    assert_eq!(
        table,
        "\
records                       2   1 malformed
  kept                        2
    detections                1
    unrecognised              1   not findings, sent as entries
  dropped                     0
  suppressed                  0
  passed                      0
entries                       2
  of records                  2
"
    );
}

#[test]
fn entries_are_written_before_the_input_ends() {
    let mut child = program()
        .args(["run", "--now", NOON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut entries = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        writeln!(stdin, "{DETECTION}").unwrap();
        // This would block if the program waited for more input.
        assert!(entries.next().unwrap().unwrap().contains("johnD"));
    }
    drop(stdin);
    assert!(entries.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let input = file("pipe", "many.ndjson", format!("{DETECTION}\n").repeat(20_000));
    let mut child = program()
        .args(["run", "--now", NOON, &input])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut entries = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    entries.read_line(&mut first).unwrap();
    assert!(first.contains("johnD"));
    drop(entries);
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), log.lines().count()), (Some(0), 1), "{log}");
}
