//! Log records that arrive by OTLP.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::{Value, json};

use super::{Endpoint, KEY, NOW, PATTERN, entry, gzipped};

const PATH: &str = "/v1/logs";
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const GZIP: (&str, &str) = ("Content-Encoding", "gzip");

/// `google.rpc.Status`, the body of an error.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// A log record of a finding, as JSON.
fn log_record(eid: &str) -> Value {
    json!({
        "timeUnixNano": format!("{NOW}000000"), "observedTimeUnixNano": format!("{NOW}000001"),
        "severityNumber": 17, "severityText": "ERROR",
        "attributes": [{"key": "threadId", "value": {"stringValue": eid}}],
        "body": {"kvlistValue": {"values": [
            {"key": "eid", "value": {"stringValue": eid}},
            {"key": "short-doc", "value": {"stringValue": PATTERN}},
            {"key": "count", "value": {"intValue": "3"}},
        ]}},
    })
}

fn request(records: &[Value]) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "cx.application.name", "value": {"stringValue": "prod-eu"}},
            {"key": "cx.subsystem.name", "value": {"stringValue": "kaudit-detections"}},
        ]},
        "scopeLogs": [{"scope": {"name": "kaudit-filter"}, "logRecords": records}],
    }]})
}

fn with(eid: &str, member: &str, value: Value) -> Value {
    let mut record = log_record(eid);
    record[member] = value;
    record
}

fn any(kind: Kind) -> AnyValue {
    AnyValue { value: Some(kind) }
}

fn text(text: &str) -> AnyValue {
    any(Kind::StringValue(text.to_owned()))
}

fn pair(key: &str, value: impl Into<Option<AnyValue>>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: value.into(), ..KeyValue::default() }
}

/// A log record with every kind of value, as a message.
fn message(eid: &str, severity_number: i32) -> LogRecord {
    let list = ArrayValue { values: [text("/a"), any(Kind::IntValue(i64::MIN))].into() };
    let values = vec![
        pair("eid", text(eid)),
        pair("short-doc", text(PATTERN)),
        pair("count", any(Kind::IntValue(3))),
        pair("ratio", any(Kind::DoubleValue(0.5))),
        pair("new", any(Kind::BoolValue(true))),
        pair("raw", any(Kind::BytesValue(b"hi".into()))),
        pair("uris", any(Kind::ArrayValue(list))),
        pair("none", AnyValue::default()),
        pair("nothing", None),
    ];
    LogRecord {
        time_unix_nano: NOW.unsigned_abs() * 1_000_000,
        severity_number,
        trace_id: (0..16).collect(),
        attributes: vec![pair("threadId", text(eid))],
        body: Some(any(Kind::KvlistValue(KeyValueList { values }))),
        ..LogRecord::default()
    }
}

