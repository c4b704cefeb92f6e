//! `kaudit-filter pipe`: filters lines, for agents that cannot load a plugin.
//!
//! No line is lost: while the receiver is unavailable, the program retries and stops reading (back-pressure). Decision:
//! threads that share one filter under a lock instead of an asynchronous runtime; there are as many connections as
//! agents.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use host_kit::metrics::Metrics;
use host_kit::{Emission, Session, exposition, seed};
use kaudit_filter::Filter;
use kaudit_filter::config::Shape;
use kaudit_filter::envelope::Form;
use kaudit_filter::record::Record;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::clock::wall;
use crate::config;
use crate::outcome::Outcome;
use crate::report::RunCounters;
use crate::scrape;
use crate::terminal::{error_line, note_line};

/// Filters a stream of lines without delay
///
/// Reads one record per line and writes one entry per line (several for a record with several findings), for log agents
/// that can send to a program or a socket but cannot load a plugin, such as Vector's musl builds. In shape bulk a line
/// is an item of an envelope's logEntries, in shape otlp an element of a request's resourceLogs. Dropped records produce
/// no line; summaries of suppressed findings and count reports are written when they are due, and all pending ones when
/// the input ends or on SIGINT or SIGTERM. Then the counters are written to standard error, as by `run`.
///
/// ADDRESS is `unix:PATH` or `tcp:HOST:PORT`. While the output address is unavailable, the program retries every second
/// and reads no further lines. After a broken connection, lines in transit may be sent twice.
///
/// METRICS: --metrics serves the counters as Prometheus reads them, under the names in docs/metrics.md.
#[derive(clap::Args)]
pub struct Args {
    /// Configuration: a ConfigMap, a list of integrations, or the filter's own document [default: send every finding]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Read lines from connections to this address [default: standard input]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,

    /// Write lines to this address [default: standard output]
    #[arg(long, value_name = "ADDRESS")]
    connect: Option<Address>,

    /// Serve metrics for Prometheus at http://ADDRESS:PORT/metrics; port 0 selects a free port [default: none]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
}

/// The maximum length of a line, in bytes.
const MAX_LINE: u64 = 16 << 20;

/// The size, in bytes, from which on buffered output is written.
/// Below, it is written when no further input is available.
const BUFFER_BYTES: usize = 64 << 10;

/// The interval of checks for due entries and signals, and of connection attempts.
const TICK: Duration = Duration::from_secs(1);

/// The address of a socket.
#[derive(Clone, Debug)]
enum Address {
    Unix(PathBuf),
    Tcp(String),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", host)) if host.contains(':') => Ok(Self::Tcp(host.to_owned())),
            _ => Err("expected `unix:PATH` or `tcp:HOST:PORT`"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host) => write!(f, "tcp:{host}"),
        }
    }
}

impl Address {
    fn connect(&self) -> io::Result<Box<dyn Write + Send>> {
        Ok(match self {
            Self::Unix(path) => Box::new(UnixStream::connect(path)?),
            Self::Tcp(host) => Box::new(TcpStream::connect(host)?),
        })
    }

    fn listen(&self) -> io::Result<Listener> {
        Ok(match self {
            Self::Unix(path) => {
                // Remove the socket file of a program that has ended.
                if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
                    fs::remove_file(path)?;
                }
                Listener::Unix(UnixListener::bind(path)?)
            }
            Self::Tcp(host) => Listener::Tcp(TcpListener::bind(host)?),
        })
    }
}

enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn accept(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Unix(listener) => Box::new(listener.accept()?.0),
            Self::Tcp(listener) => Box::new(listener.accept()?.0),
        })
    }
}

/// Runs the command until the input ends.
///
/// # Errors
/// The input cannot be read, or the output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return Ok(outcome),
    };
    let filter = match Filter::new(&config, seed()) {
        Ok(filter) => filter,
        Err(error) => {
            error_line(format_args!("kaudit-filter: {error}"));
            return Ok(Outcome::Mistakes);
        }
    };
    // Items of an envelope are written as lines: the agent after this program builds the envelopes.
    let session = Session::new(filter, &config).without_envelopes();
    let listener = match &args.listen {
        None => None,
        Some(address) => match address.listen() {
            Ok(listener) => Some(listener),
            Err(error) => {
                error_line(format_args!("kaudit-filter: cannot listen on {address}: {error}"));
                return Ok(Outcome::Failed);
            }
        },
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    let socket =
        |address: &Address| Socket { address: address.clone(), stream: None, stop: Arc::clone(&stop) };
    let output = args.connect.as_ref().map(socket);
    let metrics = Metrics::new(session.engine(), wall());
    let pipe = Arc::new(Shared(Mutex::new(Pipe { session, lines: Vec::new(), entries: 0, output })));
    if let Some(address) = args.metrics {
        let pipe = Arc::clone(&pipe);
        match scrape::serve(address, move || pipe.metrics(&metrics)) {
            Ok(address) => note_line(format_args!("metrics at http://{address}/metrics")),
            Err(error) => {
                error_line(format_args!("--metrics {address}: cannot listen: {error}"));
                return Ok(Outcome::Failed);
            }
        }
    }
    let (ended, end) = mpsc::channel::<()>();
    let (pipe, stop) = (&*pipe, &*stop);
    let done = thread::scope(|scope| {
        scope.spawn(move || tick(pipe, &end, stop));
        let done = match listener {
            None => serve(pipe, io::stdin().lock()),
            Some(listener) => loop {
                match listener.accept() {
                    Ok(source) => {
                        scope.spawn(move || {
                            if let Err(error) = serve(pipe, source) {
                                error_line(format_args!("kaudit-filter: connection closed: {error}"));
                            }
                        });
                    }
                    Err(error) => break Err(error),
                }
            },
        };
        drop(ended);
        done
    });
    done?;
    pipe.lock().finish()?;
    Ok(Outcome::Done)
}

