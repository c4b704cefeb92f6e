//! Snapshots of `check`: `tests/data/check/NAME.yaml`, expected `NAME.txt`.
//! `BLESS=1` updates the snapshots; review the changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kaudit_filter::config::{Code, FileLoader, NoFiles};
use kaudit_workbench::check::{self, CheckReport};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check")
}

struct Folder;

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(folder().join(path)).map_err(|_| "there is no such file".to_owned())
    }
}

fn report(name: &str) -> CheckReport {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let mut report = CheckReport::default();
    report.file(name, &text, &Folder);
    report
}

fn cases() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    names.sort();
    names
}

/// Compares the text with a snapshot, or updates it.
fn expect(file: &str, found: &str, failed: &mut Vec<String>) {
    let path = folder().join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    } else if fs::read_to_string(path).unwrap_or_default() != found {
        failed.push(format!("{file} would be:\n{found}"));
    }
}

#[test]
fn every_remark_is_shown_under_its_line() {
    let mut failed = Vec::new();
    for name in cases() {
        let text = report(&name).text(false);
        assert!(
            !text.to_lowercase().contains("notrepeatme") && !text.contains("do-not"),
            "{name} prints a secret:\n{text}"
        );
        expect(&name.replace(".yaml", ".txt"), &text, &mut failed);
    }
    // kAudit's own samples, unchanged.
    for name in ["seed-sample", "vendor-targets"] {
        let file = format!("tests/data/config/{name}.yaml");
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&file)).unwrap();
        let mut report = CheckReport::default();
        report.file(&file, &text, &NoFiles);
        expect(&format!("{name}.txt"), &report.text(false), &mut failed);
    }
    let all = report("mistakes.yaml");
    expect("mistakes.json", &format!("{:#}\n", all.json()), &mut failed);
    expect("mistakes.sarif", &format!("{:#}\n", all.sarif()), &mut failed);
    expect("mistakes.github.txt", &all.github(), &mut failed);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Codes without a snapshot.
/// They are reported only by `config::read`, only for generated input, or only by a host without detections.
const WITHOUT_SNAPSHOT: [Code; 3] = [Code::SecondConfiguration, Code::TooMany, Code::DetectUnavailable];

#[test]
fn every_code_has_a_case() {
    let found: BTreeSet<Code> =
        cases().iter().flat_map(|name| report(name).remarks().to_vec()).map(|remark| remark.code()).collect();
    let missing: Vec<_> =
        Code::ALL.iter().filter(|code| !found.contains(code) && !WITHOUT_SNAPSHOT.contains(code)).collect();
    assert!(missing.is_empty(), "no case of {missing:?}");

    let keys = (0..200).map(|number| format!("k{number}: 1\n")).collect::<Vec<_>>().concat();
    let mut many = CheckReport::default();
    many.file("many", &keys, &NoFiles);
    assert!(many.remarks().iter().any(|remark| remark.code() == Code::TooMany));
    let chart = fs::read_to_string(folder().join("chart.yaml")).unwrap();
    let reading = kaudit_filter::config::read("chart", &chart, &NoFiles);
    assert!(reading.diagnostics.iter().any(|remark| remark.code() == Code::SecondConfiguration));
}

#[test]
fn agents_get_no_advice() {
    let name = "advice.yaml";
    let reading =
        kaudit_filter::config::read(name, &fs::read_to_string(folder().join(name)).unwrap(), &NoFiles);
    let levels: Vec<&str> = reading.diagnostics.iter().map(|remark| remark.level().name()).collect();
    assert!(!levels.is_empty() && levels.iter().all(|level| *level == "warning"), "{levels:?}");
}

#[test]
fn colours_are_optional() {
    let report = report("mistakes.yaml");
    assert!(report.text(true).contains("\u{1b}["));
    assert!(!report.text(false).contains('\u{1b}'));
}

#[test]
fn codes_are_explained() {
    let text = check::explain(Code::DoubledEnd);
    assert!(text.starts_with(&format!("{}: `$$` (warning)\n\n", Code::DoubledEnd.label())), "{text}");
    assert_eq!(check::codes().lines().count(), Code::ALL.len());
}
