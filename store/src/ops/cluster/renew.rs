//! A node says that it lives.

use rookery_protocol::Epoch;

use crate::error::StoreError;
use crate::keys::node::{self, Lease, NodeId};
use crate::keys::{self, view};
use crate::op::{Op, Reads, View, Writes};

/// A node renews its lease.
#[derive(Debug, Clone)]
pub struct Renew {
    /// Which run of it.
    pub id: NodeId,
}

/// Whether a node is still a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenewOutcome {
    /// It is, and its lease says so anew.
    Renewed {
        /// The current view's.
        epoch: Epoch,
    },
    /// Another run of it has taken its place.
    Superseded,
    /// It has been removed: it has to join again.
    Removed,
}

impl Op for Renew {
    type Answer = Result<RenewOutcome, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(node::key(&self.id.name));
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let key = node::key(&self.id.name);
        let Some(lease) = view.get(&key) else { return Ok(RenewOutcome::Removed) };
        let mut lease: Lease = keys::decode(&lease)?;
        if lease.incarnation != self.id.incarnation {
            return Ok(RenewOutcome::Superseded);
        }
        let cluster = super::read(view)?;
        if !cluster.has(&self.id) {
            return Ok(RenewOutcome::Removed);
        }
        lease.renewed = lease.renewed.wrapping_add(1);
        writes.put(key, keys::encode(&lease));
        Ok(RenewOutcome::Renewed { epoch: cluster.epoch })
    }
}
