//! Tests `examples/audit`: pipelines and the filter's document for audit events.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{feed, gzipped, list, root, text, word};

/// The day of the events in the cases.
const NOW: &str = "2026-05-04T08:00:00Z";

/// A source: the name of its pipelines, the case with a record of its form, and the keys under which each agent passes
/// the record, Fluent Bit first; `None`: decoded, as the record itself.
///
/// The case is one of `tests/data/cases/events.toml`, which all hosts run.
const SOURCES: &[(&str, &str, Option<&str>, Option<&str>)] = &[
    ("log-file", "selection", Some("log"), Some("message")),
    ("openshift", "selection", Some("log"), Some("message")),
    ("webhook", "wrapped-list", None, Some("message")),
    ("webhook", "wrapped-open-shift", None, Some("message")),
    ("eks", "wrapped-cloudwatch", None, Some("message")),
    ("gke", "wrapped-cloud-logging", Some("payload"), Some("message")),
    ("aks-event-hub", "wrapped-event-hub", Some("payload"), Some("message")),
    ("aks-storage", "wrapped-azure-record", Some("log"), Some("message")),
];

/// The options of Fluent Bit's inputs (5.1.1: the config maps of `plugins/in_*`), as far as the examples may use them.
const FLUENT_BIT_INPUTS: &[(&str, &[&str])] = &[
    (
        "tail",
        &[
            "path",
            "tag",
            "buffer_chunk_size",
            "buffer_max_size",
            "skip_long_lines",
            "db",
            "db.compare_filename",
            "read_from_head",
            "refresh_interval",
            "rotate_wait",
            "ignore_older",
            "inotify_watcher",
            "storage.type",
        ],
    ),
    (
        "http",
        &[
            "listen",
            "port",
            "tag",
            "buffer_max_size",
            "tls",
            "tls.crt_file",
            "tls.key_file",
            "tls.ca_file",
            "tls.verify_client_cert",
            "storage.type",
        ],
    ),
    (
        "kafka",
        &[
            "brokers",
            "topics",
            "group_id",
            "tag",
            "format",
            "buffer_max_size",
            "enable_auto_commit",
            "storage.type",
            "rdkafka.security.protocol",
            "rdkafka.sasl.mechanism",
            "rdkafka.sasl.username",
            "rdkafka.sasl.password",
            "rdkafka.socket.keepalive.enable",
            "rdkafka.metadata.max.age.ms",
        ],
    ),
];

/// The same for Vector's sources (0.58: `website/cue/reference/components/sources/generated`).
const VECTOR_SOURCES: &[(&str, &[&str])] = &[
    (
        "file",
        &[
            "include",
            "max_line_bytes",
            "max_read_bytes",
            "read_from",
            "fingerprint",
            "ignore_older_secs",
            "glob_minimum_cooldown_ms",
        ],
    ),
    ("http_server", &["address", "path", "method", "framing", "decoding", "tls"]),
    (
        "aws_kinesis_firehose",
        &["address", "access_keys", "store_access_key", "record_compression", "framing", "decoding", "tls"],
    ),
    ("gcp_pubsub", &["project", "subscription", "framing", "decoding", "ack_deadline_secs"]),
    (
        "kafka",
        &[
            "bootstrap_servers",
            "topics",
            "group_id",
            "framing",
            "decoding",
            "tls",
            "sasl",
            "librdkafka_options",
        ],
    ),
];

pub fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn words(value: &Value) -> Vec<&str> {
    list(value).map(word).collect()
}

/// Returns the names of the pipelines in a folder.
fn pipelines(agent: &str) -> BTreeSet<String> {
    let files = fs::read_dir(root().join("examples/audit").join(agent)).unwrap();
    files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

pub fn assert_known(at: &str, options: &Value, known: &[&str]) {
    for key in options.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "{at}: `{key}` is not in the table of options");
    }
}

fn known<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> &'a [&'a str] {
    table.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no options of `{name}`")).1
}

/// Parses a size such as `8M`.
fn bytes(value: &Value) -> usize {
    let text = word(value);
    let (number, unit) = text.split_at(text.len() - 1);
    number.parse::<usize>().unwrap() << if unit == "M" { 20 } else { 10 }
}

/// Returns the first record of a case.
fn record(case: &str) -> String {
    let cases = text("tests/data/cases/events.toml");
    let (_, case) = cases.split_once(&format!("\nname = \"{case}\"\n")).unwrap_or_else(|| panic!("{case}"));
    let (_, record) = case.split_once("text = '").unwrap();
    record.split_once('\'').unwrap().0.to_owned()
}

