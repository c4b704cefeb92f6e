//! The pods that the charts render from our values, without the parts that do not depend on them.
//!
//! Decision: the charts are in no package registry, so this file repeats their templates for these values, and the values of
//! their own that the lists replace; the rest of their output is not tested.

use serde_json::{Value, json};

use crate::files::{at, documents, list, word};

/// The name of a file of values, and the values of a release that it is added to.
type Fragment = (&'static str, fn() -> Value);

/// The files that add the filter to a release, and the values of such a release.
pub const FRAGMENTS: [Fragment; 4] = [
    ("fluent-bit", fluent_bit_release),
    ("fluent-bit-image-volume", fluent_bit_release),
    ("vector", vector_release),
    ("fluent-operator", operator_release),
];

pub fn values(name: &str) -> Value {
    documents(&format!("kubernetes/values/{name}.yaml")).remove(0)
}

/// Merges values as Helm does: maps by their keys, everything else is replaced, and null removes.
pub fn helm(below: &Value, above: &Value) -> Value {
    merge(below, above, |_, above| above.clone())
}

/// Merges values as `yq` does with `*+`: maps by their keys, and lists are appended.
pub fn append(below: &Value, above: &Value) -> Value {
    merge(below, above, |below, above| match (below, above) {
        (Value::Array(below), Value::Array(above)) => below.iter().chain(above).cloned().collect(),
        _ => above.clone(),
    })
}

fn merge(below: &Value, above: &Value, other: fn(&Value, &Value) -> Value) -> Value {
    let (Value::Object(below), Value::Object(above)) = (below, above) else { return other(below, above) };
    let mut merged = below.clone();
    for (key, value) in above {
        let value = merged.get(key).map_or_else(|| value.clone(), |own| merge(own, value, other));
        merged.insert(key.clone(), value);
    }
    merged.retain(|_, value| !value.is_null());
    Value::Object(merged)
}

/// Returns every chart with our values alone and, where they are a fragment, appended to a release's own.
pub fn rendered() -> Vec<(String, Vec<Value>)> {
    let mut all = Vec::new();
    for (name, release) in FRAGMENTS {
        let fragment = values(name);
        all.push((format!("values/{name}.yaml"), render(name, &fragment)));
        all.push((format!("values/{name}.yaml in a release"), render(name, &append(&release(), &fragment))));
    }
    for name in ["audit-fluent-bit", "audit-vector", "coralogix-fluent-bit"] {
        all.push((format!("values/{name}.yaml"), render(name, &values(name))));
    }
    all
}

fn render(name: &str, values: &Value) -> Vec<Value> {
    match name {
        "fluent-operator" => operator(values),
        "coralogix-fluent-bit" => fluent_bit(&helm(&coralogix(), values)["fluent-bit"]),
        name if name.contains("vector") => vector(&helm(&vector_chart(), values)),
        _ => fluent_bit(&helm(&fluent_bit_chart(), values)),
    }
}

/// The values of the chart fluent/fluent-bit 0.58.1 that ours touch.
fn fluent_bit_chart() -> Value {
    json!({
        "args": ["--workdir=/fluent-bit/etc", "--config=/fluent-bit/etc/conf/fluent-bit.conf"],
        "env": [], "initContainers": [], "extraVolumes": [], "extraVolumeMounts": [],
        "securityContext": {}, "nodeSelector": {}, "tolerations": [],
        "daemonSetVolumes": [{"name": "varlog", "hostPath": {"path": "/var/log"}}],
        "daemonSetVolumeMounts": [{"name": "varlog", "mountPath": "/var/log"}],
        "config": {
            "service": "[SERVICE]\n    Daemon Off\n    Flush {{ .Values.flush }}\n",
            "inputs": "[INPUT]\n    Name tail\n    Path /var/log/containers/*.log\n    Tag kube.*\n",
            "filters": "[FILTER]\n    Name kubernetes\n    Match kube.*\n    K8S-Logging.Exclude On\n",
            "outputs": "[OUTPUT]\n    Name es\n    Match kube.*\n    Host elasticsearch-master\n",
            "extraFiles": {},
        },
    })
}

/// Values of somebody's release, with an item in each list that ours touch.
fn fluent_bit_release() -> Value {
    json!({
        "image": {"tag": "5.0.7"},
        "args": ["--workdir=/fluent-bit/etc", "--config=/fluent-bit/etc/conf/fluent-bit.conf", "-v"],
        "env": [{"name": "STAGE", "value": "test"}],
        "initContainers": [{"name": "certificates", "image": "busybox", "command": ["cp", "/own.pem", "/certificates/"],
            "securityContext": context(), "volumeMounts": [{"name": "certificates", "mountPath": "/certificates"}]}],
        "extraVolumes": [{"name": "certificates", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "certificates", "mountPath": "/certificates", "readOnly": true}],
        "config": {
            "inputs": "[INPUT]\n    Name tail\n    Path /var/log/containers/shop*.log\n    Tag shop.*\n",
            "outputs": "[OUTPUT]\n    Name stdout\n    Match shop.*\n",
        },
    })
}

fn context() -> Value {
    json!({"runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}})
}

/// The values of Coralogix's chart fluent-bit-http 3.2.10-1 for its subchart, as far as ours touch them.
pub fn coralogix() -> Value {
    json!({"fluent-bit": helm(&fluent_bit_chart(), &json!({
        "args": ["--workdir=/fluent-bit/etc", "--config=/fluent-bit/etc/conf/fluent-bit.yaml"],
        "envFrom": [{"secretRef": {"name": "coralogix-keys"}}],
        "env": [
            {"name": "APP_NAME_SYSTEMD", "value": "systemd"},
            {"name": "SUB_SYSTEM_SYSTEMD", "value": "kubelet"},
            {"name": "HOSTNAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        ],
        "config": {"extraFiles": {"fluent-bit.yaml": "service: {flush: 1}\n"}},
        "extraVolumes": [{"name": "crxluascript", "configMap": {"name": "fluent-bit-http-crxluascript"}}],
        "extraVolumeMounts": [{"name": "crxluascript", "mountPath": "/fluent-bit/scripts/script.lua", "subPath": "script.lua"}],
    }))})
}

fn fluent_bit(values: &Value) -> Vec<Value> {
    let parts = ["service", "inputs", "filters", "outputs"].map(|part| word(&values["config"][part]));
    let filled = parts.join("\n").replace("{{ .Values.flush }}", "1");
    let filled =
        filled.replace("{{ .Values.logLevel }}", "info").replace("{{ .Values.metricsPort }}", "2020");
    assert!(!filled.contains("{{"), "{filled}");
    let mut data = json!({"fluent-bit.conf": filled});
    data.as_object_mut()
        .unwrap()
        .extend(values["config"]["extraFiles"].as_object().cloned().unwrap_or_default());
    let config = config_map("fluent-bit", &data);
    let mounts = [
        json!([{"name": "config", "mountPath": "/fluent-bit/etc/conf"}]),
        values["daemonSetVolumeMounts"].clone(),
    ];
    let volumes = [
        json!([{"name": "config", "configMap": {"name": "fluent-bit"}}]),
        values["daemonSetVolumes"].clone(),
    ];
    // A ConfigMap of Coralogix's chart.
    let script = config_map("fluent-bit-http-crxluascript", &json!({"script.lua": ""}));
    vec![config, script, daemon_set("fluent-bit", values, &mounts, &volumes)]
}

/// The values of the chart vector/vector 0.57.0 that ours touch.
fn vector_chart() -> Value {
    json!({
        "role": "Agent",
        "args": ["--config-dir", "/etc/vector/"],
        "env": [], "initContainers": [], "extraVolumes": [], "extraVolumeMounts": [],
        "securityContext": {}, "nodeSelector": {}, "tolerations": [],
        "service": {"enabled": true, "ports": []}, "serviceHeadless": {"enabled": true},
        "customConfig": {},
        "defaultVolumes": [{"name": "var-log", "hostPath": {"path": "/var/log/"}}],
        "defaultVolumeMounts": [{"name": "var-log", "mountPath": "/var/log/", "readOnly": true}],
        "persistence": {"hostPath": {"enabled": true, "path": "/var/lib/vector"}},
    })
}

fn vector_release() -> Value {
    json!({
        "role": "Agent",
        "image": {"tag": "0.58.0-distroless-libc"},
        "args": ["--config-dir", "/etc/vector/", "-v"],
        "env": [{"name": "STAGE", "value": "test"}],
        "initContainers": fluent_bit_release()["initContainers"],
        "extraVolumes": fluent_bit_release()["extraVolumes"],
        "extraVolumeMounts": fluent_bit_release()["extraVolumeMounts"],
        "customConfig": {"data_dir": "/vector-data-dir", "sources": {"shop": {"type": "prometheus_remote_write", "address": "0.0.0.0:9090"}}},
    })
}

fn vector(values: &Value) -> Vec<Value> {
    let config = config_map("vector", &json!({"vector.yaml": values["customConfig"].to_string()}));
    let path = at(values, "/customConfig/data_dir").as_str().unwrap_or("/vector-data-dir");
    let mounts = [
        json!([{"name": "data", "mountPath": path}, {"name": "config", "mountPath": "/etc/vector/", "readOnly": true}]),
        values["defaultVolumeMounts"].clone(),
    ];
    let volumes = [
        json!([{"name": "data", "hostPath": {"path": at(values, "/persistence/hostPath/path")}},
            {"name": "config", "projected": {"sources": [{"configMap": {"name": "vector"}}]}}]),
        values["defaultVolumes"].clone(),
    ];
    let mut resources = vec![config, daemon_set("vector", values, &mounts, &volumes)];
    // The ports come from the sources of `customConfig` or, without it, from the chart's own configuration.
    let sources = at(values, "/customConfig/sources").as_object().cloned().unwrap_or_default();
    let ports: Vec<Value> = match values["customConfig"].as_object() {
        Some(config) if config.is_empty() => {
            vec![json!({"name": "prom-exporter", "port": 9090, "protocol": "TCP"})]
        }
        _ => sources.keys().map(|name| json!({"name": name, "port": 9090, "protocol": "TCP"})).collect(),
    };
    for (key, name) in [("service", "vector"), ("serviceHeadless", "vector-headless")] {
        if values[key]["enabled"] == true {
            resources.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports}}));
        }
    }
    resources
}

fn operator_release() -> Value {
    json!({"fluentbit": {
        "envVars": fluent_bit_release()["env"],
        "initContainers": fluent_bit_release()["initContainers"],
        "additionalVolumes": fluent_bit_release()["extraVolumes"],
        "additionalVolumesMounts": fluent_bit_release()["extraVolumeMounts"],
    }})
}

/// Returns the DaemonSet that fluent-operator makes of the resource `FluentBit`, and the configuration of its watcher.
fn operator(values: &Value) -> Vec<Value> {
    let own = &values["fluentbit"];
    let pipeline: Vec<String> =
        documents("kubernetes/fluent-operator/pipeline.yaml").iter().map(section).collect();
    let config = config_map("fluent-bit-config", &json!({"fluent-bit.conf": pipeline.join("\n")}));
    let watcher = [json!("-c=/fluent-bit/config/fluent-bit.conf")];
    let values = json!({
        "initContainers": own["initContainers"], "env": own["envVars"],
        "args": watcher.iter().chain(list(&own["args"])).collect::<Vec<_>>(),
        "extraVolumes": own["additionalVolumes"], "extraVolumeMounts": own["additionalVolumesMounts"],
    });
    let mounts = [json!([{"name": "config", "mountPath": "/fluent-bit/config", "readOnly": true},
        {"name": "varlogs", "mountPath": "/var/log/", "readOnly": true}])];
    let volumes = [json!([{"name": "config", "configMap": {"name": "fluent-bit-config"}},
        {"name": "varlogs", "hostPath": {"path": "/var/log"}}])];
    vec![config, daemon_set("fluent-bit", &values, &mounts, &volumes)]
}

/// Returns the section that the operator writes for a resource of a pipeline.
pub fn section(resource: &Value) -> String {
    let name = word(&resource["kind"]).trim_start_matches("Cluster").to_uppercase();
    let matched =
        resource["spec"]["match"].as_str().map_or_else(String::new, |tags| format!("    match {tags}\n"));
    let own =
        [at(resource, "/spec/customPlugin/config"), at(resource, "/spec/filters/0/customPlugin/config")];
    let lines = own.into_iter().flat_map(|config| word(config).lines()).map(|line| format!("    {line}\n"));
    format!("[{name}]\n{matched}{}", lines.collect::<String>())
}

fn config_map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn daemon_set(name: &str, values: &Value, mounts: &[Value], volumes: &[Value]) -> Value {
    let with = |own: &[Value], more: &Value| {
        own.iter().flat_map(list).chain(list(more)).cloned().collect::<Vec<_>>()
    };
    let labels = json!({"app.kubernetes.io/name": name});
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {
            "initContainers": values.get("initContainers").unwrap_or(&json!([])),
            "containers": [{
                "name": name, "image": "chart", "args": values["args"], "env": values["env"],
                "securityContext": values.get("securityContext").unwrap_or(&json!({})),
                "volumeMounts": with(mounts, &values["extraVolumeMounts"]),
            }],
            "volumes": with(volumes, &values["extraVolumes"]),
            "nodeSelector": values.get("nodeSelector").unwrap_or(&json!({})),
            "tolerations": values.get("tolerations").unwrap_or(&json!([])),
        }},
    }})
}
