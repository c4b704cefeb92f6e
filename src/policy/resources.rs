//! The values that fields of audit events have: resource types, verbs, and fields with few values.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use crate::audit::{EventField, FieldRef};

/// The resource types of Kubernetes, each with its kind.
///
/// An event has the resource type; its singular is the kind in lower case.
const RESOURCES: &[(&str, &str)] = &[
    ("apiservices", "APIService"),
    ("bindings", "Binding"),
    ("certificatesigningrequests", "CertificateSigningRequest"),
    ("clusterrolebindings", "ClusterRoleBinding"),
    ("clusterroles", "ClusterRole"),
    ("configmaps", "ConfigMap"),
    ("controllerrevisions", "ControllerRevision"),
    ("cronjobs", "CronJob"),
    ("csidrivers", "CSIDriver"),
    ("csinodes", "CSINode"),
    ("csistoragecapacities", "CSIStorageCapacity"),
    ("customresourcedefinitions", "CustomResourceDefinition"),
    ("daemonsets", "DaemonSet"),
    ("deployments", "Deployment"),
    ("endpoints", "Endpoint"),
    ("endpointslices", "EndpointSlice"),
    ("events", "Event"),
    ("flowschemas", "FlowSchema"),
    ("horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("ingressclasses", "IngressClass"),
    ("ingresses", "Ingress"),
    ("jobs", "Job"),
    ("leases", "Lease"),
    ("limitranges", "LimitRange"),
    ("localsubjectaccessreviews", "LocalSubjectAccessReview"),
    ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration"),
    ("namespaces", "Namespace"),
    ("networkpolicies", "NetworkPolicy"),
    ("nodes", "Node"),
    ("persistentvolumeclaims", "PersistentVolumeClaim"),
    ("persistentvolumes", "PersistentVolume"),
    ("poddisruptionbudgets", "PodDisruptionBudget"),
    ("pods", "Pod"),
    ("podtemplates", "PodTemplate"),
    ("priorityclasses", "PriorityClass"),
    ("replicasets", "ReplicaSet"),
    ("replicationcontrollers", "ReplicationController"),
    ("resourcequotas", "ResourceQuota"),
    ("rolebindings", "RoleBinding"),
    ("roles", "Role"),
    ("runtimeclasses", "RuntimeClass"),
    ("secrets", "Secret"),
    ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("serviceaccounts", "ServiceAccount"),
    ("services", "Service"),
    ("statefulsets", "StatefulSet"),
    ("storageclasses", "StorageClass"),
    ("subjectaccessreviews", "SubjectAccessReview"),
    ("tokenreviews", "TokenReview"),
    ("validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration"),
    ("volumeattachments", "VolumeAttachment"),
];

/// The short names of `kubectl`.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("cm", "configmaps"),
    ("cj", "cronjobs"),
    ("crd", "customresourcedefinitions"),
    ("crds", "customresourcedefinitions"),
    ("csr", "certificatesigningrequests"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("ep", "endpoints"),
    ("ev", "events"),
    ("hpa", "horizontalpodautoscalers"),
    ("ing", "ingresses"),
    ("netpol", "networkpolicies"),
    ("no", "nodes"),
    ("ns", "namespaces"),
    ("pdb", "poddisruptionbudgets"),
    ("po", "pods"),
    ("pv", "persistentvolumes"),
    ("pvc", "persistentvolumeclaims"),
    ("quota", "resourcequotas"),
    ("rc", "replicationcontrollers"),
    ("rs", "replicasets"),
    ("sa", "serviceaccounts"),
    ("sc", "storageclasses"),
    ("sts", "statefulsets"),
    ("svc", "services"),
];

/// The verbs of requests for resources, and the methods of other requests.
pub(super) const VERBS: &[&str] = &[
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "proxy",
    "post",
    "put",
    "head",
    "options",
    "connect",
    "trace",
];

/// The wrong verbs that policies contain, and the condition that their authors mean.
const WRONG_VERBS: &[(&str, &str)] = &[
    ("exec", "write `subresource = exec`, without a verb"),
    ("attach", "write `subresource = attach`, without a verb"),
    ("portforward", "write `subresource = portforward`, without a verb"),
    ("port-forward", "write `subresource = portforward`, without a verb"),
    ("log", "write `subresource = log`"),
    ("logs", "write `subresource = log`"),
    ("approve", "write `subresource = approval`"),
    ("sign", "write `subresource = status`"),
    ("impersonate", "write `impersonated-principal != ''`"),
    ("bind", "it is a permission; write `resource-type in [rolebindings, clusterrolebindings]`"),
    ("escalate", "it is a permission; write `resource-type in [roles, clusterroles]`"),
    ("use", "it is a permission, and no request has it"),
    ("replace", "write `update`"),
    ("edit", "write `update` or `patch`"),
    ("apply", "write `patch`"),
    ("read", "write `access-type = read`"),
    ("write", "write `access-type = write`"),
    ("*", "leave the condition out"),
];

/// A value that the field never has, and its correction.
pub(super) fn resource_type_help(value: &str) -> Option<String> {
    if let Some((parent, subresource)) = value.split_once('/') {
        return Some(format!("write `resource-type = {parent}` and `subresource = {subresource}`"));
    }
    if let Some((plural, group)) = value.split_once('.') {
        return Some(format!("write `resource-type = {plural}` and `api-group = {group}`"));
    }
    if value == "*" {
        return Some("leave the condition out, or write `resource-type != ''`".to_owned());
    }
    let lower = value.to_ascii_lowercase();
    let is_type = |name: &str| RESOURCES.iter().any(|(plural, _)| *plural == name);
    if is_type(value) {
        return None;
    }
    let of_kind =
        RESOURCES.iter().find(|(_, kind)| kind.eq_ignore_ascii_case(value)).map(|(plural, _)| *plural);
    let of_short = || SHORT_NAMES.iter().find(|(short, _)| *short == lower).map(|(_, plural)| *plural);
    if let Some(plural) = of_kind.or_else(of_short) {
        return Some(format!("write `{plural}`"));
    }
    // Every resource type is in lower case, also the type of a custom resource.
    (lower != value)
        .then(|| format!("write `{lower}`, as resource types are in lower case and in the plural"))
}

/// Whether this is a resource type of Kubernetes.
pub(super) fn is_resource_type(value: &str) -> bool {
    RESOURCES.iter().any(|(plural, _)| *plural == value)
}

/// Returns the correction of a verb that no event has.
pub(super) fn verb_help(value: &str) -> Option<String> {
    if VERBS.contains(&value) {
        return None;
    }
    let lower = value.to_ascii_lowercase();
    let wrong = WRONG_VERBS.iter().find(|(wrong, _)| *wrong == lower).map(|(_, help)| (*help).to_owned());
    let similar = || VERBS.contains(&&*lower).then_some(&*lower);
    let similar = || similar().or_else(|| crate::config::reading::nearest(&lower, VERBS.iter().copied()));
    Some(wrong.or_else(|| similar().map(|verb| format!("write `{verb}`"))).unwrap_or_else(|| {
        let resources = "get, list, watch, create, update, patch, delete and deletecollection";
        format!("the verbs of requests for resources are {resources}")
    }))
}

/// Returns the values of a field that has few, and whether it may be absent.
pub(super) fn closed_values(field: &FieldRef) -> Option<(&'static [&'static str], bool)> {
    use EventField as F;
    const FLAG: &[&str] = &["true", "false"];
    let FieldRef::Known(field) = field else { return None };
    Some(match field {
        F::Verb => (VERBS, false),
        F::AccessType => (&["read", "write"], false),
        F::Stage => (&["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"], false),
        F::Level => (&["Metadata", "Request", "RequestResponse"], false),
        F::Decision => (&["allow", "forbid"], true),
        F::Status => (&["Success", "Failure"], true),
        F::NonAuthorized | F::DryRun => (FLAG, false),
        F::SubresourceExecTty
        | F::SubresourceExecStdin
        | F::SubresourceExecStdout
        | F::SubresourceExecStderr
        | F::SubresourceAttachStdin
        | F::SubresourceAttachTty
        | F::RequestPrivileged
        | F::RequestHostNetwork
        | F::RequestHostPid
        | F::RequestHostIpc => (FLAG, true),
        _ => return None,
    })
}

