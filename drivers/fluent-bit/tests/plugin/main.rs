//! The built plugin in the driver, over every supported layout of Fluent Bit's structures.

mod agent;
mod detections;
mod otlp;
mod output;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use agent::{Agent, DRIVER, NOW, SECOND, event_at, finding, finding_text, plugin, raw, text};
use kaudit_driver::{Outcome, Record};
use serde_json::Value;

const LAYOUTS: [&str; 4] = ["2.2", "3.2", "3.2-no-regex", "5.1"];

/// The entities of entries.
fn entities(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().filter_map(|(_, body)| body["text"]["eid"].as_str()).collect()
}

#[test]
fn every_layout_keeps_heads_and_writes_entries() {
    for layout in LAYOUTS {
        let mut agent = Agent::started(
            layout,
            &["application_name lab", "entity_no_match ^system:", "unrecognised pass"],
        );
        // [[1.5, {"a": 1}], {eid…}]: a head that no input writes is emitted unchanged.
        let eid = "83a3656964a1 79a56574797065a97072696e636970616ca474696d65cf00000170976e6800";
        let unusual = raw(&format!("9292cb3ff800000000000081a16101{eid}"));
        let old = Record::OldEvent(finding_text("old"));
        let (outcome, events) = agent.chunk(&[
            finding("a"),
            finding("system:b"),
            unusual,
            old,
            text(r#"{"no":"finding"}"#),
            text("a line"),
        ]);
        assert_eq!(outcome, Outcome::Replaced, "{layout}");
        assert_eq!(entities(&events), ["a", "y", "old"], "{layout}");
        let heads: Vec<_> = events.iter().map(|(head, _)| head.as_str()).collect();
        let usual = "92d7005e5bdc000000000080";
        let expected = [usual, "92cb3ff800000000000081a16101", "d7005e5bdc0000000000", usual, usual];
        assert_eq!(heads, expected, "{layout}");
        assert_eq!(events[0].1["applicationName"], "lab", "{layout}");
        assert_eq!(events[3].1, serde_json::json!({"no": "finding"}), "{layout}");
        assert_eq!(events[4].1, serde_json::json!({"log": "a line"}), "{layout}");
        let logged = agent.stop();
        assert_eq!(
            logged.last().map(String::as_str),
            Some("3 statistics: records=6 passed=2 kept.detections=3 dropped.entity-no-match=1"),
            "{layout}"
        );
    }
}

#[test]
fn a_chunk_is_replaced_only_if_necessary() {
    let group = |second: &str| raw(&format!("9292d700{second}0000000080 80"));
    let (start, end) = (group("ffffffff"), group("fffffffe"));
    let keep = finding("a");
    let drop = finding("system:b");
    let pass = text(r#"{"no":"finding"}"#);
    // The chunk, its outcome, and the number of remaining events.
    let table: [(&[&Record], Outcome, usize); 9] = [
        (&[], Outcome::Untouched, 0),
        (&[&pass, &pass], Outcome::Untouched, 2),
        (&[&start, &pass, &end], Outcome::Untouched, 3),
        (&[&start, &end], Outcome::Untouched, 2),
        (&[&drop, &drop], Outcome::Dropped, 0),
        (&[&start, &drop, &end], Outcome::Dropped, 0),
        (&[&start, &keep, &drop, &end], Outcome::Replaced, 3),
        (&[&pass, &drop], Outcome::Replaced, 1),
        (&[&keep], Outcome::Replaced, 1),
    ];
    let mut agent = Agent::started("3.2", &["entity_no_match ^system:", "unrecognised pass"]);
    for (chunk, expected, left) in table {
        let records: Vec<_> = chunk.iter().map(|record| (*record).clone()).collect();
        let (outcome, events) = agent.chunk(&records);
        assert_eq!((outcome, events.len()), (expected, left), "{chunk:?}");
    }
}

#[test]
fn a_batch_is_one_event_for_each_entry_with_its_head() {
    let group = |second: &str| raw(&format!("9292d700{second}000000008080"));
    let (start, end) = (group("ffffffff"), group("fffffffe"));
    let line =
        |parts: &[&str]| Value::from(parts.iter().map(|entity| finding_text(entity)).collect::<String>());
    let batch = text(&format!(r#"{{"log":{},"stream":"stdout"}}"#, line(&["a", "system:b", "c"])));
    let later = |body: &str| event_at(NOW + SECOND, body);
    let list = format!(r#"{{"records":[{},{{"no":"finding"}},{}]}}"#, finding_text("d"), finding_text("e"));
    let dropped = format!(r#"{{"log":{}}}"#, line(&["system:f", "system:g"]));
    let mut agent =
        Agent::started("3.2", &["entity_no_match ^system:", "unrecognised pass", "stats_interval 10s"]);
    let (outcome, events) =
        agent.chunk(&[start, batch, later(&list), later(&dropped), later(r#"{"no":"finding"}"#), end]);
    assert_eq!(outcome, Outcome::Replaced);
    assert_eq!(entities(&events), ["a", "c", "d", "e"]);
    let heads: Vec<_> = events.iter().map(|(head, _)| head.as_str()).collect();
    let (first, second) = ("92d7005e5bdc000000000080", "92d7005e5bdc010000000080");
    let (start, end) = ("92d700ffffffff0000000080", "92d700fffffffe0000000080");
    assert_eq!(heads, [start, first, first, second, second, second, second, end]);
    // An item that is not a finding cannot stay unchanged, since its record does not.
    assert_eq!(events[4].1["text"]["no"], "finding");
    assert_eq!(events[6].1, serde_json::json!({"no": "finding"}));
    assert_eq!(
        agent.stop(),
        ["3 statistics: records=4 batches=3 batch-items=8 passed=1 kept.detections=4 kept.unrecognised=1 \
             dropped.entity-no-match=3"]
    );
}

#[test]
fn a_malformed_chunk_passes_as_a_whole_and_is_logged_once() {
    for broken in ["92", "c1", "93010203", "81a16101", "9292d70000000000000000008081", "a161", "dd00000002"] {
        let mut agent = Agent::started("3.2", &["rate_limit 1"]);
        for _ in 0..3 {
            let (outcome, _) = agent.chunk(&[finding("a"), raw(broken)]);
            assert_eq!(outcome, Outcome::Untouched, "{broken}");
        }
        let logged = agent.logged();
        assert_eq!(logged.len(), 1, "{broken}: {logged:?}");
        assert!(logged[0].starts_with("1 malformed chunk passed through unfiltered: "), "{logged:?}");
        // No finding of it counted against the limit.
        assert_eq!(agent.chunk(&[finding("a")]).0, Outcome::Replaced, "{broken}");
        assert!(agent.stop()[0].ends_with("records=1 kept.detections=1 unfiltered.malformed=3"));
    }
}

#[test]
fn every_mistake_is_a_line() {
    let refused = |options: &[&str]| Agent::start("2.2", options).err().expect("the plugin refuses");
    let options = [
        "aplication_name lab",
        "rate_limit ten",
        "rate_limit 5",
        "entity_match (",
        "shape triples",
        "stats_interval never",
        "category incidents",
        "application_name {clster}",
    ];
    let logged = refused(&options);
    let starts = [
        "1 aplication_name: unknown option; ",
        "1 rate_limit: set more than once; ",
        "1 stats_interval: expected a time ",
        "1 application_name: unknown field `clster`; ",
        "1 shape: expected singles, bulk or otlp, found `triples`",
        "1 rate_limit: expected a whole number from 1 to 100000, found `ten`",
        "1 entity_match: unclosed group",
        "1 category: expected incident or anomaly, or a list of them, found `incidents`",
    ];
    assert_eq!(logged.len(), starts.len(), "{logged:#?}");
    for start in starts {
        assert!(logged.iter().any(|line| line.starts_with(start)), "{start}: {logged:#?}");
    }

    assert_eq!(
        refused(&["config_file /nowhere/kaudit.yaml", "etype principal"]),
        [
            "1 etype: not allowed together with `config_file`; set it in the file",
            "1 /nowhere/kaudit.yaml: error: cannot read: no such file or directory",
        ]
    );

    assert_eq!(
        refused(&["rate_limit_by entity"]),
        ["1 rate_limit_by: has no effect without `rate_limit`; set both or neither"]
    );

    // With another layout than the declared one, an unknown option cannot be detected, and the plugin logs that.
    let mut agent = Agent::started("3.2-no-regex", &["aplication_name lab"]);
    assert_eq!(
        agent.logged(),
        [
            "2 this Fluent Bit does not show its options, so a misspelt one is not noticed",
            "3 no metrics: this Fluent Bit does not export the functions for them",
            "3 summaries and reports leave with the next chunk: the structures of this Fluent Bit are not known",
        ]
    );
}

#[test]
fn the_agents_clock_judges_an_events_age() {
    let mut agent = Agent::started("3.2", &[]);
    let clamped = |events: &[(String, Value)]| {
        events.iter().map(|(_, body)| body["text"]["kaudit_filter"]["clamped"].clone()).collect::<Vec<_>>()
    };
    let event = event_at(NOW, &finding_text("a"));
    let (_, events) = agent.chunk(std::slice::from_ref(&event));
    assert_eq!(clamped(&events), [Value::Null]);
    agent.now += 48 * 3600 * SECOND;
    let (_, events) = agent.chunk(&[event]);
    assert_eq!(events[0].0, "92d7005e5bdc000000000080", "the event's time is old");
    assert_eq!(clamped(&events), ["too-old"]);
}

/// A configuration as a mounted `ConfigMap`: the name is a link to a link that is swapped.
struct Mount(PathBuf);

impl Mount {
    fn new(name: &str) -> Self {
        let mount = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&mount.0);
        fs::create_dir_all(&mount.0).expect("a directory");
        std::os::unix::fs::symlink("data/kaudit.yaml", mount.path()).expect("a link");
        mount
    }

    fn path(&self) -> PathBuf {
        self.0.join("kaudit.yaml")
    }

    fn write(&self, version: &str, text: &str) {
        let directory = self.0.join(version);
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("kaudit.yaml"), text).expect("a file");
        std::os::unix::fs::symlink(version, self.0.join("new")).expect("a link");
        fs::rename(self.0.join("new"), self.0.join("data")).expect("the link is swapped");
    }
}

fn config(limit: u32, rest: &str) -> String {
    format!(
        "use: all\nrate-limit: {{period: 1m}}\nintegrations:\n- name: main\n  type: detections\n  target:\n    \
         target-type: http-api\n    http-api-uri: https://ingress.eu2.coralogix.com/logs/v1/singles\n    \
         rate-limit: {limit}\n{rest}"
    )
}

#[test]
fn a_changed_file_is_loaded_and_an_invalid_one_is_not() {
    let mount = Mount::new("reload");
    mount.write("1", &config(2, ""));
    let option = format!("config_file {}", mount.path().display());
    let mut agent = Agent::started("3.2", &[&option, "reload_interval 5", "stats_interval 1d"]);
    let mut at = NOW;
    let mut step = |agent: &mut Agent, seconds: i64, findings: usize| {
        at += seconds * SECOND;
        agent.now = at;
        let (_, events) = agent.chunk(&vec![finding("a"); findings]);
        (entities(&events).len(), agent.logged())
    };
    assert_eq!(step(&mut agent, 0, 2).0, 2);
    mount.write(
        "2",
        &config(2, "- name: more\n  type: selections\n  target: {target-type: syslog, syslog-host: h}\n"),
    );
    assert_eq!(step(&mut agent, 1, 1), (0, vec![]), "not checked yet; the limit is used up");
    let (kept, logged) = step(&mut agent, 5, 1);
    assert_eq!(kept, 0, "the limit's state is kept, as the integration is the same");
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(logged[0].starts_with("3 reloaded: main (detections, at most 2 in 60s), more "), "{logged:?}");

    mount.write("3", "integrations: 7\nunrecognised: maybe\n");
    let (kept, logged) = step(&mut agent, 5, 1);
    assert_eq!(kept, 0);
    assert_eq!(logged.len(), 3, "{logged:?}");
    assert!(
        logged[0].starts_with("1 ") && logged[0].contains("kaudit.yaml:1:15: error: integrations: "),
        "{logged:?}"
    );
    assert!(
        logged[1].contains("kaudit.yaml:2:15: error: unrecognised: expected wrap, pass or drop"),
        "{logged:?}"
    );
    assert_eq!(logged[2], "1 not reloaded: the previous configuration stays in use");
    assert_eq!(step(&mut agent, 5, 1), (0, vec![]), "logged once");

    mount.write("4", &config(3, ""));
    let (kept, logged) = step(&mut agent, 5, 3);
    assert_eq!(kept, 3, "another limit starts from zero");
    assert!(logged[0].starts_with("3 reloaded: main (detections, at most 3 in 60s), "), "{logged:?}");
    // The findings that the previous limit suppressed are summarised when the summary is due.
    agent.now = NOW + 90 * SECOND;
    let (_, events) = agent.chunk(&[]);
    let counts: Vec<_> = events
        .iter()
        .map(|(_, body)| body["text"]["kaudit_filter"]["summary"]["suppressed"].clone())
        .collect();
    assert_eq!(counts, [4]);
    fs::remove_file(mount.path()).expect("the link is removed");
    let (_, logged) = step(&mut agent, 100, 1);
    assert_eq!(logged.len(), 2, "{logged:?}");
    assert!(logged[0].contains("cannot read: no such file or directory"), "{logged:?}");
}

#[test]
fn statistics_are_logged_at_intervals_and_at_the_end() {
    let options =
        ["rate_limit 1", "stats_interval 10s", "stats_entry on", "entity_no_match ^system:", "emitter off"];
    let mut agent = Agent::started("3.2", &options);
    agent.chunk(&[finding("a"), finding("a"), finding("system:b")]);
    agent.now = NOW + 9 * SECOND;
    agent.chunk(&[finding("a")]);
    assert_eq!(agent.logged(), Vec::<String>::new());
    agent.now = NOW + 10 * SECOND;
    let (_, events) = agent.chunk(&[finding("a")]);
    let statistics = &events.last().expect("an entry").1;
    assert_eq!(statistics["subsystemName"], "kaudit-statistics");
    assert_eq!(statistics["timestamp"], (NOW + 10 * SECOND) / 1_000_000);
    assert_eq!(
        statistics["text"]["kaudit_filter"]["statistics"],
        serde_json::json!({
            "records": 4,
            "suppressed": 1,
            "kept": {"detections": 2},
            "dropped": {"entity-no-match": 1},
            "detected": {}
        })
    );
    assert_eq!(
        agent.logged(),
        ["3 statistics: records=4 suppressed=1 kept.detections=2 dropped.entity-no-match=1"]
    );
    agent.now = NOW + 20 * SECOND;
    agent.chunk(&[]);
    assert_eq!(agent.logged(), ["3 statistics: records=1 kept.detections=1"], "nothing was dropped");
    assert_eq!(
        agent.stop(),
        [
            "3 statistics: records=0",
            "2 shutdown: not sent: 1 pending summaries (of 1 suppressed findings), 0 pending reports (of 0 counted \
             findings) and 0 pending detections; set `state_path` to keep them"
        ]
    );
}

#[test]
fn without_chunks_statistics_are_logged_and_leave_by_the_timer() {
    let options = ["stats_interval 10s", "stats_entry on"];
    for (emitter, switch) in [("works", "emitter on"), ("works", "emitter off"), ("drops", "emitter on")] {
        let mut agent =
            Agent::start_with("3.2", emitter, &[&options[..], &[switch]].concat()).expect("it starts");
        let mut entries = Vec::new();
        let mut wait = |agent: &mut Agent, seconds: i64, records: &[Record]| {
            agent.now += seconds * SECOND;
            let (_, events) = agent.chunk(records);
            let counts = events.iter().map(|(_, body)| body["text"]["kaudit_filter"]["statistics"].clone());
            entries.extend(counts.filter(|counts| !counts.is_null()).map(|counts| counts["records"].clone()));
            agent.logged().into_iter().filter(|line| line.starts_with("3 ")).collect::<Vec<_>>()
        };
        // Before the first chunk there is no tag for an entry.
        wait(&mut agent, 0, &[]);
        assert_eq!(wait(&mut agent, 10, &[]), ["3 statistics: records=0"], "{emitter}");
        wait(&mut agent, 0, &[finding("a"), finding("b")]);
        assert_eq!(wait(&mut agent, 10, &[]), ["3 statistics: records=2 kept.detections=2"], "{emitter}");
        assert_eq!(wait(&mut agent, 10, &[]), ["3 statistics: records=0"], "{emitter}");
        wait(&mut agent, 1, &[finding("c")]);
        // Without an emitter one entry has the counts of all intervals since the last one.
        let expected: &[u64] = if switch == "emitter off" { &[0, 2] } else { &[0, 2, 0] };
        assert_eq!(entries, expected, "{emitter}, {switch}");
    }
}

/// The numbers of suppressed findings in summaries.
fn suppressed(events: &[(String, Value)]) -> Vec<Value> {
    let summaries =
        events.iter().map(|(_, body)| body["text"]["kaudit_filter"]["summary"]["suppressed"].clone());
    summaries.filter(|count| !count.is_null()).collect()
}

#[test]
fn summaries_leave_when_they_are_due_and_not_with_the_next_chunk() {
    for layout in ["2.2", "3.2"] {
        let mut agent = Agent::started(layout, &["rate_limit 1", "stats_interval 1d"]);
        agent.chunk(&[finding("a"), finding("a"), finding("a")]);
        agent.now += SECOND;
        assert_eq!(agent.chunk(&[]).0, Outcome::Untouched, "not due");
        agent.now += 70 * SECOND;
        let (_, events) = agent.chunk(&[]);
        assert_eq!(suppressed(&events), [2], "{layout}");
        agent.now += 70 * SECOND;
        assert_eq!(agent.chunk(&[]).0, Outcome::Untouched, "sent once");
        assert_eq!(
            agent.stop(),
            ["3 statistics: records=3 suppressed=2 summaries=1 summarised=2 kept.detections=1"]
        );
    }
}

#[test]
fn without_an_emitter_summaries_leave_with_the_next_chunk() {
    let drops = "2 summaries and reports leave with the next chunk: an earlier filter drops the events of the emitter";
    for (emitter, options, logged) in [
        ("refuses", ["rate_limit 1", "emitter on"], vec![]),
        ("drops", ["rate_limit 1", "emitter on"], vec![drops]),
        (
            "absent",
            ["rate_limit 1", "emitter on"],
            vec!["2 no timer: summaries, reports and metrics wait for the next chunk"],
        ),
        ("works", ["rate_limit 1", "emitter off"], vec![]),
    ] {
        let mut agent = Agent::start_with("3.2", emitter, &options).expect("the plugin starts");
        agent.chunk(&[finding("a"), finding("a"), finding("a")]);
        agent.now += 70 * SECOND;
        let (_, events) = agent.chunk(&[]);
        let (_, later) = agent.chunk(&[finding("b")]);
        assert_eq!(suppressed(&[events, later].concat()), [2], "{emitter}");
        agent.now += 70 * SECOND;
        let (_, events) = agent.chunk(&[finding("b")]);
        assert_eq!(suppressed(&events), Vec::<Value>::new(), "{emitter}: sent once");
        let mut lines = agent.stop();
        lines.retain(|line| !line.contains("statistics: "));
        assert_eq!(lines, logged, "{emitter}");
    }
}

/// A folder of its own for a test, and the option with a state file in it.
fn state(name: &str) -> (PathBuf, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a directory");
    let option = format!("state_path {}", folder.join("kaudit.state").display());
    (folder, option)
}

#[test]
fn pending_summaries_survive_a_stop() {
    // Its bytes contain the keys of a timestamp in the shape `otlp`.
    let hostile = "¤otlp©timestampπ12345678";
    let finding = |entity| {
        text(&finding_text(entity).replace("\"etype\"", &format!("\"cluster\":\"{hostile}\",\"etype\"")))
    };
    for shape in ["singles", "bulk"] {
        let (folder, option) = state(&format!("stop-{shape}"));
        let file = folder.join("kaudit.state");
        let shape_option = format!("shape {shape}");
        let options = [option.as_str(), "rate_limit 1", "rate_limit_by cluster", &shape_option];
        let counts = |events: &[(String, Value)]| {
            let bodies = events.iter().map(|(_, body)| match body["body"].as_str() {
                Some(envelope) => serde_json::from_str::<Value>(envelope).expect("JSON")["logEntries"]
                    .as_array()
                    .expect("items")
                    .iter()
                    .map(|item| item["text"].as_str().expect("a text").to_owned())
                    .collect(),
                None => body["text"].to_string(),
            });
            bodies.collect::<String>().matches("\"suppressed\":").count().max(suppressed(events).len())
        };
        let mut agent = Agent::started("3.2", &options);
        agent.chunk(&[finding("a"), finding("a"), finding("a")]);
        let kept = "3 shutdown: kept for the next start: 1 pending summaries (of 2 suppressed findings), 0 pending \
                    reports (of 0 counted findings) and 0 pending detections";
        assert_eq!(agent.stop().last().map(String::as_str), Some(kept), "{shape}");

        // Stopped before any chunk: the file stays, and its entries are not counted again.
        let agent = Agent::started("3.2", &options);
        let logged = agent.stop();
        assert!(
            logged[0].starts_with("3 of the last run, to be sent with the first chunk: 1 pending"),
            "{logged:?}"
        );
        assert!(file.exists());

        let mut agent = Agent::started("3.2", &options);
        // Two days later: Coralogix accepts no entry that is older than one.
        agent.now += 48 * 3600 * SECOND;
        let (_, events) = agent.chunk(&[finding("b")]);
        assert_eq!(counts(&events), 1, "{shape}: {events:?}");
        let now = (agent.now / 1_000_000).to_string();
        let summary =
            events.iter().find(|(_, body)| body.to_string().contains("suppressed")).expect("a summary");
        assert!(summary.1.to_string().contains(&now), "{shape}: {}", summary.1);
        assert!(summary.1.to_string().contains(hostile), "{shape}: {}", summary.1);
        assert!(!file.exists(), "taken once");
        agent.now += SECOND;
        assert_eq!(counts(&agent.chunk(&[finding("c")]).1), 0, "{shape}");
        agent.stop();
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "nothing is pending");
    }
}

#[test]
fn a_state_file_that_cannot_be_used_is_reported_and_kept() {
    let (folder, option) = state("refused");
    fs::write(folder.join("kaudit.state"), "kaudit-filter state 2\n").expect("a file");
    let mut agent = Agent::started("3.2", &[&option, "rate_limit 1"]);
    agent.chunk(&[finding("a"), finding("a")]);
    let logged = agent.logged();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert!(
        logged[0].starts_with("1 state_path: `")
            && logged[0].contains("refused: version 2, expected 1; renamed to")
    );
    let stopped = agent.stop();
    assert!(stopped[0].ends_with(" state.refused=1"), "{stopped:?}");
    assert!(stopped[1].starts_with("3 shutdown: kept for the next start: 1 pending"), "{stopped:?}");
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["kaudit.state", "kaudit.state.refused-1"]);
    let refused = Agent::start("3.2", &["state_path /nowhere/kaudit.state"]).err().expect("no such folder");
    assert_eq!(refused, ["1 state_path: folder `/nowhere`: no such file or directory"]);
}

#[test]
fn metrics_equal_the_statistics() {
    let options = ["rate_limit 1", "entity_no_match ^system:", "unrecognised pass", "stats_interval 1d"];
    let mut agent = Agent::started("3.2", &options);
    agent.chunk(&[finding("a"), finding("a"), finding("system:b"), text(r#"{"no":"finding"}"#)]);
    agent.chunk(&[finding("a"), raw("92")]);
    agent.now += 70 * SECOND;
    agent.chunk(&[]);
    let (logged, metrics) = agent.stop_with_metrics();
    assert_eq!(
        logged.last().map(String::as_str),
        Some(
            "3 statistics: records=4 suppressed=1 passed=1 summaries=1 summarised=1 kept.detections=1 \
             dropped.entity-no-match=1 unfiltered.malformed=1"
        )
    );
    let value = |series: &str| metrics.get(series).copied();
    for (series, expected) in [
        (r#"kaudit_received_records_total{name="kaudit.0"}"#, 4),
        (r#"kaudit_records_total{name="kaudit.0",verdict="kept",kind="detections"}"#, 1),
        (r#"kaudit_records_total{name="kaudit.0",verdict="dropped",reason="entity-no-match"}"#, 1),
        (r#"kaudit_records_total{name="kaudit.0",verdict="dropped",reason="etype"}"#, 0),
        (r#"kaudit_records_total{name="kaudit.0",verdict="suppressed"}"#, 1),
        (r#"kaudit_records_total{name="kaudit.0",verdict="passed"}"#, 1),
        (r#"kaudit_entries_total{name="kaudit.0",origin="summary"}"#, 1),
        (r#"kaudit_pending_findings{name="kaudit.0",by="summary"}"#, 0),
        (r#"kaudit_unfiltered_chunks_total{name="kaudit.0",cause="malformed"}"#, 1),
        (r#"kaudit_config_loads_total{name="kaudit.0",result="loaded"}"#, 1),
    ] {
        assert_eq!(value(series), Some(expected), "{series}: {metrics:#?}");
    }
    let sum: u64 = metrics
        .iter()
        .filter(|(series, _)| series.starts_with("kaudit_records_total"))
        .map(|(_, value)| value)
        .sum();
    assert_eq!(sum, 4, "every record has a verdict");
}

#[test]
fn metrics_are_updated_once_in_a_second_with_a_chunk_or_the_timer() {
    const RECORDS: &str = r#"kaudit_received_records_total{name="kaudit.0"}"#;
    // Without an emitter there is a timer, too; without a timer the next chunk, here an empty one, updates them.
    for (emitter, option) in [("works", "emitter on"), ("works", "emitter off"), ("absent", "emitter off")] {
        let mut agent = Agent::start_with("3.2", emitter, &[option]).expect("the plugin starts");
        let records = |agent: &mut Agent| agent.client.series().expect("series")[RECORDS];
        agent.chunk(&[finding("a")]);
        assert_eq!(records(&mut agent), 0, "the first second");
        agent.now += SECOND;
        agent.chunk(&[finding("b")]);
        assert_eq!(records(&mut agent), 2);
        agent.now += SECOND / 2;
        agent.chunk(&[finding("c")]);
        assert_eq!(records(&mut agent), 2, "half a second later");
        agent.now += SECOND / 2;
        agent.chunk(&[]);
        assert_eq!(records(&mut agent), 3, "{emitter}");
        agent.chunk(&[finding("d")]);
        assert_eq!(agent.stop_with_metrics().1[RECORDS], 4, "{emitter}: exact at the end");
    }
}

#[test]
fn dropped_records_are_explained_once_in_an_interval() {
    let options = ["sample_interval 1m", "entity_no_match ^system:", "unrecognised drop"];
    let mut agent = Agent::started("3.2", &options);
    agent.chunk(&[finding("system:a"), finding("system:b"), text(r#"{"password":"hunter2"}"#)]);
    let entity = "3 sample: dropped: entity-no-match: detections; detections: entity-no-match `^system:` rejects `system:";
    let logged = agent.logged();
    assert_eq!(logged.len(), 2, "{logged:?}");
    assert!(logged[0].starts_with(entity) && logged[0].ends_with("`system:a`"), "{logged:?}");
    assert!(logged[1].starts_with("3 sample: dropped: unrecognised: not a finding: "), "{logged:?}");
    assert!(!logged[1].contains("hunter2") && !logged[1].contains("password"), "{logged:?}");
    agent.now += 60 * SECOND;
    agent.chunk(&[finding("system:c")]);
    assert!(agent.stop()[1].ends_with("`system:c`"));
    let mut agent = Agent::started("3.2", &["entity_no_match ^system:", "sample_interval off"]);
    agent.chunk(&[finding("system:a")]);
    assert_eq!(agent.logged(), Vec::<String>::new(), "samples are off by default");
    let refused = Agent::start("3.2", &["sample_interval often"]).err().expect("not a time");
    assert_eq!(
        refused,
        ["1 sample_interval: expected a time from 1s to 1d, such as 30s or 5m, found `often`"]
    );
}

#[test]
fn an_envelope_is_an_event_that_is_a_request() {
    let mut agent = Agent::started("3.2", &["shape bulk", "application_name {etype}", "unrecognised pass"]);
    let other = text(&finding_text("c").replace("principal", "resource"));
    let (outcome, events) = agent.chunk(&[finding("a"), other, text(r#"{"no":"finding"}"#), finding("b")]);
    assert_eq!((outcome, events.len()), (Outcome::Replaced, 3));
    assert_eq!(events[0].1, serde_json::json!({"no": "finding"}));
    for ((head, event), (application, entries)) in events[1..].iter().zip([("principal", 2), ("resource", 1)])
    {
        assert_eq!(head, "92d7005e5bdc000000000080");
        assert_eq!(event["headers"], serde_json::json!({"Content-Type": "application/json"}));
        let body: Value = serde_json::from_str(event["body"].as_str().expect("text")).expect("JSON");
        assert_eq!(body["applicationName"], application);
        assert_eq!(body["logEntries"].as_array().map(Vec::len), Some(entries));
    }
}

#[test]
fn the_file_exports_the_plugin_and_nothing_else() {
    use object::{Object, ObjectSymbol};
    let bytes = fs::read(plugin()).expect("the plugin is built");
    let file = object::File::parse(&*bytes).expect("an ELF file");
    let exports = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    let names: Vec<_> = exports.map(|symbol| symbol.name().expect("a name").to_owned()).collect();
    assert_eq!(names, ["filter_kaudit_plugin"]);
}

#[test]
fn the_plugin_survives_many_starts_many_records_and_several_threads() {
    let output = Command::new(DRIVER)
        .env("MALLOC_ARENA_MAX", "1")
        .args(["--soak", "300,1000,4096"])
        .arg(plugin())
        .output()
        .expect("the driver starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn mostly_unrecognised_records_are_one_warning_in_an_interval() {
    let mut agent = Agent::started("3.2", &["stats_interval 10s"]);
    agent.chunk(&[text(r#"{"no":"finding"}"#), text("a line"), finding("a")]);
    agent.chunk(&[text("another line")]);
    agent.now = NOW + 10 * SECOND;
    agent.chunk(&[finding("b")]);
    let logged = agent.logged();
    assert_eq!(logged.len(), 2, "{logged:?}");
    assert!(
        logged[1].starts_with("2 3 of 4 records are not recognised as findings and are sent"),
        "{logged:?}"
    );
    let logged = agent.stop();
    assert_eq!(logged, ["3 statistics: records=1 kept.detections=1"]);
}
