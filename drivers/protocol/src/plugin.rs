//! The traits that a driver implements.

use std::collections::BTreeMap;

use kaudit_timing::Timer;

use crate::{Chunk, Filtered, Line, Start, Stopped};

/// A loaded plugin.
pub trait Plugin {
    /// A chunk in the form in which the agent has it.
    type Chunk;
    /// A started instance.
    type Instance: Instance<Chunk = Self::Chunk>;

    /// Encodes a chunk.
    ///
    /// # Errors
    /// The agent has no such records.
    fn encode(&self, chunk: &Chunk) -> Result<Self::Chunk, String>;

    /// Starts an instance. Dropping it stops it.
    ///
    /// # Errors
    /// The plugin refused to start; the lines are appended to the result of [`Plugin::take_log`].
    fn start(&mut self, start: &Start) -> Result<Self::Instance, Vec<Line>>;

    /// Returns and forgets the lines that the plugin logged.
    fn take_log(&mut self) -> Vec<Line> {
        Vec::new()
    }
}

/// A started instance of a plugin.
pub trait Instance: Sized {
    /// A chunk in the form in which the agent has it.
    type Chunk;

    /// The number of chunks that warm an instance up: the next contains nothing new for its caches.
    const WARM_UP: usize = 20;

    /// Filters a chunk and reads the result; the caller adds the log.
    ///
    /// # Errors
    /// The plugin failed.
    fn filter(&mut self, at: i64, chunk: &Self::Chunk) -> Result<Filtered, String>;

    /// Filters a chunk, the plugin's part under the timer, and returns the number of events after it.
    ///
    /// # Errors
    /// The plugin failed.
    fn count(&mut self, at: i64, chunk: &Self::Chunk, timer: &mut Timer) -> Result<u64, String>;

    /// Returns the values of metrics by series.
    fn series(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    /// Stops the instance as the agent does when it shuts down; the caller adds the log.
    ///
    /// # Errors
    /// The plugin failed.
    fn stop(self) -> Result<Stopped, String> {
        Ok(Stopped::default())
    }
}
