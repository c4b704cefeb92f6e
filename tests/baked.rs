//! Tests that a baked filter decides as the one from which it was baked.
#![cfg(feature = "bake")]

use kaudit_filter::config::{self, NoFiles};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict, bake};

const NOW: Time = Time::from_millis(1_583_073_360_000);

const CONFIG: &str = r#"
severity:
  - {rule: '(?i)röle|\d{3}', severity: critical}
redact:
  - {field: uri, pattern: '(?i)password=\S*', replacement: 'password=***'}
  - {field: doc, pattern: '\w+é|x+', replacement: '-'}
look-in: [log, properties.log]
use: all
integrations:
  - {type: detections, target: {target-type: slack, slack-uri: "https://slack.example"}, data-filter: {entity-match: '^a', entity-no-match: 'z$'}}
  - {type: detections, target: {target-type: slack, slack-uri: "https://slack.example"}, data-filter: {entity-match: 'ü.*ü'}}
  - {type: selections, target: {target-type: slack, slack-uri: "https://slack.example"}, data-filter: {rules-match: '^exec|unsafe$'}}
"#;

/// Returns the entry of a record, or its verdict.
fn outcome(filter: &mut Filter, record: &str) -> String {
    let mut outcome = String::new();
    filter.process(Record::json(record), NOW, |verdict| match verdict {
        Verdict::Kept(entry) => {
            let mut line = Vec::new();
            entry.write_json(&mut line);
            outcome += &String::from_utf8(line).unwrap();
        }
        verdict => outcome.push_str(match verdict {
            Verdict::Dropped(reason) => reason.label(),
            Verdict::Suppressed => "suppressed",
            _ => "passed",
        }),
    });
    outcome
}

/// Leaks the bytes: a baked filter borrows them for the rest of the test.
fn placed(bytes: &[u8]) -> &'static [u8] {
    bytes.to_vec().leak()
}

#[test]
fn a_baked_filter_decides_as_its_original() {
    let config = config::read("kaudit.yaml", CONFIG, &NoFiles).config.expect("a good configuration");
    let mut original = Filter::new(&config, 1).unwrap();
    let (mut baked, unbaked) = Filter::from_baked(placed(&bake(&config).unwrap()), 1).unwrap();
    assert_eq!(unbaked.look_in, config.look_in);
    assert_eq!(unbaked.look_in.concat(), ["log", "properties", "log"]);
    let mut kept = 0;
    for eid in ["a", "az", "b", "übü", "a\u{fc}z\u{fc}"] {
        for rule in ["", "exec pods", "very unsafe", "unsafe exec", "RÖLE unsafe", "exec 123", "exec ١٢٣"]
        {
            let record = format!(
                r#"{{"etype":"principal","eid":"{eid}","rule":"{rule}","count":1,"doc":"café xx ok","uri":"/?PassWord=ü&b"}}"#
            );
            let selection = record.replace("etype", "e").replace("eid", "principal");
            for record in [record, selection] {
                let expected = outcome(&mut original, &record);
                assert_eq!(outcome(&mut baked, &record), expected, "{record}");
                kept += usize::from(expected.starts_with('{'));
            }
        }
    }
    assert!(kept > 20, "the records were to be kept in part: {kept}");
    assert_eq!(original.stats(), baked.stats());
}

#[test]
fn damaged_bytes_are_refused() {
    let config = config::read("kaudit.yaml", CONFIG, &NoFiles).config.expect("a good configuration");
    let bytes = bake(&config).unwrap();
    for end in [1, 5, 20, 40, bytes.len() / 2, bytes.len() - 4] {
        assert!(Filter::from_baked(placed(&bytes[..end]), 1).is_err(), "{end} of {} bytes", bytes.len());
    }
}

#[test]
fn a_pattern_that_no_table_holds_is_named() {
    let text = CONFIG.replace("'^a'", r"'\bexec\b'");
    let config = config::read("kaudit.yaml", &text, &NoFiles).config.expect("a good configuration");
    let error = bake(&config).unwrap_err().to_string();
    assert!(error.contains(r"`\bexec\b`") && error.contains(r"write `(?-u:\b)` for `\b`"), "{error}");
}