#[test]
fn every_source_has_a_pipeline_for_each_agent() {
    let expected: BTreeSet<String> = SOURCES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let readme = text("examples/audit/README.md");
    for agent in ["fluent-bit", "vector"] {
        assert_eq!(pipelines(agent), expected, "{agent}");
        for name in &expected {
            assert!(readme.contains(&format!("({agent}/{name}.yaml)")), "README.md: {agent}/{name}.yaml");
        }
    }
}

#[test]
fn fluent_bit_pipelines_use_options_that_exist() {
    let tail = yaml("examples/fluent-bit/tail.yaml");
    let mut common = None;
    for name in pipelines("fluent-bit") {
        let path = format!("examples/audit/fluent-bit/{name}.yaml");
        let mut document = yaml(&path);
        assert_known(&path, &document, &["service", "pipeline"]);
        assert_known(&path, &document["pipeline"], &["inputs", "filters", "outputs"]);
        assert_eq!(document["pipeline"]["outputs"], tail["pipeline"]["outputs"], "{path}");
        assert_eq!(document["service"], tail["service"], "{path}");
        let inputs = document["pipeline"].as_object_mut().unwrap().remove("inputs").unwrap();
        let [input] = &inputs.as_array().unwrap()[..] else { panic!("{path}: one input") };
        let mut options = input.clone();
        options.as_object_mut().unwrap().remove("name");
        assert_known(&path, &options, known(FLUENT_BIT_INPUTS, word(&input["name"])));
        // The limits of the agent that lose events if they are not set.
        assert_eq!((&input["storage.type"], &input["tag"]), (&json!("filesystem"), &json!("kaudit.audit")));
        let size = bytes(&input["buffer_max_size"]);
        match word(&input["name"]) {
            "tail" => {
                assert!(size >= 8 << 20 && bytes(&input["buffer_chunk_size"]) < size, "{path}");
                assert_eq!(input["skip_long_lines"], true, "{path}");
            }
            "http" if name == "webhook" => assert!(size > 10 << 20, "{path}: batches have 10 MiB"),
            "http" => assert!(size >= 4 << 20, "{path}"),
            _ => assert_eq!((&input["format"], size >= 4 << 20), (&json!("none"), true), "{path}"),
        }
        // The filter and the output are the same in all pipelines.
        let first = common.get_or_insert_with(|| document.clone());
        assert_eq!(*first, document, "{path}");
    }
    let filter = common.unwrap()["pipeline"]["filters"][0].clone();
    let options =
        ["name", "match", "config_file", "reload_interval", "stats_interval", "stats_entry", "state_path"];
    assert_known("filters", &filter, &options);
}

#[test]
fn vector_pipelines_use_options_that_exist() {
    for name in pipelines("vector") {
        let path = format!("examples/audit/vector/{name}.yaml");
        let document = yaml(&path);
        assert_known(&path, &document, &["sources"]);
        let sources = document["sources"].as_object().unwrap();
        // `singles.yaml` takes every component whose name begins with `kaudit_`.
        assert_eq!(sources.keys().collect::<Vec<_>>(), ["kaudit_audit"], "{path}");
        let source = &sources["kaudit_audit"];
        let mut options = source.clone();
        options.as_object_mut().unwrap().remove("type");
        assert_known(&path, &options, known(VECTOR_SOURCES, word(&source["type"])));
        if source["type"] == "file" {
            assert!(source["max_line_bytes"].as_u64() >= Some(8 << 20), "{path}");
        } else {
            // A message remains one text.
            assert_eq!(
                (&source["framing"]["method"], &source["decoding"]["codec"]),
                (&json!("bytes"), &json!("bytes"))
            );
        }
    }
}

/// Since 0.57, Vector substitutes variables only if it is started with a flag.
#[test]
fn vector_pipelines_contain_no_variables() {
    for folder in ["examples/vector", "examples/audit/vector"] {
        let files = fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
            let pipeline = fs::read_to_string(&path).unwrap();
            // Two names of Azure's begin with a dollar sign.
            let literal = pipeline.replace("$Default", "").replace("$ConnectionString", "");
            assert!(!literal.contains('$'), "{}", path.display());
        }
    }
}

