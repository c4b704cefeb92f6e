//! Kubernetes audit events, normalised into kAudit's fields.
//!
//! An event is read from the members of a record (`EventMembers`), in the API server's form or in the form of Google's
//! Cloud Logging. Its fields are computed on demand, each at most once: most events are refused after a few of them
//! (`Event`). An event that a rule selects becomes kAudit's record of it (`selection`).

mod event;
mod field;
mod members;
pub mod net;
mod reason;
pub(crate) mod selection;
mod source;
mod stages;
mod uri;
mod user_agent;

pub use event::{CallerIp, EventOptions};
pub(crate) use event::{Event, EventBuffers};
pub use field::{EventField, FieldRef};
pub(crate) use field::{EventPart, FieldSource, FieldValue, RawPart};
pub(crate) use members::{
    EventForm, EventKeys, EventMembers, Member, begins_as_event, cluster_of_wrapper, is_legacy_line,
};
pub use source::SourceKind;
pub(crate) use stages::{Evaluation, RecentRequests};
pub use stages::{Stage, StageOption};
