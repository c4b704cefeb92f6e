//! The records that kAudit made of the demonstration.
//!
//! The names, values and formats of their fields are the published ones; addresses, accounts and the names
//! of pods are replaced.

use serde_json::{Value, json};

pub const CLUSTER: &str = "aks-test";
pub const ADMIN: &str = "kubernetes-admin";
pub const ADMIN_ID: &str = "heptio-authenticator-aws:111111111111:AIDAEXAMPLEEXAMPLE000";
pub const ADDRESS: &str = "192.0.2.90";
pub const KUBECTL: &str = "kubectl/v1.14.10 (windows/amd64) kubernetes/f5757a1";
pub const KUBECTL_EXE: &str = "kubectl.exe/v1.14.10 (windows/amd64) kubernetes/f5757a1";

/// A remote shell: its request, and what kAudit's selection contains of it.
pub struct Shell {
    pub millis: i64,
    /// The time of day in `timestamp`.
    clock: &'static str,
    pub pod: &'static str,
    /// The command in the URI.
    pub query: &'static str,
    command: &'static str,
    pub flags: &'static [&'static str],
    pub agent: &'static str,
}

const OUTPUT: &[&str] = &["stderr", "stdout"];
const TERMINAL: &[&str] = &["stdin", "stdout", "tty"];

const fn shell(
    millis: i64,
    clock: &'static str,
    pod: &'static str,
    [query, command]: [&'static str; 2],
    flags: &'static [&'static str],
    agent: &'static str,
) -> Shell {
    Shell { millis, clock, pod, query, command, flags, agent }
}

const LS: [&str; 2] = ["command=ls", "ls"];
const LS_BIN: [&str; 2] = ["command=ls&command=%2Fbin", "ls /bin"];
const PASSWD: [&str; 2] = ["command=cat&command=%2Fetc%2Fpasswd", "cat /etc/passwd"];

pub const SHELLS: &[Shell] = &[
    shell(1_583_075_343_771, "15:09:03", "kube-proxy-1", LS_BIN, OUTPUT, KUBECTL),
    shell(1_583_075_349_980, "15:09:09", "kube-proxy-1", ["command=sh", "sh"], TERMINAL, KUBECTL),
    shell(1_583_075_365_850, "15:09:25", "kube-proxy-2", PASSWD, OUTPUT, KUBECTL),
    shell(1_583_075_417_171, "15:10:17", "kube-proxy-1", LS_BIN, OUTPUT, KUBECTL),
    // Scenario 1, twice
    shell(1_583_075_513_549, "15:11:53", "kube-proxy-3", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_075_517_401, "15:11:57", "coredns-1", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_075_521_306, "15:12:01", "aws-node-1", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_075_525_265, "15:12:05", "coredns-1", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_075_529_184, "15:12:09", "aws-node-2", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_076_422_347, "15:27:02", "coredns-1", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_076_426_279, "15:27:06", "aws-node-1", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_076_430_125, "15:27:10", "aws-node-3", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_076_434_100, "15:27:14", "aws-node-4", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_076_438_039, "15:27:18", "aws-node-2", LS, OUTPUT, KUBECTL_EXE),
    shell(1_583_077_092_076, "15:38:12", "kube-proxy-1", LS_BIN, OUTPUT, KUBECTL),
];

