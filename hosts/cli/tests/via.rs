//! `kaudit-filter run --via` with the built plugins.
//! They return the same entries as the engine.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const NOON: &str = "2026-03-17T12:00:00Z";
const DRIVERS: [(&str, &str, &str); 2] = [
    ("fluent-bit", "kaudit-fluent-bit-driver", "flb-filter_kaudit.so"),
    ("vector", "kaudit-vector-driver", "kaudit.so"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A directory of one test, with the program alone in it.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("via").join(test);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    // Linked instead of copied: while another test forks, a file that was just written cannot be run.
    fs::hard_link(env!("CARGO_BIN_EXE_kaudit-filter"), directory.join("kaudit-filter")).unwrap();
    directory
}

fn put(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

/// A directory as `cargo xtask dist` fills it, with debug builds.
fn dist() -> &'static Path {
    static DIST: OnceLock<PathBuf> = OnceLock::new();
    DIST.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let packages = ["--package", "kaudit-fluent-bit", "--package", "kaudit-fluent-bit-driver"];
        let built =
            Command::new(env!("CARGO")).args(["build", "--quiet", "--locked"]).args(packages).status();
        assert!(built.unwrap().success());
        let vector = conformance::vector::build(target).unwrap();
        let dist = directory("dist");
        for (from, to) in [
            (target.join("debug/libflb_filter_kaudit.so"), "flb-filter_kaudit.so"),
            (target.join("debug/kaudit-fluent-bit-driver"), "kaudit-fluent-bit-driver"),
            (vector.module, "kaudit.so"),
            (vector.driver, "kaudit-vector-driver"),
        ] {
            put(&from, &dist.join(to));
        }
        dist
    })
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(directory.join("kaudit-filter"));
    command.current_dir(root()).arg("run").args(arguments).output().unwrap()
}

fn log(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Returns the counters, the last line of `--summary json`.
fn counters(output: &Output) -> Value {
    let log = log(output);
    serde_json::from_str(log.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {log}"))
}

/// Returns the entries, and separately the filter's own.
/// The time of the latter depends on the clock of the host.
fn entries(output: &Output) -> (Vec<Value>, Vec<Value>) {
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    let entries = lines.map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        // Some hosts write the text as JSON in a string; Coralogix accepts both.
        if let Some(text) = entry["text"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
            entry["text"] = text;
        }
        entry
    });
    entries.partition(|entry| {
        let own = &entry["text"]["kaudit_filter"];
        own["summary"].is_null() && own["report"].is_null()
    })
}

#[test]
fn the_plugins_give_the_entries_of_the_engine() {
    let files = ["detections", "selections", "selection-counts", "activity"]
        .map(|kind| format!("examples/findings/{kind}.ndjson"));
    for config in [Some("examples/kaudit.yaml"), Some("examples/audit-integration.yaml"), None] {
        for clock in [&["--now", NOON][..], &["--clock", "record"]] {
            let config: Vec<&str> = config.into_iter().flat_map(|file| ["--config", file]).collect();
            let mut arguments = [&config[..], clock, &["--summary", "json"]].concat();
            arguments.extend(files.iter().map(String::as_str));
            let plain = run(dist(), &arguments);
            let (expected, own) = entries(&plain);
            assert!(expected.len() > 10);
            let expected_counters = counters(&plain);
            for (via, ..) in DRIVERS {
                arguments.extend(["--via", via]);
                let output = run(dist(), &arguments);
                arguments.truncate(arguments.len() - 2);
                assert_eq!(output.status.code(), Some(0), "{via}: {}", log(&output));
                let (found, found_own) = entries(&output);
                assert_eq!(found, expected, "{via} {arguments:?}");
                assert_eq!(found_own.len(), own.len(), "{via} {arguments:?}");
                let found_counters = counters(&output);
                assert_eq!(found_counters["records"], expected_counters["records"]);
                assert_eq!(found_counters["lines"], found.len() + found_own.len());
                let number = |value: &Value| value.as_u64().unwrap_or(0);
                for (reason, count) in expected_counters["dropped"]
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(name, _)| *name != "total")
                {
                    assert_eq!(
                        number(count),
                        number(&found_counters["plugin"]["dropped"][reason]),
                        "{via}: {reason}"
                    );
                }
                let found_kept: u64 = found_counters["plugin"]["kept"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(name, _)| *name != "total")
                    .map(|(_, count)| number(count))
                    .sum();
                assert_eq!(
                    number(&expected_counters["kept"]["total"]),
                    found_kept + number(&found_counters["uncounted"]),
                    "{via}: {found_counters}"
                );
                assert_eq!(
                    expected_counters["suppressed"],
                    number(&found_counters["plugin"]["suppressed"]),
                    "{via}: {found_counters}"
                );
            }
        }
    }
}

