//! Slots move to where weights want them, in steps, so that their users do not all move at once.

use crate::error::StoreError;
use crate::keys::view::{self, ClusterView};
use crate::op::{Op, Reads, View, Writes};

/// Moves some of the slots that are not where they ought to be. Each step moves other slots, to where they stay.
#[derive(Debug, Clone)]
pub struct MoveSlots {
    /// Slots to move.
    pub at_most: u16,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Slots that have moved.
    pub moved: u16,
    /// Slots that are still not where they ought to be.
    pub left: u16,
    /// The view with it.
    pub view: ClusterView,
}

impl Op for MoveSlots {
    type Answer = Result<Moved, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let mut cluster = super::read(view)?;
        let (moved, left) = super::change::move_slots(&mut cluster, self.at_most);
        if moved > 0 {
            super::change::step(&mut cluster);
            writes.put(view::key(), cluster.encode());
        }
        Ok(Moved { moved, left, view: cluster })
    }

    fn bytes_hint(&self) -> usize {
        super::VIEW_BYTES_HINT
    }
}
