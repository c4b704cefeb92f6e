//! The guest of Fluent Bit's wasm filter as a host: the built modules, in driver processes with a WebAssembly runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kaudit_driver::{Client, Error, Level, Line, Start, guest};
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
    /// Reused for all cases if its module is the same: some runtimes compile it first.
    client: Option<Client>,
}

#[derive(Debug)]
enum Guest {
    /// Reads its configuration from a file.
    File { module: PathBuf },
    /// Contains its configuration, embedded by the program.
    Baked { base: PathBuf, program: PathBuf },
}

/// The operand stack of a baked guest, bytes.
///
/// It is a sixteenth smaller than Fluent Bit's default of 8 KiB, so that the deepest records of the suite do not need
/// all of the default.
const BAKED_STACK: u32 = (8 << 10) - 512;

impl Wasm {
    /// Returns both guests of the directory `dist`, each in Fluent Bit's runtime and in another.
    ///
    /// Their drivers are in `drivers`; `program` bakes; files of the running case are in directories under `scratch`.
    pub fn all(dist: &Path, drivers: &Path, program: &Path, scratch: &Path) -> [Self; 3] {
        let host = |name, driver, guest| Self {
            name,
            driver: drivers.join(driver),
            guest,
            scratch: scratch.join(name),
            client: None,
        };
        let file = || Guest::File { module: dist.join("kaudit.wasm") };
        let baked = Guest::Baked { base: dist.join("kaudit-base.wasm"), program: program.to_owned() };
        [
            host("wasmtime", "kaudit-wasmtime-driver", file()),
            host("wamr", "kaudit-wamr-driver", file()),
            host("wamr-baked", "kaudit-wamr-driver", baked),
        ]
    }

    /// Returns whether all its files were built.
    pub fn is_built(&self) -> bool {
        let module = match &self.guest {
            Guest::File { module } => module,
            Guest::Baked { base, .. } => base,
        };
        self.driver.is_file() && module.is_file()
    }

    fn answer(&mut self, case: &Case) -> Result<Run, Error> {
        fs::create_dir_all(&self.scratch)?;
        let config = self.scratch.join("kaudit.yaml");
        fs::write(&config, &case.config)?;
        // The instance starts at 0, long before the records: a new one suppresses nothing.
        let (mut client, start) = match &self.guest {
            Guest::File { module } => {
                let client = match self.client.take() {
                    Some(client) => client,
                    None => Client::start(&self.driver, &[module])?,
                };
                let directory = Some(self.scratch.clone());
                (client, Start { stack: Some(guest::STACK), directory, ..Start::default() })
            }
            Guest::Baked { base, program } => {
                let module = self.scratch.join("baked.wasm");
                let mut bake = Command::new(program);
                bake.arg("bake").arg("--config").arg(&config).arg("--base").arg(base);
                bake.arg("--output").arg(&module).stdin(Stdio::null());
                let baked = bake.output()?;
                if !baked.status.success() {
                    let said = String::from_utf8_lossy(&baked.stderr);
                    return Err(Error::Refused(Line::of(Level::Error, &said)));
                }
                let client = Client::start(&self.driver, &[&module])?;
                (client, Start { stack: Some(BAKED_STACK), ..Start::default() })
            }
        };
        let (mut run, mut log) = (Run::default(), client.start_instance(start)?);
        for record in &case.records {
            let given = kaudit_driver::Record::new(&record.bytes);
            let filtered = client.chunk(record.at_ms * 1_000_000, vec![given])?;
            if let Some(lost) = filtered.lost.into_iter().next() {
                return Err(Error::Failed(lost.reason));
            }
            run.lines.extend(filtered.events.into_iter().map(|event| event.body.into_bytes()));
            log.extend(filtered.log);
        }
        run.log = log.into_iter().map(|line| line.text.into_bytes()).collect();
        if matches!(self.guest, Guest::File { .. }) {
            self.client = Some(client);
        }
        Ok(run)
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
        if matches!(self.guest, Guest::Baked { .. }) && evaluates_events(&case.config) {
            return Some("audit events are evaluated, which the baked guest does not");
        }
        if case.config.lines().any(|line| line.starts_with("detect:")) {
            return Some("detections are made, which the guest refuses");
        }
        if !case.envelopes.is_empty() {
            return Some(
                "envelopes of several entries are expected, and the guest answers each record alone",
            );
        }
        let is_object = |record: &Record| serde_json::from_slice::<Map<String, Value>>(&record.bytes).is_ok();
        case.outcomes()
            .any(|(record, expected)| expected.verdict == "passed" && !is_object(record))
            .then_some("a record that is not an object passes, and Fluent Bit loses such a reply")
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.answer(case).map_or_else(Outcome::from, Outcome::Ran)
    }
}

/// Whether a configuration has a policy or section `audit` or `detect`.
fn evaluates_events(config: &str) -> bool {
    config
        .lines()
        .any(|line| ["policy:", "policy-file:", "audit:", "detect:"].iter().any(|key| line.starts_with(key)))
}
