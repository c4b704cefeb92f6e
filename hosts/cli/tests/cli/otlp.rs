//! `kaudit-filter run` in the shape `otlp`: lines of JSON, and protobuf.

use std::fs;
use std::path::Path;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;

use crate::run::{DETECTION, NOON, SELECTION, ran};

/// A configuration that passes records without a finding.
const CONFIG: &str = "\
coralogix: {shape: otlp}
unrecognised: pass
use: all
integrations:
- {type: detections, target: {target-type: slack, slack-uri: 'https://example.com'}}
";

#[test]
fn otlp_is_written_as_lines_of_json_and_as_protobuf() {
    let input = format!("{DETECTION}\n{SELECTION}\n{DETECTION}\n");
    let arguments = ["run", "--now", NOON, "--shape", "otlp", "--summary", "json"];
    let lines = ran(&arguments, input.as_bytes());
    let requests = lines.entries();
    let [detections, selections] = &requests[..] else { panic!("{}", lines.out) };
    let limits = contract::Limits { now_ms: 1_773_748_800_000, max_entry_bytes: 30_000 };
    for line in lines.out.lines() {
        assert_eq!(contract::otlp::check_request(line.as_bytes(), &limits), []);
    }
    let logs: Vec<_> = requests.iter().flat_map(contract::otlp::logs).collect();
    assert_eq!(
        logs.iter().map(|log| log.text["rule"].as_str()).collect::<Vec<_>>(),
        [None, None, Some("exec into pod")]
    );
    assert_eq!((&lines.counters()["entries"], &lines.counters()["envelopes"]), (&3.into(), &2.into()));

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("logs.pb");
    let options = ["--format", "protobuf", "-o", file.to_str().unwrap()];
    let packed = ran(&[&arguments[..], &options].concat(), input.as_bytes());
    assert_eq!((packed.code, packed.out.as_str()), (Some(0), ""), "{}", packed.err);
    let mut bytes = &fs::read(&file).unwrap()[..];
    for expected in [detections, selections] {
        let (length, rest) = bytes.split_first_chunk().unwrap();
        let (message, rest) = rest.split_at(u32::from_be_bytes(*length).try_into().unwrap());
        bytes = rest;
        let request = ExportLogsServiceRequest::decode(message).unwrap();
        let written = serde_json::to_value(request).unwrap();
        let [written, expected] =
            [&written, expected].map(|request| contract::otlp::logs(request).collect::<Vec<_>>());
        assert_eq!(written, expected);
    }
    assert!(bytes.is_empty());
}

#[test]
fn protobuf_contains_no_records_that_pass() {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-pass.yaml");
    fs::write(&config, CONFIG).unwrap();
    let config = config.to_str().unwrap();
    let input = format!("{{\"a\":1}}\n{DETECTION}\n");
    let lines = ran(&["run", "-c", config, "--now", NOON], input.as_bytes());
    assert!(lines.out.starts_with("{\"a\":1}\n{\"resourceLogs\":["), "{}", lines.out);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("passed.pb");
    let options = ["run", "-c", config, "--now", NOON, "--format", "protobuf", "-o", file.to_str().unwrap()];
    let packed = ran(&options, input.as_bytes());
    assert_eq!((lines.code, packed.code), (Some(0), Some(1)), "{}", packed.err);
    assert!(packed.err.contains("no log records of OTLP: 1; use --format json"), "{}", packed.err);
    let bytes = fs::read(file).unwrap();
    assert_eq!(bytes.len(), 4 + usize::from(bytes[2]) * 256 + usize::from(bytes[3]));
    for (shape, rejected) in [("singles", true), ("bulk", true), ("otlp", false)] {
        let ran = ran(&["run", "--shape", shape, "--format", "protobuf", "-o", "/dev/null"], b"");
        assert_eq!(ran.err.contains("--format protobuf: not available in shape"), rejected, "{}", ran.err);
    }
}
