//! What the cluster asks of the links between nodes, and what they tell it.
//!
//! A link carries batches of bytes whose meaning is not its own. It promises order while it is up and nothing else: what
//! was handed in and not yet taken by the other side when a link goes down may have arrived or not.

use std::time::Duration;

use bytes::Bytes;
use rookery_store::keys::node::NodeId;

/// A batch is at most this long: 256 KiB of entries, the last of which may begin just before that.
pub const LINK_BATCH_BYTES_MAX: usize = 320 * 1024;

/// What carries batches between nodes: real links in a node, channels in a simulation.
pub trait Links: Send + Sync + 'static {
    /// Keeps a link to each of these and to nobody else. Dials again, with jittered backoff, what breaks.
    fn keep(&self, peers: Vec<Peer>);

    /// From now on this node is another run of itself. Its links end; those to keep are named again.
    fn identify(&self, me: NodeId);

    /// Passes a batch to the link; never blocks. The bytes are opaque; at most [`LINK_BATCH_BYTES_MAX`].
    ///
    /// # Errors
    /// When there is no link, or as good as none because the other side does not take what it is sent.
    fn send(&self, to: &NodeId, batch: Bytes) -> Result<(), LinkDown>;

    /// Cuts the link, which is dialled again: it takes batches and brings none.
    fn reset(&self, to: &NodeId);

    /// What there is, for operators and metrics.
    fn status(&self) -> Vec<LinkStatus>;
}

/// A node to have a link to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Which run of which node. Another run of the same node is another peer.
    pub id: NodeId,
    /// Where it takes links, as `host:port`; empty when it takes none.
    pub address: String,
}

/// There is no link, or it does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no link to that node")]
pub struct LinkDown;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// It takes batches.
    Up,
    /// It is being dialled, or the other side is expected to dial.
    Dialling,
    /// Nobody listens at the peer's address. It is dialled again all the same.
    Refused,
}

/// A link, for operators and metrics. Counters begin when the peer is first kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// To whom.
    pub peer: NodeId,
    /// Where it is dialled.
    pub address: String,
    /// How it is.
    pub state: LinkState,
    /// For how long it has been so.
    pub since: Duration,
    /// From a heartbeat to its answer, lately.
    pub round_trip: Option<Duration>,
    /// Bytes of batches handed in that the other side has not said it has taken.
    pub unconfirmed_bytes: u64,
    /// Batches taken for the link.
    pub batches_out: u64,
    /// Bytes in these.
    pub bytes_out: u64,
    /// Batches that came.
    pub batches_in: u64,
    /// Bytes in these.
    pub bytes_in: u64,
}

/// What links tell.
///
/// Of one peer's events the order holds: `Up` comes before the first batch of a link and `Down` after its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The link takes batches.
    Up(NodeId),
    /// It no longer does.
    Down(NodeId),
    /// The peer's address refuses: nobody listens there, or another run of the node does. Told again every second or so
    /// while it lasts.
    Refused(NodeId),
    /// A batch has come.
    Batch {
        /// From whom.
        from: NodeId,
        /// What.
        batch: Bytes,
    },
}
