//! What a host looks like to the suite.

use std::collections::BTreeMap;

use kaudit_driver::Error;

use crate::case::{Case, Need};

/// Puts cases through one host. A host that could take the test process down with it runs in a process of its own.
pub trait Driver {
    /// The host's name in reports.
    fn name(&self) -> &'static str;

    /// What the host can do of what a case may need.
    fn capabilities(&self) -> &'static [Need];

    /// Why this host cannot run at all; what it skips then says nothing of what it can do.
    fn absent(&self) -> Option<&'static str> {
        None
    }

    /// Why this host cannot run a case although it has what the case needs.
    fn skips(&self, _case: &Case) -> Option<&'static str> {
        None
    }

    /// Runs a case from a new filter to its end.
    fn run(&mut self, case: &Case) -> Outcome;
}

/// What became of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The host came to the end of the case.
    Ran(Run),
    /// The host refused the configuration; its remarks.
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

/// What a host gave back.
#[derive(Debug, Default)]
pub struct Run {
    /// What left, in order: entries or envelopes as the bytes that would be sent, and records that passed.
    pub lines: Vec<Vec<u8>>,
    /// The verdicts in order, one for each record or for each item of a batch, if the host reports them.
    pub verdicts: Option<Vec<String>>,
    /// Counters, if the host reports them, by their paths in the program's `--summary json`: `records`, `kept.total`,
    /// `dropped.<reason>`, `suppressed`, `passed`, `summarised` and others.
    pub stats: Option<BTreeMap<String, u64>>,
    /// What the host logged, where the driver has access to it: lines in any order.
    pub log: Vec<Vec<u8>>,
}
