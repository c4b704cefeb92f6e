//! Properties of detections: they depend on the events alone, and their memory is bounded.

use std::collections::BTreeSet;

use allocation_counter::measure;
use kaudit_filter::config::{NoFiles, read};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time};
use proptest::prelude::*;
use serde_json::Value;

/// The start of a window.
const START: i64 = 1_583_075_340_000;
const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

const CONFIG: &str = "unrecognised: drop\nuse: all\nintegrations:\n- {type: detections, target: {target-type: slack, \
                      slack-uri: 'https://example.com'}}\n";

fn filter(sections: &str) -> Filter {
    let read = read("kaudit.yaml", &format!("{sections}\n{CONFIG}"), &NoFiles);
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    Filter::new(&config, 7).expect("small patterns")
}

/// A filter that has nothing to learn.
fn experienced() -> Filter {
    filter("detect: {learning: 1s}")
}

/// An event of a path outside the API, which is answered with 404.
fn event(millis: i64, user: &str, path: &str) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).expect("a time").to_string();
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"ResponseComplete","requestURI":"{path}","verb":"get","user":{{"username":"{user}"}},"sourceIPs":["192.0.2.7"],"userAgent":"curl/8","responseStatus":{{"metadata":{{}},"code":404}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}"}}"#
    )
}

fn process(filter: &mut Filter, event: &str, now: Time) {
    filter.process(Record::json(event), now, |_| ());
}

fn drain(filter: &mut Filter, now: Time, all: bool, out: &mut Vec<String>) {
    while let Some(entry) = if all { filter.finish(now) } else { filter.due(now) } {
        let mut text = Vec::new();
        entry.write_json(&mut text);
        out.push(String::from_utf8(text).expect("UTF-8"));
    }
}

