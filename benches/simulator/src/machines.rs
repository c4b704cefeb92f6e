//! The ordinary requests of a cluster's own components: loops with a period, thinned.
//!
//! A real kubelet renews its lease every ten seconds, a leader its own every two. The periods here are three to five times
//! as long, so that a week has about a million events; ratios between components remain.

use std::rc::Rc;

use crate::calendar::{HOUR, SECOND};
use crate::cluster::{APPS, CONTROL_PLANE, Cluster, node_address};
use crate::event::{Outcome, Request, Sink};
use crate::identity::Identity;
use crate::seed::{Purpose, Stream};

/// The client of a loop.
#[derive(Clone, Copy, Debug)]
enum Who {
    /// Every kubelet.
    Kubelets,
    /// A user, which runs on the control plane.
    Control(&'static str),
    /// A service account, which runs on a node.
    Pod(&'static str),
}

/// A loop: its client, the user agent, the verb, the URI, and the period in seconds.
type Row = (Who, &'static str, &'static str, &'static str, i64);

use Who::{Control, Kubelets, Pod};

const KUBELET: &str = "kubelet/{v} (linux/amd64) kubernetes/8cc511e";
const MANAGER: &str = "kube-controller-manager/{v} (linux/amd64) kubernetes/8cc511e/{user}";
const ARGO: &str = "argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format";
const OPERATOR: &str = "payments-operator/v0.0.0 (linux/amd64) kubernetes/$Format";
const SECRETS: &str = "external-secrets/v0.0.0 (linux/amd64) kubernetes/$Format";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (Kubelets, KUBELET, "update", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node}?timeout=10s", 30),
    (Kubelets, KUBELET, "get", "/api/v1/nodes/{node}?resourceVersion=0&timeout=10s", 60),
    (Kubelets, KUBELET, "patch", "/api/v1/nodes/{node}/status?timeout=10s", 300),
    (Kubelets, KUBELET, "get", "/api/v1/namespaces/{ns}/pods/{pod}", 150),
    (Kubelets, KUBELET, "patch", "/api/v1/namespaces/{ns}/pods/{pod}/status", 120),
    (Kubelets, KUBELET, "create", "/api/v1/namespaces/{ns}/serviceaccounts/{app}/token", 300),
    (Kubelets, KUBELET, "watch", "/api/v1/namespaces/{ns}/secrets?allowWatchBookmarks=true&fieldSelector=metadata.name%3D{app}&resourceVersion=8{n}&timeoutSeconds=440&watch=true", 200),
    (Kubelets, KUBELET, "watch", "/api/v1/namespaces/{ns}/configmaps?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dkube-root-ca.crt&resourceVersion=8{n}&timeoutSeconds=365&watch=true", 200),
    (Kubelets, KUBELET, "create", "/api/v1/namespaces/{ns}/events", 600),
    (Control("system:kube-controller-manager"), "kube-controller-manager/{v} (linux/amd64) kubernetes/8cc511e/leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager?timeout=5s", 10),
    (Control("system:kube-scheduler"), "kube-scheduler/{v} (linux/amd64) kubernetes/8cc511e/leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s", 10),
    (Control("system:kube-scheduler"), "kube-scheduler/{v} (linux/amd64) kubernetes/8cc511e/scheduler", "watch", "/apis/storage.k8s.io/v1/csinodes?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=352&watch=true", 400),
    (Control("system:apiserver"), "kube-apiserver/{v} (linux/amd64) kubernetes/8cc511e", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/apiserver-7q2d", 20),
    (Control("system:apiserver"), "kube-apiserver/{v} (linux/amd64) kubernetes/8cc511e", "get", "/api/v1/namespaces/default/endpoints/kubernetes", 40),
    (Control("system:apiserver"), "kube-apiserver/{v} (linux/amd64) kubernetes/8cc511e", "list", "/api/v1/services?limit=500&resourceVersionMatch=NotOlderThan", 300),
    (Control("system:anonymous"), "kube-probe/1.34", "get", "/livez?exclude=etcd", 30),
    (Control("system:anonymous"), "kube-probe/1.34", "get", "/readyz", 30),
    (Control("system:kube-proxy"), "kube-proxy/{v} (linux/amd64) kubernetes/8cc511e", "watch", "/apis/discovery.k8s.io/v1/endpointslices?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=514&watch=true", 80),
    (Control("system:serviceaccount:kube-system:generic-garbage-collector"), MANAGER, "get", "/apis/apps/v1?timeout=32s", 60),
    (Control("system:serviceaccount:kube-system:generic-garbage-collector"), MANAGER, "get", "/apis/batch/v1?timeout=32s", 60),
    (Control("system:serviceaccount:kube-system:resourcequota-controller"), MANAGER, "list", "/api/v1/namespaces/{ns}/persistentvolumeclaims?limit=500&resourceVersion=0", 60),
    (Control("system:serviceaccount:kube-system:namespace-controller"), MANAGER, "get", "/api/v1/namespaces/{ns}", 120),
    (Control("system:serviceaccount:kube-system:endpointslice-controller"), MANAGER, "update", "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices/{app}-x7k2p", 60),
    (Control("system:serviceaccount:kube-system:horizontal-pod-autoscaler"), MANAGER, "get", "/apis/apps/v1/namespaces/{ns}/deployments/{app}/scale", 30),
    (Control("system:serviceaccount:kube-system:deployment-controller"), MANAGER, "update", "/apis/apps/v1/namespaces/{ns}/deployments/{app}/status", 120),
    (Pod("system:serviceaccount:kube-system:metrics-server"), "metrics-server/v0.8.0 (linux/amd64) kubernetes/$Format", "create", "/apis/authorization.k8s.io/v1/subjectaccessreviews?timeout=10s", 30),
    (Pod("system:serviceaccount:kube-system:metrics-server"), "metrics-server/v0.8.0 (linux/amd64) kubernetes/$Format", "create", "/apis/authentication.k8s.io/v1/tokenreviews?timeout=10s", 45),
    (Pod("system:serviceaccount:kube-system:coredns"), "Go-http-client/2.0", "watch", "/apis/discovery.k8s.io/v1/endpointslices?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=356&watch=true", 200),
    (Pod("system:serviceaccount:kube-system:cilium"), "cilium-agent/1.18.4 (linux/amd64)", "patch", "/apis/cilium.io/v2/namespaces/{ns}/ciliumendpoints/{pod}", 60),
    (Pod("system:serviceaccount:monitoring:kube-state-metrics"), "kube-state-metrics/v2.17.0 (linux/amd64)", "watch", "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=511&watch=true", 100),
    (Pod("system:serviceaccount:monitoring:prometheus-k8s"), "Prometheus/3.7.1", "watch", "/api/v1/namespaces/{ns}/endpoints?allowWatchBookmarks=true&resourceVersion=8{n}&timeoutSeconds=542&watch=true", 60),
    (Pod("system:serviceaccount:cert-manager:cert-manager"), "cert-manager-controller/v1.19.1 (linux/amd64) leader-election", "update", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cert-manager-controller", 20),
    (Pod("system:serviceaccount:cert-manager:cert-manager"), "cert-manager-controller/v1.19.1 (linux/amd64) certificates", "get", "/api/v1/namespaces/{ns}/secrets/{app}-tls", 900),
    (Pod("system:serviceaccount:ingress-nginx:ingress-nginx"), "nginx-ingress-controller/v1.13.3 (linux/amd64) ingress-nginx", "update", "/apis/coordination.k8s.io/v1/namespaces/ingress-nginx/leases/ingress-nginx-leader", 20),
    (Pod("system:serviceaccount:payments:payments-operator"), OPERATOR, "update", "/apis/coordination.k8s.io/v1/namespaces/payments/leases/payments-operator.example.com", 20),
    (Pod("system:serviceaccount:payments:payments-operator"), OPERATOR, "update", "/apis/example.com/v1/namespaces/payments/payments/pay-{n}/status", 30),
    (Pod("system:serviceaccount:payments:payments-operator"), OPERATOR, "get", "/api/v1/namespaces/payments/secrets/payments-db", 600),
    (Pod("system:serviceaccount:payments:payments-operator"), OPERATOR, "list", FORBIDDEN, 120),
    (Pod("system:serviceaccount:external-secrets:external-secrets"), SECRETS, "get", "/api/v1/namespaces/{ns}/secrets/{app}-db", 45),
    (Pod("system:serviceaccount:external-secrets:external-secrets"), SECRETS, "update", "/api/v1/namespaces/{ns}/secrets/{app}-db", 600),
    (Pod("system:serviceaccount:argocd:argocd-application-controller"), ARGO, "get", "/apis/apps/v1/namespaces/{ns}/deployments/{app}", 30),
    (Pod("system:serviceaccount:argocd:argocd-application-controller"), ARGO, "patch", "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{ns}-{app}", 60),
];

/// The request of an operator whose role lacks a permission; it retries for ever.
const FORBIDDEN: &str = "/apis/networking.k8s.io/v1/ingresses?limit=500";

/// The loops of a cluster, with their clients before and after the upgrade.
#[derive(Debug)]
pub(crate) struct Machines {
    loops: Vec<(Row, u32, [Rc<Identity>; 2])>,
}

impl Machines {
    /// Prepares the clients.
    pub fn new(cluster: &Cluster) -> Self {
        let mut loops = Vec::new();
        for row in ROWS {
            let (who, agent, ..) = *row;
            let copies = if let Kubelets = who { cluster.size.nodes } else { 1 };
            for node in 0..copies {
                let identity = |time| Rc::new(identity(who, node, agent, cluster.version(time)));
                loops.push((*row, node, [identity(0), identity(i64::MAX)]));
            }
        }
        Self { loops }
    }

    /// Adds the requests of an hour.
    pub fn hour(&self, cluster: &Cluster, start: i64, sink: &mut Sink) {
        for (number, (row, node, identities)) in (0_i64..).zip(&self.loops) {
            let (_, _, verb, uri, period) = *row;
            let mut random =
                Stream::new(cluster.seed, Purpose::Machines, &[cluster.index, number, start / HOUR]);
            let mut at = start + random.between(0, period * SECOND);
            while at < start + HOUR {
                let identity = &identities[usize::from(at >= cluster.upgrade_at)];
                let outcome = outcome(cluster, &mut random, verb, uri, at);
                let uri = fill(uri, cluster, &mut random, *node, at);
                sink.send(&mut random, identity, at, Request::new(verb, uri).ending(outcome));
                at += period * SECOND * random.between(90, 110) / 100;
            }
        }
    }
}

/// Returns the client of a loop.
fn identity(who: Who, node: u32, agent: &str, version: &str) -> Identity {
    let agent = agent.replace("{v}", version);
    match who {
        Kubelets => Identity::new(&format!("system:node:worker-{node}"), &node_address(node), &agent),
        Control(user) => Identity::new(user, CONTROL_PLANE, &agent.replace("{user}", user)),
        Pod(user) => Identity::new(user, &format!("10.1.{}.17", user.len() % 6), &agent),
    }
}

/// Returns the outcome of a machine's request: conflicts and races always, failures while the cluster is disturbed.
fn outcome(cluster: &Cluster, random: &mut Stream, verb: &str, uri: &str, at: i64) -> Outcome {
    if uri == FORBIDDEN {
        return Outcome::Forbidden;
    }
    if cluster.is_disturbed(at) && random.permille(80) {
        return *random.of(&[
            Outcome::InternalError,
            Outcome::Timeout,
            Outcome::Conflict,
            Outcome::TooManyRequests,
            Outcome::NotFound,
        ]);
    }
    match verb {
        "update" | "patch" if !uri.contains("/leases/") && random.permille(6) => Outcome::Conflict,
        "get" if uri.contains("/pods/") && random.permille(4) => Outcome::NotFound,
        _ => Outcome::Success,
    }
}

/// Fills the placeholders of a URI.
pub(crate) fn fill(uri: &str, cluster: &Cluster, random: &mut Stream, node: u32, at: i64) -> String {
    let mut text = String::with_capacity(uri.len() + 24);
    let (namespace, mut rest) = (cluster.any_namespace(random), uri);
    while let Some((plain, after)) = rest.split_once('{') {
        text.push_str(plain);
        let (key, after) = after.split_once('}').unwrap_or((after, ""));
        match key {
            "ns" => text.push_str(namespace),
            "app" => text.push_str(random.of::<&str>(APPS)),
            "pod" => text.push_str(&cluster.any_pod(random, namespace, at)),
            "node" => {
                text.push_str("worker-");
                text.push_str(&node.to_string());
            }
            _ => text.push_str(&(10_000 + random.below(89_999)).to_string()),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}
