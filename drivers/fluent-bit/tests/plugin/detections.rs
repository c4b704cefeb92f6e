//! Detections of audit events, whose last windows close when the agent stops.

use std::fs;

use kaudit_driver::Record;
use serde_json::Value;

use super::agent::{Agent, text};
use super::state;

/// Six requests of a principal for different paths outside the API, within a second.
fn scan() -> Vec<Record> {
    let time = "2020-03-01T16:00:00Z";
    let event = |number: u32| {
        text(&format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","requestURI":"/x/{number}","verb":"get","user":{{"username":"a"}},"responseStatus":{{"code":404}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}"}}"#
        ))
    };
    (0..6).map(event).collect()
}

fn made(events: &[(String, Value)]) -> usize {
    events.iter().filter(|(_, body)| body.to_string().contains("history-ms")).count()
}

#[test]
fn detections_of_the_last_windows_survive_a_stop() {
    let (folder, option) = state("stop-detections");
    let config = folder.with_extension("yaml");
    fs::write(
        &config,
        "detect: {learning: 1s}\nunrecognised: drop\nintegrations:\n- type: detections\n  target: {target-type: \
         http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"}\n",
    )
    .expect("a file");
    let config = format!("config_file {}", config.display());
    let account = "0 pending summaries (of 0 suppressed findings), 0 pending reports (of 0 counted findings) and 3 \
                   pending detections";

    let mut agent = Agent::started("3.2", &[&config, &option]);
    assert_eq!(made(&agent.chunk(&scan()).1), 0, "the window is open");
    let kept = format!("3 shutdown: kept for the next start: {account}");
    assert_eq!(agent.stop().last(), Some(&kept));

    let mut agent = Agent::started("3.2", &[&config, &option]);
    assert_eq!(agent.logged(), [format!("3 of the last run, to be sent with the first chunk: {account}")]);
    assert_eq!(made(&agent.chunk(&[text("a line")]).1), 3);
    let stopped = agent.stop();
    assert!(!stopped.iter().any(|line| line.contains("shutdown")), "{stopped:?}");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "nothing is pending");

    let mut agent = Agent::started("3.2", &[&config]);
    agent.chunk(&scan());
    let lost = format!("2 shutdown: not sent: {account}; set `state_path` to keep them");
    assert_eq!(agent.stop().last(), Some(&lost));
}
