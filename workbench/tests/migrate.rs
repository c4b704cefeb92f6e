//! Snapshots of `migrate`, in `tests/data/migrate`.
//! `NAME.yaml` is the migrated document, `NAME.txt` the list of changes and the diagnostics. `BLESS=1` updates them.

use std::fs;
use std::path::{Path, PathBuf};

use kaudit_filter::config::{Code, Diagnostic, FileLoader, read};
use kaudit_workbench::migrate::{self, Input, Migrated, Refusal};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

struct Folder;

impl FileLoader for Folder {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(here().join("../tests/data/config").join(path)).map_err(|error| error.to_string())
    }
}

fn migrate(name: &str, text: &str, files: &dyn FileLoader) -> Result<Migrated, String> {
    migrate::migrate(&[Input { name, text }], files).map_err(reason)
}

fn reason(refusal: Refusal) -> String {
    match refusal {
        Refusal::Mistakes(report) => report.problems(false),
        Refusal::Other(reason) => reason,
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
        let migrated = migrate(file, &text, &Folder).unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
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
                assert!(!mistakes.is_empty(), "{name}");
            }
            (None, Ok(_)) => panic!("{name} has errors, but was migrated"),
        }
    }
    assert!(migrated > 8, "only {migrated} were migrated");
}

const INTEGRATION: &str = "- type: selections
  target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}
";

#[test]
fn a_policy_is_migrated_alone_and_with_integrations() {
    let policy = fs::read_to_string(here().join("tests/data/migrate/policy.input.yaml")).unwrap();
    let config_map = |name: &str, key: &str, text: &str| {
        let text = text.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  {key}: |\n{text}")
    };
    let [policy_map, integration_map] = [
        config_map("kaudit-policy-shop", "audit-policy", &policy),
        config_map("kaudit-integration-shop", "audit-integration", INTEGRATION),
    ];
    let both = format!("{policy_map}---\n{integration_map}");
    let input = |text| Input { name: "shop.yaml", text };
    let mut failed = Vec::new();
    let mut documents = Vec::new();
    for inputs in [
        vec![input(&policy_map)],
        vec![input(&policy)],
        vec![input(&both)],
        vec![input(&policy_map), input(&integration_map)],
        vec![input(INTEGRATION), input(&policy)],
    ] {
        let migrated = migrate::migrate(&inputs, &Folder).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let read = read("kaudit.yaml", &migrated.text, &Folder).config.unwrap().audit.unwrap();
        let ids: Vec<&str> = read.policy.rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["user/pod-execution", "user/session", "200001"]);
        documents.push(migrated);
    }
    for (name, migrated) in [("policy", &documents[0]), ("policy-and-integrations", &documents[2])] {
        expect(&format!("{name}.yaml"), &migrated.text, &mut failed);
        let report = format!("{}\n\n{}", migrated.changes.join("\n"), migrated.remarks.text(false));
        expect(&format!("{name}.txt"), &report, &mut failed);
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(documents[0].text, documents[1].text);
    for index in [3, 4] {
        assert_eq!(documents[2].text, documents[index].text);
    }
    for inputs in [
        vec![input(&policy), input(&policy)],
        vec![input(INTEGRATION), input(&integration_map)],
        vec![input("- {id: 1, name: a, conditions: []}")],
    ] {
        let mistakes = reason(migrate::migrate(&inputs, &Folder).unwrap_err());
        assert!(mistakes.contains("shop.yaml:"), "{mistakes}");
    }
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
    assert!(migrated.changes.iter().any(|change| change.contains("list.yaml:2: ")), "{:?}", migrated.changes);
}
