//! Keys of objects inside an event.

use crate::record::{KeySet, MemberVisitor, Record, Str, Value};

/// The meaning of a key in an object inside an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    // Users.
    Username,
    Uid,
    Groups,
    Extra,
    // Object references.
    ResourceType,
    Namespace,
    Name,
    ApiGroup,
    ApiVersion,
    Subresource,
    // Statuses, and objects in general.
    Kind,
    Status,
    Reason,
    Code,
    DryRun,
    // Annotations.
    Decision,
    DecisionReason,
    IssuedCredentialId,
    PodSecurityViolations,
    PolicyFailure,
    Truncated,
    FailedOpenWebhook,
    // Cloud Logging.
    MethodName,
    ResourceName,
    AuthenticationInfo,
    AuthorizationInfo,
    RequestMetadata,
    Request,
    Response,
    PrincipalEmail,
    PrincipalSubject,
    CallerIp,
    CallerUserAgent,
    Granted,
    First,
    Last,
    Labels,
    ClusterName,
    /// Any other key.
    Other,
}

/// The meanings of all keys.
pub(super) struct NestedKeys;

impl KeySet for NestedKeys {
    type Meaning = Key;

    fn meaning(&self, key: &[u8]) -> Key {
        match key {
            b"username" => Key::Username,
            b"uid" => Key::Uid,
            b"groups" => Key::Groups,
            b"extra" => Key::Extra,
            b"resource" => Key::ResourceType,
            b"namespace" => Key::Namespace,
            b"name" => Key::Name,
            b"apiGroup" => Key::ApiGroup,
            b"apiVersion" => Key::ApiVersion,
            b"subresource" => Key::Subresource,
            b"kind" => Key::Kind,
            b"status" => Key::Status,
            b"reason" => Key::Reason,
            b"code" => Key::Code,
            b"dryRun" => Key::DryRun,
            b"methodName" => Key::MethodName,
            b"resourceName" => Key::ResourceName,
            b"authenticationInfo" => Key::AuthenticationInfo,
            b"authorizationInfo" => Key::AuthorizationInfo,
            b"requestMetadata" => Key::RequestMetadata,
            b"request" => Key::Request,
            b"response" => Key::Response,
            b"principalEmail" => Key::PrincipalEmail,
            b"principalSubject" => Key::PrincipalSubject,
            b"callerIp" | b"callerIP" => Key::CallerIp,
            b"callerSuppliedUserAgent" => Key::CallerUserAgent,
            b"granted" => Key::Granted,
            b"first" => Key::First,
            b"last" => Key::Last,
            b"labels" => Key::Labels,
            b"cluster_name" => Key::ClusterName,
            _ => annotation(key).unwrap_or(Key::Other),
        }
    }
}

/// Returns the meaning of an annotation's key.
///
/// Elastic's agent replaces the dots before the slash by underscores.
fn annotation(key: &[u8]) -> Option<Key> {
    let (domain, name) = core::str::from_utf8(key).ok()?.split_once('/')?;
    let is_domain = |known: &str| {
        domain.len() == known.len()
            && domain.bytes().zip(known.bytes()).all(|(one, two)| one == two || (one == b'_' && two == b'.'))
    };
    let webhooks =
        ["failed-open.validating.webhook.admission.k8s.io", "failed-open.mutation.webhook.admission.k8s.io"];
    let key = match name {
        "decision" if is_domain("authorization.k8s.io") => Key::Decision,
        "reason" if is_domain("authorization.k8s.io") => Key::DecisionReason,
        "issued-credential-id" if is_domain("authentication.kubernetes.io") => Key::IssuedCredentialId,
        "audit-violations" if is_domain("pod-security.kubernetes.io") => Key::PodSecurityViolations,
        "validation_failure" if is_domain("validation.policy.admission.k8s.io") => Key::PolicyFailure,
        "truncated" if is_domain("audit.k8s.io") => Key::Truncated,
        _ if webhooks.into_iter().any(is_domain) => Key::FailedOpenWebhook,
        _ => return None,
    };
    Some(key)
}

/// Whether a key is `wanted`, in any case and with `_` for `.`.
///
/// Extra attributes that were sent in headers, as a proxy's are, have keys in lower case.
pub(super) fn is_extra_key(key: &str, wanted: &str) -> bool {
    key.len() == wanted.len()
        && key
            .bytes()
            .zip(wanted.bytes())
            .all(|(one, two)| one.eq_ignore_ascii_case(&two) || (one == b'_' && two == b'.'))
}

/// Calls `on` with each text of a list, or with the value if it is a text itself.
pub(super) fn each_text<'a>(record: Record<'a>, value: Value<'a>, on: &mut dyn FnMut(Str<'a>)) {
    match value {
        Value::List(bytes) => record.inner(bytes).elements().filter_map(Value::text).for_each(on),
        Value::Str(text) => on(text),
        _ => (),
    }
}

/// Collects the members with some keys. Of duplicate keys the first counts.
pub(super) struct Parts<'a, const N: usize> {
    pub keys: [Key; N],
    pub values: [Value<'a>; N],
}

impl<'a, const N: usize> MemberVisitor<'a, Key> for Parts<'a, N> {
    const VERBATIM: bool = false;

    #[inline]
    fn text(&mut self, key: Key, text: &'a [u8]) {
        self.value(key, Value::Str(Str::Plain(text)));
    }

    #[inline]
    fn value(&mut self, key: Key, value: Value<'a>) {
        let at = self.keys.iter().position(|wanted| *wanted == key);
        if let Some(vacant @ Value::Absent) = at.and_then(|at| self.values.get_mut(at)) {
            *vacant = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_annotations_are_found_in_both_spellings() {
        for (key, expected) in [
            ("authorization.k8s.io/decision", Key::Decision),
            ("authorization_k8s_io/decision", Key::Decision),
            ("authorization_k8s_io/reason", Key::DecisionReason),
            ("authentication.kubernetes.io/issued-credential-id", Key::IssuedCredentialId),
            ("validation_policy_admission_k8s_io/validation_failure", Key::PolicyFailure),
            ("failed-open.validating.webhook.admission.k8s.io/round_0_index_1", Key::FailedOpenWebhook),
            ("authorization-k8s-io/decision", Key::Other),
            ("authentication.openshift.io/decision", Key::Other),
            ("decision", Key::Other),
            ("username", Key::Username),
        ] {
            assert_eq!(NestedKeys.meaning(key.as_bytes()), expected, "{key}");
        }
        assert_eq!(NestedKeys.meaning(b"\xff/decision"), Key::Other);
        assert!(is_extra_key("accesskeyid", "accessKeyId"));
        assert!(is_extra_key(
            "authentication_kubernetes_io/pod-name",
            "authentication.kubernetes.io/pod-name"
        ));
        assert!(!is_extra_key("a.b", "a_b"));
    }
}
