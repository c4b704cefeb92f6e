//! `cargo xtask bench --wasm`: the guest in Fluent Bit's runtime, beside a guest written without care and a Lua filter
//! that do the same job.

use std::fmt::Write as _;
use std::fs;

use super::{RECORD, collect, machine, write};
use crate::dist;
use crate::shell::{self, Done};
use crate::wasm;

/// The peers, by their names among the benches, and how much of their time the guest may take.
const PEERS: [(&str, &str, Option<f64>); 2] = [
    ("naive", "a guest written without care", Some(0.05)),
    ("luajit, tables in and out", "a LuaJIT filter", None),
];

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
    let guest = nanos("kaudit")?;
    let mut text = format!(
        "# What a record costs in Fluent Bit's WebAssembly runtime\n\nWritten by `cargo xtask bench --wasm` on {}: medians of \
         one run, with the cost of the call into the runtime, without Fluent Bit's own conversions.\n\n\
         | | ns a record | the guest takes of it | goal |\n|---|---:|---:|---|\n| the guest | {guest:.0} | | |\n",
        machine()
    );
    for (case, name, goal) in PEERS {
        let peer = nanos(case)?;
        let share = guest / peer;
        let goal = goal.map_or(String::new(), |goal| {
            format!("{goal}: {}", if share <= goal { "met" } else { "missed" })
        });
        let line = format!("| {name} | {peer:.0} | {share:.3} | {goal} |");
        println!("{line}");
        let _ = writeln!(text, "{line}");
    }
    write(&format!("{RECORD}/guest.md"), &text)
}
