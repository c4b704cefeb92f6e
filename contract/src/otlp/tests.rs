use serde_json::{Value, json};

use super::any_value::MAX_DEPTH;
use super::report::MAX_FOUND;
use super::*;

const NOW: i64 = 1_583_078_400_000;

/// A time relative to [`NOW`], in nanoseconds since 1970.
fn nanos(offset_ms: i64) -> Value {
    format!("{}", (NOW + offset_ms) * 1_000_000).into()
}

fn text(value: &str) -> Value {
    json!({"stringValue": value})
}

/// A request with one log record, which has every kind of value.
fn request() -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            {"key": "cx.application.name", "value": {"stringValue": "crm"}},
            {"key": "cx.subsystem.name", "value": {"stringValue": "kaudit-detections"}},
        ]},
        "scopeLogs": [{"scope": {"name": "filter", "version": "1.0.0"}, "logRecords": [{
            "timeUnixNano": nanos(0), "observedTimeUnixNano": nanos(5), "severityNumber": 17, "severityText": "Error",
            "attributes": [{"key": "category", "value": {"stringValue": "anomaly"}}],
            "body": {"kvlistValue": {"values": [
                {"key": "eid", "value": {"stringValue": "johnD"}},
                {"key": "count", "value": {"intValue": "-9223372036854775808"}},
                {"key": "ratio", "value": {"doubleValue": 0.5}},
                {"key": "new", "value": {"boolValue": true}},
                {"key": "none", "value": {}},
                {"key": "nothing", "value": null},
                {"key": "zero", "value": {"intValue": "-0"}},
                {"key": "raw", "value": {"bytesValue": "aGk="}},
                {"key": "uris", "value": {"arrayValue": {"values": [{"stringValue": "/a"}, {"arrayValue": {}}]}}},
            ]}},
        }]}],
    }]})
}

const RESOURCE_LOGS_0: &str = "/resourceLogs/0";
const RESOURCE_0: &str = "/resourceLogs/0/resource";
const SCOPE_LOGS_0: &str = "/resourceLogs/0/scopeLogs/0";
const RECORD: &str = "/resourceLogs/0/scopeLogs/0/logRecords/0";

/// Returns the request with a member of the object at a path replaced; null removes it.
fn with(path: &str, member: &str, value: Value) -> Value {
    let mut request = request();
    let object = request.pointer_mut(path).and_then(Value::as_object_mut).unwrap();
    match value {
        Value::Null => object.remove(member),
        value => object.insert(member.to_owned(), value),
    };
    request
}

fn found(request: &Value) -> Vec<Violation> {
    check_request(request.to_string().as_bytes(), &Limits::at(NOW))
}

/// Returns a body with one member of this value.
fn body(value: &Value) -> Value {
    json!({"kvlistValue": {"values": [{"key": "a", "value": value}]}})
}

/// Returns a string nested in lists.
fn nested(depth: usize) -> Value {
    (0..depth).fold(text("a"), |value, _| json!({"arrayValue": {"values": [value]}}))
}

#[test]
fn valid_requests_pass() {
    let whole = [json!({}), json!({"resourceLogs": []}), request()];
    let parts = [
        with(RECORD, "timeUnixNano", Value::Null),
        with(RECORD, "timeUnixNano", "0".into()),
        with(RECORD, "observedTimeUnixNano", Value::Null),
        with(RECORD, "timeUnixNano", nanos(-MAX_AGE_MS)),
        with(RECORD, "timeUnixNano", nanos(MAX_AHEAD_MS)),
        with(RECORD, "traceId", "5b8efff798038103d269b633813fc60c".into()),
        with(RECORD, "spanId", "".into()),
        with(RECORD, "body", text("plain words")),
        with(RECORD, "attributes", json!([])),
        with(SCOPE_LOGS_0, "scope", Value::Null),
    ];
    let severities = SEVERITIES.map(|(number, _)| with(RECORD, "severityNumber", number.into()));
    for request in whole.iter().chain(&parts).chain(&severities) {
        assert_eq!(found(request), [], "{request}");
    }
}

/// The path of an object, its replaced member with the value, the violated clause, a part of the message.
type Row<'a> = (&'a str, &'a str, Value, Clause, &'a str);

