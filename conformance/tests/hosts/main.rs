//! Every case through every host. `KAUDIT_CASES=part,-part` chooses cases by parts of their names; `KAUDIT_DIST` says that
//! `dist/` is complete and new, so that no host is skipped for the want of it.

mod engine;
mod explain;
mod msgpack;
mod playground;
mod random;

use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::driver::Driver;
use conformance::fluent_bit::FluentBit;
use conformance::program::Program;
use conformance::wasm::Wasm;
use conformance::{case, suite, vector};

#[test]
fn every_case_on_every_host() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package stands in the workspace");
    let cases = case::load(&root.join("tests/data/cases")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut drivers: Vec<Box<dyn Driver>> =
        vec![Box::new(engine::Engine::json()), Box::new(engine::Engine::msgpack())];
    let built = build(&["kaudit-filter-cli", "kaudit-fluent-bit", "kaudit-fluent-bit-host"]);
    drivers.push(Box::new(Program::new(&built.join("kaudit-filter"), &scratch.join("program"))));
    let (driver, plugin) = (built.join("kaudit-fluent-bit-host"), built.join("libflb_filter_kaudit.so"));
    for host in FluentBit::all(&driver, &plugin, scratch) {
        drivers.push(Box::new(host));
    }
    let target = scratch.parent().expect("the scratch directory stands in target");
    let module = vector::build(target).expect("Vector's module and its host can be built");
    for way in [vector::Way::Text, vector::Way::Table] {
        drivers.push(Box::new(vector::Vector::new(way, &module, &scratch.join("vector"))));
    }
    let page = playground::Playground::open(&scratch.join("playground"));
    drivers.push(Box::new(page.expect("the playground can be built and opened")));
    for host in Wasm::all(
        &root.join("dist"),
        &target.join("wasm-host/release"),
        &built.join("kaudit-filter"),
        scratch,
    ) {
        let complete = std::env::var_os("KAUDIT_DIST").is_some();
        assert!(host.is_built() || !complete, "dist/ lacks what `{}` needs", host.name());
        drivers.push(Box::new(host));
    }
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

/// Builds packages whose files run on their own, and gives the directory with what was built.
fn build(packages: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    assert!(cargo.status().expect("cargo runs").success(), "cannot build {packages:?}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it stands in target");
    target.join("debug")
}