fn messages(log_records: Vec<LogRecord>) -> Vec<u8> {
    let names = [("cx.application.name", "prod-eu"), ("cx.subsystem.name", "kaudit-detections")];
    let attributes = names.map(|(name, value)| pair(name, text(value))).into();
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[test]
fn log_records_are_accepted_in_every_encoding_and_found() {
    let endpoint = Endpoint::start(&["--key-env", "TEST_KEY"]);
    let as_json = request(&[log_record("johnD"), log_record("jane")]).to_string().into_bytes();
    let as_protobuf = messages(vec![message("johnD", 17), message("jane", 17)]);
    let charset = ("Content-Type", "application/JSON; charset=utf-8");
    for (headers, body, expected) in [
        (vec![KEY, JSON], as_json.clone(), "{}"),
        (vec![KEY, charset], as_json.clone(), "{}"),
        (vec![KEY, JSON, GZIP], gzipped(&as_json), "{}"),
        (vec![KEY, PROTOBUF], as_protobuf.clone(), ""),
        (vec![KEY, PROTOBUF, GZIP], gzipped(&as_protobuf), ""),
        // A request without log records.
        (vec![KEY, JSON], b"{}".to_vec(), "{}"),
        (vec![KEY, PROTOBUF], Vec::new(), ""),
    ] {
        let (status, content_type, body) = endpoint.send(PATH, &headers, body).unwrap();
        let is_protobuf = headers.contains(&PROTOBUF);
        let expected_type = if is_protobuf { PROTOBUF.1 } else { JSON.1 };
        assert_eq!((status, content_type.as_str()), (200, expected_type), "{headers:?}");
        assert_eq!(String::from_utf8_lossy(&body), expected, "{headers:?}");
    }
    for (query, found) in [
        ("logRecord.body.eid:johnD AND logRecord.body.short-doc:\"Change in usage pattern\"", 5),
        ("logRecord.body.count:3", 10),
        ("logRecord.attributes.threadId:jane", 5),
        ("resource.attributes.cx.application.name:\"prod-eu\"", 10),
        ("coralogix.metadata.subsystemName:\"kaudit-detections\" AND coralogix.metadata.severity:5", 10),
        (&format!("coralogix.timestamp:{NOW}"), 10),
        ("logRecord.body.uris:\"9223372036854775808\" AND logRecord.body.ratio:0.5", 4),
        ("logRecord.traceId:000102030405060708090a0b0c0d0e0f", 4),
        ("_exists_:logRecord.body.none", 0),
        ("johnD", 5),
        ("eid:johnD", 0),
    ] {
        assert_eq!(endpoint.search(query).1["found"], found, "{query}");
    }
    assert_eq!(endpoint.get("/entries?filter=user:johnD").1["found"], 5);
    let (_, all) = endpoint.get("/entries");
    let forms: Vec<_> = all["entries"].as_array().unwrap().iter().map(|one| one["form"].clone()).collect();
    let (protobuf, json) = forms.split_at(4);
    assert!(protobuf.iter().all(|form| form == "OTLP as protobuf"), "{forms:?}");
    assert!(json.iter().all(|form| form == "OTLP as JSON"), "{forms:?}");
    // Both encodings have the same contents.
    let latest = |index: usize| all["entries"][index]["entry"].clone();
    for member in ["applicationName", "subsystemName", "severity", "timestamp", "resource"] {
        assert_eq!(latest(0)[member], latest(9)[member], "{member}");
    }
    let body = json!({"eid": "jane", "short-doc": PATTERN, "count": 3, "ratio": 0.5, "new": true, "raw": "aGk=",
        "uris": ["/a", i64::MIN], "none": null, "nothing": null});
    assert_eq!(latest(0)["logRecord"]["body"], body);
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("accepted        10") && !log.contains("secret-key"), "{log}");
}

#[test]
fn rejected_log_records_are_reported_as_a_partial_success() {
    let endpoint = Endpoint::start(&[]);
    let old = with("b", "timeUnixNano", "1583078400000000000".into());
    let records = [log_record("a"), old, with("c", "severityNumber", 2.into()), log_record("d")];
    let (status, _, body) = endpoint.send(PATH, &[KEY, JSON], request(&records).to_string()).unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let partial = &answer["partialSuccess"];
    assert_eq!((status, &partial["rejectedLogRecords"]), (200, &json!("2")), "{answer}");
    let record = "/resourceLogs/0/scopeLogs/0/logRecords";
    let lines: Vec<&str> = partial["errorMessage"].as_str().unwrap().lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with(&format!("log record 1: {record}/1/timeUnixNano: more than 24 hours old")));
    assert!(
        lines[1].starts_with(&format!("log record 2: {record}/2/severityNumber: Coralogix documents no"))
    );

    // Of many only the first are listed.
    let records: Vec<_> = (0..30).map(|number| message("e", if number < 25 { 1 } else { 9 })).collect();
    let (status, _, body) = endpoint.send(PATH, &[KEY, PROTOBUF], messages(records)).unwrap();
    let partial = ExportLogsServiceResponse::decode(body.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!((status, partial.rejected_log_records), (200, 25));
    assert_eq!(partial.error_message.lines().count(), 11);
    assert!(partial.error_message.ends_with("and 15 more log records"), "{}", partial.error_message);

    assert_eq!(endpoint.search("_exists_:logRecord.body.eid").1["found"], 7);
    let counts = json!({"requests": 2, "refused": 0, "faults": 0, "accepted": 7, "rejected": 27});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(1));
    assert!(
        log.contains(&format!("request 1, /v1/logs, entry 1: rejected: {record}/1/timeUnixNano: ")),
        "{log}"
    );
}

