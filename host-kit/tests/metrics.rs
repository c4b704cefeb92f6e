//! Metrics, compared with counts that a host makes of the emissions, for sequences of records.
//!
//! `docs/metrics.md` is generated from the table of metrics; `BLESS=1` updates it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use host_kit::metrics::{self, Family, MetricType, Metrics, OTHER_RULES, Unfiltered};
use host_kit::{Emission, Session, exposition};
use kaudit_filter::config::{Config, NoFiles, read};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time};
use proptest::prelude::*;

const START: Time = Time::from_millis(1_583_078_400_000);

/// The configurations between which a sequence switches. The rule `shells` is removed and added, `people` changes its
/// place, and `gates` and `other` have no series.
const POLICIES: [&str; 3] = [
    "[{id: 1, name: shells, conditions: [{field: subresource, match-op: '=', match-value: exec}]}, {id: 2, name: people, \
     conditions: [{field: principal, match-op: '!~', match-value: '^system:'}]}, {id: 3, name: privileged, conditions: \
     [{field: request-privileged, match-op: '=', match-value: 'true'}]}]",
    "[{id: 2, name: people, conditions: [{field: principal, match-op: '!~', match-value: '^system:'}]}, {id: 4, name: gates, \
     conditions: [{field: resource-type, match-op: '=', match-value: pods}]}, {id: 5, name: other, conditions: [{field: \
     subresource, match-op: '=', match-value: exec}]}, {id: 3, name: privileged, status: false, conditions: [{field: \
     request-privileged, match-op: '=', match-value: 'true'}]}]",
    "",
];

fn config(policy: &str) -> Config {
    let policy = if policy.is_empty() { String::new() } else { format!("policy: {policy}\n") };
    let text = format!(
        "unrecognised: wrap\nguard: {{max-entry-bytes: 16384}}\nredact: [{{field: eid, pattern: secret}}]\nrate-limit: \
         {{period: 1m, by: entity, max-keys: 10}}\nintegrations:\n- {{type: detections, target: {{target-type: slack, \
         slack-uri: 'https://example.com', rate-limit: 1}}, data-filter: {{entity-no-match: '^system:'}}}}\n- {{type: \
         selections, target: {{target-type: slack, slack-uri: 'https://example.com'}}, data-filter: {{report: count, \
         rules-match: people}}}}\n- {{type: selections, target: {{target-type: slack, slack-uri: \
         'https://example.com'}}}}\nuse: all\n{policy}"
    );
    let read = read("kaudit.yaml", &text, &NoFiles);
    read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics))
}

/// A step of a sequence.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A record of [`RECORDS`].
    Record(usize),
    /// The clock advances by seconds, and due entries are emitted.
    Wait(i64),
    /// A configuration of [`POLICIES`].
    Load(usize),
    /// A configuration with mistakes.
    Refuse,
    /// A chunk passes unfiltered.
    Fail(u8),
    /// All pending entries are emitted.
    Finish,
}

fn event(id: &str, user: &str, subresource: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods/web","verb":"create","user":{{"username":"{user}"}},"objectRef":{{"resource":"pods","namespace":"shop","name":"web","subresource":"{subresource}","apiVersion":"v1"}},"requestReceivedTimestamp":"2020-03-01T16:00:00Z","stageTimestamp":"2020-03-01T16:00:00Z"}}"#
    )
}

fn records() -> Vec<String> {
    let detection = |eid: &str, time: i64| {
        format!(r#"{{"etype":"principal","eid":"{eid}","category":"incident","time":{time}}}"#)
    };
    let now = START.millis();
    vec![
        detection("johnD", now),
        detection("alice", now),
        detection("secret", now - 200_000_000),
        detection(&"x".repeat(20_000), now),
        detection("system:node", now),
        format!(
            r#"{{"records":[{},{},{{"level":"info"}}]}}"#,
            detection("johnD", now),
            detection("bob", now)
        ),
        "{\"level\":\"info\"}".to_owned(),
        "not JSON".to_owned(),
        event("a", "alice", "exec"),
        event("b", "alice", "status"),
        event("c", "system:node:a", "exec"),
        event("d", "system:node:a", "status"),
        event("e", "system:node:a", ""),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..records().len()).prop_map(Step::Record),
        3 => (0..7200_i64).prop_map(Step::Wait),
        2 => (0..POLICIES.len()).prop_map(Step::Load),
        1 => Just(Step::Refuse),
        1 => (0..4_u8).prop_map(Step::Fail),
        1 => Just(Step::Finish),
    ]
}

/// Samples by name and labels: `records_total verdict=kept kind=detections`.
type Samples = Vec<(String, MetricType, u64)>;

fn samples(metrics: &Metrics, session: &Session) -> Samples {
    let mut samples = Vec::new();
    metrics.each(session.engine(), |family, labels, value| {
        assert_eq!(labels.len(), family.labels.len(), "{}", family.name);
        let mut name = family.name.to_owned();
        for (label, value) in family.labels.iter().zip(labels).filter(|(_, value)| !value.is_empty()) {
            let _ = write!(name, " {}={value}", label.name);
        }
        samples.push((name, family.metric_type, value));
    });
    samples
}

