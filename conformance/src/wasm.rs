//! The guest of Fluent Bit's wasm filter as a host: the built modules, in driver processes with a WebAssembly runtime.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Map, Value};

use crate::case::{Case, Need, Record};
use crate::driver::{Driver, Outcome, Run};

/// A guest in a runtime.
#[derive(Debug)]
pub struct Wasm {
    name: &'static str,
    driver: PathBuf,
    guest: Guest,
    scratch: PathBuf,
    /// Kept from case to case where its module is always the same: some runtimes compile it first.
    process: Option<Process>,
}

#[derive(Debug)]
enum Guest {
    /// Reads its configuration from a file.
    File { module: PathBuf },
    /// Has its configuration inside, put there by the program.
    Baked { base: PathBuf, program: PathBuf },
}

/// What a guest that compiles patterns needs as its operand stack, bytes.
const STACK: u32 = 1 << 20;

/// What a baked guest has to do with, bytes: Fluent Bit's default of eight kilobytes less a sixteenth, so that the deepest
/// records of the suite are not the deepest that fit.
const BAKED_STACK: u32 = (8 << 10) - 512;

impl Wasm {
    /// Both guests of the directory `dist`, in Fluent Bit's runtime and in another, whose drivers are in `drivers`. `program`
    /// bakes; files of the running case go into directories under `scratch`.
    pub fn all(dist: &Path, drivers: &Path, program: &Path, scratch: &Path) -> [Self; 3] {
        let host = |name, driver, guest| Self {
            name,
            driver: drivers.join(driver),
            guest,
            scratch: scratch.join(name),
            process: None,
        };
        let file = || Guest::File { module: dist.join("kaudit.wasm") };
        let baked = Guest::Baked { base: dist.join("kaudit-base.wasm"), program: program.to_owned() };
        [
            host("wasmtime", "kaudit-wasmtime-host", file()),
            host("wamr", "kaudit-wamr-host", file()),
            host("wamr-baked", "kaudit-wamr-host", baked),
        ]
    }

    /// Whether all that it needs was built.
    pub fn is_built(&self) -> bool {
        let module = match &self.guest {
            Guest::File { module } => module,
            Guest::Baked { base, .. } => base,
        };
        self.driver.is_file() && module.is_file()
    }

    fn answer(&mut self, case: &Case) -> io::Result<Outcome> {
        fs::create_dir_all(&self.scratch)?;
        let config = self.scratch.join("kaudit.yaml");
        fs::write(&config, &case.config)?;
        let (mut process, start) = match &self.guest {
            Guest::File { module } => {
                let process = match self.process.take() {
                    Some(process) => process,
                    None => Process::start(&self.driver, module, &self.scratch)?,
                };
                (process, format!("stack {STACK}\nstart {}\n", self.scratch.display()))
            }
            Guest::Baked { base, program } => {
                let module = self.scratch.join("baked.wasm");
                let mut bake = Command::new(program);
                bake.arg("bake").arg("--config").arg(&config).arg("--base").arg(base);
                let baked = bake.arg("--output").arg(&module).stdin(Stdio::null()).output()?;
                if !baked.status.success() {
                    let said = String::from_utf8_lossy(&baked.stderr);
                    return Ok(Outcome::Refused(said.lines().map(str::to_owned).collect()));
                }
                (
                    Process::start(&self.driver, &module, &self.scratch)?,
                    format!("stack {BAKED_STACK}\nstart\n"),
                )
            }
        };
        // An instance from long before the records: a young one holds nothing back.
        process.requests.write_all(format!("now 0\n{start}").as_bytes())?;
        match &*process.line()? {
            "started" => (),
            "refused" => {
                return Ok(Outcome::Refused(process.said()?.lines().map(str::to_owned).collect()));
            }
            _ => return Ok(Outcome::Crashed(process.said()?)),
        }
        let mut run = Run::default();
        for record in &case.records {
            match process.ask(&record.bytes, record.at_ms)? {
                Ok(reply) if reply.is_empty() => (),
                Ok(reply) => run.lines.push(reply),
                Err(how) => return Ok(Outcome::Crashed(how)),
            }
        }
        run.log.push(process.said()?.into_bytes());
        if matches!(self.guest, Guest::File { .. }) {
            self.process = Some(process);
        }
        Ok(Outcome::Ran(run))
    }
}

impl Driver for Wasm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> &'static [Need] {
        &[Need::Arrival, Need::Text, Need::Bounds, Need::Bulk]
    }

    fn absent(&self) -> Option<&'static str> {
        (!self.is_built()).then_some("not built; `cargo xtask dist` builds the guest and its drivers")
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        if !case.envelopes.is_empty() {
            return Some(
                "envelopes of several entries are expected, and the guest answers each record alone",
            );
        }
        let is_object = |record: &Record| serde_json::from_slice::<Map<String, Value>>(&record.bytes).is_ok();
        case.outcomes()
            .any(|(record, expected)| expected.verdict == "passed" && !is_object(record))
            .then_some("a record passes that is no object, and Fluent Bit loses a reply that is none")
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.answer(case).unwrap_or_else(|error| {
            self.process = None;
            Outcome::Crashed(format!("{}: {error}", self.driver.display()))
        })
    }
}

/// A driver's process; the driver's documentation describes its requests.
#[derive(Debug)]
struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    errors: File,
}

impl Process {
    fn start(driver: &Path, module: &Path, scratch: &Path) -> io::Result<Self> {
        let errors = scratch.join("stderr");
        let mut child = Command::new(driver)
            .arg(module)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .spawn()?;
        let piped = || io::Error::other("the process has no pipes");
        let requests = child.stdin.take().ok_or_else(piped)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(piped)?);
        Ok(Self { child, requests, answers, errors: File::open(errors)? })
    }

    /// The next line of an answer.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            let said = self.said()?;
            return Err(io::Error::other(format!("the process died: {}: {said}", self.child.wait()?)));
        }
        Ok(line.trim_end().to_owned())
    }

    /// What was said on standard error since this was asked last.
    fn said(&mut self) -> io::Result<String> {
        let mut said = String::new();
        self.errors.read_to_string(&mut said)?;
        Ok(said)
    }

    /// The reply to a record, or how the guest failed.
    fn ask(&mut self, record: &[u8], at_ms: i64) -> io::Result<Result<Vec<u8>, String>> {
        write!(self.requests, "now {at_ms}000000\nrecord {}\n", record.len())?;
        self.requests.write_all(record)?;
        self.requests.write_all(b"\n")?;
        let line = self.line()?;
        let Some(length) = line.strip_prefix("reply ") else { return Ok(Err(line)) };
        let mut reply = vec![0; length.parse().map_err(io::Error::other)?];
        self.answers.read_exact(&mut reply)?;
        self.line()?;
        Ok(Ok(reply))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
