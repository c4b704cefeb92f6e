//! Tests `examples/kubernetes`.
//!
//! The resources are rendered by kustomize and validated with Kubernetes' schemas. Paths are resolved as in a pod: from
//! a container's arguments to the files they name, through mounts, to the files that an init container copied.

mod charts;
mod configuration;
mod deployments;
mod files;
mod platforms;
mod pod;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use deployments::{RENDERED, chart_deployments, deployments};
use files::{at, examples, list, manifest, target, text, word};
use pod::{Place, Pod};

/// The maximum size of a ConfigMap's data and binary data together, bytes.
const MAX_CONFIG_MAP: usize = 1 << 20;

#[test]
fn every_resource_meets_kubernetes_schemas() {
    let deployments = deployments();
    let schemas = fs::read_to_string(target().join("tools/kubernetes/schemas.json")).unwrap();
    let schemas: Value = serde_json::from_str(&schemas).unwrap();
    let validate = |resource: &Value| -> Vec<String> {
        let group = match word(&resource["apiVersion"]) {
            "v1" => "core.v1".to_owned(),
            version => version.replace('/', "."),
        };
        let name = format!("io.k8s.api.{group}.{}", word(&resource["kind"]));
        assert!(!schemas["$defs"][&name].is_null(), "kubernetes has no {name}");
        let schema = json!({"$ref": format!("#/$defs/{name}"), "$defs": schemas["$defs"]});
        let schema = jsonschema::validator_for(&schema).unwrap();
        schema
            .iter_errors(resource)
            .map(|error| format!("{name}{}: {error}", error.instance_path()))
            .collect()
    };
    // Resources of other groups have no schema there.
    let known = |resource: &&Value| {
        !["fluentbit.fluent.io", "security.openshift.io"]
            .iter()
            .any(|group| word(&resource["apiVersion"]).starts_with(group))
    };
    for (name, resources) in deployments
        .iter()
        .map(|(name, resources)| (name.as_str(), resources))
        .chain(RENDERED.iter().map(|(name, resources)| (*name, resources)))
    {
        for resource in resources.iter().filter(known) {
            assert_eq!(validate(resource), Vec::<String>::new(), "{name}");
        }
    }
    // Mistakes are detected: a misspelt field, a wrong type, a missing field.
    let (_, resources) = &deployments[0];
    let workload = resources.iter().find(|resource| resource.pointer("/spec/template").is_some()).unwrap();
    for (pointer, wrong) in [
        ("/spec/template/spec", json!({"containers": [], "volume": []})),
        ("/spec/template/spec/containers/0/volumeMounts/0", json!({"name": "a", "mountpath": "/a"})),
        ("/spec/template/spec/containers/0/args", json!("-e")),
        ("/spec", json!({"template": {}})),
    ] {
        let mut spoilt = workload.clone();
        *spoilt.pointer_mut(pointer).unwrap() = wrong;
        assert_ne!(validate(&spoilt), Vec::<String>::new(), "{pointer}");
    }
}

