//! What a node believes of the cluster, by its metrics.

use crate::Metrics;

/// A node's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// Grows with each change.
    pub epoch: u64,
    /// How many nodes are members.
    pub members: usize,
}

impl View {
    /// What the metrics say of it, if they do.
    pub(super) fn of(metrics: &Metrics) -> Option<Self> {
        let (epoch, members) = ("rookery_view_epoch", "rookery_view_members");
        let tells = metrics.has(epoch) && metrics.has(members);
        tells.then(|| Self { epoch: metrics.sum(epoch) as u64, members: metrics.sum(members) as usize })
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "view {} of {}", self.epoch, self.members)
    }
}
