//! Tests `examples/kubernetes`.
//!
//! The resources are rendered by kustomize and validated with Kubernetes' schemas. Paths are resolved as in a pod: from
//! a container's arguments to the files they name, through mounts, to the files that an init container copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use kaudit_filter::config::{self, Config, FileLoader};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time, Verdict};
use serde_json::{Value, json};

/// The maximum size of a ConfigMap's data and binary data together, bytes.
const MAX_CONFIG_MAP: usize = 1 << 20;

fn examples(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(examples(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn manifest() -> Value {
    plugin_manifest::manifest().unwrap()
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The resources of every kustomization, by the folder's name.
static RENDERED: LazyLock<BTreeMap<&str, Vec<Value>>> = LazyLock::new(|| {
    // The repository contains no module; a file of the same size replaces it.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes");
    let _ = fs::remove_dir_all(&scratch);
    copy(&examples("kubernetes"), &scratch);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.resize(400_000, 0xfe);
    fs::write(scratch.join("wasm/kaudit.wasm"), module).unwrap();

    // The policy, which users copy into the folder, too.
    fs::copy(examples("../policies/default.yaml"), scratch.join("audit/config/default.yaml")).unwrap();

    let folders = [
        "config",
        "overlays/fluent-bit",
        "overlays/vector",
        "overlays/wasm",
        "aggregator",
        "audit/config",
        "audit/webhook",
    ];
    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "kubernetes"]);
    xtask.args(folders.map(|folder| scratch.join(folder))).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = xtask.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let rendered = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    folders.into_iter().zip(rendered).collect()
});

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Returns the pod that each chart renders from our values, without the parts that do not depend on them.
///
/// Decision: the charts are in no package registry, so this function repeats their templates for these values; the rest
/// of their output is not tested.
fn charts() -> Vec<(&'static str, Vec<Value>)> {
    let (fluent_bit, audit_fluent_bit) =
        (fluent_bit_chart("fluent-bit"), fluent_bit_chart("audit-fluent-bit"));
    let (vector, audit_vector) = (vector_chart("vector"), vector_chart("audit-vector"));
    let with =
        |own: Vec<Value>, folder: &str| own.into_iter().chain(RENDERED[folder].iter().cloned()).collect();
    vec![
        ("values/fluent-bit.yaml", with(fluent_bit, "config")),
        ("values/vector.yaml", with(vector, "config")),
        ("values/audit-fluent-bit.yaml", with(audit_fluent_bit, "audit/config")),
        ("values/audit-vector.yaml", with(audit_vector, "audit/config")),
    ]
}

fn values(name: &str) -> Value {
    serde_saphyr::from_str(&text(&format!("kubernetes/values/{name}.yaml"))).unwrap()
}

/// Returns a list of the values, or the chart's own.
fn or_default(own: &Value, default: Value) -> Vec<Value> {
    let list = if own.is_null() { default } else { own.clone() };
    list.as_array().unwrap().clone()
}

fn fluent_bit_chart(name: &str) -> Vec<Value> {
    let values = values(name);
    let known = [
        "initContainers",
        "securityContext",
        "env",
        "args",
        "extraVolumes",
        "extraVolumeMounts",
        "config",
        "nodeSelector",
        "tolerations",
        "daemonSetVolumes",
        "daemonSetVolumeMounts",
    ];
    assert_known(&values, &known);
    assert_known(&values["config"], &["service", "inputs", "filters", "outputs"]);
    let parts = ["service", "inputs", "filters", "outputs"].map(|part| word(&values["config"][part]));
    let filled = parts.join("\n").replace("{{ .Values.flush }}", "1");
    let filled =
        filled.replace("{{ .Values.logLevel }}", "info").replace("{{ .Values.metricsPort }}", "2020");
    assert!(!filled.contains("{{"), "{filled}");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fluent-bit"},
        "data": {"fluent-bit.conf": filled}});
    let mut mounts = vec![json!({"name": "config", "mountPath": "/fluent-bit/etc/conf"})];
    mounts.extend(or_default(
        &values["daemonSetVolumeMounts"],
        json!([{"name": "varlog", "mountPath": "/var/log"}]),
    ));
    let mut volumes = vec![json!({"name": "config", "configMap": {"name": "fluent-bit"}})];
    volumes.extend(or_default(
        &values["daemonSetVolumes"],
        json!([{"name": "varlog", "hostPath": {"path": "/var/log"}}]),
    ));
    vec![config, daemon_set("fluent-bit", &values, &mounts, &volumes)]
}

