//! The sequences of attacks: kAudit's demonstration, Stratus Red Team's techniques and Peirates' menu, written from their
//! public documentation, and slow variants.

use crate::calendar::MINUTE;
use crate::cluster::APPS;
use crate::event::{Outcome, Request};
use crate::script::Script;

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
const STRATUS: &str = "stratus-red-team-x1";

/// Six commands, four of them different, in four pods within three minutes.
pub(crate) fn exec_burst(script: &mut Script<'_>) {
    let namespace = script.namespace();
    script.call("list", format!("/api/v1/namespaces/{namespace}/pods?limit=500"));
    for (app, replica, command) in [
        ("api", 0, "ls"),
        ("web", 0, "ls&command=%2Fbin"),
        ("worker", 1, "cat&command=%2Fetc%2Fpasswd"),
        ("db", 0, "sh"),
        ("api", 0, "sh"),
        ("web", 0, "ls"),
    ] {
        let pod = script.cluster.pod(&namespace, app, replica, script.at);
        script.exec(&namespace, &pod, command);
        script.pause(5, 25);
    }
}

/// Writes that the authoriser refuses, the last ones in another user's name.
pub(crate) fn unauthorised(script: &mut Script<'_>) {
    for (verb, path) in [
        ("create", format!("{RBAC}/clusterrolebindings")),
        ("create", "/api/v1/namespaces/kube-system/pods".to_owned()),
        ("create", "/api/v1/namespaces/kube-system/serviceaccounts/default/token".to_owned()),
        ("patch", format!("{RBAC}/clusterroles/view")),
        ("create", "/apis/apps/v1/namespaces/kube-system/daemonsets".to_owned()),
        ("delete", "/api/v1/namespaces/kube-system/events/a.17f0".to_owned()),
    ] {
        script.refused(verb, path);
        script.pause(3, 20);
    }
    for _ in 0..3 {
        let request = Request::new("create", format!("{RBAC}/clusterrolebindings"));
        script.send(request.ending(Outcome::ImpersonationRefused));
        script.pause(2, 12);
    }
}

/// `kubectl auth can-i --list` in every namespace, and single questions.
pub(crate) fn permissions(script: &mut Script<'_>) {
    for _ in 0..script.cluster.namespaces.len() + 2 {
        script.call("create", RULES);
        for _ in 0..3 {
            script.call("create", REVIEWS);
        }
        script.pause(1, 6);
    }
}

/// A list of the secrets of every namespace, then their contents.
pub(crate) fn secrets(script: &mut Script<'_>) {
    for namespace in script.cluster.namespaces.clone() {
        script.call("list", format!("/api/v1/namespaces/{namespace}/secrets?limit=500"));
        script.pause(1, 6);
    }
    for namespace in script.cluster.namespaces.clone() {
        for app in APPS.iter().take(2) {
            script.call("get", format!("/api/v1/namespaces/{namespace}/secrets/{app}-db"));
            script.pause(1, 6);
        }
    }
}

