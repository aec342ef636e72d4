//! What nodes tell each other, and what carries it.

mod links;

pub use links::{LINK_BATCH_BYTES_MAX, LinkDown, LinkEvent, LinkState, LinkStatus, Links, Peer};
