//! Events in the form of Google's Cloud Logging, from GKE.
//!
//! The entry has no groups, no query and no `objectRef`; the names of its method and its resource replace the latter.

use alloc::string::String;

use super::buffers::State;
use super::nested::Key;
use super::payload::Payload;
use super::{Event, Number, ResponseStatus, Str, User, Value};
use crate::audit::field::EventField;
use crate::audit::members::Member;

/// The parts of `protoPayload.requestMetadata`.
struct RequestMetadata<'a> {
    caller_ip: Value<'a>,
    user_agent: Value<'a>,
}

impl<'a> Event<'_, 'a> {
    pub(super) fn payload(&mut self) -> Payload<'a> {
        if let Some(payload) = self.payload {
            return payload;
        }
        let keys = [
            Key::MethodName,
            Key::ResourceName,
            Key::AuthenticationInfo,
            Key::AuthorizationInfo,
            Key::RequestMetadata,
            Key::Request,
            Key::Response,
            Key::Status,
        ];
        let [
            method_name,
            resource_name,
            authentication_info,
            authorization_info,
            request_metadata,
            request,
            response,
            status,
        ] = self.parts(self.members.get(Member::ProtoPayload), keys);
        let payload = Payload {
            method_name,
            resource_name,
            authentication_info,
            authorization_info,
            request_metadata,
            request,
            response,
            status,
        };
        self.payload = Some(payload);
        payload
    }

    /// Returns the user. A failed authentication has none.
    ///
    /// Identities of a workforce federation have no e-mail address.
    pub(super) fn authentication_info(&mut self) -> User<'a> {
        let info = self.payload().authentication_info;
        let [email, subject] = self.parts(info, [Key::PrincipalEmail, Key::PrincipalSubject]);
        let name = match email {
            Value::Str(email_text) if !email_text.source().is_empty() => email,
            _ => subject,
        };
        User { name, ..User::default() }
    }

    /// Computes a field that has another source than in the API server's form, and returns whether it has.
    pub(super) fn compute_of_payload(&mut self, field: EventField) -> bool {
        match field {
            EventField::CallerIp => {
                let address = self.request_metadata().caller_ip;
                self.put(field, Some(address));
            }
            EventField::OriginalUserAgent => {
                let agent = self.request_metadata().user_agent;
                self.put(field, Some(agent));
            }
            EventField::Verb => self.compute_method(),
            EventField::Stage => self.compute_operation(),
            EventField::ApiGroup
            | EventField::ApiVersion
            | EventField::ResourceType
            | EventField::ResourceNamespace
            | EventField::ResourceObjectName
            | EventField::Subresource
            | EventField::Uri => self.compute_payload_object(),
            _ => return false,
        }
        true
    }

    fn request_metadata(&mut self) -> RequestMetadata<'a> {
        let metadata = self.payload().request_metadata;
        let [caller_ip, user_agent] = self.parts(metadata, [Key::CallerIp, Key::CallerUserAgent]);
        RequestMetadata { caller_ip, user_agent }
    }

    /// Returns whether every permission was granted; `None` if none is named.
    ///
    /// `granted` is left out where it is false, as the JSON form of protocol buffers does.
    pub(super) fn payload_granted(&mut self) -> Option<bool> {
        let Value::List(bytes) = self.payload().authorization_info else { return None };
        let mut all = None;
        for permission in self.record.inner(bytes).elements() {
            let [granted] = self.parts(permission, [Key::Granted]);
            all = Some(all.unwrap_or(true) && matches!(granted, Value::Bool(true)));
        }
        all
    }

    /// Computes the verb: the last segment of the method's name.
    fn compute_method(&mut self) {
        let method = self.payload().method_name;
        let mut scratch = String::new();
        let verb = method.text().map(|name| name.decode(&mut scratch).rsplit('.').next().unwrap_or_default());
        self.put_str(EventField::Verb, verb.unwrap_or_default());
    }

    /// Computes the stage. Long-running requests have two entries, the first at their start.
    fn compute_operation(&mut self) {
        let [first, last] = self.parts(self.members.get(Member::Operation), [Key::First, Key::Last]);
        let is_start = matches!(first, Value::Bool(true)) && !matches!(last, Value::Bool(true));
        self.put_str(EventField::Stage, if is_start { "ResponseStarted" } else { "ResponseComplete" });
    }

    /// Computes the parts of the object, and the URI without its query.
    fn compute_payload_object(&mut self) {
        use EventField as F;
        let fields = [
            F::ApiGroup,
            F::ApiVersion,
            F::ResourceType,
            F::ResourceNamespace,
            F::ResourceObjectName,
            F::Subresource,
            F::Uri,
        ];
        self.buffers.set_all(&fields, State::Absent);
        let payload = self.payload();
        let (mut method, mut resource) = (String::new(), String::new());
        let Some(name) = payload.resource_name.text().map(|name| name.decode(&mut resource)) else { return };
        let method = payload.method_name.text().map_or("", |name| name.decode(&mut method));
        let is_resource = method.strip_prefix("io.k8s.").is_none_or(|rest| rest.contains('.'));
        if !is_resource {
            // The path of a non-resource request has no slash at its start.
            self.buffers.put(F::Uri, |out| {
                out.push('/');
                out.push_str(name.trim_start_matches('/'));
            });
            return;
        }
        let object = ResourceName::of(name, method.rsplit('.').next().unwrap_or_default());
        let group = if object.group == "core" { "" } else { object.group };
        self.put_str(F::ApiGroup, group);
        self.put_str(F::ApiVersion, object.version);
        self.put_str(F::ResourceType, object.resource);
        self.put_str(F::ResourceNamespace, object.namespace);
        self.put_str(F::ResourceObjectName, object.name);
        self.put_str(F::Subresource, object.subresource);
        self.buffers.put(F::Uri, |out| object.push_uri(out));
    }

    /// Computes the status of the response.
    ///
    /// A `Status` in the response has kAudit's values. Otherwise they are derived from the gRPC code. `UNKNOWN` is the
    /// code of every HTTP code without a gRPC code: an exec, attach or port-forward has 101, any other an unknown code.
    pub(super) fn payload_status(&mut self) -> ResponseStatus<'a> {
        let payload = self.payload();
        let response = self.parts(payload.response, [Key::Kind, Key::Code, Key::Status, Key::Reason]);
        if let [Value::Str(Str::Plain(b"Status")), code @ Value::Number(_), status, reason] = response {
            return ResponseStatus { status, reason, code: Some(code) };
        }
        let [code] = self.parts(payload.status, [Key::Code]);
        let code = match code {
            Value::Number(number) => number.as_i64().unwrap_or(UNKNOWN),
            _ => 0,
        };
        let is_connection =
            matches!(self.text(EventField::Subresource), Some("exec" | "attach" | "portforward"));
        let text = |text: &'static str| {
            if text.is_empty() { Value::Absent } else { Value::Str(Str::Plain(text.as_bytes())) }
        };
        let http = |code: i64| Some(Value::Number(Number::Int(code)));
        match code {
            0 => {
                let is_create = self.text(EventField::Verb) == Some("create");
                ResponseStatus { code: http(if is_create { 201 } else { 200 }), ..ResponseStatus::default() }
            }
            UNKNOWN if is_connection => ResponseStatus { code: http(101), ..ResponseStatus::default() },
            code => {
                let error = GRPC_ERRORS.iter().find(|error| error.grpc == code);
                ResponseStatus {
                    status: if code == UNKNOWN { Value::Absent } else { text("Failure") },
                    reason: text(error.map_or("", |error| error.reason)),
                    code: error.and_then(|error| http(error.http)),
                }
            }
        }
    }
}