/// Counts made of emissions.
type Counts = BTreeMap<String, u64>;

fn add(counts: &mut Counts, name: &str, count: u64) {
    *counts.entry(name.to_owned()).or_default() += count;
}

/// Counts an entry of the filter's own.
fn add_own(counts: &mut Counts, emission: &Emission<'_>) {
    let Emission::Entry(entry) = emission else { return };
    let mut json = Vec::new();
    entry.write_json(&mut json);
    let json = String::from_utf8_lossy(&json).into_owned();
    let number = |key: &str| {
        let (_, rest) = json.split_once(&format!("\"{key}\":"))?;
        rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
    };
    let (origin, found) = if json.contains("\"summary\":{") {
        ("summary", number("suppressed"))
    } else {
        ("report", number("count"))
    };
    add(counts, &format!("entries_total origin={origin}"), 1);
    add(counts, &format!("reported_findings_total by={origin}"), found.expect("a number of findings"));
}

/// Counts the verdict for a finding.
fn add_verdict(counts: &mut Counts, emission: &Emission<'_>) {
    match emission {
        Emission::Entry(_) => add(counts, "entries_total origin=finding", 1),
        Emission::Dropped(reason) => {
            add(counts, &format!("records_total verdict=dropped reason={}", reason.label()), 1);
        }
        Emission::Suppressed => add(counts, "records_total verdict=suppressed", 1),
        other => panic!("{other:?}"),
    }
}

/// Runs a sequence; returns the samples after each step, and the counts.
fn run(steps: &[Step]) -> (Vec<Samples>, Counts) {
    let records = records();
    let first = config(POLICIES[0]);
    let mut session = Session::new(Filter::new(&first, 7).expect("small patterns"), &first);
    let mut metrics = Metrics::new(session.engine(), START);
    let (mut now, mut counts) = (START, Counts::new());
    add(&mut counts, "config_loads_total result=loaded", 1);
    let mut seen = vec![samples(&metrics, &session)];
    for step in steps {
        match *step {
            Step::Record(index) => {
                let mut verdicts = 0;
                session.record(Record::json(&records[index]), now, |emission| {
                    verdicts += 1;
                    add_verdict(&mut counts, &emission);
                });
                add(&mut counts, "received_records_total", 1);
                if verdicts > 1 {
                    add(&mut counts, "records_total verdict=batch", 1);
                    add(&mut counts, "batch_items_total", verdicts);
                }
            }
            Step::Wait(seconds) => {
                now = Time::from_millis(now.millis() + seconds * 1000);
                session.due(now, |emission| add_own(&mut counts, &emission));
            }
            Step::Load(index) => {
                metrics.replace(&mut session, &config(POLICIES[index]), 8, now).expect("small patterns");
                add(&mut counts, "config_loads_total result=loaded", 1);
            }
            Step::Refuse => {
                metrics.refuse();
                add(&mut counts, "config_loads_total result=refused", 1);
            }
            Step::Fail(cause) => {
                let Unfiltered { malformed, panicked, memory, failed } = &mut metrics.unfiltered;
                let (count, cause) = [
                    (malformed, "malformed"),
                    (panicked, "panicked"),
                    (memory, "memory"),
                    (failed, "failed"),
                ]
                .into_iter()
                .nth(cause.into())
                .expect("one of four");
                *count += 1;
                add(&mut counts, &format!("unfiltered_chunks_total cause={cause}"), 1);
            }
            Step::Finish => session.finish(now, |emission| add_own(&mut counts, &emission)),
        }
        seen.push(samples(&metrics, &session));
    }
    (seen, counts)
}

fn sum(samples: &Samples, prefix: &str) -> u64 {
    samples.iter().filter(|(name, ..)| name.starts_with(prefix)).map(|(.., value)| value).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn samples_equal_the_counts_of_a_host(steps in prop::collection::vec(step(), 1..60)) {
        let (seen, counts) = run(&steps);
        let last = seen.last().expect("a step");
        for (name, count) in &counts {
            let sample = last.iter().find(|(other, ..)| other == name);
            prop_assert_eq!(sample.map(|(.., value)| value), Some(count), "{}", name);
        }
        // Every finding and record has one verdict.
        let verdicts = sum(last, "records_total");
        prop_assert_eq!(verdicts, sum(last, "received_records_total") + sum(last, "batch_items_total"));
        prop_assert_eq!(sum(last, "entries_total origin=finding"), sum(last, "records_total verdict=kept"));
        // Every suppressed or counted finding is reported or pending.
        let suppressed = sum(last, "records_total verdict=suppressed");
        let counted = sum(last, "records_total verdict=dropped reason=counted");
        prop_assert_eq!(suppressed, sum(last, "reported_findings_total by=summary") + sum(last, "pending_findings by=summary"));
        prop_assert_eq!(counted, sum(last, "reported_findings_total by=report") + sum(last, "pending_findings by=report"));
        if let Some(Step::Finish) = steps.last() {
            prop_assert_eq!(sum(last, "pending_findings"), 0);
        }
        // The same series in the same order after each step, and no counter decreases.
        for pair in seen.windows(2) {
            prop_assert_eq!(pair[0].len(), pair[1].len());
            for ((before, metric_type, old), (after, _, new)) in pair[0].iter().zip(&pair[1]) {
                prop_assert_eq!(before, after);
                prop_assert!(*metric_type == MetricType::Gauge || old <= new, "{}: {} to {}", before, old, new);
            }
        }
    }
}

