//! Tests the state that a filter keeps when its configuration is replaced.

use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, config};
use serde_json::Value;

const NOW: Time = Time::from_millis(1_583_078_400_000);

fn read(sections: &str) -> config::Config {
    let text = format!(
        "{sections}integrations:\n- {{type: detections, target: {{target-type: http-api, http-api-uri: \
         'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {{limit: 1, by: entity}}}}}}\n"
    );
    config::read("kaudit.yaml", &text, &config::NoFiles).config.expect("no mistakes")
}

#[test]
fn a_pending_summary_is_redacted_by_the_new_configuration() {
    let mut filter = Filter::new(&read(""), 7).expect("no patterns");
    let record = r#"{"etype":"principal","eid":"john@corp","time":1583078400000}"#;
    for _ in 0..2 {
        filter.process(Record::json(record), NOW, |_| ());
    }
    filter.replace(&read("redact: [{field: eid, pattern: '\\w+@corp'}]\n"), 7).expect("small patterns");
    let mut json = Vec::new();
    filter.finish(NOW).expect("a summary is pending").write_json(&mut json);
    let entry: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(entry["text"]["kaudit_filter"]["summary"]["key"], "***");
}
