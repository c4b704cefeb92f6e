//! `kaudit-filter doctor` with scripts in place of agents.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A script in place of Fluent Bit.
/// It loads a plugin file that contains `good`, if the configuration has a `kaudit` filter.
const FLUENT_BIT: &str = r#"#!/bin/sh
case "$*" in
--version) echo "Fluent Bit vVERSION"; exit ;;
--help) echo "  wasm     WASM program filter"; exit ;;
"--quiet -e "*"/flb-filter_kaudit.so -c "*" --dry-run") ;;
*) echo "unexpected: $*"; exit 3 ;;
esac
grep -q 'name kaudit' "$5" || { echo "[error] no filter"; exit 1; }
grep -q good "$3" && exit
echo "[info] starting"
echo "[error] [plugin] dlopen() $3: version GLIBC_2.34 not found" >&2
exit 1
"#;

fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("doctor").join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
}

/// Returns the exit code and the output, with `.` instead of the directory.
fn doctor(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"));
    doctor.arg("doctor").args(arguments).arg("--plugins").arg(directory).current_dir(directory);
    let output = doctor.env("PATH", format!("{}:/bin", directory.display())).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(directory.to_str().unwrap(), ".");
    // The length of the directory determines the line breaks.
    (output.status.code(), text.replace("\n                ", " "))
}

#[test]
fn a_compatible_agent_is_found_and_tested() {
    let directory = scratch("compatible");
    program(&directory.join("fluent-bit"), &FLUENT_BIT.replace("VERSION", "5.1.1"));
    fs::write(directory.join("flb-filter_kaudit.so"), "good").unwrap();
    let expected = "plugins in .

./fluent-bit
  ok version    5.1.1 (from 2.2 to 5.1)
  ok plugin     loads ./flb-filter_kaudit.so
  ok wasm       has the wasm filter
";
    assert_eq!(doctor(&directory, &["--agent", "./fluent-bit"]), (Some(0), expected.to_owned()));
    let (_, found) = doctor(&directory, &[]);
    assert!(found.starts_with(expected.trim_end()), "{found}");
}

#[test]
fn failures_are_explained() {
    let directory = scratch("incompatible");
    program(&directory.join("fluent-bit"), &FLUENT_BIT.replace("VERSION", "1.9.10"));
    program(
        &directory.join("vector"),
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'vector 0.57.0 (x86_64-unknown-linux-musl)'\n",
    );
    program(&directory.join("other"), "#!/bin/sh\necho 'other 1.0'\n");
    fs::write(directory.join("flb-filter_kaudit.so"), "bad").unwrap();
    let agents =
        ["--agent", "./fluent-bit", "--agent", "./vector", "--agent", "./other", "--agent", "./none"];
    let (code, text) = doctor(&directory, &agents);
    let expected = "plugins in .

./fluent-bit
  NO version    1.9.10; the plugin is for versions from 2.2 to 5.1
  NO plugin     does not load ./flb-filter_kaudit.so: [error] [plugin] dlopen() ./flb-filter_kaudit.so: version GLIBC_2.34 not found
  ok wasm       has the wasm filter

./vector
  ok version    0.57.0 (from 0.57)
  NO lua        cannot be read: Unknown file magic
  NO plugin     file not found: ./kaudit.so

./other
  NO version    not an agent: `--version` does not print a version of fluent-bit or vector

./none
  NO version    cannot be run: No such file or directory (os error 2)
";
    assert_eq!((code, text.as_str()), (Some(1), expected));
}
