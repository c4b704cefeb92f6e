//! The fields of an audit event that policies match on, in kAudit's terms and ours.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use core::fmt;

/// The value of a field of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValue<'v> {
    /// The event has no such value. An empty text counts as absent.
    Absent,
    /// The event does not contain the object that would have the value, such as a request body.
    ///
    /// No condition on an unknown value is true, not even `!=`.
    Unknown,
    /// One value, as text. It is not empty.
    Text(&'v str),
    /// Several values, each not empty, in kAudit's order. It is not empty.
    List(&'v [String]),
}

/// Computes the fields of one event on demand.
pub(crate) trait FieldSource {
    /// Returns the value of a field.
    fn value(&mut self, field: &FieldRef) -> FieldValue<'_>;

    /// Returns a part of the event as it was received; `None` if it is unknown or may be in several places.
    ///
    /// Events with equal parts have equal values of the part's fields.
    fn part(&mut self, part: EventPart) -> Option<RawPart<'_>>;
}

/// A part of an event that alone determines the values of some fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum EventPart {
    Verb,
    User,
    ImpersonatedUser,
    /// The type, namespace, group and subresource of the object, without its name and version, which vary.
    Object,
    SourceIps,
    UserAgent,
    /// The status of the response, and the annotations.
    Outcome,
}

impl EventPart {
    /// Returns the part as a bit of a set.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The spelling of a part of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawPart<'p> {
    /// The encoding and the type. Equal bytes of different types differ.
    pub tag: u8,
    pub bytes: &'p [u8],
}

/// A field that a condition names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldRef {
    /// A field with a fixed name.
    Known(EventField),
    /// `ua-<name>`: the version that the user agent gives for the product `name`, in lower case.
    UserAgentProduct(String),
    /// `user-extra-<key>`: the values of `user.extra` under this key.
    UserExtra(String),
}

