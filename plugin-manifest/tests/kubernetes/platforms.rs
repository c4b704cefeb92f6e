//! Pod Security Standards, OpenShift, fluent-operator, and the files for other platforms.

use serde_json::{Value, json};

use crate::charts::section;
use crate::deployments::{RENDERED, deployments};
use crate::files::{at, documents, list, text, word};
use crate::pod::Pod;

/// Returns the strictest of the Pod Security Standards that a pod meets, as far as our pods set the fields of their controls.
///
/// Source: kubernetes.io/docs/concepts/security/pod-security-standards.
fn level(pod: &Pod<'_>) -> &'static str {
    let volume_types = || {
        list(at(pod.spec, "/volumes"))
            .flat_map(|volume| volume.as_object().unwrap().keys())
            .filter(|key| *key != "name")
    };
    let of = |container: &Value, key: &str| match &container["securityContext"][key] {
        Value::Null => at(pod.spec, &format!("/securityContext/{key}")).clone(),
        own => own.clone(),
    };
    let host = ["hostNetwork", "hostPID", "hostIPC"].iter().any(|key| pod.spec[*key] == true);
    let privileged = pod.containers().any(|container| at(container, "/securityContext/privileged") == true);
    if host || privileged || volume_types().any(|kind| kind == "hostPath") {
        return "privileged";
    }
    let allowed = ["configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"];
    let restricted = volume_types().all(|kind| allowed.contains(&kind.as_str()))
        && pod.containers().all(|container| {
            of(container, "runAsNonRoot") == true
                && of(container, "runAsUser") != 0
                && of(container, "seccompProfile")["type"] == "RuntimeDefault"
                && at(container, "/securityContext/allowPrivilegeEscalation") == false
                && at(container, "/securityContext/capabilities/drop") == &json!(["ALL"])
        });
    if restricted { "restricted" } else { "baseline" }
}

#[test]
fn pods_meet_the_security_level_of_the_readme() {
    for (name, resources) in deployments() {
        let expected = match &*name {
            "aggregator" | "openshift" | "audit/webhook" => "restricted",
            _ => "privileged",
        };
        assert_eq!(level(&Pod::of(&resources)), expected, "{name}");
    }
    let readme = text("kubernetes/README.md");
    for row in [
        "| aggregator, receiver of the webhook | restricted |",
        "| DaemonSets of agents | privileged |",
        "| DaemonSets for the audit log | privileged |",
    ] {
        assert!(readme.contains(row), "{row}");
    }
}

#[test]
fn openshift_assigns_users_and_its_constraints_allow_the_agents() {
    let aggregator = &RENDERED["openshift"];
    let pod = Pod::of(aggregator);
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        for context in pod
            .containers()
            .map(|container| &container["securityContext"])
            .chain([&pod.spec["securityContext"]])
        {
            assert_eq!(context[key], Value::Null, "{key}");
        }
    }
    let constraints = documents("kubernetes/openshift/scc.yaml").remove(0);
    assert_eq!(constraints["allowPrivilegedContainer"], false);
    assert_eq!(at(&constraints, "/seLinuxContext/seLinuxOptions/type"), "spc_t");
    let allowed: Vec<&str> = list(&constraints["volumes"]).map(word).collect();
    for (name, resources) in deployments() {
        for volume in list(at(Pod::of(&resources).spec, "/volumes")) {
            let kind = volume.as_object().unwrap().keys().find(|key| *key != "name").unwrap();
            assert!(allowed.contains(&kind.as_str()), "{name}: {kind}");
        }
    }
}

/// Returns the properties of a section, without comments, by their names in lower case; some agents ignore the case.
fn properties(section: &str) -> Vec<(String, String)> {
    let lines =
        section.lines().map(str::trim).filter(|line| !line.starts_with(['#', '[']) && !line.is_empty());
    let pairs = lines.map(|line| line.split_once(' ').unwrap_or_else(|| panic!("{line}")));
    let mut pairs: Vec<(String, String)> =
        pairs.map(|(key, value)| (key.to_lowercase(), value.trim().to_owned())).collect();
    pairs.sort();
    pairs
}

/// Returns the sections of a pipeline: input, filter, output.
fn sections(pipeline: &str) -> Vec<Vec<(String, String)>> {
    ["[INPUT]", "[FILTER]", "[OUTPUT]"]
        .map(|name| properties(pipeline.split(name).nth(1).unwrap().split("\n[").next().unwrap()))
        .into()
}

