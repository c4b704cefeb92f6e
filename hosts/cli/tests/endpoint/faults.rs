//! Injected faults.

use serde_json::json;

use super::{Endpoint, KEY, PATTERN, entry};

#[test]
fn faults_are_injected_in_order() {
    let endpoint =
        Endpoint::start(&["--fault", "429:1", "--fault", "503:1", "--fault", "reset:1", "--fault", "slow:1"]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let post = || endpoint.post("/logs/v1/singles", &[KEY], good.clone());
    let statuses: Vec<Option<u16>> = (0..5).map(|_| post().map(|(status, _)| status)).collect();
    assert_eq!(statuses, [Some(429), Some(503), None, Some(200), Some(200)]);
    let counts = json!({"requests": 5, "refused": 0, "faults": 4, "accepted": 2, "rejected": 0});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(0));
    for line in ["status 429", "status 503", "connection closed", "answered after 3s"] {
        assert!(log.contains(&format!("injected fault: {line}")), "no {line:?} in {log}");
    }
}
