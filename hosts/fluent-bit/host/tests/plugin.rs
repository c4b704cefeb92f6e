//! The built plugin in the driver, over every supported layout of Fluent Bit's structures.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// 2020-03-01T16:00:00Z, nanoseconds.
const NOW: i64 = 1_583_078_400_000_000_000;
const SECOND: i64 = 1_000_000_000;
const LAYOUTS: [&str; 3] = ["2.2", "3.2", "3.2-no-regex"];

/// A driver's process.
struct Host {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    log: Vec<String>,
}

impl Host {
    fn new(layout: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kaudit-fluent-bit-host"))
            .args(["--layout", layout])
            .arg(plugin())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the driver starts");
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut host = Self { child, requests, answers, log: Vec::new() };
        host.now(NOW);
        host
    }

    /// A driver in which the plugin started.
    fn started(layout: &str, options: &[&str]) -> Self {
        let mut host = Self::new(layout);
        assert_eq!(host.start(options), "started", "{:?}", host.log);
        host
    }

    fn send(&mut self, request: &str) {
        writeln!(self.requests.as_ref().expect("not stopped"), "{request}").expect("the driver listens");
    }

    /// The next answer; the log's lines before it are put aside.
    fn answer(&mut self) -> String {
        loop {
            let line = self.answers.next().expect("the driver died").expect("text");
            match line.strip_prefix("log ") {
                Some(logged) => self.log.push(logged.replace("[filter:kaudit:kaudit.0] ", "")),
                None => return line,
            }
        }
    }

    fn start(&mut self, options: &[&str]) -> String {
        for option in options {
            self.send(&format!("option {option}"));
        }
        self.send("start");
        self.answer()
    }

    fn now(&mut self, nanos: i64) {
        self.send(&format!("now {nanos}"));
    }

    /// What becomes of the chunk, and the heads and bodies of the events that the host goes on with.
    fn call(&mut self) -> (String, Vec<(String, Value)>) {
        self.send("call");
        let word = self.answer();
        let mut events = Vec::new();
        loop {
            let line = self.answer();
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("event"), Some(head), Some(body)) => {
                    events.push((head.to_owned(), serde_json::from_str(body).expect("a body is JSON")));
                }
                (Some("malformed"), ..) => (),
                _ => return (word, events),
            }
        }
    }

    fn chunk(&mut self, requests: &[&str]) -> (String, Vec<(String, Value)>) {
        for request in requests {
            self.send(request);
        }
        self.call()
    }

    /// The log's lines since the last question, without the one of the start.
    fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log).into_iter().filter(|line| !line.contains("started: ")).collect()
    }

    fn stop(mut self) -> Vec<String> {
        self.send("stop");
        assert_eq!(self.answer(), "stopped");
        self.requests = None;
        assert!(self.child.wait().expect("the driver ends").success());
        self.said()
    }
}

fn plugin() -> PathBuf {
    let driver = Path::new(env!("CARGO_BIN_EXE_kaudit-fluent-bit-host"));
    driver.with_file_name("deps").join("libflb_filter_kaudit.so")
}

fn finding(entity: &str) -> String {
    format!(
        r#"event {{"eid":"{entity}","etype":"principal","category":"anomaly","confidence":"high","time":1583078400000}}"#
    )
}

/// The entities of entries.
fn entities(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().filter_map(|(_, body)| body["text"]["eid"].as_str()).collect()
}

