//! A node joins the cluster, as a new incarnation.

use crate::error::StoreError;
use crate::keys::node::{self, Incarnation, Lease, NodeId, NodeName};
use crate::keys::view::{self, ClusterView, MEMBER_BYTES_MAX, MEMBERS_MAX, Member};
use crate::keys::{self, mail};
use crate::op::{KeyRange, Op, Reads, View, Writes};
use crate::store::Store;

/// The longest a lease may be, encoded: a member's description and its version.
const LEASE_BYTES_MAX: usize = MEMBER_BYTES_MAX + 384;

/// A node joins, in place of the run of it that it knows as the last. It gets the slots due to it; others do not move.
#[derive(Debug, Clone)]
pub struct Join {
    /// Its name.
    pub name: NodeName,
    /// The last run of it, as far as this one knows. If there has been a later one, it does not join:
    /// so what a process has sent before it died takes nobody's place, however late it arrives.
    pub after: Incarnation,
    /// Where it takes links from other nodes, `host:port`; empty: nowhere.
    pub link: String,
    /// The URL of its admin API; empty: none.
    pub admin: String,
    /// The URLs where it takes clients.
    pub clients: Vec<String>,
    /// Its slots are in proportion to it.
    pub weight: u32,
    /// The version of Rookery that it runs.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Random: the same when tried again after an unknown outcome, another each time the node joins.
    pub nonce: u64,
}

/// The node is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// As which run.
    pub id: NodeId,
    /// Of this cluster.
    pub view: ClusterView,
}

/// Why a node is not a member.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JoinError {
    /// It does not know the last run of the node.
    #[error("another run of this node has joined: {last}")]
    Overtaken {
        /// The last one.
        last: Incarnation,
        /// Whether a run of the node is a member.
        is_member: bool,
    },
    /// There are as many as there may be.
    #[error("the cluster already has {MEMBERS_MAX} nodes")]
    TooMany,
    /// Its addresses are too long.
    #[error("the node's addresses and version are too long: {bytes} bytes of {most}")]
    TooLong {
        /// What they come to.
        bytes: usize,
        /// What they may come to.
        most: usize,
    },
    /// Something in the store cannot be read.
    #[error(transparent)]
    Corrupt(#[from] StoreError),
}

/// Joins in place of whatever run of the node there is: the process that was started last is the node.
///
/// # Errors
/// When the store does not take it; and as the operation answers, but for [`JoinError::Overtaken`].
pub async fn join(store: &Store, mut op: Join) -> Result<Result<Joined, JoinError>, StoreError> {
    loop {
        match store.submit(&op.name, op.clone()).await?.answer {
            // For this to come twice, somebody else must have joined in between.
            Err(JoinError::Overtaken { last, .. }) => op.after = last,
            answer => return Ok(answer),
        }
    }
}

impl Join {
    fn member(&self, incarnation: Incarnation) -> Member {
        Member {
            name: self.name.clone(),
            incarnation,
            link: self.link.clone(),
            admin: self.admin.clone(),
            clients: self.clients.clone(),
            weight: self.weight,
            draining: false,
        }
    }

    fn lease(&self, incarnation: Incarnation) -> Lease {
        Lease {
            incarnation,
            renewed: 0,
            link: self.link.clone(),
            admin: self.admin.clone(),
            clients: self.clients.clone(),
            weight: self.weight,
            version: self.version.clone(),
            pid: self.pid,
            nonce: self.nonce,
        }
    }
}

impl Op for Join {
    type Answer = Result<Joined, JoinError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(node::key(&self.name));
        reads.key(node::incarnation_key(&self.name));
        reads.key(view::key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let mut cluster = super::read(view)?;
        if let Some(lease) = view.get(&node::key(&self.name)) {
            let lease: Lease = keys::decode(&lease)?;
            let id = NodeId { name: self.name.clone(), incarnation: lease.incarnation };
            // This very joining, applied before with an unknown outcome.
            if lease.nonce == self.nonce && cluster.has(&id) {
                return Ok(Joined { id, view: cluster });
            }
        }
        let last = view.get(&node::incarnation_key(&self.name));
        let last = last.map_or(Ok(Incarnation::NONE), |value| node::decode_incarnation(&value))?;
        if last != self.after {
            let is_member = cluster.member(&self.name).is_some();
            return Err(JoinError::Overtaken { last, is_member });
        }
        let next = last.get().checked_add(1).expect("no node joins 2^64 times");
        let id = NodeId { name: self.name.clone(), incarnation: Incarnation::new(next) };

        let member = self.member(id.incarnation);
        let lease = keys::encode(&self.lease(id.incarnation));
        for (bytes, most) in [(keys::encode(&member).len(), MEMBER_BYTES_MAX), (lease.len(), LEASE_BYTES_MAX)]
        {
            if bytes > most {
                return Err(JoinError::TooLong { bytes, most });
            }
        }
        if cluster.members.len() >= MEMBERS_MAX && cluster.member(&self.name).is_none() {
            return Err(JoinError::TooMany);
        }
        super::change::put(&mut cluster, member);
        super::change::decide(&mut cluster);

        writes.put(node::key(&self.name), lease);
        writes.put(node::incarnation_key(&self.name), node::encode_incarnation(id.incarnation));
        writes.put(view::key(), cluster.encode());
        // What was posted was for an earlier run.
        let KeyRange { begin, end, .. } = mail::all(&self.name);
        writes.clear_range(begin, end);
        Ok(Joined { id, view: cluster })
    }

    fn bytes_hint(&self) -> usize {
        super::VIEW_BYTES_HINT
    }
}