impl Shell {
    pub fn container(&self) -> &'static str {
        self.pod.rsplit_once('-').unwrap().0
    }

    /// Returns the URI of the request, as kubectl sends it and as kAudit's record has it.
    pub fn uri(&self) -> String {
        let (pod, query, container) = (self.pod, self.query, self.container());
        let flags = self.flags.join("=true&");
        format!("/api/v1/namespaces/kube-system/pods/{pod}/exec?{query}&container={container}&{flags}=true")
    }

    /// Returns kAudit's selection.
    pub fn selection(&self, id: &Value) -> Value {
        let mut record = json!({
            "principal": ADMIN,
            "caller_ip_asn": "Example Transit",
            "subresource_exec_container": self.container(),
            "user_id": ADMIN_ID,
            "rule": "pod execution",
            "cluster": CLUSTER,
            "username": ADMIN,
            "uri": self.uri(),
            "verb": "create",
            "api_version": "v1",
            "resource_namespace": "kube-system",
            "id": id,
            "timestamp": format!("2020-03-01T{}+0000", self.clock),
            "status_code": 101,
            "subresource_exec_command": self.command,
            "subresource": "exec",
            "time": self.millis,
            "resource_type": "pods",
            "access_type": "write",
            "user_groups": "system:authenticated; system:masters",
            "caller_ip": ADDRESS,
            "caller_ip_country": "IL",
            "non_authorized": false,
            "resource_name": format!("kube-system/pods/{}", self.pod),
            "ua_windows": "amd6",
            "original_user_agent": self.agent,
        });
        let product = if self.agent == KUBECTL { "ua_kubectl" } else { "ua_kubectl_exe" };
        record[product] = "v1.14.10".into();
        for flag in self.flags {
            record[format!("subresource_exec_{flag}")] = "true".into();
        }
        record
    }
}

/// Returns kAudit's counts of selections.
pub fn counts() -> [Value; 4] {
    let count = |principal: &str, rule: &str, start: &str, count: u64| {
        json!({
            "cluster": CLUSTER,
            "principal": principal,
            "rule": rule,
            "resource_namespace": "kube-system",
            "time": 1_583_076_422_347_i64,
            "timestamp": format!("2020-03-01T{start}:00:00+0000"),
            "count": count,
            "count-period": 3_600_000,
        })
    };
    let mut address = count(ADDRESS, "pod execution", "16", 1);
    address["caller_ip"] = ADDRESS.into();
    address["caller_ip-country"] = "IL".into();
    address["caller_ip_asn"] = "Example Transit".into();
    [
        count(ADMIN, "pod execution", "15", 10),
        address,
        count(ADMIN, "pod creation", "16", 3),
        count(ADMIN, "secrets access", "18", 3),
    ]
}

pub const COLLECTOR: &str = "system:serviceaccount:kube-system:generic-garbage-collector";
pub const COLLECTOR_AGENT: &str = "kube-controller-manager/v1.14.9 (linux/amd64) \
                                   kubernetes/502bfb3/system:serviceaccount:kube-system:generic-garbage-collector";
pub const DISCOVERY: &str = "/apis/scheduling.k8s.io/v1?timeout=32s";
pub const NODE: &str = "system:node:ip-192-168-0-8.us-west-2.compute.internal";
pub const WATCH: &str = "/apis/storage.k8s.io/v1beta1/csidrivers?resourceVersion=1222086&timeout=9m7s&timeoutSeconds=547&watch=true";

/// Returns kAudit's records of two ordinary requests: discovery by a controller, and the watch of a kubelet.
pub fn activity() -> [Value; 2] {
    [
        json!({
            "principal": COLLECTOR,
            "user_id": "f1f2f48d-0000-4000-8000-000000000001",
            "cluster": CLUSTER,
            "username": COLLECTOR,
            "ua_linux": "amd6",
            "uri": DISCOVERY,
            "verb": "get",
            "id": "b9412f02-0000-4000-8000-000000000001",
            "timestamp": "2020-03-01T15:31:00+0000",
            "status_code": 200,
            "cluster_role": "system:discovery",
            "ua_kube_controller_manager": "v1.14.9",
            "time": 1_583_076_660_021_i64,
            "access_type": "read",
            "user_groups": "system:authenticated; system:serviceaccounts; system:serviceaccounts:kube-system",
            "caller_ip": "10.0.97.212",
            "non_authorized": false,
            "resource_name": "",
            "original_user_agent": COLLECTOR_AGENT,
        }),
        json!({
            "principal": NODE,
            "caller_ip_asn": "Example Transit",
            "user_id": "heptio-authenticator-aws:111111111111:AROAEXAMPLEEXAMPLE000",
            "cluster": CLUSTER,
            "username": NODE,
            "ua_linux": "amd6",
            "uri": WATCH,
            "api_group": "storage.k8s.io",
            "verb": "watch",
            "api_version": "v1beta1",
            "id": "7a4ebd7a-0000-4000-8000-000000000002",
            "timestamp": "2020-03-01T15:31:00+0000",
            "status_code": 200,
            "time": 1_583_076_660_063_i64,
            "resource_type": "csidrivers",
            "ua_kubelet": "v1.14.8",
            "access_type": "read",
            "user_groups": "system:authenticated; system:bootstrappers; system:nodes",
            "caller_ip": ADDRESS,
            "caller_ip_country": "IL",
            "non_authorized": false,
            "resource_name": "csidrivers",
            "original_user_agent": "kubelet/v1.14.8 (linux/amd64) kubernetes/b8860f6",
        }),
    ]
}