/// Lists nested in each other, as the bytes of an `AnyValue`.
fn nested_lists(depth: usize) -> Vec<u8> {
    let field = |number: u64, message: &[u8]| {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(number << 3 | 2, &mut bytes);
        prost::encoding::encode_varint(message.len() as u64, &mut bytes);
        bytes.extend(message);
        bytes
    };
    (0..depth).fold(field(1, b"a"), |value, _| field(5, &field(1, &value)))
}

/// A request whose only body is this `AnyValue`.
fn with_body(value: &[u8]) -> Vec<u8> {
    let body = AnyValue::decode(value);
    let record = LogRecord { body: body.ok(), ..message("a", 9) };
    messages(vec![record])
}

/// A request with a body that is nested deeper than `prost` decodes.
fn deep() -> Vec<u8> {
    let mut bytes = nested_lists(5_000);
    // The field `body` of a log record, and its parents.
    for number in [5_u64, 2, 2, 1] {
        let mut parent = Vec::new();
        prost::encoding::encode_varint(number << 3 | 2, &mut parent);
        prost::encoding::encode_varint(bytes.len() as u64, &mut parent);
        parent.extend(&bytes);
        bytes = parent;
    }
    bytes
}

#[test]
fn a_request_that_cannot_be_decoded_is_rejected_as_a_whole() {
    let endpoint = Endpoint::start(&["--key-env", "TEST_KEY"]);
    let as_json = request(&[log_record("a")]).to_string().into_bytes();
    let as_protobuf = messages(vec![message("a", 9)]);
    let wrong_type = request(&[log_record("a"), with("b", "severityNumber", "9".into())]).to_string();
    let deep_json = format!("{{\"resourceLogs\":{}", "[".repeat(100_000));
    let large = " ".repeat(10_000_000).into_bytes();
    let many_json = request(&vec![json!({}); 100_001]).to_string();
    let many = messages(vec![LogRecord::default(); 100_001]);
    let too_many = "100001 log records: at most 100000 are accepted in a request";
    let mut shared = request(&vec![json!({}); 1_000]);
    let name = "x".repeat(100_000);
    shared["resourceLogs"][0]["resource"]["attributes"][0]["value"]["stringValue"] = name.into();
    let undecodable = "the request cannot be decoded: ";
    let size = "request body too large: it must be smaller than 10000000 bytes";
    let table = [
        (vec![JSON], as_json.clone(), 401, "no key"),
        (vec![PROTOBUF], as_protobuf.clone(), 401, "no key"),
        (
            vec![JSON, ("private_key", "hidden")],
            as_json.clone(),
            401,
            "the header `private_key` is an older form",
        ),
        (vec![PROTOBUF, ("Authorization", "Bearer hidden")], as_protobuf.clone(), 403, "wrong key"),
        (vec![KEY], as_json.clone(), 415, "unknown content type: send OTLP as `application/json` or"),
        (vec![KEY, ("Content-Type", "text/plain")], as_json.clone(), 415, "unknown content type"),
        (
            vec![KEY, PROTOBUF, ("Content-Encoding", "zstd")],
            as_protobuf.clone(),
            415,
            "unknown content encoding",
        ),
        (vec![KEY, JSON], as_protobuf.clone(), 400, undecodable),
        (vec![KEY, PROTOBUF], as_json.clone(), 400, undecodable),
        (vec![KEY, PROTOBUF], as_protobuf[..40].to_vec(), 400, undecodable),
        (vec![KEY, JSON], as_json[..40].to_vec(), 400, "the request cannot be decoded: not strict JSON: EOF"),
        (vec![KEY, JSON], b"{\"a\":\"\xff\"}".to_vec(), 400, "the request cannot be decoded: not UTF-8"),
        (
            vec![KEY, JSON],
            wrong_type.into(),
            400,
            "/resourceLogs/0/scopeLogs/0/logRecords/1/severityNumber: expected a number from 1 to 24",
        ),
        (vec![KEY, JSON], b"{\"resource_logs\":[]}".to_vec(), 400, "/resource_logs: unknown member"),
        (
            vec![KEY, JSON],
            deep_json.into(),
            400,
            "the request cannot be decoded: not strict JSON: recursion limit",
        ),
        (vec![KEY, PROTOBUF], deep(), 400, undecodable),
        (vec![KEY, JSON, GZIP], as_json.clone(), 400, "the body cannot be read"),
        (vec![KEY, PROTOBUF], gzipped(&as_protobuf), 400, "the body is gzip"),
        (vec![KEY, JSON], many_json.into(), 413, too_many),
        (vec![KEY, PROTOBUF], many, 413, too_many),
        (vec![KEY, JSON], shared.to_string().into(), 413, "100"),
        (vec![KEY, JSON], large.clone(), 413, size),
        (vec![KEY, PROTOBUF, GZIP], gzipped(&large), 413, size),
    ];
    let count = table.len();
    for (headers, body, expected_status, expected) in table {
        let (status, content_type, body) = endpoint.send(PATH, &headers, body).unwrap();
        let message = if headers.contains(&PROTOBUF) {
            assert_eq!(content_type, PROTOBUF.1);
            Status::decode(body.as_slice()).unwrap().message
        } else {
            assert_eq!(content_type, JSON.1);
            let answer: Value = serde_json::from_slice(&body).unwrap();
            answer["message"].as_str().unwrap().to_owned()
        };
        assert_eq!(status, expected_status, "{headers:?}: {message}");
        assert!(message.starts_with(expected), "{headers:?}: {message} does not begin with {expected}");
    }
    assert_eq!(endpoint.get(PATH).0, 405);
    let counts = json!({"requests": count, "refused": count, "faults": 0, "accepted": 0, "rejected": 0});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(1));
    assert!(!log.contains("secret-key") && !log.contains("hidden"), "{log}");
}

