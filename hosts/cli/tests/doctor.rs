//! `kaudit-filter doctor` with scripts in place of agents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script in place of Fluent Bit.
/// It loads a plugin file that contains `good`, if the configuration has a `kaudit` filter.
const FLUENT_BIT: &str = r#"#!/bin/sh
case "$*" in
--version) echo "Fluent Bit vVERSION"; exit ;;
--help) echo "  wasm     WASM program filter"; exit ;;
"--quiet -e "*"/flb-filter_kaudit.so -c "*" --dry-run") ;;
*) echo "unexpected: $*"; exit 3 ;;
esac
grep -q 'name kaudit' "$5" || { echo "[error] no filter"; exit 1; }
grep -q good "$3" && exit
echo "[info] starting"
echo "[error] [plugin] dlopen() $3: version GLIBC_2.34 not found" >&2
exit 1
"#;

fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
}

/// Returns the exit code and the output, with `.` instead of the directory.
fn doctor(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"));
    doctor.arg("doctor").args(arguments).arg("--plugins").arg(directory).current_dir(directory);
    let output = doctor.env("PATH", format!("{}:/bin", directory.display())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(directory.to_str().unwrap(), ".");
    // The length of the directory determines the line breaks.
    (output.status.code(), text.replace("\n                ", " "))
}

#[test]
fn a_compatible_agent_is_found_and_tested() {
    let directory = scratch("compatible");
    program(&directory.join("fluent-bit"), &FLUENT_BIT.replace("VERSION", "5.1.1"));
    fs::write(directory.join("flb-filter_kaudit.so"), "good").unwrap();
    let expected = "plugins in .

./fluent-bit
  ok version    5.1.1 (from 2.2 to 5.1)
  ok plugin     loads ./flb-filter_kaudit.so
  ok otlp       shape otlp: any number of resources
  ok wasm       has the wasm filter
";
    assert_eq!(doctor(&directory, &["--agent", "./fluent-bit"]), (Some(0), expected.to_owned()));
    let (_, found) = doctor(&directory, &[]);
    assert!(found.starts_with(expected.trim_end()), "{found}");
}

#[test]
fn failures_are_explained() {
    let directory = scratch("incompatible");
    program(&directory.join("fluent-bit"), &FLUENT_BIT.replace("VERSION", "1.9.10"));
    program(
        &directory.join("vector"),
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'vector 0.57.0 (x86_64-unknown-linux-musl)'\n",
    );
    program(&directory.join("other"), "#!/bin/sh\necho 'other 1.0'\n");
    fs::write(directory.join("flb-filter_kaudit.so"), "bad").unwrap();
    let agents =
        ["--agent", "./fluent-bit", "--agent", "./vector", "--agent", "./other", "--agent", "./none"];
    let (code, text) = doctor(&directory, &agents);
    let expected = "plugins in .

./fluent-bit
  NO version    1.9.10; the plugin is for versions from 2.2 to 5.1
  NO plugin     does not load ./flb-filter_kaudit.so: [error] [plugin] dlopen() ./flb-filter_kaudit.so: version GLIBC_2.34 not found
  ok otlp       has no log groups (from 3.1); the shape otlp cannot be used
  ok wasm       has the wasm filter

./vector
  ok version    0.57.0 (from 0.57)
  NO lua        cannot be read: Unknown file magic
  NO plugin     file not found: ./kaudit.so

./other
  NO version    not an agent: `--version` does not print a version of fluent-bit or vector

./none
  NO version    cannot be run: No such file or directory (os error 2)
";
    assert_eq!((code, text.as_str()), (Some(1), expected));
}

/// A pipeline that loses records in each of the cases that are checked.
const LOSSY_CLASSIC: &str = "[SERVICE]
    flush 5
[INPUT]
    name tail
    tag kaudit.tail
[INPUT]
    name tail
    tag other
[FILTER]
    name kaudit
    match kaudit.*
    rate_limit 10
[OUTPUT]
    name http
    match kaudit.*
[OUTPUT]
    name null
    match other
";

const LOSSY_VECTOR: &str = "sources: {in: {type: stdin}}
transforms:
  kaudit:
    type: lua
    version: \"2\"
    inputs: [in]
    source: require(\"kaudit\")
  later: {type: remap, inputs: [kaudit], source: .}
sinks:
  out:
    type: http
    inputs: [later]
    uri: https://ingress.${DOMAIN}/logs/v1/singles
    acknowledgements: {enabled: true}
  other: {type: blackhole, inputs: [in]}
";

/// Returns the checks of a pipeline: the names of those that pass, and the others with the beginning of their text.
fn pipeline(directory: &Path, file: &str, agents: &[&str]) -> Vec<String> {
    let arguments = [agents, &["--pipeline", file, "--format", "json"]].concat();
    let (code, text) = doctor(directory, &arguments);
    let report: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(code, Some(0), "{text}");
    let checks = report["pipelines"][0]["checks"].as_array().unwrap();
    let line = |check: &serde_json::Value| match check["result"].as_str().unwrap() {
        "passed" => check["check"].as_str().unwrap().to_owned(),
        result => {
            format!("{result} {}: {}", check["check"].as_str().unwrap(), check["message"].as_str().unwrap())
        }
    };
    checks.iter().map(line).collect()
}

/// Requires that each line begins with the expected text.
fn begins(lines: &[String], expected: &[&str]) {
    let equal = lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, expected)| line.starts_with(expected));
    assert!(equal, "{lines:#?}\nexpected {expected:#?}");
}