/// A detection of kAudit, as a statistic over the selections of a rule within three minutes.
pub struct Detection {
    pub short_doc: &'static str,
    /// The end of the three minutes.
    pub end_ms: i64,
    /// A principal, or `cluster` for all.
    pub eid: &'static str,
    /// The rule whose selections are counted.
    pub rule: &'static str,
    /// The field whose values are counted once; empty: selections are counted.
    pub distinct: &'static str,
    /// The field in `context`; empty: none.
    pub context_field: &'static str,
    direction: &'static str,
    value: u64,
    context: &'static str,
    doc: &'static str,
    reason: &'static str,
}

impl Detection {
    /// Returns what kAudit's record contains of the statistic.
    pub fn statistic(&self) -> Value {
        json!({"value": self.value, "context": self.context, "direction": self.direction})
    }

    /// Returns kAudit's record; `None`: there is none.
    pub fn record(&self) -> Option<Value> {
        let etype = if self.eid == "cluster" { "cluster" } else { "principal" };
        let minutes = (self.end_ms / 60_000) % 1_440;
        let mut record = json!({
            "confidence": "high",
            "etype": etype,
            "short_doc": self.short_doc,
            "cluster": CLUSTER,
            "reasons_0_values_high": self.value.to_string(),
            "timestamp": format!("2020-03-01T{:02}:{:02}:00+0000", minutes / 60, minutes % 60),
            "reasons_0_direction": self.direction,
            "direction": self.direction,
            "reasons_0_period": 180_000,
            "time": self.end_ms,
            "category": "anomaly",
            "period": 180_000,
            "eid": self.eid,
            "doc": self.doc,
            "reasons_0_doc": self.reason.replace('%', self.direction),
        });
        if !self.context_field.is_empty() {
            record[format!("context_{}", self.context_field)] = self.context.into();
        }
        (self.value > 0).then_some(record)
    }
}

const FIRST: i64 = 1_583_073_360_000;
const SHELLS_END: i64 = 1_583_075_520_000;
const SCAN_END: i64 = 1_583_075_700_000;
const UNAUTHORIZED_END: i64 = 1_583_076_420_000;
const COMMANDS: &str = "cat /etc/passwd; ls; ls /bin; sh";
const URIS: &str = "/configs; /debug/pprof; /login/test; /secrets/admin";
const TOOLS: &str = "test; test (compatible; +http://www.google.com/bot.html); test (iPhone; CPU iPhone OS 12_2 like Mac \
                     OS X) (KHTML, like Gecko)";

/// A statistic and the texts of its records.
#[derive(Clone, Copy)]
struct Statistic {
    rule: &'static str,
    distinct: &'static str,
    context_field: &'static str,
    doc: &'static str,
    /// The text of the reason; `%` is the direction.
    reason: &'static str,
}