fn vector_chart(name: &str) -> Vec<Value> {
    let values = values(name);
    let known = [
        "role",
        "initContainers",
        "securityContext",
        "env",
        "args",
        "extraVolumes",
        "extraVolumeMounts",
        "customConfig",
        "nodeSelector",
        "tolerations",
        "defaultVolumes",
        "defaultVolumeMounts",
        "persistence",
    ];
    assert_known(&values, &known);
    assert_eq!(values["role"], "Agent");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vector"},
        "data": {"vector.yaml": values["customConfig"].to_string()}});
    let mut mounts = vec![
        json!({"name": "data", "mountPath": values["customConfig"]["data_dir"]}),
        json!({"name": "config", "mountPath": "/etc/vector/", "readOnly": true}),
    ];
    mounts.extend(or_default(&values["defaultVolumeMounts"], json!([])));
    let path = values.pointer("/persistence/hostPath/path").cloned().unwrap_or(json!("/var/lib/vector"));
    let mut volumes = vec![
        json!({"name": "data", "hostPath": {"path": path}}),
        json!({"name": "config", "projected": {"sources": [{"configMap": {"name": "vector"}}]}}),
    ];
    volumes.extend(or_default(&values["defaultVolumes"], json!([])));
    vec![config, daemon_set("vector", &values, &mounts, &volumes)]
}

fn assert_known(values: &Value, known: &[&str]) {
    for key in values.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "the chart's template does not use `{key}`");
    }
}

fn daemon_set(name: &str, values: &Value, mounts: &[Value], volumes: &[Value]) -> Value {
    let with = |own: &[Value], more: &Value| own.iter().chain(list(more)).cloned().collect::<Vec<_>>();
    let labels = json!({"app.kubernetes.io/name": name});
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {
            "initContainers": values["initContainers"],
            "containers": [{
                "name": name, "image": "chart", "args": values["args"], "env": values["env"],
                "securityContext": values["securityContext"],
                "volumeMounts": with(mounts, &values["extraVolumeMounts"]),
            }],
            "volumes": with(volumes, &values["extraVolumes"]),
            "nodeSelector": values.get("nodeSelector").unwrap_or(&json!({})),
            "tolerations": values.get("tolerations").unwrap_or(&json!([])),
        }},
    }})
}

/// All deployments: folders and values files with their resources.
fn deployments() -> Vec<(&'static str, Vec<Value>)> {
    let rendered = RENDERED.iter().filter(|(folder, _)| !folder.ends_with("config"));
    rendered.map(|(folder, resources)| (*folder, resources.clone())).chain(charts()).collect()
}

/// A pod, and the `ConfigMap`s beside it.
struct Pod<'a> {
    spec: &'a Value,
    claims: Vec<&'a str>,
    config_maps: BTreeMap<&'a str, &'a Value>,
}

/// The kind of a path in a container.
#[derive(Debug, PartialEq)]
enum Place {
    /// A text of a ConfigMap.
    Text(String),
    /// A ConfigMap's binary data, or a file that an init container copied.
    Binary,
    /// Writable, and outlives the pod or not.
    State,
    /// A mounted directory, with the files of its `ConfigMap`s.
    Directory(BTreeMap<String, Place>),
    /// A part of the image, or of the node.
    Other,
}

impl<'a> Pod<'a> {
    /// The one pod of a deployment.
    fn of(resources: &'a [Value]) -> Self {
        let mut workloads = resources.iter().filter(|resource| resource.pointer("/spec/template").is_some());
        let workload = workloads.next().expect("something runs pods");
        assert_eq!(workloads.next(), None);
        let config_maps = resources.iter().filter(|resource| resource["kind"] == "ConfigMap");
        Self {
            spec: at(workload, "/spec/template/spec"),
            claims: list(at(workload, "/spec/volumeClaimTemplates"))
                .map(|claim| word(at(claim, "/metadata/name")))
                .collect(),
            config_maps: config_maps.map(|map| (word(at(map, "/metadata/name")), map)).collect(),
        }
    }