#[test]
fn settings_that_lose_records_are_warnings_with_the_setting_to_write() {
    let directory = scratch("pipelines");
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    write("lossy.conf", LOSSY_CLASSIC);
    let lossy = [
        "warning buffer: chunks that Coralogix has not accepted are lost at a restart: write `storage.path ",
        "warning rejected: a chunk that Coralogix refuses is dropped, for example because of a wrong key: write \
         `storage.keep.rejected on` and `storage.rejected.path rejected`",
        "warning retries: line 13: a chunk of the output `http` is retried once, the default, and then dropped: write \
         `retry_limit no_limits`",
        "warning state: line 9: summaries that are pending when Fluent Bit stops are lost: write `state_path ",
    ];
    begins(&pipeline(&directory, "lossy.conf", &[]), &lossy);

    // The same in YAML, as a processor.
    write(
        "lossy.yaml",
        "service: {flush: 5}\npipeline:\n  inputs:\n  - name: tail\n    tag: kaudit.tail\n    processors: {logs: \
         [{name: kaudit, config_file: k.yaml}]}\n  outputs:\n  - {name: http, match: 'kaudit.*', retry_limit: no_retries}\n",
    );
    let retries = "warning retries: line 8: a chunk of the output `http` is not retried but dropped";
    begins(
        &pipeline(&directory, "lossy.yaml", &[]),
        &[lossy[0], lossy[1], retries, "warning state: line 6: summaries"],
    );

    // An older version has no such setting; a file of the input is not enough.
    program(&directory.join("fluent-bit"), &FLUENT_BIT.replace("VERSION", "3.2.10"));
    fs::write(directory.join("flb-filter_kaudit.so"), "good").unwrap();
    let service = "[SERVICE]\n    storage.path /s\n    storage.keep.rejected on\n";
    write("old.conf", &LOSSY_CLASSIC.replace("[SERVICE]\n", service));
    begins(
        &pipeline(&directory, "old.conf", &["--agent", "./fluent-bit"])[..2],
        &[
            "warning buffer: line 5: the chunks of the input `tail` are in memory",
            "warning rejected: 3.2.10 drops a chunk that Coralogix refuses",
        ],
    );

    fs::remove_file(directory.join("fluent-bit")).unwrap();

    // Files that are included count; others are named.
    write("safe.inc", "[SERVICE]\n    storage.path /s\n    storage.keep.rejected on\n");
    let safe = LOSSY_CLASSIC
        .replace("tag kaudit.tail\n", "tag kaudit.tail\n    storage.type filesystem\n")
        .replace("name kaudit\n", "name kaudit\n    State_Path /s/kaudit.state\n")
        .replace("name http\n", "name http\n    Retry_Limit False\n");
    write("safe.conf", &format!("@INCLUDE *.inc\n@INCLUDE /nowhere/x.conf\n{safe}"));
    begins(
        &pipeline(&directory, "safe.conf", &[]),
        &["buffer", "rejected", "retries", "state", "warning include: `/nowhere/x.conf` cannot be read here"],
    );

    write("lossy-vector.yaml", LOSSY_VECTOR);
    begins(
        &pipeline(&directory, "lossy-vector.yaml", &[]),
        &[
            "warning buffer: line 11: the events of the sink `out` wait in memory and are lost at a restart: write \
             `buffer: {type: disk",
            "warning acks: line 14: `acknowledgements` end at the `lua` transform",
            "warning secrets: line 13: from 0.57 on, Vector substitutes no variable",
        ],
    );
    write(
        "key.yaml",
        &LOSSY_VECTOR.replace("    acknowledgements", "    auth: {token: hunter2}\n    acknowledgements"),
    );
    let lines = pipeline(&directory, "key.yaml", &[]);
    assert!(
        lines[2].starts_with("warning secrets: line 14: the key is in the file: write `secret: "),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("hunter2"), "{lines:?}");

    let (code, text) = doctor(&directory, &["--pipeline", "lossy.conf"]);
    assert!(code == Some(0) && text.contains("no agent found") && text.contains("\n  !! buffer "), "{text}");
    for (file, text) in [("none.conf", None), ("other.txt", Some("hello\n"))] {
        if let Some(text) = text {
            write(file, text);
        }
        assert_eq!(doctor(&directory, &["--pipeline", file]).0, Some(2), "{file}");
    }
}

