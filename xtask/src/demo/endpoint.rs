//! The test double of Coralogix in the demo: `kaudit-filter endpoint`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::shell::Done;

/// A running endpoint; dropping it stops it.
pub struct Endpoint {
    child: Child,
    /// Its address.
    pub url: String,
}

impl Endpoint {
    /// Starts it; it checks the age of entries relative to `now`.
    pub fn start(program: &Path, now: &str) -> Done<Self> {
        let mut command = Command::new(program);
        command.args(["endpoint", "--listen", "127.0.0.1:0", "--now", now]).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run the endpoint: {error}"))?;
        let log = child.stderr.take().ok_or("the endpoint has no log")?;
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let first = lines.next().unwrap_or_default();
        // Its answers contain the rejections, too; its log is read so that it does not block.
        std::thread::spawn(move || lines.for_each(drop));
        match first.strip_prefix("listening on ") {
            Some(url) => Ok(Self { child, url: url.to_owned() }),
            None => Err(format!("the endpoint did not start: {first}")),
        }
    }

    /// Posts entries as a list; returns its answer.
    pub fn post(&self, entries: &[Value]) -> Done<Value> {
        let body = Value::from(entries.to_vec()).to_string();
        let request = minreq::post(format!("{}/logs/v1/singles", self.url));
        json(request.with_header("Authorization", "Bearer demo").with_body(body))
    }

    /// Returns the results of a query.
    pub fn search(&self, query: &str) -> Done<Value> {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        json(minreq::get(format!("{}/entries?{query}", self.url)))
    }

    /// Returns the shipped alerts, evaluated over the entries.
    pub fn alerts(&self) -> Done<Value> {
        json(minreq::get(format!("{}/alerts", self.url)))
    }

    /// Waits until it is stopped from outside.
    pub fn wait(mut self) -> Done {
        self.child.wait().map(|_| ()).map_err(|error| error.to_string())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn json(request: minreq::Request) -> Done<Value> {
    let response = request.with_timeout(60).send().map_err(|error| format!("the endpoint: {error}"))?;
    let body = response.as_bytes();
    if response.status_code != 200 {
        let text = String::from_utf8_lossy(body);
        return Err(format!("the endpoint answers with {}: {text}", response.status_code));
    }
    serde_json::from_slice(body).map_err(|error| format!("the endpoint's answer: {error}"))
}
