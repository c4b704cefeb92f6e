//! The records of a stream: their boundaries, faults, batches and verdicts.

use serde_json::Value;

use crate::common::{file, gzipped};
use crate::run::{DETECTION, NOON, SELECTION, all, ran};

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
