//! Requests that are rejected as a whole, and wrong usage.

use std::process::Command;

use serde_json::json;

use super::{Endpoint, KEY, PATTERN, entry, envelope, gzipped, log};

#[test]
fn older_forms_are_answered_with_the_current_one() {
    let endpoint = Endpoint::start(&[]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let bulk = envelope(&[log("a")]).to_string();
    let old = ("private_key", "hidden");
    for (path, headers, body, status, current) in [
        (
            "/logs/v1/singles",
            vec![old],
            &good,
            401,
            "the header `private_key` is an older form: send the key as `Authorization: Bearer KEY`",
        ),
        ("/api/v1/logs", vec![old], &bulk, 401, "send the key as `Authorization: Bearer KEY`"),
        (
            "/logs/rest/singles",
            vec![KEY],
            &good,
            404,
            "/logs/rest/singles is an older path: post to /logs/v1/singles",
        ),
        ("/logs/rest/bulk/", vec![KEY], &bulk, 404, "is an older path: post to /logs/v1/bulk"),
        ("/logs/rest/bulk", vec![old], &bulk, 404, "is an older path: post to /logs/v1/bulk"),
        ("/logs/v2/singles", vec![KEY], &good, 404, "unknown path: post entries to /logs/v1/singles"),
    ] {
        let (found, answer) = endpoint.post(path, &headers, body.clone()).unwrap();
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer["reasons"][0].as_str().unwrap().contains(current), "{path}: {answer}");
    }
    // Both headers, as a sender has during a migration.
    assert_eq!(endpoint.post("/logs/v1/singles", &[KEY, old], good).unwrap().0, 200);

    let mut object = entry("johnD", PATTERN);
    let text = object.as_object_mut().unwrap().remove("text").unwrap();
    object["json"] = text;
    let (_, answer) = endpoint.post("/logs/v1/singles", &[KEY], json!([object]).to_string()).unwrap();
    assert!(
        answer.to_string().contains("`json` is not a member of an entry: send the object as `text`"),
        "{answer}"
    );

    let counts = json!({"requests": 7, "refused": 5, "faults": 0, "accepted": 1, "rejected": 1});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!((code, log.matches(": rejected with 4").count()), (Some(1), 5), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}

/// A path, headers and a body; the expected status and reason.
type Wrong<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

#[test]
fn an_invalid_request_is_rejected_as_a_whole() {
    let endpoint = Endpoint::start(&["--key-env", "TEST_KEY"]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let bulk = envelope(&[log("a")]).to_string();
    let nameless = bulk.replace("prod-eu", " ");
    let gzip = ("Content-Encoding", "gzip");
    let large = format!("[{}]", vec![good.trim_matches(['[', ']']); 12_000].join(","));
    let bomb = gzipped(" ".repeat(10_000_000));
    let other = [("Authorization", "Bearer other")];
    let table: [Wrong<'_>; 13] = [
        ("/logs/v1/singles", &[], good.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &[("Authorization", "Bearer ")], good.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &other, good.clone().into(), 403, "wrong key"),
        ("/api/v1/logs", &[], bulk.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &[KEY, gzip], good.clone().into(), 400, "the body cannot be read"),
        ("/logs/v1/singles", &[KEY], gzipped(&good), 400, "the body is gzip"),
        ("/logs/v1/singles", &[KEY, ("Content-Encoding", "br")], good.clone().into(), 415, "encoding"),
        ("/logs/v1/singles", &[KEY], good[..50].into(), 400, "the list is not JSON: EOF"),
        ("/logs/v1/singles", &[KEY], b"{\"text\":\"\xff\"}".to_vec(), 400, "the body is not UTF-8"),
        (
            "/logs/v1/singles",
            &[KEY],
            large.into(),
            413,
            "request body too large: it must be smaller than 2000000 bytes",
        ),
        (
            "/logs/v1/singles",
            &[KEY, gzip],
            bomb,
            413,
            "request body too large: it must be smaller than 2000000 bytes",
        ),
        ("/logs/v1/bulk", &[KEY], nameless.into(), 400, "/applicationName: "),
        ("/logs", &[KEY], good.clone().into(), 404, "unknown path: post entries to /logs/v1/singles"),
    ];
    for (path, headers, body, status, reason) in table {
        let (found, answer) = endpoint.post(path, headers, body).unwrap();
        assert_eq!(found, status, "{path} {reason}: {answer}");
        assert!(answer["reasons"][0].as_str().unwrap().starts_with(reason) || status == 415, "{answer}");
    }
    assert_eq!(endpoint.get("/logs/v1/bulk").0, 405);
    let (_, counts) = endpoint.get("/counts");
    assert_eq!(
        (&counts["refused"], &counts["accepted"], &counts["rejected"]),
        (&json!(12), &json!(0), &json!(0))
    );
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(1));
    assert!(!log.contains("secret-key") && !log.contains("other"), "{log}");
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        (["--key-env", "NO_SUCH_VARIABLE"], "--key-env NO_SUCH_VARIABLE: the variable is not set"),
        (["--fault", "fast:1"], "expected `429:10s`"),
        (["--keep", "0"], "--keep"),
        (["--listen", "203.0.113.1:80"], "--listen 203.0.113.1:80: cannot listen"),
        (["--listen", "127.0.0.1"], "expected a port such as `8080`"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
            .arg("endpoint")
            .args(arguments)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(expected), "{log}");
    }
}
