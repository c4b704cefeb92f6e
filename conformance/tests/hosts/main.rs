//! Runs every case on every host.
//!
//! `KAUDIT_CASES=part,-part` selects cases by parts of their names, `KAUDIT_HOSTS=part,-part` hosts; only these are
//! built. `KAUDIT_DIST` states that `dist/` is complete and new, so that no host may be skipped because it was not
//! built. `BLESS=1` writes `tests/data/skips.toml`.

mod engine;
mod explain;
mod msgpack;
mod playground;
mod random;
mod secrets;

use std::path::Path;
use std::process::Command;

use conformance::driver::Driver;
use conformance::fluent_bit::FluentBit;
use conformance::program::Program;
use conformance::skips::Skips;
use conformance::wasm::Wasm;
use conformance::{case, suite, vector};

#[test]
fn every_case_on_every_host() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace");
    let cases = case::load(&root.join("tests/data/cases")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let variable = |name| std::env::var(name).unwrap_or_default();
    let (only, hosts) = (variable("KAUDIT_CASES"), variable("KAUDIT_HOSTS"));
    let mut drivers = drivers(root, &hosts, "", false);
    assert!(!drivers.is_empty(), "KAUDIT_HOSTS={hosts} selects no host");
    let report = suite::run(&cases, &only, &mut drivers);

    let table = report.table();
    println!("{table}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target");
    let file = target.join("conformance-report.txt");
    std::fs::write(&file, format!("{table}\n{}", report.failures())).expect("the report can be written");
    assert!(report.chosen() > 0, "KAUDIT_CASES={only} selects no case");
    let is_complete = only.is_empty() && hosts.is_empty();
    assert!(!is_complete || report.ran() == report.chosen(), "some case is skipped by every host:\n{table}");
    let skips = judge_skips(&root.join("tests/data/skips.toml"), &report, is_complete);
    let failures = report.failures() + &skips;
    assert!(failures.is_empty(), "{failures}\n{}", file.display());
}

/// Returns the differences from the pinned skips; with `BLESS=1`, pins the skips of the report.
fn judge_skips(file: &Path, report: &suite::Report, is_complete: bool) -> String {
    let text = std::fs::read_to_string(file).expect("the pinned skips can be read");
    let pinned = Skips::parse(&text).unwrap_or_else(|what| panic!("{}: {what}", file.display()));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, pinned.updated(report, is_complete).text()).expect("the skips can be written");
        return String::new();
    }
    match pinned.differences(report, is_complete) {
        lines if lines.is_empty() => lines,
        lines => format!(
            "the skips differ from {}: `-` is pinned and not skipped for this reason, `+` is skipped and not \
             pinned. `BLESS=1` pins them.\n{lines}",
            file.display()
        ),
    }
}

/// Returns the hosts that `only` selects, with their files below the directory `test`.
///
/// They are release builds from `dist/`, or built here with assertions.
fn drivers(root: &Path, only: &str, test: &str, is_release: bool) -> Vec<Box<dyn Driver>> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = scratch.parent().expect("the scratch directory is in target");
    let scratch = &scratch.join(test);
    let any = |names: &[&str]| names.iter().any(|name| suite::is_chosen(name, only));
    let mut drivers: Vec<Box<dyn Driver>> =
        vec![Box::new(engine::Engine::json()), Box::new(engine::Engine::msgpack())];
    let (dist, debug) = (root.join("dist"), target.join("debug"));
    let built = |packages: &[&str]| {
        if !is_release {
            build(packages);
        }
    };
    let file = |release: &str, ours: &str| if is_release { dist.join(release) } else { debug.join(ours) };
    let program = file("kaudit-filter", "kaudit-filter");
    if any(&["program", "wamr-baked"]) {
        built(&["kaudit-filter-cli"]);
        drivers.push(Box::new(Program::new(&program, &scratch.join("program"))));
    }
    let driver = file("kaudit-fluent-bit-driver", "kaudit-fluent-bit-driver");
    let plugin = file("flb-filter_kaudit.so", "libflb_filter_kaudit.so");
    let plugins = FluentBit::all(&driver, &plugin, scratch);
    if any(&plugins.each_ref().map(FluentBit::name)) {
        built(&["kaudit-fluent-bit", "kaudit-fluent-bit-driver"]);
        drivers.extend(plugins.map(|host| Box::new(host) as Box<dyn Driver>));
    }
    if any(&["vector-text", "vector-table"]) {
        let module = if is_release {
            vector::Built { module: dist.join("kaudit.so"), driver: dist.join("kaudit-vector-driver") }
        } else {
            vector::build(target).expect("Vector's module and its driver can be built")
        };
        for mode in [vector::Mode::Text, vector::Mode::Table] {
            drivers.push(Box::new(vector::Vector::new(mode, &module, &scratch.join("vector"))));
        }
    }
    if any(&["playground"]) {
        let page = playground::Playground::open(&scratch.join("playground"));
        drivers.push(Box::new(page.expect("the playground can be built and opened")));
    }
    for host in Wasm::all(&dist, &target.join("wasm-driver/release"), &program, scratch) {
        let complete = std::env::var_os("KAUDIT_DIST").is_some() && any(&[host.name()]);
        assert!(host.is_built() || !complete, "dist/ lacks files of `{}`", host.name());
        drivers.push(Box::new(host));
    }
    drivers.retain(|driver| suite::is_chosen(driver.name(), only));
    drivers
}

/// Builds packages whose files run on their own.
fn build(packages: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    assert!(cargo.status().expect("cargo runs").success(), "cannot build {packages:?}");
}
