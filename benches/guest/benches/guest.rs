//! The cost per record in Fluent Bit's runtime.
//!
//! The guest, a naive guest and a Lua filter do the same job on the same findings, and their answers are compared
//! first. A fourth guest does nothing.
//!
//! `cargo xtask bench --wasm` builds its requirements and runs it. Besides times it prints the instructions that the
//! guest executes per record, which do not depend on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kaudit_wasm_driver::wamr::Wamr;
use kaudit_wasm_driver::wasmtime::Wasmtime;
use kaudit_wasm_driver::{Instance, Runtime, Start};
use mlua::{Function, Lua, LuaSerdeExt as _};
use serde_json::{Value, json};

/// 2026-03-17T12:00:00Z.
const NOW_MS: i64 = 1_773_748_800_000;
const FINDINGS: usize = 1000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns detections of some 500 bytes, of which the block list rejects a quarter.
fn findings() -> Vec<Vec<u8>> {
    let finding = |number: usize| {
        let pick = |words: &[&'static str]| words[number / 4 % words.len()];
        let eid = match number % 4 {
            0 => format!("system:serviceaccount:team-{}:worker", number % 97),
            _ => format!("user-{}@example.com", number % 97),
        };
        let direction = pick(&["read", "write"]);
        let doc = pick(&[
            "change in count of unique remote commands",
            "unusual secrets access",
            "first use of a user agent",
        ]);
        let finding = json!({
            "confidence": pick(&["high", "medium"]), "etype": pick(&["principal", "principal", "resource"]), "short_doc": doc,
            "cluster": "prod-eu-1", "context_subresource_exec_command": "cat /etc/hosts; ls; ls /bin; sh",
            "reasons_0_values_high": "4", "timestamp": "2026-03-17T12:00:00+0000", "reasons_0_direction": direction,
            "direction": direction, "reasons_0_period": 180_000, "time": NOW_MS,
            "category": pick(&["anomaly", "anomaly", "anomaly", "incident"]), "period": 180_000, "eid": eid,
            "doc": format!("unusual {doc} in access attempts"), "reasons_0_doc": format!("{doc} in {direction} access attempts"),
        });
        finding.to_string().into_bytes()
    };
    (0..FINDINGS).map(finding).collect()
}

/// Returns the guest with the job embedded.
fn guest() -> Vec<u8> {
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("job.wasm");
    let mut bake = Command::new(root().join("dist/kaudit-filter"));
    bake.arg("bake").args(["--config", "benches/job.yaml", "--output"]).arg(&module);
    assert!(
        bake.status().is_ok_and(|status| status.success()),
        "`cargo xtask dist program wasm-base` builds it"
    );
    fs::read(module).expect("it was written")
}

fn naive() -> Vec<u8> {
    let module = root().join("target/guest-naive/wasm32-unknown-unknown/release/naive.wasm");
    fs::read(module).expect("`cargo xtask bench --wasm` builds it")
}

/// A guest that drops every record without reading it: the cost of a call.
const IDLE: &str = r#"(module
    (memory (export "memory") 4)
    (func (export "_initialize"))
    (func (export "malloc") (param i32) (result i32) i32.const 65536)
    (func (export "free") (param i32))
    (func (export "kaudit") (param i32 i32 i32 i32 i32 i32) (result i32) i32.const 1024))"#;

fn started<R: Runtime>(runtime: &R, stack: u32) -> R::Instance {
    let mut instance = runtime.start(&Start { stack: Some(stack), ..Start::default() }).expect("it starts");
    instance.set_clock(NOW_MS * 1_000_000);
    instance
}

/// Returns the WebAssembly instructions per record of a warm guest: `kept N, dropped N`.
fn instructions(guest: &[u8], findings: &[Vec<u8>]) -> String {
    let mut guest = started(&Wasmtime::new(guest).expect("it compiles"), 0);
    let mut sums = [(0, 0); 2];
    for counts in [false, true] {
        for finding in findings {
            let before = guest.spent().unwrap_or_default();
            let reply = guest.answer(finding).expect("no trap");
            let (sum, records) = &mut sums[usize::from(reply.is_empty())];
            if counts {
                *sum += guest.spent().unwrap_or_default() - before;
                *records += 1;
            }
        }
    }
    let [kept, dropped] = sums.map(|(sum, records): (u64, u64)| sum / records.max(1));
    format!("kept {kept}, dropped {dropped}")
}

/// The Lua filter; its input and output are tables.
struct Script {
    lua: Lua,
    filter: Function,
}

impl Script {
    fn new() -> mlua::Result<Self> {
        let lua = Lua::new();
        lua.globals().set("now_ns", lua.create_function(|_, ()| Ok(NOW_MS as f64 * 1e6))?)?;
        lua.load(include_str!("filter.lua")).exec()?;
        Ok(Self { filter: lua.globals().get("kaudit")?, lua })
    }

    fn answer(&self, finding: &Value) -> Option<Value> {
        let answer = || -> mlua::Result<_> {
            let finding = self.lua.to_value(finding)?;
            let (code, _, entry): (i32, f64, mlua::Value) = self.filter.call(("kaudit", 0, finding))?;
            if code == 2 { self.lua.from_value(entry) } else { Ok(None) }
        };
        answer().expect("the script runs")
    }
}

fn measure(criterion: &mut Criterion) {
    let findings = findings();
    let values: Vec<Value> =
        findings.iter().map(|finding| serde_json::from_slice(finding).expect("JSON")).collect();
    let (guest, naive) = (guest(), naive());
    let idle = wat::parse_str(IDLE).expect("a module");
    let mut idle = started(&Wamr::new(idle).expect("it loads"), 8 << 10);
    let mut kaudit = started(&Wamr::new(guest.clone()).expect("it loads"), 8 << 10);
    let mut naive = started(&Wamr::new(naive).expect("it loads"), 1 << 20);
    let script = Script::new().expect("the script loads");

    let mut kept = 0;
    for (finding, value) in findings.iter().zip(&values) {
        let parsed = |reply: Vec<u8>| serde_json::from_slice::<Value>(&reply).ok();
        let ours = parsed(kaudit.answer(finding).expect("no trap"));
        assert_eq!(ours, parsed(naive.answer(finding).expect("no trap")), "{value}");
        assert_eq!(ours, script.answer(value), "{value}");
        kept += usize::from(ours.is_some());
    }
    assert_eq!(kept, FINDINGS * 3 / 4);

    let text = instructions(&guest, &findings);
    println!("instructions per record: {text}");
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions.txt"), text)
        .expect("the directory is ours");

    let mut group = criterion.benchmark_group("wamr");
    group.throughput(Throughput::Elements(FINDINGS as u64)).sample_size(20);
    group.bench_function("kaudit", |bencher| {
        bencher.iter(|| {
            findings.iter().map(|finding| kaudit.answer(finding).expect("no trap").len()).sum::<usize>()
        });
    });
    group.bench_function("idle", |bencher| {
        bencher.iter(|| {
            findings.iter().map(|finding| idle.answer(finding).expect("no trap").len()).sum::<usize>()
        });
    });
    group.bench_function("naive", |bencher| {
        bencher.iter(|| {
            findings.iter().map(|finding| naive.answer(finding).expect("no trap").len()).sum::<usize>()
        });
    });
    group.bench_function("luajit, tables in and out", |bencher| {
        bencher.iter(|| values.iter().filter_map(|finding| script.answer(finding)).count());
    });
}

criterion_group!(benches, measure);
criterion_main!(benches);
