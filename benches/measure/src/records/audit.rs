//! Audit events as the API server writes them: its order of keys, its escape sequences, a cluster's ordinary traffic.
//!
//! The audit policy omits the stages `RequestReceived` and `ResponseStarted`, as many published ones do. So each request
//! has one event, and a repeated pass over the events gives the same verdicts.

use std::fmt::Write as _;

use super::object::Object;
use crate::random::{Random, START_MS};

/// A request: its weight, the user, the user agent, the verb, the URI, and the kind of the object.
///
/// `{n}` is the number of the entity, `{ns}` a namespace, `{hex}` a random suffix.
type Row = (u64, &'static str, &'static str, &'static str, &'static str, Kind);

/// The kind of an object in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    None,
    Deployment,
    Event,
    Lease,
    Node,
    Pod,
    PodList,
    Privileged,
    RoleBinding,
    Slice,
}

const NODE: &str = "system:node:worker-{n}";
const KUBELET: &str = "kubelet/v1.34.2 (linux/amd64) kubernetes/8cc511e";
const MANAGER: &str = "kube-controller-manager/v1.34.2 (linux/amd64) kubernetes/8cc511e";
const SCHEDULER: &str = "kube-scheduler/v1.34.2 (linux/amd64) kubernetes/8cc511e";
const SERVER: &str = "kube-apiserver/v1.34.2 (linux/amd64) kubernetes/8cc511e";
const PERSON: &str = "user-{n}@example.com";
const KUBECTL: &str = "kubectl/v1.34.1 (darwin/arm64) kubernetes/93248f9";
const ARGO: &str = "system:serviceaccount:argocd:argocd-application-controller";
const ARGO_AGENT: &str = "argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format";
const CI: &str = "ci-deployer";
const HELM: &str = "Helm/3.19.0";

