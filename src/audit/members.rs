//! The top-level members of an audit event, and the forms in which events arrive.

use alloc::string::String;

#[cfg(test)]
use crate::record::SyntaxError;
use crate::record::{Encoding, KeyCache, KeySet, MemberVisitor, Record, Str, Value};
#[cfg(feature = "detect")]
use crate::time::MinuteCache;
use crate::time::Time;

macro_rules! members {
    ($($variant:ident $($name:literal)+,)*) => {
        /// A top-level member of an audit event that fields are computed from.
        ///
        /// The order is the order of the API server's encoder; the members of Cloud Logging's form follow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Member {
            $(#[doc = concat!($("`", $name, "` ",)+)] $variant,)*
        }

        impl Member {
            /// Every member, in numeric order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the keys of the member.
            pub const fn names(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($name,)+],)* }
            }
        }
    };
}

members! {
    Kind "kind",
    ApiVersion "apiVersion",
    // Of v1beta1 and older.
    Metadata "metadata",
    Level "level",
    // Of v1beta1 and older, and of Cloud Logging.
    Timestamp "timestamp",
    AuditId "auditID",
    Stage "stage",
    RequestUri "requestURI",
    Verb "verb",
    User "user",
    ImpersonatedUser "impersonatedUser",
    SourceIps "sourceIPs",
    UserAgent "userAgent",
    ObjectRef "objectRef",
    ResponseStatus "responseStatus",
    RequestObject "requestObject",
    ResponseObject "responseObject",
    RequestReceivedTimestamp "requestReceivedTimestamp",
    StageTimestamp "stageTimestamp",
    Annotations "annotations",
    // OpenShift's collector moves the level there, and writes a log level to `level`.
    AuditLevel "k8s_audit_level" "openshift_audit_level",
    ProtoPayload "protoPayload",
    InsertId "insertId",
    Labels "labels",
    Operation "operation",
    Resource "resource",
    LogName "logName",
}

impl Member {
    /// Returns the member with this key.
    pub fn of(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|member| member.names().contains(&key))
    }
}

/// A form in which audit events arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventForm {
    /// The API server's own: `audit.k8s.io/*`, `Event`.
    ApiServer,
    /// An entry of Google's Cloud Logging, from GKE.
    CloudLogging,
}

/// The members of one record that may be an audit event. The default has none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventMembers<'a> {
    values: [Value<'a>; Member::ALL.len()],
    /// The number of the first member that is unknown, not absent, if it is missing.
    unknown_from: Option<u8>,
}

impl<'a> EventMembers<'a> {
    /// Reads the members of a record.
    #[cfg(test)]
    pub fn read(record: Record<'a>) -> Result<Self, SyntaxError> {
        let mut members = Self::default();
        record.each_member(&mut |key, value| {
            if let Some(member) = Member::of(key.decode(&mut String::new())) {
                members.set(member, value);
            }
        })?;
        Ok(members)
    }

    /// Reads the members of a record up to its first syntax error.
    ///
    /// EKS cuts long messages, and a record may be nested too deep. Members that follow the error are unknown. The API
    /// server writes members in one order: if those that were read have it, a member that belongs before the last of
    /// them is absent; otherwise every missing member is unknown.
    pub fn read_head(record: Record<'a>) -> Self {
        let mut members = Self::default();
        let (mut next, mut in_order) = (0_u8, true);
        let read = record.each_member(&mut |key, value| {
            if let Some(member) = Member::of(key.decode(&mut String::new())) {
                in_order &= member as u8 >= next;
                next = (member as u8).saturating_add(1);
                members.set(member, value);
            }
        });
        members.unknown_from = read.is_err().then_some(if in_order { next } else { 0 });
        members
    }

    /// Reads the members of a record; `None` if it cannot be read.
    pub fn read_event(record: Record<'a>, cache: &mut KeyCache<EventKeys>) -> Option<Self> {
        let mut members = Self::default();
        record.members(cache, &mut members).ok()?;
        Some(members)
    }