    fn containers(&self) -> impl Iterator<Item = &'a Value> {
        list(at(self.spec, "/initContainers")).chain(list(at(self.spec, "/containers")))
    }

    /// The agent's container.
    fn agent(&self) -> &'a Value {
        at(self.spec, "/containers/0")
    }

    /// The volume of this name; `None`: a claim's.
    fn volume(&self, name: &str) -> Option<&'a Value> {
        let volume = list(at(self.spec, "/volumes")).find(|volume| volume["name"] == name);
        assert!(volume.is_some() || self.claims.contains(&name), "no volume `{name}`");
        volume
    }

    /// Returns the files in a volume of `ConfigMap`s, by name; `None`: another volume.
    fn files(&self, volume: &Value) -> Option<BTreeMap<String, Place>> {
        let sources: Vec<&Value> = match (&volume["configMap"], at(volume, "/projected/sources")) {
            (Value::Null, Value::Null) => return None,
            (Value::Null, sources) => list(sources).map(|source| &source["configMap"]).collect(),
            (source, _) => vec![source],
        };
        let mut files = BTreeMap::new();
        for source in sources {
            let name = word(&source["name"]);
            let map = self.config_maps.get(name).unwrap_or_else(|| panic!("no ConfigMap `{name}`"));
            let data = |key: &str| {
                let text = map["data"][key].as_str().map(|text| Place::Text(text.to_owned()));
                let found = text.or_else(|| map["binaryData"][key].as_str().map(|_| Place::Binary));
                found.unwrap_or_else(|| panic!("ConfigMap `{name}` has no key `{key}`"))
            };
            if source["items"].is_null() {
                let members = [&map["data"], &map["binaryData"]].into_iter().filter_map(Value::as_object);
                files.extend(members.flat_map(|map| map.keys()).map(|key| (key.clone(), data(key))));
            }
            files.extend(
                list(&source["items"]).map(|item| (word(&item["path"]).to_owned(), data(word(&item["key"])))),
            );
        }
        Some(files)
    }

    /// Returns the names of the files that init containers copy into a volume.
    fn copied(&self, volume: &str) -> Vec<&'a str> {
        let mut names = Vec::new();
        for init in list(at(self.spec, "/initContainers")) {
            let command: Vec<&str> = list(&init["command"]).map(word).collect();
            let ["cp", from @ .., to] = &command[..] else { panic!("{command:?}") };
            let mount =
                list(&init["volumeMounts"]).find(|mount| to.trim_end_matches('/') == mount["mountPath"]);
            if mount.unwrap_or_else(|| panic!("nothing is mounted at {to}"))["name"] == volume {
                names.extend(from.iter().filter_map(|path| path.strip_prefix("/kaudit/")));
            }
        }
        names
    }

    /// Returns the kind of a path in the agent's container.
    fn look(&self, path: &str) -> Place {
        let mounts = list(at(self.agent(), "/volumeMounts"));
        let below = |mount: &&Value| Path::new(path).starts_with(word(&mount["mountPath"]));
        let Some(mount) = mounts.filter(below).max_by_key(|mount| word(&mount["mountPath"]).len()) else {
            assert!(!path.starts_with("/kaudit"), "nothing is mounted for {path}");
            return Place::Other;
        };
        let name = word(&mount["name"]);
        let rest = Path::new(path).strip_prefix(word(&mount["mountPath"])).unwrap().to_str().unwrap();
        let volume = self.volume(name);
        let files = volume.and_then(|volume| self.files(volume));
        if rest.is_empty() {
            return Place::Directory(files.unwrap_or_default());
        }
        if let Some(mut files) = files {
            // A default that the environment replaces may be another path.
            let missing = || assert!(!path.starts_with("/kaudit"), "{path}: `{name}` has no such file");
            return files.remove(rest).unwrap_or_else(|| {
                missing();
                Place::Other
            });
        }
        if volume.is_some_and(|volume| !volume["emptyDir"].is_null()) && mount["readOnly"] == true {
            assert!(self.copied(name).contains(&rest), "{path}: no init container copies it");
            return Place::Binary;
        }
        if mount["readOnly"] == true { Place::Other } else { Place::State }
    }

    /// Returns every path that the agent's arguments and environment refer to, also through files that they name.
    fn reached(&self) -> BTreeMap<String, Place> {
        let words =
            list(&self.agent()["args"]).chain(list(&self.agent()["env"]).map(|variable| &variable["value"]));
        let mut texts: Vec<String> = words.map(|text| word(text).to_owned()).collect();
        let mut found = BTreeMap::new();
        while let Some(text) = texts.pop() {
            self.assert_variables(&text);
            for path in paths(&text) {
                if found.contains_key(&path) {
                    continue;
                }
                let place = self.look(&path);
                match &place {
                    Place::Text(text) => texts.push(text.clone()),
                    Place::Directory(files) => texts.extend(files.values().filter_map(Place::text)),
                    _ => {}
                }
                found.insert(path, place);
            }
        }
        found
    }

    /// Every `${NAME}` of a text is set, or has a default.
    fn assert_variables(&self, text: &str) {
        for rest in without_comments(text).split("${").skip(1) {
            let name = rest.split('}').next().unwrap_or_default();
            let given = list(&self.agent()["env"]).any(|variable| variable["name"] == name);
            assert!(given || name.contains(":-"), "`${{{name}}}` is not set");
        }
    }
}

