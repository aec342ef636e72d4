//! Rookery's actors: connections, sessions, shards, and how they are supervised and found.
//!
//! Actors are caches and wake-up calls; the store is the truth. Any of them may be lost at any moment, which costs time
//! and never a message. The tree:
//!
//! ```text
//! root ── shard (64) ── session (one for each user who is awake)
//!    ├─── connection supervisor (4) ── connection (one for each that is awake)
//!    ├─── looking
//!    └─── membership ── peer (one for each other node)
//! ```
//!
//! Beside it runs a plain task for each connection's socket.

mod actors;
mod auth;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod clock;
mod cluster;
mod config;
mod connection;
mod context;
mod failure;
mod inspect;
mod looking;
mod metrics;
mod nodes;
mod rates;
mod remotable;
mod root;
mod router;
mod session;
mod shard;
mod supervision;
mod transport;
mod upkeep;

pub use actors::{Actors, Counts, Parts, StartError, Victim};
pub use auth::{Authenticator, DeviceToken, TokenError};
pub use clock::{Clock, SystemClock};
pub use cluster::{
    ClusterParts, ClusterStatus, Depth, LINK_BATCH_BYTES_MAX, LinkDown, LinkEvent, LinkEvents,
    LinkPeer as Peer, LinkState, LinkStatus, Links, PeerStatus, VIEW, hand_over, others_take_slots,
};
pub use config::ActorsConfig;
pub use connection::ConnectionInfo;
pub use inspect::{
    ConnectionSeen, Located, SessionSeen, SessionState, TRACES_MAX, TooManyTraces, Trace, TraceEvent, Traced,
    TracedItem,
};
pub use metrics::describe_metrics;
pub use nodes::ClientNodes;
pub use rates::{Rate, Rates};
pub use remotable::remotable_messages;
pub use rookery_store::placement::{SLOTS, Slot};
pub use transport::{StreamTransport, Transport, TransportError};
pub use upkeep::{Expiring, Retention, until_stopped};
