//! One connection: a socket task that owns the stream, and an actor that understands what comes in.
//!
//! - [`socket`]: the task. Reads frames, writes what is queued, keeps deadlines. It is all that an idle connection has.
//! - [`actor`]: made for the first frame that needs one, given back when idle, replaced when it fails.
//! - [`machine`]: what the actor decides: the handshake's order, and what each frame asks for.
//! - [`activity`]: whether the user is there at the device.
//! - [`reading`]: what is answered from the store alone.
//! - [`handle`]: what others hold of a connection: a bounded queue of frames to write, and the way to end it.
//! - [`supervisor`]: starts the actors and learns of their ends.
//!
//! Invariants:
//! - every request is answered, by a [`Reply`] that answers when dropped;
//! - a connection has at most `REQUESTS_IN_FLIGHT_MAX` frames inside the node: it is not read beyond that;
//! - what is queued for a connection is bounded: events by their window, answers by the requests.

mod activity;
mod actor;
mod handle;
pub(crate) mod machine;
mod reading;
mod socket;
mod supervisor;

pub(crate) use actor::ConnectionMessage;
pub(crate) use handle::{Connection, ConnectionId, Identity, LookingAfter, Permit, Reply, Stirring};
pub use socket::ConnectionInfo;
pub(crate) use socket::serve;
pub(crate) use supervisor::{Supervisor, SupervisorMessage};
