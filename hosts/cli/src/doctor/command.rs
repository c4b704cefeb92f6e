//! Commands of agents.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::report::CheckResult;

/// The maximum run time of an agent's command.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Runs an agent with a plugin and a configuration.
pub fn try_load(plugin: &Path, name: &str, config: &str, command: impl Fn(&Path) -> Command) -> CheckResult {
    let file = env::temp_dir().join(format!("kaudit-doctor-{}-{name}", std::process::id()));
    // `create_new` does not follow a link that another user placed there.
    let written = fs::File::create_new(&file).and_then(|mut file| file.write_all(config.as_bytes()));
    if let Err(error) = written {
        return CheckResult::Failed(format!("cannot write {}: {error}", file.display()));
    }
    let output = run_with_timeout(&mut command(&file));
    let _ = fs::remove_file(&file);
    match output {
        Ok(CommandOutput { success: true, .. }) => CheckResult::Passed(format!("loads {}", plugin.display())),
        Ok(CommandOutput { text, .. }) => {
            CheckResult::Failed(format!("does not load {}: {}", plugin.display(), failure_line(&text)))
        }
        Err(reason) => CheckResult::Failed(reason),
    }
}

/// Returns the line of an agent's output that most likely contains the error.
fn failure_line(text: &str) -> &str {
    let markers = ["cannot", "not found", "undefined", "GLIBC", "error", "rror:"];
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = markers.iter().find_map(|marker| lines().find(|line| line.contains(marker)));
    line.or_else(|| lines().next_back()).unwrap_or("no output")
}

/// The output of a command on both streams, and whether it succeeded.
pub struct CommandOutput {
    pub success: bool,
    pub text: String,
}

/// Runs a command; an error after [`TIMEOUT`].
pub fn run_with_timeout(command: &mut Command) -> Result<CommandOutput, String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot be run: {error}"))?;
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(20);
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if waited >= TIMEOUT {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("no exit within {} seconds", TIMEOUT.as_secs()));
        }
        #[expect(clippy::disallowed_methods, reason = "waits for the exit of another program")]
        sleep(pause);
        waited += pause;
    }
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = [stdout, stderr].concat();
    Ok(CommandOutput { success: status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::failure_line;

    #[test]
    fn the_line_with_the_error_is_selected() {
        let fluent_bit =
            "[info] starting\n[error] [plugin] dlopen() a.so: version `GLIBC_2.34' not found\n[error] x";
        assert!(failure_line(fluent_bit).contains("GLIBC_2.34"), "{}", failure_line(fluent_bit));
        assert_eq!(failure_line("\n a \n b \n\n"), "b");
        assert_eq!(failure_line(""), "no output");
    }
}
