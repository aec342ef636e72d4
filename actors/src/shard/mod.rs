//! A shard: the sessions of its slots. It finds them, starts them, puts them to sleep and replaces those that fail.
//!
//! Everything for a session goes through its shard, which alone holds the session's reference. That is what makes
//! hibernating safe: a session goes only if it has dealt with every message its shard has passed on.
//!
//! Invariants:
//! - a user with a connection has an entry, a user without has none once the session sleeps;
//! - a connection whose entry is lost is closed, so its client comes back;
//! - a session that keeps failing takes its own connections with it, and nobody else's.

mod actor;
mod elsewhere;
mod entry;
mod hosting;
mod look;
mod presence;
mod registry;

pub(crate) use actor::{PassOn, Passivation, Shard, ShardMessage};
#[cfg(test)]
pub(crate) use entry::ENTRY_BYTES;
pub(crate) use entry::{Arriving, Attachment};
