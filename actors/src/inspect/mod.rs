//! What operators see of a node's actors, and may do to them: who is connected, and a user's messages followed live.
//!
//! It only looks and closes: nothing here decides about messages. Answers are of a moment and of this node.

mod listing;
mod steps;
mod trace;

pub use listing::{ConnectionSeen, Located, SessionSeen, SessionState};
pub(crate) use listing::{Found, page_of};
pub(crate) use steps::Steps;
pub(crate) use trace::Tracer;
pub use trace::{TRACES_MAX, TooManyTraces, Trace, TraceEvent, Traced, TracedItem};
