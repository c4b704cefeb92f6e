//! The alerts of `examples/coralogix`, evaluated over the received entries.
//!
//! There are two sets, since the fields of findings have two locations: `alerts.yaml` for entries that arrive by REST,
//! `otlp/alerts.yaml` for OTLP logs. Each set is evaluated over its entries.
//!
//! Coralogix evaluates an alert over the times of the entries. Conditions that need the history of weeks (anomalies, new
//! values) are listed, but not evaluated.

mod condition;

use kaudit_workbench::documents;
use serde::Serialize;
use serde_json::Value;

use super::document::is_otlp;
use condition::{Condition, Seen};

/// The shipped alerts, resources of Coralogix's operator.
const REST: &str = include_str!("../../../../examples/coralogix/alerts.yaml");
const OTLP: &str = include_str!("../../../../examples/coralogix/otlp/alerts.yaml");

/// The shipped alerts.
#[derive(Debug)]
pub struct Alerts {
    rest: Vec<Alert>,
    otlp: Vec<Alert>,
}

/// An alert.
#[derive(Debug)]
struct Alert {
    name: String,
    description: String,
    /// `p1` to `p5`.
    priority: String,
    condition: Condition,
}

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Raised,
    Quiet,
    NotEvaluated,
}

/// The protocol by which entries arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    Rest,
    Otlp,
}

/// The result of an alert's evaluation.
#[derive(Debug, Serialize)]
pub struct Evaluated<'a> {
    name: &'a str,
    description: &'a str,
    priority: &'a str,
    /// The entries over which it is evaluated.
    protocol: Protocol,
    state: State,
    /// The numbers that determine the state.
    detail: String,
    /// A query for the entries of the alert; empty for all.
    query: &'a str,
    /// Filters by facet for the entries of the alert.
    filters: Vec<String>,
    /// The time of the entry that raised it last, in epoch milliseconds.
    raised: Option<i64>,
}

impl Alerts {
    /// Returns the shipped alerts.
    ///
    /// # Errors
    /// An alert has an unknown form.
    pub fn shipped() -> Result<Self, String> {
        Ok(Self { rest: read(REST)?, otlp: read(OTLP)? })
    }

    /// Evaluates the alerts over entries in the form that Coralogix searches; raised ones are first.
    ///
    /// A protocol without entries is left out; without any entries, OTLP is.
    pub fn evaluate(&self, documents: Vec<Value>) -> Vec<Evaluated<'_>> {
        let (otlp, rest): (Vec<Value>, Vec<Value>) = documents.into_iter().partition(is_otlp);
        let mut evaluated = Vec::new();
        if !rest.is_empty() || otlp.is_empty() {
            evaluated.extend(self.rest.iter().map(|alert| alert.evaluate(&rest, Protocol::Rest)));
        }
        if !otlp.is_empty() {
            evaluated.extend(self.otlp.iter().map(|alert| alert.evaluate(&otlp, Protocol::Otlp)));
        }
        evaluated.sort_by_key(|alert| (alert.state as u8, alert.priority));
        evaluated
    }
}

/// Reads alerts.
fn read(text: &str) -> Result<Vec<Alert>, String> {
    let documents = documents::parse(text)?;
    documents
        .iter()
        .filter(|document| document["kind"] == "Alert")
        .map(|document| Alert::of(&document["spec"]))
        .collect()
}

impl Alert {
    fn of(spec: &Value) -> Result<Self, String> {
        let text = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
        let name = text("name");
        let condition =
            Condition::of(&spec["alertType"]).map_err(|error| format!("alert `{name}`: {error}"))?;
        Ok(Self { description: text("description"), priority: text("priority"), condition, name })
    }