fn assert_complaints(table: &[Row<'_>]) {
    for (path, member, value, clause, complaint) in table {
        let violations = found(&with(path, member, value.clone()));
        let is_expected =
            |violation: &Violation| violation.clause == *clause && violation.to_string().contains(complaint);
        assert!(
            violations.iter().any(is_expected),
            "{path} {member}: {violations:?} does not complain of {complaint:?}"
        );
    }
}

const JSON: Clause = Clause::Json;
const SCHEMA: Clause = Clause::Schema;

#[test]
fn each_rule_of_the_structure_can_fail() {
    assert_complaints(&[
        ("", "resourceLogs", json!({}), JSON, "/resourceLogs: expected a list, found {}"),
        ("", "resourceLogs", json!(["a"]), JSON, "/resourceLogs/0: expected an object"),
        ("", "resource_logs", json!([]), SCHEMA, "/resource_logs: unknown member; expected resourceLogs"),
        (RESOURCE_LOGS_0, "scope_logs", json!([]), SCHEMA, "/resourceLogs/0/scope_logs: unknown member"),
        (RESOURCE_LOGS_0, "scopeLogs", json!(1), JSON, "/resourceLogs/0/scopeLogs: expected a list"),
        (RESOURCE_LOGS_0, "scopeLogs", json!([1]), JSON, "/resourceLogs/0/scopeLogs/0: expected an object"),
        (RESOURCE_LOGS_0, "resource", json!([]), JSON, "/resource: expected an object"),
        (SCOPE_LOGS_0, "logRecords", json!({}), JSON, "/logRecords: expected a list"),
        (SCOPE_LOGS_0, "logRecords", json!([[]]), JSON, "/logRecords/0: expected an object"),
        (SCOPE_LOGS_0, "records", json!([]), SCHEMA, "/records: unknown member; expected scope, logRecords"),
        (SCOPE_LOGS_0, "scope", json!({"name": 1}), JSON, "/scope/name: expected a string"),
        (SCOPE_LOGS_0, "scope", json!({"nam": "a"}), SCHEMA, "/scope/nam: unknown member"),
        (SCOPE_LOGS_0, "scope", json!({"attributes": [1]}), JSON, "/scope/attributes/0: expected an object"),
        (
            RECORD,
            "time_unix_nano",
            nanos(0),
            SCHEMA,
            "/time_unix_nano: unknown member; expected timeUnixNano",
        ),
    ]);
}

#[test]
fn each_rule_of_the_names_can_fail() {
    let attributes = |first: Value| json!([first, {"key": "cx.subsystem.name", "value": {"stringValue": "kaudit-detections"}}]);
    let application = |value: Value| json!({"attributes": attributes(json!({"key": "cx.application.name", "value": value}))});
    assert_complaints(&[
        (RESOURCE_LOGS_0, "resource", Value::Null, SCHEMA, "the attribute `cx.subsystem.name` is missing"),
        (RESOURCE_0, "attributes", json!([]), SCHEMA, "the attribute `cx.application.name` is missing"),
        (RESOURCE_0, "attribute", json!([]), SCHEMA, "/resource/attribute: unknown member"),
        (
            RESOURCE_LOGS_0,
            "resource",
            application(text(" \u{a0}")),
            SCHEMA,
            "/resource/attributes/0/value: `cx.application.name` is blank",
        ),
        (RESOURCE_LOGS_0, "resource", application(text("")), SCHEMA, "`cx.application.name` is blank"),
        (
            RESOURCE_LOGS_0,
            "resource",
            application(text(&"é".repeat(257))),
            SCHEMA,
            "`cx.application.name` has 257 characters, 256 are allowed",
        ),
        (
            RESOURCE_LOGS_0,
            "resource",
            application(json!({"intValue": "1"})),
            SCHEMA,
            "`cx.application.name` is not a string",
        ),
        (RESOURCE_LOGS_0, "resource", application(json!({})), SCHEMA, "an attribute without a value"),
    ]);
}

#[test]
fn each_rule_of_a_log_record_can_fail() {
    assert_complaints(&[
        (
            RECORD,
            "timeUnixNano",
            1_583_078_400_000_000_000_u64.into(),
            SCHEMA,
            "is not a string: write \"158",
        ),
        (RECORD, "timeUnixNano", "2020-03-01T16:00:00Z".into(), JSON, "/timeUnixNano: expected nanoseconds"),
        (RECORD, "timeUnixNano", "+1583078400000000000".into(), JSON, "/timeUnixNano: expected nanoseconds"),
        (RECORD, "timeUnixNano", "18446744073709551616".into(), JSON, "/timeUnixNano: expected nanoseconds"),
        (RECORD, "timeUnixNano", nanos(-MAX_AGE_MS - 1), Clause::TooOld, "/timeUnixNano: more than 24 hours"),
        (RECORD, "timeUnixNano", nanos(MAX_AHEAD_MS + 1), Clause::TooFarAhead, "more than 4 hours ahead"),
        (
            RECORD,
            "timeUnixNano",
            "1583078400".into(),
            Clause::TooOld,
            "/timeUnixNano: more than 24 hours old",
        ),
        (RECORD, "observedTimeUnixNano", true.into(), JSON, "/observedTimeUnixNano: expected nanoseconds"),
        (RECORD, "severityNumber", Value::Null, SCHEMA, "/severityNumber: missing; use one of [5,"),
        (RECORD, "severityNumber", 0.into(), SCHEMA, "0 is not from 1 to 24; use one of [5, 9, 13, 17, 21]"),
        (RECORD, "severityNumber", 25.into(), SCHEMA, "25 is not from 1 to 24"),
        (RECORD, "severityNumber", (-1).into(), SCHEMA, "-1 is not from 1 to 24"),
        (RECORD, "severityNumber", 10.into(), SCHEMA, "Coralogix documents no level for 10; use one of"),
        (RECORD, "severityNumber", 17.0.into(), JSON, "/severityNumber: expected a number from 1 to 24"),
        (RECORD, "severityNumber", "SEVERITY_NUMBER_INFO".into(), JSON, "expected a number from 1 to 24"),
        (RECORD, "severityText", 1.into(), JSON, "/severityText: expected a string"),
        (RECORD, "body", Value::Null, SCHEMA, "/body: missing"),
        (RECORD, "body", json!({}), SCHEMA, "/body: neither a string nor a map: {}"),
        (RECORD, "body", json!({"intValue": "1"}), SCHEMA, "/body: neither a string nor a map"),
        (RECORD, "body", text(" "), SCHEMA, "/body: empty"),
        (RECORD, "body", json!({"kvlistValue": {}}), SCHEMA, "/body: empty"),
        (RECORD, "body", "a".into(), JSON, "/body: expected an AnyValue"),
        (RECORD, "body", text(&"x".repeat(32_000)), Clause::Size, "/logRecords/0: has 32"),
        (RECORD, "attributes", json!({}), JSON, "/attributes: expected a list"),
        (RECORD, "attributes", json!([{"key": "", "value": {"stringValue": "a"}}]), SCHEMA, "without a key"),
        (RECORD, "attributes", json!([{"key": "a"}]), SCHEMA, "/attributes/0/value: an attribute without a"),
        (
            RECORD,
            "attributes",
            json!([{"key": "a", "value": {"stringValue": "a"}}, {"key": "a", "value": {"stringValue": "b"}}]),
            SCHEMA,
            "/attributes/1/key: duplicate key \"a\"",
        ),
        (RECORD, "traceId", "5b8efff7".into(), JSON, "/traceId: expected 32 hexadecimal digits"),
        (RECORD, "spanId", "5b8efff79803810g".into(), JSON, "/spanId: expected 16 hexadecimal digits"),
    ]);
}

#[test]
fn each_rule_of_a_value_can_fail() {
    assert_complaints(&[
        (
            RECORD,
            "body",
            body(&json!({"stringValue": "a", "intValue": "1"})),
            JSON,
            "/body/kvlistValue/values/0/value: more than one value: ",
        ),
        (RECORD, "body", body(&json!({"stringValue": 1})), JSON, "/value/stringValue: expected a string"),
        (RECORD, "body", body(&json!({"boolValue": "true"})), JSON, "/value/boolValue: expected a boolean"),
        (RECORD, "body", body(&json!({"intValue": 5})), SCHEMA, "/intValue: 5 is not a string: write \"5\""),
        (
            RECORD,
            "body",
            body(&json!({"intValue": "9223372036854775808"})),
            JSON,
            "expected a 64-bit integer",
        ),
        (RECORD, "body", body(&json!({"intValue": "1.0"})), JSON, "expected a 64-bit integer as a string"),
        (RECORD, "body", body(&json!({"intValue": "+1"})), JSON, "expected a 64-bit integer as a string"),
        (RECORD, "body", body(&json!({"doubleValue": true})), JSON, "/doubleValue: expected a number"),
        (RECORD, "body", body(&json!({"doubleValue": "NaN"})), SCHEMA, "JSON has no NaN and no infinity"),
        (RECORD, "body", body(&json!({"doubleValue": null})), SCHEMA, "JSON has no such number"),
        (RECORD, "body", body(&json!({"bytesValue": "a"})), JSON, "/bytesValue: expected base64"),
        (RECORD, "body", body(&json!({"bytesValue": "a==="})), JSON, "/bytesValue: expected base64"),
        (RECORD, "body", body(&json!({"arrayValue": []})), JSON, "/arrayValue: expected an object"),
        (RECORD, "body", body(&json!({"arrayValue": {"values": {}}})), JSON, "/values: expected a list"),
        (RECORD, "body", body(&json!({"arrayValue": {"value": []}})), SCHEMA, "/arrayValue/value: unknown"),
        (RECORD, "body", body(&json!({"kvlistValue": {"values": {}}})), JSON, "/values: expected a list"),
        (RECORD, "body", body(&json!({"string_value": "a"})), SCHEMA, "/string_value: unknown kind of value"),
        (
            RECORD,
            "body",
            json!({"kvlistValue": {"values": [{"key": "a"}, {"key": "b"}, {"key": "a"}]}}),
            SCHEMA,
            "/body/kvlistValue/values/2/key: duplicate key \"a\" in one map",
        ),
        (RECORD, "body", json!({"kvlistValue": {"values": [{}]}}), SCHEMA, "a member of a map without a key"),
        (RECORD, "body", json!({"kvlistValue": {"values": [{"key": 1}]}}), JSON, "/key: expected a string"),
        (RECORD, "body", json!({"kvlistValue": {"values": [{"key": "a", "v": 1}]}}), SCHEMA, "/v: unknown"),
    ]);
}

#[test]
fn violations_belong_to_their_log_record() {
    let good = request()["resourceLogs"][0].clone();
    let mut second = good.clone();
    second["scopeLogs"][0]["logRecords"][0]["severityNumber"] = 2.into();
    let mut nameless = good.clone();
    nameless["resource"] = json!({"attributes": [good["resource"]["attributes"][1]]});
    let record = good["scopeLogs"][0]["logRecords"][0].clone();
    nameless["scopeLogs"] = json!([{"logRecords": [record, record]}, {"logRecords": [record]}]);
    let request = json!({"resourceLogs": [good, second, nameless]});
    let entries: Vec<_> = found(&request).iter().map(|violation| violation.entry).collect();
    assert_eq!(entries, [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!((logs(&request).count(), count(&request)), (5, 5));
    let size = |value: &Value| value.to_string().len();
    let (record, scope) = (size(&record), size(&good["scopeLogs"][0]["scope"]));
    let [resource, nameless] = [&good, &request["resourceLogs"][2]].map(|one| size(&one["resource"]));
    let second = size(&request["resourceLogs"][1]["scopeLogs"][0]["logRecords"][0]);
    let expected = 2 * (resource + scope) + record + second + 3 * (nameless + "null".len() + record);
    assert_eq!(expanded_bytes(&request), expected);
    let whole = found(&json!({"resourceLogs": [1]}));
    assert_eq!((whole.len(), whole[0].entry), (1, None), "{whole:?}");
}

#[test]
fn the_number_of_repeated_violations_is_bounded() {
    let mut request = request();
    let attributes = request.pointer_mut("/resourceLogs/0/resource/attributes").unwrap();
    attributes.as_array_mut().unwrap().extend(vec![json!({"key": ""}); 1_000]);
    let records = request.pointer_mut("/resourceLogs/0/scopeLogs/0/logRecords").unwrap();
    let record = records[0].clone();
    *records = vec![record; 100].into();
    assert_eq!(found(&request).len(), 100 * MAX_SHARED);

    // A name of a member may be long.
    let long = with(RESOURCE_LOGS_0, &"x".repeat(1_000_000), 1.into());
    assert!(found(&long)[0].to_string().len() < 600);

    // An encoding error is reported after any number of others.
    let mut values = vec![json!({"intValue": 5}); 1_000];
    values.extend([json!(1), json!(2)]);
    let violations = found(&with(RECORD, "body", body(&json!({"arrayValue": {"values": values}}))));
    let errors = violations.iter().filter(|violation| violation.clause == Clause::Json).count();
    assert_eq!((violations.len(), errors), (MAX_FOUND + 1, 1));
}

#[test]
fn each_rule_of_the_bytes_can_fail() {
    let large = request().to_string() + &" ".repeat(MAX_REQUEST_BYTES);
    let table: &[(&[u8], &str)] = &[
        (b"", "not strict JSON: EOF"),
        (b"[]", "/: expected an object, found []"),
        (b"{\"resourceLogs\":\"\xff\"}", "not UTF-8"),
        (br#"{"resourceLogs":[],"resourceLogs":[]}"#, "duplicate key `resourceLogs` in one object"),
        (large.as_bytes(), "bytes, below 10000000 are allowed"),
    ];
    for (bytes, complaint) in table {
        let violations = check_request(bytes, &Limits::at(NOW));
        let message = violations.first().map(ToString::to_string).unwrap_or_default();
        assert!(message.contains(complaint), "{message} does not contain {complaint}");
        assert_eq!(violations[0].entry, None);
    }
}

#[test]
fn the_maximum_size_is_of_the_decoded_log() {
    let log = with(RECORD, "body", text(&"x".repeat(31_000)));
    assert_eq!(found(&log), []);
    let size = logs(&log).next().unwrap().stored.to_string().len();
    let at = |max_entry_bytes| check(&log, &Limits { now_ms: NOW, max_entry_bytes });
    assert_eq!((at(size).len(), at(size - 1).len()), (0, 1));
}

#[test]
fn nested_values_cannot_overflow_the_stack() {
    assert_eq!(check(&with(RECORD, "body", body(&nested(MAX_DEPTH - 1))), &Limits::at(NOW)), []);
    for depth in [MAX_DEPTH, MAX_DEPTH + 1, 4 * MAX_DEPTH] {
        let request = with(RECORD, "body", body(&nested(depth)));
        let messages: Vec<_> = check(&request, &Limits::at(NOW)).iter().map(ToString::to_string).collect();
        assert!(messages[0].ends_with("nested more than 50 values deep"), "{depth}: {messages:?}");
        assert_eq!(logs(&request).count(), 1);
    }
    let deep = format!("{}1", "{\"arrayValue\":".repeat(1_000_000));
    let violations = check_request(deep.as_bytes(), &Limits::at(NOW));
    assert!(violations.iter().any(|it| it.to_string().contains("recursion limit")), "{violations:?}");
}

#[test]
fn a_log_record_is_decoded() {
    let log = logs(&request()).next().unwrap();
    let names = (log.application_name.as_str(), log.subsystem_name.as_str());
    assert_eq!(names, ("crm", "kaudit-detections"));
    assert_eq!((log.severity, log.time), (Some(5), Some(1_583_078_400_000_000_000)));
    let text = json!({"eid": "johnD", "count": i64::MIN, "ratio": 0.5, "new": true, "none": null,
        "nothing": null, "zero": 0, "raw": "aGk=",
        "uris": ["/a", []]});
    assert_eq!(log.text, text);
    assert_eq!(Value::from(log.labels), json!({"category": "anomaly"}));
    let resource = json!({"cx.application.name": "crm", "cx.subsystem.name": "kaudit-detections"});
    assert_eq!(Value::from(log.resource), resource);
    let stored = json!({
        "resource": {"attributes": resource},
        "scope": {"name": "filter", "version": "1.0.0"},
        "logRecord": {"timeUnixNano": nanos(0), "observedTimeUnixNano": nanos(5), "severityNumber": 17,
            "severityText": "Error", "attributes": {"category": "anomaly"}, "body": text},
    });
    assert_eq!(log.stored, stored);

    // The time of the observation counts if there is no other; 0 is none.
    let observed = logs(&with(RECORD, "timeUnixNano", "0".into())).next().unwrap();
    assert_eq!(observed.time, Some(1_583_078_400_005_000_000));
    for (number, level) in [(5, Some(1)), (9, Some(3)), (13, Some(4)), (21, Some(6)), (1, None), (24, None)] {
        assert_eq!(logs(&with(RECORD, "severityNumber", number.into())).next().unwrap().severity, level);
    }
    let invalid = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [1, {"body": {"intValue": []}}]}]}]});
    assert_eq!(logs(&invalid).map(|log| log.text).collect::<Vec<_>>(), [Value::Null, Value::Null]);
}
