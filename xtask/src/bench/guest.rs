//! `cargo xtask bench --wasm`: the guest in Fluent Bit's runtime, compared with a naive guest and a Lua filter.

use std::fmt::Write as _;
use std::fs;

use super::criterion::collect;
use super::record::{FOLDER, machine, write};
use crate::dist;
use crate::shell::{self, Done};
use crate::wasm;

/// The goal: the guest's time as a share of the naive guest's, both without the call.
const GOAL: f64 = 0.05;

/// Runs the benches, which compare all answers first, and writes the report.
pub fn measure() -> Done {
    dist::run(&["program", "wasm-base"].map(str::to_owned))?;
    let target = shell::target_directory()?.join("guest-bench");
    let _ = fs::remove_dir_all(target.join("criterion"));
    wasm::bench(&target)?;
    let measured = collect(&target.join("criterion"))?;
    let nanos = |case: &str| {
        let found = measured.iter().find(|measured| measured.group == "wamr" && measured.case == case);
        found.map(|measured| measured.nanos).ok_or_else(|| format!("`{case}` was not measured"))
    };
    let (idle, guest, naive) = (nanos("idle")?, nanos("kaudit")?, nanos("naive")?);
    let script = nanos("luajit, tables in and out")?;
    let share = (guest - idle) / (naive - idle);
    let met = if share <= GOAL { "met" } else { "missed" };
    let mut text = format!(
        "# Cost per record in Fluent Bit's WebAssembly runtime\n\nWritten by `cargo xtask bench --wasm` on {}: medians of \
         one run, without Fluent Bit's own conversions.\n\n| | ns per record | without the call |\n|---|---:|---:|\n",
        machine()
    );
    for (name, nanos, call) in [
        ("a guest that does nothing: the call", idle, idle),
        ("the guest", guest, idle),
        ("a naive guest", naive, idle),
        ("a LuaJIT script, tables made and read", script, 0.0),
    ] {
        let _ = writeln!(text, "| {name} | {nanos:.0} | {:.0} |", nanos - call);
    }
    let verdict =
        format!("The guest's own time is {share:.3} times the naive guest's; goal at most {GOAL}: {met}.");
    println!("{verdict}");
    let counted = target.join("tmp/instructions.txt");
    let counted = fs::read_to_string(&counted).map_err(|error| format!("{}: {error}", counted.display()))?;
    let _ = writeln!(
        text,
        "\n{verdict}\n\nInstructions of WebAssembly a record, counted in wasmtime: {counted}."
    );
    write(&format!("{FOLDER}/guest.md"), &text)
}