/// gRPC's code `UNKNOWN`.
const UNKNOWN: i64 = 2;

/// An error code of gRPC, its HTTP code, and Kubernetes' reason if there is only one.
struct GrpcError {
    grpc: i64,
    http: i64,
    reason: &'static str,
}

const GRPC_ERRORS: &[GrpcError] = &[
    GrpcError { grpc: 1, http: 499, reason: "" },
    GrpcError { grpc: 3, http: 400, reason: "" },
    GrpcError { grpc: 4, http: 504, reason: "Timeout" },
    GrpcError { grpc: 5, http: 404, reason: "NotFound" },
    GrpcError { grpc: 6, http: 409, reason: "AlreadyExists" },
    GrpcError { grpc: 7, http: 403, reason: "Forbidden" },
    GrpcError { grpc: 8, http: 429, reason: "TooManyRequests" },
    GrpcError { grpc: 9, http: 400, reason: "" },
    GrpcError { grpc: 10, http: 409, reason: "Conflict" },
    GrpcError { grpc: 11, http: 400, reason: "" },
    GrpcError { grpc: 12, http: 501, reason: "" },
    GrpcError { grpc: 13, http: 500, reason: "InternalError" },
    GrpcError { grpc: 14, http: 503, reason: "ServiceUnavailable" },
    GrpcError { grpc: 16, http: 401, reason: "Unauthorized" },
];

