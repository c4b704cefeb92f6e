//! The sources of audit events, and the fields that each of them never has.

use super::field::{EventField, FieldRef};

/// A source of audit events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
pub enum SourceKind {
    /// The API server's log or webhook.
    ApiServer,
    /// Amazon's EKS, through CloudWatch Logs.
    Eks,
    /// Google's GKE, through Cloud Logging.
    Gke,
    /// Microsoft's AKS, through Azure Monitor.
    Aks,
    /// Red Hat's OpenShift.
    OpenShift,
}

impl SourceKind {
    /// Every source.
    pub const ALL: &[Self] = &[Self::ApiServer, Self::Eks, Self::Gke, Self::Aks, Self::OpenShift];
    /// The name of every source.
    pub const NAMES: &[&str] = &["api-server", "eks", "gke", "aks", "openshift"];
    /// Further names that are accepted.
    pub const ALIASES: &[&str] = &[];

    /// Returns the name of the source.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiServer => "api-server",
            Self::Eks => "eks",
            Self::Gke => "gke",
            Self::Aks => "aks",
            Self::OpenShift => "openshift",
        }
    }

    /// Returns the source with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }

    /// Whether no event of this source has a value of the field.
    ///
    /// Fields of bodies are not listed: whether a source has them depends on the audit policy of the cluster.
    pub fn never_fills(self, field: &FieldRef) -> bool {
        match field {
            // No source has GeoIP data.
            FieldRef::Known(EventField::CallerIpAsn | EventField::CallerIpCountry) => true,
            FieldRef::Known(field) => self == Self::Gke && GKE.contains(field),
            FieldRef::UserExtra(_) => self == Self::Gke,
            FieldRef::UserAgentProduct(_) => false,
        }
    }
}

/// The fields that Cloud Logging does not have: it names the user by e-mail address only, and has no query.
const GKE: &[EventField] = &[
    EventField::UserId,
    EventField::UserGroups,
    EventField::ImpersonatedPrincipal,
    EventField::ImpersonatedUserId,
    EventField::ImpersonatedUsername,
    EventField::ImpersonatedGroups,
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
    EventField::Level,
    EventField::CredentialId,
    EventField::PodName,
    EventField::NodeName,
];

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_source_has_its_gaps() {
        let names: Vec<&str> = SourceKind::ALL.iter().map(|source| source.name()).collect();
        assert_eq!(names, SourceKind::NAMES);
        for &source in SourceKind::ALL {
            assert_eq!(SourceKind::of(source.name()), Some(source));
            assert!(source.never_fills(&FieldRef::Known(EventField::CallerIpAsn)));
            assert!(!source.never_fills(&FieldRef::Known(EventField::Verb)));
            assert!(!source.never_fills(&FieldRef::Known(EventField::RequestImage)));
            let groups = FieldRef::Known(EventField::UserGroups);
            assert_eq!(source.never_fills(&groups), source == SourceKind::Gke);
            let extra = FieldRef::UserExtra("arn".to_owned());
            assert_eq!(source.never_fills(&extra), source == SourceKind::Gke);
        }
        assert_eq!(SourceKind::of("GKE"), None);
    }
}
