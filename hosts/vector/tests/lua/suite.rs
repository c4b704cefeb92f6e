//! Every case through the module, both ways. `KAUDIT_CASES=part,-part` chooses cases by parts of their names.

use std::path::Path;

use conformance::driver::Driver;
use conformance::vector::Way;
use conformance::{case, suite};

#[test]
fn every_case_both_ways() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/cases");
    let cases = case::load(&cases).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut drivers: Vec<Box<dyn Driver>> = vec![
        Box::new(crate::vector(Way::Text, "suite-text")),
        Box::new(crate::vector(Way::Table, "suite-table")),
    ];
    let only = std::env::var("KAUDIT_CASES").unwrap_or_default();
    let report = suite::run(&cases, &only, &mut drivers);
    println!("{}", report.table());
    assert!(report.failures().is_empty(), "\n{}", report.failures());
    assert!(report.ran() > 0, "KAUDIT_CASES={only} runs no case");
}
