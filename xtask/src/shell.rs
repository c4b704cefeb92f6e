//! Runs commands; returns the directories of the repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The result of a task; an error is one line for the user.
pub type Done<T = ()> = Result<T, String>;

/// Returns the repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns `cargo` with these arguments, in the root.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Prints a command and runs it; its failure is an error.
pub fn run(command: &mut Command) -> Done {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command.status().map_err(|error| format!("cannot run `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed: {status}")) }
}

/// Runs a command silently and returns its output.
pub fn read(command: &mut Command) -> Done<Output> {
    let shown = show(command);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run `{shown}`: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("`{shown}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// Returns whether a directory of `PATH` contains a program.
pub fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).exists())
}

/// Returns the repository's files under these paths; new ones, too, unless `.gitignore` names them.
pub fn files(paths: &[&str]) -> Done<Vec<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]).args(paths);
    let listed = read(git.current_dir(root()))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect())
}

/// Installs Debian's packages; this requires root.
pub fn apt_get(packages: &[&str]) -> Done {
    let run = |arguments: &[&str]| run(Command::new("apt-get").args(arguments));
    run(&["update"])?;
    run(&[&["install", "-y", "--no-install-recommends"][..], packages].concat())
}

/// Returns `cargo metadata`, dependencies included.
pub fn metadata() -> Done<Value> {
    let output = read(&mut cargo(&["metadata", "--format-version", "1", "--locked"]))?;
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cannot read cargo's metadata: {error}"))
}

/// Returns cargo's target directory.
pub fn target_directory() -> Done<PathBuf> {
    let metadata = metadata()?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no target directory".to_owned())
}

/// Runs `cargo` in a workspace of its own, which is built below the directory `target` of the common one.
pub fn workspace(manifest: &str, target: &str, arguments: &[&str], more: &[&str]) -> Done {
    let mut command = cargo(arguments);
    command.args(["--manifest-path", manifest, "--target-dir"]).arg(target_directory()?.join(target));
    run(command.args(more))
}

/// Returns a command as a user would type it.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let program = Path::new(&*words[0])
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    [&[program.into()], &words[1..]].concat().join(" ")
}
