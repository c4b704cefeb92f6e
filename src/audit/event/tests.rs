//! Fields of events, each with a value, without one, and with what looks like one.

use serde_json::Value as Json;

use super::*;

/// Computes fields in every encoding, with new and with used buffers.
#[derive(Default)]
struct Tester {
    options: EventOptions,
    cluster: Option<&'static str>,
    buffers: EventBuffers,
    /// Reads events up to their first syntax error.
    cut: bool,
}

impl Tester {
    /// Asserts the values of fields, each as `name: value`.
    ///
    /// `-` is an absent value, `?` an unknown one, and a list is in brackets.
    fn assert(&mut self, text: &str, expected: &[&str]) {
        let shown: Vec<String> =
            expected.iter().map(|line| self.show(text, line.split(": ").next().unwrap())).collect();
        assert_eq!(shown, expected, "{text}");
    }

    fn show(&mut self, text: &str, name: &str) -> String {
        let field = FieldRef::of(name).unwrap_or_else(|| panic!("{name}"));
        let one =
            show_field(Record::json(text), self.cut, &self.options, self.cluster, &mut self.buffers, &field);
        let mut new = EventBuffers::default();
        let two = show_field(Record::json(text), self.cut, &self.options, self.cluster, &mut new, &field);
        assert_eq!(one, two, "{text}");
        #[cfg(feature = "msgpack")]
        if let Ok(json) = serde_json::from_str::<Json>(text) {
            let bytes = rmp_serde::to_vec(&json).unwrap();
            let record = Record::msgpack(&bytes);
            let three = show_field(record, self.cut, &self.options, self.cluster, &mut self.buffers, &field);
            assert_eq!(one, three, "{text}");
        }
        format!("{name}: {one}")
    }
}

fn show_field(
    record: Record<'_>,
    cut: bool,
    options: &EventOptions,
    cluster: Option<&str>,
    buffers: &mut EventBuffers,
    field: &FieldRef,
) -> String {
    let members = if cut { EventMembers::read_head(record) } else { EventMembers::read(record).unwrap() };
    let form = members.form(record).expect("an event");
    let mut event = Event::new(record, &members, form, options, cluster, buffers);
    let shown = show(event.value(field));
    // Computing other fields does not change it.
    for &other in EventField::ALL.iter().rev() {
        event.known(other);
    }
    assert_eq!(shown, show(event.value(field)), "{field}");
    shown
}

fn show(value: FieldValue<'_>) -> String {
    match value {
        FieldValue::Absent => "-".to_owned(),
        FieldValue::Unknown => "?".to_owned(),
        FieldValue::Text(text) => {
            assert!(!text.is_empty());
            text.to_owned()
        }
        FieldValue::List(texts) => {
            assert!(!texts.is_empty() && texts.iter().all(|text| !text.is_empty()));
            format!("[{}]", texts.join("; "))
        }
    }
}

/// Returns an event of the API server with further members.
fn event(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1"{comma}{members}}}"#)
}

