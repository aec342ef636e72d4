//! A node leaves, or is found dead.

use crate::error::StoreError;
use crate::keys::node::{self, Lease, NodeId};
use crate::keys::view::{self, ClusterView};
use crate::keys::{self, mail};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// Removes a run of a node: its lease, its mail, its place in the view. Its slots go to those they are due to.
#[derive(Debug, Clone)]
pub struct RemoveNode {
    /// Which run.
    pub id: NodeId,
    /// What its lease said when it was last seen: if it has been renewed since, the node lives and stays. `None`
    /// removes it whatever its lease says: it leaves, or an operator knows better.
    pub seen_renewed: Option<u64>,
}

/// What became of a node that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// It is no member any more.
    Removed {
        /// The cluster without it.
        view: ClusterView,
    },
    /// This run of it was not one.
    NotMember,
    /// It has renewed its lease, and stays.
    Alive,
}

impl Op for RemoveNode {
    type Answer = Result<RemoveOutcome, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(node::key(&self.id.name));
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let mut cluster = super::read(view)?;
        if !cluster.has(&self.id) {
            return Ok(RemoveOutcome::NotMember);
        }
        let lease = node::key(&self.id.name);
        if let (Some(seen), Some(lease)) = (self.seen_renewed, view.get(&lease)) {
            let lease: Lease = keys::decode(&lease)?;
            if lease.renewed != seen {
                return Ok(RemoveOutcome::Alive);
            }
        }
        super::change::remove(&mut cluster, &self.id.name);
        super::change::decide(&mut cluster);
        writes.put(view::key(), cluster.encode());
        writes.delete(lease);
        let KeyRange { begin, end, .. } = mail::all(&self.id.name);
        writes.clear_range(begin, end);
        Ok(RemoveOutcome::Removed { view: cluster })
    }

    fn bytes_hint(&self) -> usize {
        super::VIEW_BYTES_HINT
    }
}
