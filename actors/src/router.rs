//! Finds the shard of a user, and rings users wherever they are.
//!
//! Whoever has committed something for a user rings at the user's session here, if there is one, and at the user's owner,
//! which passes the bell on to the hosts registered with it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use metrics::counter;
use ractor::ActorRef;
use rookery_protocol::{MessageId, UserId};
use rookery_store::keys::node::NodeId;
use rookery_store::placement::Slot;

use crate::cluster::{Bell, Bells, Cluster, LinkMessage, Owner, Peer};
use crate::inspect::Steps;
use crate::metrics::DOORBELLS_SHED;
use crate::session::Hint;
use crate::shard::{PassOn, ShardMessage};

/// How often a bell is passed on by nodes that are not the owner, each of which thinks it knows who is.
const HOPS_MAX: u8 = 3;

/// So many users are rung one by one: to sort them would cost more.
const FEW: usize = 2;

/// Finds shards.
pub(crate) struct Router {
    cluster: Option<Arc<Cluster>>,
    steps: Steps,
    shards: RwLock<Vec<ActorRef<ShardMessage>>>,
}

/// Users by their owners: this node, and others.
struct ByOwner {
    mine: Vec<UserId>,
    others: Vec<(Arc<Peer>, Vec<UserId>)>,
}

impl Router {
    /// Of a node in this cluster, or of one alone.
    pub(crate) fn new(cluster: Option<Arc<Cluster>>, steps: Steps) -> Self {
        Self { cluster, steps, shards: RwLock::default() }
    }

    /// Sets the shards of this node, or one anew.
    pub(crate) fn set_shard(&self, at: usize, shard: ActorRef<ShardMessage>) {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        if at == shards.len() {
            shards.push(shard);
        } else {
            shards[at] = shard;
        }
    }

    /// Tells a user's shard on this node. A shard that has just failed drops what it is told; so does a node that is
    /// stopping.
    pub(crate) fn to_shard(&self, user: UserId, message: ShardMessage) {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        if !shards.is_empty() {
            let at = usize::from(Slot::of_user(user).number()) % shards.len();
            let _ = shards[at].cast(message);
        }
    }

    /// Rings a user, wherever the user's devices are. `id` is the message it is for, where it is one.
    pub(crate) fn ring(&self, user: UserId, id: Option<MessageId>, hint: Option<Hint>) {
        let pass_on = match self.owner(user) {
            Owner::Here => PassOn::ToAll,
            Owner::Elsewhere(owner) => {
                let event = hint.as_ref().map(|hint| (hint.stamp, hint.frame.clone()));
                self.steps.rung(user, event.as_ref().map(|(_, frame)| frame), Some(&owner.id.name));
                owner.send(LinkMessage::Ring { bell: Bell { user, id, event }, hops: 0 });
                PassOn::No
            }
        };
        self.to_shard(user, ShardMessage::Doorbell { user, id, hint, pass_on });
    }

    /// Rings several users for the same event, with one message for each owner and each shard.
    pub(crate) fn ring_many(&self, users: &[UserId], id: Option<MessageId>, hint: Option<&Hint>) {
        if users.len() <= FEW {
            return users.iter().for_each(|user| self.ring(*user, id, hint.cloned()));
        }
        let ByOwner { mine, others } = self.by_owner(users.to_vec());
        self.steps.many_rung(&mine, hint.map(|hint| &hint.frame), None);
        for (owner, users) in others {
            let event = hint.map(|hint| (hint.stamp, hint.frame.clone()));
            self.steps.many_rung(&users, event.as_ref().map(|(_, frame)| frame), Some(&owner.id.name));
            self.to_shards(&users, id, hint, &PassOn::No);
            owner.send(LinkMessage::RingMany { bells: Bells { users, id, event }, hops: 0 });
        }
        self.to_shards(&mine, id, hint, &PassOn::ToAll);
    }

    /// Which of these users are this node's, and which others'.
    fn by_owner(&self, users: Vec<UserId>) -> ByOwner {
        let Some(cluster) = &self.cluster else { return ByOwner { mine: users, others: Vec::new() } };
        let placed = cluster.placed();
        let (mut mine, mut others) = (Vec::new(), Vec::<(Arc<Peer>, Vec<UserId>)>::new());
        for user in users {
            match placed.owner(Slot::of_user(user)) {
                Owner::Here => mine.push(user),
                Owner::Elsewhere(owner) => match others.iter_mut().find(|(other, _)| other.id == owner.id) {
                    Some((_, users)) => users.push(user),
                    None => others.push((owner, vec![user])),
                },
            }
        }
        ByOwner { mine, others }
    }

