//! Turns the output of the shape otlp into the entries of shape singles that it contains.
//!
//! So the expectations of a case do not depend on its shape. What an entry does not have is checked here: the members of
//! OTLP, the pairs of severity number and text, and the attributes that the filter writes.

use contract::Limits;
use contract::otlp::{ADVISED_REQUEST_BYTES, Log, check_request, logs};
use serde_json::{Map, Value, json};

/// The bytes by which a stored log is longer than its entry: the names of OTLP's members, and both times in nanoseconds.
const MEMBERS: usize = 1_000;

/// The severity of an entry by OTLP's number and text.
const SEVERITIES: [(u64, &str, u64); 6] = [
    (5, "DEBUG", 1),
    (5, "VERBOSE", 2),
    (9, "INFO", 3),
    (13, "WARN", 4),
    (17, "ERROR", 5),
    (21, "CRITICAL", 6),
];

/// The attributes of a resource, with their member of an entry; an entry has none for the last.
const RESOURCE: [(&str, &str); 4] = [
    ("cx.application.name", "applicationName"),
    ("cx.subsystem.name", "subsystemName"),
    ("host.name", "computerName"),
    ("k8s.cluster.name", "cluster"),
];

const LABELS: [&str; 4] = ["category", "className", "methodName", "threadId"];

/// A log record as an entry.
pub struct Decoded {
    /// The entry in the shape singles.
    pub entry: Value,
    /// The finding's cluster; null if it has none.
    pub cluster: Value,
    /// The time of arrival, in nanoseconds since 1970.
    pub arrival_ns: i64,
}

/// Decodes a line of the shape otlp; `None` if it is none. `wrong` receives its faults.
pub fn decode(line: &[u8], limits: &Limits, wrong: &mut Vec<String>) -> Option<Vec<Decoded>> {
    let value = contract::parse(line).ok()?;
    let request = match &value {
        // A host that sends to an agent emits the elements of a request, from which the agent builds it.
        Value::Object(members) if members.contains_key("scopeLogs") => json!({ "resourceLogs": [value] }),
        Value::Object(members) if members.contains_key("resourceLogs") => value,
        _ => return None,
    };
    let limits = Limits { max_entry_bytes: limits.max_entry_bytes + MEMBERS, ..*limits };
    let text = request.to_string();
    if text.len() > ADVISED_REQUEST_BYTES {
        wrong.push(format!("a request of {} bytes", text.len()));
    }
    let faults = check_request(text.as_bytes(), &limits);
    wrong.extend(faults.into_iter().map(|fault| format!("contract: {fault}")));
    let decoded = logs(&request).filter_map(|log| match entry(&log) {
        Ok(decoded) => Some(decoded),
        Err(fault) => {
            wrong.push(format!("{fault}: {}", log.stored));
            None
        }
    });
    Some(decoded.collect())
}

fn entry(log: &Log) -> Result<Decoded, String> {
    let Log { resource, labels, text, stored, .. } = log;
    let mut entry = Map::new();
    let mut cluster = Value::Null;
    for (name, value) in resource {
        match RESOURCE.iter().find(|(known, _)| known == name) {
            Some((_, "cluster")) => cluster = value.clone(),
            Some((_, member)) => drop(entry.insert((*member).to_owned(), value.clone())),
            None => return Err(format!("unknown attribute of a resource: {name}")),
        }
    }
    for (name, value) in labels {
        if !LABELS.contains(&name.as_str()) {
            return Err(format!("unknown attribute of a log record: {name}"));
        }
        entry.insert(name.clone(), value.clone());
    }
    let record = &stored["logRecord"];
    let (number, name) = (record["severityNumber"].as_u64(), record["severityText"].as_str());
    let severity = SEVERITIES.iter().find(|(known, text, _)| Some(*known) == number && Some(*text) == name);
    let (.., severity) = severity.ok_or_else(|| format!("severity {number:?} with the text {name:?}"))?;
    entry.insert("severity".to_owned(), (*severity).into());
    entry.insert("timestamp".to_owned(), millis(&record["timeUnixNano"])?.into());
    entry.insert("text".to_owned(), text.clone());
    if stored["scope"]["name"] != "kaudit-filter" || !stored["scope"]["version"].is_string() {
        return Err("the scope is not the filter's".to_owned());
    }
    let arrival_ns = nanos(&record["observedTimeUnixNano"])?;
    Ok(Decoded { entry: entry.into(), cluster, arrival_ns })
}