    /// Sets a member. Of two duplicate keys the first counts.
    #[inline]
    pub fn set(&mut self, member: Member, value: Value<'a>) {
        if let Some(vacant @ Value::Absent) = self.values.get_mut(member as usize) {
            *vacant = value;
        }
    }

    /// Returns the value of a member, `Absent` if it is missing.
    #[inline]
    pub fn get(&self, member: Member) -> Value<'a> {
        self.values.get(member as usize).copied().unwrap_or_default()
    }

    /// Returns the value of a member; `None` if it is missing and unknown.
    #[inline]
    pub fn known(&self, member: Member) -> Option<Value<'a>> {
        match (self.get(member), self.unknown_from) {
            (Value::Absent, Some(first)) if member as u8 >= first => None,
            (value, _) => Some(value),
        }
    }

    /// Returns the form of event that the members are, if they are one.
    ///
    /// `record` is the record of the members. Kubernetes also has `Event` objects of its own, in `core/v1` and
    /// `events.k8s.io`: the `apiVersion` decides. Without it, as in old test data, an event needs `auditID`, `stage` and
    /// `verb`. A list of events is not an event.
    pub fn form(&self, record: Record<'a>) -> Option<EventForm> {
        let is_event = self.is_text(Member::Kind, |kind| kind == b"Event");
        let is_missing = |member| matches!(self.get(member), Value::Absent);
        let has_identity = || {
            [Member::AuditId, Member::Stage, Member::Verb]
                .into_iter()
                .all(|member| matches!(self.get(member), Value::Str(_)))
        };
        if is_event && self.is_text(Member::ApiVersion, |version| version.starts_with(b"audit.k8s.io/"))
            || is_missing(Member::ApiVersion) && (is_event || is_missing(Member::Kind)) && has_identity()
        {
            return Some(EventForm::ApiServer);
        }
        let Value::Map(payload) = self.get(Member::ProtoPayload) else { return None };
        let service = record.inner(payload).member("serviceName");
        let is_kubernetes = matches!(service, Value::Str(Str::Plain(b"k8s.io")));
        is_kubernetes.then_some(EventForm::CloudLogging)
    }

    /// Returns the time at which the API server received the request.
    ///
    /// `record` is the record of the members.
    pub fn time(&self, record: Record<'a>) -> Option<Time> {
        let parse = |value: Value<'_>| Time::parse(value.text()?.decode(&mut String::new()));
        parse(self.get(Member::RequestReceivedTimestamp))
            .or_else(|| parse(self.get(Member::Timestamp)))
            .or_else(|| match self.get(Member::Metadata) {
                Value::Map(bytes) => parse(record.inner(bytes).member("creationTimestamp")),
                _ => None,
            })
    }

    /// Returns the time of the event's stage; of a form without one, the time of the request.
    ///
    /// `record` is the record of the members.
    #[cfg(feature = "detect")]
    #[inline]
    pub fn stage_time(&self, record: Record<'a>, minutes: &mut MinuteCache) -> Option<i64> {
        match self.get(Member::StageTimestamp).text() {
            Some(Str::Plain(text)) => minutes.parse(text),
            Some(text) => Time::parse(text.decode(&mut String::new())).map(Time::millis),
            None => self.time(record).map(Time::millis),
        }
    }

    fn is_text(&self, member: Member, is: impl Fn(&[u8]) -> bool) -> bool {
        match self.get(member) {
            Value::Str(Str::Plain(text)) => is(text),
            Value::Str(text) => is(text.decode(&mut String::new()).as_bytes()),
            _ => false,
        }
    }
}

/// The keys of an event's members.
pub(crate) struct EventKeys;

impl KeySet for EventKeys {
    /// `None`: any other key.
    type Meaning = Option<Member>;

