//! `kaudit-filter check` as a process: files, output formats, exit codes.
//! The diagnostics are tested in `workbench`.

use std::fs;

use serde_json::Value;

use crate::common::{Output, feed, folder};

fn check(arguments: &[&str], stdin: &str) -> Output {
    feed(&[&["check"], arguments].concat(), stdin)
}

const WARNED: &str = "- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.coralogix.in/logs/v1/singles', rate-limit: 10}}\n";

#[test]
fn exit_codes() {
    let table: [(&[&str], &str, i32); 8] = [
        (&["examples/kaudit.yaml"], "", 0),
        (&["-"], WARNED, 0),
        (&["-", "--strict"], WARNED, 1),
        (&["tests/data/config/six-mistakes.yaml"], "", 1),
        (&["nowhere.yaml"], "", 2),
        (&["examples/findings"], "", 2),
        (&[], "", 2),
        (&["--explain", "K999"], "", 2),
    ];
    for (arguments, stdin, code) in table {
        let (found, out, err) = check(arguments, stdin);
        assert_eq!(found, Some(code), "{arguments:?}: {out}{err}");
        assert_eq!(out.is_empty(), code == 2, "{arguments:?}: {out}");
    }
}

#[test]
fn a_folder_is_searched_and_a_file_is_named() {
    let folder = folder("check", "folder");
    fs::create_dir_all(folder.join("below")).unwrap();
    for (name, text) in [
        ("below/list.yml", WARNED),
        ("values.yaml", "replicas: 2\n"),
        ("template.yaml", "{{ .Values }}: [\n"),
        (".list.yaml", WARNED),
        ("list.json", WARNED),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let folder = folder.to_str().unwrap();
    let (code, out, err) = check(&[folder, "tests/data/config/six-mistakes.yaml", "--format", "json"], "");
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["files"], &report["errors"]), (&Value::from(2), &Value::from(6)));
    assert_eq!(report["remarks"][0]["file"], format!("{folder}/below/list.yml"));
}

#[test]
fn unreadable_files_of_a_folder_are_reported() {
    let folder = folder("check", "unread");
    fs::write(folder.join("good.yaml"), WARNED).unwrap();
    fs::write(folder.join("latin.yaml"), [WARNED.as_bytes(), b"# caf\xe9\n"].concat()).unwrap();
    fs::write(folder.join("other.yaml"), b"name: caf\xe9\n").unwrap();
    let (code, _, err) = check(&[folder.to_str().unwrap()], "");
    let expected = format!("{}/latin.yaml: cannot read: line 2 is not UTF-8\n", folder.display());
    assert_eq!((code, err), (Some(1), expected));
}

#[test]
fn a_pipe_gets_no_colours() {
    let (_, out, _) = check(&["tests/data/config/six-mistakes.yaml"], "");
    assert!(out.contains("error[K021]") && !out.contains('\u{1b}'), "{out}");
}

#[test]
fn each_format_is_printed() {
    let (_, out, _) = check(&["-", "--format", "github"], WARNED);
    assert!(out.starts_with("::warning file=stdin,line=1,col="), "{out}");
    let (_, out, _) = check(&["-", "--format", "sarif"], WARNED);
    let sarif: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(sarif.pointer("/runs/0/results/0/ruleId"), sarif.pointer("/runs/0/tool/driver/rules/0/id"));
}

#[test]
fn codes_are_explained() {
    let (code, out, _) = check(&["--explain", "k047"], "");
    assert_eq!(code, Some(0));
    assert!(out.starts_with("K047: "), "{out}");
    let (_, all, _) = check(&["--explain", "all"], "");
    assert!(all.lines().count() > 50 && all.contains("K047"), "{all}");
}