#[test]
fn every_layout_keeps_heads_and_writes_entries() {
    for layout in LAYOUTS {
        let mut host =
            Host::started(layout, &["application_name lab", "entity_no_match ^system:", "unrecognised pass"]);
        // [[1.5, {"a": 1}], {eid…}]: a head as no input writes it leaves as it came.
        let eid =
            "83a3656964a1 79a56574797065a97072696e636970616ca474696d65cf00000170976e6800".replace(' ', "");
        let odd = format!("bytes 9292cb3ff800000000000081a16101{eid}");
        let old = finding("old").replacen("event", "old-event", 1);
        let (word, events) =
            host.chunk(&[&finding("a"), &finding("system:b"), &odd, &old, r#"event {"no":"finding"}"#]);
        assert_eq!(word, "replaced", "{layout}");
        assert_eq!(entities(&events), ["a", "y", "old"], "{layout}");
        let heads: Vec<_> = events.iter().map(|(head, _)| head.as_str()).collect();
        let usual = "92d7005e5bdc000000000080";
        assert_eq!(heads, [usual, "92cb3ff800000000000081a16101", "d7005e5bdc0000000000", usual], "{layout}");
        assert_eq!(events[0].1["applicationName"], "lab", "{layout}");
        assert_eq!(events[3].1, serde_json::json!({"no": "finding"}), "{layout}");
        let said = host.stop();
        assert_eq!(
            said.last().map(String::as_str),
            Some("3 statistics: records=5 passed=1 kept.detections=3 dropped.entity-no-match=1"),
            "{layout}"
        );
    }
}

#[test]
fn a_chunk_takes_its_cheapest_way() {
    let group = |second: &str| format!("bytes 9292d700{second}0000000080 80").replace(' ', "");
    let (start, end) =
        (group("ffffffff").replacen("bytes", "bytes ", 1), group("fffffffe").replacen("bytes", "bytes ", 1));
    let keep = finding("a");
    let drop = finding("system:b");
    let pass = r#"event {"no":"finding"}"#.to_owned();
    // The chunk, what becomes of it, and how many events are left.
    let table: [(&[&String], &str, usize); 9] = [
        (&[], "untouched", 0),
        (&[&pass, &pass], "untouched", 2),
        (&[&start, &pass, &end], "untouched", 3),
        (&[&start, &end], "untouched", 2),
        (&[&drop, &drop], "dropped", 0),
        (&[&start, &drop, &end], "dropped", 0),
        (&[&start, &keep, &drop, &end], "replaced", 3),
        (&[&pass, &drop], "replaced", 1),
        (&[&keep], "replaced", 1),
    ];
    let mut host = Host::started("3.2", &["entity_no_match ^system:", "unrecognised pass"]);
    for (chunk, expected, left) in table {
        let requests: Vec<_> = chunk.iter().map(|request| request.as_str()).collect();
        let (word, events) = host.chunk(&requests);
        assert_eq!((word.as_str(), events.len()), (expected, left), "{chunk:?}");
    }
}

#[test]
fn a_batch_is_one_event_for_each_entry_with_its_head() {
    let group = |second: &str| format!("bytes 9292d700{second}000000008080");
    let (start, end) = (group("ffffffff"), group("fffffffe"));
    let finding = |entity: &str| finding(entity).replacen("event ", "", 1);
    let line = |parts: &[&str]| Value::from(parts.iter().map(|entity| finding(entity)).collect::<String>());
    let batch = format!(r#"event {{"log":{},"stream":"stdout"}}"#, line(&["a", "system:b", "c"]));
    let list = format!(r#"event {{"records":[{},{{"no":"finding"}},{}]}}"#, finding("d"), finding("e"));
    let dropped = format!(r#"event {{"log":{}}}"#, line(&["system:f", "system:g"]));
    let pass = r#"event {"no":"finding"}"#;
    let mut host =
        Host::started("3.2", &["entity_no_match ^system:", "unrecognised pass", "stats_interval 10s"]);
    let later = format!("now {}", NOW + SECOND);
    let (word, events) = host.chunk(&[&start, &batch, &later, &list, &dropped, pass, &end]);
    assert_eq!(word, "replaced");
    assert_eq!(entities(&events), ["a", "c", "d", "e"]);
    let heads: Vec<_> = events.iter().map(|(head, _)| head.as_str()).collect();
    let (first, second) = ("92d7005e5bdc000000000080", "92d7005e5bdc010000000080");
    let (start, end) = ("92d700ffffffff0000000080", "92d700fffffffe0000000080");
    assert_eq!(heads, [start, first, first, second, second, second, second, end]);
    // An item that is no finding cannot stay as it is, since its record does not.
    assert_eq!(events[4].1["text"]["no"], "finding");
    assert_eq!(events[6].1, serde_json::json!({"no": "finding"}));
    assert_eq!(
        host.stop(),
        ["3 statistics: records=4 batches=3 batch-items=8 passed=1 kept.detections=4 kept.unrecognised=1 \
             dropped.entity-no-match=3"]
    );
}

#[test]
fn a_malformed_chunk_passes_as_a_whole_and_is_logged_once() {
    for broken in ["92", "c1", "93010203", "81a16101", "9292d70000000000000000008081", "a161", "dd00000002"] {
        let mut host = Host::started("3.2", &["rate_limit 1"]);
        let broken = format!("bytes {broken}");
        for _ in 0..3 {
            assert_eq!(host.chunk(&[&finding("a"), &broken]).0, "untouched", "{broken}");
        }
        let said = host.said();
        assert_eq!(said.len(), 1, "{broken}: {said:?}");
        assert!(said[0].starts_with("1 malformed chunk passed through unfiltered: "), "{said:?}");
        // Nothing of it was charged to the limit.
        assert_eq!(host.chunk(&[&finding("a")]).0, "replaced", "{broken}");
        assert!(host.stop()[0].ends_with("records=1 kept.detections=1 unfiltered.malformed=3"));
    }
}

#[test]
fn every_mistake_is_a_line() {
    let mut host = Host::new("2.2");
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
    assert_eq!(host.start(&options), "refused");
    let said = host.said();
    let starts = [
        "1 aplication_name: unknown option; ",
        "1 rate_limit: set more than once; ",
        "1 stats_interval: expected a time ",
        "1 application_name: unknown field `clster`; ",
        "1 shape: expected singles or bulk, found `triples`",
        "1 rate_limit: expected a whole number from 1 to 100000, found `ten`",
        "1 entity_match: unclosed group",
        "1 category: expected incident or anomaly, or a list of them, found `incidents`",
    ];
    assert_eq!(said.len(), starts.len(), "{said:#?}");
    for start in starts {
        assert!(said.iter().any(|line| line.starts_with(start)), "{start}: {said:#?}");
    }

    let mut host = Host::new("3.2");
    assert_eq!(host.start(&["config_file /nowhere/kaudit.yaml", "etype principal"]), "refused");
    assert_eq!(
        host.said(),
        [
            "1 etype: not allowed together with `config_file`; set it in the file",
            "1 /nowhere/kaudit.yaml: error: cannot read: no such file or directory",
        ]
    );

    let mut host = Host::new("3.2");
    assert_eq!(host.start(&["rate_limit_by entity"]), "refused");
    assert_eq!(host.said(), ["1 rate_limit_by: has no effect without `rate_limit`; set both or neither"]);

    // A host that is not the one declared: an unknown option cannot be seen, and that is said.
    let mut host = Host::started("3.2-no-regex", &["aplication_name lab"]);
    assert_eq!(
        host.said(),
        ["2 this Fluent Bit does not show its options, so a misspelt one is not noticed"]
    );
}

#[test]
fn the_hosts_clock_judges_an_events_age() {
    let mut host = Host::started("3.2", &[]);
    let clamped = |events: &[(String, Value)]| {
        events.iter().map(|(_, body)| body["text"]["kaudit_filter"]["clamped"].clone()).collect::<Vec<_>>()
    };
    // The event's own timestamp is that of the driver's clock when the event was added.
    let (_, events) = host.chunk(&[&finding("a")]);
    assert_eq!(clamped(&events), [Value::Null]);
    host.send(&finding("a"));
    host.now(NOW + 48 * 3600 * SECOND);
    let (_, events) = host.call();
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
fn a_changed_file_takes_over_and_a_wrong_one_does_not() {
    let mount = Mount::new("reload");
    mount.write("1", &config(2, ""));
    let option = format!("config_file {}", mount.path().display());
    let mut host = Host::started("3.2", &[&option, "reload_interval 5", "stats_interval 1d"]);
    let mut at = NOW;
    let mut step = |host: &mut Host, seconds: i64, findings: usize| {
        at += seconds * SECOND;
        host.now(at);
        let finding = finding("a");
        let (_, events) = host.chunk(&vec![finding.as_str(); findings]);
        (entities(&events).len(), host.said())
    };
    assert_eq!(step(&mut host, 0, 2).0, 2);
    mount.write(
        "2",
        &config(2, "- name: more\n  type: selections\n  target: {target-type: syslog, syslog-host: h}\n"),
    );
    assert_eq!(step(&mut host, 1, 1), (0, vec![]), "not looked at yet; the limit is used up");
    let (kept, said) = step(&mut host, 5, 1);
    assert_eq!(kept, 0, "the limit's state is kept, as the integration is the same");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("3 reloaded: main (detections, at most 2 in 60s), more "), "{said:?}");

    mount.write("3", "integrations: 7\nunrecognised: maybe\n");
    let (kept, said) = step(&mut host, 5, 1);
    assert_eq!(kept, 0);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(
        said[0].starts_with("1 ") && said[0].contains("kaudit.yaml:1:15: error: integrations: "),
        "{said:?}"
    );
    assert!(
        said[1].contains("kaudit.yaml:2:15: error: unrecognised: expected wrap, pass or drop"),
        "{said:?}"
    );
    assert_eq!(said[2], "1 not reloaded: the configuration before stays in use");
    assert_eq!(step(&mut host, 5, 1), (0, vec![]), "said once");

    mount.write("4", &config(3, ""));
    let (kept, said) = step(&mut host, 5, 3);
    assert_eq!(kept, 3, "another limit begins anew");
    assert!(said[0].starts_with("3 reloaded: main (detections, at most 3 in 60s), "), "{said:?}");
    // What the limit before suppressed is still told, when its time comes.
    host.now(NOW + 90 * SECOND);
    let (_, events) = host.chunk(&[]);
    let told: Vec<_> = events
        .iter()
        .map(|(_, body)| body["text"]["kaudit_filter"]["summary"]["suppressed"].clone())
        .collect();
    assert_eq!(told, [4]);
    fs::remove_file(mount.path()).expect("the link goes");
    let (_, said) = step(&mut host, 100, 1);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("cannot read: no such file or directory"), "{said:?}");
}

#[test]
fn statistics_are_told_at_intervals_and_at_the_end() {
    let options = ["rate_limit 1", "stats_interval 10s", "stats_entry on", "entity_no_match ^system:"];
    let mut host = Host::started("3.2", &options);
    host.chunk(&[&finding("a"), &finding("a"), &finding("system:b")]);
    host.now(NOW + 9 * SECOND);
    host.chunk(&[&finding("a")]);
    assert_eq!(host.said(), Vec::<String>::new());
    host.now(NOW + 10 * SECOND);
    let (_, events) = host.chunk(&[&finding("a")]);
    let statistics = &events.last().expect("an entry").1;
    assert_eq!(statistics["subsystemName"], "kaudit-statistics");
    assert_eq!(statistics["timestamp"], (NOW + 10 * SECOND) / 1_000_000);
    assert_eq!(
        statistics["text"]["kaudit_filter"]["statistics"],
        serde_json::json!({"records": 4, "suppressed": 1, "kept": {"detections": 2}, "dropped": {"entity-no-match": 1}})
    );
    assert_eq!(
        host.said(),
        ["3 statistics: records=4 suppressed=1 kept.detections=2 dropped.entity-no-match=1"]
    );
    host.now(NOW + 20 * SECOND);
    host.chunk(&[]);
    assert_eq!(host.said(), ["3 statistics: records=1 kept.detections=1"], "nothing was dropped");
    assert_eq!(
        host.stop(),
        [
            "3 statistics: records=0",
            "2 shutdown: not sent: 1 pending summaries (of 1 suppressed findings) and 0 pending reports (of 0 counted \
             findings)"
        ]
    );
}

#[test]
fn an_envelope_is_an_event_that_is_a_request() {
    let mut host = Host::started("3.2", &["shape bulk", "application_name {etype}", "unrecognised pass"]);
    let other = finding("c").replace("principal", "resource");
    let (word, events) = host.chunk(&[&finding("a"), &other, r#"event {"no":"finding"}"#, &finding("b")]);
    assert_eq!((word.as_str(), events.len()), ("replaced", 3));
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
fn it_bears_many_starts_many_records_and_several_threads() {
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-fluent-bit-host"))
        .env("MALLOC_ARENA_MAX", "1")
        .args(["--soak", "300,1000,4096"])
        .arg(plugin())
        .output()
        .expect("the driver starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