/// Returns the entries of detections. `chunks`: the numbers of events between two drains, repeated.
fn detections(events: &[(i64, String)], chunks: &[usize]) -> Vec<String> {
    // All entries have the same time of arrival, so that only the division into chunks differs.
    let now = Time::from_millis(START + DAY / 2);
    let (mut filter, mut out) = (experienced(), Vec::new());
    let mut rest = events;
    for chunk in chunks.iter().cycle() {
        let (chunk, after) = rest.split_at((*chunk).min(rest.len()));
        for (_, event) in chunk {
            process(&mut filter, event, now);
        }
        drain(&mut filter, now, false, &mut out);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    drain(&mut filter, now, true, &mut out);
    assert!(filter.stats().balances(), "{:?}", filter.stats());
    out
}

/// Times and paths of a few users, of which some are detections.
fn events() -> impl Strategy<Value = Vec<(i64, String)>> {
    let event = (0..60_i64 * MINUTE, 0..3_usize, 0..40_u32).prop_map(|(at, user, path)| {
        (START + at, event(START + at, ["a", "b", "c"][user], &format!("/x/{path}")))
    });
    prop::collection::vec(event, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_division_into_chunks_has_no_effect(
        mut events in events(),
        chunks in prop::collection::vec(1..20_usize, 1..6),
    ) {
        events.sort_by_key(|(time, _)| *time);
        prop_assert_eq!(detections(&events, &chunks), detections(&events, &[usize::MAX]));
    }

    #[test]
    fn the_order_within_the_lateness_has_no_effect(
        mut events in events(),
        delays in prop::collection::vec(0..3 * MINUTE, 120),
    ) {
        events.sort_by_key(|(time, _)| *time);
        let expected = detections(&events, &[1]);
        let mut delayed: Vec<_> = events.into_iter().zip(delays).collect();
        delayed.sort_by_key(|((time, _), delay)| time + delay);
        let delayed: Vec<_> = delayed.into_iter().map(|(event, _)| event).collect();
        prop_assert_eq!(detections(&delayed, &[1]), expected);
    }

    #[test]
    fn any_times_have_a_result(times in prop::collection::vec(any::<i32>(), 1..200)) {
        let mut filter = experienced();
        for time in times {
            let time = START + i64::from(time) * 60;
            process(&mut filter, &event(time, "a", "/x"), Time::from_millis(START));
        }
        drain(&mut filter, Time::from_millis(START), true, &mut Vec::new());
        prop_assert!(filter.stats().balances());
    }
}

#[test]
fn a_late_event_and_a_wrong_clock_have_no_effect_and_are_counted() {
    let burst = (0..6).map(|at| (START + DAY + at, event(START + DAY + at, "a", &format!("/x/{at}"))));
    let mut events: Vec<(i64, String)> = vec![(START, event(START, "a", "/"))];
    events.extend(burst);
    let expected = detections(&events, &[1]);
    assert_eq!(
        expected.len(),
        3,
        "different and all of the principal, different of the cluster: {expected:#?}"
    );
    for time in [START + DAY - 10 * MINUTE, START + 10_000 * DAY, -DAY] {
        let mut filter = experienced();
        let mut out = Vec::new();
        let now = Time::from_millis(START + DAY);
        for (_, event) in &events {
            process(&mut filter, event, now);
        }
        process(&mut filter, &event(time, "a", "/y"), now);
        drain(&mut filter, now, true, &mut out);
        assert_eq!(out.len(), 3, "{time}");
        assert!(out.iter().all(|entry| !entry.contains("/y")));
        assert_eq!(filter.stats().detect_late, 1, "{time}");
    }
}

#[test]
fn detections_continue_after_the_clock_moved() {
    let mut filter = experienced();
    let (now, mut out) = (Time::from_millis(START), Vec::new());
    process(&mut filter, &event(START, "a", "/"), now);
    let other = START - 300 * DAY;
    for at in 0..1_100 {
        process(&mut filter, &event(other + at, "a", "/"), now);
    }
    for at in 0..6 {
        process(&mut filter, &event(other + 5 * MINUTE + at, "a", "/x"), now);
    }
    drain(&mut filter, now, true, &mut out);
    assert_eq!(out.len(), 1, "{out:#?}");
    assert_eq!(filter.stats().detect_late, 1_023);
}

#[test]
fn detections_pass_filters_limits_and_redaction() {
    let sections =
        "detect: {learning: 1s}\naudit: {cluster: crm}\nredact: [{field: unusual-uri, pattern: '[0-9]+'}]";
    let with = |integration: &str| {
        let config = CONFIG.replace("type: detections,", &format!("type: detections, {integration},"));
        let read = read("kaudit.yaml", &format!("{sections}\n{config}"), &NoFiles);
        let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let mut filter = Filter::new(&config, 7).expect("small patterns");
        let (now, mut out) = (Time::from_millis(START + 10 * MINUTE), Vec::new());
        process(&mut filter, &event(START - 10 * MINUTE, "a", "/"), now);
        for at in 0..6 {
            process(&mut filter, &event(START + at, "a", &format!("/x/{at}")), now);
        }
        drain(&mut filter, now, true, &mut out);
        assert!(filter.stats().balances(), "{:?}", filter.stats());
        let entries = out.iter().map(|entry| serde_json::from_str(entry).expect("JSON")).collect();
        (entries, *filter.stats())
    };
    let (entries, stats): (Vec<Value>, _) = with("data-filter: {etype: [cluster]}");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["text"]["context"]["unusual-uri"], Value::from(vec!["/x/***"; 6]));
    assert_eq!(entries[0]["applicationName"], "crm");
    assert_eq!(entries[0]["text"]["kaudit_filter"]["detection"]["expected"], 0);
    assert_eq!(entries[0]["text"]["kaudit_filter"]["detection"]["history-ms"], 10 * MINUTE + 2 * MINUTE);
    assert_eq!((stats.detected(), stats.kept(), stats.dropped()), (3, 1, 9));
    let (entries, stats) = with("data-filter: {confidence: [medium]}");
    assert_eq!((entries.len(), stats.detected(), stats.dropped()), (0, 3, 10));
}

#[test]
fn the_memory_does_not_grow_with_the_number_of_principals() {
    /// The memory that the design promises, for everything that a filter allocates while it runs.
    const MAX: u64 = 8_000_000;
    let now = Time::from_millis(START);
    // All at once, and 4,000 in each window.
    for (principals, per_window) in [(10, 10), (10_000, 10_000), (1_000_000, 4_000)] {
        let mut filter = filter("detect: {}");
        let long = "x".repeat(200);
        let measured = measure(|| {
            for number in 0..principals {
                let time = START + number / per_window * 3 * MINUTE;
                let (user, path) = (format!("{long}{number}"), format!("/{number}/{long}"));
                process(&mut filter, &event(time, &user, &path), now);
                while filter.due(now).is_some() {}
            }
        });
        let (series, max) = filter.series_fill();
        assert!(series <= max, "{series} series");
        assert!(measured.bytes_max < MAX, "{principals} principals take {} bytes", measured.bytes_max);
        assert_eq!(filter.stats().detect_overflow > 0, principals > 10, "{principals}");
    }
}

#[test]
fn one_event_contributes_to_each_kind_once() {
    let shell = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"%","stage":"ResponseStarted","requestURI":"/api/v1/namespaces/shop/pods/web-%/exec?command=ls&command=-l","verb":"get","user":{"username":"a"},"userAgent":"kubectl/v1.33 scan%","objectRef":{"resource":"pods","namespace":"shop","name":"web-%","subresource":"exec"},"responseStatus":{"code":403,"reason":"Forbidden"},"stageTimestamp":"2020-03-01T15:09:0%Z","annotations":{"authorization.k8s.io/decision":"forbid"}}"#;
    let mut filter = experienced();
    let (now, mut out) = (Time::from_millis(START), Vec::new());
    process(&mut filter, &event(START - 10 * MINUTE, "a", "/"), now);
    for number in ["1", "2", "3", "4"] {
        process(&mut filter, &shell.replace('%', number), now);
    }
    drain(&mut filter, now, true, &mut out);
    let found: BTreeSet<String> = out
        .iter()
        .map(|entry| {
            let entry: Value = serde_json::from_str(entry).expect("JSON");
            let text = &entry["text"];
            format!(
                "{} {} {} {}",
                text["etype"], text["short-doc"], text["reasons"][0]["values"], text["context"]
            )
            .replace('"', "")
        })
        .collect();
    let expected = [
        "cluster change in remote shells {high:[4]} null",
        "principal change in access tool {high:[4]} {caller-supplied-user-agent:[scan1,scan2,scan3,scan4]}",
        "principal change in remote commands {high:[1]} {subresource-exec-command:[ls -l]}",
        "principal change in remote commands {high:[4]} {subresource-exec-command:[ls -l]}",
        "principal change in remote shells {high:[4]} null",
        "principal change in status reason of access attempts {high:[4]} {status-reason:[Forbidden]}",
        "principal change in unauthorized access attempts {high:[4]} null",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// Passes the events to a filter, closes its windows, and returns its detections.
fn finished(filter: &mut Filter, events: &[(i64, String)]) -> Vec<String> {
    let (now, mut out) = (Time::from_millis(START + DAY / 2), Vec::new());
    for (_, event) in events {
        process(filter, event, now);
    }
    drain(filter, now, true, &mut out);
    out
}

#[test]
fn a_detection_that_does_not_fit_is_made_in_the_next_window() {
    /// The principals, each with two detections.
    const PRINCIPALS: i64 = 600;
    let events = |window: i64, paths: i64| -> Vec<(i64, String)> {
        let at = START + window * 3 * MINUTE;
        let each = (0..PRINCIPALS).flat_map(|user| (0..paths).map(move |path| (user, path)));
        each.map(|(user, path)| (at, event(at, &format!("user-{user}"), &format!("/x/{path}")))).collect()
    };
    let mut filter = experienced();
    for window in 0..30 {
        assert_eq!(finished(&mut filter, &events(window, 1)), Vec::<String>::new(), "{window}");
    }
    assert_eq!(finished(&mut filter, &events(30, 6)).len(), 1_024, "the queue is full");
    assert_eq!(filter.stats().detect_overflow, 177);
    assert_eq!(finished(&mut filter, &events(31, 6)).len(), 177, "the others were reported");
}

#[test]
fn a_long_name_of_a_cluster_has_one_history() {
    for length in [3, 2_000] {
        let mut filter =
            filter(&format!("detect: {{learning: 1s}}\naudit: {{cluster: {}}}", "x".repeat(length)));
        let mut events = vec![(START, event(START - 30 * MINUTE, "a", "/"))];
        events.extend((0..6).map(|at| (START, event(START, "a", &format!("/x/{at}")))));
        let found = finished(&mut filter, &events);
        assert_eq!(found.len(), 3, "{length}");
        let history = format!("\"history-ms\":{}", 30 * MINUTE);
        assert!(found.iter().all(|entry| entry.contains(&history)), "{length}: {found:#?}");
    }
}

#[test]
fn events_of_closed_windows_are_not_used_again() {
    let events: Vec<(i64, String)> =
        (0..2_000).map(|at| (START + at, event(START + at, "a", &format!("/x/{at}")))).collect();
    let mut first = experienced();
    assert_eq!(finished(&mut first, &events).len(), 3);
    let snapshot = first.detections_snapshot().expect("detections are made");
    let mut second = experienced();
    assert_eq!(second.restore_detections(&snapshot), Ok(()));
    assert_eq!(finished(&mut second, &events), Vec::<String>::new());
    assert_eq!(second.stats().detect_late, 2_000);
    assert_eq!(second.detections_snapshot(), Some(snapshot), "nothing is learned twice");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restart_with_a_snapshot_has_no_effect_between_windows(mut events in events(), at in 1..20_i64) {
        events.sort_by_key(|(time, _)| *time);
        let middle = events.partition_point(|(time, _)| *time < START + at * 3 * MINUTE);
        let (before, after) = events.split_at(middle);
        let mut whole = experienced();
        let expected = [finished(&mut whole, before), finished(&mut whole, after)].concat();
        let mut first = experienced();
        let mut found = finished(&mut first, before);
        let snapshot = first.detections_snapshot().expect("detections are made");
        let mut second = experienced();
        prop_assert_eq!(second.restore_detections(&snapshot), Ok(()));
        prop_assert_eq!(second.detections_snapshot(), Some(snapshot));
        found.extend(finished(&mut second, after));
        prop_assert_eq!(found, expected);
        prop_assert_eq!(second.detections_snapshot(), whole.detections_snapshot());
    }
}

#[test]
fn a_snapshot_contains_no_text_and_a_refused_one_changes_nothing() {
    let mut one = experienced();
    let events: Vec<(i64, String)> =
        (0..6).map(|at| (START + at, event(START + at, "petra", "/secret-path"))).collect();
    finished(&mut one, &events);
    let snapshot = one.detections_snapshot().expect("detections are made");
    for text in ["petra", "secret", "path"] {
        assert!(!snapshot.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    for (damaged, expected) in [
        (&snapshot[1..], "not a snapshot of detections"),
        (&snapshot[..snapshot.len() - 1], "a damaged snapshot of detections"),
    ] {
        let error = one.restore_detections(damaged).expect_err("it is refused");
        assert_eq!(error.to_string(), expected);
        assert_eq!(one.detections_snapshot().as_ref(), Some(&snapshot));
    }
    let mut without = filter("audit: {}");
    let error = without.restore_detections(&snapshot).expect_err("no detections");
    assert_eq!(error.to_string(), "the configuration has no section `detect`");
    assert_eq!(without.detections_snapshot(), None);
}