/// Returns an entry of Cloud Logging with further members of its payload, and further members.
fn entry(payload: &str, members: &str) -> String {
    let [one, two] = [payload, members].map(|text| if text.is_empty() { "" } else { "," });
    format!(r#"{{"protoPayload":{{"serviceName":"k8s.io"{one}{payload}}}{two}{members}}}"#)
}

fn assert_fields(events: &[(String, &[&str])]) {
    let mut tester = Tester::default();
    for (text, expected) in events {
        tester.assert(text, expected);
    }
}

#[test]
fn the_principal_is_the_authenticated_user() {
    assert_fields(&[
        (
            event(
                r#""user":{"username":"ann","uid":"7","groups":["b","a","","b"],"extra":{}},
                   "impersonatedUser":{"username":"bob","uid":"8","groups":["system:masters"]}"#,
            ),
            &[
                "principal: ann",
                "username: ann",
                "user-id: 7",
                "user-groups: [a; b]",
                "impersonated-principal: bob",
                "impersonated-username: bob",
                "impersonated-user-id: 8",
                "impersonated-groups: [system:masters]",
            ],
        ),
        (
            event(r#""user":{"uid":"7","username":""},"impersonatedUser":{"uid":"8"}"#),
            &[
                "principal: 7",
                "username: -",
                "user-id: 7",
                "user-groups: -",
                "impersonated-principal: 8",
                "impersonated-username: -",
            ],
        ),
        // A failed authentication.
        (
            event(r#""user":{}"#),
            &["principal: -", "username: -", "user-groups: -", "impersonated-principal: -"],
        ),
        (event(""), &["principal: -", "user-id: -", "user-extra-arn: -", "credential-id: -"]),
        (event(r#""user":"ann""#), &["principal: -"]),
        (
            event(r#""user":{"groups":[],"username":"\u0061\u0026\""}"#),
            &["principal: a&\"", "user-groups: -"],
        ),
    ]);
}

#[test]
fn the_first_of_duplicate_keys_counts() {
    let text = event(r#""user":{"username":"ann","username":"eve"},"user":{"username":"eve"}"#);
    let (options, mut buffers) = (EventOptions::default(), EventBuffers::default());
    let principal = FieldRef::Known(EventField::Principal);
    assert_eq!(show_field(Record::json(&text), false, &options, None, &mut buffers, &principal), "ann");
}

#[test]
fn extra_attributes_are_lists() {
    let text = event(
        r#""user":{"username":"u","extra":{
            "authentication.kubernetes.io/credential-id":["JTI=1"],
            "authentication_kubernetes_io/pod-name":["web-1"],
            "authentication.kubernetes.io/node-name":["n1","n2"],
            "accesskeyid":["A","B"],"sessionName":[""],"scopes":"user:full"}}"#,
    );
    assert_fields(&[
        (
            text,
            &[
                "credential-id: JTI=1",
                "pod-name: web-1",
                "node-name: n1",
                "user-extra-accessKeyId: [A; B]",
                "user-extra-sessionName: -",
                "user-extra-scopes: [user:full]",
                "user-extra-arn: -",
            ],
        ),
        (event(r#""impersonatedUser":{"extra":{"arn":["x"]}}"#), &["user-extra-arn: -"]),
    ]);
}

#[test]
fn connections_are_writes_with_every_verb() {
    let request = |verb: &str, subresource: &str| {
        event(&format!(r#""verb":"{verb}","objectRef":{{"resource":"pods","subresource":"{subresource}"}}"#))
    };
    assert_fields(&[
        (request("get", ""), &["access-type: read", "verb: get", "subresource: -"]),
        (request("list", ""), &["access-type: read"]),
        (request("watch", "status"), &["access-type: read"]),
        (request("get", "log"), &["access-type: read"]),
        (request("get", "exec"), &["access-type: write", "verb: get"]),
        (request("get", "attach"), &["access-type: write"]),
        (request("get", "portforward"), &["access-type: write"]),
        (request("get", "proxy"), &["access-type: write"]),
        (request("create", ""), &["access-type: write"]),
        (request("deletecollection", ""), &["access-type: write"]),
        (event(r#""verb":"head""#), &["access-type: read"]),
        (event(r#""verb":"options""#), &["access-type: read"]),
        (event(r#""verb":"post""#), &["access-type: write"]),
        // A method without a verb.
        (request("", ""), &["access-type: write", "verb: -"]),
    ]);
}

#[test]
fn the_caller_is_one_of_the_source_addresses() {
    let events = [
        (
            r#""sourceIPs":["198.51.100.7","203.0.113.9","10.0.0.1"]"#,
            ["198.51.100.7", "10.0.0.1", "203.0.113.9"],
        ),
        (r#""sourceIPs":["192.0.2.1"]"#, ["192.0.2.1"; 3]),
        (r#""sourceIPs":["10.0.0.1","::ffff:10.0.0.2"]"#, ["10.0.0.1", "::ffff:10.0.0.2", "10.0.0.1"]),
        (r#""sourceIPs":["198.51.100.7","unknown"]"#, ["198.51.100.7", "unknown", "unknown"]),
        (r#""sourceIPs":"192.0.2.1""#, ["192.0.2.1"; 3]),
        (r#""sourceIPs":[]"#, ["-"; 3]),
        ("", ["-"; 3]),
    ];
    let trusted = vec![Network::parse("10.0.0.0/8").unwrap()];
    for (at, caller_ip) in
        [CallerIp::First, CallerIp::Last, CallerIp::LastOutside(trusted)].into_iter().enumerate()
    {
        let options = EventOptions { caller_ip, cluster: None };
        let mut tester = Tester { options, ..Tester::default() };
        for (members, expected) in events {
            tester.assert(&event(members), &[&format!("caller-ip: {}", expected[at])]);
        }
        tester.assert(&event(""), &["caller-ip-asn: -", "caller-ip-country: -"]);
    }
}

#[test]
fn the_resource_name_is_a_path() {
    let object = |members: &str| event(&format!(r#""objectRef":{{{members}}}"#));
    assert_fields(&[
        (
            object(
                r#""resource":"pods","namespace":"kube-system","name":"web-1","apiVersion":"v1","subresource":"exec",
                   "uid":"u","resourceVersion":"1""#,
            ),
            &[
                "resource-name: kube-system/pods/web-1",
                "resource-object-name: web-1",
                "resource-type: pods",
                "resource-namespace: kube-system",
                "api-group: -",
                "api-version: v1",
                "subresource: exec",
            ],
        ),
        (
            object(r#""resource":"csidrivers","apiGroup":"storage.k8s.io""#),
            &["resource-name: csidrivers", "api-group: storage.k8s.io", "resource-object-name: -"],
        ),
        (object(r#""resource":"namespaces","namespace":"a","name":"a""#), &["resource-name: a/namespaces/a"]),
        (
            object(r#""resource":"nodes","name":"n","apiGroup":"core""#),
            &["resource-name: nodes/n", "api-group: -"],
        ),
        (object(""), &["resource-name: -", "resource-type: -"]),
        (event(r#""requestURI":"/version""#), &["resource-name: -", "api-version: -", "subresource: -"]),
    ]);
}

#[test]
fn options_of_an_exec_come_from_the_query() {
    let request = |subresource: &str, query: &str| {
        event(&format!(
            r#""requestURI":"/api/v1/namespaces/a/pods/b/{subresource}{query}",
               "objectRef":{{"resource":"pods","subresource":"{subresource}"}}"#
        ))
    };
    assert_fields(&[
        (
            request(
                "exec",
                r"?command=ls\u0026command=%2Fbin\u0026container=c\u0026container=c\u0026stdin=true\u0026stdout=1\u0026tty=false",
            ),
            &[
                "subresource-exec-command: ls /bin",
                "subresource-exec-container: c",
                "subresource-exec-stdin: true",
                "subresource-exec-stdout: true",
                "subresource-exec-tty: -",
                "subresource-exec-stderr: -",
                "subresource-logs-container: -",
                "subresource-attach-container: -",
                "dry-run: false",
            ],
        ),
        (
            request("exec", "?command=sh&command=-c&command=a+b%26%3Bc%20d"),
            &["subresource-exec-command: sh -c a b&;c d", "subresource-exec-container: -"],
        ),
        (request("exec", ""), &["subresource-exec-command: -", "subresource-exec-tty: -"]),
        (
            request("attach", "?container=c&stdin=true&stdout=true"),
            &[
                "subresource-attach-container: c",
                "subresource-attach-stdin: true",
                "subresource-attach-tty: -",
                "subresource-exec-container: -",
                "subresource-exec-stdin: -",
            ],
        ),
        (
            request("log", "?container=c&follow=true"),
            &["subresource-logs-container: c", "subresource-exec-container: -"],
        ),
        (request("portforward", "?ports=80&ports=443"), &["subresource-portforward-ports: 80,443"]),
        (request("portforward", ""), &["subresource-portforward-ports: -"]),
        // Other subresources may have a parameter of the same name.
        (
            request("proxy", "?command=ls&container=c"),
            &["subresource-exec-command: -", "subresource-logs-container: -"],
        ),
    ]);
}

#[test]
fn unusual_uris_are_paths_of_no_resource() {
    let request = |uri: &str, members: &str| event(&format!(r#""requestURI":"{uri}"{members}"#));
    assert_fields(&[
        (request("/configs?a=b", ""), &["unusual-uri: /configs", "uri: /configs?a=b"]),
        (request("/debug/pprof", ""), &["unusual-uri: /debug/pprof"]),
        (request("/healthz?timeout=5s", ""), &["unusual-uri: -"]),
        (request("/apis/apps/v1?timeout=32s", ""), &["unusual-uri: -"]),
        (request("/x/y", r#","objectRef":{"resource":"pods"}"#), &["unusual-uri: -"]),
        (event(""), &["unusual-uri: -", "uri: -", "dry-run: false"]),
    ]);
}

#[test]
fn a_dry_run_is_named_by_the_query_or_the_options() {
    let request =
        |verb: &str, uri: &str, body: &str| event(&format!(r#""verb":"{verb}","requestURI":"{uri}"{body}"#));
    let options = r#","requestObject":{"kind":"DeleteOptions","dryRun":["All"]}"#;
    assert_fields(&[
        (request("create", "/api/v1/pods?dryRun=All", ""), &["dry-run: true"]),
        (request("create", r"/api?a=b\u0026dryRun=All", ""), &["dry-run: true"]),
        (request("create", "/api?%64ryRun=%41ll", ""), &["dry-run: true"]),
        (request("create", "/api?dryRun=&notdryRun=All", ""), &["dry-run: false"]),
        (request("create", "/dryRun=All", ""), &["dry-run: false"]),
        (request("delete", "/api", options), &["dry-run: true"]),
        (request("create", "/api", options), &["dry-run: false"]),
        (
            request("delete", "/api", r#","requestObject":{"kind":"Pod","dryRun":["All"]}"#),
            &["dry-run: false"],
        ),
    ]);
}

#[test]
fn roles_come_from_the_reason_of_rbac() {
    let reason = |text: &str| {
        event(&format!(
            r#""annotations":{{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"{text}"}}"#
        ))
    };
    assert_fields(&[
        (
            reason(r#"RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"r\" to Group \"g\""#),
            &["cluster-role: r", "role: -", "binding: b", "decision: allow"],
        ),
        (
            reason(r#"RBAC: allowed by RoleBinding \"b/ns\" of Role \"r\" to User \"u\""#),
            &["cluster-role: -", "role: r", "binding: b/ns"],
        ),
        (
            reason(
                r#"EKS Access Policy: allowed by ClusterRoleBinding \"p+q\" of ClusterRole \"arn:a\" to User \"u\""#,
            ),
            &["cluster-role: arn:a", "binding: p+q"],
        ),
        (reason(""), &["cluster-role: -", "role: -", "binding: -", "decision-reason: -"]),
        (
            reason("access granted by IAM permissions."),
            &["cluster-role: -", "decision-reason: access granted by IAM permissions."],
        ),
        (event(""), &["cluster-role: -", "decision: -"]),
        // Elastic's spelling.
        (event(r#""annotations":{"authorization_k8s_io/decision":"forbid"}"#), &["decision: forbid"]),
    ]);
}

#[test]
fn only_refusals_of_the_authoriser_are_not_authorised() {
    let outcome = |code: &str, decision: &str| {
        let status =
            if code.is_empty() { String::new() } else { format!(r#""responseStatus":{{"code":{code}}},"#) };
        event(&format!(r#"{status}"annotations":{{{decision}}}"#))
    };
    let allow = r#""authorization.k8s.io/decision":"allow""#;
    let forbid = r#""authorization.k8s.io/decision":"forbid""#;
    assert_fields(&[
        (outcome("200", allow), &["non-authorized: false", "status-code: 200"]),
        (outcome("403", forbid), &["non-authorized: true"]),
        (outcome("", forbid), &["non-authorized: true", "status-code: -"]),
        // Admission, quota or pod security.
        (outcome("403", allow), &["non-authorized: false", "status-code: 403"]),
        // A refused impersonation.
        (outcome("403", ""), &["non-authorized: true"]),
        (outcome("401", ""), &["non-authorized: true"]),
        (outcome("401", allow), &["non-authorized: true"]),
        (outcome("404", ""), &["non-authorized: false"]),
        (outcome(r#""403""#, ""), &["non-authorized: true", "status-code: 403"]),
        (event(""), &["non-authorized: false", "status: -", "status-reason: -", "status-code: -"]),
        (
            event(r#""responseStatus":{"metadata":{},"status":"Failure","reason":"Conflict","code":409}"#),
            &["status: Failure", "status-reason: Conflict", "status-code: 409"],
        ),
    ]);
}

#[test]
fn user_agents_have_products() {
    let agent = |text: &str| event(&format!(r#""userAgent":"{text}""#));
    assert_fields(&[
        (
            agent("kubectl.exe/v1.14.10 (windows/amd64) kubernetes/f5757a1"),
            &[
                "ua-kubectl-exe: v1.14.10",
                "ua-kubectl_exe: v1.14.10",
                "ua-windows: amd64",
                "ua-kubernetes: -",
                "ua-kubectl: -",
                "caller-supplied-user-agent: -",
                "original-user-agent: kubectl.exe/v1.14.10 (windows/amd64) kubernetes/f5757a1",
            ],
        ),
        (agent("test sqlmap/1.0-dev"), &["ua-sqlmap: 1.0-dev", "caller-supplied-user-agent: test"]),
        (agent("a/1 a/2"), &["ua-a: 1"]),
        (event(""), &["ua-kubectl: -", "caller-supplied-user-agent: -", "original-user-agent: -"]),
    ]);
    let many = (0..100).map(|number| format!("p{number}/1")).collect::<Vec<_>>().join(" ");
    assert_fields(&[(agent(&many), &["ua-p31: 1", "ua-p32: -", "caller-supplied-user-agent: -"])]);
}

#[test]
fn annotations_have_fields_of_their_own() {
    let text = event(
        r#""annotations":{
            "failed-open.validating.webhook.admission.k8s.io/round_0_index_1":"b.example",
            "failed-open.mutation.webhook.admission.k8s.io/round_0_index_0":"a.example",
            "mutation.webhook.admission.k8s.io/round_0_index_0":"c.example",
            "pod-security.kubernetes.io/audit-violations":"would violate",
            "validation.policy.admission.k8s.io/validation_failure":"[{}]",
            "authentication.kubernetes.io/issued-credential-id":"JTI=2"}"#,
    );
    assert_fields(&[
        (
            text,
            &[
                "failed-open-webhook: [a.example; b.example]",
                "pod-security-violations: would violate",
                "policy-failure: [{}]",
                "issued-credential-id: JTI=2",
            ],
        ),
        (
            event(r#""annotations":{"pod-security.kubernetes.io/enforce-policy":"privileged:latest"}"#),
            &[
                "failed-open-webhook: -",
                "pod-security-violations: -",
                "policy-failure: -",
                "issued-credential-id: -",
            ],
        ),
    ]);
}

#[test]
fn the_level_of_openshift_was_moved() {
    assert_fields(&[
        (event(r#""level":"Metadata","stage":"Panic""#), &["level: Metadata", "stage: Panic"]),
        (event(r#""level":"default","k8s_audit_level":"Request""#), &["level: Request"]),
        (event(r#""openshift_audit_level":"Request","level":"default""#), &["level: Request"]),
        (event(""), &["level: -", "stage: -"]),
    ]);
}

#[test]
fn the_cluster_comes_from_the_record_or_the_configuration() {
    let labels = r#""resource":{"type":"k8s_cluster","labels":{"cluster_name":"gke-1"}}"#;
    let options = EventOptions { cluster: Some("default".to_owned()), ..EventOptions::default() };
    let mut tester = Tester { options, ..Tester::default() };
    tester.assert(&event(""), &["cluster: default"]);
    tester.assert(&entry("", labels), &["cluster: gke-1"]);
    tester.assert(&entry("", ""), &["cluster: default"]);
    tester.cluster = Some("prod");
    tester.assert(&event(""), &["cluster: prod"]);
    assert_fields(&[(event(""), &["cluster: -"]), (entry("", labels), &["cluster: gke-1"])]);
}

#[test]
fn a_pod_template_is_read_wherever_it_is() {
    let pod = r#"{"containers":[{"image":"b","securityContext":{"privileged":false}}],
        "initContainers":[{"image":"a","securityContext":{"privileged":true,"capabilities":{"add":["SYS_ADMIN"],"drop":["ALL"]}}}],
        "ephemeralContainers":[{"image":"c"}],"hostNetwork":true,"hostPID":false,"serviceAccountName":"sa",
        "volumes":[{"name":"v","hostPath":{"path":"/etc","type":""}},{"emptyDir":{}}]}"#;
    let create = |body: &str| {
        event(&format!(r#""verb":"create","objectRef":{{"resource":"pods"}},"requestObject":{body}"#))
    };
    let expected: &[&str] = &[
        "request-image: [a; b; c]",
        "request-privileged: true",
        "request-host-network: true",
        "request-host-pid: false",
        "request-host-ipc: false",
        "request-host-path: [/etc]",
        "request-capabilities: [SYS_ADMIN]",
        "request-service-account: sa",
        "request-service-type: -",
        "request-role-ref: -",
    ];
    for body in [
        format!(r#"{{"kind":"Pod","spec":{pod}}}"#),
        format!(r#"{{"spec":{{"replicas":1,"template":{{"metadata":{{}},"spec":{pod}}}}}}}"#),
        format!(r#"{{"spec":{{"jobTemplate":{{"spec":{{"template":{{"spec":{pod}}}}}}}}}}}"#),
        format!(r#"{{"kind":"PodTemplate","template":{{"spec":{pod}}}}}"#),
    ] {
        assert_fields(&[(create(&body), expected)]);
    }
    let volume = r#"{"kind":"PersistentVolume","spec":{"hostPath":{"path":"/"}}}"#;
    assert_fields(&[(create(volume), &["request-host-path: [/]", "request-privileged: -"])]);
    // The names of a pod template's members elsewhere.
    let other = r#"{"kind":"ConfigMap","data":{"spec":{"containers":[{"image":"a"}]}},"status":{"hostNetwork":true}}"#;
    assert_fields(&[(
        create(other),
        &["request-image: -", "request-privileged: -", "request-host-network: -"],
    )]);
}

#[test]
fn bindings_and_roles_are_read() {
    let create = |resource: &str, body: &str| {
        event(&format!(r#""verb":"create","objectRef":{{"resource":"{resource}"}},"requestObject":{body}"#))
    };
    assert_fields(&[
        (
            create(
                "clusterrolebindings",
                r#"{"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"cluster-admin"},
                    "subjects":[{"kind":"User","name":"u"},{"kind":"ServiceAccount","namespace":"ns","name":"sa"},
                    {"kind":"Group","apiGroup":"x","name":"system:authenticated"}]}"#,
            ),
            &[
                "request-role-ref: ClusterRole/cluster-admin",
                "request-subjects: [Group:system:authenticated; ServiceAccount:ns/sa; User:u]",
            ],
        ),
        (
            create(
                "roles",
                r#"{"rules":[{"verbs":["get","*"],"resources":["pods/exec"],"apiGroups":["","apps"]},
                    {"verbs":["get"],"nonResourceURLs":["/x"]}]}"#,
            ),
            &[
                "request-rules-verbs: [*; get]",
                "request-rules-resources: [pods/exec]",
                "request-rules-api-groups: [apps; core]",
                "request-role-ref: -",
                "request-subjects: -",
            ],
        ),
        (create("rolebindings", r#"{"roleRef":{"kind":"Role","name":"r"}}"#), &["request-subjects: -"]),
    ]);
}

#[test]
fn members_of_spec_have_a_meaning_in_their_resource_only() {
    let create = |resource: &str, body: &str| {
        event(&format!(
            r#""verb":"create","objectRef":{{"resource":"{resource}"}},"requestObject":{{"spec":{body}}}"#
        ))
    };
    let all = r#"{"type":"NodePort","signerName":"s","usages":["client auth"],"expirationSeconds":3600}"#;
    assert_fields(&[
        (
            create("services", all),
            &["request-service-type: NodePort", "request-signer-name: -", "request-token-expiration: -"],
        ),
        (
            create("certificatesigningrequests", all),
            &[
                "request-service-type: -",
                "request-signer-name: s",
                "request-usages: [client auth]",
                "request-token-expiration: -",
            ],
        ),
        (create("serviceaccounts", all), &["request-token-expiration: 3600", "request-usages: -"]),
        (create("widgets", all), &["request-service-type: -", "request-token-expiration: -"]),
    ]);
}

#[test]
fn patches_are_read_as_far_as_they_go() {
    let patch = |body: &str| event(&format!(r#""verb":"patch","requestObject":{body}"#));
    assert_fields(&[
        (
            patch(r#"{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#),
            &["request-image: [i]", "request-privileged: -", "request-host-network: -"],
        ),
        (patch(r#"{"spec":{"replicas":2}}"#), &["request-image: -", "request-privileged: -"]),
        (
            patch(
                r#"[{"op":"test","path":"/spec/hostPID","value":true},
                    {"op":"replace","path":"/spec/template/spec/containers/0/image","value":"i"},
                    {"op":"add","path":"/spec/template/spec/containers/-","value":{"image":"j","securityContext":{"privileged":true}}},
                    {"op":"add","path":"/spec/template/spec/volumes","value":[{"hostPath":{"path":"/"}}]}]"#,
            ),
            &[
                "request-image: [i; j]",
                "request-privileged: true",
                "request-host-path: [/]",
                "request-host-pid: -",
                "request-role-ref: -",
            ],
        ),
        (patch(r#"[{"op":"replace","path":"/metadata/labels/a~1b","value":"x"}]"#), &["request-image: -"]),
        (patch(r#"[{"op":"add","path":"/rules/0/verbs/-","value":"*"}]"#), &["request-rules-verbs: [*]"]),
        // A value that is not in the request.
        (
            patch(r#"[{"op":"copy","from":"/spec/a","path":"/spec/hostNetwork"}]"#),
            &["request-host-network: ?", "request-image: ?"],
        ),
        (patch(r#"[{"op":"replace","path":"/subjects/0/name","value":"eve"}]"#), &["request-subjects: ?"]),
        (patch(r#"[{"op":"move","from":"/data/a","path":"/data/b"}]"#), &["request-image: -"]),
        (patch(r#"[{"op":"add","path":"","value":{"spec":{"hostIPC":true}}}]"#), &["request-host-ipc: true"]),
        (patch("[1,[],{}]"), &["request-image: -"]),
    ]);
}

#[test]
fn a_missing_body_is_unknown() {
    let pod = r#"{"spec":{"containers":[{"image":"i"}]}}"#;
    assert_fields(&[
        (event(r#""verb":"create""#), &["request-image: ?", "request-privileged: ?", "request-role-ref: ?"]),
        (event(r#""requestObject":null"#), &["request-image: ?"]),
        (
            event(r#""requestObject":"skipped-too-big-size-object""#),
            &["request-image: ?", "request-host-path: ?"],
        ),
        (
            event(&format!(r#""requestObject":{pod},"annotations":{{"audit.k8s.io/truncated":"true"}}"#)),
            &["request-image: ?"],
        ),
        (
            event(&format!(r#""requestObject":{pod},"annotations":{{"audit.k8s.io/truncated":"false"}}"#)),
            &["request-image: [i]"],
        ),
        // The response is not the request.
        (event(&format!(r#""responseObject":{pod}"#)), &["request-image: ?"]),
        (event(r#""requestObject":{}"#), &["request-image: -", "request-privileged: -"]),
    ]);
}

#[test]
fn a_cut_event_has_unknown_fields() {
    let mut tester = Tester { cut: true, ..Tester::default() };
    let head = r#""level":"RequestResponse","auditID":"a","stage":"ResponseComplete","requestURI":"/api/v1/pods",
        "verb":"create","user":{"username":"u"},"sourceIPs":["192.0.2.1"],"userAgent":"kubectl/v1",
        "objectRef":{"resource":"pods"},"responseStatus":{"code":403},"requestObject":{"spec":{"hostNetwork":tr"#;
    let text = event(head);
    tester.assert(
        text.strip_suffix('}').unwrap(),
        &[
            "principal: u",
            "verb: create",
            "access-type: write",
            "impersonated-principal: -",
            "resource-name: pods",
            "caller-ip: 192.0.2.1",
            "ua-kubectl: v1",
            "status-code: 403",
            "dry-run: false",
            "decision: ?",
            "cluster-role: ?",
            "binding: ?",
            // Whether the authoriser or admission refused it.
            "non-authorized: ?",
            "failed-open-webhook: ?",
            "request-host-network: ?",
            "request-image: ?",
        ],
    );
    let early =
        event(r#""auditID":"a","stage":"Panic","requestURI":"/x","verb":"get","user":{"username":"u"#);
    tester.assert(
        early.strip_suffix('}').unwrap(),
        &[
            "principal: ?",
            "user-groups: ?",
            "user-extra-arn: ?",
            "credential-id: ?",
            "caller-ip: ?",
            "ua-kubectl: ?",
            "caller-supplied-user-agent: ?",
            "resource-name: ?",
            "subresource-exec-command: ?",
            "unusual-uri: ?",
            "access-type: ?",
            "status-code: ?",
            "non-authorized: ?",
            "level: -",
            "verb: get",
        ],
    );
}

#[test]
fn entries_of_cloud_logging_have_the_fields_of_an_event() {
    let exec = entry(
        r#""methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/ns/pods/p/exec/p",
           "authenticationInfo":{"principalEmail":"ann@example.com"},"status":{"code":2,"message":"UNKNOWN"},
           "authorizationInfo":[{"granted":true,"permission":"io.k8s.core.v1.pods.exec.create"}],
           "requestMetadata":{"callerIp":"203.0.113.9","callerSuppliedUserAgent":"kubectl/v1.35.6 (linux/amd64)"}"#,
        r#""insertId":"id-1","operation":{"first":true,"id":"id-1"},
           "labels":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"access granted by IAM permissions."}"#,
    );
    assert_fields(&[
        (
            exec,
            &[
                "principal: ann@example.com",
                "username: ann@example.com",
                "user-id: -",
                "user-groups: -",
                "impersonated-principal: -",
                "user-extra-arn: -",
                "level: -",
                "stage: ResponseStarted",
                "verb: create",
                "access-type: write",
                "resource-name: ns/pods/p",
                "api-group: -",
                "api-version: v1",
                "subresource: exec",
                "uri: /api/v1/namespaces/ns/pods/p/exec",
                "subresource-exec-command: -",
                "subresource-exec-container: -",
                "status-code: 101",
                "status: -",
                "non-authorized: false",
                "decision: allow",
                "caller-ip: 203.0.113.9",
                "ua-kubectl: v1.35.6",
                "dry-run: false",
                "request-image: ?",
                "unusual-uri: -",
            ],
        ),
        (
            entry(
                r#""methodName":"io.k8s.get","resourceName":"HNAP1","authenticationInfo":{},"status":{"code":16},
                   "requestMetadata":{"callerIP":"203.0.113.9"}"#,
                r#""operation":{"first":true,"last":true}"#,
            ),
            &[
                "principal: -",
                "verb: get",
                "uri: /HNAP1",
                "unusual-uri: /HNAP1",
                "resource-name: -",
                "status-code: 401",
                "status: Failure",
                "status-reason: Unauthorized",
                "non-authorized: true",
                "caller-ip: 203.0.113.9",
                "stage: ResponseComplete",
            ],
        ),
        (
            entry(
                r#""methodName":"io.k8s.apps.v1.deployments.create",
                   "resourceName":"apps/v1/namespaces/ns/deployments/d","status":{},
                   "authenticationInfo":{"principalSubject":"principal://iam.example/x"},
                   "request":{"@type":"apps.k8s.io/v1.Deployment","spec":{"template":{"spec":{"containers":[{"image":"i"}]}}}},
                   "response":{"kind":"Deployment","code":7}"#,
                "",
            ),
            &[
                "principal: principal://iam.example/x",
                "status-code: 201",
                "request-image: [i]",
                "request-privileged: false",
                "api-group: apps",
                "uri: /apis/apps/v1/namespaces/ns/deployments",
                "resource-object-name: d",
                "stage: ResponseComplete",
                "cluster: -",
            ],
        ),
    ]);
}

#[test]
fn codes_of_grpc_become_codes_of_http() {
    let method = |verb: &str, rest: &str| {
        entry(
            &format!(
                r#""methodName":"io.k8s.core.v1.pods.{verb}","resourceName":"core/v1/namespaces/n/pods/p"{rest}"#
            ),
            "",
        )
    };
    for (code, http, reason) in [
        (0, "200", "-"),
        (1, "499", "-"),
        (2, "?", "-"),
        (3, "400", "-"),
        (5, "404", "NotFound"),
        (6, "409", "AlreadyExists"),
        (7, "403", "Forbidden"),
        (10, "409", "Conflict"),
        (14, "503", "ServiceUnavailable"),
        (99, "?", "-"),
    ] {
        let text = method("get", &format!(r#","status":{{"code":{code}}}"#));
        assert_fields(&[(text, &[&format!("status-code: {http}"), &format!("status-reason: {reason}")])]);
    }
    let granted = |granted: &str, code: u8| {
        method(
            "get",
            &format!(r#","status":{{"code":{code}}},"authorizationInfo":[{{"permission":"x"{granted}}}]"#),
        )
    };
    assert_fields(&[
        (method("get", ""), &["status-code: 200"]),
        (method("create", ""), &["status-code: 201"]),
        (
            method(
                "delete",
                r#","status":{"code":5},"response":{"kind":"Status","code":404,"reason":"NotFound","status":"Failure"}"#,
            ),
            &["status-code: 404", "status-reason: NotFound", "status: Failure"],
        ),
        (
            method("delete", r#","response":{"kind":"Status","status":"Success"}"#),
            &["status-code: 200", "status: -"],
        ),
        // Allowed, and refused by admission.
        (granted(r#","granted":true"#, 7), &["non-authorized: false"]),
        (granted(r#","granted":false"#, 7), &["non-authorized: true"]),
        (granted("", 7), &["non-authorized: true"]),
        (method("get", r#","status":{"code":7}"#), &["non-authorized: true"]),
    ]);
}

#[test]
fn the_time_is_the_time_of_the_request() {
    let received = r#""requestReceivedTimestamp":"2026-01-02T03:04:05.678901Z""#;
    let stamp = r#""timestamp":"2026-01-02T03:04:06Z""#;
    let created = r#""metadata":{"creationTimestamp":"2026-01-02T03:04:07Z"}"#;
    for (text, expected) in [
        (event(&format!("{created},{stamp},{received}")), Some(5_678)),
        (event(&format!("{created},{stamp}")), Some(6_000)),
        (event(created), Some(7_000)),
        // Without a zone.
        (event(r#""requestReceivedTimestamp":"2026-01-02 03:04:05.678""#), None),
        (event(r#""stageTimestamp":"2026-01-02T03:04:05Z""#), None),
        (entry("", r#""timestamp":"2026-01-02T03:04:08.5Z""#), Some(8_500)),
        (entry("", ""), None),
    ] {
        let record = Record::json(&text);
        let members = EventMembers::read(record).unwrap();
        let (options, mut buffers) = (EventOptions::default(), EventBuffers::default());
        let form = members.form(record).unwrap();
        let event = Event::new(record, &members, form, &options, None, &mut buffers);
        let start = Time::parse("2026-01-02T03:04:00Z").unwrap();
        assert_eq!(event.time().map(|time| time.millis() - start.millis()), expected, "{text}");
    }
}

#[test]
fn the_stage_determines_whether_an_event_is_evaluated() {
    let request = |stage: &str, verb: &str, members: &str| {
        event(&format!(r#""auditID":"a","stage":"{stage}","verb":"{verb}"{members}"#))
    };
    let exec = r#","objectRef":{"resource":"pods","subresource":"exec"},"requestURI":"/debug/pprof/x""#;
    for (text, expected) in [
        (request("ResponseComplete", "create", ""), Evaluation::Always),
        (request("ResponseStarted", "get", exec), Evaluation::Start),
        (request("ResponseComplete", "get", exec), Evaluation::UnlessStarted),
        (request("ResponseStarted", "watch", ""), Evaluation::Start),
        (request("ResponseStarted", "get", r#","responseStatus":{"code":401}"#), Evaluation::Always),
        (request("ResponseStarted", "get", r#","requestURI":"/debug/pprof/profile?x""#), Evaluation::Start),
        // A path of a resource.
        (
            request(
                "ResponseStarted",
                "get",
                r#","requestURI":"/debug/pprof/x","objectRef":{"resource":"pods"}"#,
            ),
            Evaluation::Never,
        ),
        (request("RequestReceived", "create", exec), Evaluation::Never),
    ] {
        let record = Record::json(&text);
        let members = EventMembers::read(record).unwrap();
        let (options, mut buffers) = (EventOptions::default(), EventBuffers::default());
        let mut event = Event::new(record, &members, EventForm::ApiServer, &options, None, &mut buffers);
        assert_eq!(event.evaluation(StageOption::First), expected, "{text}");
        let id = event.id().map(|id| id.decode(&mut String::new()).to_owned());
        assert_eq!(id.as_deref(), Some("a"));
    }
}

#[test]
fn an_event_of_a_kind_seen_before_allocates_nothing() {
    let text = event(
        r#""level":"Metadata","auditID":"a","stage":"ResponseComplete","verb":"update",
           "requestURI":"/apis/coordination.k8s.io/v1/namespaces/n/leases/l?timeout=5s\u0026x=y",
           "user":{"username":"system:node:n","groups":["system:nodes","system:authenticated"],
           "extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=1"]}},
           "sourceIPs":["192.0.2.1"],"userAgent":"kubelet/v1.32.2 (linux/arm64) kubernetes/67a30c0",
           "objectRef":{"resource":"leases","namespace":"n","name":"l","apiGroup":"coordination.k8s.io"},
           "responseStatus":{"metadata":{},"code":200},
           "annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}"#,
    );
    let record = Record::json(&text);
    let members = EventMembers::read(record).unwrap();
    let (options, mut buffers) = (EventOptions::default(), EventBuffers::default());
    let mut read = || {
        let mut event = Event::new(record, &members, EventForm::ApiServer, &options, None, &mut buffers);
        event.evaluation(StageOption::First);
        for &field in EventField::ALL {
            event.known(field);
        }
        event.product("kubelet");
    };
    // Sorted lists change which of their buffers holds which text.
    (0..4).for_each(|_| read());
    let counted = allocation_counter::measure(read);
    assert_eq!(counted.count_total, 0);
}
