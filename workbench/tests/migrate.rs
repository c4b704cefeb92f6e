//! Migrations as data: what becomes of a configuration stands in `tests/data/migrate/NAME.yaml`, and what changed, with
//! all that is to be said of it, in `NAME.txt`. `BLESS=1` writes the expectations anew.

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
fn what_becomes_of_each_dialect() {
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
        assert!(!all.contains("do-not-repeat-me") && !all.contains("donotrepeatme"), "{name} tells a secret");
        let codes: Vec<Code> = migrated.remarks.remarks().iter().map(Diagnostic::code).collect();
        for gone in [Code::OldEndpoint, Code::PlainSecret, Code::UnstatedPeriod] {
            assert!(!codes.contains(&gone), "{name} still has {gone:?}");
        }
        expect(&format!("{name}.yaml"), &migrated.text, &mut failed);
        let said = format!("{}\n\n{}", migrated.changes.join("\n"), migrated.remarks.text(false));
        expect(&format!("{name}.txt"), &said, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn whatever_can_be_read_is_migrated_or_refused_in_words() {
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
            (None, Ok(_)) => panic!("{name} has errors and is migrated"),
        }
    }
    assert!(migrated > 8, "only {migrated} are migrated");
}

#[test]
fn a_document_of_the_filter_s_own_stays_one() {
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