macro_rules! event_fields {
    ($($(#[$doc:meta])* $variant:ident $name:literal $origin:ident,)*) => {
        /// A field of an audit event with a fixed name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum EventField {
            $($(#[$doc])* $variant,)*
        }

        impl EventField {
            /// Every field, in numeric order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the name in a policy.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns where the field comes from.
            pub const fn origin(self) -> Origin {
                match self { $(Self::$variant => Origin::$origin,)* }
            }
        }
    };
}

/// Where a field comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A field of kAudit's policy language.
    Kaudit,
    /// An addition of this filter, from an event's metadata.
    Metadata,
    /// An addition of this filter, from the request body. Needs the audit level `Request` or higher.
    Body,
}

event_fields! {
    /// The authenticated user, also under impersonation: `username`, or `user-id` if that is missing.
    Principal "principal" Kaudit,
    /// `user.uid`
    UserId "user-id" Kaudit,
    /// `user.username`
    Username "username" Kaudit,
    /// `user.groups`, sorted.
    UserGroups "user-groups" Kaudit,
    /// The impersonated user: its name, or its id if that is missing.
    ImpersonatedPrincipal "impersonated-principal" Kaudit,
    /// `impersonatedUser.uid`
    ImpersonatedUserId "impersonated-user-id" Kaudit,
    /// `impersonatedUser.username`
    ImpersonatedUsername "impersonated-username" Kaudit,
    /// `impersonatedUser.groups`, sorted.
    ImpersonatedGroups "impersonated-groups" Kaudit,
    /// `read` or `write`.
    AccessType "access-type" Kaudit,
    /// The caller's address, from `sourceIPs`.
    CallerIp "caller-ip" Kaudit,
    /// The autonomous system of the caller's address. Only sources with GeoIP data have it.
    CallerIpAsn "caller-ip-asn" Kaudit,
    /// The country of the caller's address. Only sources with GeoIP data have it.
    CallerIpCountry "caller-ip-country" Kaudit,
    /// `objectRef.apiGroup`; absent for the core group.
    ApiGroup "api-group" Kaudit,
    /// `objectRef.apiVersion`
    ApiVersion "api-version" Kaudit,
    /// `objectRef.resource`, such as `pods`.
    ResourceType "resource-type" Kaudit,
    /// `objectRef.namespace`
    ResourceNamespace "resource-namespace" Kaudit,
    /// The non-empty parts of namespace, resource and name, joined by `/`.
    ResourceName "resource-name" Kaudit,
    /// `objectRef.subresource`
    Subresource "subresource" Kaudit,
    /// The command of an exec, its arguments joined by spaces.
    SubresourceExecCommand "subresource-exec-command" Kaudit,
    /// The container of an exec.
    SubresourceExecContainer "subresource-exec-container" Kaudit,
    /// `true` if an exec has a terminal.
    SubresourceExecTty "subresource-exec-tty" Kaudit,
    /// `true` if an exec has an input.
    SubresourceExecStdin "subresource-exec-stdin" Kaudit,
    /// `true` if an exec has an output.
    SubresourceExecStdout "subresource-exec-stdout" Kaudit,
    /// The container whose log is read.
    SubresourceLogsContainer "subresource-logs-container" Kaudit,
    /// The path of a non-resource request outside the API, discovery and health paths.
    UnusualUri "unusual-uri" Kaudit,
    /// The event's verb.
    Verb "verb" Kaudit,
    /// The Role through which the request was allowed.
    Role "role" Kaudit,
    /// The ClusterRole through which the request was allowed.
    ClusterRole "cluster-role" Kaudit,
    /// `true` if the request was not authorised; otherwise `false`.
    NonAuthorized "non-authorized" Kaudit,
    /// `responseStatus.status`
    Status "status" Kaudit,
    /// `responseStatus.code`
    StatusCode "status-code" Kaudit,
    /// `responseStatus.reason`
    StatusReason "status-reason" Kaudit,
    /// The whole user agent.
    OriginalUserAgent "original-user-agent" Kaudit,
    /// The user agent without its products (`name/version`).
    CallerSuppliedUserAgent "caller-supplied-user-agent" Kaudit,

    /// `stage`
    Stage "stage" Metadata,
    /// `level`
    Level "level" Metadata,
    /// `requestURI`, with its query, as sent.
    Uri "uri" Metadata,
    /// `allow` or `forbid`, from the annotation `authorization.k8s.io/decision`.
    Decision "decision" Metadata,
    /// The annotation `authorization.k8s.io/reason`.
    DecisionReason "decision-reason" Metadata,
    /// The RoleBinding or ClusterRoleBinding through which the request was allowed.
    Binding "binding" Metadata,
    /// `objectRef.name`
    ResourceObjectName "resource-object-name" Metadata,
    /// The id of the credential: `JTI=…` of a token, `X509SHA256=…` of a certificate.
    CredentialId "credential-id" Metadata,
    /// The pod whose token was used.
    PodName "pod-name" Metadata,
    /// The node of the pod whose token was used.
    NodeName "node-name" Metadata,
    /// The id of the credential that the request created.
    IssuedCredentialId "issued-credential-id" Metadata,
    /// The annotation `pod-security.kubernetes.io/audit-violations`.
    PodSecurityViolations "pod-security-violations" Metadata,
    /// The webhooks that failed and were ignored.
    FailedOpenWebhook "failed-open-webhook" Metadata,
    /// The annotation `validation.policy.admission.k8s.io/validation_failure`.
    PolicyFailure "policy-failure" Metadata,
    /// `true` for a dry run; otherwise `false`.
    DryRun "dry-run" Metadata,
    /// `true` if an exec has an error output.
    SubresourceExecStderr "subresource-exec-stderr" Metadata,
    /// The container of an attach.
    SubresourceAttachContainer "subresource-attach-container" Metadata,
    /// `true` if an attach has an input.
    SubresourceAttachStdin "subresource-attach-stdin" Metadata,
    /// `true` if an attach has a terminal.
    SubresourceAttachTty "subresource-attach-tty" Metadata,
    /// The ports of a port-forward, of old clients only.
    SubresourcePortforwardPorts "subresource-portforward-ports" Metadata,
    /// The cluster, from the record around the event.
    Cluster "cluster" Metadata,

    /// The role of a binding: `ClusterRole/cluster-admin`.
    RequestRoleRef "request-role-ref" Body,
    /// The subjects of a binding: `User:name`, `Group:name`, `ServiceAccount:namespace/name`.
    RequestSubjects "request-subjects" Body,
    /// The verbs in the rules of a role.
    RequestRulesVerbs "request-rules-verbs" Body,
    /// The resources in the rules of a role.
    RequestRulesResources "request-rules-resources" Body,
    /// The API groups in the rules of a role; `core` for the core group.
    RequestRulesApiGroups "request-rules-api-groups" Body,
    /// `true` if a container is privileged; otherwise `false`.
    RequestPrivileged "request-privileged" Body,
    /// `true` if a pod shares the network of its host; otherwise `false`.
    RequestHostNetwork "request-host-network" Body,
    /// `true` if a pod shares the processes of its host; otherwise `false`.
    RequestHostPid "request-host-pid" Body,
    /// `true` if a pod shares the inter-process communication of its host; otherwise `false`.
    RequestHostIpc "request-host-ipc" Body,
    /// The host paths that a pod mounts.
    RequestHostPath "request-host-path" Body,
    /// The capabilities that containers add.
    RequestCapabilities "request-capabilities" Body,
    /// The images of all containers.
    RequestImage "request-image" Body,
    /// The type of a service, such as `NodePort`.
    RequestServiceType "request-service-type" Body,
    /// The service account of a pod.
    RequestServiceAccount "request-service-account" Body,
    /// The signer of a certificate request.
    RequestSignerName "request-signer-name" Body,
    /// The usages of a certificate request.
    RequestUsages "request-usages" Body,
    /// The lifetime of a requested token, in seconds.
    RequestTokenExpiration "request-token-expiration" Body,
}

impl EventField {
    /// Whether the field may have several values.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::UserGroups
                | Self::ImpersonatedGroups
                | Self::FailedOpenWebhook
                | Self::RequestSubjects
                | Self::RequestRulesVerbs
                | Self::RequestRulesResources
                | Self::RequestRulesApiGroups
                | Self::RequestHostPath
                | Self::RequestCapabilities
                | Self::RequestImage
                | Self::RequestUsages
        )
    }
}

