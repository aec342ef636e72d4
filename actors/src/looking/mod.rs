//! Who is looking at what: presence, typing, and receipts as they come. Nothing of it is stored, acknowledged or sent twice
//! to be sure; what gets lost is made up for by the next change or the next renewal.
//!
//! A [`Topic`] is what can be looked at: a user, or a conversation. It has an owner, the node whose its slot is. A *host* is
//! a node with connections that look at it. One actor on each node is both:
//!
//! - [`host`] knows what each connection of this node watches, and what it has been told; no IO;
//! - [`owner`] knows which hosts watch a topic of this node, and passes news on to them; no IO;
//! - [`actor`] carries out what both decide; [`look`] reads what may be seen when it is a
//!   connection's [turn](turns), and [`news`] is what is said between nodes;
//! - [`typing`] bounds what one connection says.
//!
//! Whether a user is there is known to the user's shard on its owner (`shard/presence.rs`), which tells of users that
//! somebody watches.
//!
//! Invariants:
//! - a connection that watches nothing, and a user whom nobody watches, cost nothing here;
//! - everything ends by itself: watches after [`WATCH_MS`](rookery_protocol::limits::WATCH_MS), hosts after twice that;
//! - nobody is told what a user hides from them, from the moment on in which the owner has heard of it.

mod actor;
mod host;
mod look;
mod news;
mod owner;
mod turns;
mod typing;

use std::sync::{PoisonError, RwLock};

use ractor::ActorRef;

pub(crate) use actor::{LookingActor, LookingMessage};
pub(crate) use look::may_type;
pub(crate) use news::{News, Topic, put_topics, read_topics, topics_bytes_hint};
pub(crate) use typing::TypingPace;

/// The way to a node's [`LookingActor`].
#[derive(Debug, Default)]
pub(crate) struct Looking {
    actor: RwLock<Option<ActorRef<LookingMessage>>>,
}

impl Looking {
    pub(crate) fn set(&self, actor: ActorRef<LookingMessage>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Tells it. One that has just failed drops it, and its successor learns by renewals.
    pub(crate) fn tell(&self, message: LookingMessage) {
        if let Some(actor) = &*self.actor.read().unwrap_or_else(PoisonError::into_inner) {
            let _ = actor.cast(message);
        }
    }
}
