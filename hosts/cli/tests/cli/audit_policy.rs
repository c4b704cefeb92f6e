//! Tests `examples/audit/audit-policy.yaml`, the API server's audit policy, with the rules of the default policy.

use std::fs;

use serde_json::{Value, json};

use crate::audit::{assert_known, words, yaml};
use crate::common::{feed, folder, list, text, word};

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
    let folder = folder("audit-policy", "falco");
    fs::write(folder.join("default.yaml"), text("policies/default.yaml") + own).unwrap();
    let document = text("examples/audit/audit.yaml").replace("../../policies/default.yaml", "default.yaml");
    fs::write(folder.join("audit.yaml"), document).unwrap();
    let (code, out, err) = feed(&["check", "--strict", folder.join("audit.yaml").to_str().unwrap()], "");
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