#[test]
fn rules_keep_their_counts_when_a_configuration_replaces_another() {
    let exec = Step::Record(8);
    let steps = [exec, exec, Step::Load(1), exec, Step::Load(2), exec, Step::Load(0), exec];
    let (seen, _) = run(&steps);
    let rule = |step: usize, metric: &str, rule: &str| sum(&seen[step], &format!("{metric} rule={rule}"));
    let counts =
        |step, metric| ["shells", "people", "privileged", OTHER_RULES].map(|name| rule(step, metric, name));
    assert_eq!(counts(2, "rule_selections_total"), [2, 2, 0, 0]);
    assert_eq!(counts(2, "rule_undecided_total"), [0, 0, 2, 0]);
    // `gates` and the rule with the name `other`.
    assert_eq!(counts(4, "rule_selections_total"), [2, 3, 0, 2]);
    let last = steps.len();
    assert_eq!(counts(last, "rule_selections_total"), [3, 4, 0, 2]);
    assert_eq!(counts(last, "rule_undecided_total"), [0, 0, 3, 0]);
}

#[test]
fn each_value_of_the_table_is_a_label_of_some_sample() {
    let config = config(POLICIES[0]);
    let filter = Filter::new(&config, 7).expect("small patterns");
    let mut found: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    Metrics::new(&filter, START).each(&filter, |family, labels, _| {
        for (label, value) in family.labels.iter().zip(labels).filter(|(_, value)| !value.is_empty()) {
            let values = found.entry((family.name, label.name)).or_default();
            if !values.iter().any(|known| known == value) {
                values.push((*value).to_owned());
            }
        }
    });
    for family in metrics::families() {
        for label in family.labels {
            let of_rules = ["shells", "people", "privileged", OTHER_RULES];
            let values = label.values().unwrap_or_else(|| of_rules.to_vec());
            assert_eq!(
                found.get(&(family.name, label.name)),
                Some(&values.iter().map(ToString::to_string).collect())
            );
        }
    }
}

#[test]
fn the_text_contains_every_family_once() {
    let config = config(POLICIES[0]);
    let filter = Filter::new(&config, 7).expect("small patterns");
    let text = exposition::text(&Metrics::new(&filter, START), &filter);
    for family in metrics::families() {
        let head = format!(
            "# HELP {name} {}\n# TYPE {name} {}\n{name}",
            family.help,
            family.metric_type.name(),
            name = family.full_name()
        );
        assert_eq!(text.matches(&head).count(), 1, "{head}");
    }
    assert!(text.contains("kaudit_records_total{verdict=\"dropped\",reason=\"no-rule\"} 0\n"), "{text}");
    assert!(text.contains("kaudit_config_loaded_timestamp_seconds 1583078400\n"), "{text}");
    assert!(text.ends_with("kaudit_unfiltered_chunks_total{cause=\"failed\"} 0\n"), "{text}");
}

/// Returns the section of a family in the reference.
fn section(family: &Family) -> String {
    let name = family.full_name();
    let mut text = format!("### `{name}`\nType: {}. {}\n", family.metric_type.name(), family.help);
    for label in family.labels {
        let values = match label.values() {
            Some(values) => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
            None => format!("the name of a rule of the policy, or `{OTHER_RULES}`"),
        };
        let _ = write!(text, "\n- `{}`: {values}", label.name);
    }
    let gap = if family.labels.is_empty() { "\n" } else { "\n\n" };
    let _ = write!(text, "{gap}```promql\n{}\n```\n", family.query);
    text
}

fn reference() -> String {
    let sections: Vec<String> = metrics::families().map(section).collect();
    let row = |reason: &Reason| format!("| `{}` | {} |", reason.label(), reason.help());
    let reasons: Vec<String> = Reason::ALL.iter().map(row).collect();
    include_str!("metrics.md")
        .replace("{sections}", sections.join("\n").trim_end())
        .replace("{reasons}", &reasons.join("\n"))
        .replace("{max_rules}", &metrics::MAX_RULES.to_string())
}

#[test]
fn the_reference_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, reference()).expect("the file can be written");
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(current == reference(), "regenerate it: BLESS=1 cargo test -p kaudit-host-kit --test metrics");
}
