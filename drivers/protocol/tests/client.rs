//! The client with drivers that hang, die and answer nonsense, and each message as it is written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kaudit_driver::{
    Chunk, Client, Error, Event, Filtered, Hex, Level, Line, Lost, Outcome, Record, Reply, Request, Round,
    Start, Stopped,
};
use serde_json::json;

/// A driver that is a script of the shell.
fn driver(script: &str) -> Client {
    Client::start(Path::new("/bin/sh"), &["-c", script]).unwrap()
}

#[test]
fn a_driver_that_hangs_is_killed_in_time() {
    let mut client = driver("exec sleep 1000").with_limit(Duration::from_millis(50));
    // More than a pipe holds: the driver does not read it either.
    let error = client.chunk(0, vec![Record::Text("x".repeat(1 << 20))]).unwrap_err();
    assert_eq!(error.to_string(), "the driver did not answer `chunk` within 50ms and was killed");
    assert_eq!(client.stop().unwrap_err().to_string(), "the driver ended during `stop`: signal: 9 (SIGKILL)");
}

#[test]
fn a_driver_that_dies_is_reported_with_its_status_and_errors() {
    let mut client = driver("read -r line; echo ouch >&2; kill -SEGV $$");
    let error = client.start_instance(Start::default()).unwrap_err().to_string();
    assert!(error.starts_with("the driver ended during `start`: signal: 11 (SIGSEGV)"), "{error}");
    assert!(error.ends_with(": ouch"), "{error}");
    let error = Client::start(Path::new("/nowhere/driver"), &["x"]).unwrap_err().to_string();
    assert!(error.starts_with("`/nowhere/driver` cannot be started: "), "{error}");
}

#[test]
fn other_answers_are_errors() {
    let script =
        r#"echo hello; echo '"held"'; echo '{"failed":"why"}'; echo '{"refused":[]}'; cat >/dev/null"#;
    let mut client = driver(script);
    let errors = [(); 3].map(|()| client.stop().unwrap_err().to_string());
    let unexpected = "unexpected reply of the driver: ";
    assert_eq!(errors, [&format!("{unexpected}\"hello\""), &format!("{unexpected}Held"), "why"]);
    assert!(matches!(client.round(Start::default()), Err(Error::Refused(_))));
    client.finish().unwrap();
}

#[test]
fn the_end_returns_standard_error() {
    assert_eq!(driver("cat >/dev/null; echo 'bye' >&2").finish().unwrap(), "bye\n");
    let error = driver("cat >/dev/null; echo 'ouch' >&2; exit 3").finish().unwrap_err();
    assert_eq!(error.to_string(), "the driver ended with exit status: 3: ouch");
}

#[test]
fn every_message_is_read_as_it_is_written() {
    let start = Start {
        at: 1,
        options: vec![("a".to_owned(), json!(1)), ("a".to_owned(), json!(["x"]))],
        stack: Some(8192),
        directory: Some("/tmp".into()),
    };
    let records = vec![
        Record::new(b"{\"a\": 1}"),
        Record::new(b"\xff"),
        Record::OldEvent("{}".to_owned()),
        Record::Raw(Hex(vec![0x92])),
        Record::Log(json!({"b": null})),
    ];
    for (request, text) in [
        (
            Request::Start(start.clone()),
            r#"{"start":{"at":1,"options":[["a",1],["a",["x"]]],"stack":8192,"directory":"/tmp"}}"#,
        ),
        (
            Request::Chunk(Chunk { at: -1, records }),
            r#"{"chunk":{"at":-1,"records":[{"text":"{\"a\": 1}"},{"hex":"ff"},{"old-event":"{}"},{"raw":"92"},{"log":{"b":null}}]}}"#,
        ),
        (Request::Stop, r#""stop""#),
        (Request::Series, r#""series""#),
        (Request::Hold(Chunk::default()), r#"{"hold":{"at":0,"records":[]}}"#),
        (Request::Resident, r#""resident""#),
        (
            Request::Round(Start::default()),
            r#"{"round":{"at":0,"options":[],"stack":null,"directory":null}}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
    }
    assert_eq!(serde_json::from_str::<Request>(r#"{"start":{}}"#).unwrap(), Request::Start(Start::default()));
    for wrong in [r#"{"hold":{"records":[{"hex":"f"}]}}"#, r#"{"start":{"colour":1}}"#, r#"{"stop":{}}"#] {
        assert!(serde_json::from_str::<Request>(wrong).is_err(), "{wrong}");
    }

    let log = vec![Line { level: Level::Warning, text: "[filter:kaudit:kaudit.0] careful".to_owned() }];
    assert_eq!(log[0].message(), "careful");
    let events = vec![Event { head: Some(Hex(vec![0x92, 0xd7])), metadata: None, body: "{}".to_owned() }];
    let filtered = Filtered {
        outcome: Some(Outcome::Replaced),
        events: events.clone(),
        malformed: Some("cut off".to_owned()),
        verdicts: vec!["kept".to_owned()],
        lost: vec![Lost { record: 1, reason: "trap".to_owned() }],
        instructions: Some(7),
        log: log.clone(),
    };
    let statistics = [("kept.detections".to_owned(), 1)].into();
    let metrics = vec![json!({"name": "records_total"})];
    let series: BTreeMap<_, _> = [("kaudit_limiter_keys{}".to_owned(), 2)].into();
    for reply in [
        Reply::Started(log.clone()),
        Reply::Refused(log.clone()),
        Reply::Chunk(filtered),
        Reply::Series(series.clone()),
        Reply::Stopped(Stopped { events, statistics, metrics, series, log }),
        Reply::Held,
        Reply::Resident(5),
        Reply::Round(Round { nanos: 1, events: 2, resident_kb: 3 }),
        Reply::Failed("why".to_owned()),
    ] {
        let text = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), reply, "{text}");
    }
}
