//! `kaudit-filter endpoint`: takes entries as Coralogix's ingestion would, and tells what it would not.
//!
//! A test double of the published contract, which the crate `contract` holds: an agent posts to it, and what it answers
//! is what Coralogix answers, partial rejections behind a 200 included. What Coralogix keeps to itself stands in the
//! log and on the page. It is no server for the open network: no TLS, and everyone who reaches it sees everything.

mod fault;
mod query;
mod request;
mod store;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use contract::Limits;
use kaudit_filter::Time;
use oxhttp::Server;
use oxhttp::model::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use oxhttp::model::{Body, Method, Request, Response};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Outcome, clock, say};
use fault::{Fault, Kind, Plan};
use query::Query;
use request::{Refusal, Route};
use store::{Account, Store};

/// Takes entries as Coralogix would, and tells what it would have dropped or spoilt
///
/// A test double of Coralogix's published ingestion contract: point an agent at it before you point it at Coralogix.
/// It takes /logs/v1/singles (a list, or an entry a line) and /logs/v1/bulk, plain or gzipped. The older /api/v1/logs is
/// taken with a note, and /logs/rest/... and the header `private_key` are refused; each message names the current form.
/// As Coralogix does, it answers 200 even where it rejects entries; unlike Coralogix, it says why: on standard error, in
/// the answer's body, and on its page. It also rejects what Coralogix would take but spoil: an entry without severity,
/// for one, becomes Debug there.
///
/// The PAGE at / lists what arrived, and searches it with a small part of Lucene's query language: field:word,
/// field:"some words", bare words, word*, AND, OR, NOT and parentheses. The page has it from /entries?query=...; counts
/// are at /account.
///
/// It speaks plain HTTP and shows everything to whoever reaches it; it is for tests. End it with Ctrl-C.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The environment variable with the key that requests must carry; without it, any key will do
    #[arg(long, value_name = "NAME")]
    key_env: Option<String>,

    /// Judge the age of entries as of this time instead of now: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = clock::parse, allow_negative_numbers = true)]
    now: Option<Time>,

    /// Meet requests with a fault: a status, `slow` or `reset`, for seconds or a number of requests; may be repeated
    #[arg(long = "fault", value_name = "KIND:SPAN")]
    faults: Vec<Fault>,

    /// How many of the last entries are kept; all are counted
    #[arg(long, value_name = "COUNT", default_value = "1000")]
    keep: NonZeroUsize,
}

const EXAMPLES: &str = "Examples:
  Let Fluent Bit send to it, and watch http://127.0.0.1:8080:
    kaudit-filter endpoint
    fluent-bit ... -o http -p host=127.0.0.1 -p port=8080 -p uri=/logs/v1/singles \\
        -p format=json -p json_date_key=off -p header='Authorization Bearer test'

  See that nothing is lost when Coralogix is busy for ten seconds, and broken for three requests:
    kaudit-filter endpoint --fault 429:10s --fault 500:3

  Ask what arrived:
    curl -G http://127.0.0.1:8080/entries \\
        --data-urlencode 'query=eid:johnD AND short-doc:\"Change in usage pattern\"'

Exit codes:
  0  done; the account is on standard error
  1  entries or requests were refused
  2  wrong usage, or the address cannot be used";

/// A connection that says nothing for so long is closed.
const IDLE: Duration = Duration::from_mins(1);
/// So many connections at a time; further ones wait.
const CONNECTIONS: usize = 64;
/// How late a slow answer is.
const SLOW: Duration = Duration::from_secs(3);

/// Runs until Ctrl-C.
pub fn run(args: Args) -> io::Result<Outcome> {
    let Ok(key) = args.key_env.as_deref().map(key).transpose() else { return Ok(Outcome::Failed) };
    let endpoint = Arc::new(Endpoint {
        key,
        now: args.now,
        plan: Mutex::new(Plan::new(args.faults)),
        store: Mutex::new(Store::new(args.keep.get())),
    });
    // From here on a signal waits for whoever asks.
    let mut stop = Signals::new([SIGINT, SIGTERM])?;
    let shared = Arc::clone(&endpoint);
    let started = port(args.listen).and_then(|address| {
        let server = Server::new(move |request| shared.answer(request)).bind(address);
        server.with_global_timeout(IDLE).with_max_concurrent_connections(CONNECTIONS).spawn()?;
        Ok(address)
    });
    match started {
        Ok(address) => say(format_args!(
            "listening on http://{address}\na test double of coralogix's published contract; end it with Ctrl-C"
        )),
        Err(error) => {
            say(format_args!("--listen {}: cannot listen: {error}", args.listen));
            return Ok(Outcome::Failed);
        }
    }
    stop.forever().next();
    let account = endpoint.store().account;
    say(format_args!("\n{account}"));
    Ok(if account.rejected + account.refused == 0 { Outcome::Done } else { Outcome::Mistakes })
}

