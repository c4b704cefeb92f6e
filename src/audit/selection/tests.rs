//! Records of events, read back as findings.

use serde_json::{Value as Json, json};

use super::*;
use crate::audit::event::{EventBuffers, EventOptions};
use crate::audit::members::EventMembers;
use crate::finding::{Field, Fields, Kind};
use crate::record::{Encoding, Record};

fn record_of(text: &str, rule: Option<&str>, matched: &[FieldRef]) -> String {
    let record = Record::json(text);
    let members = EventMembers::read(record).unwrap();
    let options = EventOptions { cluster: Some("test".to_owned()), ..EventOptions::default() };
    let mut buffers = EventBuffers::default();
    let form = members.form(record).unwrap();
    let mut event = Event::new(record, &members, form, &options, None, &mut buffers);
    let mut out = String::from("old");
    write(&mut event, rule, Time::from_millis(1_000), matched, &mut out);
    out
}

fn read_back(text: &str) -> Fields<'_> {
    let mut fields = Fields::default();
    let scan = Record::json(text).each_member(&mut |key, value| {
        if let Some(field) = Field::of(key.decode(&mut String::new())) {
            *fields.vacant(field as usize).unwrap() = value;
        }
    });
    assert!(scan.unwrap().quality().verbatim(), "{text}");
    fields
}

const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"3cf94957","stage":"ResponseStarted",
    "requestURI":"/api/v1/namespaces/kube-system/pods/kube-proxy-1/exec?command=ls\u0026command=%2Fbin\u0026container=kube-proxy\u0026stderr=true\u0026stdout=true",
    "verb":"create","user":{"username":"kubernetes-admin","uid":"aws-iam-authenticator:1:2","groups":["system:masters","system:authenticated"],
    "extra":{"accessKeyId":["AKIA"],"authentication.kubernetes.io/credential-id":["JTI=1"]}},
    "sourceIPs":["203.0.113.20","10.0.0.1"],"userAgent":"kubectl/v1.14.10 (windows/amd64) kubernetes/f5757a1",
    "objectRef":{"resource":"pods","namespace":"kube-system","name":"kube-proxy-1","apiVersion":"v1","subresource":"exec"},
    "responseStatus":{"metadata":{},"code":101},"requestReceivedTimestamp":"2020-03-01T15:09:03.771999Z",
    "annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}"#;

#[test]
fn a_selection_has_the_fields_of_kaudit() {
    let text = record_of(EXEC, Some("pod \"execution\""), &[]);
    let expected = json!({
        "id": "3cf94957",
        "rule": "pod \"execution\"",
        "time": 1_583_075_343_771_i64,
        "timestamp": "2020-03-01T15:09:03+0000",
        "principal": "kubernetes-admin",
        "user-id": "aws-iam-authenticator:1:2",
        "username": "kubernetes-admin",
        "user-groups": "system:authenticated; system:masters",
        "cluster": "test",
        "verb": "create",
        "uri": "/api/v1/namespaces/kube-system/pods/kube-proxy-1/exec?command=ls&command=%2Fbin&container=kube-proxy&stderr=true&stdout=true",
        "api-version": "v1",
        "resource-type": "pods",
        "resource-namespace": "kube-system",
        "resource-name": "kube-system/pods/kube-proxy-1",
        "subresource": "exec",
        "subresource-exec-command": "ls /bin",
        "subresource-exec-container": "kube-proxy",
        "subresource-exec-stdout": "true",
        "subresource-exec-stderr": "true",
        "access-type": "write",
        "status-code": 101,
        "non-authorized": false,
        "caller-ip": "203.0.113.20",
        "source-ips": "203.0.113.20; 10.0.0.1",
        "original-user-agent": "kubectl/v1.14.10 (windows/amd64) kubernetes/f5757a1",
        "ua-kubectl": "v1.14.10",
        "ua-windows": "amd64",
        "stage": "ResponseStarted",
        "credential-id": "JTI=1",
    });
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), expected);
    let fields = read_back(&text);
    assert_eq!(fields.kind(), Some(Kind::Selection));
    assert!(!fields.is_count());
    assert_eq!(fields.truth(Field::NonAuthorized), Some(false));
    assert_eq!(fields.integer(Field::StatusCode), Some(101));
    let time = fields.time(Encoding::Json, |_| true);
    assert!(matches!(time, crate::finding::Instant::Read(parsed) if parsed.millis == 1_583_075_343_771));
}

