//! `kaudit-filter endpoint`: a test double of Coralogix's ingestion.
//!
//! It implements the published contract (crate `contract`): an agent posts entries and gets Coralogix's responses,
//! including a 200 for a request with rejected entries. The reasons, which Coralogix does not report, are in the log
//! and on the page. It is for tests only: it has no TLS, and every client that can connect can read all entries.

mod fault;
mod metrics;
mod query;
mod request;
mod store;

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
use oxhttp::model::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use oxhttp::model::{Body, Method, Request, Response};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::clock;
use crate::outcome::{Outcome, eprintln_line};
use crate::scrape::free_port;
use fault::{Fault, Kind, Plan};
use metrics::EndpointMetrics;
use query::Query;
use request::{Refusal, Route};
use store::{Counts, Store};

/// Starts a test double of Coralogix that reports rejected entries
///
/// It implements Coralogix's published ingestion contract, so that an agent can send to it before it sends to
/// Coralogix. It accepts /logs/v1/singles (a list, or one entry per line) and /logs/v1/bulk, plain or gzipped. The
/// older /api/v1/logs is accepted with a note; /logs/rest/... and the header `private_key` are rejected; each message
/// contains the current form. Like Coralogix, it answers 200 to a request with rejected entries; unlike Coralogix, it
/// reports the reasons: on standard error, in the response body, and on its page. It also rejects entries that
/// Coralogix accepts but alters: an entry without severity, for example, becomes Debug there.
///
/// The PAGE at / lists the received entries and searches them with a subset of Lucene's query language: field:word,
/// field:"some words", bare words, word*, AND, OR, NOT and parentheses. /entries?query=... returns the same as JSON,
/// and /counts the counters; /metrics has the counters in Prometheus' text format.
///
/// It is for tests only: it has no TLS, and every client that can connect can read all entries. Stop it with Ctrl-C.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Listen on this address; port 0 selects a free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
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
    fluent-bit ... -o http -p host=127.0.0.1 -p port=8080 -p uri=/logs/v1/singles \\
        -p format=json -p json_date_key=off -p header='Authorization Bearer test'

  Test that no entry is lost while Coralogix answers 429 for ten seconds and 500 for three requests:
    kaudit-filter endpoint --fault 429:10s --fault 500:3

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
        Ok(address) => eprintln_line(format_args!(
            "listening on http://{address}\na test double of coralogix's published contract; stop it with Ctrl-C"
        )),
        Err(error) => {
            eprintln_line(format_args!("--listen {}: cannot listen: {error}", args.listen));
            return Ok(Outcome::Failed);
        }
    }
    stop.forever().next();
    let counts = endpoint.store().counts;
    eprintln_line(format_args!("\n{counts}"));
    Ok(if counts.rejected + counts.refused == 0 { Outcome::Done } else { Outcome::Mistakes })
}

/// Returns the key in an environment variable.
fn key(name: &str) -> Result<String, ()> {
    match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        _ => {
            eprintln_line(format_args!("--key-env {name}: the variable is not set or empty"));
            Err(())
        }
    }
}

/// The state that all connections share.
struct Endpoint {
    key: Option<String>,
    now: Option<Time>,
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
            (&Method::GET, _, "/") => page(),
            (&Method::GET, _, "/counts") => answer(200, &json!(self.store().counts)),
            (&Method::GET, _, "/metrics") => {
                let counts = self.store().counts;
                respond(200, exposition::CONTENT_TYPE, lock(&self.metrics).text(&counts))
            }
            (&Method::GET, _, "/entries") => self.entries(request),
            (_, Some(_), _) => answer(405, &json!({"reasons": ["method not allowed: use POST"]})),
            (&Method::POST, None, _) if let Some(current) = Route::successor_of(&path) => {
                let number = self.count(|counts| counts.refused += 1);
                let reason = format!("{path} is an older path: post to {current}");
                eprintln_line(format_args!("request {number}, {path}: rejected with 404: {reason}"));
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
        match fault {
            Some(Kind::Status(status)) => {
                eprintln_line(format_args!("request {number}, {path}: injected fault: status {status}"));
                return answer(status, &json!({"reasons": ["an injected fault"]}));
            }
            Some(Kind::Reset) => {
                eprintln_line(format_args!("request {number}, {path}: injected fault: connection closed"));
                // The server has no function that closes a connection; unwinding its thread, without the panic hook,
                // does.
                resume_unwind(Box::new("an injected fault"));
            }
            Some(Kind::Slow) => {
                eprintln_line(format_args!(
                    "request {number}, {path}: injected fault: answered after {SLOW:?}"
                ));
                #[expect(clippy::disallowed_methods, reason = "the delay is the injected fault")]
                sleep(SLOW);
            }
            None => {}
        }
        let limits = Limits::at(self.now.unwrap_or(arrival).millis());
        match request::read(route, request, self.key.as_deref(), &limits) {
            Ok(entries) => self.store_entries(entries, number, (route, path), arrival),
            Err(Refusal { status, reasons }) => {
                self.store().counts.refused += 1;
                for reason in &reasons {
                    eprintln_line(format_args!("request {number}, {path}: rejected with {status}: {reason}"));
                }
                answer(status, &json!({"reasons": reasons}))
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
    fn store_entries(
        &self,
        entries: Vec<request::Entry>,
        number: u64,
        (route, path): (Route, &str),
        arrival: Time,
    ) -> Response<Body> {
        let mut rejections = Vec::new();
        let count = entries.len();
        let mut store = self.store();
        for (index, entry) in entries.into_iter().enumerate() {
            lock(&self.metrics).count_violations(&entry.clauses);
            if !entry.reasons.is_empty() {
                let reasons = entry.reasons.join("; ");
                eprintln_line(format_args!(
                    "request {number}, {path}, entry {index}: rejected: {reasons}; coralogix would drop or alter it \
                     and answer 200"
                ));
                rejections.push(json!({"entry": index, "reasons": entry.reasons}));
            }
            store.push(entry, arrival);
        }
        let accepted = count - rejections.len();
        let mut body = json!({"accepted": accepted, "rejected": rejections.len(), "rejections": rejections});
        if let Some(advice) = route.advice() {
            eprintln_line(format_args!("request {number}, {path}: {advice}"));
            body["advice"] = advice.into();
        }
        answer(200, &body)
    }

    /// Returns the received entries, or with `?query=` those that match the query.
    fn entries(&self, request: &Request<Body>) -> Response<Body> {
        let mut parameters = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let text = parameters.find(|(name, _)| name == "query").map(|(_, text)| text);
        match text.filter(|text| !text.trim().is_empty()).map(|text| Query::parse(&text)).transpose() {
            Ok(query) => answer(200, &self.store().search(query.as_ref())),
            Err(mistake) => answer(400, &json!({"reasons": [format!("query: {mistake}")]})),
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

fn answer(status: u16, body: &Value) -> Response<Body> {
    respond(status, "application/json", body.to_string())
}

fn page() -> Response<Body> {
    let mut page = respond(200, "text/html; charset=utf-8", include_str!("endpoint/page.html").to_owned());
    // The page displays text of unknown origin.
    if let Ok(policy) =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
            .parse()
    {
        page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    page
}

fn respond(status: u16, content_type: &str, body: String) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    response.body(Body::from(body)).unwrap_or_default()
}