impl Place {
    fn text(&self) -> Option<String> {
        if let Self::Text(text) = self { Some(text.clone()) } else { None }
    }
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// Absolute paths in a text.
fn paths(text: &str) -> BTreeSet<String> {
    let text = without_comments(text);
    let words = text.split(|c: char| c.is_whitespace() || "\"'=,()[]{}".contains(c));
    let paths = words.filter(|word| word.starts_with('/') && word.len() > 1 && !word.starts_with("//"));
    paths.map(|path| path.trim_end_matches('/').to_owned()).collect()
}

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
    for (name, resources) in &deployments {
        for resource in resources {
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
    let expected: BTreeMap<&str, Vec<String>> = [
        (
            "overlays/fluent-bit",
            vec![
                file("plugin"),
                "/kaudit/etc/kaudit.yaml".into(),
                "/kaudit/state/kaudit.db".into(),
                "/kaudit/state/storage".into(),
            ],
        ),
        (
            "values/fluent-bit.yaml",
            vec![
                file("plugin"),
                "/kaudit/etc/kaudit.yaml".into(),
                "/kaudit/state/kaudit.db".into(),
                "/kaudit/state/storage".into(),
            ],
        ),
        (
            "aggregator",
            vec![file("plugin"), "/kaudit/etc/kaudit.yaml".into(), "/kaudit/state/storage".into()],
        ),
        (
            "overlays/vector",
            vec![
                "/kaudit/lib".into(),
                "/kaudit/etc/kaudit.yaml".into(),
                "/kaudit/etc/singles.yaml".into(),
                "/kaudit/etc/source-kubernetes.yaml".into(),
            ],
        ),
        (
            "values/vector.yaml",
            vec![
                "/kaudit/lib".into(),
                "/kaudit/etc/kaudit.yaml".into(),
                "/kaudit/etc/singles.yaml".into(),
                "/kaudit/etc/source-kubernetes.yaml".into(),
            ],
        ),
        (
            "values/audit-fluent-bit.yaml",
            vec![
                file("plugin"),
                "/kaudit/etc/audit.yaml".into(),
                "/kaudit/state/kaudit-audit.db".into(),
                "/kaudit/state/storage".into(),
            ],
        ),
        (
            "values/audit-vector.yaml",
            vec![
                "/kaudit/lib".into(),
                "/kaudit/etc/audit.yaml".into(),
                "/kaudit/etc/singles.yaml".into(),
                "/kaudit/etc/source-log-file.yaml".into(),
            ],
        ),
        (
            "audit/webhook",
            vec![
                file("plugin"),
                "/kaudit/etc/audit.yaml".into(),
                "/kaudit/state/storage".into(),
                "/kaudit/tls/tls.crt".into(),
            ],
        ),
        (
            "overlays/wasm",
            vec![
                "/kaudit/etc/kaudit.wasm".into(),
                "/kaudit/state/kaudit.db".into(),
                "/kaudit/state/storage".into(),
            ],
        ),
    ]
    .into();
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let reached = pod.reached();
        let ours: Vec<&String> = reached.keys().filter(|path| path.starts_with("/kaudit/")).collect();
        for path in &expected[name] {
            assert!(ours.contains(&path), "{name}: nothing leads to {path}: {ours:?}");
        }
        for path in ours.iter().filter(|path| path.starts_with("/kaudit/state")) {
            assert_eq!(reached[*path], Place::State, "{name}: {path}");
        }
        if name.contains("vector") {
            assert_eq!(pod.look(&file("module")), Place::Binary, "{name}");
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
    let image = format!("registry.example.com/kaudit-filter:{}", word(&manifest["version"]));
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let inits: Vec<&Value> = list(at(pod.spec, "/initContainers")).collect();
        assert_eq!(inits.len(), usize::from(name != "overlays/wasm"), "{name}");
        for init in inits {
            assert_eq!(init["image"], image, "{name}");
            let copied = pod.copied("kaudit-lib");
            assert!(
                !copied.is_empty() && copied.iter().all(|file| files.contains(file)),
                "{name}: {copied:?}"
            );
        }
    }
}

#[test]
fn containers_gain_no_privilege_and_no_file_contains_a_key() {
    let readme = text("kubernetes/README.md");
    assert!(readme.contains("create secret generic coralogix --from-literal=send-your-data="), "{readme}");
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        for forbidden in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_ne!(pod.spec[forbidden], true, "{name}: {forbidden}");
        }
        for container in pod.containers() {
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
        let key = list(&pod.agent()["env"]).find(|variable| variable["name"] == "CORALOGIX_KEY").unwrap();
        assert_eq!(
            at(key, "/valueFrom/secretKeyRef"),
            &json!({"name": "coralogix", "key": "send-your-data"}),
            "{name}"
        );
        assert!(resources.iter().all(|resource| resource["kind"] != "Secret"), "{name}");
    }
}

/// The files beside a configuration, as they are mounted.
struct SiblingFiles<'a>(&'a BTreeMap<String, Place>);

