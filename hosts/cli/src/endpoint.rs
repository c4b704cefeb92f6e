//! `kaudit-filter endpoint`: a test double of Coralogix's ingestion.
//!
//! It implements the published contract (crate `contract`): an agent posts entries and gets Coralogix's responses,
//! including a 200 for a request with rejected entries. The reasons, which Coralogix does not report, are in the log
//! and on the page. It is for tests only: it has no TLS, and every client that can connect can read all entries.

mod alerts;
mod document;
mod entry;
mod facets;
mod fault;
mod hints;
mod listen;
mod location;
mod metrics;
mod otlp;
mod query;
mod reply;
mod request;
mod route;
mod store;
mod web;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use contract::Limits;
use host_kit::exposition;
use kaudit_filter::Time;
use oxhttp::Server;
use oxhttp::model::{Body, Method, Request, Response};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock;
use crate::outcome::Outcome;
use crate::scrape::free_port;
use crate::terminal::{error_line, note_line};
use alerts::Alerts;
use entry::{Entry, Refusal};
use facets::Filter;
use fault::{Fault, Kind, Plan};
use metrics::EndpointMetrics;
use query::Query;
use reply::Acceptance;
use request::Parsed;
use route::{Form, Route};
use store::{Counts, Search, Store, Verdict};

/// Starts a test double of Coralogix that reports rejected entries
///
/// It implements Coralogix's published ingestion contract, so that an agent can send to it before it sends to
/// Coralogix. It accepts /logs/v1/singles (a list, or one entry per line), /logs/v1/bulk, and OTLP at /v1/logs: JSON or
/// protobuf over HTTP, not gRPC. Bodies are plain or gzipped. The older /api/v1/logs is accepted with a note;
/// /logs/rest/... and the header `private_key` are rejected; each message contains the current form. Like Coralogix, it
/// answers 200 to a request with rejected entries; unlike Coralogix, it reports the reasons: on standard error, in the
/// response body, and on its page. It also rejects entries that Coralogix accepts but alters: an entry without
/// severity, for example, becomes Debug there.
///
/// The PAGE at / lists the received entries and counts them by severity, subsystem, cluster, user and rule. It searches
/// them with a subset of Lucene's query language: field:word, field:"some words", bare words, word*, AND, OR, NOT and
/// parentheses; for a query without results it prints the reasons. As in Coralogix, a finding that arrived by OTLP has
/// its fields under logRecord.body. It evaluates the alerts of examples/coralogix over the entries, except those that
/// need the history of weeks.
///
/// /entries returns the same as JSON, with the parameters query, filter (such as cluster:prod-eu; may be repeated) and
/// verdict (accepted, rejected or all; a query finds accepted entries by default); /alerts returns the alerts, /counts
/// the counters, and /metrics the counters in Prometheus' text format.
///
/// It is for tests only: it has no TLS, and every client that can connect can read all entries. Stop it with Ctrl-C.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Listen on this address, or on this port of this machine; port 0 selects a free port
    #[arg(long, value_name = "[ADDRESS:]PORT", default_value = "127.0.0.1:8080", value_parser = listen::parse)]
    listen: SocketAddr,

    /// Environment variable with the key that requests must send [default: any key is accepted]
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,

    /// Compute the age of entries at this time: RFC 3339, or milliseconds since 1970 [default: the current time]
    #[arg(long, value_name = "TIME", value_parser = clock::parse, allow_negative_numbers = true)]
    now: Option<Time>,

    /// Inject a fault: a status, `slow` or `reset`, for seconds or a number of requests; may be repeated
    #[arg(long = "fault", value_name = "KIND:SPAN")]
    faults: Vec<Fault>,

    /// Number of entries that are kept, the latest ones; all are counted
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    keep: NonZeroUsize,
}

const EXAMPLES: &str = "Examples:
  Send entries from Fluent Bit, and open http://127.0.0.1:8080:
    kaudit-filter endpoint
    fluent-bit ... -o http -p host=127.0.0.1 -p port=8080 \\
        -p uri=/logs/v1/singles -p format=json -p json_date_key=off \\
        -p header='Authorization Bearer test'

  Test that no entry is lost while Coralogix answers 429 for ten seconds and 500
  for three requests:
    kaudit-filter endpoint --fault 429:10s --fault 500:3

  Send OTLP from Fluent Bit, and search it with logRecord.body.eid:johnD:
    fluent-bit ... -o opentelemetry -p host=127.0.0.1 -p port=8080 \\
        -p header='Authorization Bearer test'

  Search the received entries:
    curl -G http://127.0.0.1:8080/entries \\
        --data-urlencode 'query=eid:johnD AND short-doc:\"Change in usage pattern\"'

