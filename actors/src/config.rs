//! What can be set. Everything else is a constant beside the code it bounds.

use std::time::Duration;

use rookery_protocol::limits;

use crate::rates::Rates;

/// How a node's actors behave.
#[derive(Debug, Clone)]
pub struct ActorsConfig {
    /// Shards on this node; each owns the sessions of its slots.
    pub shards: u16,
    /// From the accept to WELCOME.
    pub handshake: Duration,
    /// What WELCOME tells clients; three without a frame close the connection.
    pub heartbeat: Duration,
    /// A connection without frames for this long gives its actor back.
    pub connection_idle: Duration,
    /// A session without work for this long becomes an entry in its shard's map.
    pub session_idle: Duration,
    /// A peer that takes this long for a write, of 32 KiB or of one longer frame, is closed.
    pub write_stall: Duration,
    /// Events a device may have unacknowledged, unless it asks for fewer.
    pub window_events_max: u32,
    /// How often one user may do what.
    pub rates: Rates,
    /// URLs that clients are told from the start, this node's first, until [`Actors::set_client_nodes`] knows better;
    /// empty: those they know.
    ///
    /// [`Actors::set_client_nodes`]: crate::Actors::set_client_nodes
    pub advertise: Vec<String>,
}

impl Default for ActorsConfig {
    fn default() -> Self {
        Self {
            shards: 64,
            handshake: Duration::from_secs(10),
            heartbeat: Duration::from_millis(u64::from(limits::HEARTBEAT_MS)),
            connection_idle: Duration::from_secs(10),
            session_idle: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            window_events_max: limits::WINDOW_EVENTS_MAX,
            rates: Rates::default(),
            advertise: Vec::new(),
        }
    }
}
