//! Finds the shard of a user, here or on another node.

use std::sync::{Arc, RwLock};

use bytes::Bytes;
use metrics::counter;
use ractor::ActorRef;
use rookery_protocol::{Stamp, UserId};

use crate::metrics::DOORBELLS_SHED;
use crate::session::Hint;
use crate::shard::ShardMessage;
use rookery_store::placement::Slot;

/// Who owns which slot.
pub trait Placement: Send + Sync + 'static {
    /// The owner of a slot, as far as this node knows.
    fn owner(&self, slot: Slot) -> Owner;
}

/// A slot's owner.
#[derive(Clone)]
pub enum Owner {
    /// This node.
    Here,
    /// The node at the other end of this link.
    Elsewhere(Arc<dyn NodeLink>),
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Here => "Here",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

/// Every slot is this node's.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneNode;

impl Placement for OneNode {
    fn owner(&self, _: Slot) -> Owner {
        Owner::Here
    }
}

/// "The inbox of this user has grown."
#[derive(Debug, Clone)]
pub struct Doorbell {
    /// Whose.
    pub user: UserId,
    /// The event's stamp and frame, to spare reading it. Never needed.
    pub event: Option<(Stamp, Bytes)>,
}

/// A link to another node. Never blocks and never promises: what matters is in the store.
pub trait NodeLink: Send + Sync + 'static {
    /// Passes a doorbell on.
    ///
    /// # Errors
    /// When there is no room; the doorbell is lost, and a sweep makes up for it.
    fn try_send(&self, doorbell: Doorbell) -> Result<(), LinkFull>;
}

/// A link has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link has no room")]
pub struct LinkFull;

/// Finds shards.
pub(crate) struct Router {
    placement: Arc<dyn Placement>,
    shards: RwLock<Vec<ActorRef<ShardMessage>>>,
}

impl Router {
    pub(crate) fn new(placement: Arc<dyn Placement>) -> Self {
        Self { placement, shards: RwLock::default() }
    }

    /// Sets the shards of this node, or one anew.
    pub(crate) fn set_shard(&self, at: usize, shard: ActorRef<ShardMessage>) {
        let mut shards = self.shards.write().expect("nothing panics while it holds this lock");
        if at == shards.len() {
            shards.push(shard);
        } else {
            shards[at] = shard;
        }
    }

    /// Tells a user's shard on this node. A shard that has just failed drops what it is told; so does a node that is
    /// stopping.
    pub(crate) fn to_shard(&self, user: UserId, message: ShardMessage) {
        let shards = self.shards.read().expect("nothing panics while it holds this lock");
        if !shards.is_empty() {
            let _ = shards[Slot::of_user(user).shard(shards.len())].cast(message);
        }
    }

    /// Rings at a user's session, wherever it is.
    pub(crate) fn ring(&self, user: UserId, hint: Option<Hint>) {
        match self.placement.owner(Slot::of_user(user)) {
            Owner::Here => self.to_shard(user, ShardMessage::Doorbell { user, hint }),
            Owner::Elsewhere(link) => {
                let doorbell = Doorbell { user, event: hint.map(|hint| (hint.stamp, hint.frame)) };
                if link.try_send(doorbell).is_err() {
                    counter!(DOORBELLS_SHED).increment(1);
                }
            }
        }
    }

    /// Each shard of this node.
    pub(crate) fn shards(&self) -> Vec<ActorRef<ShardMessage>> {
        self.shards.read().expect("nothing panics while it holds this lock").clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Remote {
        rung: Mutex<Vec<UserId>>,
        is_full: bool,
    }

    impl NodeLink for Remote {
        fn try_send(&self, doorbell: Doorbell) -> Result<(), LinkFull> {
            if self.is_full {
                return Err(LinkFull);
            }
            self.rung.lock().expect("not poisoned").push(doorbell.user);
            Ok(())
        }
    }

    struct AllElsewhere(Arc<Remote>);

    impl Placement for AllElsewhere {
        fn owner(&self, _: Slot) -> Owner {
            Owner::Elsewhere(self.0.clone())
        }
    }

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("an id")
    }

    #[test]
    fn a_doorbell_for_another_nodes_user_goes_over_its_link() {
        let remote = Arc::new(Remote::default());
        let router = Router::new(Arc::new(AllElsewhere(remote.clone())));
        router.ring(user(7), None);
        assert_eq!(*remote.rung.lock().expect("not poisoned"), [user(7)]);
    }

    #[test]
    fn a_doorbell_that_a_full_link_does_not_take_is_dropped_without_waiting() {
        let remote = Arc::new(Remote { is_full: true, ..Remote::default() });
        let router = Router::new(Arc::new(AllElsewhere(remote.clone())));
        router.ring(user(7), None);
        assert!(remote.rung.lock().expect("not poisoned").is_empty());
    }
}
