//! The command-line program as a host: the built file, run as a user runs it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use kaudit_driver::flatten;
use serde_json::Value;

use crate::case::{Case, Need};
use crate::driver::{Driver, Outcome, Run};

/// Runs `kaudit-filter run` on files written for each case.
#[derive(Debug)]
pub struct Program {
    binary: PathBuf,
    scratch: PathBuf,
}

impl Program {
    /// Returns the program at `binary` as a host; files of the running case are in the directory `scratch`.
    pub fn new(binary: &Path, scratch: &Path) -> Self {
        Self { binary: binary.to_owned(), scratch: scratch.to_owned() }
    }

    fn answer(&self, case: &Case) -> io::Result<Outcome> {
        fs::create_dir_all(&self.scratch)?;
        let file = |name: &str| self.scratch.join(name);
        fs::write(file("config.yaml"), &case.config)?;
        let lines: Vec<u8> =
            case.records.iter().flat_map(|record| [&record.bytes[..], b"\n"].concat()).collect();
        fs::write(file("records"), lines)?;
        let mut command = Command::new(&self.binary);
        command.arg("run").arg("--config").arg(file("config.yaml")).args(["--summary", "json"]);
        if case.needs().contains(&Need::Arrival) {
            command.args(["--clock", "record"]);
        } else {
            command.arg("--now").arg(case.end_ms().to_string());
        }
        command.arg(file("records")).stdin(Stdio::null());
        command.stdout(File::create(file("stdout"))?).stderr(File::create(file("stderr"))?);
        let ended = wait(&mut command)?;
        let stderr = String::from_utf8_lossy(&fs::read(file("stderr"))?).into_owned();
        // 1: the input has errors, as in some cases; without a summary the configuration has them.
        let Some(ended) = ended else { return Ok(Outcome::Crashed(format!("no answer in {PATIENCE:?}"))) };
        if !matches!(ended.code(), Some(0 | 1)) {
            return Ok(Outcome::Crashed(format!("{ended}: {stderr}")));
        }
        let Some(summary) = stderr.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok())
        else {
            return Ok(Outcome::Refused(stderr.lines().map(str::to_owned).collect()));
        };
        let mut stats = BTreeMap::new();
        flatten("", &summary, &mut stats);
        let lines = fs::read(file("stdout"))?
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(<[u8]>::to_vec)
            .collect();
        Ok(Outcome::Ran(Run { lines, verdicts: None, stats: Some(stats), log: vec![stderr.into_bytes()] }))
    }
}

impl Driver for Program {
    fn name(&self) -> &'static str {
        "program"
    }

    fn capabilities(&self) -> &'static [Need] {
        &[Need::Arrival, Need::Text, Need::Bulk, Need::Otlp, Need::Own, Need::Batch]
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        // `--clock record` is the program's only clock that advances.
        let at_own_time = || case.records.iter().all(|record| own_time(&record.bytes) == Some(record.at_ms));
        (case.needs().contains(&Need::Arrival) && !at_own_time())
            .then_some("records arrive at other times than their own, and the program has no such clock")
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.answer(case)
            .unwrap_or_else(|error| Outcome::Crashed(format!("{}: {error}", self.binary.display())))
    }
}

const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for the program's end, or kills it.
#[expect(clippy::disallowed_methods, reason = "a process has no `now`: the wait is in real time")]
fn wait(command: &mut Command) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        sleep(Duration::from_millis(2));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn own_time(record: &[u8]) -> Option<i64> {
    serde_json::from_slice::<Value>(record).ok()?.get("time")?.as_i64()
}
