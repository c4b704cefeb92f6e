//! The plugin in its driver.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kaudit_driver::{Client, Error, Event, Filtered, Hex, Line, Outcome, Record, Start};
use serde_json::Value;

pub const DRIVER: &str = env!("CARGO_BIN_EXE_kaudit-fluent-bit-driver");
/// 2020-03-01T16:00:00Z, nanoseconds.
pub const NOW: i64 = 1_583_078_400_000_000_000;
pub const SECOND: i64 = 1_000_000_000;

/// The plugin in its driver.
pub struct Agent {
    pub client: Client,
    pub now: i64,
    pub log: Vec<Line>,
}

impl Agent {
    /// Starts the plugin with options, each `KEY VALUE`.
    pub fn start(layout: &str, options: &[&str]) -> Result<Self, Vec<String>> {
        Self::start_with(layout, "works", options)
    }

    /// Starts the plugin in an agent whose emitters have this behaviour.
    pub fn start_with(layout: &str, emitter: &str, options: &[&str]) -> Result<Self, Vec<String>> {
        let arguments = ["--layout", layout, "--emitter", emitter].map(Into::into);
        let arguments = [&arguments[..], &[plugin().into_os_string()]].concat();
        let mut client = Client::start(Path::new(DRIVER), &arguments).expect("the driver starts");
        let options = options.iter().map(|option| option.split_once(' ').expect("a key and a value"));
        let options = options.map(|(key, value)| (key, value.into()));
        match client.start_instance(Start::new(NOW, options)) {
            Ok(log) => Ok(Self { client, now: NOW, log }),
            Err(Error::Refused(log)) => Err(lines(&log)),
            Err(error) => panic!("{error}"),
        }
    }

    pub fn started(layout: &str, options: &[&str]) -> Self {
        Self::start(layout, options).unwrap_or_else(|logged| panic!("{logged:?}"))
    }

    /// The result of a chunk: the heads and bodies of the events after the plugin.
    pub fn chunk(&mut self, records: &[Record]) -> (Outcome, Vec<(String, Value)>) {
        let (outcome, events) = self.events(records);
        let events = events.into_iter().map(|event| {
            let head = event.head.expect("an event has a head").to_string();
            (head, serde_json::from_str(&event.body).expect("a body is JSON"))
        });
        (outcome, events.collect())
    }

    /// The result of a chunk: the events after the plugin.
    pub fn events(&mut self, records: &[Record]) -> (Outcome, Vec<Event>) {
        let filtered = self.client.chunk(self.now, records.to_vec()).expect("the plugin filters");
        let Filtered { outcome, events, log, .. } = filtered;
        self.log.extend(log);
        (outcome.expect("Fluent Bit has an outcome"), events)
    }

    /// The lines since the last call, without the one of the start.
    pub fn logged(&mut self) -> Vec<String> {
        lines(&std::mem::take(&mut self.log)).into_iter().filter(|line| !line.contains("started: ")).collect()
    }

    pub fn stop(self) -> Vec<String> {
        self.stop_with_metrics().0
    }

    /// The lines at the end, and the values of metrics by series.
    pub fn stop_with_metrics(mut self) -> (Vec<String>, BTreeMap<String, u64>) {
        let stopped = self.client.stop().expect("the plugin stops");
        self.log.extend(stopped.log);
        let logged = self.logged();
        self.client.finish().expect("the driver ends");
        (logged, stopped.series)
    }
}

/// Log lines, each after the number of its level.
fn lines(log: &[Line]) -> Vec<String> {
    log.iter().map(|line| format!("{} {}", line.level as u8, line.message())).collect()
}

pub fn raw(hex: &str) -> Record {
    Record::Raw(Hex::parse(&hex.replace(' ', "")).expect("hexadecimal digits"))
}

/// An event with a time of its own.
pub fn event_at(nanos: i64, body: &str) -> Record {
    let body: rmpv::Value = serde_json::from_str(body).expect("JSON");
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &body).expect("a vector takes it");
    raw(&format!("9292d700{:08x}0000000080{}", nanos / SECOND, Hex(bytes)))
}

pub fn text(text: &str) -> Record {
    Record::Text(text.to_owned())
}

pub fn plugin() -> PathBuf {
    Path::new(DRIVER).with_file_name("deps").join("libflb_filter_kaudit.so")
}

pub fn finding(entity: &str) -> Record {
    text(&finding_text(entity))
}

pub fn finding_text(entity: &str) -> String {
    format!(
        r#"{{"eid":"{entity}","etype":"principal","category":"anomaly","confidence":"high","time":1583078400000}}"#
    )
}