#[test]
fn each_regular_file_that_is_included_is_read_once() {
    let directory = scratch("includes");
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    // Each of them includes all of them: without a record of what was read, 7^8 files.
    for number in 0..6 {
        write(&format!("{number}.conf"), "@INCLUDE *.conf\n");
    }
    write("main.conf", &format!("@INCLUDE *.conf\n{LOSSY_CLASSIC}"));
    assert!(Command::new("mkfifo").arg(directory.join("pipe.conf")).status().unwrap().success());
    fs::create_dir(directory.join("folder.conf")).unwrap();
    let names = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names(pipeline(&directory, "main.conf", &[])),
        ["warning buffer", "warning rejected", "warning retries", "warning state"]
    );
}

#[test]
fn an_output_with_a_regular_expression_gets_the_records() {
    let directory = scratch("match-regex");
    let text = LOSSY_CLASSIC.replace("name http\n    match kaudit.*", "name http\n    Match_Regex ^kaudit");
    fs::write(directory.join("classic.conf"), text).unwrap();
    let lines = pipeline(&directory, "classic.conf", &[]);
    assert!(
        lines[2].starts_with("warning retries: line 13: a chunk of the output `http` is retried once"),
        "{lines:?}"
    );
}

#[test]
fn the_example_pipelines_lose_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let directory = scratch("examples");
    let mut found = 0;
    for folder in ["fluent-bit", "audit/fluent-bit", "vector", "audit/vector", "kubernetes/config"] {
        for entry in fs::read_dir(root.join("examples").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let is_vector = folder.contains("vector") && text.contains("require(\"kaudit\")");
            let is_whole =
                text.contains("[SERVICE]") && text.contains("[OUTPUT]") || text.starts_with("service:");
            let is_whole = is_whole || text.contains("\nservice:");
            if is_vector || is_whole {
                let lines = pipeline(&directory, path.to_str().unwrap(), &[]);
                assert!(lines.iter().all(|line| !line.contains("warning")), "{}: {lines:#?}", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 20, "{found}");
}
