//! The queries of `examples/coralogix`, in the spellings of Terraform, the operator and the dashboard.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{self, list, word};

pub fn text(file: &str) -> String {
    common::text(&format!("examples/coralogix/{file}"))
}

pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

pub fn documents(set: &str, file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(&format!("{set}{file}"))).unwrap()
}

/// Returns Terraform's resources of a type, by name.
pub fn terraform(set: &str, kind: &str) -> BTreeMap<String, Value> {
    let file: Value = hcl::from_str(&text(&format!("{set}main.tf"))).unwrap();
    serde_json::from_value(file["resource"][kind].clone()).unwrap()
}

/// A query of a resource, with its filters.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceQuery {
    pub query: String,
    /// Allowed subsystem names, or prefixes that end in a hyphen; empty: any.
    pub subsystems: Vec<String>,
    /// `None`: any.
    pub severity: Option<u64>,
    /// Fields that are counted, grouped by or tracked.
    /// They are paths below `text`, or of the whole OTLP log, or labels of the entry.
    pub fields: Vec<String>,
}

impl ResourceQuery {
    fn new(query: &Value) -> Self {
        let query = query.as_str().expect("a query").to_owned();
        Self { query, subsystems: Vec::new(), severity: None, fields: Vec::new() }
    }

    pub fn accepts(&self, entry: &Value) -> bool {
        let name = word(&entry["subsystemName"]);
        let mut subsystems = self.subsystems.iter();
        let named = self.subsystems.is_empty()
            || subsystems.any(|one| name == one || one.ends_with('-') && name.starts_with(one));
        named && self.severity.is_none_or(|severity| entry["severity"] == severity)
    }
}

/// Returns the query of an alert's log filter.
/// It is in the spelling of the operator or of Terraform.
fn simple_filter(filter: &Value) -> ResourceQuery {
    let either = |value: &Value, names: [&str; 2]| {
        names.into_iter().map(|name| value[name].clone()).find(|value| !value.is_null()).unwrap_or_default()
    };
    let filter = either(filter, ["simpleFilter", "simple_filter"]);
    let labels = either(&filter, ["labelFilters", "label_filters"]);
    let subsystems = either(&labels, ["subsystemName", "subsystem_name"]);
    let subsystem = word(at(&subsystems, "/0/value")).to_owned();
    let starts = word(at(&subsystems, "/0/operation")).to_lowercase().replace('_', "") == "startswith";
    assert_eq!(starts, subsystem.ends_with('-'), "{subsystem}");
    let severity = match word(at(&either(&labels, ["severity", "severities"]), "/0")).to_lowercase().as_str()
    {
        "" => None,
        "critical" => Some(6),
        other => panic!("severity {other}"),
    };
    ResourceQuery {
        subsystems: vec![subsystem],
        severity,
        ..ResourceQuery::new(&either(&filter, ["luceneQuery", "lucene_query"]))
    }
}

/// Returns an alert's queries, and its settings in one spelling.
/// The settings are threshold, window and tracked field.
pub fn alert(name: &str, kind: &Value) -> (Vec<(String, ResourceQuery)>, Vec<String>) {
    let (kind, alert) = kind.as_object().unwrap().iter().next().unwrap();
    let filters = [
        ("", "logsFilter"),
        ("", "logs_filter"),
        (", numerator", "numerator"),
        (", denominator", "denominator"),
    ];
    let filters = filters.into_iter().filter(|(_, key)| !alert[key].is_null());
    let tracked =
        ["keypathToTrack", "keypath_to_track"].map(|key| at(alert, &format!("/rules/0/condition/{key}")));
    let tracked: Vec<String> = tracked.into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let queries = filters.map(|(part, key)| {
        (
            format!("alert {name}{part}"),
            ResourceQuery { fields: tracked.clone(), ..simple_filter(&alert[key]) },
        )
    });
    let condition = at(alert, "/rules/0/condition");
    let mut settings = vec![kind.to_lowercase().replace('_', "")];
    for keys in [["threshold", "minimumThreshold", "minimum_threshold"], ["timeWindow", "time_window", ""]] {
        let value = keys.iter().map(|key| &condition[*key]).find(|value| !value.is_null());
        let value = value.map(|value| if value.is_object() { &value["specificValue"] } else { value });
        let value = value.map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        let spelt = [("_MINUTES", "m"), ("_HOUR", "h"), ("_MONTHS", "mo")];
        settings.push(spelt.iter().fold(value, |value, (long, short)| value.replace(long, short)));
    }
    (queries.collect(), settings)
}

/// Returns every query of a set, by the name of its resource.
pub fn queries(set: &str) -> Vec<(String, ResourceQuery)> {
    let mut all = Vec::new();
    for document in documents(set, "alerts.yaml") {
        all.extend(alert(word(at(&document, "/spec/name")), at(&document, "/spec/alertType")).0);
    }
    for document in documents(set, "views.yaml").iter().filter(|document| document["kind"] == "View") {
        let filters = list(at(document, "/spec/filters/filters"));
        let subsystems = filters.flat_map(|filter| {
            assert_eq!(filter["name"], "subsystemName");
            filter["selectedValues"].as_object().unwrap().keys().cloned()
        });
        let query = ResourceQuery {
            subsystems: subsystems.collect(),
            ..ResourceQuery::new(at(document, "/spec/searchQuery/query"))
        };
        all.push((format!("view {}", word(at(document, "/spec/name"))), query));
    }
    for document in documents(set, "events2metrics.yaml") {
        let spec = &document["spec"];
        let fields = list(&spec["metricLabels"]).chain(list(&spec["metricFields"]));
        let query = ResourceQuery {
            subsystems: vec![
                word(at(spec, "/query/logs/subsystemNameFilters/0")).replace("filter:startsWith:", ""),
            ],
            fields: fields.map(|field| word(&field["sourceField"]).to_owned()).collect(),
            ..ResourceQuery::new(at(spec, "/query/logs/lucene"))
        };
        all.push((format!("metric {}", word(&spec["name"])), query));
    }
    all.extend(widgets(set));
    all
}

pub fn widgets(set: &str) -> Vec<(String, ResourceQuery)> {
    let dashboard: Value = serde_json::from_str(&text(&format!("{set}dashboard.json"))).unwrap();
    let rows = list(at(&dashboard, "/layout/sections/0/rows"));
    let widgets = rows.flat_map(|row| list(&row["widgets"]));
    let field = |field: &Value| match (
        word(&field["scope"]),
        list(&field["keypath"]).map(word).collect::<Vec<_>>(),
    ) {
        ("DATASET_SCOPE_USER_DATA", path) => path.join("."),
        ("DATASET_SCOPE_LABEL", path) => format!("label {}", path.join(".")),
        other => panic!("{other:?}"),
    };
    let query = |widget: &Value| {
        let definition = &widget["definition"];
        let logs = [
            at(definition, "/lineChart/queryDefinitions/0/query/logs"),
            at(definition, "/horizontalBarChart/query/logs"),
        ];
        let logs = logs.into_iter().find(|logs| !logs.is_null()).expect("a query of logs");
        let groups = list(&logs["groupBys"]).chain(list(&logs["groupNamesFields"]));
        let sums =
            [at(logs, "/aggregation/sum/observationField"), at(logs, "/aggregations/0/sum/observationField")];
        let fields = groups.chain(sums.into_iter().filter(|sum| !sum.is_null())).map(field);
        let query =
            ResourceQuery { fields: fields.collect(), ..ResourceQuery::new(at(logs, "/luceneQuery/value")) };
        (format!("widget {}", word(&widget["title"])), query)
    };
    widgets.map(query).collect()
}
