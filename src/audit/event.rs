//! The fields of one audit event.

use alloc::string::String;
use alloc::vec::Vec;

mod body;
mod buffers;
mod cloud_logging;
mod nested;
mod payload;

use super::field::{EventField, EventPart, FieldRef, FieldSource, FieldValue, Origin, RawPart};
use super::members::{EventForm, EventMembers, Member};
use super::net::{Network, parse_address};
use super::reason::{Grant, unquote};
use super::stages::{Evaluation, Stage, StageOption, is_long_running};
use super::uri;
use crate::record::{Number, Record, Str, Value};
#[cfg(feature = "detect")]
use crate::time::MinuteCache;
use crate::time::Time;

pub(crate) use buffers::EventBuffers;
use buffers::{State, push_value};
use nested::{Key, each_text};
use payload::Payload;

/// The address of `sourceIPs` that is the caller's.
///
/// Every address but the last can be invented by the client. With a load balancer, the last is the balancer's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CallerIp {
    /// The first, as kAudit takes it.
    #[default]
    First,
    /// The last.
    Last,
    /// The last that is in none of these networks; the first if all are.
    LastOutside(Vec<Network>),
}

impl CallerIp {
    /// The name of every value without networks in a configuration.
    pub const NAMES: &[&str] = &["first", "last"];
    /// Further names that are accepted.
    pub const ALIASES: &[&str] = &[];

    /// Returns the value with this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "first" => Some(Self::First),
            "last" => Some(Self::Last),
            _ => None,
        }
    }
}

/// Options for computing fields.
#[derive(Clone, Debug, Default)]
pub struct EventOptions {
    /// The address that is the caller's.
    pub caller_ip: CallerIp,
    /// The cluster of events that do not name theirs.
    pub cluster: Option<String>,
}

/// One audit event, whose fields are computed on demand, each at most once.
pub(crate) struct Event<'e, 'a> {
    record: Record<'a>,
    members: &'e EventMembers<'a>,
    form: EventForm,
    options: &'e EventOptions,
    /// The cluster that the surrounding record names.
    cluster: Option<&'e str>,
    buffers: &'e mut EventBuffers,
    // Nested objects that several fields are computed from.
    payload: Option<Payload<'a>>,
    user: Lazy<User<'a>>,
    impersonated: Lazy<User<'a>>,
    object: Lazy<Object<'a>>,
    status: Lazy<ResponseStatus<'a>>,
    annotations: Lazy<Annotations<'a>>,
}

/// A part of an event that is read when it is first needed.
#[derive(Clone, Copy)]
enum Lazy<T> {
    Unread,
    /// It was read; `None` if it is unknown.
    Read(Option<T>),
}

/// The parts of a user.
#[derive(Clone, Copy, Default)]
struct User<'a> {
    name: Value<'a>,
    id: Value<'a>,
    groups: Value<'a>,
    extra: Value<'a>,
}

/// The parts of an object reference.
#[derive(Clone, Copy)]
struct Object<'a> {
    resource: Value<'a>,
    namespace: Value<'a>,
    name: Value<'a>,
    group: Value<'a>,
    version: Value<'a>,
    subresource: Value<'a>,
}

/// The parts of a response's status.
#[derive(Clone, Copy, Default)]
struct ResponseStatus<'a> {
    status: Value<'a>,
    reason: Value<'a>,
    /// `None`: there is a response, and its code is unknown.
    code: Option<Value<'a>>,
}

/// The annotations that fields are computed from.
#[derive(Clone, Copy)]
struct Annotations<'a> {
    decision: Value<'a>,
    reason: Value<'a>,
    issued_credential_id: Value<'a>,
    pod_security: Value<'a>,
    policy_failure: Value<'a>,
    truncated: Value<'a>,
}

impl<'e, 'a> Event<'e, 'a> {
    /// Creates an event from the members of a record.
    ///
    /// `cluster` is the name that the surrounding record gives, as records of EKS and AKS do.
    pub fn new(
        record: Record<'a>,
        members: &'e EventMembers<'a>,
        form: EventForm,
        options: &'e EventOptions,
        cluster: Option<&'e str>,
        buffers: &'e mut EventBuffers,
    ) -> Self {
        buffers.reset();
        Self {
            record,
            members,
            form,
            options,
            cluster,
            buffers,
            payload: None,
            user: Lazy::Unread,
            impersonated: Lazy::Unread,
            object: Lazy::Unread,
            status: Lazy::Unread,
            annotations: Lazy::Unread,
        }
    }

