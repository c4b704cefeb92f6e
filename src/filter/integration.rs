//! The integrations of a filter.

use alloc::string::String;

use crate::config::Report;
use crate::finding::Kind;

/// The properties of an integration that are used after the matcher.
#[derive(PartialEq, Eq)]
pub(super) struct CompiledIntegration {
    pub name: String,
    pub kind: Kind,
    pub report: Report,
}

/// Index of the matching integration; its name is resolved lazily.
#[derive(Clone, Copy)]
pub(super) struct IntegrationRef<'s> {
    pub integrations: &'s [CompiledIntegration],
    pub index: usize,
}

impl<'s> IntegrationRef<'s> {
    pub fn name(self) -> &'s str {
        self.integrations.get(self.index).map_or("", |integration| &integration.name)
    }
}
