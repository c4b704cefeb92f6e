//! Tests `examples/audit`: pipelines and the filter's document for audit events, and the API server's audit policy.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

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
    ("aws_kinesis_firehose", &["address", "access_keys", "record_compression", "framing", "decoding", "tls"]),
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

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(value: &Value) -> Vec<&str> {
    list(value).map(word).collect()
}

/// Returns the names of the pipelines in a folder.
fn pipelines(agent: &str) -> BTreeSet<String> {
    let files = fs::read_dir(root().join("examples/audit").join(agent)).unwrap();
    files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn assert_known(at: &str, options: &Value, known: &[&str]) {
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

fn program(arguments: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .current_dir(root())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A process that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
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
    let options = ["name", "match", "config_file", "reload_interval", "stats_interval", "stats_entry"];
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
        let files = fs::read_dir(root().join(folder)).unwrap();
        for name in files.map(|file| file.unwrap().file_name().into_string().unwrap()) {
            let path = format!("{folder}/{name}");
            // Two names of Azure's begin with a dollar sign.
            let literal = text(&path).replace("$Default", "").replace("$ConnectionString", "");
            assert!(!name.ends_with(".yaml") || !literal.contains('$'), "{path}");
        }
    }
}

#[test]
fn the_document_has_no_problems() {
    let (code, out, err) = program(&["check", "--strict", "examples/audit/audit.yaml"], "");
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
    let (_, out, err) = program(&options, &records.join("\n"));
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
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(record.as_bytes()).unwrap();
    let message = encoder.finish().unwrap();
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

/// A request, as the audit policy sees it.
#[derive(Clone, Copy)]
struct Request<'a> {
    user: &'a str,
    groups: &'a [&'a str],
    verb: &'a str,
    /// `group/resource` or `group/resource/subresource`, `core` for the core group; or the path of a request without a
    /// resource.
    target: &'a str,
}

/// Returns the level of a request: the level of the first rule that matches, as `pkg/audit/policy/checker.go` of the API server.
///
/// Names and namespaces are not supported; the policy has none.
fn level<'a>(policy: &'a Value, request: Request<'_>) -> &'a str {
    let any = |values: &Value, wanted: &[&str]| {
        values.is_null() || words(values).iter().any(|value| wanted.contains(value))
    };
    let path = request.target.starts_with('/');
    let (group, name) = request.target.split_once('/').unwrap();
    let group = if group == "core" { "" } else { group };
    let resource = |entry: &Value| {
        let of = |pattern: &&str| {
            let whole = *pattern == name || *pattern == "*";
            let (object, part) = name.split_once('/').unwrap_or((name, ""));
            whole
                || pattern.strip_suffix("/*") == Some(object)
                || (!part.is_empty() && pattern.strip_prefix("*/") == Some(part))
        };
        word(&entry["group"]) == group
            && (entry["resources"].is_null() || words(&entry["resources"]).iter().any(of))
    };
    let url = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(prefix) => request.target.starts_with(prefix),
        None => *pattern == request.target,
    };
    let matches = |rule: &&Value| {
        any(&rule["users"], &[request.user])
            && any(&rule["userGroups"], request.groups)
            && any(&rule["verbs"], &[request.verb])
            && match (&rule["resources"], &rule["nonResourceURLs"]) {
                (Value::Null, Value::Null) => true,
                (Value::Null, urls) => path && words(urls).iter().any(url),
                (resources, _) => !path && list(resources).any(resource),
            }
    };
    list(&policy["rules"]).find(matches).map_or("None", |rule| word(&rule["level"]))
}

const PERSON: (&str, &[&str]) = ("alice@example.com", &["system:authenticated"]);
const CI: (&str, &[&str]) = (
    "system:serviceaccount:ci:runner",
    &["system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"],
);
const NODE: (&str, &[&str]) = ("system:node:a", &["system:nodes", "system:authenticated"]);
const REPLICA_SETS: (&str, &[&str]) = (
    "system:serviceaccount:kube-system:replicaset-controller",
    &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
);
/// A service account that an attacker creates in the namespace of the controllers.
const INTRUDER: (&str, &[&str]) = ("system:serviceaccount:kube-system:updater", REPLICA_SETS.1);
/// A request whose authentication failed.
const UNAUTHENTICATED: (&str, &[&str]) = ("", &[]);

const IDENTITIES: &[(&str, &[&str])] = &[PERSON, CI, NODE, REPLICA_SETS, INTRUDER, UNAUTHENTICATED];