    fn meaning(&self, key: &[u8]) -> Option<Member> {
        Member::of(core::str::from_utf8(key).ok()?)
    }
}

impl<'a> MemberVisitor<'a, Option<Member>> for EventMembers<'a> {
    // No part of an event is sent unchanged.
    const VERBATIM: bool = false;

    #[inline(always)]
    fn text(&mut self, member: Option<Member>, text: &'a [u8]) {
        self.value(member, Value::Str(Str::Plain(text)));
    }

    #[inline(always)]
    fn value(&mut self, member: Option<Member>, value: Value<'a>) {
        if let Some(member) = member {
            self.set(member, value);
        }
    }
}

/// Whether a record begins as the API server writes an event. It may be anything else nevertheless.
pub(crate) fn begins_as_event(record: Record<'_>) -> bool {
    match record.encoding() {
        Encoding::Json => record.bytes().starts_with(br#"{"kind":"Event","apiVersion":"audit.k8s.io/"#),
        #[cfg(feature = "msgpack")]
        Encoding::MsgPack => {
            let ([0x80..=0x8f, members @ ..] | [0xde, _, _, members @ ..]) = record.bytes() else {
                return false;
            };
            members.starts_with(b"\xa4kind\xa5Event\xaaapiVersion")
        }
    }
}

/// Whether a line has the API server's legacy text format (`--audit-log-format=legacy`).
///
/// `oc adm node-logs` writes the name of a node before each line.
pub(crate) fn is_legacy_line(text: &[u8]) -> bool {
    const MARK: &[u8] = b" AUDIT: id=";
    /// Bytes before the mark: the name of a node, at most 253, and a time.
    const LONGEST: usize = 300;
    let head = text.get(..LONGEST.saturating_add(MARK.len())).unwrap_or(text);
    memchr::memmem::find(head, MARK)
        .and_then(|at| head.get(..at)?.last())
        .is_some_and(|last| *last == b'Z' || last.is_ascii_digit())
}

/// Returns the cluster that a text around events names: a log group of EKS or a resource id of AKS.
pub(crate) fn cluster_of_wrapper(text: &str) -> Option<&str> {
    cluster_of_log_group(text).or_else(|| cluster_of_resource_id(text))
}

/// Returns the cluster of a CloudWatch log group of EKS: `/aws/eks/<cluster>/cluster`.
fn cluster_of_log_group(group: &str) -> Option<&str> {
    group.strip_prefix("/aws/eks/")?.strip_suffix("/cluster").filter(|cluster| !cluster.is_empty())
}

/// Returns the cluster of a resource id of AKS, which ends with `/MANAGEDCLUSTERS/<cluster>`.
///
/// Azure Monitor writes the id in upper case.
fn cluster_of_resource_id(id: &str) -> Option<&str> {
    let (before, cluster) = id.rsplit_once('/')?;
    let (_, kind) = before.rsplit_once('/')?;
    (kind.eq_ignore_ascii_case("managedClusters") && !cluster.is_empty()).then_some(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Option<EventForm> {
        let record = Record::json(text);
        EventMembers::read(record).unwrap().form(record)
    }

    #[test]
    fn each_member_is_found_by_its_names() {
        for &member in Member::ALL {
            for name in member.names() {
                assert_eq!(Member::of(name), Some(member));
            }
        }
        for name in ["", "auditId", "AuditID", "items"] {
            assert_eq!(Member::of(name), None, "{name}");
        }
    }

    #[test]
    fn the_api_version_decides_what_an_event_is() {
        let api = Some(EventForm::ApiServer);
        for (text, expected) in [
            (r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1"}"#, api),
            (r#"{"apiVersion":"audit.k8s.io/v1alpha1","kind":"Event"}"#, api),
            (r#"{"kind":"Event","auditID":"a","stage":"Panic","verb":""}"#, api),
            (r#"{"auditID":"a","stage":"Panic","verb":"get"}"#, api),
            (r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}"#, None),
            (r#"{"kind":"Event","apiVersion":"v1","reason":"Killing"}"#, None),
            (
                r#"{"kind":"Event","apiVersion":"events.k8s.io/v1","auditID":"a","stage":"s","verb":"v"}"#,
                None,
            ),
            (r#"{"kind":"Pod","auditID":"a","stage":"Panic","verb":"get"}"#, None),
            (r#"{"auditID":"a","method":"GET","requestURI":"/v3","user":{"name":"u"}}"#, None),
            (r#"{"kind":"Event","apiVersion":["audit.k8s.io/v1"]}"#, None),
            (r#"{"protoPayload":{"serviceName":"k8s.io"}}"#, Some(EventForm::CloudLogging)),
            (r#"{"protoPayload":{"serviceName":"compute.googleapis.com"}}"#, None),
            (r#"{"protoPayload":"k8s.io"}"#, None),
            ("{}", None),
        ] {
            assert_eq!(form(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_of_duplicate_members_counts() {
        let record = Record::json(r#"{"verb":"get","verb":"create"}"#);
        let verb = EventMembers::read(record).unwrap().get(Member::Verb);
        assert!(matches!(verb, Value::Str(Str::Plain(b"get"))));
    }

    #[test]
    fn a_cut_event_has_unknown_members_after_the_cut_only() {
        let head = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a","verb":"get",
            "user":{"username":"u"},"sourceIPs":["::1"],"requestObject":{"a":"b[Truncated...]"#;
        let record = Record::json(head);
        assert!(EventMembers::read(record).is_err());
        let members = EventMembers::read_head(record);
        assert_eq!(members.form(record), Some(EventForm::ApiServer));
        for (member, known) in [
            (Member::User, true),
            // Its place in the encoder's order was passed.
            (Member::ImpersonatedUser, true),
            (Member::UserAgent, false),
            (Member::RequestObject, false),
            (Member::Annotations, false),
        ] {
            assert_eq!(members.known(member).is_some(), known, "{member:?}");
        }
        let sorted = r#"{"apiVersion":"audit.k8s.io/v1","kind":"Event","level":"Request","user":{"#;
        let members = EventMembers::read_head(Record::json(sorted));
        assert!(members.known(Member::AuditId).is_none() && members.known(Member::Kind).is_some());
        // A complete record has no unknown member.
        let members = EventMembers::read_head(Record::json(r#"{"verb":"get","kind":"Event"}"#));
        assert!(members.known(Member::Annotations).is_some());
    }

    #[test]
    fn legacy_lines_are_recognised() {
        for (line, expected) in [
            (r#"2020-01-02T03:04:05.678901234Z AUDIT: id="a" stage="ResponseComplete" ip="::1""#, true),
            (r#"node-1.example 2017-03-21T03:57:09.106841886-04:00 AUDIT: id="a" ip="127.0.0.1""#, true),
            ("2020-01-02T03:04:05Z AUDIT: started", false),
            (r#"I1128 note AUDIT: id="a""#, false),
            ("", false),
        ] {
            assert_eq!(is_legacy_line(line.as_bytes()), expected, "{line}");
        }
        assert!(!is_legacy_line(format!("{}1 AUDIT: id=\"a\"", "x".repeat(400)).as_bytes()));
    }

    #[test]
    fn clusters_are_found_in_names_of_wrappers() {
        let id =
            "/SUBSCRIPTIONS/1/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/TEST";
        for (text, expected) in [
            ("/aws/eks/prod/cluster", Some("prod")),
            ("/aws/eks//cluster", None),
            ("/aws/lambda/prod", None),
            ("/aws/eks/prod", None),
            (id, Some("TEST")),
            ("/subscriptions/1/virtualMachines/v", None),
            ("/managedClusters/", None),
            ("TEST", None),
            ("", None),
        ] {
            assert_eq!(cluster_of_wrapper(text), expected, "{text}");
        }
    }
}
