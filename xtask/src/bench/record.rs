//! The files of `benches/record/`.

use std::fs;
use std::process::Command;

use crate::shell::{self, Done};

/// The folder of the record.
pub const FOLDER: &str = "benches/record";

/// Returns the machine, its load and the compiler.
pub fn machine() -> String {
    let compiler = shell::read(Command::new("rustc").arg("--version")).map_or_else(
        |_| "an unknown compiler".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!("{}, {compiler}", kaudit_timing::machine())
}

/// Writes a file, by its path in the repository.
pub fn write(name: &str, text: &str) -> Done {
    let path = shell::root().join(name);
    let folder = path.parent().ok_or("a file has a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("cannot write `{name}`: {error}"))?;
    eprintln!("wrote {name}");
    Ok(())
}
