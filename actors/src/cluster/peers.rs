//! This node's ways to the others: one for each member, over its link while that works, else by mail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use ractor::ActorRef;
use rookery_store::keys::node::NodeId;

use super::message::{Header, LinkMessage};
use super::outgoing::{Depth, Outgoing};
use super::peer::PeerMessage;

/// One other node.
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    outgoing: Mutex<Outgoing>,
    /// Its actor has been told that there is something to do, and has not looked yet.
    woken: AtomicBool,
    actor: RwLock<Option<ActorRef<PeerMessage>>>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Peer").field(&self.id).finish()
    }
}

impl Peer {
    pub(crate) fn new(id: NodeId, speaks_max: u8) -> Arc<Self> {
        Arc::new(Self {
            id,
            outgoing: Mutex::new(Outgoing::new(speaks_max)),
            woken: AtomicBool::new(false),
            actor: RwLock::new(None),
        })
    }

    /// Takes a message for it. Never blocks, and never promises: what matters is in the store.
    pub(crate) fn send(&self, message: LinkMessage) {
        self.outgoing().push(message);
        self.wake();
    }

    /// A batch has come from it. Whether it shows, as none did before, that it understands who is looking at what.
    pub(crate) fn heard(&self, header: &Header) -> bool {
        let understands = self.outgoing().heard(header);
        self.wake();
        understands
    }

    /// Its link takes batches from now on.
    pub(super) fn link_up(&self) {
        self.outgoing().link_up();
        self.wake();
    }

    /// Its link takes none.
    pub(super) fn link_down(&self) {
        self.outgoing().link_down();
        self.wake();
    }

    /// What there is to say to it. What is done with it is quick, and does not panic.
    pub(super) fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel)
            && let Some(actor) = &*self.actor.read().unwrap_or_else(PoisonError::into_inner)
        {
            // One that has just failed has a successor soon, which looks by itself.
            let _ = actor.cast(PeerMessage::Flush);
        }
    }

    /// The actor looks now: what comes up later needs another call.
    pub(super) fn looks(&self) {
        self.woken.store(false, Ordering::Release);
    }

    pub(super) fn set_actor(&self, actor: Option<ActorRef<PeerMessage>>) {
        *self.actor.write().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    pub(super) fn actor(&self) -> Option<ActorRef<PeerMessage>> {
        self.actor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is waiting.
    pub(crate) fn depth(&self) -> Depth {
        self.outgoing().depth()
    }
}

/// The others, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: RwLock<HashMap<NodeId, Arc<Peer>>>,
}

impl Peers {
    pub(crate) fn get(&self, id: &NodeId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Keeps these, and says who is no more.
    pub(super) fn keep(&self, ids: &[NodeId], speaks_max: u8) -> Vec<Arc<Peer>> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<NodeId> = peers.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in ids {
            peers.entry(id.clone()).or_insert_with(|| Peer::new(id.clone(), speaks_max));
        }
        gone.iter().filter_map(|id| peers.remove(id)).collect()
    }
}

/// A value that is there once the parts of a node have found one another.
pub(super) type Late<T> = OnceLock<T>;
