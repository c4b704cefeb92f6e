//! Entries in the form that Coralogix searches.

use kaudit_filter::Time;
use serde_json::{Map, Value, json};

use super::request::Entry;

/// Returns an entry in the form that Coralogix searches.
///
/// The members of its text are at the top level, its labels under `coralogix`. An entry without a time has the time of
/// its arrival. A rejected entry, which Coralogix would not have stored, has the reasons under `endpoint`.
pub fn searchable(entry: &Entry, arrival: Time) -> Value {
    let Entry { value, reasons, .. } = entry;
    let text = match &value["text"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
        text => text.clone(),
    };
    let mut document = match text {
        Value::Object(members) => members,
        text => Map::from_iter([("text".to_owned(), text)]),
    };
    let labels = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "text");
    let mut metadata: Map<String, Value> =
        labels.map(|(name, value)| (name.clone(), value.clone())).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_time_has_its_arrival_time() {
        let arrival = Time::from_millis(1_583_078_400_000);
        for (value, time) in [
            (json!({"text": "a"}), 1_583_078_400_000_i64),
            (json!({"text": "a", "hiResTimestamp": "1583078399123456789"}), 1_583_078_399_123),
            (json!({"text": "a", "timestamp": 5, "hiResTimestamp": "1583078399123456789"}), 5),
        ] {
            let entry = Entry { value, size: 1, reasons: Vec::new(), clauses: Vec::new() };
            assert_eq!(searchable(&entry, arrival)["coralogix"]["timestamp"], time, "{}", entry.value);
        }
    }
}
