//! Reads and checks configurations.
//!
//! [`read()`] accepts three dialects: a Kubernetes `ConfigMap` manifest, the bare list of its `audit-integration` key,
//! and the filter's own document. It does not stop at the first error: it reports a [`Diagnostic`] with a position for
//! each. Decision: no serde here. A derived deserialiser stops at the first error and loses line numbers; the reader
//! walks a tree of nodes with positions instead.
//!
//! The result is a [`Config`], which [`crate::Filter::new`] turns into automata and tables.
//!
//! The option table ([`OPTIONS`]) contains each option once: path, type with its limits, default. The reader parses a
//! value by the type in the table; messages, reference, JSON Schema and manifest are generated from it.

mod look_in;
mod names;
mod types;

#[cfg(feature = "compile")]
mod advice;
mod audit;
#[cfg(feature = "compile")]
mod characters;
mod detect;
#[cfg(feature = "compile")]
mod dialect;
#[cfg(feature = "compile")]
mod endpoint;
#[cfg(feature = "compile")]
mod files;
#[cfg(feature = "compile")]
mod indentation;
#[cfg(feature = "compile")]
mod inline;
#[cfg(feature = "compile")]
mod integrations;
#[cfg(feature = "compile")]
mod option_type;
#[cfg(feature = "compile")]
mod options;
#[cfg(feature = "compile")]
mod paths;
#[cfg(feature = "compile")]
mod pattern_problem;
#[cfg(feature = "compile")]
mod patterns;
#[cfg(feature = "compile")]
mod problems;
#[cfg(feature = "compile")]
mod read;
#[cfg(feature = "compile")]
mod read_audit;
#[cfg(feature = "compile")]
mod reader;
#[cfg(feature = "compile")]
pub(crate) mod reading;
#[cfg(feature = "compile")]
mod section;
mod severity;
#[cfg(feature = "compile")]
mod target;
#[cfg(feature = "compile")]
mod values;
#[cfg(feature = "compile")]
mod variables;
#[cfg(feature = "compile")]
mod yaml;

pub use crate::template::{Placeholder, Template, TemplateError, TemplatePart};
pub use audit::Audit;
pub use detect::Detect;
pub(crate) use look_in::ANY_OBJECT;
pub use look_in::LOOK_IN;
pub use severity::Severity;
pub use types::{
    By, Config, Coralogix, DataFilter, Guard, Integration, KeyStyle, OnStale, RateLimit, RateLimits,
    Redaction, Report, SeverityRow, Shape, TextForm, Unrecognised,
};

#[cfg(feature = "compile")]
pub use crate::error::{Code, Diagnostic, Level};
#[cfg(feature = "compile")]
pub use files::{FileLoader, NoFiles};
#[cfg(feature = "compile")]
pub use inline::{INLINE_OPTIONS, read_inline};
#[cfg(feature = "compile")]
pub use option_type::{EnumNames, OptionType};
#[cfg(feature = "compile")]
pub use options::{DefaultValue, OPTIONS, OptionSpec};
#[cfg(feature = "compile")]
pub use read::{CheckResult, ReadResult, check, may_be_configuration, read, restore_indentation};
#[cfg(feature = "compile")]
pub use section::nearest;
#[cfg(feature = "compile")]
pub use values::{BOOLEANS, DURATION_UNITS};
