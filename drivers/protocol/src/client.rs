//! The caller's side.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::{Chunk, Filtered, Line, Record, Reply, Request, Round, Start, Stopped};

/// The time that a driver has for a request.
const LIMIT: Duration = Duration::from_mins(1);
/// The maximum stored length of a driver's standard error, bytes.
const MAX_ERRORS: u64 = 1 << 20;

/// A driver's process. Dropping it kills the process.
///
/// Writing and reading are done by threads, so that a driver that does neither cannot block the caller beyond the limit.
#[derive(Debug)]
pub struct Client {
    child: Child,
    requests: Option<Sender<String>>,
    replies: Receiver<String>,
    /// Standard error, once it is closed.
    errors: Receiver<String>,
    limit: Duration,
}

/// The reason why a request has no result.
#[derive(Debug)]
pub enum Error {
    /// The plugin refused to start; the lines that it logged.
    Refused(Vec<Line>),
    /// The plugin or the driver failed.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(lines) => {
                let lines: Vec<&str> = lines.iter().map(Line::message).collect();
                write!(f, "the plugin refused to start: {}", lines.join("; "))
            }
            Self::Failed(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}

impl Client {
    /// Starts a driver.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<Self, Error> {
        let failed =
            |error: io::Error| Error::Failed(format!("`{}` cannot be started: {error}", program.display()));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C in a terminal reaches only the caller, which drains the driver.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(failed(io::Error::other("it has no pipes")));
        };
        let (requests, to_write) = channel();
        let (read, replies) = channel();
        let (closed, errors) = channel();
        // Each thread ends when the process does.
        thread::spawn(move || to_write.iter().try_for_each(|line: String| stdin.write_all(line.as_bytes())));
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| read.send(line))
        });
        thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut text = Vec::new();
            let _ = stderr.by_ref().take(MAX_ERRORS).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
            let _ = closed.send(String::from_utf8_lossy(&text).into_owned());
        });
        Ok(Self { child, requests: Some(requests), replies, errors, limit: LIMIT })
    }

    /// Sets the time that the driver has for each request, instead of one minute.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sends a request and returns the reply. The other methods do the same with the types of one request.
    ///
    /// # Errors
    /// The plugin refused to start or failed; or the driver did not answer in time and was killed, or it ended.
    pub fn request(&mut self, request: &Request) -> Result<Reply, Error> {
        let line = serde_json::to_string(request).map_err(io::Error::from)?;
        // The name is the first string of a request.
        let name = line.split('"').nth(1).unwrap_or_default().to_owned();
        // If the driver ended, its status is a better error than a broken pipe.
        let _ = self.requests.as_ref().map(|requests| requests.send(line + "\n"));
        let Some(reply) = self.reply(&name)? else {
            let (status, errors) = self.status()?;
            let errors = errors.trim();
            let errors = if errors.is_empty() { String::new() } else { format!(": {errors}") };
            return Err(Error::Failed(format!("the driver ended during `{name}`: {status}{errors}")));
        };
        match serde_json::from_str(&reply) {
            Ok(Reply::Refused(lines)) => Err(Error::Refused(lines)),
            Ok(Reply::Failed(error)) => Err(Error::Failed(error)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(unexpected(&reply)),
        }
    }

    /// Starts an instance and returns the lines that it logged.
    pub fn start_instance(&mut self, start: Start) -> Result<Vec<Line>, Error> {
        match self.request(&Request::Start(start))? {
            Reply::Started(log) => Ok(log),
            other => Err(unexpected(&other)),
        }
    }

    /// Filters records that arrive at a time, nanoseconds since 1970.
    pub fn chunk(&mut self, at: i64, records: Vec<Record>) -> Result<Filtered, Error> {
        match self.request(&Request::Chunk(Chunk { at, records }))? {
            Reply::Chunk(filtered) => Ok(filtered),
            other => Err(unexpected(&other)),
        }
    }

    /// Stops the instance.
    pub fn stop(&mut self) -> Result<Stopped, Error> {
        match self.request(&Request::Stop)? {
            Reply::Stopped(stopped) => Ok(stopped),
            other => Err(unexpected(&other)),
        }
    }

    /// Returns the values of the instance's metrics by series.
    pub fn series(&mut self) -> Result<BTreeMap<String, u64>, Error> {
        match self.request(&Request::Series)? {
            Reply::Series(series) => Ok(series),
            other => Err(unexpected(&other)),
        }
    }

    /// Stores a chunk for [`Client::round`].
    pub fn hold(&mut self, at: i64, records: Vec<Record>) -> Result<(), Error> {
        self.request(&Request::Hold(Chunk { at, records })).map(drop)
    }

    /// Returns the resident memory of the driver, kB.
    pub fn resident_kb(&mut self) -> Result<u64, Error> {
        match self.request(&Request::Resident)? {
            Reply::Resident(kb) => Ok(kb),
            other => Err(unexpected(&other)),
        }
    }

    /// Measures the time in which a new instance filters all stored chunks.
    pub fn round(&mut self, start: Start) -> Result<Round, Error> {
        match self.request(&Request::Round(start))? {
            Reply::Round(round) => Ok(round),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the driver and returns its standard error.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub fn finish(&mut self) -> Result<String, Error> {
        self.requests = None;
        if let Some(reply) = self.reply("end of input")? {
            return Err(unexpected(&reply));
        }
        match self.status()? {
            (status, errors) if status.success() => Ok(errors),
            (status, errors) => {
                Err(Error::Failed(format!("the driver ended with {status}: {}", errors.trim())))
            }
        }
    }

    /// The next line; `None`: the driver closed its output.
    fn reply(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.replies.recv_timeout(self.limit) {
            Ok(reply) => Ok(Some(reply)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                let limit = self.limit;
                Err(Error::Failed(format!(
                    "the driver did not answer `{name}` within {limit:?} and was killed"
                )))
            }
        }
    }

    /// The exit status of a driver that closed its output, and its standard error.
    fn status(&mut self) -> Result<(ExitStatus, String), Error> {
        // Its standard error closes as it exits; killing it then does not change its status.
        let errors = self.errors.recv_timeout(self.limit).unwrap_or_default();
        let _ = self.child.kill();
        Ok((self.child.wait()?, errors))
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unexpected(reply: &impl fmt::Debug) -> Error {
    Error::Failed(format!("unexpected reply of the driver: {reply:?}"))
}

impl Drop for Client {
    fn drop(&mut self) {
        self.kill();
    }
}
