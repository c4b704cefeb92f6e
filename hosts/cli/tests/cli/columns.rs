//! The help and the output for the shipped examples fit a terminal of 80 columns.

use crate::common::run;

/// Returns standard output and standard error of a run in the repository's root.
fn printed(arguments: &[&str]) -> String {
    let (_, out, err) = run(arguments);
    out + &err
}

/// Returns the lines with more than 80 characters.
fn wide(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.chars().count() > 80).map(str::to_owned).collect()
}

#[test]
fn every_help_fits() {
    let help = printed(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let commands = list.lines().take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.len() > 12, "{commands:?}");
    let mut texts = vec![printed(&[]), help.clone(), printed(&["-h"])];
    texts.extend(commands.iter().flat_map(|command| ["-h", "--help"].map(|flag| printed(&[command, flag]))));
    for text in texts {
        assert_eq!(wide(&text), Vec::<String>::new());
        assert!(text.lines().count() > 3, "{text}");
    }
}

#[test]
fn the_output_for_the_examples_fits() {
    let findings = ["detections", "selections", "selection-counts", "activity"]
        .map(|kind| format!("examples/findings/{kind}.ndjson"));
    let findings: Vec<&str> = findings.iter().map(String::as_str).collect();
    let clock = ["--clock", "record"];
    let kaudit = ["-c", "examples/kaudit.yaml"];
    for arguments in [
        [&["run", "-o", "/dev/null"], &kaudit[..], &clock, &findings].concat(),
        [&["explain"], &kaudit[..], &clock, &findings].concat(),
        [&["explain", "-c", "examples/audit/audit.yaml"], &clock[..], &["examples/audit/events.ndjson"]]
            .concat(),
        [
            &["run", "-o", "/dev/null", "-c", "examples/audit/audit.yaml"],
            &clock[..],
            &["examples/audit/events.ndjson"],
        ]
        .concat(),
        [&["bench", "--rounds", "1"], &kaudit[..], &findings].concat(),
        vec![
            "bench",
            "--rounds",
            "6",
            "--generate",
            "500",
            "-c",
            "benches/job.yaml",
            "--compare",
            "examples/kaudit.yaml",
        ],
        vec!["test", "examples/tests"],
        vec!["check", "examples"],
        vec!["options"],
        vec!["doctor", "--agent", "/bin/true", "--plugins", "/usr/local/share/kaudit-filter/plugins"],
    ] {
        let text = printed(&arguments);
        assert!(!text.is_empty(), "{arguments:?}");
        // A value of the user's that is longer than a line is not divided.
        let wide: Vec<_> = wide(&text).into_iter().filter(|line| !is_one_value(line)).collect();
        assert_eq!(wide, Vec::<String>::new(), "{arguments:?}");
    }
}

/// Returns whether a line consists of one value of the user's: in backticks, an entry, or the name of a test.
fn is_one_value(line: &str) -> bool {
    let longest = line.split('`').map(|part| part.chars().count()).max().unwrap_or(0);
    line.starts_with("the filter adds: {") || line.starts_with("ok ") || line.contains('`') && longest > 50
}