fn nanos(value: &Value) -> Result<i64, String> {
    let number = value.as_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("not a time in nanoseconds: {value}"))
}

fn millis(value: &Value) -> Result<i64, String> {
    let nanos = nanos(value)?;
    if nanos % 1_000_000 == 0 {
        Ok(nanos / 1_000_000)
    } else {
        Err(format!("not whole milliseconds: {nanos}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"cx.application.name","value":{"stringValue":"crm"}},
        {"key":"cx.subsystem.name","value":{"stringValue":"kaudit-detections"}},
        {"key":"k8s.cluster.name","value":{"stringValue":"prod"}}]},
        "scopeLogs":[{"scope":{"name":"kaudit-filter","version":"1"},"logRecords":[{
        "timeUnixNano":"1583078400000000000","observedTimeUnixNano":"1583078400000000001",
        "severityNumber":17,"severityText":"ERROR",
        "body":{"kvlistValue":{"values":[{"key":"eid","value":{"stringValue":"a"}}]}},
        "attributes":[{"key":"threadId","value":{"stringValue":"a"}}]}]}]}]}"#;

    fn faults(line: &str) -> (Option<Vec<Decoded>>, String) {
        let mut wrong = Vec::new();
        let limits = Limits { now_ms: 1_583_078_400_000, max_entry_bytes: 30_000 };
        let decoded = decode(line.as_bytes(), &limits, &mut wrong);
        (decoded, wrong.join("\n"))
    }

    #[test]
    fn a_log_record_becomes_an_entry() {
        let (decoded, wrong) = faults(REQUEST);
        assert_eq!(wrong, "");
        let [Decoded { entry, cluster, arrival_ns }] = &decoded.unwrap()[..] else {
            panic!("one log record")
        };
        let expected = json!({"applicationName": "crm", "subsystemName": "kaudit-detections", "severity": 5,
            "timestamp": 1_583_078_400_000_i64, "threadId": "a", "text": {"eid": "a"}});
        assert_eq!((entry, cluster, *arrival_ns), (&expected, &json!("prod"), 1_583_078_400_000_000_001));
        let element = contract::parse(REQUEST.as_bytes()).unwrap()["resourceLogs"][0].to_string();
        assert_eq!(faults(&element).0.unwrap()[0].entry, expected);
        for other in ["hello", "[]", r#"{"applicationName":"a"}"#] {
            assert!(faults(other).0.is_none(), "{other}");
        }
    }

    #[test]
    fn each_fault_is_reported() {
        for (part, other, fault) in [
            ("ERROR", "WARN", "severity Some(17) with the text Some(\"WARN\")"),
            ("threadId", "thread", "unknown attribute of a log record: thread"),
            ("k8s.cluster.name", "cluster", "unknown attribute of a resource: cluster"),
            ("\"kaudit-filter\"", "\"other\"", "the scope is not the filter's"),
            ("400000000000\",\"obs", "400000000001\",\"obs", "not whole milliseconds"),
            ("\"1583078400000000001\"", "null", "not a time in nanoseconds: null"),
            ("\"stringValue\":\"crm\"", "\"stringValue\":\"\"", "contract: "),
        ] {
            assert!(REQUEST.contains(part), "{part}");
            let (_, wrong) = faults(&REQUEST.replace(part, other));
            assert!(wrong.contains(fault), "{other}: {wrong}");
        }
    }
}
