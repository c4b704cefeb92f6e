//! Kubernetes audit events, normalised into kAudit's fields.
//!
//! An event is read from the members of a record ([`EventMembers`]), in the API server's form or in that of Google's
//! Cloud Logging. Its fields are computed on demand, each at most once: most events are refused after a few of them.

mod field;

pub use field::{EventField, FieldRef};
pub(crate) use field::{FieldSource, FieldValue};
