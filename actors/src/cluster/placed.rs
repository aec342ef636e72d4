//! A view as this node uses it: whose each slot is, with the way there.

use std::collections::BTreeMap;
use std::sync::Arc;

use rookery_store::keys::node::{NodeId, NodeName};
use rookery_store::keys::view::{ClusterView, Member};
use rookery_store::placement::Slot;

use super::peers::{Peer, Peers};
use crate::nodes::ClientNodes;

/// Whose a slot is.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// This node's.
    Here,
    /// That of another.
    Elsewhere(Arc<Peer>),
}

impl Owner {
    /// Whether both are the same run of the same node.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Here, Self::Here) => true,
            (Self::Elsewhere(one), Self::Elsewhere(other)) => one.id == other.id,
            _ => false,
        }
    }

    pub(crate) fn is_here(&self) -> bool {
        matches!(self, Self::Here)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Placed {
    /// This run of this node.
    pub(crate) me: NodeId,
    pub(crate) view: Arc<ClusterView>,
    /// By slot; none is this node.
    owners: Vec<Option<Arc<Peer>>>,
}

impl Placed {
    /// `peers` has every other member of the view.
    pub(super) fn new(me: NodeId, view: Arc<ClusterView>, peers: &Peers) -> Self {
        let others = view.members.iter().map(|member| member.id()).filter(|id| *id != me);
        let ways: BTreeMap<NodeName, Option<Arc<Peer>>> =
            others.map(|id| (id.name.clone(), peers.get(&id))).collect();
        let way = |slot| view.owner(slot).and_then(|owner| ways.get(&owner.name).cloned().flatten());
        let owners = Slot::all().map(way).collect();
        Self { me, view, owners }
    }

    /// Views grow by one at each change.
    pub(crate) fn epoch(&self) -> u64 {
        self.view.epoch.get()
    }

    /// Whether no slot can have moved away and back since an earlier view of this run of the node.
    pub(crate) fn follows(&self, before: &Self) -> bool {
        let is_next = self.epoch() <= before.epoch().saturating_add(1);
        before.me == self.me && (is_next || self.view.decided <= before.view.epoch)
    }

    /// What clients are told of it.
    pub(crate) fn client_nodes(&self) -> ClientNodes {
        let members = &self.view.members;
        // Nobody is sent to a node that is sending its own clients away, unless there is no other.
        let all_drain = members.iter().all(|member| member.draining);
        let takes_clients = |member: &Member| all_drain || !member.draining;
        let urls = members.iter().map(|it| if takes_clients(it) { it.clients.clone() } else { Vec::new() });
        let index = |slot| {
            let owner = self.view.owner(slot)?;
            members.iter().position(|member| member.name == owner.name)
        };
        ClientNodes {
            epoch: self.epoch(),
            urls: urls.collect(),
            this: members.iter().position(|member| member.id() == self.me),
            owners: Slot::all().map_while(index).map(|index| index as u16).collect(),
        }
    }

    pub(crate) fn owner(&self, slot: Slot) -> Owner {
        match &self.owners[usize::from(slot.number())] {
            Some(peer) => Owner::Elsewhere(peer.clone()),
            None => Owner::Here,
        }
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::Epoch;
    use rookery_store::keys::node::Incarnation;

    use super::*;

    fn placed(epoch: u64, decided: u64, incarnation: u64) -> Placed {
        let me =
            NodeId { name: "n1".parse().expect("it is a name"), incarnation: Incarnation::new(incarnation) };
        let mut view = ClusterView::placed(Epoch::new(epoch), Vec::new());
        view.decided = Epoch::new(decided);
        Placed { me, view: Arc::new(view), owners: Vec::new() }
    }

    #[test]
    fn steps_between_two_views_bring_no_slot_back_and_decisions_may() {
        let before = placed(5, 3, 1);
        assert!(placed(6, 6, 1).follows(&before), "one that comes next says itself what has moved");
        assert!(placed(9, 5, 1).follows(&before), "only steps lie between");
        assert!(!placed(9, 6, 1).follows(&before));
        assert!(!placed(6, 3, 2).follows(&before), "another run had nothing registered");
    }
}