const VERBS: &[&str] = &["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

fn audit_policy() -> Value {
    let policy = yaml("examples/audit/audit-policy.yaml");
    assert_known("policy", &policy, &["apiVersion", "kind", "omitStages", "omitManagedFields", "rules"]);
    assert_eq!((&policy["apiVersion"], &policy["kind"]), (&json!("audit.k8s.io/v1"), &json!("Policy")));
    // A failed authentication and the start of an exec have the stage `ResponseStarted`.
    assert_eq!(policy["omitStages"], json!(["RequestReceived"]));
    for rule in list(&policy["rules"]) {
        assert_known(
            "rule",
            rule,
            &["level", "users", "userGroups", "verbs", "resources", "nonResourceURLs"],
        );
        for entry in list(&rule["resources"]) {
            assert_known("resources", entry, &["group", "resources"]);
        }
        assert!(["None", "Metadata", "Request"].contains(&word(&rule["level"])), "{rule}");
    }
    policy
}

#[test]
fn requests_have_the_level_that_the_rules_need() {
    let policy = audit_policy();
    for (who, verb, target, expected) in [
        (PERSON, "create", "core/pods", "Request"),
        (CI, "patch", "apps/deployments", "Request"),
        (INTRUDER, "create", "core/pods", "Request"),
        (INTRUDER, "create", "rbac.authorization.k8s.io/clusterrolebindings", "Request"),
        (PERSON, "patch", "core/pods/ephemeralcontainers", "Request"),
        (CI, "create", "core/serviceaccounts/token", "Request"),
        (PERSON, "create", "certificates.k8s.io/certificatesigningrequests", "Request"),
        // Metadata is enough.
        (PERSON, "get", "core/pods/exec", "Metadata"),
        (PERSON, "create", "core/pods/exec", "Metadata"),
        (PERSON, "create", "core/pods/attach", "Metadata"),
        (PERSON, "create", "core/pods/portforward", "Metadata"),
        (PERSON, "get", "core/nodes/proxy", "Metadata"),
        (PERSON, "get", "core/services/proxy", "Metadata"),
        (PERSON, "update", "certificates.k8s.io/certificatesigningrequests/approval", "Metadata"),
        (PERSON, "watch", "core/secrets", "Metadata"),
        (PERSON, "patch", "core/configmaps", "Metadata"),
        (PERSON, "deletecollection", "core/events", "Metadata"),
        (PERSON, "delete", "events.k8s.io/events", "Metadata"),
        (PERSON, "delete", "core/namespaces", "Metadata"),
        (PERSON, "create", "core/serviceaccounts", "Metadata"),
        (PERSON, "update", "admissionregistration.k8s.io/validatingwebhookconfigurations", "Metadata"),
        (PERSON, "patch", "apiextensions.k8s.io/customresourcedefinitions", "Metadata"),
        (CI, "create", "authorization.k8s.io/selfsubjectrulesreviews", "Metadata"),
        (CI, "create", "authentication.k8s.io/selfsubjectreviews", "Metadata"),
        (PERSON, "get", "/version", "Metadata"),
        (NODE, "create", "core/nodes", "Metadata"),
        (NODE, "list", "core/secrets", "Metadata"),
        (NODE, "list", "core/pods", "Metadata"),
        (REPLICA_SETS, "create", "core/pods", "Metadata"),
        (NODE, "create", "core/serviceaccounts/token", "Metadata"),
        (UNAUTHENTICATED, "list", "core/secrets", "Metadata"),
        (UNAUTHENTICATED, "list", "core/pods", "Metadata"),
        (UNAUTHENTICATED, "get", "/login", "Metadata"),
        // Noise.
        (NODE, "update", "coordination.k8s.io/leases", "None"),
        (NODE, "patch", "core/nodes/status", "None"),
        (NODE, "patch", "core/pods/status", "None"),
        (NODE, "watch", "core/secrets", "None"),
        (NODE, "watch", "core/services", "None"),
        (NODE, "create", "core/events", "None"),
        (CI, "create", "authentication.k8s.io/tokenreviews", "None"),
        (CI, "create", "authorization.k8s.io/subjectaccessreviews", "None"),
        (UNAUTHENTICATED, "get", "/readyz", "None"),
        (UNAUTHENTICATED, "get", "/healthz/etcd", "None"),
    ] {
        let request = Request { user: who.0, groups: who.1, verb, target };
        assert_eq!(level(&policy, request), expected, "{} {verb} {target}", who.0);
    }
}

/// The rule with this number.
fn rule(policy: &Value, id: u64) -> &Value {
    list(policy).find(|rule| rule["id"] == id).unwrap_or_else(|| panic!("no rule {id}"))
}

/// Collects the values that a rule and the rules that it references require of a field.
fn required<'a>(policy: &'a Value, rule: &'a Value, field: &str, found: &mut Vec<&'a str>) {
    for condition in list(&rule["conditions"]) {
        if let Some(id) = condition["ref-id"].as_u64() {
            required(policy, self::rule(policy, id), field, found);
        } else if condition["field"] == field && ["=", "in"].contains(&word(&condition["match-op"])) {
            found.extend(words(&condition["match-value"]));
            found.extend(condition["match-value"].as_str());
        }
    }
}

