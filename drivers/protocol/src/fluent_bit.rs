//! Formats that only Fluent Bit's plugin writes.

use serde_json::Value;

/// Returns the counters of a line `statistics: records=5 kept.detections=3`; `None`: it is another line.
pub fn statistics(message: &str) -> Option<Vec<(&str, u64)>> {
    let counters = message.strip_prefix("statistics: ")?.split(' ');
    counters
        .map(|counter| counter.split_once('=').and_then(|(name, count)| Some((name, count.parse().ok()?))))
        .collect()
}

/// Returns the envelope in an event's body; `None`: the body is not a request.
///
/// With `shape: bulk` a body is a request with headers and a body.
pub fn envelope(body: &str) -> Option<String> {
    let event: Value = serde_json::from_str(body).ok()?;
    event.get("headers")?;
    Some(event.get("body")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_names_and_numbers() {
        let counters = statistics("statistics: records=5 kept.detections=3");
        assert_eq!(counters, Some(vec![("records", 5), ("kept.detections", 3)]));
        for other in ["started: records=5", "statistics: records", "statistics: records=many"] {
            assert_eq!(statistics(other), None, "{other}");
        }
    }

    #[test]
    fn an_envelope_is_the_body_of_a_request() {
        assert_eq!(envelope(r#"{"headers":{},"body":"{\"a\":1}"}"#).as_deref(), Some(r#"{"a":1}"#));
        for other in [r#"{"body":"{}"}"#, r#"{"headers":{},"body":{}}"#, "[]", "x"] {
            assert_eq!(envelope(other), None, "{other}");
        }
    }
}
