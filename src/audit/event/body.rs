//! Fields of the request body.
//!
//! The template of a pod is read wherever workloads have it, and all three of its lists of containers: who creates a
//! Deployment is a person, who creates its pods a controller. A body is a tree in which a few paths have meanings
//! ([`Node`]). A patch is a part of the tree, or, as a JSON patch, a list of parts with their paths. An absent value in
//! a body that is present is a fact, also in a patch: the request does not set it.

use alloc::string::String;

use super::buffers::{EventBuffers, State, push_value};
use crate::audit::field::EventField;
use crate::record::{Record, Value};

/// The fields that are computed from the body.
pub(super) const FIELDS: &[EventField] = &[
    EventField::RequestRoleRef,
    EventField::RequestSubjects,
    EventField::RequestRulesVerbs,
    EventField::RequestRulesResources,
    EventField::RequestRulesApiGroups,
    EventField::RequestPrivileged,
    EventField::RequestHostNetwork,
    EventField::RequestHostPid,
    EventField::RequestHostIpc,
    EventField::RequestHostPath,
    EventField::RequestCapabilities,
    EventField::RequestImage,
    EventField::RequestServiceType,
    EventField::RequestServiceAccount,
    EventField::RequestSignerName,
    EventField::RequestUsages,
    EventField::RequestTokenExpiration,
];

/// The types of resource whose `spec` has members with a meaning of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Service,
    CertificateRequest,
    /// Its body is the body of a token request.
    ServiceAccount,
    Other,
}

/// A place in a body from which a field is computed or that contains one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Root,
    Spec,
    JobTemplate,
    JobSpec,
    PodTemplate,
    PodSpec,
    Containers,
    Container,
    SecurityContext,
    Capabilities,
    Volumes,
    Volume,
    HostPath,
    Rules,
    Rule,
    Subjects,
    Subject,
    RoleRef,
    /// A value, or a list of values, of a field with texts.
    Texts(EventField),
    /// The value of a field that is `true` or `false`.
    Flag(EventField),
    /// A part of a value that cannot be computed without the rest.
    Part,
}

/// Computes the fields of a body.
pub(super) fn read(
    record: Record<'_>,
    body: Value<'_>,
    resource: Resource,
    is_patch: bool,
    buffers: &mut EventBuffers,
) {
    for &field in FIELDS {
        buffers.clear_list(field);
    }
    buffers.set_all(FIELDS, State::Absent);
    let mut walk = Walk { record, resource, buffers, has_pod: false, is_incomplete: false };
    match body {
        Value::List(operations) => walk.json_patch(operations),
        body => walk.value(body, Node::Root),
    }
    let Walk { has_pod, is_incomplete, .. } = walk;
    let missing = if is_incomplete { State::Unknown } else { State::Absent };
    for &field in FIELDS {
        if field.is_list() {
            buffers.finish_list(field, missing);
        } else if !buffers.is_text(field) {
            let is_flag = FLAGS.contains(&field) && has_pod && !is_patch && !is_incomplete;
            if is_flag {
                buffers.put(field, |out| out.push_str("false"));
            } else {
                buffers.set(field, missing);
            }
        }
    }
}

const FLAGS: &[EventField] = &[
    EventField::RequestPrivileged,
    EventField::RequestHostNetwork,
    EventField::RequestHostPid,
    EventField::RequestHostIpc,
];

struct Walk<'w, 'a> {
    record: Record<'a>,
    resource: Resource,
    buffers: &'w mut EventBuffers,
    /// Whether the body has a list of containers.
    has_pod: bool,
    /// Whether the body sets a value that could not be computed.
    is_incomplete: bool,
}

