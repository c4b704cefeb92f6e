//! Entries in the form that Coralogix searches.

use kaudit_filter::Time;
use serde_json::{Map, Value, json};

use super::entry::Entry;

/// The members of an OTLP log, which Coralogix stores under these names.
const OTLP_MEMBERS: [&str; 3] = ["resource", "scope", "logRecord"];

/// Returns an entry in the form that Coralogix searches.
///
/// The members of its text are at the top level, its labels under `coralogix`. The body of an OTLP log is
/// `logRecord.body`. An entry without a time has the time of its arrival. A rejected entry, which Coralogix would not
/// have stored, has the reasons under `endpoint`.
pub fn searchable(entry: &Entry, arrival: Time) -> Value {
    let Entry { value, reasons, form, .. } = entry;
    let (mut document, mut metadata) = if form.is_otlp() { of_log(value) } else { of_entry(value) };
    let nanoseconds = metadata.get("hiResTimestamp").and_then(|text| text.as_str()?.parse::<i64>().ok());
    let timestamp = metadata
        .remove("timestamp")
        .unwrap_or_else(|| nanoseconds.map_or(arrival, Time::from_nanos).millis().into());
    document.insert("coralogix".to_owned(), json!({"metadata": metadata, "timestamp": timestamp}));
    if !reasons.is_empty() {
        document.insert("endpoint".to_owned(), json!({"reasons": reasons}));
    }
    Value::Object(document)
}

/// Returns whether a document is an OTLP log.
pub fn is_otlp(document: &Value) -> bool {
    document["logRecord"].is_object()
}

/// Returns the members and the labels of an entry of REST.
fn of_entry(value: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let text = match &value["text"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
        text => text.clone(),
    };
    let document = match text {
        Value::Object(members) => members,
        text => Map::from_iter([("text".to_owned(), text)]),
    };
    let labels = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "text");
    (document, labels.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Returns the members and the labels of an OTLP log.
fn of_log(value: &Value) -> (Map<String, Value>, Map<String, Value>) {
    let members = value.as_object().into_iter().flatten();
    let members = members.map(|(name, value)| (name.clone(), value.clone()));
    members.partition(|(name, _)| OTLP_MEMBERS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::route::Form;
    use super::*;

    #[test]
    fn an_entry_without_a_time_has_its_arrival_time() {
        let arrival = Time::from_millis(1_583_078_400_000);
        for (value, time) in [
            (json!({"text": "a"}), 1_583_078_400_000_i64),
            (json!({"text": "a", "hiResTimestamp": "1583078399123456789"}), 1_583_078_399_123),
            (json!({"text": "a", "timestamp": 5, "hiResTimestamp": "1583078399123456789"}), 5),
        ] {
            let entry = Entry::new(value, 1, Form::Singles, &[]);
            assert_eq!(searchable(&entry, arrival)["coralogix"]["timestamp"], time, "{}", entry.value);
        }
    }
    #[test]
    fn an_otlp_log_keeps_its_members() {
        let stored = json!({"resource": {"attributes": {"cx.application.name": "prod-eu"}},
            "logRecord": {"body": {"eid": "johnD"}}});
        let mut value = stored.clone();
        value["severity"] = 5.into();
        value["timestamp"] = 7.into();
        let document = searchable(&Entry::new(value, 1, Form::OtlpJson, &[]), Time::from_millis(0));
        let mut expected = stored;
        expected["coralogix"] = json!({"metadata": {"severity": 5}, "timestamp": 7});
        assert_eq!(document, expected);
        assert!(is_otlp(&document));
    }
}