    /// Returns the time at which the API server received the request.
    pub fn time(&self) -> Option<Time> {
        self.members.time(self.record)
    }

    /// Returns the time of the event's stage, in milliseconds.
    #[cfg(feature = "detect")]
    #[inline]
    pub fn stage_time(&self, minutes: &mut MinuteCache) -> Option<i64> {
        self.members.stage_time(self.record, minutes)
    }

    /// Whether the event is certainly a request for an object, and for none of its subresources.
    #[cfg(feature = "detect")]
    #[inline]
    pub fn is_plain_object(&mut self) -> bool {
        self.object().is_some_and(|object| {
            matches!(object.subresource, Value::Absent)
                && matches!(object.resource, Value::Str(resource) if !resource.source().is_empty())
        })
    }

    /// Returns the cluster, and `None` for none.
    #[cfg(feature = "detect")]
    #[inline]
    pub fn cluster(&mut self) -> Option<&str> {
        match self.form {
            EventForm::ApiServer => self.cluster.or(self.options.cluster.as_deref()),
            EventForm::CloudLogging => self.text(EventField::Cluster),
        }
    }

    /// Returns the event's id. Clients can choose it, in the header `Audit-ID`.
    pub fn id(&self) -> Option<Str<'a>> {
        let member = match self.form {
            EventForm::ApiServer => Member::AuditId,
            EventForm::CloudLogging => Member::InsertId,
        };
        self.members.get(member).text().filter(|id| !id.source().is_empty())
    }

    /// Returns whether the event is evaluated, by its stage.
    pub fn evaluation(&mut self, option: StageOption) -> Evaluation {
        let stage = self.text(EventField::Stage).and_then(Stage::of);
        let is_start = stage == Some(Stage::ResponseStarted);
        let code = if is_start { self.code() } else { None };
        Evaluation::of(stage, self.is_long_running(), code, option)
    }

    fn is_long_running(&mut self) -> bool {
        !self.is_short_running() && self.has_long_running_fields()
    }

    /// Returns the spelling of a member, and a number for its type and encoding.
    fn raw(&self, member: Member) -> Option<(u8, &'a [u8])> {
        let (kind, bytes) = match self.members.known(member)? {
            Value::Absent => (0, &[][..]),
            Value::Str(Str::Plain(text)) => (1, text),
            Value::Map(map) => (2, map),
            Value::List(list) => (3, list),
            // They are rare.
            Value::Str(Str::Escaped(_)) | Value::Null | Value::Bool(_) | Value::Number(_) => return None,
        };
        Some((kind << 1 | u8::from(self.record.is_text()), bytes))
    }

    fn outcome_part(&mut self) -> Option<RawPart<'_>> {
        let (tag, status) = self.raw(Member::ResponseStatus)?;
        let (other_tag, annotations) = self.raw(Member::Annotations)?;
        let raw = self.buffers.raw();
        raw.extend_from_slice(&u16::try_from(status.len()).ok()?.to_le_bytes());
        raw.extend_from_slice(status);
        raw.extend_from_slice(annotations);
        Some(RawPart { tag: tag << 4 | other_tag, bytes: raw })
    }

    /// Returns the parts of the object that are the same for many events, each with its length.
    fn object_part(&mut self) -> Option<RawPart<'_>> {
        let Object { resource, namespace, group, subresource, .. } = self.object()?;
        let raw = self.buffers.raw();
        for value in [resource, namespace, group, subresource] {
            let text = match value {
                Value::Absent => &[][..],
                Value::Str(Str::Plain(text)) => text,
                _ => return None,
            };
            raw.extend_from_slice(&u16::try_from(text.len()).ok()?.to_le_bytes());
            raw.extend_from_slice(text);
        }
        Some(RawPart { tag: 0, bytes: raw })
    }

    /// A cheap check of the members' bytes: no event for which it is true is long-running.
    fn is_short_running(&mut self) -> bool {
        let plain = |member| match self.members.get(member) {
            Value::Str(Str::Plain(text)) => core::str::from_utf8(text).ok(),
            _ => None,
        };
        self.form == EventForm::ApiServer
            && plain(Member::Verb).is_some_and(|verb| !is_long_running(verb, "", ""))
            && plain(Member::RequestUri).is_some_and(|path| !is_long_running("", "", path))
            && self.object().is_some_and(|object| match object.subresource {
                Value::Absent => true,
                Value::Str(Str::Plain(part)) => {
                    !is_long_running("", core::str::from_utf8(part).unwrap_or_default(), "")
                }
                _ => false,
            })
    }

    fn has_long_running_fields(&mut self) -> bool {
        if self.text(EventField::Verb).is_some_and(|verb| is_long_running(verb, "", "")) {
            return true;
        }
        if self.text(EventField::ResourceType).is_some() {
            return self.text(EventField::Subresource).is_some_and(|part| is_long_running("", part, ""));
        }
        self.text(EventField::Uri).is_some_and(|path| is_long_running("", "", path))
    }

    /// Returns the text of a field; `None` if it has none.
    pub fn text(&mut self, field: EventField) -> Option<&str> {
        match self.known(field) {
            FieldValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the products of the user agent: the name in keys (`kubectl-exe`), and the version.
    pub fn products(&mut self) -> impl Iterator<Item = (&str, &str)> {
        self.split_user_agent();
        self.buffers.products()
    }

    /// Returns all addresses of `sourceIPs`.
    pub fn source_ips(&self) -> impl Iterator<Item = Str<'a>> + use<'a> {
        let addresses = match (self.form, self.members.get(Member::SourceIps)) {
            (EventForm::ApiServer, Value::List(bytes)) => Some(self.record.inner(bytes).elements()),
            _ => None,
        };
        addresses.into_iter().flatten().filter_map(Value::text)
    }

    fn is_unknown(&mut self, field: EventField) -> bool {
        self.known(field) == FieldValue::Unknown
    }

    /// Returns the value of a field with a fixed name.
    fn known(&mut self, field: EventField) -> FieldValue<'_> {
        if !self.buffers.is_computed(field) {
            self.compute(field);
            // Some fields are computed together; others have no value unless they were set.
            if !self.buffers.is_computed(field) {
                self.buffers.set(field, State::Absent);
            }
        }
        self.buffers.value(field)
    }

    fn compute(&mut self, field: EventField) {
        use EventField as F;
        match field {
            F::UserGroups => {
                let groups = self.user().map(|user| user.groups);
                self.put_sorted(field, groups);
            }
            F::ImpersonatedGroups => {
                let groups = self.impersonated().map(|user| user.groups);
                self.put_sorted(field, groups);
            }
            F::AccessType => self.compute_access_type(),
            F::ResourceName => self.compute_resource_name(),
            F::SubresourceExecCommand
            | F::SubresourceExecContainer
            | F::SubresourceExecTty
            | F::SubresourceExecStdin
            | F::SubresourceExecStdout
            | F::SubresourceExecStderr
            | F::SubresourceLogsContainer
            | F::SubresourceAttachContainer
            | F::SubresourceAttachStdin
            | F::SubresourceAttachTty
            | F::SubresourcePortforwardPorts => self.compute_query(),
            F::UnusualUri => self.compute_unusual_uri(),
            F::Role | F::ClusterRole | F::Binding => self.compute_grant(),
            F::NonAuthorized => self.compute_non_authorized(),
            F::CallerSuppliedUserAgent => self.split_user_agent(),
            F::CredentialId => self.put_extra(field, "authentication.kubernetes.io/credential-id"),
            F::PodName => self.put_extra(field, "authentication.kubernetes.io/pod-name"),
            F::NodeName => self.put_extra(field, "authentication.kubernetes.io/node-name"),
            F::FailedOpenWebhook => self.compute_failed_open(),
            F::DryRun => self.compute_dry_run(),
            F::Cluster => self.compute_cluster(),
            _ if field.origin() == Origin::Body => self.compute_body(),
            _ if self.form == EventForm::CloudLogging && self.compute_of_payload(field) => (),
            _ => {
                let value = self.source(field);
                self.put(field, value);
            }
        }
    }

    /// Returns the value in the event that is the value of a field; `None` if it is unknown.
    fn source(&mut self, field: EventField) -> Option<Value<'a>> {
        use EventField as F;
        match field {
            F::Principal => self.user().map(User::principal),
            F::Username => self.user().map(|user| user.name),
            F::UserId => self.user().map(|user| user.id),
            F::ImpersonatedPrincipal => self.impersonated().map(User::principal),
            F::ImpersonatedUsername => self.impersonated().map(|user| user.name),
            F::ImpersonatedUserId => self.impersonated().map(|user| user.id),
            F::CallerIp => match self.members.known(Member::SourceIps)? {
                Value::List(_) => Some(self.caller().map(Value::Str).unwrap_or_default()),
                // Some collectors write a list of one element as that element.
                address => Some(address),
            },
            F::Verb => self.members.known(Member::Verb),
            F::Status => self.status().map(|status| status.status),
            F::StatusReason => self.status().map(|status| status.reason),
            F::StatusCode => self.status()?.code,
            F::ApiGroup => self.object().map(|object| match object.group {
                // Converters of Google's entries write so. The group's name is empty.
                Value::Str(Str::Plain(b"core")) => Value::Absent,
                group => group,
            }),
            F::ApiVersion => self.object().map(|object| object.version),
            F::ResourceType => self.object().map(|object| object.resource),
            F::ResourceNamespace => self.object().map(|object| object.namespace),
            F::ResourceObjectName => self.object().map(|object| object.name),
            F::Subresource => self.object().map(|object| object.subresource),
            F::OriginalUserAgent => self.members.known(Member::UserAgent),
            F::Stage => self.members.known(Member::Stage),
            F::Level => match self.members.get(Member::AuditLevel) {
                Value::Absent => self.members.known(Member::Level),
                level => Some(level),
            },
            F::Uri => self.members.known(Member::RequestUri),
            F::Decision => self.annotations().map(|annotations| annotations.decision),
            F::DecisionReason => self.annotations().map(|annotations| annotations.reason),
            F::IssuedCredentialId => self.annotations().map(|annotations| annotations.issued_credential_id),
            F::PodSecurityViolations => self.annotations().map(|annotations| annotations.pod_security),
            F::PolicyFailure => self.annotations().map(|annotations| annotations.policy_failure),
            // Computed in another way, or from GeoIP data, which no source has.
            _ => Some(Value::Absent),
        }
    }

    /// Sets a field to a value as text. `None` is unknown.
    fn put(&mut self, field: EventField, value: Option<Value<'a>>) {
        match value {
            None => self.buffers.set(field, State::Unknown),
            Some(value) => self.buffers.put(field, |out| push_value(value, out)),
        }
    }

    fn put_str(&mut self, field: EventField, text: &str) {
        self.buffers.put(field, |out| out.push_str(text));
    }

    /// Sets a field to the sorted texts of a list.
    fn put_sorted(&mut self, field: EventField, list: Option<Value<'a>>) {
        let Some(list) = list else { return self.buffers.set(field, State::Unknown) };
        let record = self.record;
        self.buffers.put_list(field, |texts| {
            each_text(record, list, &mut |text| texts.push(|out| push_value(Value::Str(text), out)));
        });
    }

    /// Sets a field to the first value of a key in the user's extra attributes.
    fn put_extra(&mut self, field: EventField, key: &str) {
        let state = match self.extra(key) {
            FieldValue::Unknown => State::Unknown,
            _ => State::Absent,
        };
        self.buffers.put_first_extra(field, key, state);
    }

    /// Returns the values of some keys of an object; `Absent` for any other value.
    fn parts<const N: usize>(&mut self, object: Value<'a>, keys: [Key; N]) -> [Value<'a>; N] {
        self.buffers.parts(self.record, object, keys)
    }

    /// Returns the values of some keys of a member that is an object; `None` if the member is unknown.
    fn member_parts<const N: usize>(&mut self, member: Member, keys: [Key; N]) -> Option<[Value<'a>; N]> {
        let object = self.members.known(member)?;
        Some(self.parts(object, keys))
    }

    fn user(&mut self) -> Option<User<'a>> {
        if let Lazy::Read(user) = self.user {
            return user;
        }
        let user = match self.form {
            EventForm::ApiServer => self.read_user(Member::User),
            EventForm::CloudLogging => Some(self.authentication_info()),
        };
        self.user = Lazy::Read(user);
        user
    }

    fn impersonated(&mut self) -> Option<User<'a>> {
        if let Lazy::Read(user) = self.impersonated {
            return user;
        }
        let user = match self.form {
            EventForm::ApiServer => self.read_user(Member::ImpersonatedUser),
            EventForm::CloudLogging => Some(User::default()),
        };
        self.impersonated = Lazy::Read(user);
        user
    }

    fn read_user(&mut self, member: Member) -> Option<User<'a>> {
        let parts = self.member_parts(member, [Key::Username, Key::Uid, Key::Groups, Key::Extra])?;
        let [name, id, groups, extra] = parts;
        Some(User { name, id, groups, extra })
    }

    /// Returns the parts of `objectRef`.
    fn object(&mut self) -> Option<Object<'a>> {
        if let Lazy::Read(object) = self.object {
            return object;
        }
        let keys =
            [Key::ResourceType, Key::Namespace, Key::Name, Key::ApiGroup, Key::ApiVersion, Key::Subresource];
        let object = self.member_parts(Member::ObjectRef, keys).map(
            |[resource, namespace, name, group, version, subresource]| Object {
                resource,
                namespace,
                name,
                group,
                version,
                subresource,
            },
        );
        self.object = Lazy::Read(object);
        object
    }

    fn status(&mut self) -> Option<ResponseStatus<'a>> {
        if let Lazy::Read(status) = self.status {
            return status;
        }
        let status = match self.form {
            EventForm::ApiServer => self
                .member_parts(Member::ResponseStatus, [Key::Status, Key::Reason, Key::Code])
                .map(|[status, reason, code]| ResponseStatus { status, reason, code: Some(code) }),
            EventForm::CloudLogging => Some(self.payload_status()),
        };
        self.status = Lazy::Read(status);
        status
    }

    fn annotations(&mut self) -> Option<Annotations<'a>> {
        if let Lazy::Read(annotations) = self.annotations {
            return annotations;
        }
        let keys = [
            Key::Decision,
            Key::DecisionReason,
            Key::IssuedCredentialId,
            Key::PodSecurityViolations,
            Key::PolicyFailure,
            Key::Truncated,
        ];
        let parts = self.member_parts(self.annotations_member(), keys);
        let annotations =
            parts.map(|[decision, reason, issued_credential_id, pod_security, policy_failure, truncated]| {
                Annotations {
                    decision,
                    reason,
                    issued_credential_id,
                    pod_security,
                    policy_failure,
                    truncated,
                }
            });
        self.annotations = Lazy::Read(annotations);
        annotations
    }

    /// Returns the member with the annotations, which are labels in Cloud Logging.
    fn annotations_member(&self) -> Member {
        match self.form {
            EventForm::ApiServer => Member::Annotations,
            EventForm::CloudLogging => Member::Labels,
        }
    }

    /// Returns the code of the response; `None` if it has none or it is unknown.
    fn code(&mut self) -> Option<i64> {
        self.text(EventField::StatusCode)?.parse().ok()
    }

    /// A shell in a pod is a write, although its verb has been `get` since kubectl 1.30.
    fn compute_access_type(&mut self) {
        let reads =
            matches!(self.text(EventField::Verb), Some("get" | "list" | "watch" | "head" | "options"));
        let connects =
            matches!(self.text(EventField::Subresource), Some("exec" | "attach" | "portforward" | "proxy"));
        if self.is_unknown(EventField::Verb) || (reads && self.is_unknown(EventField::Subresource)) {
            return self.buffers.set(EventField::AccessType, State::Unknown);
        }
        self.put_str(EventField::AccessType, if reads && !connects { "read" } else { "write" });
    }

    fn caller(&self) -> Option<Str<'a>> {
        match &self.options.caller_ip {
            CallerIp::First => self.source_ips().next(),
            CallerIp::Last => self.source_ips().last(),
            CallerIp::LastOutside(networks) => {
                let is_outside = |address: &Str<'_>| {
                    // A text that is not an address is in no network.
                    parse_address(address.decode(&mut String::new()))
                        .is_none_or(|address| !networks.iter().any(|network| network.contains(address)))
                };
                self.source_ips().filter(is_outside).last().or_else(|| self.source_ips().next())
            }
        }
    }

    fn compute_resource_name(&mut self) {
        let parts = [EventField::ResourceNamespace, EventField::ResourceType, EventField::ResourceObjectName];
        for part in parts {
            if self.is_unknown(part) {
                return self.buffers.set(EventField::ResourceName, State::Unknown);
            }
        }
        self.buffers.join(EventField::ResourceName, &parts);
    }

    /// Computes the options of an exec, attach, log or port-forward from the query.
    fn compute_query(&mut self) {
        use EventField as F;
        type Flags = [(&'static str, EventField)];
        if self.is_unknown(F::Subresource) {
            return self.buffers.set_all(QUERY_FIELDS, State::Unknown);
        }
        let (container, flags): (F, &Flags) = match self.text(F::Subresource) {
            Some("exec") => (
                F::SubresourceExecContainer,
                &[
                    ("tty", F::SubresourceExecTty),
                    ("stdin", F::SubresourceExecStdin),
                    ("stdout", F::SubresourceExecStdout),
                    ("stderr", F::SubresourceExecStderr),
                ],
            ),
            Some("attach") => (
                F::SubresourceAttachContainer,
                &[("tty", F::SubresourceAttachTty), ("stdin", F::SubresourceAttachStdin)],
            ),
            Some("log") => (F::SubresourceLogsContainer, &[]),
            Some("portforward") => (F::SubresourcePortforwardPorts, &[]),
            _ => return self.buffers.set_all(QUERY_FIELDS, State::Absent),
        };
        if self.is_unknown(F::Uri) {
            return self.buffers.set_all(QUERY_FIELDS, State::Unknown);
        }
        self.buffers.set_all(QUERY_FIELDS, State::Absent);
        self.known(F::Uri);
        let text = self.buffers.take(F::Uri);
        let (_, query) = uri::split(&text);
        let values = |name: &'static str| {
            uri::parameters(query).filter(move |(key, _)| uri::is_key(key, name)).map(|(_, value)| value)
        };
        match container {
            F::SubresourceExecContainer => {
                self.buffers.put(F::SubresourceExecCommand, |out| decode_joined(values("command"), ' ', out));
            }
            F::SubresourcePortforwardPorts => {
                self.buffers.put(container, |out| decode_joined(values("ports"), ',', out));
            }
            _ => (),
        }
        if container != F::SubresourcePortforwardPorts {
            // Older versions of kubectl send it twice.
            self.buffers.put(container, |out| decode_joined(values("container").take(1), ' ', out));
        }
        for &(name, field) in flags {
            if values(name).any(|value| matches!(value, "true" | "1")) {
                self.put_str(field, "true");
            }
        }
        self.buffers.restore(F::Uri, text);
    }

    fn compute_unusual_uri(&mut self) {
        let is_resource = self.text(EventField::ResourceType).is_some();
        let is_unknown =
            self.is_unknown(EventField::Uri) || (!is_resource && self.is_unknown(EventField::ResourceType));
        if is_unknown {
            return self.buffers.set(EventField::UnusualUri, State::Unknown);
        }
        self.known(EventField::Uri);
        let text = self.buffers.take(EventField::Uri);
        let (path, _) = uri::split(&text);
        if !is_resource && !uri::is_usual(path) {
            self.put_str(EventField::UnusualUri, path);
        }
        self.buffers.restore(EventField::Uri, text);
    }

    /// Computes the role and binding from the reason of the RBAC authoriser.
    fn compute_grant(&mut self) {
        use EventField as F;
        let fields = [F::Role, F::ClusterRole, F::Binding];
        if self.is_unknown(F::DecisionReason) {
            return self.buffers.set_all(&fields, State::Unknown);
        }
        self.buffers.set_all(&fields, State::Absent);
        self.known(F::DecisionReason);
        let reason = self.buffers.take(F::DecisionReason);
        if let Some(grant) = Grant::find(&reason) {
            let role = if grant.is_cluster_role { F::ClusterRole } else { F::Role };
            self.buffers.put(role, |out| unquote(grant.role, out));
            self.buffers.put(F::Binding, |out| unquote(grant.binding, out));
        }
        self.buffers.restore(F::DecisionReason, reason);
    }

    /// A refusal of the authoriser, and not every 403: admission, quotas and pod security refuse after RBAC allowed.
    ///
    /// A refused impersonation is a 403 without a decision, a failed authentication a 401.
    fn compute_non_authorized(&mut self) {
        let field = EventField::NonAuthorized;
        let code = self.code();
        let granted = self.is_granted();
        let is_code_unknown = self.is_unknown(EventField::StatusCode);
        let is_decision_unknown = self.is_unknown(EventField::Decision);
        let value = match self.text(EventField::Decision) {
            _ if code == Some(401) || granted == Some(false) => true,
            Some(decision) => decision == "forbid",
            None if granted.is_some() => false,
            None if is_code_unknown || (is_decision_unknown && code == Some(403)) => {
                return self.buffers.set(field, State::Unknown);
            }
            None => code == Some(403),
        };
        self.put_str(field, if value { "true" } else { "false" });
    }

    /// Returns whether Cloud Logging's entry says that the permission was granted.
    fn is_granted(&mut self) -> Option<bool> {
        match self.form {
            EventForm::ApiServer => None,
            EventForm::CloudLogging => self.payload_granted(),
        }
    }

    fn split_user_agent(&mut self) {
        use EventField as F;
        if self.buffers.is_computed(F::CallerSuppliedUserAgent) {
            return;
        }
        if self.is_unknown(F::OriginalUserAgent) {
            self.buffers.clear_products();
            return self.buffers.set(F::CallerSuppliedUserAgent, State::Unknown);
        }
        let agent = self.buffers.take(F::OriginalUserAgent);
        self.buffers.split_user_agent(&agent);
        self.buffers.restore(F::OriginalUserAgent, agent);
    }

    /// Computes the version of a product.
    fn product(&mut self, name: &str) -> FieldValue<'_> {
        self.split_user_agent();
        if self.is_unknown(EventField::OriginalUserAgent) {
            return FieldValue::Unknown;
        }
        let version = self.buffers.products().find(|(product, _)| *product == name);
        version.map_or(FieldValue::Absent, |(_, version)| FieldValue::Text(version))
    }

    /// Computes the values of a key in the user's extra attributes.
    fn extra(&mut self, key: &str) -> FieldValue<'_> {
        if !self.buffers.has_extra(key) {
            let extra = self.user().map(|user| user.extra);
            self.buffers.read_extra(self.record, key, extra);
        }
        self.buffers.extra(key)
    }

    fn compute_failed_open(&mut self) {
        let field = EventField::FailedOpenWebhook;
        match self.members.known(self.annotations_member()) {
            None => self.buffers.set(field, State::Unknown),
            Some(annotations) => self.buffers.put_failed_open(self.record, annotations),
        }
    }

    /// A dry run is named by the query, and a dry run of a deletion also by the options in its body.
    fn compute_dry_run(&mut self) {
        let field = EventField::DryRun;
        let unknown = self.is_unknown(EventField::Uri);
        self.known(EventField::Uri);
        let text = self.buffers.take(EventField::Uri);
        let (_, query) = uri::split(&text);
        let is_all = |(key, value): (&str, &str)| uri::is_key(key, "dryRun") && uri::is_key(value, "All");
        let in_query = uri::parameters(query).any(is_all);
        self.buffers.restore(EventField::Uri, text);
        let value = in_query || self.is_dry_deletion();
        if !value && unknown {
            return self.buffers.set(field, State::Unknown);
        }
        self.put_str(field, if value { "true" } else { "false" });
    }

    fn is_dry_deletion(&mut self) -> bool {
        if !matches!(self.text(EventField::Verb), Some("delete" | "deletecollection")) {
            return false;
        }
        let Some(body) = self.request_body() else { return false };
        let [kind, dry_run] = self.parts(body, [Key::Kind, Key::DryRun]);
        let mut is_all = false;
        each_text(self.record, dry_run, &mut |mode| is_all |= mode.source() == b"All");
        is_all && matches!(kind, Value::Str(Str::Plain(b"DeleteOptions")))
    }

    /// Returns the request body; `None` if the event does not have it.
    ///
    /// A body need not be an object: AKS writes a text in place of one that is too big.
    fn request_body(&mut self) -> Option<Value<'a>> {
        let body = match self.form {
            EventForm::ApiServer => self.members.known(Member::RequestObject)?,
            EventForm::CloudLogging => self.payload().request,
        };
        matches!(body, Value::Map(_) | Value::List(_)).then_some(body)
    }

    /// Computes the fields of the request body.
    fn compute_body(&mut self) {
        let truncated = self.annotations().map(|annotations| annotations.truncated);
        let is_truncated = matches!(truncated, Some(Value::Str(Str::Plain(b"true"))));
        let Some(body) = self.request_body().filter(|_| !is_truncated) else {
            return self.buffers.set_all(body::FIELDS, State::Unknown);
        };
        let is_patch = self.text(EventField::Verb) == Some("patch");
        let resource = match self.text(EventField::ResourceType) {
            Some("services") => body::Resource::Service,
            Some("certificatesigningrequests") => body::Resource::CertificateRequest,
            Some("serviceaccounts") => body::Resource::ServiceAccount,
            _ => body::Resource::Other,
        };
        body::read(self.record, body, resource, is_patch, self.buffers);
    }

    fn compute_cluster(&mut self) {
        let field = EventField::Cluster;
        if let (None, EventForm::CloudLogging) = (self.cluster, self.form) {
            let [labels] = self.parts(self.members.get(Member::Resource), [Key::Labels]);
            let [cluster] = self.parts(labels, [Key::ClusterName]);
            self.put(field, Some(cluster));
            if self.buffers.value(field) != FieldValue::Absent {
                return;
            }
        }
        let options = self.options;
        if let Some(cluster) = self.cluster.or(options.cluster.as_deref()) {
            self.put_str(field, cluster);
        }
    }
}