Exit codes:
  0  done; the counters are on standard error
  1  entries or requests were rejected
  2  wrong usage, or the address cannot be used";

/// The timeout of an idle connection.
const IDLE: Duration = Duration::from_mins(1);
/// The maximum number of concurrent connections; further ones wait.
const CONNECTIONS: usize = 64;
/// The delay of a slow response.
const SLOW: Duration = Duration::from_secs(3);

/// Runs the command until SIGINT or SIGTERM.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn run(args: Args) -> io::Result<Outcome> {
    let Ok(key) = args.key_env.as_deref().map(key).transpose() else { return Ok(Outcome::Failed) };
    let endpoint = Arc::new(Endpoint {
        key,
        alerts: Alerts::shipped().map_err(io::Error::other)?,
        now: args.now,
        plan: Mutex::new(Plan::new(args.faults)),
        store: Mutex::new(Store::new(args.keep.get())),
        metrics: Mutex::default(),
    });
    // From here on, signals are queued.
    let mut stop = Signals::new([SIGINT, SIGTERM])?;
    let shared = Arc::clone(&endpoint);
    let started = free_port(args.listen).and_then(|address| {
        let server = Server::new(move |request| shared.serve(request)).bind(address);
        server.with_global_timeout(IDLE).with_max_concurrent_connections(CONNECTIONS).spawn()?;
        Ok(address)
    });
    match started {
        Ok(address) => note_line(format_args!(
            "listening on http://{address}\na test double of Coralogix's published contract; stop it with Ctrl-C"
        )),
        Err(error) => {
            error_line(format_args!("--listen {}: cannot listen: {error}", args.listen));
            return Ok(Outcome::Failed);
        }
    }
    stop.forever().next();
    let counts = endpoint.store().counts;
    note_line(format_args!("\n{counts}"));
    Ok(if counts.rejected + counts.refused == 0 { Outcome::Done } else { Outcome::Mistakes })
}

/// Returns the key in an environment variable.
fn key(name: &str) -> Result<String, ()> {
    match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        _ => {
            error_line(format_args!("--key-env {name}: the variable is not set or empty"));
            Err(())
        }
    }
}

/// The state that all connections share.
struct Endpoint {
    key: Option<String>,
    now: Option<Time>,
    alerts: Alerts,
    plan: Mutex<Plan>,
    store: Mutex<Store>,
    metrics: Mutex<EndpointMetrics>,
}

impl Endpoint {
    /// Answers a request, and counts the status of posted ones.
    fn serve(&self, request: &mut Request<Body>) -> Response<Body> {
        let posted = *request.method() == Method::POST;
        let response = self.handle(request);
        if posted {
            lock(&self.metrics).count_status(response.status().as_u16());
        }
        response
    }

    fn handle(&self, request: &mut Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let route = Route::of(&path);
        match (request.method(), route, path.as_str()) {
            (&Method::POST, Some(route), _) => self.ingest(route, &path, request),
            (&Method::GET, _, "/counts") => answer(200, &json!(self.store().counts)),
            (&Method::GET, _, "/metrics") => {
                let counts = self.store().counts;
                web::respond(200, exposition::CONTENT_TYPE, lock(&self.metrics).text(&counts))
            }
            (&Method::GET, _, "/entries") => self.entries(request),
            (&Method::GET, _, "/alerts") => {
                // Coralogix would not have the rejected ones.
                let documents = self.store().documents(Some(Verdict::Accepted));
                answer(200, &json!(self.alerts.evaluate(documents)))
            }
            (&Method::GET, None, path) if web::is_file(path) => web::file(path),
            (_, Some(_), _) => answer(405, &json!({"reasons": ["method not allowed: use POST"]})),
            (&Method::POST, None, _) if let Some(current) = Route::successor_of(&path) => {
                let number = self.count(|counts| counts.refused += 1);
                let reason = format!("{path} is an older path: post to {current}");
                error_line(format_args!("request {number}, {path}: rejected with 404: {reason}"));
                answer(404, &json!({"reasons": [reason]}))
            }
            _ => {
                let paths = Route::ALL.map(|(path, _)| path).join(", ");
                answer(404, &json!({"reasons": [format!("unknown path: post entries to {paths}")]}))
            }
        }
    }

