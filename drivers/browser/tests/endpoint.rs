//! The page of `kaudit-filter endpoint` in a browser, with the entries of the examples.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use kaudit_browser_driver::{Browser, build_program};
use serde_json::{Value, json};

/// The program, built once for all tests.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build_program().unwrap())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The time of the endpoint and of the entries.
const NOW: &str = "2026-03-17T12:00:00Z";

/// The endpoint, filled with entries.
struct Endpoint {
    child: Child,
    address: String,
}

impl Endpoint {
    fn start() -> Self {
        let mut command = Command::new(program());
        command.args(["endpoint", "--listen", ":0", "--now", NOW]).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = log.next().unwrap().unwrap();
        // The log is read to its end, so that the endpoint can write it.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        let address = first.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }
}

/// Posts entries from the page's own origin, as the contract requires.
fn post(browser: &mut Browser, body: &str) -> Value {
    post_to(browser, "/logs/v1/singles", body)
}

fn post_to(browser: &mut Browser, path: &str, body: &str) -> Value {
    let headers = json!({"Authorization": "Bearer test", "Content-Type": "application/json"});
    let options = json!({"method": "POST", "headers": headers, "body": body});
    let posted = browser.eval(&format!("fetch('{path}', {options}).then(it => it.json())"));
    posted.unwrap()
}

/// A critical finding that arrives by OTLP; the second log record has a severity without a level.
fn otlp_request() -> Value {
    let text = |text: &str| json!({"stringValue": text});
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(key, value)| json!({"key": key, "value": text(value)})).collect::<Vec<_>>()
    };
    let record = |severity: u64| {
        json!({
            "timeUnixNano": "1773748800000000000", "severityNumber": severity,
            "attributes": pairs(&[("methodName", "exec into pod"), ("threadId", "otlp-user")]),
            "body": {"kvlistValue": {"values": pairs(&[("eid", "otlp-user"), ("cluster", "otlp-cluster")])}},
        })
    };
    let names = pairs(&[("cx.application.name", "otlp-cluster"), ("cx.subsystem.name", "kaudit-detections")]);
    json!({"resourceLogs": [{"resource": {"attributes": names}, "scopeLogs": [{"logRecords": [record(21), record(2)]}]}]})
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The entries of the example findings.
fn entries() -> String {
    let files =
        ["detections", "selections", "activity"].map(|kind| format!("examples/findings/{kind}.ndjson"));
    let mut run = Command::new(program());
    run.args(["run", "--quiet", "--config", "examples/kaudit.yaml", "--now", NOW]).args(files);
    let output = run.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An entry of a failed authentication, `minute` minutes before [`NOW`].
fn failure(minute: i64) -> Value {
    json!({
        "timestamp": 1_773_748_800_000_i64 - minute * 60_000, "severity": 5, "applicationName": "prod-eu",
        "subsystemName": "kaudit-selections",
        "text": {"rule": "admin authentication failure", "principal": "admin", "cluster": "prod-eu"},
    })
}

/// Returns a browser of this name with the page, which has the entries.
fn filled(name: &str) -> (Browser, Endpoint) {
    let endpoint = Endpoint::start();
    let mut browser = Browser::start(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)).unwrap();
    browser.look((1440, 900), "light").unwrap();
    open(&mut browser, &endpoint.address);
    assert_eq!(text(&mut browser, "#note"), "No entries received yet");
    let answer = post(&mut browser, &entries());
    assert_eq!(answer["rejected"], 0, "{answer}");
    let failures: Vec<_> = (0..6).map(failure).collect();
    post(&mut browser, &json!(failures).to_string());
    let rejected =
        json!([{"severity": 9, "applicationName": "a", "subsystemName": "b", "text": {"eid": "johnD"}}]);
    assert_eq!(post(&mut browser, &rejected.to_string())["rejected"], 1);
    open(&mut browser, &endpoint.address);
    (browser, endpoint)
}

fn open(browser: &mut Browser, address: &str) {
    browser.navigate(address).unwrap();
    browser.wait("window.page !== undefined").unwrap();
    browser.eval("window.page.ready.then(() => true)").unwrap();
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let text = browser.eval(&format!("document.querySelector({})?.textContent ?? ''", json!(selector)));
    text.unwrap().as_str().unwrap().to_owned()
}

fn count(browser: &mut Browser, selector: &str) -> u64 {
    browser.eval(&format!("document.querySelectorAll({}).length", json!(selector))).unwrap().as_u64().unwrap()
}

/// Types a query and submits it.
fn search(browser: &mut Browser, query: &str) {
    browser.eval("byId('query').focus(), byId('query').select()").unwrap();
    browser.type_text(query).unwrap();
    browser.press("Enter").unwrap();
    browser.wait("JSON.parse(last || '[{}]')[0].query === byId('query').value").unwrap();
}