const UNIQUE_COMMANDS: Statistic = Statistic {
    rule: "pod execution",
    distinct: "subresource_exec_command",
    context_field: "subresource_exec_command",
    doc: "unusual change in count of unique remote commands in access attempts",
    reason: "change in count of unique remote commands in % access attempts",
};
const ALL_COMMANDS: Statistic = Statistic {
    rule: "pod execution",
    distinct: "",
    context_field: "subresource_exec_command",
    doc: "unusual change in count of remote commands in access attempts",
    reason: "change in count of remote commands in % access attempts",
};
const UNIQUE_TARGETS: Statistic = Statistic {
    rule: "pod execution",
    distinct: "resource_name",
    context_field: "",
    doc: "unusual change in count of unique remote shells",
    reason: "change in count of unique remote shells attempts on resources",
};
const UNIQUE_TOOLS: Statistic = Statistic {
    rule: "access tool",
    distinct: "caller_supplied_user_agent",
    context_field: "caller_supplied_user_agent",
    doc: "unusual change in tool used in access attempts",
    reason: "change in count of unique caller user-agents in % access attempts",
};
const UNIQUE_URIS: Statistic = Statistic {
    rule: "unusual target",
    distinct: "unusual_uri",
    context_field: "unusual_uri",
    doc: "unusual change in count of unique unusual URIs in access attempts",
    reason: "change in count of unique unusual URIs in % access attempts",
};
const ALL_URIS: Statistic = Statistic {
    rule: "unusual target",
    distinct: "",
    context_field: "unusual_uri",
    doc: "unusual change in count of unusual URIs in access attempts",
    reason: "change in count of unusual URIs in % access attempts",
};
const REASONS: Statistic = Statistic {
    rule: "unexpected status reason",
    distinct: "",
    context_field: "status_reason",
    doc: "unusual change in count of unexpected status reason in access attempts",
    reason: "change in count of unexpected status reasons in % access attempts",
};
const REFUSALS: Statistic = Statistic {
    rule: "unauthorized access",
    distinct: "",
    context_field: "",
    doc: "unusual change in count of unauthorized access attempts",
    reason: "change in count of unauthorized % access attempts",
};

const fn detection(
    short_doc: &'static str,
    end_ms: i64,
    eid: &'static str,
    statistic: Statistic,
    direction: &'static str,
    (value, context): (u64, &'static str),
) -> Detection {
    let Statistic { rule, distinct, context_field, doc, reason } = statistic;
    Detection {
        short_doc,
        end_ms,
        eid,
        rule,
        distinct,
        context_field,
        direction,
        value,
        context,
        doc,
        reason,
    }
}

/// The last two are of kube-controller-manager, which creates objects in a namespace that is being deleted.
pub const DETECTIONS: &[Detection] = &[
    detection("change in remote commands", FIRST, ADMIN, UNIQUE_COMMANDS, "write", (1, "ls /home")),
    detection("change in remote commands", FIRST, ADMIN, ALL_COMMANDS, "write", (1, "ls /home")),
    detection("change in remote commands", SHELLS_END, ADMIN, UNIQUE_COMMANDS, "write", (4, COMMANDS)),
    detection("change in remote shells", SHELLS_END, ADMIN, UNIQUE_TARGETS, "write", (4, "")),
    detection("change in remote commands", SHELLS_END, ADMIN, ALL_COMMANDS, "write", (6, COMMANDS)),
    detection("change in remote shells", SHELLS_END, "cluster", UNIQUE_TARGETS, "write", (4, "")),
    detection("change in remote commands", SHELLS_END, "cluster", UNIQUE_COMMANDS, "write", (4, COMMANDS)),
    detection("change in access tool", SCAN_END, ADMIN, UNIQUE_TOOLS, "read", (3, TOOLS)),
    detection("change in targets of access attempts", SCAN_END, ADMIN, UNIQUE_URIS, "read", (4, URIS)),
    detection(
        "change in status reason of access attempts",
        SCAN_END,
        ADMIN,
        REASONS,
        "read",
        (5, "NotFound"),
    ),
    detection("change in targets of access attempts", SCAN_END, ADMIN, ALL_URIS, "read", (5, URIS)),
    detection("change in targets of access attempts", SCAN_END, "cluster", UNIQUE_URIS, "read", (4, URIS)),
    detection("change in unauthorized access attempts", UNAUTHORIZED_END, ADMIN, REFUSALS, "write", (6, "")),
    detection(
        "change in status reason of access attempts",
        UNAUTHORIZED_END,
        ADMIN,
        REASONS,
        "write",
        (9, "Forbidden; NotFound"),
    ),
    detection(
        "change in status reason of access attempts",
        UNAUTHORIZED_END,
        "system:kube-controller-manager",
        REASONS,
        "write",
        (4, "Forbidden"),
    ),
    // No record: the refusals of an admission controller are no unauthorised access.
    detection(
        "change in unauthorized access attempts",
        UNAUTHORIZED_END,
        "system:kube-controller-manager",
        REFUSALS,
        "",
        (0, ""),
    ),
];