/// The fields that authors mean by names of other languages.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("namespace", "resource-namespace"),
    ("resource", "resource-type"),
    ("kind", "resource-type"),
    ("type", "resource-type"),
    ("name", "resource-object-name"),
    ("object-name", "resource-object-name"),
    ("user", "principal"),
    ("user-name", "username"),
    ("group", "user-groups"),
    ("groups", "user-groups"),
    ("user-group", "user-groups"),
    ("impersonated-user", "impersonated-principal"),
    ("user-agent", "original-user-agent"),
    ("ip", "caller-ip"),
    ("source-ip", "caller-ip"),
    ("source-ips", "caller-ip"),
    ("country", "caller-ip-country"),
    ("code", "status-code"),
    ("reason", "status-reason"),
    ("command", "subresource-exec-command"),
    ("container", "subresource-exec-container"),
    ("request-uri", "uri"),
    ("image", "request-image"),
    ("privileged", "request-privileged"),
];

/// Returns the name of the field that was probably meant.
pub(super) fn field_name_help(name: &str) -> Option<&'static str> {
    let name = name.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    let names = || EventField::ALL.iter().map(|field| field.name());
    let other = || OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|(_, field)| *field);
    let exact = names().find(|field| *field == name);
    exact.or_else(other).or_else(|| crate::config::reading::nearest(&name, names()))
}

/// The operators, as written in a policy.
pub(super) const OPERATORS: &[&str] = &["=", "!=", "~", "!~", "in", "not-in", "cidr", "not-cidr"];

/// Returns the operator that was probably meant.
pub(super) fn operator_help(operator: &str) -> Option<&'static str> {
    let operator = operator.trim().to_ascii_lowercase();
    Some(match operator.as_str() {
        "==" | "eq" | "equal" | "equals" | "is" => "=",
        "<>" | "ne" | "!==" | "not-equal" | "not equal" | "is not" => "!=",
        "=~" | "match" | "matches" | "regex" | "like" | "contains" => "~",
        "!=~" | "not-match" | "not match" => "!~",
        "in" | "one-of" => "in",
        "not in" | "!in" | "notin" | "not_in" | "not-in" => "not-in",
        "not cidr" | "!cidr" | "not_cidr" | "not-cidr" => "not-cidr",
        "cidr" | "ip" | "network" => "cidr",
        _ => return None,
    })
}
