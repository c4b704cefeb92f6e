//! Every case through every host. `KAUDIT_CASES=part,-part` chooses cases by parts of their names.

mod engine;
mod msgpack;

use std::path::Path;

use conformance::driver::Driver;
use conformance::{case, suite};

#[test]
fn every_case_on_every_host() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace");
    let cases = case::load(&root.join("tests/data/cases")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut drivers: Vec<Box<dyn Driver>> =
        vec![Box::new(engine::Engine::json()), Box::new(engine::Engine::msgpack())];
    let only = std::env::var("KAUDIT_CASES").unwrap_or_default();
    let report = suite::run(&cases, &only, &mut drivers);

    let table = report.table();
    println!("{table}");
    let file =
        scratch.parent().expect("the scratch directory stands in target").join("conformance-report.txt");
    std::fs::write(&file, format!("{table}\n{}", report.failures())).expect("the report can be written");
    assert!(report.chosen() > 0, "KAUDIT_CASES={only} chooses no case");
    assert_eq!(report.ran(), report.chosen(), "some case is skipped by every host:\n{table}");
    assert!(report.failures().is_empty(), "\n{}\nwritten to {}", report.failures(), file.display());
}
