//! Counts of entries by the values of a field, and filters by such a value.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A field by which entries are counted.
#[derive(Clone, Copy, Debug)]
pub struct Facet {
    /// The name in filters and on the page.
    pub name: &'static str,
    /// Paths of the field; the first that a document has counts.
    paths: &'static [&'static str],
}

/// The fields of the views in `examples/coralogix/views.yaml`, by which findings are usually grouped.
/// In an OTLP log the finding is the body.
const FACETS: [Facet; 5] = [
    Facet { name: "severity", paths: &["/coralogix/metadata/severity"] },
    Facet { name: "subsystem", paths: &["/coralogix/metadata/subsystemName"] },
    Facet {
        name: "cluster",
        paths: &[
            "/cluster",
            "/logRecord/body/cluster",
            "/resource/attributes/k8s.cluster.name",
            "/coralogix/metadata/applicationName",
        ],
    },
    Facet {
        name: "user",
        paths: &[
            "/eid",
            "/principal",
            "/username",
            "/logRecord/body/eid",
            "/logRecord/body/principal",
            "/logRecord/body/username",
        ],
    },
    Facet { name: "rule", paths: &["/rule", "/logRecord/body/rule"] },
];

/// The maximum number of values of a facet in an answer.
const MAX_VALUES: usize = 10;

/// Coralogix's names of the severities, from 1.
pub const SEVERITIES: [&str; 6] = ["debug", "verbose", "info", "warning", "error", "critical"];

impl Facet {
    /// Returns the value of a document; a severity by its name.
    fn value(&self, document: &Value) -> Option<String> {
        let value = self.paths.iter().find_map(|path| document.pointer(path))?;
        let severity = value.as_u64().filter(|_| self.name == "severity");
        let severity =
            severity.and_then(|number| SEVERITIES.get(usize::try_from(number).ok()?.checked_sub(1)?));
        match (severity, value) {
            (Some(severity), _) => Some((*severity).to_owned()),
            (None, Value::String(text)) => Some(text.clone()),
            (None, Value::Null | Value::Array(_) | Value::Object(_)) => None,
            (None, other) => Some(other.to_string()),
        }
    }
}

/// A condition on a facet's value: `cluster:prod-eu`.
#[derive(Clone, Debug)]
pub struct Filter {
    facet: Facet,
    value: String,
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    /// There is no such facet.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let facet = FACETS.into_iter().find(|facet| facet.name == name).ok_or_else(|| {
            let names = FACETS.map(|facet| facet.name).join(", ");
            format!("filter: expected `FIELD:VALUE` with one of the fields {names}")
        })?;
        Ok(Self { facet, value: value.to_owned() })
    }

    /// Returns whether the document has the value.
    pub fn matches(&self, document: &Value) -> bool {
        self.facet.value(document).is_some_and(|value| value == self.value)
    }
}

/// Returns the numbers of documents by the values of each facet, the most frequent values first.
pub fn count<'d>(documents: impl Iterator<Item = &'d Value>) -> Value {
    let mut counts: [BTreeMap<String, u64>; FACETS.len()] = Default::default();
    for document in documents {
        for (facet, counts) in FACETS.iter().zip(&mut counts) {
            if let Some(value) = facet.value(document) {
                *counts.entry(value).or_default() += 1;
            }
        }
    }
    let facets = FACETS.iter().zip(counts).map(|(facet, counts)| {
        let values = counts.len();
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|(one, many), (other, more)| more.cmp(many).then_with(|| one.cmp(other)));
        let top = counts.into_iter().take(MAX_VALUES);
        let top: Vec<_> = top.map(|(value, count)| json!({"value": value, "count": count})).collect();
        json!({"name": facet.name, "values": top, "more": values.saturating_sub(MAX_VALUES)})
    });
    facets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_filtered_exactly() {
        let document = |user: &str, cluster: &str, severity: u64| json!({"principal": user, "cluster": cluster, "coralogix": {"metadata": {"severity": severity}}});
        let documents = [document("a", "prod", 5), document("b", "prod-eu", 6), document("a", "prod-eu", 9)];
        let counts = count(documents.iter());
        let of = |name: &str| {
            let facets = counts.as_array().unwrap();
            facets.iter().find(|facet| facet["name"] == name).unwrap()["values"].clone()
        };
        assert_eq!(of("user"), json!([{"value": "a", "count": 2}, {"value": "b", "count": 1}]));
        assert_eq!(of("cluster")[0], json!({"value": "prod-eu", "count": 2}));
        assert_eq!(of("rule"), json!([]));
        let names: Vec<_> =
            of("severity").as_array().unwrap().iter().map(|one| one["value"].clone()).collect();
        assert_eq!(names, ["9", "critical", "error"]);
        for (text, expected) in
            [("cluster:prod", 1), ("cluster:prod-eu", 2), ("severity:critical", 1), ("user:", 0)]
        {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(
                documents.iter().filter(|document| filter.matches(document)).count(),
                expected,
                "{text}"
            );
        }
        // The finding of an OTLP log is its body.
        let otlp = json!({"logRecord": {"body": {"rule": "a", "username": "b", "cluster": "c"}}});
        for filter in ["rule:a", "user:b", "cluster:c"] {
            assert!(Filter::parse(filter).unwrap().matches(&otlp), "{filter}");
        }
        let otlp = json!({"resource": {"attributes": {"k8s.cluster.name": "d"}},
            "coralogix": {"metadata": {"applicationName": "e"}}, "logRecord": {"body": "text"}});
        assert!(Filter::parse("cluster:d").unwrap().matches(&otlp));
        let error = Filter::parse("colour:red").unwrap_err();
        assert!(error.contains("severity, subsystem, cluster, user, rule"), "{error}");
    }
}
