//! The client of a request: user, address and user agent, with their JSON.

use std::fmt::Write as _;

use crate::seed::fnv1a;

/// A client. Its JSON is rendered once, since a cluster has few clients and many events.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The username; empty if the authentication failed.
    pub username: String,
    /// The address of the client.
    pub address: String,
    /// The user agent.
    pub agent: String,
    /// The number of the attack that sends the requests. It is not written into events.
    pub attack: Option<u32>,
    pub(crate) user_json: String,
    pub(crate) client_json: String,
    /// The authoriser's reason, with JSON's escape sequences.
    pub(crate) reason: String,
}

impl Identity {
    /// Returns the client with this user, address and user agent.
    ///
    /// Groups, extra attributes and the authoriser's reason follow from the name. Names have no characters that JSON
    /// escapes.
    pub fn new(username: &str, address: &str, agent: &str) -> Self {
        Self {
            username: username.to_owned(),
            address: address.to_owned(),
            agent: agent.to_owned(),
            attack: None,
            user_json: user(username),
            client_json: format!(r#""sourceIPs":["{address}"],"userAgent":"{agent}""#),
            reason: reason(username),
        }
    }

    /// Adds the user that the client impersonates.
    #[must_use]
    pub(crate) fn acting_as(mut self, username: &str) -> Self {
        let _ = write!(
            self.user_json,
            r#","impersonatedUser":{{"username":"{username}","groups":["system:authenticated"]}}"#
        );
        self
    }

    /// Marks the client's requests as part of an attack.
    #[must_use]
    pub(crate) fn of_attack(self, number: u32) -> Self {
        Self { attack: Some(number), ..self }
    }

    /// Whether the user is a component of the cluster or automation, by its name.
    pub fn is_machine(&self) -> bool {
        self.username.starts_with("system:") || self.username.is_empty()
    }
}

/// Returns namespace and name of a service account.
fn account(username: &str) -> Option<(&str, &str)> {
    username.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// Whether the account belongs to a controller of the controller manager, which has no pod of its own.
fn is_controller(namespace: &str, name: &str) -> bool {
    namespace == "kube-system" && (name.ends_with("-controller") || name == "generic-garbage-collector")
}

fn user(username: &str) -> String {
    if username.is_empty() {
        return "{}".to_owned();
    }
    if let Some((namespace, name)) = account(username) {
        let mut text = format!(
            r#"{{"username":"{username}","uid":"{}","groups":["system:serviceaccounts","system:serviceaccounts:{namespace}","system:authenticated"]"#,
            identifier(username)
        );
        if !is_controller(namespace, name) {
            let _ = write!(
                text,
                r#","extra":{{"authentication.kubernetes.io/credential-id":["JTI={}"],"authentication.kubernetes.io/node-name":["worker-1"],"authentication.kubernetes.io/pod-name":["{name}-{}"],"authentication.kubernetes.io/pod-uid":["{}"]}}"#,
                identifier(name),
                &identifier(username)[..8],
                identifier(namespace),
            );
        }
        return text + "}";
    }
    let groups = match username {
        "system:anonymous" => r#""system:unauthenticated""#,
        name if name.starts_with("system:node:") => r#""system:nodes","system:authenticated""#,
        name if name.starts_with("system:") => r#""system:authenticated""#,
        _ => r#""oidc:platform","system:authenticated""#,
    };
    format!(r#"{{"username":"{username}","groups":[{groups}]}}"#)
}

/// Returns the annotation of an allowed request.
fn reason(username: &str) -> String {
    if username.is_empty() || username.starts_with("system:node:") {
        return String::new();
    }
    let (role, subject) = if let Some((namespace, name)) = account(username) {
        let prefix = if is_controller(namespace, name) { "system:controller:" } else { "" };
        (format!("{prefix}{name}"), format!(r#"ServiceAccount \"{name}/{namespace}\""#))
    } else if username == "system:anonymous" {
        ("system:public-info-viewer".to_owned(), r#"Group \"system:unauthenticated\""#.to_owned())
    } else if username.starts_with("system:") {
        (username.to_owned(), format!(r#"User \"{username}\""#))
    } else {
        ("platform".to_owned(), r#"Group \"oidc:platform\""#.to_owned())
    };
    format!(r#"RBAC: allowed by ClusterRoleBinding \"{role}\" of ClusterRole \"{role}\" to {subject}"#)
}

/// Returns a UUID that a name determines.
fn identifier(name: &str) -> String {
    uuid([fnv1a(name.bytes()), fnv1a(name.bytes().rev())])
}

/// Returns random bits as a UUID of version 4.
pub(crate) fn uuid([high, low]: [u64; 2]) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