/// Requests at the level `Metadata`. Of a thousand, 900 are of machines.
#[rustfmt::skip]
const METADATA: &[Row] = &[
    (190, NODE, KUBELET, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-{n}?timeout=10s", Kind::None),
    (50, NODE, KUBELET, "get", "/api/v1/nodes/worker-{n}?resourceVersion=0&timeout=10s", Kind::None),
    (30, NODE, KUBELET, "patch", "/api/v1/nodes/worker-{n}/status?timeout=10s", Kind::None),
    (35, NODE, KUBELET, "get", "/api/v1/namespaces/{ns}/pods/api-{hex}", Kind::None),
    (45, NODE, KUBELET, "patch", "/api/v1/namespaces/{ns}/pods/api-{hex}/status", Kind::None),
    (30, NODE, KUBELET, "create", "/api/v1/namespaces/{ns}/serviceaccounts/default/token", Kind::None),
    (20, NODE, KUBELET, "watch", "/api/v1/namespaces/{ns}/secrets?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dapi-{n}&resourceVersion=8{n}&timeout=7m20s&timeoutSeconds=440&watch=true", Kind::None),
    (20, NODE, KUBELET, "watch", "/api/v1/namespaces/{ns}/configmaps?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dkube-root-ca.crt&resourceVersion=8{n}&timeout=6m5s&timeoutSeconds=365&watch=true", Kind::None),
    (15, NODE, KUBELET, "create", "/api/v1/namespaces/{ns}/events", Kind::None),
    (50, "system:kube-controller-manager", "kube-controller-manager/v1.34.2 (linux/amd64) kubernetes/8cc511e/leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager?timeout=5s", Kind::None),
    (12, "system:serviceaccount:kube-system:replicaset-controller", MANAGER, "update", "/apis/apps/v1/namespaces/{ns}/replicasets/api-{hex}/status", Kind::None),
    (10, "system:serviceaccount:kube-system:replicaset-controller", MANAGER, "create", "/api/v1/namespaces/{ns}/pods", Kind::None),
    (12, "system:serviceaccount:kube-system:deployment-controller", MANAGER, "update", "/apis/apps/v1/namespaces/{ns}/deployments/api/status", Kind::None),
    (20, "system:serviceaccount:kube-system:endpointslice-controller", MANAGER, "update", "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices/api-{hex}", Kind::None),
    (15, "system:serviceaccount:kube-system:generic-garbage-collector", MANAGER, "get", "/apis/apps/v1?timeout=32s", Kind::None),
    (10, "system:serviceaccount:kube-system:resourcequota-controller", MANAGER, "list", "/api/v1/namespaces/{ns}/persistentvolumeclaims?limit=500&resourceVersion=0", Kind::None),
    (8, "system:serviceaccount:kube-system:namespace-controller", MANAGER, "get", "/api/v1/namespaces/{ns}", Kind::None),
    (6, "system:serviceaccount:kube-system:cronjob-controller", MANAGER, "create", "/apis/batch/v1/namespaces/{ns}/jobs", Kind::None),
    (6, "system:serviceaccount:kube-system:job-controller", MANAGER, "update", "/apis/batch/v1/namespaces/{ns}/jobs/backup-{n}/status", Kind::None),
    (4, "system:serviceaccount:kube-system:pod-garbage-collector", MANAGER, "delete", "/api/v1/namespaces/{ns}/pods/backup-{hex}", Kind::None),
    (45, "system:kube-scheduler", "kube-scheduler/v1.34.2 (linux/amd64) kubernetes/8cc511e/leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s", Kind::None),
    (10, "system:kube-scheduler", SCHEDULER, "create", "/api/v1/namespaces/{ns}/pods/api-{hex}/binding?timeout=30s", Kind::None),
    (5, "system:kube-scheduler", SCHEDULER, "watch", "/apis/storage.k8s.io/v1/csinodes?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=352&watch=true", Kind::None),
    (15, "system:apiserver", SERVER, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/apiserver-{hex}", Kind::None),
    (15, "system:apiserver", SERVER, "get", "/api/v1/namespaces/default/endpoints/kubernetes", Kind::None),
    (10, "system:apiserver", SERVER, "list", "/api/v1/services?limit=500&resourceVersionMatch=NotOlderThan", Kind::None),
    (30, "system:anonymous", "kube-probe/1.34", "get", "/livez?exclude=etcd", Kind::None),
    (6, "system:kube-proxy", "kube-proxy/v1.34.2 (linux/amd64) kubernetes/8cc511e", "watch", "/apis/discovery.k8s.io/v1/endpointslices?allowWatchBookmarks=true&labelSelector=%21service.kubernetes.io%2Fheadless&resourceVersion=8{n}&timeoutSeconds=514&watch=true", Kind::None),
    (8, "system:serviceaccount:kube-system:metrics-server", "metrics-server/v0.8.0 (linux/amd64) kubernetes/$Format", "create", "/apis/authorization.k8s.io/v1/subjectaccessreviews?timeout=10s", Kind::None),
    (6, "system:serviceaccount:kube-system:metrics-server", "metrics-server/v0.8.0 (linux/amd64) kubernetes/$Format", "create", "/apis/authentication.k8s.io/v1/tokenreviews?timeout=10s", Kind::None),
    (8, "system:serviceaccount:kube-system:coredns", "Go-http-client/2.0", "watch", "/apis/discovery.k8s.io/v1/endpointslices?allowWatchBookmarks=true&resourceVersion=8{n}&timeout=5m56s&timeoutSeconds=356&watch=true", Kind::None),
    (10, "system:serviceaccount:monitoring:kube-state-metrics", "kube-state-metrics/v2.17.0 (linux/amd64)", "watch", "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=8{n}&timeout=8m31s&timeoutSeconds=511&watch=true", Kind::None),
    (10, "system:serviceaccount:monitoring:prometheus-k8s", "Prometheus/3.7.1", "watch", "/api/v1/namespaces/{ns}/endpoints?allowWatchBookmarks=true&resourceVersion=8{n}&timeout=9m2s&timeoutSeconds=542&watch=true", Kind::None),
    (14, "system:serviceaccount:kube-system:cilium", "cilium-agent/1.18.4 (linux/amd64)", "patch", "/apis/cilium.io/v2/namespaces/{ns}/ciliumendpoints/api-{hex}", Kind::None),
    (20, "system:serviceaccount:cert-manager:cert-manager", "cert-manager-controller/v1.19.1 (linux/amd64) leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cert-manager-controller", Kind::None),
    (20, "system:serviceaccount:ingress-nginx:ingress-nginx", "nginx-ingress-controller/v1.13.3 (linux/amd64) ingress-nginx", "update", "/apis/coordination.k8s.io/v1/namespaces/ingress-nginx/leases/ingress-nginx-leader", Kind::None),
    (15, "system:serviceaccount:payments:payments-operator", "payments-operator/v0.0.0 (linux/amd64) kubernetes/$Format", "update", "/apis/coordination.k8s.io/v1/namespaces/payments/leases/payments-operator.example.com", Kind::None),
    (15, "system:serviceaccount:payments:payments-operator", "payments-operator/v0.0.0 (linux/amd64) kubernetes/$Format", "update", "/apis/example.com/v1/namespaces/payments/payments/pay-{n}/status", Kind::None),
    (10, ARGO, ARGO_AGENT, "get", "/apis/apps/v1/namespaces/{ns}/deployments/api", Kind::None),
    (20, ARGO, ARGO_AGENT, "patch", "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/app-{n}", Kind::None),
    (20, PERSON, KUBECTL, "list", "/api/v1/namespaces/{ns}/pods?limit=500", Kind::None),
    (12, PERSON, KUBECTL, "get", "/api/v1/namespaces/{ns}/pods/api-{hex}", Kind::None),
    (8, PERSON, KUBECTL, "get", "/apis/apps/v1/namespaces/{ns}/deployments/api", Kind::None),
    (8, PERSON, KUBECTL, "get", "/api/v1/namespaces/{ns}/pods/api-{hex}/log?container=app&tailLines=100", Kind::None),
    (6, PERSON, KUBECTL, "get", "/api?timeout=32s", Kind::None),
    (6, PERSON, KUBECTL, "get", "/apis?timeout=32s", Kind::None),
    (5, PERSON, KUBECTL, "list", "/api/v1/namespaces/{ns}/events?fieldSelector=involvedObject.name%3Dapi-{n}&limit=500", Kind::None),
    (4, PERSON, KUBECTL, "list", "/api/v1/nodes?limit=500", Kind::None),
    (5, PERSON, KUBECTL, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api?fieldManager=kubectl-client-side-apply&fieldValidation=Strict", Kind::None),
    (2, PERSON, KUBECTL, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api/scale", Kind::None),
    (3, PERSON, KUBECTL, "delete", "/api/v1/namespaces/{ns}/pods/api-{hex}", Kind::None),
    (2, PERSON, KUBECTL, "create", "/api/v1/namespaces/{ns}/configmaps?fieldManager=kubectl-create&fieldValidation=Strict", Kind::None),
    (3, PERSON, KUBECTL, "create", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Kind::None),
    (9, CI, HELM, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api?fieldManager=helm&force=false", Kind::None),
    (2, PERSON, KUBECTL, "get", "/api/v1/namespaces/{ns}/secrets/db-{n}", Kind::None),
    (2, PERSON, KUBECTL, "get", "/api/v1/namespaces/{ns}/pods/api-{hex}/exec?command=sh&command=-c&command=ls+%2Ftmp&container=app&stdin=true&stdout=true&tty=true", Kind::None),
    (1, PERSON, KUBECTL, "get", "/api/v1/namespaces/{ns}/pods/db-0/portforward", Kind::None),
    (1, PERSON, KUBECTL, "create", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings?fieldManager=kubectl-create", Kind::None),
    (1, PERSON, KUBECTL, "list", FORBIDDEN, Kind::None),
];

/// The only request of the tables that is refused.
const FORBIDDEN: &str = "/api/v1/namespaces/kube-system/secrets?limit=500";

/// Requests at the level `RequestResponse`; their weights are about the share of a cluster's writes.
#[rustfmt::skip]
const BODIES: &[Row] = &[
    (300, NODE, KUBELET, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-{n}?timeout=10s", Kind::Lease),
    (100, "system:kube-scheduler", "kube-scheduler/v1.34.2 (linux/amd64) kubernetes/8cc511e/leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s", Kind::Lease),
    (120, NODE, KUBELET, "patch", "/api/v1/nodes/worker-{n}/status?timeout=10s", Kind::Node),
    (120, NODE, KUBELET, "patch", "/api/v1/namespaces/{ns}/pods/api-{hex}/status", Kind::Pod),
    (80, "system:serviceaccount:kube-system:replicaset-controller", MANAGER, "create", "/api/v1/namespaces/{ns}/pods", Kind::Pod),
    (60, "system:serviceaccount:kube-system:deployment-controller", MANAGER, "update", "/apis/apps/v1/namespaces/{ns}/deployments/api/status", Kind::Deployment),
    (80, "system:serviceaccount:kube-system:endpointslice-controller", MANAGER, "update", "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices/api-{hex}", Kind::Slice),
    (50, NODE, KUBELET, "create", "/api/v1/namespaces/{ns}/events", Kind::Event),
    (30, ARGO, ARGO_AGENT, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api?fieldManager=argocd-controller", Kind::Deployment),
    (30, "system:serviceaccount:payments:payments-operator", "payments-operator/v0.0.0 (linux/amd64) kubernetes/$Format", "update", "/apis/apps/v1/namespaces/payments/deployments/worker", Kind::Deployment),
    (25, CI, HELM, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api?fieldManager=helm&force=false", Kind::Deployment),
    (20, PERSON, KUBECTL, "patch", "/apis/apps/v1/namespaces/{ns}/deployments/api?fieldManager=kubectl-client-side-apply&fieldValidation=Strict", Kind::Deployment),
    (10, PERSON, KUBECTL, "list", "/api/v1/namespaces/{ns}/pods?limit=500", Kind::PodList),
    (3, PERSON, KUBECTL, "create", "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings?fieldManager=kubectl-create", Kind::RoleBinding),
    (2, PERSON, KUBECTL, "create", "/api/v1/namespaces/{ns}/pods?fieldManager=kubectl-run", Kind::Privileged),
];

/// The length of the longest events: lists of an ordinary cluster.
const TAIL_BYTES: u64 = 77_000;

/// Returns an event, with bodies or at the level `Metadata`. With bodies it has about `bytes`, if not 0.
pub(super) fn event(random: &mut Random, entity: u64, time_ms: i64, bodies: bool, bytes: usize) -> String {
    let rows = if bodies { BODIES } else { METADATA };
    let (_, user, agent, verb, uri, kind) = *weighted(random, rows);
    let namespace = random.of(&["payments", "crm", "web", "monitoring", "batch"]);
    let suffix = format!("{:010x}", random.bits() >> 24);
    let fill = |text: &str| {
        text.replace("{n}", &entity.to_string()).replace("{ns}", namespace).replace("{hex}", &suffix)
    };
    let (user, uri) = (fill(user), fill(uri));
    let object = Object::of(&uri);
    let level = if bodies { "RequestResponse" } else { "Metadata" };
    let mut text = format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"{level}","auditID":"{}","stage":"ResponseComplete","requestURI":"{}","verb":"{verb}","user":{}"#,
        uuid(random),
        uri.replace('&', r"\u0026"),
        user_object(random, &user),
    );
    let address = if user.starts_with("system:") {
        format!("10.0.{}.{}", entity % 200, random.below(250))
    } else {
        format!("203.0.113.{}", random.below(250))
    };
    let _ = write!(text, r#","sourceIPs":["{address}"],"userAgent":"{agent}""#);
    object_ref(&object, &mut text, verb, random);
    let refused = uri == FORBIDDEN;
    if refused {
        let _ = write!(
            text,
            r#","responseStatus":{{"metadata":{{}},"status":"Failure","message":"secrets is forbidden: User \"{user}\" cannot list resource \"secrets\" in API group \"\" in the namespace \"kube-system\"","reason":"Forbidden","details":{{"kind":"secrets"}},"code":403}}"#
        );
    } else {
        let code = if verb == "create" { 201 } else { 200 };
        let code =
            if object.subresource == "exec" || object.subresource == "portforward" { 101 } else { code };
        let _ = write!(text, r#","responseStatus":{{"metadata":{{}},"code":{code}}}"#);
    }
    if bodies {
        let wanted =
            if kind == Kind::PodList { TAIL_BYTES } else { 2_000 + random.below(90) * random.below(90) };
        let wanted = if bytes > 0 { bytes } else { usize::try_from(wanted).unwrap_or_default() };
        bodies_of(random, kind, verb, &object, wanted.saturating_sub(400), &mut text);
    }
    let late = random.below(5_000);
    let _ = write!(
        text,
        r#","requestReceivedTimestamp":"{}","stageTimestamp":"{}""#,
        timestamp(time_ms, 0),
        timestamp(time_ms, late)
    );
    annotations(&user, refused, &mut text);
    text.push('}');
    text
}

/// Appends `objectRef`, if the URI names a resource.
fn object_ref(object: &Object<'_>, text: &mut String, verb: &str, random: &mut Random) {
    if object.resource.is_empty() {
        return;
    }
    let _ = write!(text, r#","objectRef":{{"resource":"{}""#, object.resource);
    let mut member = |key: &str, value: &str| {
        if !value.is_empty() {
            let _ = write!(text, r#","{key}":"{value}""#);
        }
    };
    member("namespace", object.namespace);
    member("name", object.name);
    if verb == "update" {
        member("uid", &uuid(random));
    }
    member("apiGroup", object.group);
    member("apiVersion", object.version);
    if verb == "update" {
        member("resourceVersion", &(random.below(90_000_000) + 10_000_000).to_string());
    }
    member("subresource", object.subresource);
    text.push('}');
}

/// Returns a row by its weight.
fn weighted<'r>(random: &mut Random, rows: &'r [Row]) -> &'r Row {
    let mut left = random.below(rows.iter().map(|row| row.0).sum());
    rows.iter()
        .find(|row| {
            let found = left < row.0;
            left = left.saturating_sub(row.0);
            found
        })
        .unwrap_or(&rows[0])
}

fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.bits(), random.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low >> 16
    )
}

/// Returns `user`, with the extra attributes of service account tokens.
fn user_object(random: &mut Random, user: &str) -> String {
    let mut parts = user.split(':').skip(2);
    if user.starts_with("system:serviceaccount:") {
        let (namespace, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let groups = format!(
            r#""system:serviceaccounts","system:serviceaccounts:{namespace}","system:authenticated""#
        );
        let mut text = format!(r#"{{"username":"{user}","uid":"{}","groups":[{groups}]"#, uuid(random));
        // The controllers of the controller manager have no pods of their own.
        if !name.ends_with("-controller") {
            let _ = write!(
                text,
                r#","extra":{{"authentication.kubernetes.io/pod-name":["{name}-{:010x}"],"authentication.kubernetes.io/pod-uid":["{}"]}}"#,
                random.bits() >> 24,
                uuid(random)
            );
        }
        return text + "}";
    }
    let groups = if user == "system:anonymous" {
        r#""system:unauthenticated""#
    } else if user.starts_with("system:node:") {
        r#""system:nodes","system:authenticated""#
    } else if user.starts_with("system:") {
        r#""system:authenticated""#
    } else {
        r#""oidc:platform","system:authenticated""#
    };
    format!(r#"{{"username":"{user}","groups":[{groups}]}}"#)
}

/// Appends the annotations of the authorisation.
fn annotations(user: &str, refused: bool, text: &mut String) {
    let mut parts = user.split(':').skip(2);
    let (decision, reason) = if refused {
        ("forbid", String::new())
    } else if user.starts_with("system:node:") {
        ("allow", String::new())
    } else if user.starts_with("system:serviceaccount:") {
        let (namespace, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let role = if namespace == "kube-system" { "system:controller:" } else { "" };
        let role = format!(r#"ClusterRoleBinding \"{role}{name}\" of ClusterRole \"{role}{name}\""#);
        ("allow", format!(r#"RBAC: allowed by {role} to ServiceAccount \"{name}/{namespace}\""#))
    } else if user == "system:anonymous" {
        let role = r#"ClusterRoleBinding \"system:public-info-viewer\" of ClusterRole \"system:public-info-viewer\""#;
        ("allow", format!(r#"RBAC: allowed by {role} to Group \"system:unauthenticated\""#))
    } else if user.starts_with("system:") {
        let role = format!(r#"ClusterRoleBinding \"{user}\" of ClusterRole \"{user}\""#);
        ("allow", format!(r#"RBAC: allowed by {role} to User \"{user}\""#))
    } else {
        let role = r#"ClusterRoleBinding \"platform\" of ClusterRole \"edit\""#;
        ("allow", format!(r#"RBAC: allowed by {role} to Group \"oidc:platform\""#))
    };
    let _ = write!(
        text,
        r#","annotations":{{"authorization.k8s.io/decision":"{decision}","authorization.k8s.io/reason":"{reason}"}}"#
    );
}

/// Appends the bodies of a request and its response, until the event has this length.
fn bodies_of(
    random: &mut Random,
    kind: Kind,
    verb: &str,
    object: &Object<'_>,
    bytes: usize,
    text: &mut String,
) {
    if kind == Kind::PodList {
        text.push_str(r#","responseObject":{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"81234567"},"items":["#);
        while text.len() < bytes {
            let length = text.len() + 5_000;
            body(random, Kind::Pod, object, Some(length), text);
            text.push(',');
        }
        text.pop();
        text.push_str("]}");
        return;
    }
    text.push_str(r#","requestObject":"#);
    // An update sends the whole object, its managed fields included; others send what a user has written.
    let half = text.len() + bytes.saturating_sub(text.len()) / 2;
    body(random, kind, object, (verb == "update").then_some(half), text);
    text.push_str(r#","responseObject":"#);
    body(random, kind, object, Some(bytes), text);
}

/// Appends an object; with a length, also the fields that the API server adds, managed fields up to it.
fn body(random: &mut Random, kind: Kind, object: &Object<'_>, length: Option<usize>, text: &mut String) {
    let (name, version) = match kind {
        Kind::Deployment => ("Deployment", "apps/v1"),
        Kind::Event => ("Event", "v1"),
        Kind::Lease => ("Lease", "coordination.k8s.io/v1"),
        Kind::Node => ("Node", "v1"),
        Kind::RoleBinding => ("RoleBinding", "rbac.authorization.k8s.io/v1"),
        Kind::Slice => ("EndpointSlice", "discovery.k8s.io/v1"),
        Kind::Pod | Kind::PodList | Kind::Privileged | Kind::None => ("Pod", "v1"),
    };
    let content = content(random, kind, object);
    let _ = write!(
        text,
        r#"{{"kind":"{name}","apiVersion":"{version}","metadata":{{"name":"{}","namespace":"{}","labels":{{"app":"api","app.kubernetes.io/part-of":"shop"}}"#,
        object.name, object.namespace
    );
    if let Some(length) = length {
        let _ = write!(
            text,
            r#","uid":"{}","resourceVersion":"{}","creationTimestamp":"2026-02-11T07:12:45Z""#,
            uuid(random),
            random.below(90_000_000)
        );
        managed_fields(random, length.saturating_sub(content.len()), text);
    }
    let _ = write!(text, r"}},{content}}}");
}

/// Returns the members of an object besides its metadata.
fn content(random: &mut Random, kind: Kind, object: &Object<'_>) -> String {
    let mut content = String::new();
    match kind {
        Kind::Deployment => {
            let _ = write!(
                content,
                r#""spec":{{"replicas":{},"selector":{{"matchLabels":{{"app":"api"}}}},"template":{{"metadata":{{"labels":{{"app":"api"}}}},"#,
                random.below(9)
            );
            pod_spec(random, false, &mut content);
            content.push_str("}}");
        }
        Kind::Event => {
            let _ = write!(
                content,
                r#""involvedObject":{{"kind":"Pod","namespace":"{}","name":"api-{}","uid":"{}"}},"reason":"Unhealthy","message":"Readiness probe failed: HTTP probe failed with statuscode: 503","type":"Warning","count":{}"#,
                object.namespace,
                random.below(100),
                uuid(random),
                random.below(100)
            );
        }
        Kind::Lease => {
            let _ = write!(
                content,
                r#""spec":{{"holderIdentity":"worker-{}","leaseDurationSeconds":40,"renewTime":"2026-03-01T00:00:00.{:06}Z"}}"#,
                random.below(1000),
                random.below(1_000_000)
            );
        }
        Kind::Node => {
            content.push_str(r#""status":{"conditions":["#);
            for condition in ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"] {
                let _ = write!(
                    content,
                    r#"{{"type":"{condition}","status":"False","lastHeartbeatTime":"2026-03-01T00:00:00Z","lastTransitionTime":"2026-01-11T07:12:45Z","reason":"Kubelet{condition}","message":"kubelet reports {condition}"}},"#
                );
            }
            content.pop();
            content.push_str(r#"],"images":["#);
            for number in 0..8 {
                let _ = write!(
                    content,
                    r#"{{"names":["registry.example.com/team/image-{number}@sha256:{:016x}{:016x}"],"sizeBytes":{}}},"#,
                    random.bits(),
                    random.bits(),
                    random.below(900_000_000)
                );
            }
            content.pop();
            content.push_str("]}");
        }
        Kind::RoleBinding => {
            let _ = write!(
                content,
                r#""subjects":[{{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"user-{}@example.com"}}],"roleRef":{{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"view"}}"#,
                random.below(1000)
            );
        }
        Kind::Slice => {
            content.push_str(r#""addressType":"IPv4","endpoints":["#);
            for _ in 0..5 {
                let _ = write!(
                    content,
                    r#"{{"addresses":["10.1.{}.{}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},"targetRef":{{"kind":"Pod","namespace":"{}","name":"api-{:010x}","uid":"{}"}},"nodeName":"worker-{}"}},"#,
                    random.below(250),
                    random.below(250),
                    object.namespace,
                    random.bits() >> 24,
                    uuid(random),
                    random.below(1000)
                );
            }
            content.pop();
            content.push_str(r#"],"ports":[{"name":"http","protocol":"TCP","port":8080}]"#);
        }
        Kind::Pod | Kind::PodList | Kind::Privileged | Kind::None => {
            pod_spec(random, kind == Kind::Privileged, &mut content);
        }
    }
    content
}

/// Appends `managedFields` until the text has this length.
fn managed_fields(random: &mut Random, length: usize, text: &mut String) {
    let mut first = true;
    while first || text.len() < length {
        text.push_str(if first { r#","managedFields":["# } else { "," });
        first = false;
        let manager = random.of(&[
            "kubelet",
            "kube-controller-manager",
            "kubectl-client-side-apply",
            "argocd-controller",
        ]);
        let _ = write!(
            text,
            r#"{{"manager":"{manager}","operation":"Update","apiVersion":"v1","time":"2026-02-11T07:12:45Z","fieldsType":"FieldsV1","fieldsV1":{{"f:metadata":{{"f:labels":{{".":{{}},"f:app":{{}}}}}},"f:spec":{{"f:containers":{{"k:{{\"name\":\"app\"}}":{{".":{{}},"f:env":{{".":{{}}"#
        );
        for _ in 0..8 {
            if text.len() > length {
                break;
            }
            let _ = write!(
                text,
                r#","k:{{\"name\":\"SETTING_{}\"}}":{{".":{{}},"f:name":{{}},"f:value":{{}}}}"#,
                random.below(1000)
            );
        }
        text.push_str(r#"},"f:image":{},"f:name":{}}}}}}"#);
    }
    text.push(']');
}

/// Appends `spec` of a pod.
fn pod_spec(random: &mut Random, privileged: bool, text: &mut String) {
    text.push_str(r#""spec":{"containers":["#);
    for number in 0..=random.below(2) {
        let _ = write!(
            text,
            r#"{{"name":"app-{number}","image":"registry.example.com/shop/api:1.{}","ports":[{{"containerPort":8080,"protocol":"TCP"}}],"env":["#,
            random.below(200)
        );
        for _ in 0..4 {
            let _ =
                write!(text, r#"{{"name":"SETTING_{}","value":"{:x}"}},"#, random.below(1000), random.bits());
        }
        text.pop();
        let _ = write!(
            text,
            r#"],"resources":{{"limits":{{"memory":"512Mi"}},"requests":{{"cpu":"100m","memory":"256Mi"}}}},"volumeMounts":[{{"name":"config","readOnly":true,"mountPath":"/etc/app"}}],"livenessProbe":{{"httpGet":{{"path":"/healthz","port":8080,"scheme":"HTTP"}},"periodSeconds":10}},"securityContext":{{"privileged":{privileged},"allowPrivilegeEscalation":{privileged},"capabilities":{{"drop":["ALL"]}}}}}},"#
        );
    }
    text.pop();
    text.push_str(r#"],"volumes":[{"name":"config","configMap":{"name":"api","defaultMode":420}}],"restartPolicy":"Always","serviceAccountName":"api","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]}"#);
}

/// Returns a time in the API server's spelling, so many microseconds later; the generator never reaches April 2026.
fn timestamp(ms: i64, later_us: u64) -> String {
    let micros = u64::try_from(ms - START_MS).unwrap_or_default() * 1000 + later_us;
    let second = micros / 1_000_000;
    let (day, hour) = (second / 86_400 % 31 + 1, second / 3600 % 24);
    format!(
        "2026-03-{day:02}T{hour:02}:{:02}:{:02}.{:06}Z",
        second / 60 % 60,
        second % 60,
        micros % 1_000_000
    )
}