#[test]
fn arguments_lead_to_files_that_are_there() {
    let manifest = manifest();
    let file = |name: &str| {
        let artefact = list(&manifest["artefacts"]).find(|artefact| artefact["name"] == name).unwrap();
        format!("/kaudit/lib/{}", word(&artefact["file"]))
    };
    let plugin = file("plugin");
    let node = [
        &plugin,
        "/kaudit/etc/agent.conf",
        "/kaudit/etc/kaudit.yaml",
        "/kaudit/state/kaudit.db",
        "/kaudit/state/storage",
    ];
    let chart = [&node[..1], &node[2..]].concat();
    let vector = [
        "/kaudit/lib",
        "/kaudit/etc/kaudit.yaml",
        "/kaudit/etc/singles.yaml",
        "/kaudit/etc/source-kubernetes.yaml",
    ];
    let aggregator = [&plugin, "/kaudit/etc/kaudit-aggregator.yaml", "/kaudit/state/storage"];
    let expected: BTreeMap<&str, Vec<&str>> = [
        ("overlays/fluent-bit", node.to_vec()),
        ("overlays/image-volume", node.to_vec()),
        ("values/fluent-bit.yaml", chart.clone()),
        ("values/fluent-bit-image-volume.yaml", chart),
        ("values/coralogix-fluent-bit.yaml", [&["/kaudit/etc/agent.yaml"], &node[2..]].concat()),
        ("values/fluent-operator.yaml", vec![&plugin, "/kaudit/etc/kaudit.yaml", "/kaudit/state/kaudit.db"]),
        ("overlays/vector", vector.to_vec()),
        ("values/vector.yaml", vector.to_vec()),
        ("aggregator", aggregator.to_vec()),
        ("openshift", aggregator.to_vec()),
        (
            "values/audit-fluent-bit.yaml",
            vec![&plugin, "/kaudit/etc/audit.yaml", "/kaudit/state/kaudit-audit.db", "/kaudit/state/storage"],
        ),
        (
            "values/audit-vector.yaml",
            vec![
                "/kaudit/lib",
                "/kaudit/etc/audit.yaml",
                "/kaudit/etc/singles.yaml",
                "/kaudit/etc/source-log-file.yaml",
            ],
        ),
        (
            "audit/webhook",
            vec![&plugin, "/kaudit/etc/audit.yaml", "/kaudit/state/storage", "/kaudit/tls/tls.crt"],
        ),
        (
            "overlays/wasm",
            vec!["/kaudit/etc/kaudit.wasm", "/kaudit/state/kaudit.db", "/kaudit/state/storage"],
        ),
    ]
    .into();
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let reached = pod.reached();
        let ours: Vec<&String> = reached.keys().filter(|path| path.starts_with("/kaudit/")).collect();
        for path in &expected[name.trim_end_matches(" in a release")] {
            assert!(ours.iter().any(|our| our == path), "{name}: nothing leads to {path}: {ours:?}");
        }
        for path in ours.iter().filter(|path| path.starts_with("/kaudit/state")) {
            assert_eq!(reached[*path], Place::State, "{name}: {path}");
        }
        if name.contains("vector") {
            assert_eq!(pod.look(&file("module")), Place::Binary, "{name}");
            assert_eq!(pod.look("/etc/kaudit/secrets"), Place::Directory(BTreeMap::new()), "{name}");
        }
    }
}

#[test]
fn mounts_and_volumes_belong_together() {
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let mounted: BTreeSet<&str> = pod
            .containers()
            .flat_map(|container| list(&container["volumeMounts"]))
            .map(|mount| word(&mount["name"]))
            .collect();
        let volumes: BTreeSet<&str> = list(at(pod.spec, "/volumes"))
            .map(|volume| word(&volume["name"]))
            .chain(pod.claims.iter().copied())
            .collect();
        assert_eq!(mounted, volumes, "{name}");
        for volume in list(at(pod.spec, "/volumes")) {
            pod.files(volume);
        }
    }
}

#[test]
fn images_have_this_version_and_copied_files_are_artefacts() {
    let manifest = manifest();
    let files: Vec<&str> = list(&manifest["artefacts"]).map(|artefact| word(&artefact["file"])).collect();
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let registry = if name.starts_with("values") { "REGISTRY" } else { "registry.example.com" };
        let image = format!("{registry}/kaudit-filter:{}", word(&manifest["version"]));
        let init = list(at(pod.spec, "/initContainers")).find(|init| init["name"] == "kaudit-filter");
        let mounted =
            pod.spec["volumes"].as_array().unwrap().iter().find(|volume| !volume["image"].is_null());
        match (init, mounted) {
            (Some(init), None) => {
                assert_eq!(init["image"], image, "{name}");
                let copied = pod.copied("kaudit-lib");
                assert!(
                    !copied.is_empty() && copied.iter().all(|file| files.contains(file)),
                    "{name}: {copied:?}"
                );
            }
            (None, Some(volume)) => assert_eq!(at(volume, "/image/reference"), image.as_str(), "{name}"),
            (None, None) => assert_eq!(name, "overlays/wasm"),
            both => panic!("{name}: {both:?}"),
        }
    }
}

#[test]
fn one_file_names_the_registry() {
    let mut named = Vec::new();
    let mut folders = vec![examples("")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if let Ok(text) = fs::read_to_string(entry.path()) {
                named.extend(text.matches("registry.example.com").map(|_| entry.path()));
            }
        }
    }
    assert_eq!(named, [examples("kubernetes/image/kustomization.yaml")]);
    // The command of README.md that takes it from there.
    let readme = text("kubernetes/README.md");
    let command = readme.lines().find(|line| line.trim().starts_with("REGISTRY=")).unwrap().trim();
    let script = format!("{command}\nprintf %s \"$REGISTRY\"");
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(examples("kubernetes")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "registry.example.com", "{script}");
}