#[test]
fn the_document_has_no_problems() {
    let (code, out, err) = feed(&["check", "--strict", "examples/audit/audit.yaml"], "");
    assert_eq!(code, Some(0), "{out}{err}");
    let policy = yaml("policies/default.yaml");
    let critical: Vec<&str> =
        list(&policy).filter(|rule| rule["severity"] == "critical").map(|rule| word(&rule["name"])).collect();
    let document = yaml("examples/audit/audit.yaml");
    let pattern = &document["integrations"][0]["data-filter"]["rules-match"];
    assert_eq!(*pattern, format!("^({})$", critical.join("|")), "the integration `critical`");
}

#[test]
fn events_of_each_source_are_selected() {
    let wrapped = |case: &str, key: Option<&str>| match key {
        Some(key) => json!({key: record(case)}).to_string(),
        None => record(case),
    };
    let records = SOURCES.iter().flat_map(|(name, case, fluent_bit, vector)| {
        [("fluent-bit", fluent_bit), ("vector", vector)]
            .map(|(agent, key)| (format!("{agent}/{name}, {case}"), wrapped(case, *key)))
    });
    let (names, records): (Vec<String>, Vec<String>) = records.unzip();
    let options = ["explain", "--config", "examples/audit/audit.yaml", "--now", NOW, "--format", "json", "-"];
    let (_, out, err) = feed(&options, &records.join("\n"));
    // `secret-read` is counted: its report is sent at the end of the hour.
    let mut counted = BTreeSet::new();
    for line in out.lines() {
        let verdict: Value = serde_json::from_str(line).unwrap();
        if verdict["reason"] == "counted" && verdict["fields"]["rule"] == "secret-read" {
            counted.insert(usize::try_from(verdict["line"].as_u64().unwrap()).unwrap());
        }
    }
    for (number, name) in names.iter().enumerate() {
        assert!(counted.contains(&(number + 1)), "{name}: {out}{err}");
    }
}

#[test]
fn the_function_posts_the_compressed_message() {
    let record = record("wrapped-cloudwatch");
    let message = gzipped(&record);
    let script = "import base64, json, sys, eks_lambda\n\
                  data = base64.b64encode(sys.stdin.buffer.read()).decode()\n\
                  eks_lambda.handler({'awslogs': {'data': data}}, None)\n";
    for (answer, succeeds) in [("201 Created", true), ("503 Service Unavailable", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut python = Command::new("python3")
            .args(["-B", "-c", script])
            .current_dir(root().join("examples/audit"))
            .env("URL", format!("http://{}/", listener.local_addr().unwrap()))
            .env_remove("http_proxy")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        python.stdin.take().unwrap().write_all(&message).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut part = [0; 4096];
        let body = loop {
            let read = stream.read(&mut part).unwrap();
            assert_ne!(read, 0, "the request ends early");
            request.extend(&part[..read]);
            let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            if request.len() - end - 4 >= message.len() {
                break request.split_off(end + 4);
            }
        };
        let head = String::from_utf8(request).unwrap().to_lowercase();
        for header in ["post / http/1.1", "content-type: application/json", "content-encoding: gzip"] {
            assert!(head.contains(header), "{head}");
        }
        assert_eq!(body, message);
        write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(python.wait().unwrap().success(), succeeds, "{answer}");
    }
}

#[test]
fn senders_and_receivers_agree() {
    let kubeconfig = yaml("examples/audit/webhook-kubeconfig.yaml");
    assert_eq!(kubeconfig["kind"], "Config");
    let context = &kubeconfig["contexts"][0];
    assert_eq!(context["name"], kubeconfig["current-context"]);
    assert_eq!(context["context"]["cluster"], kubeconfig["clusters"][0]["name"]);
    assert_eq!(context["context"]["user"], kubeconfig["users"][0]["name"]);
    let forwarder = yaml("examples/audit/openshift-forwarder.yaml");
    let output = &forwarder["spec"]["outputs"][0];
    assert_eq!(forwarder["spec"]["pipelines"][0]["outputRefs"], json!([output["name"]]));
    assert_eq!(
        forwarder["spec"]["pipelines"][0]["inputRefs"],
        json!([forwarder["spec"]["inputs"][0]["name"]])
    );
    let fluent_bit = yaml("examples/audit/fluent-bit/webhook.yaml");
    let vector = yaml("examples/audit/vector/webhook.yaml");
    let port = &fluent_bit["pipeline"]["inputs"][0]["port"];
    assert_eq!(vector["sources"]["kaudit_audit"]["address"], format!("0.0.0.0:{port}"));
    for url in [&kubeconfig["clusters"][0]["cluster"]["server"], &output["http"]["url"]] {
        let url = word(url);
        assert!(url.starts_with("https://") && url.ends_with(&format!(":{port}/")), "{url}");
    }
}
