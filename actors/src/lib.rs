//! Rookery's actors: connections, sessions, shards, and how they are supervised and found.

mod auth;
mod clock;
mod transport;

pub use auth::{Authenticator, DeviceToken, TokenError};
pub use clock::{Clock, SystemClock};
pub use transport::{StreamTransport, Transport, TransportError};
