//! Conversions to configurations of other agents, in `tests/data/convert`.
//! `NAME.TARGET.yaml` is the result, `NAME.TARGET.txt` the report. `BLESS=1` updates them.

use std::fs;
use std::path::{Path, PathBuf};

use kaudit_filter::config::FileLoader;
use kaudit_workbench::convert::{self, Converted, Target};
use kaudit_workbench::migrate::{Input, Refusal};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

struct Folder;

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(here().join("../tests/data/config").join(path)).map_err(|error| error.to_string())
    }
}

fn convert(name: &str, text: &str, target: Target) -> Result<Converted, String> {
    convert::convert(&[Input { name, text }], &Folder, target).map_err(|refusal| match refusal {
        Refusal::Mistakes(report) => report.problems(false),
        Refusal::Other(reason) => reason,
    })
}

fn expect(file: &str, found: &str, failed: &mut Vec<String>) {
    let path = here().join("tests/data/convert").join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    } else if fs::read_to_string(path).unwrap_or_default() != found {
        failed.push(format!("{file} would be:\n{found}"));
    }
}

/// The names of the results, and their inputs.
fn inputs() -> Vec<(&'static str, PathBuf)> {
    vec![
        ("seed-sample", here().join("../tests/data/config/seed-sample.yaml")),
        ("vendor-targets", here().join("../tests/data/config/vendor-targets.yaml")),
        ("example", here().join("../examples/kaudit.yaml")),
        ("example-list", here().join("../examples/audit-integration.yaml")),
        ("older", here().join("tests/data/migrate/older.input.yaml")),
        ("everything", here().join("tests/data/convert/everything.input.yaml")),
    ]
}

#[test]
fn each_configuration_is_converted_to_each_target() {
    let mut failed = Vec::new();
    for (name, path) in inputs() {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_str().unwrap();
        for target in Target::ALL {
            let converted = convert(file, &text, target).unwrap_or_else(|error| panic!("{name}: {error}"));
            let report: Vec<String> = converted.report.iter().map(ToString::to_string).collect();
            let report = report.join("\n") + "\n";
            for secret in ["do-not-repeat-me", "donotrepeatme", "private-key'", "me:secret"] {
                assert!(
                    !(converted.text.clone() + &report).to_lowercase().contains(secret),
                    "{name}: {secret}"
                );
            }
            expect(&format!("{name}.{}.yaml", target.name()), &converted.text, &mut failed);
            expect(&format!("{name}.{}.txt", target.name()), &report, &mut failed);
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
