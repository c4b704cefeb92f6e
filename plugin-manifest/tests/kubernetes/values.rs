//! The values that add the filter to a release replace nothing of it.

use serde_json::Value;

use crate::charts::{FRAGMENTS, append, coralogix, helm, values};
use crate::deployments::chart_deployments;
use crate::files::{at, list, text, word};
use crate::pod::Pod;

/// Asserts that a value contains all of another: each member of a map, each item of a list in its order, or the same scalar.
fn assert_contains(path: &str, whole: &Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                let found = whole.get(key).unwrap_or_else(|| panic!("{path}.{key} is gone"));
                assert_contains(&format!("{path}.{key}"), found, value);
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            let mut items = whole.iter();
            for item in part {
                assert!(items.any(|found| found == item), "{path} lacks {item}");
            }
        }
        _ => assert_eq!(whole, part, "{path}"),
    }
}

/// The one file that is no item of a list; a release has none of this name.
const FILE: &str = "/config/extraFiles/kaudit.conf";

/// Returns the paths of the lists in a fragment, which has nothing else but a file.
fn lists(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::String(own) if path == FILE => {
            assert!(*own == text("kubernetes/config/agent.conf"), "{FILE} differs from config/agent.conf");
            Vec::new()
        }
        Value::Object(members) => {
            members.iter().flat_map(|(key, value)| lists(value, &format!("{path}/{key}"))).collect()
        }
        Value::Array(_) => vec![path.to_owned()],
        other => panic!("{path} is {other}: Helm would replace a release's own"),
    }
}

#[test]
fn fragments_contain_only_lists_and_a_file() {
    let readme = text("kubernetes/README.md");
    for (name, _) in FRAGMENTS {
        for path in lists(&values(name), "") {
            let key = path.rsplit('/').next().unwrap();
            assert!(
                name == "fluent-operator" || readme.contains(&format!("`{key}`")),
                "README.md lacks `{key}` of {name}"
            );
        }
    }
}

#[test]
fn appended_to_a_release_everything_of_both_remains() {
    for (name, release) in FRAGMENTS {
        let (release, fragment) = (release(), values(name));
        let merged = append(&release, &fragment);
        assert_contains(name, &merged, &release);
        assert_contains(name, &merged, &fragment);
        // Helm then replaces only lists of the chart, whose items the fragment repeats.
        assert_eq!(helm(&release, &merged), merged, "{name}");
    }
}

#[test]
fn helm_replaces_a_list_that_both_have() {
    for (name, release) in FRAGMENTS {
        let (release, fragment) = (release(), values(name));
        let merged = helm(&release, &fragment);
        for path in lists(&fragment, "") {
            assert_eq!(at(&merged, &path), at(&fragment, &path), "{name}: {path}");
        }
        // What is not in such a list remains.
        let mut rest = release;
        for path in lists(&fragment, "") {
            if let Some(own) = rest.pointer_mut(&path) {
                *own = at(&fragment, &path).clone();
            }
        }
        assert_contains(name, &merged, &rest);
    }
}

#[test]
fn the_values_for_coralogix_s_chart_repeat_its_own_items() {
    let chart = coralogix();
    let merged = helm(&chart, &values("coralogix-fluent-bit"));
    assert_contains("fluent-bit-http", &merged, &chart);
}

#[test]
fn the_last_configuration_file_is_the_filter_s_and_includes_the_agent_s() {
    let mut found = 0;
    for (name, resources) in chart_deployments()
        .into_iter()
        .filter(|(name, _)| name.contains("fluent-bit") && !name.contains("audit"))
    {
        let pod = Pod::of(&resources);
        let files: Vec<&str> = list(&pod.agent()["args"])
            .filter_map(|argument| word(argument).strip_prefix("--config="))
            .collect();
        let (own, ours) = if name.contains("coralogix") {
            ("/fluent-bit/etc/conf/fluent-bit.yaml", "/kaudit/etc/agent.yaml")
        } else {
            ("/fluent-bit/etc/conf/fluent-bit.conf", "/fluent-bit/etc/conf/kaudit.conf")
        };
        assert!(files.contains(&own) && files.last() == Some(&ours), "{name}: {files:?}");
        let included = pod.reached().contains_key(own);
        assert!(included, "{name}: {ours} does not include {own}");
        found += 1;
    }
    assert_eq!(found, 5);
}

#[test]
fn services_of_charts_have_ports() {
    for (name, resources) in chart_deployments() {
        for service in resources.iter().filter(|resource| resource["kind"] == "Service") {
            assert_ne!(list(at(service, "/spec/ports")).count(), 0, "{name}: {service}");
        }
    }
}