/// Five rounds over paths that do not exist, with the agents of crawlers and scanners.
pub(crate) fn unusual_uris(script: &mut Script<'_>) {
    for (path, agent) in [
        ("/secrets/admin", "test Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
        ("/configs", "test sqlmap/1.0-dev"),
        ("/login/test", "test sqlmap/1.0-dev"),
        ("/debug/pprof", "test Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
        ("/configs", "test Wget/1.21"),
    ] {
        script.with_agent(agent);
        script.send(Request::new("get", path).ending(Outcome::NotFound));
        script.pause(5, 20);
    }
}

/// Refused writes in another user's name, and deletions of objects that do not exist.
pub(crate) fn status_reasons(script: &mut Script<'_>) {
    let namespace = script.namespace();
    let maps = format!("/api/v1/namespaces/{namespace}/configmaps");
    let own = std::rc::Rc::clone(&script.identity);
    for _ in 0..3 {
        script.with_impersonation("user-999@example.com");
        for _ in 0..2 {
            script.refused("create", &maps);
            script.pause(2, 10);
        }
        script.identity = std::rc::Rc::clone(&own);
        script.send(Request::new("delete", format!("{maps}/settings-9")).ending(Outcome::NotFound));
        script.pause(5, 20);
    }
}

/// What somebody reads first who has found credentials.
pub(crate) fn reconnaissance(script: &mut Script<'_>) {
    let namespace = script.namespace();
    for path in [
        "/version".to_owned(),
        "/api/v1/namespaces?limit=500".to_owned(),
        "/api/v1/nodes?limit=500".to_owned(),
        format!("/api/v1/namespaces/{namespace}/pods?limit=500"),
        format!("/api/v1/namespaces/{namespace}/secrets?limit=500"),
        format!("/api/v1/namespaces/{namespace}/configmaps?limit=500"),
    ] {
        script.call(if path == "/version" { "get" } else { "list" }, path);
        script.pause(3, 25);
    }
}

/// A service account's token outside the cluster.
pub(crate) fn stolen_token(script: &mut Script<'_>) {
    script.call("create", RULES);
    for _ in 0..3 {
        script.call("create", REVIEWS);
        script.pause(1, 8);
    }
    let namespace = script.namespace();
    script.refused("list", "/api/v1/namespaces?limit=500");
    script.refused("list", "/api/v1/secrets?limit=500");
    script.refused("list", "/api/v1/nodes?limit=500");
    script.call("list", format!("/api/v1/namespaces/{namespace}/pods?limit=500"));
    script.call("get", format!("/api/v1/namespaces/{namespace}/secrets/api-db"));
}

/// `k8s.credential-access.dump-secrets`.
pub(crate) fn dump_secrets(script: &mut Script<'_>) {
    script.call("list", "/api/v1/secrets?limit=500");
}

/// Creates the objects that several techniques need first.
fn prepare(script: &mut Script<'_>) {
    script.create("/api/v1/namespaces", STRATUS);
    script.create(format!("/api/v1/namespaces/{STRATUS}/serviceaccounts"), "stratus");
}

/// `k8s.credential-access.steal-serviceaccount-token`.
pub(crate) fn steal_token(script: &mut Script<'_>) {
    prepare(script);
    script.create(format!("/api/v1/namespaces/{STRATUS}/pods"), "stratus");
    script.call("get", format!("/api/v1/namespaces/{STRATUS}/pods/stratus"));
    script.pause(3, 10);
    let token = "cat&command=%2Fvar%2Frun%2Fsecrets%2Fkubernetes.io%2Fserviceaccount%2Ftoken";
    script.exec(STRATUS, "stratus", token);
}

/// `k8s.persistence.create-admin-clusterrole`.
pub(crate) fn admin_clusterrole(script: &mut Script<'_>) {
    script.create(format!("{RBAC}/clusterroles"), "stratus-clusterrole");
    script.create("/api/v1/namespaces/kube-system/serviceaccounts", "stratus-serviceaccount");
    script.create(format!("{RBAC}/clusterrolebindings"), "stratus-crb");
    script.create("/api/v1/namespaces/kube-system/secrets", "stratus-token");
    script.call("get", "/api/v1/namespaces/kube-system/secrets/stratus-token");
}

/// `k8s.persistence.create-client-certificate`.
pub(crate) fn client_certificate(script: &mut Script<'_>) {
    let requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    script.create(requests, "stratus-csr");
    script.call("update", format!("{requests}/stratus-csr/approval"));
    script.pause(1, 4);
    script.call("get", format!("{requests}/stratus-csr"));
}

/// `k8s.persistence.create-token`.
pub(crate) fn create_token(script: &mut Script<'_>) {
    let account = "/api/v1/namespaces/kube-system/serviceaccounts/clusterrole-aggregation-controller";
    script.create(format!("{account}/token"), "clusterrole-aggregation-controller");
}

/// `k8s.privilege-escalation.hostpath-volume`.
pub(crate) fn host_path(script: &mut Script<'_>) {
    script.create("/api/v1/namespaces", STRATUS);
    script.create(format!("/api/v1/namespaces/{STRATUS}/pods"), "stratus-hostpath");
}

/// `k8s.privilege-escalation.nodes-proxy`.
pub(crate) fn nodes_proxy(script: &mut Script<'_>) {
    prepare(script);
    script.create(format!("{RBAC}/clusterroles"), "stratus");
    script.create(format!("{RBAC}/clusterrolebindings"), "stratus");
    script.create(format!("/api/v1/namespaces/{STRATUS}/serviceaccounts/stratus/token"), "stratus");
    script.call("list", "/api/v1/nodes");
    script.with_token(&format!("system:serviceaccount:{STRATUS}:stratus"));
    script.call("get", "/api/v1/nodes/worker-1/proxy/runningpods/");
}

/// `k8s.privilege-escalation.privileged-pod`, in a namespace that audits pod security.
pub(crate) fn privileged_pod(script: &mut Script<'_>) {
    script.create("/api/v1/namespaces", STRATUS);
    let request = Request::new("create", format!("/api/v1/namespaces/{STRATUS}/pods")).named("stratus");
    script.send(request.annotated(
        "pod-security.kubernetes.io/audit-violations",
        r#"would violate PodSecurity \"baseline:latest\": privileged (container \"stratus\" must not set securityContext.privileged=true)"#,
    ));
}

/// Peirates in a pod: permissions, namespaces, pods and secrets, tokens of other pods, then a pod that mounts its node.
pub(crate) fn peirates(script: &mut Script<'_>) {
    let namespace = script.namespace();
    let core = format!("/api/v1/namespaces/{namespace}");
    script.call("create", RULES);
    for _ in 0..4 {
        script.call("create", REVIEWS);
    }
    script.pause(5, 20);
    script.call("list", "/api/v1/namespaces?limit=500");
    script.call("list", format!("{core}/pods?limit=500"));
    script.refused("list", "/api/v1/namespaces/kube-system/secrets?limit=500");
    script.call("list", format!("{core}/secrets?limit=500"));
    for app in APPS {
        script.call("get", format!("{core}/secrets/{app}-db"));
        script.pause(1, 4);
    }
    for _ in 0..3 {
        let pod = script.pod(&namespace);
        let token = "cat&command=%2Fvar%2Frun%2Fsecrets%2Fkubernetes.io%2Fserviceaccount%2Ftoken";
        script.exec(&namespace, &pod, token);
        script.pause(4, 15);
    }
    script.create(format!("{core}/pods"), "attack-pod-qvrtzx");
    script.pause(5, 15);
    script.exec(&namespace, "attack-pod-qvrtzx", "sh");
}

/// A secret every twenty minutes, for six hours.
pub(crate) fn slow_secrets(script: &mut Script<'_>) {
    for _ in 0..18 {
        let namespace = script.namespace();
        let app = *script.random.of(APPS);
        script.call("get", format!("/api/v1/namespaces/{namespace}/secrets/{app}-db"));
        script.at += script.random.between(18 * MINUTE, 22 * MINUTE);
    }
}

/// A refused request every quarter of an hour, for six hours.
pub(crate) fn slow_refusals(script: &mut Script<'_>) {
    for _ in 0..24 {
        let path = *script.random.of(&[
            "/api/v1/secrets?limit=500",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?limit=500",
            "/api/v1/namespaces/kube-system/configmaps?limit=500",
            "/apis/certificates.k8s.io/v1/certificatesigningrequests?limit=500",
        ]);
        script.refused("list", path);
        script.at += script.random.between(13 * MINUTE, 17 * MINUTE);
    }
}

/// A command in another pod every half hour, for six hours.
pub(crate) fn slow_exec(script: &mut Script<'_>) {
    for _ in 0..12 {
        let namespace = script.namespace();
        let pod = script.pod(&namespace);
        let command = *script.random.of(&["env", "id", "cat&command=%2Fetc%2Fhosts", "ls&command=%2Fproc"]);
        script.exec(&namespace, &pod, command);
        script.at += script.random.between(25 * MINUTE, 35 * MINUTE);
    }
}
