//! This node's part in its cluster: how it joins, and how it gives away what is its own. What it does while it is a
//! member, and how it leaves, is the actors'.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use rookery_actors::{ClusterParts, LinkDown, LinkEvent, LinkEvents, LinkStatus, Links, Peer};
use rookery_store::keys::node::{NodeId, NodeName};
use rookery_store::keys::view::ClusterView;
use rookery_store::ops::{Join, JoinError, Joined, MoveSlots, SetDraining};
use rookery_store::{Store, StoreError};
use tokio::net::TcpListener;

use crate::link::{ClusterLinks, LinkConfig, LinkTls};

/// What orders the changes of the view: there is one view.
pub(crate) const VIEW: &str = "view";

/// Slots given away at a time: their users are registered with their new owners before the next ones move.
const STEP_SLOTS: u16 = 512;

/// Between two steps.
const STEP_PAUSE: Duration = Duration::from_millis(50);

/// Steps at most: as many as there are slots for, and some for what others change meanwhile.
const STEPS_MAX: usize = 64;

/// Why a node is not part of its cluster.
#[derive(Debug, thiserror::Error)]
pub enum JoinClusterError {
    /// The store does not answer.
    #[error("the node cannot join its cluster: the store does not take it")]
    Store(#[from] StoreError),
    /// The cluster does not take it.
    #[error("the node cannot join its cluster")]
    Refused(#[from] JoinError),
}

/// What a node has to join with.
pub(crate) struct Joining {
    /// What it says of itself.
    pub(crate) op: Join,
    /// Where it takes links, and how it proves who it is; none if it takes none.
    pub(crate) link: Option<(TcpListener, LinkTls)>,
}

/// A node that is a member.
pub(crate) struct Member {
    pub(crate) parts: ClusterParts,
    pub(crate) links: Option<Arc<ClusterLinks>>,
}

impl Joining {
    /// Joins, and takes links. They dial nobody before the actors tell them whom.
    pub(crate) async fn join(self, store: &Store) -> Result<Member, JoinClusterError> {
        let Self { op, link } = self;
        let joined: Joined = store.submit(&VIEW, op.clone()).await?.answer?;
        // The actors take what links tell, and are started with them.
        let actors: Arc<OnceLock<LinkEvents>> = Arc::default();
        let tell = {
            let actors = actors.clone();
            Arc::new(move |event: LinkEvent| {
                if let Some(actors) = actors.get() {
                    actors(event);
                }
            })
        };
        let links = match link {
            Some((listen, tls)) => {
                let config = LinkConfig { listen, id: joined.id.clone(), tls, events: tell };
                Some(ClusterLinks::start(config))
            }
            None => None,
        };
        let handed: Arc<dyn Links> = links.clone().map_or_else(|| Arc::new(NoLinks) as _, |links| links as _);
        let start = move |events: LinkEvents| {
            let first = actors.set(events).is_ok();
            debug_assert!(first, "the actors are started once");
            handed
        };
        let parts = ClusterParts { joined, join: op, links: Box::new(start), speaks_max: None };
        Ok(Member { parts, links })
    }
}

/// Of a node that takes no links: what it has to say goes through the store.
struct NoLinks;

impl Links for NoLinks {
    fn keep(&self, _: Vec<Peer>) {}

    fn identify(&self, _: NodeId) {}

    fn send(&self, _: &NodeId, _: Bytes) -> Result<(), LinkDown> {
        Err(LinkDown)
    }

    fn reset(&self, _: &NodeId) {}

    fn status(&self) -> Vec<LinkStatus> {
        Vec::new()
    }
}

/// Gives a node's slots to the others, in steps. How many it still has: all, when no other takes slots.
pub(crate) async fn hand_over(store: &Store, name: &NodeName) -> Result<usize, StoreError> {
    let view = store.submit(&VIEW, SetDraining { name: name.clone(), draining: true }).await?.answer?;
    let Some(mut view) = view else { return Ok(0) };
    if !others_take_slots(&view, name) {
        return Ok(view.slots_of(name));
    }
    for _ in 0..STEPS_MAX {
        let moved = store.submit(&VIEW, MoveSlots { at_most: STEP_SLOTS }).await?.answer?;
        view = moved.view;
        if moved.left == 0 {
            break;
        }
        tokio::time::sleep(STEP_PAUSE).await;
    }
    Ok(view.slots_of(name))
}

/// Whether there is another member that takes a node's slots: one that is not draining and has a weight.
pub(crate) fn others_take_slots(view: &ClusterView, name: &NodeName) -> bool {
    view.members.iter().any(|member| member.name != *name && !member.draining && member.weight > 0)
}

#[cfg(test)]
mod tests {
    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;
    use rookery_store::placement::SLOTS;

    use super::*;

    async fn join(store: &Store, name: &str) {
        let join = Join {
            name: name.parse().unwrap(),
            link: String::new(),
            admin: String::new(),
            clients: Vec::new(),
            weight: 100,
            version: "0".into(),
            pid: 1,
            nonce: 1,
        };
        store.submit(&VIEW, join).await.unwrap().answer.unwrap();
    }

    #[tokio::test]
    async fn slots_that_nobody_takes_are_left_and_others_are_not() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let (first, second) = ("chat1".parse().unwrap(), "chat2".parse().unwrap());
        join(&store, "chat1").await;
        assert_eq!(hand_over(&store, &first).await.unwrap(), usize::from(SLOTS));
        join(&store, "chat2").await;
        assert_eq!(hand_over(&store, &first).await.unwrap(), 0);
        assert_eq!(hand_over(&store, &second).await.unwrap(), usize::from(SLOTS));
    }
}
