//! Handles SIGINT and SIGTERM like the end of the input.
//! Pending summaries and the counters are written.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::outcome::Outcome;

/// The interval at which a blocked read checks for a signal.
const TICK: Duration = Duration::from_millis(100);

/// Bytes per read from standard input.
const CHUNK: usize = 128 << 10;

/// The received signal, if any.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Catches the first SIGINT or SIGTERM from now on.
    /// A second one ends the program at once.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn catch() -> io::Result<Self> {
        let interrupt = Self::default();
        let caught = Arc::new(AtomicBool::new(false));
        for (signal, outcome) in [(SIGINT, Outcome::Interrupted), (SIGTERM, Outcome::Terminated)] {
            flag::register_conditional_default(signal, Arc::clone(&caught))?;
            flag::register(signal, Arc::clone(&caught))?;
            flag::register_usize(signal, Arc::clone(&interrupt.0), outcome as usize)?;
        }
        Ok(interrupt)
    }

    /// Returns the outcome for the received signal; `None` if there is none.
    pub fn outcome(&self) -> Option<Outcome> {
        let caught = self.0.load(Ordering::Relaxed);
        [Outcome::Interrupted, Outcome::Terminated].into_iter().find(|outcome| *outcome as usize == caught)
    }

    /// Returns a source, which ends when a signal arrives.
    pub fn reader(&self, source: impl Read + Send + 'static) -> InterruptibleReader {
        self.reader_of(move || Ok(source))
    }

    /// Opens and returns a source, which ends when a signal arrives, also while it is opened.
    ///
    /// Decision: a reading thread. A signal does not interrupt a read, since the handlers restart it, and other
    /// handlers need `unsafe`.
    pub fn reader_of<R: Read>(
        &self,
        open: impl FnOnce() -> io::Result<R> + Send + 'static,
    ) -> InterruptibleReader {
        let (sender, chunks) = sync_channel(2);
        thread::spawn(move || {
            let mut source = match open() {
                Ok(source) => source,
                Err(error) => return drop(sender.send(Err(error))),
            };
            loop {
                let mut chunk = vec![0; CHUNK];
                let read = match source.read(&mut chunk) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let ends = !matches!(read, Ok(1..));
                let chunk = read.map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                if sender.send(chunk).is_err() || ends {
                    return;
                }
            }
        });
        InterruptibleReader { interrupt: self.clone(), chunks, chunk: Vec::new(), at: 0 }
    }
}

/// See [`Interrupt::reader`].
pub struct InterruptibleReader {
    interrupt: Interrupt,
    chunks: Receiver<io::Result<Vec<u8>>>,
    /// The last chunk, read up to `at`.
    chunk: Vec<u8>,
    at: usize,
}

impl Read for InterruptibleReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if self.interrupt.outcome().is_some() {
                return Ok(0);
            }
            match self.chunks.recv_timeout(TICK) {
                Ok(chunk) => (self.chunk, self.at) = (chunk?, 0),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
            if self.chunk.is_empty() {
                return Ok(0);
            }
        }
        let length = (&self.chunk[self.at..]).read(into)?;
        self.at += length;
        Ok(length)
    }
}
