//! `kaudit-filter endpoint`: searches, counts by field, and alerts.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The time of the endpoint (`--now`) and of the entries.
const NOW: i64 = 1_773_748_800_000;

struct Endpoint {
    child: Child,
    url: String,
}

impl Endpoint {
    fn start(listen: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"));
        command.args(["endpoint", "--listen", listen, "--now", &NOW.to_string()]).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = log.next().unwrap().unwrap();
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        let url = first.strip_prefix("listening on ").unwrap_or_else(|| panic!("{first}")).to_owned();
        Self { child, url }
    }

    fn post(&self, entries: &[Value]) -> Value {
        let request = minreq::post(format!("{}/logs/v1/singles", self.url));
        let request =
            request.with_header("Authorization", "Bearer test").with_body(json!(entries).to_string());
        serde_json::from_slice(request.with_timeout(30).send().unwrap().as_bytes()).unwrap()
    }

    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
        let parameters: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let response =
            minreq::get(format!("{}{path}?{parameters}", self.url)).with_timeout(30).send().unwrap();
        (response.status_code, serde_json::from_slice(response.as_bytes()).unwrap())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn selection(rule: &str, principal: &str, severity: u64) -> Value {
    json!({
        "applicationName": "prod-eu", "subsystemName": "kaudit-selections", "severity": severity, "timestamp": NOW,
        "text": {"rule": rule, "principal": principal, "cluster": "prod-eu"},
    })
}

#[test]
fn entries_are_searched_counted_and_filtered() {
    let endpoint = Endpoint::start("127.0.0.1:0");
    let entries = [
        selection("exec into pod", "johnD", 5),
        selection("exec into pod", "jane", 6),
        selection("a", "jane", 9),
    ];
    assert_eq!(endpoint.post(&entries)["rejected"], 1);
    let (_, all) = endpoint.get("/entries", &[]);
    assert_eq!((&all["found"], &all["rejected"]), (&json!(3), &json!(1)));
    let users = all["facets"].as_array().unwrap().iter().find(|facet| facet["name"] == "user").unwrap();
    assert_eq!(users["values"], json!([{"value": "jane", "count": 2}, {"value": "johnD", "count": 1}]));
    for (parameters, found) in [
        (&[("query", "rule:exec*")][..], 2),
        (&[("query", "rule:exec*"), ("filter", "user:jane")], 1),
        (&[("filter", "user:jane"), ("filter", "severity:critical")], 1),
        (&[("filter", "user:jane"), ("verdict", "rejected")], 1),
        (&[("query", "principal:jane"), ("verdict", "all")], 2),
        (&[("query", "_exists_:endpoint.reasons"), ("verdict", "rejected")], 1),
        (&[("query", "principal:jane")], 1),
    ] {
        let (status, answer) = endpoint.get("/entries", parameters);
        assert_eq!((status, &answer["found"]), (200, &json!(found)), "{parameters:?}: {answer}");
        assert_eq!(answer["hints"], json!([]), "{parameters:?}");
    }
    let (_, none) = endpoint.get("/entries", &[("query", "Principal:jane")]);
    let hint = none["hints"][0].as_str().unwrap();
    assert!(hint.contains("did you mean `principal`? Names of fields are case-sensitive"), "{none}");
    for (parameters, reason) in [
        (&[("filter", "colour:red")][..], "filter: expected `FIELD:VALUE` with one of the fields severity, "),
        (&[("verdict", "maybe")], "verdict: expected accepted, rejected or all"),
        (&[("colour", "red")], "unknown parameter `colour`"),
    ] {
        let (status, answer) = endpoint.get("/entries", parameters);
        assert!(status == 400 && answer["reasons"][0].as_str().unwrap().starts_with(reason), "{answer}");
    }
}

#[test]
fn shipped_alerts_are_evaluated_over_accepted_entries() {
    // A port of this machine.
    let endpoint = Endpoint::start(":0");
    let raised = || -> Vec<String> {
        let (_, alerts) = endpoint.get("/alerts", &[]);
        let raised = alerts.as_array().unwrap().iter().filter(|alert| alert["state"] == "raised");
        raised.map(|alert| alert["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(raised(), Vec::<String>::new());
    let failure = |severity| selection("admin authentication failure", "admin", severity);
    // A rejected entry raises nothing.
    endpoint.post(&vec![failure(9); 6]);
    assert_eq!(raised(), Vec::<String>::new());
    endpoint.post(&[failure(5)]);
    let ratio = "kAudit: ratio of failed to successful admin authentications";
    assert_eq!(raised(), [ratio]);
    endpoint.post(&vec![failure(6); 5]);
    assert_eq!(raised(), ["kAudit: critical finding", "kAudit: admin authentication failures", ratio]);
    let (_, alerts) = endpoint.get("/alerts", &[]);
    assert_eq!(alerts[1]["detail"], "at most 6 in 10 minutes; raised above 5");
    assert_eq!(alerts[1]["raised"], NOW);
    assert_eq!(alerts[4]["state"], "not-evaluated");
}