#[test]
fn nested_values_are_decoded_up_to_a_limit() {
    let endpoint = Endpoint::start(&[]);
    // The body has to be a string or a map.
    let map = |depth: usize| {
        let value = AnyValue::decode(nested_lists(depth).as_slice()).ok();
        let values = vec![pair("a", value)];
        AnyValue { value: Some(Kind::KvlistValue(KeyValueList { values })) }.encode_to_vec()
    };
    let (status, _, body) = endpoint.send(PATH, &[KEY, PROTOBUF], with_body(&map(40))).unwrap();
    assert_eq!((status, body.len()), (200, 0));
    let (status, _, body) = endpoint.send(PATH, &[KEY, PROTOBUF], with_body(&nested_lists(40))).unwrap();
    let partial = ExportLogsServiceResponse::decode(body.as_slice()).unwrap().partial_success.unwrap();
    assert_eq!((status, partial.rejected_log_records), (200, 1));
    assert!(partial.error_message.contains("/body: neither a string nor a map"), "{}", partial.error_message);
    assert_eq!(endpoint.stop().0, Some(1));
}

#[test]
fn a_request_above_the_advised_size_is_accepted_with_a_warning() {
    let endpoint = Endpoint::start(&[]);
    let record = with("a", "body", json!({"stringValue": "x".repeat(30_000)}));
    let (status, _, body) =
        endpoint.send(PATH, &[KEY, JSON], request(&vec![record; 80]).to_string()).unwrap();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let partial = &answer["partialSuccess"];
    assert_eq!((status, &partial["rejectedLogRecords"]), (200, &json!("0")), "{answer}");
    assert!(
        partial["errorMessage"].as_str().unwrap().contains("Coralogix advises at most 2000000"),
        "{answer}"
    );
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("request 1, /v1/logs: the request has 24"), "{log}");
}

