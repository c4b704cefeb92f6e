//! `examples/prometheus` and the queries of the reference: they use only metrics, labels and values of the table, and
//! promtool accepts them.
//!
//! `BLESS=1` updates `prometheus-rule.yaml`, which is generated from `rules.yaml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host_kit::metrics::{self, Family, OTHER_RULES};
use serde_json::{Value, json};

/// Labels that Prometheus adds to scraped samples.
const SCRAPED: [&str; 5] = ["cluster", "namespace", "job", "instance", "pod"];

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/prometheus").join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(example(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn rules() -> Vec<Value> {
    let groups = yaml(&text("rules.yaml"))["groups"].as_array().expect("groups").clone();
    groups.iter().flat_map(|group| group["rules"].as_array().expect("rules").clone()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&text("dashboard.json")).expect("JSON")
}

/// The expressions of a dashboard, with its variables replaced as Grafana does.
fn dashboard_expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets
        .map(|target| {
            let expression = target["expr"].as_str().expect("an expression").to_owned();
            let replaced = expression.replace("$__rate_interval", "5m").replace("$__range", "6h");
            SCRAPED.iter().fold(replaced, |text, label| text.replace(&format!("\"${label}\""), "\".*\""))
        })
        .collect()
}

/// All expressions of the examples and of the reference.
fn expressions() -> Vec<String> {
    let rules = rules().into_iter().map(|rule| rule["expr"].as_str().expect("an expression").to_owned());
    let queries = metrics::families().map(|family| family.query.to_owned());
    rules.chain(queries).chain(dashboard_expressions(&dashboard())).collect()
}

/// A selector of a metric: its name, and its matchers with their operators.
type Selector = (String, Vec<(String, String, String)>);

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Returns the selectors of metrics with the prefix `kaudit_` in an expression.
fn selectors(expression: &str) -> Vec<Selector> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find("kaudit_") {
        let (name, after) = split_name(&rest[start..]);
        rest = after;
        let mut matchers = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            let (inside, after) = inside.split_once('}').expect("no value contains a brace");
            rest = after;
            for matcher in inside.split("\",") {
                let (label, after) = split_name(matcher);
                let (operator, value) = after.split_once('"').unwrap_or_else(|| panic!("{matcher}"));
                matchers.push((
                    label.to_owned(),
                    operator.to_owned(),
                    value.trim_end_matches('"').to_owned(),
                ));
            }
        }
        found.push((name.to_owned(), matchers));
    }
    found
}

fn split_name(text: &str) -> (&str, &str) {
    text.split_at(text.find(|character| !is_name(character)).unwrap_or(text.len()))
}

fn family(name: &str) -> &'static Family {
    metrics::families()
        .find(|family| family.full_name() == name)
        .unwrap_or_else(|| panic!("no metric has the name {name}"))
}

fn has_label(name: &str, label: &str) -> bool {
    family(name).labels.iter().any(|known| known.name == label)
}

/// Checks that a family has these labels with these values.
fn check_selector((name, matchers): &Selector) {
    let family = family(name);
    for (label, operator, value) in matchers {
        if SCRAPED.contains(&label.as_str()) {
            continue;
        }
        let known = family.labels.iter().find(|known| known.name == label);
        let known = known.unwrap_or_else(|| panic!("{name} has no label {label}"));
        let Some(values) = known.values() else { continue };
        let alternatives: Vec<&str> =
            if operator.contains('~') { value.split('|').collect() } else { vec![value] };
        for value in alternatives {
            assert!(values.contains(&value), "{name} has no {label}=\"{value}\"");
        }
    }
}

/// Checks the labels by which an expression aggregates.
fn check_aggregation(expression: &str) {
    let names: BTreeSet<&str> =
        metrics::families().flat_map(|family| family.labels).map(|label| label.name).chain(SCRAPED).collect();
    for part in expression.split(" by (").skip(1) {
        let (labels, _) = part.split_once(')').expect("closed");
        for label in labels.split(',') {
            assert!(names.contains(label.trim()), "no metric has the label {label}: {expression}");
        }
    }
}

#[test]
fn rules_dashboard_and_queries_use_metrics_of_the_table() {
    let expressions = expressions();
    let mut used = BTreeSet::new();
    for expression in &expressions {
        check_aggregation(expression);
        let selectors = selectors(expression);
        assert!(!selectors.is_empty(), "{expression}");
        for selector in selectors {
            check_selector(&selector);
            used.insert(selector.0);
        }
    }
    for family in metrics::families() {
        assert!(used.contains(&family.full_name()), "no example uses {}", family.full_name());
    }
    // Labels in the templates of annotations are labels of the expression's result.
    for rule in rules() {
        let expression = rule["expr"].as_str().expect("an expression");
        let texts = rule["annotations"].as_object().expect("annotations").values();
        for label in texts.flat_map(|text| text.as_str().expect("a text").split("$labels.").skip(1)) {
            let (label, _) = split_name(label);
            let has = match expression.split_once(" by (").and_then(|(_, labels)| labels.split_once(')')) {
                Some((labels, _)) => labels.split(", ").any(|of_result| of_result == label),
                None => {
                    SCRAPED.contains(&label)
                        || selectors(expression).iter().any(|(name, _)| has_label(name, label))
                }
            };
            assert!(has, "{label}: {expression}");
        }
    }
}

