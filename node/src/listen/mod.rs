//! How connections come in: sockets, TLS, the WebSocket upgrade, and who may have how many.
//!
//! A listener owns its accept loop and nothing a peer does can hold it up: TLS and the upgrade run in a task of the
//! connection's own, within the handshake's deadline. What becomes of a connection is [`Serve`]'s.

mod accept;
mod admission;
mod bans;
mod bind;
mod frame_boundary;
mod polled;
mod refusal;
mod upgrade;
mod websocket;

use std::future::Future;
use std::net::SocketAddr;

use rookery_actors::Transport;
use tokio::time::Instant;

pub use accept::{Listener, ListenerConfig, Wire};
pub use admission::{Admission, AdmissionTicket, Limits, Refused};
pub use bans::Bans;
pub use bind::{ListenError, bind};
pub use websocket::WebSocketTransport;

/// The path of the WebSocket.
pub const WEBSOCKET_PATH: &str = "/v1";

/// The WebSocket subprotocol, echoed to clients that offer it.
pub const WEBSOCKET_SUBPROTOCOL: &str = "rookery.v1";

/// A connection that has got as far as frames.
#[derive(Debug)]
pub struct Accepted {
    /// Its address.
    pub peer: SocketAddr,
    /// Counts it as unauthenticated until dropped: at WELCOME, or at its end.
    pub ticket: AdmissionTicket,
    /// When it was accepted: the handshake's time runs from here.
    pub at: Instant,
}

/// What takes connections.
pub trait Serve: Send + Sync + 'static {
    /// Runs a connection to its end.
    fn serve<T: Transport>(
        &self,
        transport: T,
        accepted: Accepted,
    ) -> impl Future<Output = ()> + Send + use<Self, T>;
}
