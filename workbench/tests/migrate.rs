//! Snapshots of `migrate`, in `tests/data/migrate`.
//! `NAME.yaml` is the migrated document, `NAME.txt` the list of changes and the diagnostics. `BLESS=1` updates them.

use std::fs;
use std::path::{Path, PathBuf};

use kaudit_filter::config::{Code, Diagnostic, FileLoader, read};
use kaudit_workbench::migrate::migrate;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

struct Folder;

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(here().join("../tests/data/config").join(path)).map_err(|error| error.to_string())
    }
}

fn expect(file: &str, found: &str, failed: &mut Vec<String>) {
    let path = here().join("tests/data/migrate").join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    } else if fs::read_to_string(path).unwrap_or_default() != found {
        failed.push(format!("{file} would be:\n{found}"));
    }
}

#[test]
fn each_dialect_is_migrated() {
    let mut failed = Vec::new();
    let inputs = [
        ("older", here().join("tests/data/migrate/older.input.yaml")),
        ("seed-sample", here().join("../tests/data/config/seed-sample.yaml")),
        ("vendor-targets", here().join("../tests/data/config/vendor-targets.yaml")),
        ("example", here().join("../examples/audit-integration.yaml")),
    ];
    for (name, input) in inputs {
        let text = fs::read_to_string(&input).unwrap();
        let file = input.file_name().unwrap().to_str().unwrap();
        let migrated =
            migrate(file, &text, &Folder).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:#?}"));
        let all = format!("{}\n{:?}", migrated.text, migrated.changes).to_lowercase();
        assert!(
            !all.contains("do-not-repeat-me") && !all.contains("donotrepeatme"),
            "{name} prints a secret"
        );
        let codes: Vec<Code> = migrated.remarks.remarks().iter().map(Diagnostic::code).collect();
        for code in [Code::OldEndpoint, Code::PlainSecret, Code::UnstatedPeriod] {
            assert!(!codes.contains(&code), "{name} still has {code:?}");
        }
        expect(&format!("{name}.yaml"), &migrated.text, &mut failed);
        let report = format!("{}\n\n{}", migrated.changes.join("\n"), migrated.remarks.text(false));
        expect(&format!("{name}.txt"), &report, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_valid_configuration_is_migrated_or_rejected_with_a_reason() {
    let mut migrated = 0;
    for file in fs::read_dir(here().join("../tests/data/config")).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        match (read(&name, &text, &Folder).config, migrate(&name, &text, &Folder)) {
            (Some(_), Ok(_)) => migrated += 1,
            (_, Err(mistakes)) => {
                assert!(!mistakes.is_empty() && mistakes.iter().all(|line| !line.is_empty()), "{name}");
            }
            (None, Ok(_)) => panic!("{name} has errors, but was migrated"),
        }
    }
    assert!(migrated > 8, "only {migrated} were migrated");
}

#[test]
fn the_filters_own_document_is_not_changed() {
    let text = fs::read_to_string(here().join("../examples/kaudit.yaml")).unwrap();
    let migrated = migrate("kaudit.yaml", &text, &Folder).unwrap();
    assert_eq!((migrated.text, migrated.changes), (text, Vec::<String>::new()));
}

#[test]
fn no_password_of_a_uri_is_written() {
    let text = "- type: detections
  target: {target-type: http-api, http-api-uri: \"https://me:p@ss@ingress.eu2.coralogix.com/logs/v1/singles\"}
";
    let migrated = migrate("list.yaml", text, &Folder).unwrap();
    assert!(
        migrated.text.contains("\"https://ingress.eu2.coralogix.com/logs/v1/singles\""),
        "{}",
        migrated.text
    );
    assert!(migrated.changes.iter().any(|change| change.contains("line 2")), "{:?}", migrated.changes);
}
