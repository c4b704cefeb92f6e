//! `kaudit-filter run` as a process: its two outputs, and the exit code.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// The day of the example findings, at noon.
const NOON: &str = "2026-03-17T12:00:00Z";

const DETECTION: &str = r#"{"etype":"principal","eid":"johnD","category":"anomaly","confidence":"medium","short-doc":"Change in usage pattern","cluster":"prod-eu","time":1773735300000}"#;
const SELECTION: &str = r#"{"rule":"exec into pod","principal":"johnD","verb":"create","cluster":"prod-eu","time":1773735301000}"#;

/// The result of a run.
struct RunOutput {
    code: Option<i32>,
    out: String,
    err: String,
}

impl RunOutput {
    /// Returns the counters, the last line of `--summary json`.
    fn counters(&self) -> Value {
        serde_json::from_str(self.err.lines().last().unwrap_or_default())
            .unwrap_or_else(|error| panic!("no counters ({error}): {}", self.err))
    }

    fn entries(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).env_remove("NO_COLOR");
    command
}

fn ran(arguments: &[&str], stdin: &[u8]) -> RunOutput {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_vec();
    let feeder = std::thread::spawn(move || pipe.write_all(&stdin));
    let output = child.wait_with_output().unwrap();
    // A program that rejects its arguments does not read its input.
    let _ = feeder.join().unwrap();
    RunOutput {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file for one test, in a folder of its own.
fn file(test: &str, name: &str, contents: impl AsRef<[u8]>) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

fn gzipped(contents: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(contents.as_bytes()).unwrap();
    encoder.finish().unwrap()
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
fn the_examples_are_countersed_for() {
    let files = examples();
    for config in ["examples/kaudit.yaml", "examples/audit-integration.yaml"] {
        let options = ["run", "--config", config, "--now", NOON, "--summary", "json"];
        let arguments: Vec<&str> = options.into_iter().chain(files.iter().map(String::as_str)).collect();
        let ran = ran(&arguments, b"");
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let counters = ran.counters();
        let number = |name: &str| counters.pointer(name).and_then(Value::as_u64).unwrap();
        let lines: usize =
            files.iter().map(|file| fs::read_to_string(root(file)).unwrap().lines().count()).sum();
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

fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

#[test]
fn the_form_of_the_input_does_not_change_the_entries() {
    let lines = format!("{DETECTION}\n{SELECTION}\n");
    let expected = ran(&["run", "--now", NOON], lines.as_bytes());
    assert_eq!((expected.code, expected.out.lines().count()), (Some(0), 2), "{}", expected.err);
    let pretty = |text: &str| format!("{:#}\n", serde_json::from_str::<Value>(text).unwrap());
    let one_by_one = [gzipped(&format!("{DETECTION}\n")), gzipped(SELECTION)].concat();
    for (name, contents) in [
        ("concatenated", format!("{DETECTION}{SELECTION}").into_bytes()),
        ("array", format!("[{DETECTION},\n {SELECTION}]").into_bytes()),
        ("gzip", gzipped(&lines)),
        ("gzip of several members", one_by_one),
    ] {
        let path = file("forms", name, &contents);
        for (arguments, stdin) in [
            (vec!["run", "--now", NOON, &path], &b""[..]),
            (vec!["run", "--now", "1773748800000"], &contents),
            (vec!["run", "--now", NOON, "-"], &contents),
        ] {
            let ran = ran(&arguments, stdin);
            assert_eq!((ran.code, &ran.out), (Some(0), &expected.out), "{name} {arguments:?}: {}", ran.err);
        }
    }
    let ran = ran(&["run", "--now", NOON], format!("{}{}", pretty(DETECTION), pretty(SELECTION)).as_bytes());
    assert_eq!((ran.code, ran.entries().len()), (Some(0), 2), "{}", ran.err);
}

#[test]
fn several_files_are_one_stream() {
    let (first, second) = (file("several", "a", DETECTION), file("several", "b", SELECTION));
    let ran = ran(&["run", "--now", NOON, "--summary", "json", &first, "-", &second], DETECTION.as_bytes());
    assert_eq!((ran.code, ran.entries().len()), (Some(0), 3));
    assert_eq!(ran.counters()["kept"]["detections"], 2);
}

#[test]
fn malformed_records_are_reported_and_the_run_goes_on() {
    let input =
        file("malformed", "in.ndjson", format!("{DETECTION}\noops\n{SELECTION}\n{{\"a\":1,\n{DETECTION}\n"));
    for (policy, lines, number) in
        [("wrap", 5, "/kept/unrecognised"), ("pass", 5, "/passed"), ("drop", 3, "/dropped/unrecognised")]
    {
        let config = file("malformed", &format!("{policy}.yaml"), all(&format!("unrecognised: {policy}\n")));
        let ran = ran(&["run", "--config", &config, "--now", NOON, "--summary", "json", &input], b"");
        assert_eq!(ran.code, Some(1));
        assert_eq!(ran.out.lines().count(), lines, "{policy}: {}", ran.out);
        let messages: Vec<&str> = ran.err.lines().filter(|line| line.contains("malformed record")).collect();
        assert_eq!(
            messages,
            [
                format!("{input}:2: malformed record: not a JSON object"),
                format!("{input}:4: malformed record: key must be a string at byte 1 of line 5"),
            ]
        );
        let counters = ran.counters();
        assert_eq!(counters.pointer(number), Some(&2.into()), "{counters}");
        assert_eq!((&counters["malformed"], &counters["records"]), (&2.into(), &5.into()));
        assert_eq!(ran.out.lines().any(|line| line == "oops"), policy == "pass");
    }
}

#[test]
fn a_malformed_element_of_an_array_affects_no_other() {
    let elements = [
        DETECTION.replace("johnD", "john\\ud83d"),
        DETECTION.replacen('{', "{\"n\":1e400,", 1),
        r#"{"etype":"principal","eid":tru}"#.to_owned(),
        r#"{"etype":"principal","eid":"#.to_owned(),
        SELECTION.to_owned(),
    ];
    let others = vec![DETECTION; 200].join(",");
    let input = file("elements", "in.json", format!("[{},{others}]\n{SELECTION}\n", elements.join(",")));
    let ran = ran(&["run", "--now", NOON, "--summary", "json", &input], b"");
    let counters = ran.counters();
    let count = |name: &str| counters.pointer(name).and_then(Value::as_u64);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(count("/records"), Some(206), "{}", ran.err);
    assert_eq!(
        (count("/kept/detections"), count("/kept/selections"), count("/kept/unrecognised")),
        (Some(202), Some(2), Some(2)),
        "{}",
        ran.err
    );
    // Half of a surrogate pair and a number out of range are not errors to the engine.
    let faults = ["expected ident", "expected value"];
    let messages: Vec<&str> = ran.err.lines().filter(|line| line.contains("malformed record")).collect();
    assert_eq!(messages.len(), faults.len(), "{}", ran.err);
    for (line, fault) in messages.iter().zip(faults) {
        assert!(line.starts_with(&format!("{input}:1: malformed record: {fault}")), "{line}");
    }
}

#[test]
fn the_engine_determines_which_records_are_malformed() {
    let inner = |text: &str| serde_json::json!({ "log": text }).to_string();
    let cut = &DETECTION[..60];
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(30), "]".repeat(30));
    let fine = [
        format!("2026-03-17T12:00:00Z stdout F {DETECTION}"),
        DETECTION.replace("johnD", "\\ud83d"),
        DETECTION.replacen('{', "{\"n\":1e400,", 1),
        inner(&format!("INFO {DETECTION}")),
    ];
    let broken = [
        ("oops".to_owned(), "not a JSON object"),
        (format!("INFO {cut}"), "the record ends early at byte 60"),
        (inner(cut), "the record ends early at byte 60"),
        (deep, "nested too deep"),
    ];
    let mut lines: Vec<&str> = fine.iter().map(String::as_str).collect();
    lines.extend(broken.iter().map(|(line, _)| line.as_str()));
    let input = file("verdicts", "in.ndjson", lines.join("\n"));
    for policy in ["wrap", "pass", "drop"] {
        let config = file("verdicts", &format!("{policy}.yaml"), all(&format!("unrecognised: {policy}\n")));
        let ran = ran(&["run", "--config", &config, "--now", NOON, "--summary", "json", &input], b"");
        let messages: Vec<&str> = ran.err.lines().filter(|line| line.contains("malformed record")).collect();
        assert_eq!(messages.len(), broken.len(), "{policy}: {}", ran.err);
        for (number, (message, (_, fault))) in messages.iter().zip(&broken).enumerate() {
            let expected = format!("{input}:{}: malformed record: {fault}", fine.len() + number + 1);
            assert!(message.starts_with(&expected), "{message}, not {expected}");
        }
        let counters = ran.counters();
        assert_eq!(
            (&counters["malformed"], &counters["kept"]["detections"]),
            (&4.into(), &4.into()),
            "{counters}"
        );
    }
}

#[test]
fn the_items_of_a_batch_are_counted_and_the_counters_balance() {
    let batch = format!("{{\"records\":[{DETECTION},{{\"a\":1}},{SELECTION}]}}\n{DETECTION}\n");
    let json = ran(&["run", "--now", NOON, "--summary", "json"], batch.as_bytes());
    let counters = json.counters();
    let number = |name: &str| counters.pointer(name).and_then(Value::as_u64).unwrap();
    assert_eq!((json.code, json.entries().len()), (Some(0), 4), "{}", json.err);
    assert_eq!((number("/records"), number("/batches"), number("/batch-items")), (2, 1, 3));
    let out = ["/kept/total", "/dropped/total", "/suppressed", "/passed", "/batches"].map(number);
    assert_eq!(number("/records") + number("/batch-items"), out.iter().sum::<u64>());
    let table = ran(&["run", "--now", NOON], batch.as_bytes()).err;
    assert_eq!(
        table.split_once("\n\n").unwrap().1,
        "\
records                       2
batch items                   3   findings and others in batches
  kept                        4
    detections                2
    selections                1
    unrecognised              1   not findings, sent as entries
  dropped                     0
  suppressed                  0
  passed                      0
  batches                     1   split into their items
entries                       4
  of records                  4
"
    );
}

#[test]
fn byte_order_marks_and_padding_are_not_part_of_a_record() {
    let cut = &DETECTION[..40];
    for (name, head) in
        [("bom", "\u{feff}"), ("nul", "\0\0\0\0"), ("both", "\u{feff}\0"), ("lines", "\n\n \r\n")]
    {
        for (form, contents) in [
            ("lines", format!("{head}{DETECTION}\0\n{SELECTION}\n")),
            ("array", format!("{head}[{DETECTION},{SELECTION}]\n")),
            ("gzip", format!("{head}{DETECTION}\n{SELECTION}\n")),
        ] {
            let bytes = if form == "gzip" { gzipped(&contents) } else { contents.into_bytes() };
            let input = file("heads", &format!("{name}.{form}"), bytes);
            let ran = ran(&["run", "--now", NOON, &input], b"");
            assert_eq!((ran.code, ran.entries().len()), (Some(0), 2), "{name} {form}: {}", ran.err);
            assert!(ran.entries().iter().all(|entry| entry["subsystemName"] != "kaudit-unrecognised"));
        }
    }
    let input = file("heads", "cut", format!("{DETECTION}\n{cut}\n{SELECTION}\n{cut}"));
    let ran = ran(&["run", "--now", NOON, "--summary", "json", &input], b"");
    let counters = ran.counters();
    assert_eq!((&counters["malformed"], &counters["records"]), (&2.into(), &4.into()), "{}", ran.err);
    assert!(ran.out.contains("the record ends early at byte 40"), "{}", ran.out);
}

/// A configuration with unlimited integrations for detections and selections.
fn all(more: &str) -> String {
    let target = r#"target: {target-type: http-api, http-api-uri: "https://ingress.eu2.coralogix.com/logs/v1/singles"}"#;
    format!("{more}integrations:\n- type: detections\n  {target}\n- type: selections\n  {target}\n")
}

#[test]
fn many_malformed_records_are_counted() {
    let ran = ran(&["run", "--now", NOON], "x\n".repeat(25).as_bytes());
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("stdin:")).count(), 10);
    assert!(ran.err.contains("\n15 more malformed records\n"), "{}", ran.err);
}

#[test]
fn records_that_pass_stay_on_one_line() {
    let config = file("pass", "kaudit.yaml", all("unrecognised: pass\n"));
    let ran = ran(&["run", "--config", &config], b"{\n  \"a\": 1\n}\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "{   \"a\": 1 }\n"));
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