impl FileLoader for SiblingFiles<'_> {
    fn load(&self, name: &str) -> Result<String, String> {
        match self.0.get(name) {
            Some(Place::Text(text)) => Ok(text.clone()),
            other => Err(format!("{other:?}")),
        }
    }
}

#[test]
fn the_configuration_is_read_with_kaudit_s_own_list() {
    let mut configured = 0;
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        let Some(volume) = list(at(pod.spec, "/volumes")).find(|volume| volume["name"] == "kaudit-config")
        else {
            assert_eq!(name, "overlays/wasm", "only a module contains its configuration");
            continue;
        };
        let files = pod.files(volume).unwrap();
        let file = if name.contains("audit") { "audit.yaml" } else { "kaudit.yaml" };
        let Place::Text(text) = &files[file] else { panic!("{name}") };
        let reading = config::read(file, text, &SiblingFiles(&files));
        let remarks: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
        let config = reading.config.unwrap_or_else(|| panic!("{name}: {remarks:?}"));
        assert!(config.integrations.iter().any(|integration| integration.applies), "{name}: {remarks:?}");
        configured += 1;
    }
    assert_eq!(configured, 8);
}

#[test]
fn copies_equal_the_other_examples() {
    for (copy, original) in [
        ("kubernetes/config/audit-integration.yaml", "audit-integration.yaml"),
        ("kubernetes/config/source-kubernetes.yaml", "vector/source-kubernetes.yaml"),
        ("kubernetes/config/singles.yaml", "vector/singles.yaml"),
        ("kubernetes/overlays/wasm/existing.yaml", "kubernetes/overlays/fluent-bit/existing.yaml"),
        ("kubernetes/audit/config/singles.yaml", "vector/singles.yaml"),
        ("kubernetes/audit/config/source-log-file.yaml", "audit/vector/log-file.yaml"),
    ] {
        assert!(text(copy) == text(original), "examples/{copy} differs from examples/{original}");
    }
    let output = |file: &str| {
        let text = text(file);
        let output = without_comments(&text[text.find("[OUTPUT]").unwrap()..]);
        output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    for file in [
        "config/fluent-bit.conf",
        "config/aggregator.conf",
        "wasm/fluent-bit.conf",
        "audit/config/log-file.conf",
        "audit/config/webhook.conf",
    ] {
        assert_eq!(output(&format!("kubernetes/{file}")), output("fluent-bit/tail.conf"), "{file}");
    }
    // The document for audit events, but for the path of the policy.
    let sections = |file: &str| text(file).split_once("\naudit:\n").unwrap().1.to_owned();
    assert!(sections("kubernetes/audit/config/audit.yaml") == sections("audit/audit.yaml"));
}

#[test]
fn inputs_of_audit_events_equal_the_other_examples() {
    let moved = |path: &str| {
        path.replace("/var/lib/fluent-bit/", "/kaudit/state/").replace("/etc/kaudit/tls/", "/kaudit/tls/")
    };
    for name in ["log-file", "webhook"] {
        let example: Value = serde_saphyr::from_str(&text(&format!("audit/fluent-bit/{name}.yaml"))).unwrap();
        let input = example["pipeline"]["inputs"][0].as_object().unwrap();
        let plain = |value: &Value| match value {
            Value::Bool(value) => if *value { "on" } else { "off" }.to_owned(),
            Value::String(text) => moved(text),
            other => other.to_string(),
        };
        let input = input.iter().filter(|(key, _)| *key != "name");
        let expected: BTreeMap<String, String> =
            input.map(|(key, value)| (key.clone(), plain(value))).collect();
        let text = text(&format!("kubernetes/audit/config/{name}.conf"));
        let (_, input) = text.split_once("[INPUT]\n").unwrap();
        let (input, _) = input.split_once("\n\n").unwrap();
        let found: BTreeMap<String, String> = input
            .lines()
            .map(|line| line.trim().split_once(' ').unwrap())
            .filter(|(key, _)| *key != "name")
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_audit_log_is_read_where_an_api_server_runs() {
    let mut found = 0;
    for (name, resources) in charts().into_iter().filter(|(name, _)| name.contains("audit")) {
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

#[test]
fn the_image_has_the_files_that_are_copied_from_it() {
    let dockerfile = text("kubernetes/Dockerfile");
    let version = format!("ARG VERSION={}", word(&manifest()["version"]));
    assert!(dockerfile.lines().any(|line| line == version), "{dockerfile}");
    let added = "ADD kaudit-filter-${VERSION}-linux-${TARGETARCH}.tar.gz /";
    assert!(dockerfile.lines().any(|line| line == added), "{dockerfile}");
    assert!(dockerfile.lines().any(|line| line.starts_with("USER 65532")), "{dockerfile}");
}

/// Returns the number of emitted findings of one entity with 600 findings a minute, spread evenly over some filters.
fn kept(config: &Config, filters: usize) -> usize {
    let mut filters: Vec<Filter> = (0..filters).map(|_| Filter::new(config, 0).unwrap()).collect();
    let count = filters.len();
    let finding =
        r#"{"principal":"ci-deployer","rule":"exec into pod","cluster":"prod-eu","id":"a","verb":"create"}"#;
    let mut keeps = |number: usize| {
        let now = Time::from_millis(1_773_748_800_000 + i64::try_from(number).unwrap() * 100);
        let mut kept = false;
        let filter = &mut filters[number % count];
        filter.process(Record::json(finding), now, |verdict| kept = matches!(verdict, Verdict::Kept(_)));
        kept
    };
    (0..600).filter(|number| keeps(*number)).count()
}

#[test]
fn the_readme_s_figures_of_limits_are_the_engine_s() {
    let text = text("kubernetes/config/kaudit.yaml");
    let list = self::text("audit-integration.yaml");
    let list = list.split_once("audit-integration: |").unwrap().1.to_owned();
    let files = BTreeMap::from([("audit-integration".to_owned(), Place::Text(list))]);
    let config = config::read("kaudit.yaml", &text, &SiblingFiles(&files)).config.unwrap();
    let readme = self::text("kubernetes/README.md");
    let figures = [1, 3, 50].map(|filters| {
        let kept = kept(&config, filters);
        format!("| {filters} | {kept} | {} |", 600 - kept)
    });
    assert!(readme.contains(&figures.join("\n")), "README.md has not:\n{}", figures.join("\n"));
}