#[test]
fn the_pipelines_of_a_node_are_the_same_everywhere() {
    let ours = sections(&text("kubernetes/config/fluent-bit.conf"));
    let disk = |sections: Vec<Vec<(String, String)>>| -> Vec<Vec<(String, String)>> {
        let kept = |(key, _): &(String, String)| !key.starts_with("storage.");
        sections.into_iter().map(|section| section.into_iter().filter(kept).collect()).collect()
    };

    // Without the settings of the buffer on disk, for which the operator's own configuration has to name a directory.
    let resources = documents("kubernetes/fluent-operator/pipeline.yaml");
    for resource in &resources {
        assert_eq!(resource["apiVersion"], "fluentbit.fluent.io/v1alpha2");
        assert_eq!(
            at(resource, "/metadata/labels/fluentbit.fluent.io~1enabled"),
            "true",
            "the operator selects by it"
        );
    }
    let operator: Vec<String> = resources.iter().map(section).collect();
    assert_eq!(sections(&operator.join("\n")), disk(ours.clone()));

    // In YAML, with the filter as a processor.
    let yaml = documents("kubernetes/config/agent.yaml").remove(0);
    assert_eq!(yaml["plugins"], json!(["/kaudit/lib/flb-filter_kaudit.so"]));
    let plain = |value: &Value| match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let section = |value: &Value| {
        let members = value.as_object().unwrap().iter().filter(|(key, _)| *key != "processors");
        let mut pairs: Vec<(String, String)> =
            members.map(|(key, value)| (key.clone(), plain(value))).collect();
        pairs.sort();
        pairs
    };
    let input = at(&yaml, "/pipeline/inputs/0");
    let mut filter = section(at(input, "/processors/logs/0"));
    filter.push(("match".to_owned(), "kaudit.*".to_owned()));
    filter.sort();
    assert_eq!(vec![section(input), filter, section(at(&yaml, "/pipeline/outputs/0"))], ours);
}

/// Returns the names and texts of the files with parts of Fluent Bit's configurations, and of others beside them.
fn pipelines() -> Vec<(String, String)> {
    let folders =
        ["kubernetes/config", "kubernetes/audit/config", "kubernetes/wasm", "fluent-bit", "audit/fluent-bit"];
    let files = folders.iter().flat_map(|folder| {
        std::fs::read_dir(crate::files::examples(folder)).unwrap().map(Result::unwrap).filter_map(
            move |entry| {
                let text = std::fs::read_to_string(entry.path()).ok()?;
                Some((format!("{folder}/{}", entry.file_name().display()), text))
            },
        )
    });
    files.filter(|(name, _)| !name.ends_with("README.md")).collect()
}

#[test]
fn retries_have_no_end_and_refused_chunks_are_kept() {
    let mut found = 0;
    for (name, text) in pipelines() {
        // Comments end before the settings; a pipeline that is included has its [SERVICE] elsewhere.
        if text.contains("/logs/v1/") && text.contains("storage.type") {
            assert!(text.contains("no_limits") && text.contains("storage.total_limit_size"), "{name}");
            found += 1;
        }
        if text.contains("storage.path") {
            assert!(text.contains("storage.keep.rejected"), "{name}");
        }
    }
    assert!(found >= 12, "{found}");
}

#[test]
fn pending_summaries_survive_a_stop_on_a_volume_that_survives_the_pod() {
    let mut found = 0;
    for (name, text) in pipelines() {
        let value = |key: &str| {
            let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(key))?;
            line.starts_with([' ', ':']).then(|| line.trim_start_matches([' ', ':']).trim().to_owned())
        };
        // A pipeline with limits; Vector's module has the option as `config_file = …`.
        let file = value("config_file").filter(|file| file.starts_with('/'));
        if file.is_none() && value("rate_limit").is_none() {
            assert_eq!(value("state_path"), None, "{name}: it has nothing to keep");
            continue;
        }
        let path = value("state_path").unwrap_or_else(|| panic!("{name}: no state_path"));
        let folder = if name.starts_with("kubernetes") { "/kaudit/state/" } else { "/var/lib/fluent-bit/" };
        assert!(path.strip_prefix(folder).is_some_and(|name| !name.contains('/')), "{name}: {path}");
        found += 1;
    }
    assert_eq!(found, 4 + 7 + 3 + 2);
    for (name, resources) in deployments() {
        let pod = Pod::of(&resources);
        if !pod.spec.to_string().contains("flb-filter_kaudit.so") {
            continue;
        }
        let mounts = list(at(pod.agent(), "/volumeMounts"));
        let mount = mounts.into_iter().find(|mount| mount["mountPath"] == "/kaudit/state");
        let mount = mount.unwrap_or_else(|| panic!("{name}: no /kaudit/state"));
        assert_eq!(mount["readOnly"], Value::Null, "{name}");
        // A volume of the StatefulSet's claims is in no list of volumes.
        let survives =
            pod.volume(word(&mount["name"])).is_none_or(|volume| volume["hostPath"] != Value::Null);
        assert!(survives, "{name}");
    }
}