/// The workloads of which the examples have the whole pod; in the others, the agent is somebody else's.
fn is_own(name: &str) -> bool {
    ["aggregator", "openshift", "audit/webhook", "values/audit-fluent-bit.yaml", "values/audit-vector.yaml"]
        .contains(&name)
}

#[test]
fn containers_gain_no_privilege_and_no_file_contains_a_key() {
    let readme = text("kubernetes/README.md");
    assert!(readme.contains("create secret generic coralogix-keys --from-literal=PRIVATE_KEY="), "{readme}");
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_ne!(pod.spec[forbidden], true, "{name}: {forbidden}");
        }
        let agent = is_own(&name).then(|| pod.agent());
        for container in list(at(pod.spec, "/initContainers")).chain(agent) {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true, "{name}: {}", container["name"]);
            assert_eq!(context["allowPrivilegeEscalation"], false, "{name}: {}", container["name"]);
            assert_ne!(context["privileged"], true, "{name}");
            assert_eq!(at(context, "/capabilities/add"), &Value::Null, "{name}");
        }
        for init in list(at(pod.spec, "/initContainers")) {
            let context = |key: &str| match &init["securityContext"][key] {
                Value::Null => at(pod.spec, &format!("/securityContext/{key}")),
                own => own,
            };
            assert_eq!(context("runAsNonRoot"), true, "{name}");
            assert_eq!(at(init, "/securityContext/capabilities/drop"), &json!(["ALL"]), "{name}");
            assert_eq!(context("seccompProfile")["type"], "RuntimeDefault", "{name}");
        }
        assert_eq!(pod.secret(), Some(("coralogix-keys", "PRIVATE_KEY")), "{name}");
        assert!(resources.iter().all(|resource| resource["kind"] != "Secret"), "{name}");
    }
}

#[test]
fn no_manifest_has_the_name_of_kaudit_s_own_config_map() {
    for (folder, resources) in RENDERED.iter() {
        for resource in resources {
            let name = word(at(resource, "/metadata/name"));
            assert!(
                !name.starts_with("kaudit-integration") && !name.starts_with("kaudit-policy"),
                "{folder}: {name}"
            );
            let namespace = word(at(resource, "/metadata/namespace"));
            assert!(["logging", "fluent"].contains(&namespace), "{folder}: {name} is in `{namespace}`");
        }
    }
}

#[test]
fn the_audit_log_is_read_where_an_api_server_runs() {
    let mut found = 0;
    for (name, resources) in chart_deployments().into_iter().filter(|(name, _)| name.contains("audit")) {
        let pod = Pod::of(&resources);
        assert_eq!(pod.spec["nodeSelector"], json!({"node-role.kubernetes.io/control-plane": ""}), "{name}");
        assert_eq!(pod.spec["tolerations"][0]["key"], "node-role.kubernetes.io/control-plane", "{name}");
        // Of the node's logs, only the directory of the audit log, and without a right to write.
        assert_eq!(pod.look("/var/log/kubernetes/audit/audit.log"), Place::Other, "{name}");
        let logs = list(at(pod.spec, "/volumes"))
            .filter_map(|volume| volume.pointer("/hostPath/path").and_then(Value::as_str))
            .filter(|path| path.starts_with("/var/log"));
        assert_eq!(logs.collect::<Vec<_>>(), ["/var/log/kubernetes/audit"], "{name}");
        assert_eq!(pod.agent()["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{name}");
        found += 1;
    }
    assert_eq!(found, 2);
    let receiver = &RENDERED["audit/webhook"];
    let service = receiver.iter().find(|resource| resource["kind"] == "Service").unwrap();
    let kubeconfig = text("audit/webhook-kubeconfig.yaml");
    let address =
        format!("https://{}:{}/", word(at(service, "/spec/clusterIP")), at(service, "/spec/ports/0/port"));
    assert!(kubeconfig.contains(&address), "{address}");
}

#[test]
fn a_config_map_takes_a_module() {
    let map = RENDERED["overlays/wasm"].iter().find(|resource| !resource["binaryData"].is_null()).unwrap();
    let data = map["data"].as_object().unwrap().values().map(|text| word(text).len()).sum::<usize>();
    let module =
        word(&map["binaryData"]["kaudit.wasm"]).split_whitespace().map(str::len).sum::<usize>() / 4 * 3;
    assert!(module >= 400_000 && data + module < MAX_CONFIG_MAP, "{module} + {data}");
}
