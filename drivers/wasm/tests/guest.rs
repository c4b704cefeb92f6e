//! The built modules of `dist/` in Fluent Bit's runtime: their sizes, and large inputs with Fluent Bit's defaults.
//!
//! WAMR must run in one thread, and the usual harness starts one for each test; this one runs them one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kaudit_driver::guest;
use kaudit_wasm_driver::wamr::Wamr;
use kaudit_wasm_driver::{Instance, Runtime, Start};

const HOUR_NS: i64 = 3_600_000_000_000;
/// The day of the example findings, at noon.
const NOON_NS: i64 = 1_773_748_800_000_000_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn built(file: &str) -> Vec<u8> {
    let path = root().join("dist").join(file);
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `cargo xtask dist` builds it", path.display());
    })
}

/// Returns a module with this configuration inside.
fn baked(test: &str, config: &Path) -> Vec<u8> {
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.wasm"));
    let mut bake = Command::new(root().join("dist/kaudit-filter"));
    bake.arg("bake").arg("--config").arg(config).arg("--output").arg(&module);
    let output = bake.output().expect("`cargo xtask dist program` builds it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(module).expect("it was written")
}

fn baked_text(test: &str, config: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.yaml"));
    fs::write(&file, config).expect("the directory is ours");
    baked(test, &file)
}

/// Returns an instance in WAMR with Fluent Bit's defaults, an hour old.
fn wamr(module: Vec<u8>) -> impl Instance {
    let runtime = Wamr::new(module).expect("it loads");
    let start = Start { at: NOON_NS - HOUR_NS, ..Start::default() };
    let mut instance = runtime.start(&start).expect("it starts");
    instance.set_clock(NOON_NS);
    instance
}

fn no_module_is_larger_than_its_ceiling() {
    let ceilings = fs::read_to_string("tests/data/ceilings.txt").expect("it is here");
    let mut known = 0;
    for line in ceilings.lines().filter(|line| !line.starts_with('#')) {
        let (module, ceiling) = line.split_once(' ').expect("a name and a number");
        let ceiling: usize = ceiling.parse().expect("a number of bytes");
        let size = match module {
            "baked" => baked("size", &root().join("examples/kaudit.yaml")).len(),
            module => built(module).len(),
        };
        assert!(size <= ceiling, "{module} has {size} bytes, more than {ceiling}");
        known += 1;
    }
    assert_eq!(known, 3);
}

fn a_reference_type_is_too_new() {
    // (module (table 1 externref))
    assert!(Wamr::new(b"\0asm\x01\0\0\0\x04\x04\x01\x6f\0\x01".to_vec()).is_err());
}

fn a_baked_configuration_emits_the_same_entries_as_the_file() {
    let config = root().join("examples");
    let file = Wamr::new(built("kaudit.wasm")).expect("it loads");
    let start = Start { directory: Some(config.clone()), stack: Some(guest::STACK), ..Start::default() };
    let mut file = file.start(&start).expect("examples/ has a configuration");
    file.set_clock(NOON_NS);
    let mut baked = wamr(baked("examples", &config.join("kaudit.yaml")));
    let mut replies = 0;
    for kind in ["detections", "selections", "selection-counts", "activity"] {
        let findings = fs::read(config.join(format!("findings/{kind}.ndjson"))).expect("an example");
        for finding in findings.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let [one, other] =
                [file.answer(finding), baked.answer(finding)].map(|reply| reply.expect("no trap"));
            assert_eq!(String::from_utf8_lossy(&one), String::from_utf8_lossy(&other));
            replies += usize::from(!one.is_empty());
        }
    }
    assert!(replies > 20, "{replies} replies");
}

const TARGET: &str =
    "target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"";

fn nothing_is_too_much_for_the_default_stack_and_heap() {
    let mut guest = wamr(baked_text("large", &format!("integrations:\n- type: detections\n  {TARGET}}}\n")));
    let finding =
        |doc: &str| format!(r#"{{"etype":"principal","eid":"a","category":"anomaly","doc":"{doc}"}}"#);
    let records = [
        finding(&"x".repeat(1 << 20)),
        finding(&"\\n".repeat(1 << 19)),
        format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        format!("{{\"etype\":\"principal\",\"eid\":\"a\",\"n\":{}}}", "1".repeat(100_000)),
        format!("[{}]", "1,".repeat(1 << 20)),
        String::new(),
    ];
    for record in records {
        let reply = guest.answer(record.as_bytes()).expect("no trap");
        let shown = &record[..record.len().min(40)];
        assert!(reply.starts_with(b"{") && reply.ends_with(b"}"), "{shown}: {} bytes", reply.len());
        assert!(reply.len() < 200_000, "{shown}: {} bytes", reply.len());
    }
    let reply = guest.answer(b"{\"log\":\"\xff\0\xfe\"}").expect("no trap");
    assert!(String::from_utf8(reply).is_ok_and(|reply| reply.starts_with('{')));
}

fn suppressed_findings_are_summarised() {
    let config = format!(
        "rate-limit: {{period: 1000s, by: entity, burst: 1}}\nintegrations:\n- type: detections\n  {TARGET}, rate-limit: 1}}\n"
    );
    let mut guest = wamr(baked_text("limited", &config));
    let finding = br#"{"etype":"principal","eid":"a","category":"anomaly","confidence":"high"}"#;
    assert!(!guest.answer(finding).expect("no trap").is_empty());
    assert!(guest.answer(finding).expect("no trap").is_empty(), "the limit holds");
    guest.set_clock(NOON_NS + 61_000_000_000);
    let summary = String::from_utf8(guest.answer(finding).expect("no trap")).expect("text");
    assert!(summary.contains(r#""suppressed":2"#), "{summary}");
}

fn a_broken_configuration_keeps_the_guest_from_starting() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken");
    fs::create_dir_all(&directory).expect("the directory is ours");
    fs::write(directory.join("kaudit.yaml"), "integrations: 5\ncolour: red\n")
        .expect("the directory is ours");
    let module = Wamr::new(built("kaudit.wasm")).expect("it loads");
    for directory in [Some(directory), None] {
        let started = module.start(&Start { directory, stack: Some(guest::STACK), ..Start::default() });
        assert!(started.is_err_and(|error| error.contains("unreachable")));
        assert!(module.take_errors().starts_with(b"kaudit"), "it prints the reason");
        assert!(module.take_errors().is_empty(), "and once");
    }
}

fn main() {
    let tests: [(&str, fn()); 6] = [
        ("no_module_is_larger_than_its_ceiling", no_module_is_larger_than_its_ceiling),
        ("a_reference_type_is_too_new", a_reference_type_is_too_new),
        (
            "a_baked_configuration_emits_the_same_entries_as_the_file",
            a_baked_configuration_emits_the_same_entries_as_the_file,
        ),
        (
            "nothing_is_too_much_for_the_default_stack_and_heap",
            nothing_is_too_much_for_the_default_stack_and_heap,
        ),
        ("suppressed_findings_are_summarised", suppressed_findings_are_summarised),
        (
            "a_broken_configuration_keeps_the_guest_from_starting",
            a_broken_configuration_keeps_the_guest_from_starting,
        ),
    ];
    for (name, test) in tests {
        println!("test {name}");
        test();
    }
    println!("{} passed", tests.len());
}