/// The fields that are computed from the query.
const QUERY_FIELDS: &[EventField] = &[
    EventField::SubresourceExecCommand,
    EventField::SubresourceExecContainer,
    EventField::SubresourceExecTty,
    EventField::SubresourceExecStdin,
    EventField::SubresourceExecStdout,
    EventField::SubresourceExecStderr,
    EventField::SubresourceLogsContainer,
    EventField::SubresourceAttachContainer,
    EventField::SubresourceAttachStdin,
    EventField::SubresourceAttachTty,
    EventField::SubresourcePortforwardPorts,
];

/// Appends the decoded values of parameters.
fn decode_joined<'t>(values: impl Iterator<Item = &'t str>, separator: char, out: &mut String) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.push(separator);
        }
        uri::decode(value, out);
    }
}

impl<'a> User<'a> {
    /// Returns the name, or the id if that is missing.
    fn principal(self) -> Value<'a> {
        match self.name {
            Value::Str(name) if !name.source().is_empty() => self.name,
            _ => self.id,
        }
    }
}

impl FieldSource for Event<'_, '_> {
    fn value(&mut self, field: &FieldRef) -> FieldValue<'_> {
        match field {
            FieldRef::Known(field) => self.known(*field),
            FieldRef::UserAgentProduct(name) => self.product(name),
            FieldRef::UserExtra(key) => self.extra(key),
        }
    }

    fn part(&mut self, part: EventPart) -> Option<RawPart<'_>> {
        if self.form != EventForm::ApiServer {
            return None;
        }
        let member = match part {
            EventPart::Object => return self.object_part(),
            EventPart::Outcome => return self.outcome_part(),
            EventPart::Verb => Member::Verb,
            EventPart::User => Member::User,
            EventPart::ImpersonatedUser => Member::ImpersonatedUser,
            EventPart::SourceIps => Member::SourceIps,
            EventPart::UserAgent => Member::UserAgent,
        };
        let (tag, bytes) = self.raw(member)?;
        Some(RawPart { tag, bytes })
    }
}

#[cfg(test)]
mod tests;