#[test]
fn missing_files_and_mistakes_are_reported() {
    let empty = directory("empty");
    for (via, driver, plugin) in DRIVERS {
        let output = run(&empty, &["--via", via, "examples/findings/activity.ndjson"]);
        assert_eq!(output.status.code(), Some(2));
        let missing = format!(
            "kaudit-filter: --via {via}: driver program not found: `{}`",
            empty.join(driver).display()
        );
        assert_eq!(log(&output), format!("{missing}; `cargo xtask dist` builds it in dist/\n"));

        let output = run(dist(), &["--via", via, "--plugin", "nowhere/kaudit.so"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(log(&output).contains(": plugin not found: `"), "{}", log(&output));

        // The plugin's own diagnostics.
        let config = empty.join("mistaken.yaml");
        fs::write(&config, "colour: red\n").unwrap();
        let config = config.to_str().unwrap();
        let output = run(dist(), &["--via", via, "--config", config, "examples/findings/activity.ndjson"]);
        assert_eq!(output.status.code(), Some(1), "{}", log(&output));
        assert!(log(&output).contains("colour"), "{}", log(&output));

        let broken = directory(&format!("broken-{via}"));
        put(&dist().join(plugin), &broken.join(plugin));
        put(&root().join("hosts/cli/tests/data/dies.sh"), &broken.join(driver));
        let output = run(&broken, &["--via", via, "examples/findings/activity.ndjson"]);
        assert_eq!(output.status.code(), Some(2), "{}", log(&output));
        let expected = format!("kaudit-filter: --via {via}: the driver ended during `start`: signal: 11");
        assert!(log(&output).contains(&expected), "{}", log(&output));
    }
    for (arguments, mistake) in [
        (&["--plugin", "kaudit.so"][..], "kaudit-filter: --plugin: the engine loads no plugin"),
        (&["--via", "vector", "--shape", "bulk"], "kaudit-filter: --shape: not available with --via"),
        (
            &["--via", "vector", "--format", "protobuf"],
            "kaudit-filter: --format protobuf: not available with --via",
        ),
        (&["--via", "vector", "--plugin", "Cargo.toml"], "expected a file with the name `kaudit.so`"),
    ] {
        let output = run(dist(), arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(log(&output).contains(mistake), "{}", log(&output));
    }
}

#[test]
fn malformed_and_multiline_records_are_filtered() {
    let file = directory("malformed").join("records");
    fs::write(&file, "{\"eid\":\"johnD\",\n\"etype\":\"principal\"}\nnot json\n{\"cut\":\n").unwrap();
    let arguments = ["--now", NOON, "--summary", "json", file.to_str().unwrap()];
    for (via, ..) in DRIVERS {
        let output = run(dist(), &[&arguments[..], &["--via", via]].concat());
        assert_eq!(output.status.code(), Some(1), "{via}: {}", log(&output));
        let found_counters = counters(&output);
        assert_eq!(
            (&found_counters["records"], &found_counters["lines"], &found_counters["malformed"]),
            (&3.into(), &3.into(), &2.into())
        );
    }
}

#[test]
fn lines_are_written_while_the_input_is_open() {
    let findings = fs::read_to_string(root().join("examples/findings/activity.ndjson")).unwrap();
    let mut findings = findings.lines();
    for (via, ..) in DRIVERS {
        let mut command = Command::new(dist().join("kaudit-filter"));
        command.args(["run", "--now", NOON, "--via", via]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut run = command.stderr(Stdio::null()).spawn().unwrap();
        let (mut input, mut lines) =
            (run.stdin.take().unwrap(), BufReader::new(run.stdout.take().unwrap()).lines());
        for _ in 0..2 {
            writeln!(input, "{}", findings.next().unwrap()).unwrap();
            let line = lines.next().unwrap().unwrap();
            assert!(line.starts_with('{'), "{via}: {line}");
        }
        drop(input);
        assert!(lines.next().is_none(), "{via}");
        assert!(run.wait().unwrap().success(), "{via}");
    }
}

#[test]
fn a_bench_filters_the_same_records_in_every_target() {
    let json = directory("bench").join("report.json");
    let arguments =
        ["--config", "examples/kaudit.yaml", "--via", "all", "--generate", "600", "--rounds", "1"];
    let mut command = Command::new(dist().join("kaudit-filter"));
    command.current_dir(root()).arg("bench").args(arguments).args([
        "--format",
        "json",
        "--output",
        json.to_str().unwrap(),
    ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    let report: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let targets = report["configurations"][0]["through"].as_array().unwrap();
    let through: Vec<_> =
        targets.iter().map(|target| (target["name"].as_str().unwrap(), &target["left"])).collect();
    for target in DRIVERS.iter().map(|(via, ..)| *via).chain(["engine, MessagePack"]) {
        let (_, left) =
            through.iter().find(|(name, _)| *name == target).unwrap_or_else(|| panic!("{through:?}"));
        assert_eq!(*left, through[0].1, "{through:?}");
    }
    assert!(targets.iter().all(|target| target["ns"].as_f64().unwrap() > 0.0));
}

#[test]
fn the_guest_gives_the_entries_of_the_engine() {
    let dist = directory("guest");
    for file in ["kaudit.wasm", "kaudit-wamr-driver"] {
        let built = root().join("dist").join(file);
        if !built.is_file() && std::env::var_os("KAUDIT_DIST").is_none() {
            eprintln!("not run: no dist/{file}; `cargo xtask test` builds it");
            return;
        }
        put(&built, &dist.join(file));
    }
    let findings = ["examples/findings/detections.ndjson", "examples/findings/activity.ndjson"];
    for config in [Some("examples/kaudit.yaml"), None] {
        let config: Vec<&str> = config.into_iter().flat_map(|file| ["--config", file]).collect();
        let arguments = [&config[..], &["--now", NOON, "--summary", "json"], &findings].concat();
        let (expected, _) = entries(&run(&dist, &arguments));
        assert!(expected.len() > 5);
        let output = run(&dist, &[&arguments[..], &["--via", "wasm"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        assert_eq!(entries(&output).0, expected);
        assert_eq!(counters(&output)["lines"], expected.len());
    }
    let config = dist.join("mistaken.yaml");
    fs::write(&config, "colour: red\n").unwrap();
    let output = run(&dist, &["--via", "wasm", "--config", config.to_str().unwrap(), findings[0]]);
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert!(log(&output).contains("colour"), "{}", log(&output));
}