#[test]
#[should_panic(expected = "kaudit_records_total has no verdict=\"lost\"")]
fn an_unknown_value_is_noticed() {
    selectors(r#"rate(kaudit_records_total{job=~".*",verdict=~"kept|lost"}[5m])"#)
        .iter()
        .for_each(check_selector);
}

#[test]
#[should_panic(expected = "no metric has the name kaudit_lost_total")]
fn an_unknown_metric_is_noticed() {
    selectors("1 / kaudit_limiter_keys + kaudit_lost_total").iter().for_each(check_selector);
}

/// Runs promtool; returns its output.
fn promtool(arguments: &[&str], input: Option<&Path>) -> String {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(example(""));
    if let Some(input) = input {
        command.stdin(fs::File::open(input).expect("the input exists"));
    }
    let output = command.output().unwrap_or_else(|error| {
        panic!("promtool: {error}; install Debian's package `prometheus`, or run `cargo xtask test`, which installs it")
    });
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    let checked = promtool(&["check", "rules", "--lint-fatal", "rules.yaml"], None);
    assert!(checked.contains(&format!("SUCCESS: {} rules found", rules().len())), "{checked}");
    promtool(&["test", "rules", "rules.test.yaml"], None);
    // Each alert has a test in which it fires, and one in which it does not.
    let tests = yaml(&text("rules.test.yaml"));
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|test| test["alert_rule_test"].as_array().expect("cases"))
        .collect();
    for rule in rules() {
        let of_rule = cases.iter().filter(|case| case["alertname"] == rule["alert"]);
        let fires: BTreeSet<bool> = of_rule
            .map(|case| case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()))
            .collect();
        assert_eq!(fires.len(), 2, "{}", rule["alert"]);
    }
}

#[test]
fn promtool_accepts_every_expression() {
    let record = |(index, expr): (usize, String)| json!({"record": format!("e:{index}"), "expr": expr});
    let rules: Vec<Value> = expressions().into_iter().enumerate().map(record).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expressions.yaml");
    fs::write(&file, json!({"groups": [{"name": "expressions", "rules": rules}]}).to_string()).unwrap();
    let checked = promtool(&["check", "rules", file.to_str().expect("UTF-8")], None);
    assert!(checked.contains(&format!("SUCCESS: {} rules found", rules.len())), "{checked}");
}

#[test]
fn promtool_accepts_the_metrics() {
    let findings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/findings/detections.ndjson");
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .args(["run", "--summary", "prometheus", "--clock", "record"])
        .arg(findings)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let metrics: Vec<&str> =
        text.lines().filter(|line| line.starts_with("# ") || line.starts_with("kaudit_")).collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics.prom");
    fs::write(&file, metrics.join("\n") + "\n").unwrap();
    promtool(&["check", "metrics"], Some(&file));
    let value = |sample: &str| {
        let line = metrics.iter().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.and_then(|value| value.parse::<usize>().ok()).unwrap_or_else(|| panic!("no {sample}: {text}"))
    };
    let entries = String::from_utf8(output.stdout).unwrap().lines().count();
    assert_eq!(value("kaudit_entries_total{origin=\"finding\"}"), entries);
    assert_eq!(value("kaudit_received_records_total"), entries);
    assert_eq!(value(&format!("kaudit_rule_selections_total{{rule=\"{OTHER_RULES}\"}}")), 0);
}

/// Returns `rules.yaml` as a `PrometheusRule`.
fn prometheus_rule() -> String {
    let rules = text("rules.yaml");
    let (_, groups) = rules.split_once("\ngroups:\n").expect("a head and groups");
    let groups: Vec<String> = groups
        .lines()
        .map(|line| if line.is_empty() { String::new() } else { format!("  {line}") })
        .collect();
    let head = "# Generated from rules.yaml: BLESS=1 cargo test -p kaudit-filter-cli --test prometheus\n\napiVersion: \
                monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: kaudit-filter\n  # The labels by which \
                your Prometheus selects rules.\n  labels: {release: prometheus}\nspec:\n  groups:\n";
    format!("{head}{}\n", groups.join("\n"))
}

#[test]
fn the_prometheus_rule_is_current() {
    let file = example("prometheus-rule.yaml");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, prometheus_rule()).unwrap();
    }
    let current = fs::read_to_string(&file).unwrap_or_default();
    let advice = "regenerate it: BLESS=1 cargo test -p kaudit-filter-cli --test prometheus";
    assert!(current == prometheus_rule(), "{advice}");
    assert_eq!(yaml(&current)["spec"]["groups"], yaml(&text("rules.yaml"))["groups"]);
}

#[test]
fn the_dashboard_is_complete() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "the ids of panels are unique");
    let variables: BTreeSet<&str> = dashboard["templating"]["list"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    for panel in panels {
        let position = &panel["gridPos"];
        let right = position["x"].as_u64().zip(position["w"].as_u64()).map(|(x, w)| x + w);
        assert!(right.is_some_and(|right| right <= 24), "{panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            for variable in expression.split('$').skip(1).map(|rest| split_name(rest).0) {
                assert!(
                    variable.starts_with("__") || variables.contains(variable),
                    "${variable}: {expression}"
                );
            }
        }
    }
    // No panel covers another.
    let mut cells = BTreeSet::new();
    for panel in panels {
        let of = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
        for cell in
            (of("x")..of("x") + of("w")).flat_map(|x| (of("y")..of("y") + of("h")).map(move |y| (x, y)))
        {
            assert!(cells.insert(cell), "{} overlaps another panel", panel["title"]);
        }
    }
}