impl<'a> Walk<'_, 'a> {
    /// Reads the operations of a JSON patch.
    fn json_patch(&mut self, operations: &'a [u8]) {
        for operation in self.record.inner(operations).elements() {
            let Value::Map(bytes) = operation else { continue };
            let operation = self.record.inner(bytes);
            let (mut kind, mut path) = (String::new(), String::new());
            let text = |key, out: &mut String| push_value(operation.member(key), out);
            text("op", &mut kind);
            text("path", &mut path);
            match kind.as_str() {
                "add" | "replace" => {
                    if let Some(node) = self.node_at(&path) {
                        self.value(operation.member("value"), node);
                    }
                }
                // The value of a copied or moved part is not in the request.
                "copy" | "move" => self.is_incomplete |= self.node_at(&path).is_some(),
                _ => (),
            }
        }
    }

    /// Returns the node at a JSON pointer.
    fn node_at(&self, pointer: &str) -> Option<Node> {
        let mut node = Node::Root;
        for segment in pointer.split('/').skip(1) {
            let is_index = segment == "-" || segment.bytes().all(|byte| byte.is_ascii_digit());
            node = match node {
                // A list of texts has no further members.
                Node::Texts(_) if is_index => node,
                Node::Containers | Node::Volumes | Node::Rules | Node::Subjects if is_index => element(node),
                // Keys with a meaning have no escape sequences (`~0`, `~1`).
                _ => self.member(node, segment)?,
            };
        }
        Some(node)
    }

    fn value(&mut self, value: Value<'a>, node: Node) {
        match (node, value) {
            (Node::Subject, Value::Map(bytes)) => self.subject(self.record.inner(bytes)),
            (Node::RoleRef, Value::Map(bytes)) => self.role_ref(self.record.inner(bytes)),
            (Node::Texts(field), Value::Str(_) | Value::Number(_)) => self.text(field, value),
            (Node::Flag(field), Value::Bool(flag)) => self.flag(field, flag),
            (Node::Part, _) => self.is_incomplete = true,
            (_, Value::Map(bytes)) => {
                let record = self.record;
                let _ = record.inner(bytes).each_member(&mut |key, value| {
                    if let Some(node) = self.member(node, key.decode(&mut String::new())) {
                        self.value(value, node);
                    }
                });
            }
            (_, Value::List(bytes)) => {
                self.has_pod |= node == Node::Containers;
                let node = element(node);
                self.record.inner(bytes).elements().for_each(|value| self.value(value, node));
            }
            _ => (),
        }
    }

    /// Returns the node of a member.
    fn member(&self, node: Node, key: &str) -> Option<Node> {
        let node = match (node, key) {
            (Node::Root, "spec") => Node::Spec,
            (Node::Root | Node::Spec | Node::JobSpec, "template") => Node::PodTemplate,
            (Node::Root, "rules") => Node::Rules,
            (Node::Root, "subjects") => Node::Subjects,
            (Node::Root, "roleRef") => Node::RoleRef,
            (Node::Spec, "jobTemplate") => Node::JobTemplate,
            (Node::JobTemplate, "spec") => Node::JobSpec,
            (Node::PodTemplate, "spec") => Node::PodSpec,
            (Node::Spec | Node::PodSpec, "containers" | "initContainers" | "ephemeralContainers") => {
                Node::Containers
            }
            (Node::Spec | Node::PodSpec, "volumes") => Node::Volumes,
            (Node::Spec | Node::PodSpec, "hostNetwork") => Node::Flag(EventField::RequestHostNetwork),
            (Node::Spec | Node::PodSpec, "hostPID") => Node::Flag(EventField::RequestHostPid),
            (Node::Spec | Node::PodSpec, "hostIPC") => Node::Flag(EventField::RequestHostIpc),
            (Node::Spec | Node::PodSpec, "serviceAccountName" | "serviceAccount") => {
                Node::Texts(EventField::RequestServiceAccount)
            }
            (Node::Container, "image") => Node::Texts(EventField::RequestImage),
            (Node::Container, "securityContext") => Node::SecurityContext,
            (Node::SecurityContext, "privileged") => Node::Flag(EventField::RequestPrivileged),
            (Node::SecurityContext, "capabilities") => Node::Capabilities,
            (Node::Capabilities, "add") => Node::Texts(EventField::RequestCapabilities),
            // A persistent volume has the path in its own `spec`.
            (Node::Volume | Node::Spec, "hostPath") => Node::HostPath,
            (Node::HostPath, "path") => Node::Texts(EventField::RequestHostPath),
            (Node::Rule, "verbs") => Node::Texts(EventField::RequestRulesVerbs),
            (Node::Rule, "resources") => Node::Texts(EventField::RequestRulesResources),
            (Node::Rule, "apiGroups") => Node::Texts(EventField::RequestRulesApiGroups),
            (Node::Subject | Node::RoleRef, _) => Node::Part,
            (Node::Spec, "type") if self.resource == Resource::Service => {
                Node::Texts(EventField::RequestServiceType)
            }
            (Node::Spec, "signerName") if self.resource == Resource::CertificateRequest => {
                Node::Texts(EventField::RequestSignerName)
            }
            (Node::Spec, "usages") if self.resource == Resource::CertificateRequest => {
                Node::Texts(EventField::RequestUsages)
            }
            (Node::Spec, "expirationSeconds") if self.resource == Resource::ServiceAccount => {
                Node::Texts(EventField::RequestTokenExpiration)
            }
            _ => return None,
        };
        Some(node)
    }

    fn text(&mut self, field: EventField, value: Value<'_>) {
        if !field.is_list() {
            // Of two names of the service account, the first that is not empty counts.
            if !self.buffers.is_text(field) {
                self.buffers.put(field, |out| push_value(value, out));
            }
            return;
        }
        self.buffers.add(field, |out| {
            push_value(value, out);
            if field == EventField::RequestRulesApiGroups && out.is_empty() {
                out.push_str("core");
            }
        });
    }

    /// Sets a flag, unless another container has set it to `true`.
    fn flag(&mut self, field: EventField, flag: bool) {
        if flag || !self.buffers.is_text(field) {
            self.buffers.put(field, |out| out.push_str(if flag { "true" } else { "false" }));
        }
    }

    /// Adds the subject of a binding: its kind, and its namespace and name.
    fn subject(&mut self, subject: Record<'a>) {
        self.buffers.add(EventField::RequestSubjects, |out| {
            push_value(subject.member("kind"), out);
            out.push(':');
            let kind = out.len();
            push_value(subject.member("namespace"), out);
            if out.len() > kind {
                out.push('/');
            }
            push_value(subject.member("name"), out);
        });
    }

    fn role_ref(&mut self, role: Record<'a>) {
        self.buffers.put(EventField::RequestRoleRef, |out| {
            push_value(role.member("kind"), out);
            out.push('/');
            push_value(role.member("name"), out);
        });
    }
}

/// Returns the node of a list's elements.
fn element(node: Node) -> Node {
    match node {
        Node::Containers => Node::Container,
        Node::Volumes => Node::Volume,
        Node::Rules => Node::Rule,
        Node::Subjects => Node::Subject,
        other => other,
    }
}
