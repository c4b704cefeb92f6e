//! The caller's side.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::{Chunk, Filtered, Line, Record, Reply, Request, Round, Start, Stopped};

/// The time that a driver has for a request.
const LIMIT: Duration = Duration::from_mins(1);
/// How much of a driver's standard error is stored, bytes.
const MAX_ERRORS: u64 = 1 << 20;

/// A driver's process. Dropping it kills the process.
///
/// Writing and reading are done by threads, so that a driver that does neither cannot block the caller beyond the limit.
#[derive(Debug)]
pub struct Client {
    child: Child,
    requests: Option<Sender<Vec<u8>>>,
    replies: Receiver<String>,
    /// Standard error, once it is closed.
    errors: Receiver<String>,
    limit: Duration,
}

/// Why a request has no result.
#[derive(Debug)]
pub enum Error {
    /// The driver cannot be started.
    Start(io::Error),
    /// The driver did not answer a request in time and was killed.
    TimedOut {
        /// The request.
        request: &'static str,
        /// The limit.
        limit: Duration,
    },
    /// The driver ended.
    Ended {
        /// The request.
        request: &'static str,
        /// How.
        status: io::Result<ExitStatus>,
        /// What it wrote to standard error.
        errors: String,
    },
    /// The plugin refused to start.
    Refused(Vec<Line>),
    /// The plugin failed.
    Failed(String),
    /// The driver answered in another way than the request is answered.
    Unexpected {
        /// The request.
        request: &'static str,
        /// The answer.
        reply: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => write!(f, "the driver cannot be started: {error}"),
            Self::TimedOut { request, limit } => {
                write!(f, "the driver did not answer `{request}` within {limit:?} and was killed")
            }
            Self::Ended { request, status, errors } => {
                write!(f, "the driver ended during `{request}`: ")?;
                match status {
                    Ok(status) => write!(f, "{status}")?,
                    Err(error) => write!(f, "{error}")?,
                }
                if errors.trim().is_empty() { Ok(()) } else { write!(f, ": {}", errors.trim()) }
            }
            Self::Refused(lines) => {
                let lines: Vec<&str> = lines.iter().map(Line::message).collect();
                write!(f, "the plugin refused to start: {}", lines.join("; "))
            }
            Self::Failed(error) => f.write_str(error),
            Self::Unexpected { request, reply } => write!(f, "unexpected reply to `{request}`: `{reply}`"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

impl Client {
    /// Starts a driver.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn start(program: &Path, arguments: &[impl AsRef<OsStr>]) -> Result<Self, Error> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Error::Start)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(Error::Start(io::Error::other("it has no pipes")));
        };
        let (requests, to_write) = channel();
        let (read, replies) = channel();
        let (closed, errors) = channel();
        // Each thread ends when the process does.
        thread::spawn(move || write(stdin, &to_write));
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if read.send(line).is_err() {
                    break;
                }
            }
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

    /// Sends a request and returns the reply.
    ///
    /// # Errors
    /// The driver did not answer in time and was killed, it ended, or its answer is no reply.
    pub fn request(&mut self, request: &Request) -> Result<Reply, Error> {
        let name = name(request);
        let unexpected = |reply: String| Error::Unexpected { request: name, reply };
        let mut line = serde_json::to_vec(request).map_err(|error| unexpected(error.to_string()))?;
        line.push(b'\n');
        // If the driver ended, its status is a better error than a broken pipe.
        let _ = self.requests.as_ref().map(|requests| requests.send(line));
        match self.replies.recv_timeout(self.limit) {
            Ok(reply) => serde_json::from_str(&reply).map_err(|_| unexpected(reply)),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Error::TimedOut { request: name, limit: self.limit })
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.ended(name)),
        }
    }

    /// Starts an instance and returns the lines that it logged.
    ///
    /// # Errors
    /// [`Error::Refused`], or one of [`Client::request`].
    pub fn start_instance(&mut self, start: Start) -> Result<Vec<Line>, Error> {
        match self.request(&Request::Start(start))? {
            Reply::Started(log) => Ok(log),
            other => Err(unexpected("start", other)),
        }
    }

    /// Filters records that arrive at a time, nanoseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Failed`], or one of [`Client::request`].
    pub fn chunk(&mut self, at: i64, records: Vec<Record>) -> Result<Filtered, Error> {
        match self.request(&Request::Chunk(Chunk { at, records }))? {
            Reply::Chunk(filtered) => Ok(filtered),
            other => Err(unexpected("chunk", other)),
        }
    }

    /// Stops the instance.
    ///
    /// # Errors
    /// [`Error::Failed`], or one of [`Client::request`].
    pub fn stop(&mut self) -> Result<Stopped, Error> {
        match self.request(&Request::Stop)? {
            Reply::Stopped(stopped) => Ok(stopped),
            other => Err(unexpected("stop", other)),
        }
    }

    /// Stores a chunk for [`Client::round`].
    ///
    /// # Errors
    /// [`Error::Failed`], or one of [`Client::request`].
    pub fn hold(&mut self, at: i64, records: Vec<Record>) -> Result<(), Error> {
        match self.request(&Request::Hold(Chunk { at, records }))? {
            Reply::Held => Ok(()),
            other => Err(unexpected("hold", other)),
        }
    }

    /// Resident memory of the driver, kB.
    ///
    /// # Errors
    /// [`Error::Failed`], or one of [`Client::request`].
    pub fn resident_kb(&mut self) -> Result<u64, Error> {
        match self.request(&Request::Resident)? {
            Reply::Resident(kb) => Ok(kb),
            other => Err(unexpected("resident", other)),
        }
    }

    /// Measures the time in which a new instance filters all stored chunks.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Failed`], or one of [`Client::request`].
    pub fn round(&mut self, start: Start) -> Result<Round, Error> {
        match self.request(&Request::Round(start))? {
            Reply::Round(round) => Ok(round),
            other => Err(unexpected("round", other)),
        }
    }

    /// Ends the driver and returns what it wrote to standard error.
    ///
    /// # Errors
    /// It does not end in time, or not with success.
    pub fn finish(&mut self) -> Result<String, Error> {
        const END: &str = "end of input";
        self.requests = None;
        match self.replies.recv_timeout(self.limit) {
            Ok(reply) => Err(Error::Unexpected { request: END, reply }),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Error::TimedOut { request: END, limit: self.limit })
            }
            Err(RecvTimeoutError::Disconnected) => match self.ended(END) {
                Error::Ended { status: Ok(status), errors, .. } if status.success() => Ok(errors),
                other => Err(other),
            },
        }
    }

    /// The error for a driver that closed its output.
    fn ended(&mut self, request: &'static str) -> Error {
        // Its standard error closes as it exits; killing it then does not change its status.
        let errors = self.errors.recv_timeout(self.limit).unwrap_or_default();
        let _ = self.child.kill();
        Error::Ended { request, status: self.child.wait(), errors }
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes requests until there are no more, or the driver reads no more.
fn write(mut stdin: ChildStdin, requests: &Receiver<Vec<u8>>) {
    for request in requests {
        if stdin.write_all(&request).is_err() {
            break;
        }
    }
}

fn name(request: &Request) -> &'static str {
    match request {
        Request::Start(_) => "start",
        Request::Chunk(_) => "chunk",
        Request::Stop => "stop",
        Request::Hold(_) => "hold",
        Request::Resident => "resident",
        Request::Round(_) => "round",
    }
}

/// The error for another reply than the one that the request has.
fn unexpected(request: &'static str, reply: Reply) -> Error {
    match reply {
        Reply::Refused(lines) => Error::Refused(lines),
        Reply::Failed(error) => Error::Failed(error),
        other => Error::Unexpected { request, reply: serde_json::to_string(&other).unwrap_or_default() },
    }
}
