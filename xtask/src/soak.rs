//! `cargo xtask soak`: the released plugin under a load that a leak or a race would not survive.

use std::process::Command;

use crate::dist;
use crate::shell::{Done, root, run as sh};

/// Ten thousand starts and stops and ten million records; with `--valgrind` a hundred and a hundred thousand, under
/// valgrind's eyes.
pub fn run(arguments: &[String]) -> Done {
    dist::run(&["plugin".to_owned(), "plugin-driver".to_owned()])?;
    let driver = root().join("dist/kaudit-fluent-bit-driver");
    let plugin = root().join("dist/flb-filter_kaudit.so");
    if arguments.iter().any(|argument| argument == "--valgrind") {
        let mut valgrind = Command::new("valgrind");
        valgrind.args([
            "--error-exitcode=1",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect",
        ]);
        return sh(valgrind.arg(driver).args(["--soak", "100,1000,1000000"]).arg(plugin));
    }
    let mut soak = Command::new(driver);
    // One arena: how threads share several is the C library's own unevenness. What is left of it is far less than
    // one byte a record.
    sh(soak.env("MALLOC_ARENA_MAX", "1").args(["--soak", "10000,10000000,4096"]).arg(plugin))
}
