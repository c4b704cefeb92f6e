//! The flags that every command has, in one spelling.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::common::program;

fn ran(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_owned()).unwrap()
}

/// Commands with the exit code that they have here; each prints an output.
const COMMANDS: [(&[&str], i32); 9] = [
    (&["run", "-c", "examples/kaudit.yaml", "--clock", "record", "examples/findings/detections.ndjson"], 0),
    (
        &[
            "explain",
            "-c",
            "examples/kaudit.yaml",
            "--clock",
            "record",
            "examples/findings/detections.ndjson",
        ],
        0,
    ),
    (&["check", "examples/kaudit.yaml"], 0),
    (&["test", "examples/tests"], 0),
    (&["bench", "-c", "examples/kaudit.yaml", "--generate", "50", "--rounds", "1"], 0),
    (&["doctor", "--agent", "/dev/null", "--plugins", "/nowhere"], 1),
    (&["options", "guard"], 0),
    (&["schema"], 0),
    (&["completions", "bash"], 0),
];

#[test]
fn every_command_writes_to_a_file_on_request() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flags-output");
    for (arguments, code) in COMMANDS {
        let _ = fs::remove_file(&file);
        for flag in ["-o", "--output"] {
            let output = ran(&[arguments, &[flag, file.to_str().unwrap()]].concat());
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
            assert!(output.stdout.is_empty(), "{arguments:?}");
            assert!(!fs::read(&file).unwrap().is_empty(), "{arguments:?}");
        }
        let output = ran(&[arguments, &["-o", "/nowhere/file"]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("/nowhere/file: cannot write: "), "{}", text(&output.stderr));
    }
}

#[test]
fn json_has_one_flag() {
    for (arguments, code) in COMMANDS.iter().filter(|(arguments, _)| {
        ["run", "explain", "check", "test", "bench", "doctor", "options"].contains(&arguments[0])
    }) {
        let output = ran(&[arguments, &["--format", "json"][..]].concat());
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {}", text(&output.stderr));
        let values: Result<Vec<Value>, _> =
            serde_json::Deserializer::from_slice(&output.stdout).into_iter().collect();
        assert!(!values.unwrap().is_empty(), "{arguments:?}");
    }
}

#[test]
fn quiet_leaves_only_errors_on_standard_error() {
    for (arguments, code) in COMMANDS {
        let output = ran(&[arguments, &["--quiet"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
    }
    // A check without remarks and tests without a failure print nothing.
    for arguments in [["check", "-q", "examples/kaudit.yaml"], ["test", "-q", "examples/tests"]] {
        assert_eq!(text(&ran(&arguments).stdout), "", "{arguments:?}");
    }
    let output = ran(&["run", "-q", "-c", "nowhere.yaml"]);
    assert!(text(&output.stderr).starts_with("nowhere.yaml: cannot read"), "{}", text(&output.stderr));
}

#[test]
fn colours_are_chosen_by_one_flag() {
    let mistaken = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flags-colour.yaml");
    fs::write(&mistaken, "colour: red\nintegrations: []\n").unwrap();
    let mistaken = mistaken.to_str().unwrap();
    let commands: [&[&str]; 5] = [
        &["check", mistaken],
        COMMANDS[1].0,
        COMMANDS[3].0,
        &["run", "-c", mistaken],
        &["migrate", mistaken],
    ];
    for arguments in commands {
        for (when, coloured) in [("always", true), ("never", false), ("auto", false)] {
            let output = ran(&[arguments, &["--color", when][..]].concat());
            let both = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(both.contains('\u{1b}'), coloured, "{arguments:?} {when}: {both}");
        }
    }
}

#[test]
fn the_version_is_printed_in_every_form_that_users_try() {
    let version = format!("kaudit-filter {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [&["--version"][..], &["-V"], &["version"]] {
        assert_eq!(text(&ran(arguments).stdout), version, "{arguments:?}");
    }
    for command in ["check", "run", "explain", "test", "bench", "endpoint", "pipe", "bake", "doctor", "init"]
    {
        let output = ran(&[command, "--version"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(text(&output.stdout).ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION"))), "{command}");
    }
}

#[test]
fn removed_and_misspelt_names_are_rejected_with_the_nearest() {
    for (arguments, expected) in [
        (&["explain", "--json"][..], "unexpected argument '--json'"),
        (&["bench", "--generate", "1", "--json", "a"], "unexpected argument '--json'"),
        (&["chek"], "'check'"),
        (&["explian"], "'explain'"),
    ] {
        let output = ran(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(expected) && !error.contains("schema"), "{error}");
    }
}