    /// Handles posted entries.
    fn ingest(&self, route: Route, path: &str, request: &mut Request<Body>) -> Response<Body> {
        let arrival = clock::wall();
        let fault = lock(&self.plan).next(arrival);
        let number = self.count(|counts| counts.faults += u64::from(fault.is_some()));
        // A request of an unknown content type is answered in JSON.
        let form = route.form(request.headers()).unwrap_or(Form::OtlpJson);
        match fault {
            Some(Kind::Status(status)) => {
                error_line(format_args!("request {number}, {path}: injected fault: status {status}"));
                return reply::rejected(form, status, &["an injected fault".to_owned()]);
            }
            Some(Kind::Reset) => {
                error_line(format_args!("request {number}, {path}: injected fault: connection closed"));
                // The server has no function that closes a connection; unwinding its thread, without the panic hook,
                // does.
                resume_unwind(Box::new("an injected fault"));
            }
            Some(Kind::Slow) => {
                error_line(format_args!("request {number}, {path}: injected fault: answered after {SLOW:?}"));
                #[expect(clippy::disallowed_methods, reason = "the delay is the injected fault")]
                sleep(SLOW);
            }
            None => {}
        }
        let limits = Limits::at(self.now.unwrap_or(arrival).millis());
        match request::read(route, request, self.key.as_deref(), &limits) {
            Ok(Parsed { entries, advice }) => {
                if let Some(advice) = &advice {
                    error_line(format_args!("request {number}, {path}: {advice}"));
                }
                let (accepted, rejections) = self.store_entries(entries, number, path, arrival);
                reply::accepted(form, Acceptance { accepted, rejections, advice })
            }
            Err(Refusal { status, reasons }) => {
                self.store().counts.refused += 1;
                for reason in &reasons {
                    error_line(format_args!("request {number}, {path}: rejected with {status}: {reason}"));
                }
                reply::rejected(form, status, &reasons)
            }
        }
    }

    /// Counts a request, and its result with `result`; returns its number.
    fn count(&self, result: impl FnOnce(&mut Counts)) -> u64 {
        let counts = &mut self.store().counts;
        counts.requests += 1;
        result(counts);
        counts.requests
    }

    /// Stores the entries, and reports those that Coralogix would drop or alter.
    ///
    /// Returns the number of the others, and the index and reasons of each reported one.
    fn store_entries(
        &self,
        entries: Vec<Entry>,
        number: u64,
        path: &str,
        arrival: Time,
    ) -> (usize, Vec<(usize, Vec<String>)>) {
        let mut rejections = Vec::new();
        let count = entries.len();
        let mut store = self.store();
        for (index, entry) in entries.into_iter().enumerate() {
            lock(&self.metrics).count_violations(&entry.clauses);
            if !entry.reasons.is_empty() {
                let reasons = entry.reasons.join("; ");
                error_line(format_args!(
                    "request {number}, {path}, entry {index}: rejected: {reasons}; Coralogix would drop or alter it \
                     and answer 200"
                ));
                rejections.push((index, entry.reasons.clone()));
            }
            store.push(entry, arrival);
        }
        (count - rejections.len(), rejections)
    }

    /// Returns the received entries that match the parameters.
    fn entries(&self, request: &Request<Body>) -> Response<Body> {
        match search(request.uri().query().unwrap_or_default()) {
            Ok(search) => answer(200, &self.store().search(&search)),
            Err(mistake) => answer(400, &json!({"reasons": [mistake]})),
        }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}

/// Locks a mutex, also after a panic: every change under these locks is complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parses the parameters of a search.
///
/// A query finds accepted entries unless another verdict is given: Coralogix would not have stored the others.
fn search(parameters: &str) -> Result<Search, String> {
    let mut search = Search::default();
    let mut verdict = None;
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
        match &*name {
            "query" if value.trim().is_empty() => {}
            "query" => {
                search.query = Some(Query::parse(&value).map_err(|mistake| format!("query: {mistake}"))?);
            }
            "filter" => search.filters.push(Filter::parse(&value)?),
            "verdict" => {
                verdict = Some(match &*value {
                    "accepted" => Some(Verdict::Accepted),
                    "rejected" => Some(Verdict::Rejected),
                    "all" => None,
                    _ => return Err("verdict: expected accepted, rejected or all".to_owned()),
                });
            }
            _ => return Err(format!("unknown parameter `{name}`; expected query, filter or verdict")),
        }
    }
    search.verdict = verdict.unwrap_or_else(|| search.query.as_ref().map(|_| Verdict::Accepted));
    Ok(search)
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    web::respond(status, "application/json", body.to_string())
}
