//! The rules: 26 of the default policy's rules over metadata, in a form that every implementation has.
//!
//! Left out are dry runs, exec commands, networks (a prefix of the address in their place) and annotations; known
//! machines are a part of the default policy's list.

/// A field of an event, as text; absent: the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Principal,
    Impersonated,
    Verb,
    Uri,
    Resource,
    Subresource,
    Namespace,
    Name,
    Agent,
    Address,
}

/// A condition.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// The field is one of these texts.
    In(Field, &'static [&'static str]),
    NotIn(Field, &'static [&'static str]),
    /// The field begins with one of these texts.
    Begins(Field, &'static [&'static str]),
    NotBegins(Field, &'static [&'static str]),
    /// The status code is this number.
    Code(u16),
    /// The status code is a success: 2xx, or 101 of a session.
    Succeeded,
    /// A block of [`BLOCKS`], by name.
    Block(&'static str),
    NotBlock(&'static str),
}

use Field::{Address, Agent, Impersonated, Name, Namespace, Principal, Resource, Subresource, Uri, Verb};
use Test::{Begins, Block, Code, In, NotBegins, NotBlock, NotIn, Succeeded};

/// Conditions that rules share: a name, whether all of them have to be true or one, the conditions.
pub const BLOCKS: &[(&str, bool, &[Test])] = &[
    (
        "machines",
        false,
        &[
            Begins(Principal, &["system:kube-", "system:node:", "system:bootstrap:", "eks:", "system:gke-"]),
            In(
                Principal,
                &[
                    "system:apiserver",
                    "system:serviceaccount:kube-system:attachdetach-controller",
                    "system:serviceaccount:kube-system:certificate-controller",
                    "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
                    "system:serviceaccount:kube-system:cronjob-controller",
                    "system:serviceaccount:kube-system:daemon-set-controller",
                    "system:serviceaccount:kube-system:deployment-controller",
                    "system:serviceaccount:kube-system:disruption-controller",
                    "system:serviceaccount:kube-system:endpoint-controller",
                    "system:serviceaccount:kube-system:endpointslice-controller",
                    "system:serviceaccount:kube-system:expand-controller",
                    "system:serviceaccount:kube-system:generic-garbage-collector",
                    "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
                    "system:serviceaccount:kube-system:job-controller",
                    "system:serviceaccount:kube-system:namespace-controller",
                    "system:serviceaccount:kube-system:node-controller",
                    "system:serviceaccount:kube-system:persistent-volume-binder",
                    "system:serviceaccount:kube-system:pod-garbage-collector",
                    "system:serviceaccount:kube-system:replicaset-controller",
                    "system:serviceaccount:kube-system:resourcequota-controller",
                    "system:serviceaccount:kube-system:root-ca-cert-publisher",
                    "system:serviceaccount:kube-system:service-account-controller",
                    "system:serviceaccount:kube-system:statefulset-controller",
                    "system:serviceaccount:kube-system:ttl-after-finished-controller",
                    "system:serviceaccount:kube-system:cilium",
                    "system:serviceaccount:kube-system:coredns",
                    "system:serviceaccount:kube-system:metrics-server",
                    "system:serviceaccount:cert-manager:cert-manager",
                    "system:serviceaccount:ingress-nginx:ingress-nginx",
                    "system:serviceaccount:monitoring:kube-state-metrics",
                    "system:serviceaccount:monitoring:prometheus-k8s",
                    "system:serviceaccount:argocd:argocd-application-controller",
                ],
            ),
        ],
    ),
    ("workload", true, &[Begins(Principal, &["system:serviceaccount:", "system:node:"])]),
    (
        "people",
        true,
        &[NotIn(Principal, &["", "system:anonymous"]), NotBlock("workload"), NotBlock("machines")],
    ),
    ("tool", true, &[Begins(Agent, &["kubectl/", "oc/", "k9s/", "curl/", "Wget/", "python", "PowerShell"])]),
    ("workload-from-tool", true, &[Block("workload"), Block("tool")]),
    ("people-or-tool", false, &[Block("people"), Block("workload-from-tool")]),
    ("written", true, &[In(Verb, &["create", "update", "patch"]), Succeeded]),
    ("changed", true, &[In(Verb, &["create", "update", "patch", "delete", "deletecollection"]), Succeeded]),
    (
        "system-namespace",
        false,
        &[
            In(
                Namespace,
                &["kube-system", "kube-public", "kube-node-lease", "calico-system", "tigera-operator"],
            ),
            Begins(Namespace, &["gke-", "openshift-"]),
        ],
    ),
    ("namespace-deleted", true, &[In(Verb, &["delete"]), In(Resource, &["namespaces"])]),
    ("many-deleted", false, &[In(Verb, &["deletecollection"]), Block("namespace-deleted")]),
    ("privileged-target", true, &[Begins(Impersonated, &["system:masters", "system:admin", "system:kube-"])]),
];

/// The rules: a name, and conditions that all have to be true.
pub const RULES: &[(&str, &[Test])] = &[
    (
        "pod-exec",
        &[
            In(Resource, &["pods"]),
            In(Subresource, &["exec", "attach"]),
            Succeeded,
            NotBlock("system-namespace"),
        ],
    ),
    (
        "pod-exec-in-system-namespace",
        &[
            In(Resource, &["pods"]),
            In(Subresource, &["exec", "attach"]),
            Succeeded,
            Block("system-namespace"),
        ],
    ),
    ("port-forward", &[In(Resource, &["pods"]), In(Subresource, &["portforward"]), Succeeded]),
    (
        "ephemeral-container-added",
        &[In(Resource, &["pods"]), In(Subresource, &["ephemeralcontainers"]), Block("written")],
    ),
    ("node-proxy", &[In(Resource, &["nodes"]), In(Subresource, &["proxy"]), Succeeded, NotBlock("machines")]),
    (
        "pod-or-service-proxy",
        &[In(Resource, &["pods", "services"]), In(Subresource, &["proxy"]), Succeeded, NotBlock("machines")],
    ),
    (
        "secret-read",
        &[
            In(Resource, &["secrets"]),
            In(Verb, &["get", "list", "watch"]),
            NotIn(Namespace, &[""]),
            Succeeded,
            Block("people-or-tool"),
        ],
    ),
    (
        "secrets-of-all-namespaces-listed",
        &[
            In(Resource, &["secrets"]),
            In(Verb, &["list"]),
            In(Namespace, &[""]),
            Succeeded,
            NotBlock("machines"),
        ],
    ),
    ("secret-changed", &[In(Resource, &["secrets"]), Block("changed"), Block("people")]),
    (
        "service-account-token-created",
        &[
            In(Resource, &["serviceaccounts"]),
            In(Subresource, &["token"]),
            Block("written"),
            NotBlock("machines"),
        ],
    ),
    (
        "certificate-requested",
        &[
            In(Resource, &["certificatesigningrequests"]),
            In(Verb, &["create"]),
            In(Subresource, &[""]),
            Succeeded,
            NotBlock("machines"),
        ],
    ),
    (
        "certificate-approved",
        &[
            In(Resource, &["certificatesigningrequests"]),
            In(Subresource, &["approval", "status"]),
            Block("written"),
            NotBlock("machines"),
        ],
    ),
    (
        "binding-changed",
        &[
            In(Resource, &["rolebindings", "clusterrolebindings"]),
            NotBegins(Name, &["system:", "cluster-admin"]),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
    (
        "role-changed",
        &[
            In(Resource, &["roles", "clusterroles"]),
            NotBegins(Name, &["system:", "cluster-admin"]),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
    (
        "system-role-changed",
        &[
            In(Resource, &["roles", "clusterroles", "rolebindings", "clusterrolebindings"]),
            Begins(Name, &["system:", "cluster-admin"]),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
    ("impersonation", &[NotIn(Impersonated, &[""]), NotBlock("privileged-target"), Block("people")]),
    (
        "anonymous-request-allowed",
        &[
            In(Principal, &["system:anonymous"]),
            Succeeded,
            NotBegins(Uri, &["/healthz", "/livez", "/readyz", "/version", "/openid", "/.well-known"]),
        ],
    ),
    ("authentication-failed", &[Code(401), NotBegins(Uri, &["/healthz", "/livez", "/readyz"])]),
    (
        "workload-in-system-namespace",
        &[
            In(
                Resource,
                &["pods", "deployments", "daemonsets", "statefulsets", "replicasets", "jobs", "cronjobs"],
            ),
            In(Subresource, &[""]),
            Block("system-namespace"),
            Block("written"),
            NotBlock("machines"),
        ],
    ),
    (
        "admission-control-changed",
        &[
            In(
                Resource,
                &[
                    "mutatingwebhookconfigurations",
                    "validatingwebhookconfigurations",
                    "validatingadmissionpolicies",
                    "validatingadmissionpolicybindings",
                ],
            ),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
    (
        "events-deleted",
        &[
            In(Resource, &["events"]),
            In(Verb, &["delete", "deletecollection"]),
            Succeeded,
            NotBlock("machines"),
        ],
    ),
    (
        "cluster-dns-changed",
        &[
            In(Resource, &["configmaps"]),
            In(Namespace, &["kube-system"]),
            In(Name, &["coredns", "coredns-custom", "kube-dns", "node-local-dns"]),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
    (
        "namespace-or-collection-deleted",
        &[Block("many-deleted"), NotIn(Resource, &["events"]), Succeeded, NotBlock("machines")],
    ),
    (
        "machine-identity-from-public-address",
        &[
            Begins(Principal, &["system:serviceaccount:", "system:node:", "system:kube-"]),
            NotBegins(Address, &["10.", "192.168.", "127."]),
            Block("tool"),
        ],
    ),
    ("request-forbidden", &[Code(403), Block("people-or-tool")]),
    (
        "api-extension-changed",
        &[
            In(Resource, &["apiservices", "customresourcedefinitions"]),
            In(Subresource, &[""]),
            Block("changed"),
            NotBlock("machines"),
        ],
    ),
];