#[test]
fn an_activity_has_no_rule() {
    let text = record_of(
        r#"{"kind":"Event","auditID":"a","stage":"ResponseComplete","verb":"get","requestURI":"/api?timeout=32s",
            "annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":
            "RBAC: allowed by ClusterRoleBinding \"b\" of ClusterRole \"system:discovery\" to Group \"g\""}}"#,
        None,
        &[],
    );
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["cluster-role"], "system:discovery");
    assert_eq!(json["time"], 1_000, "the given time, as the event has none");
    assert!(
        json.get("rule").is_none() && json.get("resource-name").is_none() && json.get("dry-run").is_none()
    );
    assert_eq!(read_back(&text).kind(), Some(Kind::Activity));
}

#[test]
fn bodies_and_credentials_are_left_out() {
    let event = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"create",
        "requestURI":"/x?access_token=SECRET1\u0026a=b\u0026X-Amz-Signature=SECRET2\u0026c",
        "user":{"username":"u","extra":{"accessKeyId":["SECRET3"],"iam.gke.io/user-assertion":["SECRET4"]}},
        "responseStatus":{"message":"SECRET5","code":201},
        "requestObject":{"spec":{"containers":[{"image":"i","env":[{"value":"SECRET6"}]}],"volumes":[{"hostPath":{"path":"/etc"}}]}},
        "responseObject":{"status":{"token":"SECRET7"}},
        "annotations":{"patch.webhook.admission.k8s.io/round_0_index_0":"SECRET8"}}"#;
    let matched = [
        FieldRef::Known(EventField::RequestHostPath),
        FieldRef::Known(EventField::Verb),
        FieldRef::UserExtra("accessKeyId".to_owned()),
    ];
    let text = record_of(event, Some("r"), &matched);
    let json: Json = serde_json::from_str(&text).unwrap();
    assert!(!text.contains("SECRET"), "{text}");
    assert_eq!(json["uri"], "/x?access_token=[masked]&a=b&X-Amz-Signature=[masked]&c=");
    assert_eq!(json["request-host-path"], "/etc");
    assert!(json.get("request-image").is_none(), "no rule matched it");
    read_back(&text);
}

#[test]
fn what_callers_choose_is_bounded_and_escaped() {
    let products: Vec<String> =
        (0..20).map(|number| format!("p{number}/1 {}{number}/1", "x".repeat(40))).collect();
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "get", "stage": "Panic",
        "auditID": format!("\u{1}\"\\\n\r\t\u{7f}é{}", "a".repeat(5_000)),
        "userAgent": products.join(" "),
        "sourceIPs": vec!["192.0.2.1"; 500],
    });
    let text = record_of(&event.to_string(), Some("r\u{1f}"), &[]);
    let json: Json = serde_json::from_str(&text).unwrap();
    let id = json["id"].as_str().unwrap();
    assert!(id.starts_with("\u{1}\"\\\n\r\t\u{7f}éaaa") && id.len() == MAX_VALUE);
    assert_eq!(json["rule"], "r\u{1f}");
    let keys = json.as_object().unwrap().keys();
    assert_eq!(
        keys.filter(|key| key.starts_with("ua-")).count(),
        MAX_PRODUCTS / 2,
        "long names are left out"
    );
    assert_eq!(json["source-ips"].as_str().unwrap().len(), MAX_VALUE);
    read_back(&text);
}
