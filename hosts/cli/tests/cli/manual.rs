//! Output generated from tables and help: options, schema, completions, manuals.

use std::fs;

use serde_json::Value;

use crate::common::{folder, root, run};

/// Returns the subcommands in the help.
fn subcommands() -> Vec<String> {
    let (_, help, _) = run(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_subcommand_is_completed_and_has_a_page() {
    let names = subcommands();
    assert!(names.len() > 8, "{names:?}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell} does not complete {name}");
        }
    }
    let folder = folder("manual", "man");
    let (code, _, err) = run(&["man", "--output", folder.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    for name in &names {
        let page = fs::read_to_string(folder.join(format!("kaudit-filter-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(name.as_str()), "{page}");
    }
    let (_, page, _) = run(&["man"]);
    assert_eq!(page, fs::read_to_string(folder.join("kaudit-filter.1")).unwrap());
}

#[test]
fn the_schema_is_the_one_in_the_examples() {
    let (code, out, _) = run(&["schema"]);
    assert_eq!(code, Some(0));
    let examples = root().join("examples");
    assert_eq!(out, fs::read_to_string(examples.join("kaudit.schema.json")).unwrap());
    let document = fs::read_to_string(examples.join("kaudit.yaml")).unwrap();
    assert!(document.contains("# yaml-language-server: $schema=kaudit.schema.json\n"), "no modeline");
}

#[test]
fn options_are_selected_by_a_part_of_their_path() {
    let (code, out, _) = run(&["options", "guard.max-age"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        out,
        "guard.max-age (default 24h)\n    Older findings are stale.\n    a duration from 1s to 3650d, such as 24h\n"
    );
    let (code, found, _) = run(&["options", "max-age"]);
    assert!(code == Some(0) && found == out, "{found}");
    let (_, all, _) = run(&["options", "--format", "json"]);
    assert!(serde_json::from_str::<Value>(&all).unwrap().as_array().unwrap().len() > 50);
    let (_, table, _) = run(&["options", "--format", "markdown", "unrecognised"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    let (code, out, err) = run(&["options", "colour"]);
    assert!(code == Some(2) && out.is_empty() && err.contains("`colour`"), "{err}");
}
