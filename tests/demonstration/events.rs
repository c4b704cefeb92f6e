//! The requests of the demonstration as audit events, in the form of an API server of that time.
//!
//! Each function is a scenario of the script, with its commands in their order.

use serde_json::{Value, json};

use crate::published::{
    ADDRESS, ADMIN, ADMIN_ID, COLLECTOR, COLLECTOR_AGENT, DISCOVERY, KUBECTL, KUBECTL_EXE, NODE, SHELLS,
    WATCH,
};

/// Returns an event of the administrator; the members in `changes` replace its own.
fn event(millis: i64, changes: &Value) -> Value {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap().to_string();
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": format!("00000000-0000-4000-8000-{millis:012x}"), "stage": "ResponseComplete",
        "user": {"username": ADMIN, "uid": ADMIN_ID, "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": [ADDRESS], "userAgent": KUBECTL_EXE,
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": time, "stageTimestamp": time,
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    });
    for (key, value) in changes.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

/// Returns the event of a request for an object of the core group; an empty name: all of the namespace.
fn object(millis: i64, verb: &str, namespace: &str, resource: &str, name: &str, changes: &Value) -> Value {
    let mut uri = format!("/api/v1/namespaces/{namespace}/{resource}");
    let mut target = json!({"resource": resource, "namespace": namespace, "apiVersion": "v1"});
    if !name.is_empty() {
        target["name"] = name.into();
        if verb != "create" {
            uri.push('/');
            uri.push_str(name);
        }
    }
    let mut event = event(millis, changes);
    event["verb"] = verb.into();
    event["requestURI"] = uri.into();
    event["objectRef"] = target;
    event
}

/// Returns the events of a remote shell: kubectl of that time creates it.
fn session(millis: i64, [pod, uri, agent]: [&str; 3]) -> [Value; 3] {
    ["RequestReceived", "ResponseStarted", "ResponseComplete"].map(|stage| {
        let target = json!({"resource": "pods", "namespace": "kube-system", "name": pod, "apiVersion": "v1",
                            "subresource": "exec"});
        let status = json!({"metadata": {}, "code": 101});
        let mut event = event(
            millis,
            &json!({"verb": "create", "requestURI": uri, "objectRef": target,
                                              "userAgent": agent, "stage": stage}),
        );
        if stage == "RequestReceived" {
            event.as_object_mut().unwrap().remove("responseStatus");
        } else {
            event["responseStatus"] = status;
        }
        event
    })
}

/// Scenario 1, and the shells that were opened by hand: 15 sessions.
pub fn shells() -> Vec<Value> {
    SHELLS.iter().flat_map(|shell| session(shell.millis, [shell.pod, &shell.uri(), shell.agent])).collect()
}

/// The session of the first detections, of which no selection is published.
pub fn first_shell() -> Vec<Value> {
    let uri = "/api/v1/namespaces/kube-system/pods/coredns-1/exec?command=ls&command=%2Fhome&container=coredns\
               &stderr=true&stdout=true";
    session(1_583_073_210_000, ["coredns-1", uri, KUBECTL]).into()
}

/// Scenario 2: the secrets of kube-system are listed, and five are read.
pub fn secrets() -> Vec<Value> {
    let start = 1_583_085_840_000;
    let read =
        |at: i64| object(start + 2000 * at, "get", "kube-system", "secrets", &format!("s-{at}"), &json!({}));
    let list = object(start, "list", "kube-system", "secrets", "", &json!({}));
    std::iter::once(list).chain((1..=5).map(read)).collect()
}

/// Three pods that were created in kube-system by hand.
pub fn pods() -> Vec<Value> {
    let status = json!({"responseStatus": {"metadata": {}, "code": 201}});
    let create = |at: i64| {
        object(1_583_078_700_000 + at, "create", "kube-system", "pods", &format!("p-{at}"), &status)
    };
    (1..=3).map(create).collect()
}

/// Scenario 3: accounts, secrets and `configmaps` of a random namespace are listed, and a shell in each of its pods.
pub fn patterns() -> Vec<Value> {
    let mut events = Vec::new();
    for (round, namespace) in
        (0..).zip(["default", "kube-system", "kube-public", "kube-system", "kube-node-lease"])
    {
        let start = 1_583_080_200_000 + 30_000 * round;
        events.push(event(
            start,
            &json!({"verb": "list", "requestURI": "/api/v1/namespaces",
                                         "objectRef": {"resource": "namespaces", "apiVersion": "v1"}}),
        ));
        for (at, resource) in (1..).zip(["serviceaccounts", "secrets", "configmaps", "pods"]) {
            events.push(object(start + at, "list", namespace, resource, "", &json!({})));
        }
        if namespace == "kube-system" {
            for (at, pod) in (10..).zip(["coredns-1", "kube-proxy-1"]) {
                let uri = format!(
                    "/api/v1/namespaces/kube-system/pods/{pod}/exec?command=ls&stderr=true&stdout=true"
                );
                events.extend(session(start + at, [pod, &uri, KUBECTL_EXE]));
            }
        }
    }
    events
}

