//! The interface of a host to the suite.

use std::collections::BTreeMap;

use kaudit_driver::Error;

use crate::case::{Case, Need};

/// Runs cases on one host.
///
/// A host that could crash the test process runs in a process of its own.
pub trait Driver {
    /// Returns the host's name in reports.
    fn name(&self) -> &'static str;

    /// Returns the host's capabilities.
    fn capabilities(&self) -> &'static [Need];

    /// Returns the reason why this host cannot run at all; its skips then do not count.
    fn absent(&self) -> Option<&'static str> {
        None
    }

    /// Returns the reason why this host cannot run a case although it has the required capabilities.
    fn skips(&self, _case: &Case) -> Option<&'static str> {
        None
    }

    /// Runs a case from a new filter to its end.
    fn run(&mut self, case: &Case) -> Outcome;
}

/// The result of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The host ran the case to its end.
    Ran(Run),
    /// The host refused the configuration; its diagnostics.
    Refused(Vec<String>),
    /// The host panicked, died or did not answer.
    Crashed(String),
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(lines) => Self::Refused(lines.into_iter().map(|line| line.text).collect()),
            Error::Failed(error) => Self::Crashed(error),
        }
    }
}

/// The output of a host.
#[derive(Debug, Default)]
pub struct Run {
    /// The emitted lines, in order: entries or envelopes as the bytes that would be sent, and records that passed.
    pub lines: Vec<Vec<u8>>,
    /// The verdicts in order, one for each record or for each item of a batch, if the host reports them.
    pub verdicts: Option<Vec<String>>,
    /// Counters, if the host reports them, by their paths in the program's `--summary json`: `records`, `kept.total`,
    /// `dropped.<reason>`, `suppressed`, `passed`, `summarised` and others.
    pub stats: Option<BTreeMap<String, u64>>,
    /// The host's log, if the driver has access to it: lines in any order.
    pub log: Vec<Vec<u8>>,
}