    /// Evaluates the alert over entries in the form that Coralogix searches.
    fn evaluate(&self, documents: &[Value], protocol: Protocol) -> Evaluated<'_> {
        let (state, detail, raised) = match self.condition.seen(documents) {
            Seen::Raised { detail, at } => (State::Raised, detail, Some(at)),
            Seen::Quiet(detail) => (State::Quiet, detail, None),
            Seen::NotEvaluated(reason) => (State::NotEvaluated, reason.to_owned(), None),
        };
        Evaluated {
            name: &self.name,
            description: &self.description,
            priority: &self.priority,
            protocol,
            state,
            detail,
            query: self.condition.query(),
            filters: self.condition.search_filters(),
            raised,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Entries of selections with these rules, a minute apart.
    fn selections(rules: &[&str], severity: u64) -> Vec<Value> {
        let entries = (0..).zip(rules).map(|(minute, rule)| {
            json!({"rule": rule, "principal": "admin", "coralogix": {
                "timestamp": 1_773_748_800_000_i64 + minute * 60_000,
                "metadata": {"subsystemName": "kaudit-selections", "severity": severity},
            }})
        });
        entries.collect()
    }

    /// Returns the same entries as OTLP logs.
    fn as_otlp(documents: &[Value]) -> Vec<Value> {
        let logs = documents.iter().map(|document| {
            let mut body = document.clone();
            let labels = body.as_object_mut().unwrap().remove("coralogix");
            json!({"logRecord": {"body": body}, "coralogix": labels})
        });
        logs.collect()
    }

    /// Returns the names of the raised alerts, which are the same for both protocols.
    fn raised(documents: &[Value]) -> Vec<String> {
        let alerts = Alerts::shipped().unwrap();
        let of = |documents: Vec<Value>| {
            let evaluated = alerts.evaluate(documents);
            let raised = evaluated.iter().filter(|alert| alert.state == State::Raised);
            raised.map(|alert| alert.name.trim_start_matches("kAudit: ").to_owned()).collect::<Vec<_>>()
        };
        let raised = of(documents.to_vec());
        assert_eq!(of(as_otlp(documents)), raised);
        raised
    }

    #[test]
    fn shipped_alerts_are_raised_by_their_conditions() {
        let failure = "admin authentication failure";
        let success = "admin authentication success";
        assert_eq!(raised(&[]), Vec::<String>::new());
        assert_eq!(raised(&selections(&["exec into pod"], 5)), Vec::<String>::new());
        assert_eq!(raised(&selections(&["exec into pod"], 6)), ["critical finding"]);
        let ratio = "ratio of failed to successful admin authentications";
        // Without a success the ratio is infinite.
        assert_eq!(raised(&selections(&[failure], 5)), [ratio]);
        // One failure for two successes is not more than 0.5; two are.
        assert_eq!(raised(&selections(&[success, success, failure], 5)), Vec::<String>::new());
        assert_eq!(raised(&selections(&[success, success, failure, failure], 5)), [ratio]);
        // Six within ten minutes.
        let threshold = "admin authentication failures";
        let successes = [success; 20];
        let with = |failures: usize| [&[failure; 6][..failures], &successes].concat();
        assert_eq!(raised(&selections(&with(5), 5)), [ratio]);
        assert_eq!(raised(&selections(&with(6), 5)), [threshold, ratio]);
        // Another subsystem.
        let mut other = selections(&[failure; 6], 6);
        for entry in &mut other {
            entry["coralogix"]["metadata"]["subsystemName"] = "other".into();
        }
        assert_eq!(raised(&other), Vec::<String>::new());
        // A summary is about findings that raised an alert before.
        let mut summary = selections(&["a"], 6);
        summary[0]["kaudit_filter"] = json!({"summary": {"suppressed": 4}});
        assert_eq!(raised(&summary), Vec::<String>::new());
    }

    #[test]
    fn failures_that_are_far_apart_do_not_add_up() {
        let mut apart = selections(&["admin authentication failure"; 6], 5);
        for (index, entry) in (0_i64..).zip(&mut apart) {
            entry["coralogix"]["timestamp"] = (1_773_748_800_000_i64 + index * 300_000).into();
        }
        assert!(!raised(&apart).contains(&"admin authentication failures".to_owned()));
    }

    #[test]
    fn alerts_that_need_history_are_listed() {
        use State::{NotEvaluated, Quiet};
        let alerts = Alerts::shipped().unwrap();
        let evaluated = alerts.evaluate(Vec::new());
        let states: Vec<_> = evaluated.iter().map(|alert| alert.state).collect();
        assert_eq!(states, [Quiet, Quiet, Quiet, NotEvaluated, NotEvaluated]);
        assert!(evaluated.iter().all(|alert| !alert.detail.is_empty()), "{evaluated:?}");
    }

    #[test]
    fn each_protocol_has_its_alerts() {
        let alerts = Alerts::shipped().unwrap();
        let protocols = |documents: Vec<Value>| {
            let count = |protocol| {
                alerts.evaluate(documents.clone()).iter().filter(|alert| alert.protocol == protocol).count()
            };
            (count(Protocol::Rest), count(Protocol::Otlp))
        };
        let rest = selections(&["a"], 5);
        let otlp = as_otlp(&rest);
        assert_eq!(protocols(Vec::new()), (5, 0));
        assert_eq!(protocols(rest.clone()), (5, 0));
        assert_eq!(protocols(otlp.clone()), (0, 5));
        assert_eq!(protocols([rest, otlp].concat()), (5, 5));
    }

    #[test]
    fn an_unknown_form_is_an_error() {
        for (kind, expected) in [
            (json!({"metricThreshold": {}}), "unknown type of alert `metricThreshold`"),
            (
                json!({"logsImmediate": {"logsFilter": {"simpleFilter": {"luceneQuery": "[a"}}}}),
                "luceneQuery: column",
            ),
            (json!({"logsThreshold": {"logsFilter": {"simpleFilter": {}}, "rules": []}}), "rules: expected"),
        ] {
            let error = Alert::of(&json!({"name": "a", "alertType": kind})).unwrap_err();
            assert!(error.starts_with("alert `a`: ") && error.contains(expected), "{error}");
        }
    }
}
