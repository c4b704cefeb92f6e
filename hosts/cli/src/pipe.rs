//! `kaudit-filter pipe`: a record per line in, its entries out, for agents that load no plugin of ours.
//!
//! It gives no line up: where the other side is away it waits, and whoever writes to it waits too. Decision: threads
//! that share one filter under a lock, rather than an asynchronous runtime; there are as many connections as agents.

use std::fmt;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use host_kit::{Emission, Session, seed};
use kaudit_filter::Filter;
use kaudit_filter::config::Shape;
use kaudit_filter::record::Record;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::clock::wall;
use crate::{Outcome, config, say};

/// Filters a stream of lines as it flows: a finding in, its entry out
///
/// Reads one record a line and writes one entry a line (several of a record with several findings), at once, for log agents that can talk to a program or a socket
/// but load no plugin, such as Vector's musl builds. In shape bulk a line is an item of an envelope's logEntries.
/// Records that are dropped leave no line; summaries of suppressed findings and count reports leave when they are due,
/// the last of them when the input ends or the program is told to stop.
///
/// ADDRESS is `unix:PATH` or `tcp:HOST:PORT`. Where the address to connect to is away, lines wait, and so does whoever
/// writes them. A connection that breaks may repeat the lines that were on their way.
#[derive(clap::Args)]
pub struct Args {
    /// The configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Take lines from connections to this address, instead of standard input
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,

    /// Write lines to this address, instead of standard output
    #[arg(long, value_name = "ADDRESS")]
    connect: Option<Address>,
}

/// A line is one finding; what is longer than this is none.
const MAX_LINE: u64 = 16 << 20;

/// So much may wait for more lines before it is handed on.
const FULL: usize = 64 << 10;

/// How often the filter is asked for what is due, and a connection is tried again.
const TICK: Duration = Duration::from_secs(1);

/// Where lines come from or go to.
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
                // A socket whose program is gone stays behind as a file.
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

/// Runs the command until the input ends. An error is one of reading or writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return Ok(outcome),
    };
    let filter = match Filter::new(&config, seed()) {
        Ok(filter) => filter,
        Err(error) => {
            say(format_args!("kaudit-filter: {error}"));
            return Ok(Outcome::Mistakes);
        }
    };
    // Items of an envelope are lines: the agent after this program makes the envelopes.
    let session = Session::new(filter, &config).without_envelopes();
    let listener = match &args.listen {
        None => None,
        Some(address) => match address.listen() {
            Ok(listener) => Some(listener),
            Err(error) => {
                say(format_args!("kaudit-filter: cannot listen on {address}: {error}"));
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
    let pipe = Shared(Mutex::new(Pipe { session, lines: Vec::new(), output }));
    let (ended, end) = mpsc::channel::<()>();
    let (pipe, stop) = (&pipe, &*stop);
    let done = thread::scope(|scope| {
        scope.spawn(move || tick(pipe, &end, stop));
        let done = match listener {
            None => serve(pipe, io::stdin().lock()),
            Some(listener) => loop {
                match listener.accept() {
                    Ok(source) => {
                        scope.spawn(move || {
                            if let Err(error) = serve(pipe, source) {
                                say(format_args!("kaudit-filter: connection closed: {error}"));
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

/// Reads lines to their end.
fn serve(pipe: &Shared, source: impl Read) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(FULL, source);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if length as u64 == MAX_LINE {
            return Err(io::Error::other(format!("a line of more than {MAX_LINE} bytes")));
        }
        let mut pipe = pipe.lock();
        pipe.line(&line);
        if length == 0 || reader.buffer().is_empty() || pipe.lines.len() >= FULL {
            pipe.flush()?;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

/// Asks for what is due, until the input has ended; a signal ends the program, once what is owed has left.
fn tick(pipe: &Shared, end: &mpsc::Receiver<()>, stop: &AtomicBool) {
    while end.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        if stop.load(Ordering::Relaxed) {
            end_now(pipe.lock().finish());
        }
        // Standard output that is gone is told by the next line.
        let _ = pipe.lock().due();
    }
}

#[expect(clippy::disallowed_methods, reason = "other threads wait for input that may never come")]
fn end_now(left: io::Result<()>) -> ! {
    let outcome = left.map_or_else(
        |error| {
            say(format_args!("kaudit-filter: {error}"));
            Outcome::Failed
        },
        |()| Outcome::Done,
    );
    std::process::exit(outcome as i32)
}

/// One filter for all connections.
struct Shared(Mutex<Pipe>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Pipe {
    session: Session,
    /// Lines to be written.
    lines: Vec<u8>,
    /// `None`: standard output.
    output: Option<Socket>,
}

impl Pipe {
    /// Takes a line, whatever its end.
    fn line(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        let Self { session, lines, .. } = self;
        let shape = session.shape();
        session.record(Record::json(line), wall(), |emission| match emission {
            Emission::Passed => {
                lines.extend_from_slice(line);
                lines.push(b'\n');
            }
            other => write(shape, &other, lines),
        });
    }

    /// Writes the summaries and reports that are due.
    fn due(&mut self) -> io::Result<()> {
        let Self { session, lines, .. } = self;
        let shape = session.shape();
        session.due(wall(), |own| write(shape, &own, lines));
        self.flush()
    }

    /// Writes all pending summaries and reports.
    fn finish(&mut self) -> io::Result<()> {
        let Self { session, lines, .. } = self;
        let shape = session.shape();
        session.finish(wall(), |own| write(shape, &own, lines));
        self.flush()
    }

    /// Hands the lines on.
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

fn write(shape: Shape, emission: &Emission<'_>, lines: &mut Vec<u8>) {
    let Emission::Entry(entry) = emission else { return };
    match shape {
        Shape::Singles => entry.write_json(lines),
        Shape::Bulk => entry.write_bulk_item(lines),
    }
    lines.push(b'\n');
}

/// A connection that is made when there is something to write, and again when it breaks.
struct Socket {
    address: Address,
    stream: Option<Box<dyn Write + Send>>,
    /// Nobody waits any more.
    stop: Arc<AtomicBool>,
}

impl Socket {
    /// Writes whole lines, as often as it takes.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let Self { address, stream, stop } = self;
        let mut told = false;
        loop {
            let written = match stream {
                Some(stream) => stream.write_all(lines),
                None => address.connect().and_then(|new| stream.insert(new).write_all(lines)),
            };
            let Err(error) = written else { return Ok(()) };
            *stream = None;
            if stop.load(Ordering::Relaxed) {
                let lost = lines.split_inclusive(|byte| *byte == b'\n').count();
                return Err(io::Error::other(format!("{lost} lines not written to {address}: {error}")));
            }
            if !told {
                say(format_args!("kaudit-filter: cannot write to {address}: {error}; lines wait"));
                told = true;
            }
            wait();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever listens there may start in a moment")]
fn wait() {
    thread::sleep(TICK);
}