impl FieldRef {
    /// Returns the field with this name in a policy, in either spelling (`user-id`, `user_id`).
    ///
    /// The key of `user-extra-<key>` is taken as it is written.
    pub fn of(name: &str) -> Option<Self> {
        let extra = name.strip_prefix("user-extra-").or_else(|| name.strip_prefix("user_extra_"));
        if let Some(key) = extra {
            return (!key.is_empty()).then(|| Self::UserExtra(key.to_owned()));
        }
        let name = name.replace('_', "-");
        if let Some(&known) = EventField::ALL.iter().find(|field| field.name() == name) {
            return Some(Self::Known(known));
        }
        let product = name.strip_prefix("ua-").filter(|product| !product.is_empty())?;
        Some(Self::UserAgentProduct(product.to_owned()))
    }

    /// Whether the field comes from the request body.
    pub fn is_body(&self) -> bool {
        matches!(self, Self::Known(field) if field.origin() == Origin::Body)
    }

    /// Returns the part of an event that alone determines the field, if there is one.
    pub(crate) fn part(&self) -> Option<EventPart> {
        use EventField as F;
        Some(match self {
            Self::Known(F::Verb) => EventPart::Verb,
            Self::Known(
                F::Principal
                | F::UserId
                | F::Username
                | F::UserGroups
                | F::CredentialId
                | F::PodName
                | F::NodeName,
            )
            | Self::UserExtra(_) => EventPart::User,
            Self::Known(
                F::ImpersonatedPrincipal
                | F::ImpersonatedUserId
                | F::ImpersonatedUsername
                | F::ImpersonatedGroups,
            ) => EventPart::ImpersonatedUser,
            Self::Known(F::ResourceType | F::ResourceNamespace | F::ApiGroup | F::Subresource) => {
                EventPart::Object
            }
            Self::Known(F::CallerIp) => EventPart::SourceIps,
            Self::Known(F::OriginalUserAgent | F::CallerSuppliedUserAgent) | Self::UserAgentProduct(_) => {
                EventPart::UserAgent
            }
            Self::Known(
                F::Status
                | F::StatusReason
                | F::StatusCode
                | F::NonAuthorized
                | F::Decision
                | F::DecisionReason
                | F::Role
                | F::ClusterRole
                | F::Binding
                | F::IssuedCredentialId
                | F::PodSecurityViolations
                | F::FailedOpenWebhook
                | F::PolicyFailure,
            ) => EventPart::Outcome,
            Self::Known(_) => return None,
        })
    }

    /// Whether the field may have several values.
    pub fn is_list(&self) -> bool {
        match self {
            Self::Known(field) => field.is_list(),
            Self::UserAgentProduct(_) => false,
            Self::UserExtra(_) => true,
        }
    }
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(field) => f.write_str(field.name()),
            Self::UserAgentProduct(product) => write!(f, "ua-{product}"),
            Self::UserExtra(key) => write!(f, "user-extra-{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_found_by_its_name_in_both_spellings() {
        for &field in EventField::ALL {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                assert_eq!(FieldRef::of(&name), Some(FieldRef::Known(field)), "{name}");
            }
        }
        assert_eq!(FieldRef::of("ua-kubectl"), Some(FieldRef::UserAgentProduct("kubectl".to_owned())));
        assert_eq!(
            FieldRef::of("user_extra_session_name"),
            Some(FieldRef::UserExtra("session_name".to_owned()))
        );
        for name in ["", "ua-", "user-extra-", "Verb", "resource"] {
            assert_eq!(FieldRef::of(name), None, "{name}");
        }
    }
}
