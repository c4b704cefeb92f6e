//! `cargo xtask soak`: runs the released plugin under a load that exposes leaks and races.

use std::process::Command;

use crate::dist;
use crate::shell::{Done, root, run as sh};

/// Runs ten thousand starts and stops and ten million records.
///
/// With `--valgrind` it runs a hundred starts and stops and a hundred thousand records under valgrind.
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
    // One arena: the distribution of threads over several arenas varies. The remaining variation is far below one byte
    // per record.
    sh(soak.env("MALLOC_ARENA_MAX", "1").args(["--soak", "10000,10000000,4096"]).arg(plugin))
}