    /// Tells the shards of these users that they are rung: each shard once.
    fn to_shards(&self, users: &[UserId], id: Option<MessageId>, hint: Option<&Hint>, pass_on: &PassOn) {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        let mut by_shard: BTreeMap<usize, Vec<UserId>> = BTreeMap::new();
        for user in users.iter().filter(|_| !shards.is_empty()) {
            let at = usize::from(Slot::of_user(*user).number()) % shards.len();
            by_shard.entry(at).or_default().push(*user);
        }
        for (at, users) in by_shard {
            let (hint, pass_on) = (hint.cloned(), pass_on.clone());
            // As when one is rung.
            let _ = shards[at].cast(ShardMessage::Doorbells { users, id, hint, pass_on });
        }
    }

    /// Rings at this node's own session of a user alone.
    pub(crate) fn ring_here(&self, user: UserId) {
        self.to_shard(user, ShardMessage::Doorbell { user, id: None, hint: None, pass_on: PassOn::No });
    }

    /// Another node rings a user whose owner it takes this node for. `is_newer`: its view is later than this node's.
    /// Whether this node is not.
    pub(crate) fn rung(&self, bell: Bell, hops: u8, from: Option<&NodeId>, is_newer: bool) -> bool {
        if is_newer || self.owner(bell.user).is_here() {
            let pass_on = from.map_or(PassOn::ToAll, |from| PassOn::ToAllBut(from.clone()));
            self.bell_to_shard(bell, pass_on);
            return false;
        }
        // The owner passes it on to everybody but this node, which it has it from.
        self.bell_to_shard(bell.clone(), PassOn::No);
        self.route(bell, hops.saturating_add(1));
        true
    }

    /// Passes a bell to the owner, as this node knows it.
    pub(crate) fn route(&self, bell: Bell, hops: u8) {
        match self.owner(bell.user) {
            Owner::Here => self.bell_to_shard(bell, PassOn::ToAll),
            Owner::Elsewhere(owner) if hops <= HOPS_MAX => owner.send(LinkMessage::Ring { bell, hops }),
            // Views differ and do not settle: a sweep makes up for it.
            Owner::Elsewhere(_) => counter!(DOORBELLS_SHED).increment(1),
        }
    }

    /// As [`rung`](Self::rung), for many.
    pub(crate) fn rung_many(&self, bells: &Bells, hops: u8, from: Option<&NodeId>, is_newer: bool) -> bool {
        let ByOwner { mut mine, others: mut astray } = self.by_owner(bells.users.clone());
        if is_newer {
            mine.extend(astray.drain(..).flat_map(|(_, users)| users));
        }
        let hint = bells.event.clone().map(|(stamp, frame)| Hint { stamp, frame, sender: None });
        let pass_on = from.map_or(PassOn::ToAll, |from| PassOn::ToAllBut(from.clone()));
        self.steps.many_rung(&mine, hint.as_ref().map(|hint| &hint.frame), None);
        self.to_shards(&mine, bells.id, hint.as_ref(), &pass_on);
        let is_astray = !astray.is_empty();
        for (owner, users) in astray {
            // The owner passes it on to everybody but this node, which it has it from.
            self.to_shards(&users, bells.id, hint.as_ref(), &PassOn::No);
            if hops < HOPS_MAX {
                owner.send(LinkMessage::RingMany { bells: bells.of(users), hops: hops + 1 });
            } else {
                counter!(DOORBELLS_SHED).increment(users.len() as u64);
            }
        }
        is_astray
    }

    /// As [`bell_of_host`](Self::bell_of_host), for many.
    pub(crate) fn bells_of_host(&self, bells: Bells) {
        let hint = bells.event.map(|(stamp, frame)| Hint { stamp, frame, sender: None });
        self.steps.many_rung(&bells.users, hint.as_ref().map(|hint| &hint.frame), None);
        self.to_shards(&bells.users, bells.id, hint.as_ref(), &PassOn::AsHost);
    }

    /// An owner passes a bell on to this node.
    pub(crate) fn bell_of_host(&self, bell: Bell) {
        self.bell_to_shard(bell, PassOn::AsHost);
    }

    fn bell_to_shard(&self, bell: Bell, pass_on: PassOn) {
        let Bell { user, id, event } = bell;
        let hint = event.map(|(stamp, frame)| Hint { stamp, frame, sender: None });
        self.to_shard(user, ShardMessage::Doorbell { user, id, hint, pass_on });
    }

    fn owner(&self, user: UserId) -> Owner {
        self.cluster.as_ref().map_or(Owner::Here, |cluster| cluster.owner_of(user))
    }

    /// Each shard of this node.
    pub(crate) fn shards(&self) -> Vec<ActorRef<ShardMessage>> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
