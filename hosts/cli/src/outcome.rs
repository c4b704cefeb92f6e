//! How a command ends: its exit code, and the reason of an early end.

use std::io;

use kaudit_filter::BuildError;

use crate::terminal::error_line;

/// The result of a command; the value is the exit code.
/// Of several results the largest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    #[default]
    Done = 0,
    /// The input or the configuration has errors.
    Mistakes = 1,
    /// Wrong usage, or a file could not be read or written.
    Failed = 2,
    /// SIGINT ended the run.
    Interrupted = 130,
    /// SIGTERM ended the run.
    Terminated = 143,
}

/// Reports the reason of an early end, and returns the outcome.
pub fn report_halt(result: Result<Outcome, Halt>) -> io::Result<Outcome> {
    match result {
        Ok(outcome) => Ok(outcome),
        Err(Halt::Write(error)) => Err(error),
        Err(Halt::Failed(message)) => {
            error_line(format_args!("kaudit-filter: {message}"));
            Ok(Outcome::Failed)
        }
        Err(Halt::Refused(mistakes)) => {
            for line in &mistakes {
                error_line(format_args!("{line}"));
            }
            Ok(Outcome::Mistakes)
        }
    }
}

/// The reason why a run ends early.
#[derive(Debug)]
pub enum Halt {
    /// Entries cannot be written.
    Write(io::Error),
    /// The plugin or its driver failed, or an option is invalid.
    Failed(String),
    /// The configuration has these mistakes.
    Refused(Vec<String>),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<BuildError> for Halt {
    fn from(error: BuildError) -> Self {
        Self::Refused(vec![format!("kaudit-filter: {error}")])
    }
}