#[test]
fn injected_faults_are_answered_in_the_encoding_of_the_request() {
    let endpoint = Endpoint::start(&["--fault", "429:1", "--fault", "503:1", "--fault", "reset:1"]);
    let send = |header, body: Vec<u8>| endpoint.send(PATH, &[KEY, header], body);
    let body = messages(vec![message("a", 9)]);
    let (status, _, answer) = send(PROTOBUF, body.clone()).unwrap();
    let message = Status::decode(answer.as_slice()).unwrap().message;
    assert_eq!((status, message.as_str()), (429, "an injected fault"));
    let (status, _, answer) = send(JSON, b"{}".to_vec()).unwrap();
    assert_eq!((status, answer.as_slice()), (503, br#"{"message":"an injected fault"}"#.as_slice()));
    assert_eq!(send(PROTOBUF, body.clone()), None);
    assert_eq!(send(PROTOBUF, body).unwrap().0, 200);
    assert_eq!(endpoint.stop().0, Some(0));
}

#[test]
fn a_request_without_log_records_is_noted() {
    let endpoint = Endpoint::start(&[]);
    for members in [json!({"resourceLogs": [{"message": "johnD"}]}), request(&[])] {
        let (status, _, answer) = endpoint.send(PATH, &[KEY, JSON], members.to_string()).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let partial = &answer["partialSuccess"];
        assert_eq!((status, &partial["rejectedLogRecords"]), (200, &json!("0")), "{members}");
        let message = partial["errorMessage"].as_str().unwrap();
        assert!(message.contains("no log records: they are in `resourceLogs[].scopeLogs[]."), "{message}");
    }
}

#[test]
fn a_query_finds_each_location_and_suggests_the_other() {
    let endpoint = Endpoint::start(&[]);
    endpoint.send(PATH, &[KEY, JSON], request(&[log_record("johnD")]).to_string()).unwrap();
    let (_, answer) = endpoint.search("eid:johnD AND short-doc:\"usage pattern\"");
    let hint = "Entries that arrived by OTLP have the fields of a finding under `logRecord.body`: \
                `logRecord.body.eid:johnD AND logRecord.body.short-doc:\"usage pattern\"` matches 1 entries";
    assert_eq!((&answer["found"], &answer["hints"]), (&json!(0), &json!([hint])));

    let singles = json!([entry("jane", PATTERN), entry("johnD", PATTERN)]).to_string();
    endpoint.post("/logs/v1/singles", &[KEY], singles).unwrap();
    for (query, found) in [
        ("eid:johnD", 1),
        ("logRecord.body.eid:johnD", 1),
        ("eid:johnD OR logRecord.body.eid:johnD", 2),
        ("johnD", 2),
        ("coralogix.metadata.severity:5", 3),
    ] {
        assert_eq!(endpoint.search(query).1["found"], found, "{query}");
    }
    let (_, answer) = endpoint.search("logRecord.body.eid:jane");
    let hint = "Entries that did not arrive by OTLP have the fields of a finding at the top level: `eid:jane` \
                matches 1 entries";
    assert_eq!(answer["hints"], json!([hint]));
    let (_, alerts) = endpoint.get("/alerts");
    let of = |protocol: &str| {
        alerts.as_array().unwrap().iter().filter(|alert| alert["protocol"] == protocol).count()
    };
    assert_eq!((of("REST"), of("OTLP")), (5, 5));
    assert_eq!(endpoint.stop().0, Some(0));
}