/// Scenario 4: `configmaps` are created with the permissions of others, which do not suffice, and deleted.
pub fn unauthorized() -> Vec<Value> {
    let start = 1_583_076_270_000;
    let created = json!({"responseStatus": {"metadata": {}, "code": 201}});
    let refused = |user: &str| {
        json!({
            "responseStatus": {"metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403},
            "impersonatedUser": {"username": user, "groups": ["system:authenticated"]},
            "annotations": {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""},
        })
    };
    let missing =
        json!({"responseStatus": {"metadata": {}, "status": "Failure", "reason": "NotFound", "code": 404}});
    let mut events = vec![
        object(start, "create", "demo-ns", "namespaces", "demo-ns", &created),
        object(start + 1, "create", "demo-ns", "serviceaccounts", "demo-user", &created),
        object(start + 2, "get", "demo-ns", "serviceaccounts", "demo-user", &json!({})),
        object(start + 3, "get", "demo-ns", "secrets", "demo-user-token-1", &json!({})),
    ];
    for round in 1..=3 {
        let at = start + 30_000 * round;
        let (user, account) = (refused("test@example.com"), refused("demo-user"));
        events.push(object(at, "create", "demo-ns", "configmaps", "", &user));
        events.push(object(at + 1, "create", "demo-ns", "configmaps", "", &account));
        events.push(object(at + 2, "delete", "demo-ns", "configmaps", "demo-config", &missing));
    }
    events.push(object(start + 91_000, "delete", "demo-ns", "serviceaccounts", "demo-user", &json!({})));
    events.push(object(start + 92_000, "delete", "demo-ns", "namespaces", "demo-ns", &json!({})));
    // RBAC allows it, and the admission controller refuses it because the namespace is being deleted.
    let terminating = json!({
        "user": {"username": "system:kube-controller-manager", "groups": ["system:authenticated"]},
        "userAgent": "kube-controller-manager/v1.14.9 (linux/amd64) kubernetes/502bfb3/tokens-controller",
        "responseStatus": {"metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403},
    });
    let retries =
        (0..4).map(|at| object(start + 93_000 + at, "create", "demo-ns", "secrets", "", &terminating));
    events.extend(retries);
    events
}

/// The agents and paths that the script chose at random.
const SCAN: &[[&str; 2]] = &[
    [
        "test Mozilla/5.0 (iPhone; CPU iPhone OS 12_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
         Mobile/15E148",
        "/login/test",
    ],
    ["test Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "/debug/pprof"],
    ["test sqlmap/1.0-dev", "/secrets/admin"],
    ["test Java/1.8.0_121", "/configs"],
    ["test sqlmap/1.0-dev", "/login/test"],
];

/// Scenario 5: paths outside the API with agents of scanners, through `kubectl proxy`.
///
/// kAudit counted five answers with the reason `NotFound`. Paths outside the API are answered without a reason,
/// so the five are the answers of the dashboard, which the cluster did not have.
pub fn scan() -> Vec<Value> {
    let proxy = "/api/v1/namespaces/kubernetes-dashboard/services/https:kubernetes-dashboard:/proxy/";
    let dashboard = json!({"resource": "services", "namespace": "kubernetes-dashboard",
                           "name": "https:kubernetes-dashboard:", "apiVersion": "v1", "subresource": "proxy"});
    let requests = |(round, [agent, path]): (i64, &[&str; 2])| {
        let at = 1_583_075_535_000 + 25_000 * round;
        [
            event(
                at,
                &json!({"verb": "list", "userAgent": agent, "requestURI": "/api/v1/namespaces/",
                              "objectRef": {"resource": "namespaces", "apiVersion": "v1"}}),
            ),
            event(
                at + 1,
                &json!({"verb": "list", "userAgent": agent, "requestURI": "/api/v1/configmaps/",
                                  "objectRef": {"resource": "configmaps", "apiVersion": "v1"}}),
            ),
            event(
                at + 2,
                &json!({"verb": "get", "userAgent": agent, "requestURI": proxy, "objectRef": dashboard,
                                  "responseStatus": {"metadata": {}, "status": "Failure", "reason": "NotFound",
                                                     "code": 404}}),
            ),
            event(
                at + 3,
                &json!({"verb": "get", "userAgent": agent, "requestURI": path,
                                  "responseStatus": {"metadata": {}, "code": 404}}),
            ),
        ]
    };
    (0..).zip(SCAN).flat_map(requests).collect()
}

/// Ordinary requests of the same hour: discovery by a controller, and the watch of a kubelet.
pub fn machines() -> [Value; 2] {
    let role = "RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \
                \"system:authenticated\"";
    [
        event(
            1_583_076_660_021,
            &json!({
                "auditID": "b9412f02-0000-4000-8000-000000000001", "verb": "get", "requestURI": DISCOVERY,
                "user": {"username": COLLECTOR, "uid": "f1f2f48d-0000-4000-8000-000000000001",
                         "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system",
                                    "system:authenticated"]},
                "sourceIPs": ["10.0.97.212"], "userAgent": COLLECTOR_AGENT,
                "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": role},
            }),
        ),
        event(
            1_583_076_660_063,
            &json!({
                "auditID": "7a4ebd7a-0000-4000-8000-000000000002", "verb": "watch", "requestURI": WATCH,
                "stage": "ResponseStarted",
                "user": {"username": NODE, "uid": "heptio-authenticator-aws:111111111111:AROAEXAMPLEEXAMPLE000",
                         "groups": ["system:nodes", "system:bootstrappers", "system:authenticated"]},
                "userAgent": "kubelet/v1.14.8 (linux/amd64) kubernetes/b8860f6",
                "objectRef": {"resource": "csidrivers", "apiGroup": "storage.k8s.io", "apiVersion": "v1beta1"},
            }),
        ),
    ]
}