/// The key in an environment variable.
fn key(name: &str) -> Result<String, ()> {
    match std::env::var(name) {
        Ok(key) if !key.trim().is_empty() => Ok(key.trim().to_owned()),
        _ => {
            say(format_args!("--key-env {name}: the variable is not set, or holds no key"));
            Err(())
        }
    }
}

/// The address, with a free port for 0: the server tells nobody which one it got.
fn port(address: SocketAddr) -> io::Result<SocketAddr> {
    if address.port() == 0 { TcpListener::bind(address)?.local_addr() } else { Ok(address) }
}

/// What all connections share.
struct Endpoint {
    key: Option<String>,
    now: Option<Time>,
    plan: Mutex<Plan>,
    store: Mutex<Store>,
}

impl Endpoint {
    fn answer(&self, request: &mut Request<Body>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let route = Route::of(&path);
        match (request.method(), route, path.as_str()) {
            (&Method::POST, Some(route), _) => self.take(route, &path, request),
            (&Method::GET, _, "/") => page(),
            (&Method::GET, _, "/account") => answer(200, &json!(self.store().account)),
            (&Method::GET, _, "/entries") => self.entries(request),
            (_, Some(_), _) => answer(405, &json!({"reasons": ["entries are posted"]})),
            (&Method::POST, None, _) if let Some(current) = Route::instead_of(&path) => {
                let number = self.count(|account| account.refused += 1);
                let reason = format!("{path} is an older path: post to {current}");
                say(format_args!("request {number}, {path}: refused with 404: {reason}"));
                answer(404, &json!({"reasons": [reason]}))
            }
            _ => {
                let paths = Route::ALL.map(|(path, _)| path).join(", ");
                answer(404, &json!({"reasons": [format!("entries are posted to {paths}")]}))
            }
        }
    }

    /// Entries are posted.
    fn take(&self, route: Route, path: &str, request: &mut Request<Body>) -> Response<Body> {
        let arrival = clock::wall();
        let fault = lock(&self.plan).next(arrival);
        let number = self.count(|account| account.faults += u64::from(fault.is_some()));
        match fault {
            Some(Kind::Status(status)) => {
                say(format_args!("request {number}, {path}: fault: answered with {status}"));
                return answer(status, &json!({"reasons": ["a fault that was asked for"]}));
            }
            Some(Kind::Reset) => {
                say(format_args!("request {number}, {path}: fault: connection cut"));
                // The server has no way to close a connection; unwinding its thread, past the panic hook, closes it.
                resume_unwind(Box::new("a fault that was asked for"));
            }
            Some(Kind::Slow) => {
                say(format_args!("request {number}, {path}: fault: answered after {SLOW:?}"));
                #[expect(clippy::disallowed_methods, reason = "a late answer is what was asked for")]
                sleep(SLOW);
            }
            None => {}
        }
        let limits = Limits::at(self.now.unwrap_or(arrival).millis());
        match request::read(route, request, self.key.as_deref(), &limits) {
            Ok(entries) => self.judge(entries, number, (route, path), arrival),
            Err(Refusal { status, reasons }) => {
                self.store().account.refused += 1;
                for reason in &reasons {
                    say(format_args!("request {number}, {path}: refused with {status}: {reason}"));
                }
                answer(status, &json!({"reasons": reasons}))
            }
        }
    }

    /// Counts a request, and in `more` what became of it; its number.
    fn count(&self, more: impl FnOnce(&mut Account)) -> u64 {
        let account = &mut self.store().account;
        account.requests += 1;
        more(account);
        account.requests
    }

    /// Keeps the entries and tells which of them Coralogix would not have kept.
    fn judge(
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
            if !entry.reasons.is_empty() {
                let reasons = entry.reasons.join("; ");
                say(format_args!(
                    "request {number}, {path}, entry {index}: rejected: {reasons}; coralogix would have dropped or \
                     spoilt it while answering 200"
                ));
                rejections.push(json!({"entry": index, "reasons": entry.reasons}));
            }
            store.push(entry, arrival);
        }
        let accepted = count - rejections.len();
        let mut body = json!({"accepted": accepted, "rejected": rejections.len(), "rejections": rejections});
        if let Some(advice) = route.advice() {
            say(format_args!("request {number}, {path}: {advice}"));
            body["advice"] = advice.into();
        }
        answer(200, &body)
    }

    /// What arrived; with `?query=`, what of it a query finds.
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

/// No thread leaves half a change behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    respond(status, "application/json", body.to_string())
}

fn page() -> Response<Body> {
    let mut page = respond(200, "text/html; charset=utf-8", include_str!("endpoint/page.html").to_owned());
    // What the page shows was written by others.
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