/// The parts of `resourceName`.
///
/// Its form is `group/version/[namespaces/ns/]resource[/name[/subresource[/name again]]]`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ResourceName<'t> {
    group: &'t str,
    version: &'t str,
    namespace: &'t str,
    resource: &'t str,
    name: &'t str,
    subresource: &'t str,
    /// Whether the name is not in the request's URI.
    is_create: bool,
}

impl<'t> ResourceName<'t> {
    /// Reads the parts of a name.
    ///
    /// As in `objectRef`, the namespace of a namespace is itself, except at its creation.
    fn of(name: &'t str, verb: &str) -> Self {
        let mut parts = [""; 8];
        for (slot, part) in parts.iter_mut().zip(name.split('/')) {
            *slot = part;
        }
        let [group, version, rest @ ..] = parts;
        let (namespace, resource, name, subresource) = match rest {
            ["namespaces", namespace, "" | "status" | "finalize", ..] => {
                let own = if verb == "create" { "" } else { namespace };
                (own, "namespaces", namespace, rest.get(2).copied().unwrap_or_default())
            }
            ["namespaces", namespace, resource, name, subresource, ..] => {
                (namespace, resource, name, subresource)
            }
            [resource, name, subresource, ..] => ("", resource, name, subresource),
        };
        let is_create = verb == "create" && subresource.is_empty();
        Self { group, version, namespace, resource, name, subresource, is_create }
    }

    /// Appends the path of the request's URI.
    fn push_uri(&self, out: &mut String) {
        out.push_str(if self.group == "core" { "/api" } else { "/apis/" });
        out.push_str(if self.group == "core" { "" } else { self.group });
        let mut push = |part: &str| {
            if !part.is_empty() {
                out.push('/');
                out.push_str(part);
            }
        };
        push(self.version);
        if !self.namespace.is_empty() && self.resource != "namespaces" {
            push("namespaces");
            push(self.namespace);
        }
        push(self.resource);
        if !self.is_create {
            push(self.name);
            push(self.subresource);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_names_are_split_into_their_parts() {
        for (name, verb, parts, uri) in [
            (
                "core/v1/namespaces/x/pods/y",
                "get",
                ["core", "v1", "x", "pods", "y", ""],
                "/api/v1/namespaces/x/pods/y",
            ),
            (
                "core/v1/namespaces/x/pods/y",
                "create",
                ["core", "v1", "x", "pods", "y", ""],
                "/api/v1/namespaces/x/pods",
            ),
            (
                "core/v1/namespaces/x/pods",
                "create",
                ["core", "v1", "x", "pods", "", ""],
                "/api/v1/namespaces/x/pods",
            ),
            (
                "core/v1/namespaces/x/pods/y/exec/y",
                "create",
                ["core", "v1", "x", "pods", "y", "exec"],
                "/api/v1/namespaces/x/pods/y/exec",
            ),
            (
                "core/v1/namespaces/x",
                "delete",
                ["core", "v1", "x", "namespaces", "x", ""],
                "/api/v1/namespaces/x",
            ),
            (
                "core/v1/namespaces/x",
                "create",
                ["core", "v1", "", "namespaces", "x", ""],
                "/api/v1/namespaces",
            ),
            (
                "core/v1/namespaces/x/finalize",
                "update",
                ["core", "v1", "x", "namespaces", "x", "finalize"],
                "/api/v1/namespaces/x/finalize",
            ),
            ("core/v1/namespaces", "list", ["core", "v1", "", "namespaces", "", ""], "/api/v1/namespaces"),
            (
                "core/v1/nodes/n/proxy",
                "get",
                ["core", "v1", "", "nodes", "n", "proxy"],
                "/api/v1/nodes/n/proxy",
            ),
            (
                "rbac.authorization.k8s.io/v1/clusterroles/system:x",
                "patch",
                ["rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:x", ""],
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:x",
            ),
        ] {
            let object = ResourceName::of(name, verb);
            let ResourceName { group, version, namespace, resource, name: object_name, subresource, .. } =
                object;
            assert_eq!([group, version, namespace, resource, object_name, subresource], parts, "{name}");
            let mut out = String::new();
            object.push_uri(&mut out);
            assert_eq!(out, uri, "{name} {verb}");
        }
    }
}