#[test]
fn entries_are_searched_and_counted_by_field() {
    let (mut browser, _endpoint) = filled("endpoint-search");
    let all = count(&mut browser, "#entries details");
    assert!(all > 30, "{all}");
    assert_eq!(count(&mut browser, ".facet"), 5);
    assert_eq!(count(&mut browser, "#entries .refused"), 1);

    search(&mut browser, "eid:johnD AND short-doc:\"Change in usage pattern\"");
    let found = count(&mut browser, "#entries details");
    assert!((1..all).contains(&found), "{found}");
    assert!(text(&mut browser, "#note").starts_with(&format!("{found} of {all} stored entries match")));

    // A click on a value restricts the result to it; the number beside the value is the new number of entries.
    search(&mut browser, "rule:*");
    let value = "document.querySelector('.facet [data-filter^=\"user:\"]')";
    let expected = browser.eval(&format!("{value}.querySelector('b').textContent")).unwrap();
    browser.eval(&format!("{value}.click()")).unwrap();
    browser.wait("document.querySelectorAll('#filters button').length === 1").unwrap();
    assert_eq!(count(&mut browser, "#entries details").to_string(), expected.as_str().unwrap());
    assert!(browser.eval("location.search").unwrap().as_str().unwrap().contains("filter=user%3A"));
    browser.eval("document.querySelector('#filters button').click()").unwrap();
    browser.wait("document.querySelectorAll('#filters button').length === 0").unwrap();

    // Rejected entries are found with the reasons.
    search(&mut browser, "eid:johnD AND _exists_:endpoint.reasons");
    assert_eq!(count(&mut browser, "#entries .refused"), 1);
    assert!(text(&mut browser, ".reasons").contains("/severity"), "{}", text(&mut browser, ".reasons"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let foreign: Vec<_> =
        browser.requests().into_iter().filter(|url| !url.starts_with("http://127.0.0.1:")).collect();
    assert_eq!(foreign, Vec::<&str>::new());
}

#[test]
fn a_query_without_results_is_explained() {
    let (mut browser, _endpoint) = filled("endpoint-hints");
    search(&mut browser, "Short-doc:\"Change in usage pattern\"");
    assert_eq!(count(&mut browser, "#entries details"), 0);
    assert!(text(&mut browser, "#hints").contains("did you mean `short-doc`?"));
    search(&mut browser, "eid:[a TO b]");
    assert!(text(&mut browser, "#note.mistake").contains("column 5: `[`"));
}

#[test]
fn an_otlp_log_is_displayed_found_and_raises_its_alert() {
    let (mut browser, endpoint) = filled("endpoint-otlp");
    let answer = post_to(&mut browser, "/v1/logs", &otlp_request().to_string());
    assert_eq!(answer["partialSuccess"]["rejectedLogRecords"], "1", "{answer}");
    open(&mut browser, &endpoint.address);
    assert_eq!(text(&mut browser, "#entries details:not(.refused) .form"), "OTLP as JSON");
    assert_eq!(text(&mut browser, "#entries details:last-child .form"), "singles");
    let first = text(&mut browser, "#entries details:not(.refused) summary");
    for part in ["critical", "otlp-cluster / kaudit-detections", "exec into pod", "otlp-user"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    assert!(text(&mut browser, ".refused .reasons").contains("severityNumber"));
    let raised = "[...document.querySelectorAll('.alert.raised b')].map(it => it.textContent)";
    let raised = browser.eval(raised).unwrap();
    assert!(raised.to_string().contains("kAudit: critical finding (p1, OTLP)"), "{raised}");

    search(&mut browser, "eid:otlp-user");
    assert_eq!(count(&mut browser, "#entries details"), 0);
    assert!(text(&mut browser, "#hints").contains("`logRecord.body.eid:otlp-user` matches 2 entries"));
    search(&mut browser, "logRecord.body.eid:otlp-user");
    assert_eq!(count(&mut browser, "#entries details"), 2);
    assert_eq!(count(&mut browser, ".facet [data-filter=\"user:otlp-user\"]"), 1);
    browser.eval("document.querySelector('#entries details').open = true").unwrap();
    assert!(text(&mut browser, "#entries pre").contains("\"logRecord\""));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    if let Some(folder) = std::env::var_os("KAUDIT_SCREENSHOTS").map(PathBuf::from) {
        for (width, scheme) in [(1440, "light"), (390, "dark")] {
            browser.look((width, 900), scheme).unwrap();
            browser.screenshot(&folder.join(format!("endpoint-otlp-{width}-{scheme}.png"))).unwrap();
        }
    }
}

#[test]
fn alerts_are_raised_by_the_entries() {
    let (mut browser, _endpoint) = filled("endpoint-alerts");
    let raised =
        browser.eval("[...document.querySelectorAll('.alert.raised b')].map(it => it.textContent)").unwrap();
    let raised: Vec<_> = raised.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for name in ["kAudit: critical finding (p1)", "kAudit: admin authentication failures (p2)"] {
        assert!(raised.contains(&name), "{raised:?}");
    }
    assert_eq!(count(&mut browser, ".alert.not-evaluated"), 2);
    browser
        .eval("[...document.querySelectorAll('.alert')].find(it => it.textContent.includes('(p2)')).click()")
        .unwrap();
    // The six, and one of the examples.
    browser.wait("document.querySelectorAll('#entries details').length === 7").unwrap();
    assert_eq!(text(&mut browser, "#filters"), "subsystem:kaudit-selections ×");
}

#[test]
fn the_page_fits_any_window_in_both_themes() {
    let (mut browser, _endpoint) = filled("endpoint-look");
    let pictures = std::env::var_os("KAUDIT_SCREENSHOTS").map(PathBuf::from);
    for (width, scheme) in [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")] {
        browser.look((width, 900), scheme).unwrap();
        let wide = browser.eval("document.documentElement.scrollWidth").unwrap();
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{width} {scheme}: {wide}");
        // Errors and critical entries differ.
        let colours = browser.eval(
            "['error', 'critical'].map(name => getComputedStyle(document.querySelector(`.severity.${name}`)).backgroundColor)",
        );
        let colours = colours.unwrap();
        assert_ne!(colours[0], colours[1], "{scheme}");
        if let Some(folder) = &pictures {
            browser.screenshot(&folder.join(format!("endpoint-{width}-{scheme}.png"))).unwrap();
        }
    }
}
