//! The file of `run --state`: the learned behaviour of detections between runs.

use std::fs;
use std::io;
use std::path::Path;

use host_kit::state::replace;
use kaudit_filter::{Filter, SnapshotError};

use crate::outcome::{Halt, Outcome};
use crate::output::cannot_write;
use crate::terminal::note_line;

/// Continues with the learned behaviour in a file. A file that does not exist has none.
///
/// # Errors
/// The file cannot be read, or must not be replaced at the end: it is something else, or of another version.
pub fn restore(filter: &mut Filter, path: &Path) -> Result<(), Halt> {
    let failed = |reason: String| Err(Halt::Failed(format!("--state: `{}`: {reason}", path.display())));
    if filter.detections_snapshot().is_none() {
        return failed(SnapshotError::NotConfigured.to_string());
    }
    let snapshot = match fs::read(path) {
        Ok(snapshot) => snapshot,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return failed(format!("cannot read: {error}")),
    };
    match filter.restore_detections(&snapshot) {
        Ok(()) => Ok(()),
        Err(SnapshotError::Damaged) => {
            note_line(format_args!(
                "warning: `{}`: {}; detections learn from the beginning, and the file is replaced at the end",
                path.display(),
                SnapshotError::Damaged
            ));
            Ok(())
        }
        Err(error) => failed(format!("{error}; name another file")),
    }
}

/// Writes the learned behaviour to a file, which is replaced at once.
pub fn save(filter: &Filter, path: &Path) -> Outcome {
    let Some(snapshot) = filter.detections_snapshot() else { return Outcome::Done };
    replace(path, &snapshot).map_or_else(|error| cannot_write(path, &error), |()| Outcome::Done)
}
