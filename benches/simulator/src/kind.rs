//! The kinds of detections.

/// The kind of a detection: the feature that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DetectionKind {
    /// Commands executed in pods.
    Commands,
    /// Pods in which commands are executed.
    Shells,
    /// User agents.
    AccessTool,
    /// Paths outside the API.
    Targets,
    /// Reasons of failures.
    StatusReasons,
    /// Refusals of the authoriser and the authentication.
    Unauthorised,
    /// Networks of the client.
    Network,
    /// Types of resources.
    Resources,
    /// Secrets that were read.
    Secrets,
    /// Questions for permissions.
    Permissions,
    /// A combination.
    Incident,
    /// Any other, such as a rule of a policy.
    Other,
}

impl DetectionKind {
    /// Every kind but the last.
    pub const ALL: [Self; 11] = [
        Self::Commands,
        Self::Shells,
        Self::AccessTool,
        Self::Targets,
        Self::StatusReasons,
        Self::Unauthorised,
        Self::Network,
        Self::Resources,
        Self::Secrets,
        Self::Permissions,
        Self::Incident,
    ];

    /// Returns the name in labels and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commands => "remote-commands",
            Self::Shells => "remote-shells",
            Self::AccessTool => "access-tool",
            Self::Targets => "unusual-uris",
            Self::StatusReasons => "status-reasons",
            Self::Unauthorised => "unauthorised",
            Self::Network => "network",
            Self::Resources => "resources",
            Self::Secrets => "secrets",
            Self::Permissions => "permissions",
            Self::Incident => "incident",
            Self::Other => "other",
        }
    }

    /// Returns the kind of a detection finding by its `short-doc`, and for ours by the word that names the feature.
    pub fn of_short_doc(text: &str) -> Self {
        const WORDS: &[(&str, DetectionKind)] = &[
            ("remote command", DetectionKind::Commands),
            ("remote shell", DetectionKind::Shells),
            ("unauthorized", DetectionKind::Unauthorised),
            ("status reason", DetectionKind::StatusReasons),
            ("network", DetectionKind::Network),
            ("secret", DetectionKind::Secrets),
            ("permission", DetectionKind::Permissions),
            ("target", DetectionKind::Targets),
            ("uri", DetectionKind::Targets),
            ("usage pattern", DetectionKind::Targets),
            ("tool", DetectionKind::AccessTool),
            ("resource", DetectionKind::Resources),
        ];
        let text = text.to_ascii_lowercase();
        WORDS.iter().find(|(word, _)| text.contains(word)).map_or(Self::Other, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kaudits_texts_have_a_kind() {
        for (text, kind) in [
            ("change in remote commands", DetectionKind::Commands),
            ("change in remote shells", DetectionKind::Shells),
            ("change in access tool", DetectionKind::AccessTool),
            ("change in targets of access attempts", DetectionKind::Targets),
            ("change in status reason of access attempts", DetectionKind::StatusReasons),
            ("change in unauthorized access attempts", DetectionKind::Unauthorised),
            ("Change in usage pattern", DetectionKind::Targets),
            ("new source network", DetectionKind::Network),
            ("pod-exec", DetectionKind::Other),
        ] {
            assert_eq!(DetectionKind::of_short_doc(text), kind, "{text}");
        }
    }
}
