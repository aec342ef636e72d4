//! How this node joins its cluster. What it does while it is a member, and how it leaves, is the actors'.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rookery_actors::{ClusterParts, LinkDown, LinkEvent, LinkEvents, LinkStatus, Links, Peer};
use rookery_store::keys::node::NodeId;
use rookery_store::ops::{Join, JoinError, join};
use rookery_store::{Store, StoreError};
use tokio::net::TcpListener;

use crate::link::{ClusterLinks, LinkConfig, LinkTls};

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
        let joined = join(store, op.clone()).await??;
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
