//! All of a node's links.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use ractor::{ActorCell, ActorRef, ActorRuntime, pg, registry};
use rookery_actors::{
    LINK_BATCH_BYTES_MAX, LinkDown, LinkEvents, LinkStatus, Links, Peer, remotable_messages,
};
use rookery_store::keys::node::NodeId;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::accept::accept;
use super::peer::{Ending, Link};
use super::router::{GROUP, Router, RouterMessage, SCOPE};
use super::tls::LinkTls;

/// How long links have to end.
const STOP_MAX: Duration = Duration::from_secs(3);

/// What links need.
pub struct LinkConfig {
    /// Where other nodes dial.
    pub listen: TcpListener,
    /// Who this node is.
    pub id: NodeId,
    /// How it proves that.
    pub tls: LinkTls,
    /// Who is told.
    pub events: LinkEvents,
}

impl std::fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkConfig({})", self.id)
    }
}

/// The links of a node. They live until [`stop`](Self::stop).
pub struct ClusterLinks {
    shared: Arc<Shared>,
    running: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl std::fmt::Debug for ClusterLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClusterLinks({})", self.shared.own())
    }
}

/// What all of a node's links have in common.
pub(super) struct Shared {
    own: RwLock<NodeId>,
    pub(super) tls: LinkTls,
    router: ActorRef<RouterMessage>,
    links: RwLock<Kept>,
    pub(super) stop: watch::Sender<bool>,
    runtime: Handle,
    /// Tasks hold a copy for as long as they run.
    running: mpsc::WeakSender<()>,
}

#[derive(Default)]
struct Kept {
    links: HashMap<NodeId, Arc<Link>>,
    /// Those that are kept no longer and have not quite ended. Who is kept again begins after that, so that nobody hears
    /// of the old link's end after the new one's beginning.
    ending: HashMap<NodeId, Ending>,
}

impl ClusterLinks {
    /// Takes links from now on; it dials nobody before [`keep`](Links::keep). Needs a runtime of tokio around it.
    ///
    /// # Panics
    /// When messages of this program could leave their node that must not: each of their actors would be told to every
    /// peer.
    pub fn start(config: LinkConfig) -> Arc<Self> {
        let LinkConfig { listen, id, tls, events } = config;
        let (router, _) = ActorRuntime::spawn_instant(None, Router, events)
            .expect("an actor without a name is always started");
        pg::join_scoped(SCOPE.to_owned(), GROUP.to_owned(), vec![router.get_cell()]);
        assert_eq!(remotable_strangers(), [""; 0], "only routers may be sent to from other nodes");
        let (alive, running) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            own: RwLock::new(id),
            tls,
            router,
            links: RwLock::default(),
            stop: watch::Sender::new(false),
            runtime: Handle::current(),
            running: alive.downgrade(),
        });
        let accepting = accept(shared.clone(), listen, shared.stop.subscribe());
        tokio::spawn(async move {
            accepting.await;
            drop(alive);
        });
        Arc::new(Self { shared, running: tokio::sync::Mutex::new(running) })
    }

    /// Ends all links and stops listening. When this returns nothing is told any more, and the port is free.
    pub async fn stop(&self) {
        self.shared.stop.send_replace(true);
        let ended = async { while self.running.lock().await.recv().await.is_some() {} };
        if tokio::time::timeout(STOP_MAX, ended).await.is_err() {
            tracing::warn!("links did not end in time");
        }
        if let Err(error) = self.shared.router.drain_and_wait(Some(STOP_MAX)).await {
            tracing::warn!(%error, "the router of links did not end in time");
        }
    }
}

impl Links for ClusterLinks {
    fn keep(&self, peers: Vec<Peer>) {
        let own = self.shared.own();
        let mut kept = self.shared.links.write().expect("nothing panics while it holds this lock");
        let Kept { links, ending } = &mut *kept;
        let wanted: HashMap<NodeId, String> = peers
            .into_iter()
            .filter(|peer| peer.id.name != own.name)
            .map(|peer| (peer.id, peer.address))
            .collect();
        ending.retain(|_, ending| !ending.is_over());
        for (id, link) in links.extract_if(|id, _| !wanted.contains_key(id)) {
            ending.insert(id, link.end());
        }
        for (id, address) in wanted {
            if let Some(link) = links.get(&id) {
                link.set_address(address);
            } else if let Some(running) = self.shared.running.upgrade() {
                let before = ending.remove(&id);
                let (link, keeper) = Link::new(self.shared.clone(), id.clone(), address);
                links.insert(id, link);
                self.shared.runtime.spawn(async move {
                    if let Some(before) = before {
                        before.over().await;
                    }
                    Box::pin(keeper.run()).await;
                    drop(running);
                });
            }
        }
    }

    fn identify(&self, me: NodeId) {
        *self.shared.own.write().expect("nothing panics while it holds this lock") = me;
        self.keep(Vec::new());
    }

    fn send(&self, to: &NodeId, batch: Bytes) -> Result<(), LinkDown> {
        if batch.len() > LINK_BATCH_BYTES_MAX {
            tracing::error!(bytes = batch.len(), "a batch is too long for a link");
            return Err(LinkDown);
        }
        self.shared.link(to).ok_or(LinkDown)?.send(batch)
    }

    fn reset(&self, to: &NodeId) {
        if let Some(link) = self.shared.link(to) {
            link.reset();
        }
    }

    fn status(&self) -> Vec<LinkStatus> {
        let kept = self.shared.links.read().expect("nothing panics while it holds this lock");
        let mut status: Vec<_> = kept.links.values().map(|link| link.status()).collect();
        status.sort_by(|a, b| a.peer.cmp(&b.peer));
        status
    }
}

impl Shared {
    pub(super) fn own(&self) -> NodeId {
        self.own.read().expect("nothing panics while it holds this lock").clone()
    }

    pub(super) fn link(&self, peer: &NodeId) -> Option<Arc<Link>> {
        self.links.read().expect("nothing panics while it holds this lock").links.get(peer).cloned()
    }

    pub(super) fn router_pid(&self) -> u64 {
        self.router.get_id().pid()
    }

    pub(super) fn tell(&self, message: RouterMessage) {
        // It is gone when the node stops, and then nobody is told any more.
        let _ = self.router.cast(message);
    }
}

/// Whatever could leave this node and is no router: message types by name, living actors by id.
fn remotable_strangers() -> Vec<String> {
    // By what they take, since another node of this process may have a router that has not joined its group yet. What is
    // not of this process is a peer's router, which the peer has looked at.
    let is_router = |actor: &ActorCell| actor.is_message_type_of::<RouterMessage>().unwrap_or(true);
    let actors = registry::pid_registry::get_all_pids()
        .into_iter()
        .filter(|actor| actor.supports_remoting() && !is_router(actor));
    let types = remotable_messages().into_iter().map(str::to_owned);
    types.chain(actors.map(|actor| format!("those of actor {}", actor.get_id()))).collect()
}