/// Filters the lines of a source until it ends.
fn serve(pipe: &Shared, source: impl Read) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, source);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if length as u64 == MAX_LINE {
            return Err(io::Error::other(format!("line too long: the limit is {MAX_LINE} bytes")));
        }
        let mut pipe = pipe.lock();
        pipe.line(&line);
        if length == 0 || reader.buffer().is_empty() || pipe.lines.len() >= BUFFER_BYTES {
            pipe.flush()?;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

/// Writes due entries until the input ends.
/// On a signal, it writes all pending entries and ends the program.
fn tick(pipe: &Shared, end: &mpsc::Receiver<()>, stop: &AtomicBool) {
    while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        if stop.load(Ordering::Relaxed) {
            end_now(pipe.lock().finish());
        }
        // An error of standard output occurs again for the next line, which reports it.
        let _ = pipe.lock().due();
    }
}

#[expect(clippy::disallowed_methods, reason = "other threads block on input")]
fn end_now(result: io::Result<()>) -> ! {
    let outcome = result.map_or_else(
        |error| {
            error_line(format_args!("kaudit-filter: {error}"));
            Outcome::Failed
        },
        |()| Outcome::Done,
    );
    std::process::exit(outcome as i32)
}

/// The filter that all connections share.
struct Shared(Mutex<Pipe>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the metrics in Prometheus' text format; `None` while another thread uses the filter.
    fn metrics(&self, metrics: &Metrics) -> Option<String> {
        let pipe = match self.0.try_lock() {
            Ok(pipe) => pipe,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(exposition::text(metrics, pipe.session.engine()))
    }
}

struct Pipe {
    session: Session,
    /// Buffered output.
    lines: Vec<u8>,
    /// The number of entries written.
    entries: u64,
    /// `None`: standard output.
    output: Option<Socket>,
}

impl Pipe {
    /// Filters a line; any line terminator is removed.
    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        let Self { session, lines, entries, .. } = self;
        let shape = session.shape();
        session.record(Record::json(line), wall(), |emission| match emission {
            Emission::Passed => {
                lines.extend_from_slice(line);
                lines.push(b'\n');
            }
            other => *entries += write(shape, &other, lines),
        });
    }

    /// Writes the summaries and reports that are due.
    fn due(&mut self) -> io::Result<()> {
        let Self { session, lines, entries, .. } = self;
        let shape = session.shape();
        session.due(wall(), |own| *entries += write(shape, &own, lines));
        self.flush()
    }

    /// Writes all pending summaries and reports, and the counters.
    fn finish(&mut self) -> io::Result<()> {
        let Self { session, lines, entries, .. } = self;
        let shape = session.shape();
        session.finish(wall(), |own| *entries += write(shape, &own, lines));
        let flushed = self.flush();
        let counters = RunCounters {
            stats: self.session.stats(),
            entries: self.entries,
            envelopes: None,
            malformed: 0,
            rules: self.session.engine().rule_counts().collect(),
        };
        note_line(format_args!("\n{}", counters.to_string().trim_end()));
        flushed
    }

    /// Writes the buffered output.
    fn flush(&mut self) -> io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if let Some(socket) = &mut self.output {
            socket.write(&self.lines)?;
        } else {
            let mut out = io::stdout().lock();
            out.write_all(&self.lines)?;
            out.flush()?;
        }
        self.lines.clear();
        Ok(())
    }
}

/// Appends an entry as a line; returns the number of entries.
fn write(shape: Shape, emission: &Emission<'_>, lines: &mut Vec<u8>) -> u64 {
    let Emission::Entry(entry) = emission else { return 0 };
    match shape {
        Shape::Singles => entry.write_json(lines),
        Shape::Bulk => entry.write_bulk_item(lines),
        Shape::Otlp => Form::ResourceLogs.write_one(entry, lines),
    }
    lines.push(b'\n');
    1
}

/// An output connection, opened for the first line and reopened after errors.
struct Socket {
    address: Address,
    stream: Option<Box<dyn Write + Send>>,
    /// Set by a signal: no further attempts.
    stop: Arc<AtomicBool>,
}

impl Socket {
    /// Writes whole lines; retries until it succeeds or `stop` is set.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let Self { address, stream, stop } = self;
        let mut reported = false;
        loop {
            let written = match stream {
                Some(stream) => stream.write_all(lines),
                None => address.connect().and_then(|new| stream.insert(new).write_all(lines)),
            };
            let Err(error) = written else { return Ok(()) };
            *stream = None;
            if stop.load(Ordering::Relaxed) {
                let lost = lines.split_inclusive(|byte| *byte == b'\n').count();
                return Err(io::Error::other(format!(
                    "{lost} lines lost: cannot write to {address}: {error}"
                )));
            }
            if !reported {
                error_line(format_args!("kaudit-filter: cannot write to {address}: {error}; retrying"));
                reported = true;
            }
            wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the interval between connection attempts")]
fn wait() {
    thread::sleep(TICK);
}