/// The group of each resource whose body a rule tests.
fn group(resource: &str) -> &'static str {
    match resource {
        "daemonsets" | "deployments" | "replicasets" | "statefulsets" => "apps",
        "cronjobs" | "jobs" => "batch",
        "clusterrolebindings" | "clusterroles" | "rolebindings" | "roles" => "rbac.authorization.k8s.io",
        "certificatesigningrequests" => "certificates.k8s.io",
        "persistentvolumes"
        | "pods"
        | "podtemplates"
        | "replicationcontrollers"
        | "serviceaccounts"
        | "services" => "core",
        other => panic!("no group of `{other}`"),
    }
}

#[test]
fn every_rule_over_a_body_gets_it() {
    let (policy, rules) = (audit_policy(), yaml("policies/default.yaml"));
    let mut tested = 0;
    for one in list(&rules).filter(|rule| rule["id"].as_u64() >= Some(1101)) {
        let of = |field| {
            let mut found = Vec::new();
            required(&rules, one, field, &mut found);
            found
        };
        let (resources, parts, verbs) = (of("resource-type"), of("subresource"), of("verb"));
        assert!(!resources.is_empty() && !verbs.is_empty(), "{}", one["name"]);
        for resource in resources {
            // Only pods have the subresource `ephemeralcontainers`.
            let parts = parts.iter().filter(|part| **part != "ephemeralcontainers" || resource == "pods");
            let parts: Vec<&str> =
                if of("subresource").is_empty() { vec![""] } else { parts.copied().collect() };
            for part in parts {
                let target = format!("{}/{resource}/{part}", group(resource));
                for verb in &verbs {
                    for who in [PERSON, CI, INTRUDER] {
                        let request = Request {
                            user: who.0,
                            groups: who.1,
                            verb,
                            target: target.trim_end_matches('/'),
                        };
                        assert_eq!(level(&policy, request), "Request", "{}: {verb} {target}", one["name"]);
                        tested += 1;
                    }
                }
            }
        }
    }
    assert!(tested > 100, "{tested}");
}

#[test]
fn credentials_are_never_logged() {
    let policy = audit_policy();
    let targets = [
        "core/secrets",
        "core/configmaps",
        "authentication.k8s.io/tokenreviews",
        "authentication.k8s.io/selfsubjectreviews",
        "authorization.k8s.io/subjectaccessreviews",
        "authorization.k8s.io/selfsubjectaccessreviews",
    ];
    for (user, groups) in IDENTITIES.iter().copied() {
        for verb in VERBS {
            for target in targets {
                let level = level(&policy, Request { user, groups, verb, target });
                assert!(["None", "Metadata"].contains(&level), "{user} {verb} {target}: {level}");
            }
        }
    }
}

#[test]
fn the_pages_name_rules_of_the_policy() {
    let rules = yaml("policies/default.yaml");
    let mut named = 0;
    let page = text("docs/from-falco.md");
    let mut words = page.split(|c: char| c.is_whitespace() || c == ',').peekable();
    while let Some(number) = words.next() {
        let Some(id) = number.parse::<u64>().ok().filter(|id| (1000..1200).contains(id)) else { continue };
        assert_eq!(rule(&rules, id)["name"], *words.peek().unwrap(), "{id}");
        named += 1;
    }
    assert!(named > 25, "{named}");
    // The example of an own rule, after the rules of the policy.
    let (_, own) = page.split_once("```yaml\n").unwrap();
    let (own, _) = own.split_once("```").unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("falco");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("default.yaml"), text("policies/default.yaml") + own).unwrap();
    let document = text("examples/audit/audit.yaml").replace("../../policies/default.yaml", "default.yaml");
    fs::write(folder.join("audit.yaml"), document).unwrap();
    let (code, out, err) = program(&["check", "--strict", folder.join("audit.yaml").to_str().unwrap()], "");
    assert_eq!(code, Some(0), "{out}{err}");
}

#[test]
fn identities_without_bodies_are_ignored_by_the_rules() {
    let (policy, rules) = (audit_policy(), yaml("policies/default.yaml"));
    let controllers = words(&rule(&rules, 4)["conditions"][0]["match-value"]);
    for user in list(&policy["rules"]).flat_map(|rule| list(&rule["users"])).map(word) {
        let programs = [
            "system:apiserver",
            "system:kube-controller-manager",
            "system:kube-scheduler",
            "system:kube-proxy",
        ];
        assert!(controllers.contains(&user) || programs.contains(&user), "`{user}` is not in rule 3 or 4");
    }
}
