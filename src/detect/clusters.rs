//! The time since which each cluster is known.

use alloc::vec::Vec;

use crate::digest::Digest;

/// The maximum number of clusters. Further ones are treated as the first.
const MAX: usize = 64;

/// The first window of each cluster.
#[derive(Debug, Default)]
pub(super) struct Clusters(Vec<(Digest, u32)>);

impl Clusters {
    /// Returns the first windows of a snapshot.
    pub fn of(mut first: Vec<(Digest, u32)>) -> Self {
        first.truncate(MAX);
        Self(first)
    }

    /// Returns the first window of each cluster.
    pub fn all(&self) -> &[(Digest, u32)] {
        &self.0
    }

    /// Returns the number of windows from the first event of a cluster to a window, which may be the first.
    pub fn age(&mut self, cluster: Digest, window: u32) -> u32 {
        let known = self.0.iter().position(|(digest, _)| *digest == cluster);
        if known.is_none() && self.0.len() < MAX {
            self.0.push((cluster, window));
            return 0;
        }
        let Some((_, first)) = self.0.get_mut(known.unwrap_or(0)) else { return 0 };
        // Time may go backwards.
        *first = (*first).min(window);
        window.saturating_sub(*first)
    }
}
