//! What a client is told at its start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::{NodeAddress, TokenProvider};

/// A client's settings. [`Config::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Nodes to connect to, tried in random order. Servers name more, which are tried before these.
    pub nodes: Vec<NodeAddress>,
    /// Gives the token at each connection.
    pub token: TokenProvider,
    /// This program's name and version, for the operator's lists.
    pub client_name: String,
    /// Events the server may push ahead of acknowledgements; 0 (the default) leaves it to the server.
    pub window_events: u32,
    /// Messages that may wait for confirmation or for their [`Sent`](crate::Event::Sent) to be taken. 1,024.
    pub outbox_messages_max: usize,
    /// Bytes of bodies that may wait for confirmation. 16 MiB.
    pub outbox_bytes_max: usize,
    /// Time for the token, the TCP connection, TLS and the WebSocket handshake together. 10 s; at most 5 s while there are
    /// other nodes to try.
    pub dial_deadline: Duration,
    /// Time from HELLO to WELCOME. 10 s; at most 5 s while there are other nodes to try.
    pub handshake_deadline: Duration,
    /// Time for an answer to a request other than a message, time without a connection included. 30 s.
    pub request_deadline: Duration,
    /// Milliseconds since 1970 at the start, for the time in message ids; a simulation sets its own.
    pub started_unix_ms: u64,
}

impl Config {
    /// The defaults.
    pub fn new(nodes: Vec<NodeAddress>, token: TokenProvider) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            nodes,
            token,
            client_name: concat!("rookery-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            window_events: 0,
            outbox_messages_max: 1024,
            outbox_bytes_max: 16 * 1024 * 1024,
            dial_deadline: Duration::from_secs(10),
            handshake_deadline: Duration::from_secs(10),
            request_deadline: Duration::from_secs(30),
            started_unix_ms: u64::try_from(since_1970.as_millis()).unwrap_or_default(),
        }
    }
}
