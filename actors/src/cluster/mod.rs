//! One node among several: who the others are, what is whose, and the ways to them.
//!
//! Truth is the store: leases and the view. What nodes tell one another are bells and registrations, which may be lost,
//! doubled or late; sweeps and repetitions make up for it. No request of a client waits for another node.
//!
//! - [`membership`] decides who lives, with no IO; [`actor`] carries it out.
//! - [`placed`] is the view as a table of ways; [`peers`] are the ways, [`outgoing`] what waits on each, with no IO;
//!   [`peer`] sends it, over a link or by mail.
//! - [`message`] is what nodes say, [`inbound`] where it goes; [`links`] is what carries it, handed in.
//!
//! The registry of hosts is the shards': `shard/registry.rs` on the owner's side, `shard/hosting.rs` on the host's.

mod actor;
mod complaint;
mod hand_over;
mod inbound;
mod links;
mod membership;
mod message;
mod outgoing;
mod peer;
mod peers;
mod placed;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ractor::ActorRef;
use rookery_protocol::UserId;
use rookery_store::keys::node::{NodeId, NodeName};
use rookery_store::keys::view::{ClusterView, Member};
use rookery_store::ops::{Join, Joined, RemoveNode};
use rookery_store::placement::Slot;
use rookery_store::{Store, StoreError};
use tokio::sync::watch;
use xxhash_rust::xxh3::xxh3_64;

pub(crate) use actor::{MembershipActor, MembershipMessage};
pub use hand_over::{VIEW, hand_over, others_take_slots};
pub use links::{LINK_BATCH_BYTES_MAX, LinkDown, LinkEvent, LinkState, LinkStatus, Links, Peer as LinkPeer};
pub(crate) use message::{Bell, Bells, HostedDevice, LinkMessage};
pub use outgoing::Depth;
pub(crate) use peer::PeerMessage;
pub(crate) use peers::{Peer, Peers};
pub(crate) use placed::{Owner, Placed};

use crate::context::Context;

/// Takes what links tell. Never blocks.
pub type LinkEvents = Arc<dyn Fn(LinkEvent) + Send + Sync>;

/// A node's part in a cluster that it has joined.
pub struct ClusterParts {
    /// What joining gave: this run of this node, and the view.
    pub joined: Joined,
    /// To join again, should the others have taken this node for dead. The nonce is replaced.
    pub join: Join,
    /// Starts the links, which tell what happens to them.
    pub links: Box<dyn FnOnce(LinkEvents) -> Arc<dyn Links> + Send>,
    /// The newest format of batches to write, if not the newest known: for upgrades, and tests of them.
    pub speaks_max: Option<u8>,
}

impl std::fmt::Debug for ClusterParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterParts").field("joined", &self.joined.id).finish_non_exhaustive()
    }
}

/// A node's cluster as it sees it, for operators.
#[derive(Debug, Clone)]
pub struct ClusterStatus {
    /// This run of this node.
    pub me: NodeId,
    /// The members and their slots.
    pub view: Arc<ClusterView>,
    /// Whether it cannot renew its lease, and so takes no messages.
    pub is_isolated: bool,
    /// The other nodes.
    pub peers: Vec<PeerStatus>,
}

/// Another node, as this one sees it.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Which run of which node.
    pub id: NodeId,
    /// Its link; none if it takes none.
    pub link: Option<LinkStatus>,
    /// What there is to say to it.
    pub waiting: Depth,
}

/// What all actors of a node know of its cluster.
pub(crate) struct Cluster {
    pub(crate) name: NodeName,
    join: Join,
    pub(crate) store: Store,
    pub(crate) peers: Peers,
    speaks_max: u8,
    placed: RwLock<Arc<Placed>>,
    links: peers::Late<Arc<dyn Links>>,
    membership: RwLock<Option<ActorRef<MembershipMessage>>>,
    isolated: AtomicBool,
    numbers: AtomicU64,
    superseded: watch::Sender<bool>,
    /// The node has been removed, and joins as another run of itself.
    rejoining: AtomicBool,
    /// The node is stopping: it is not to join again.
    leaving: AtomicBool,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("me", &self.me()).finish_non_exhaustive()
    }
}

impl Cluster {
    pub(crate) fn new(store: Store, joined: Joined, join: Join, speaks_max: Option<u8>) -> Arc<Self> {
        let Joined { id: me, view } = joined;
        let speaks_max = speaks_max.unwrap_or(message::VERSION_MAX);
        let peers = Peers::default();
        let others: Vec<NodeId> =
            view.members.iter().map(|member| member.id()).filter(|id| *id != me).collect();
        let view = Arc::new(view);
        let speaks_max = speaks_max.clamp(message::VERSION_MIN, message::VERSION_MAX);
        peers.keep(&others, speaks_max);
        let name = me.name.clone();
        let placed = Placed::new(me, view, &peers);
        Arc::new(Self {
            name,
            join,
            store,
            peers,
            speaks_max,
            placed: RwLock::new(Arc::new(placed)),
            links: peers::Late::new(),
            membership: RwLock::new(None),
            isolated: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            superseded: watch::Sender::new(false),
            rejoining: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        })
    }

    /// Starts the links. Once, before the actors.
    pub(crate) fn start_links(
        self: &Arc<Self>,
        context: &Arc<Context>,
        start: impl FnOnce(LinkEvents) -> Arc<dyn Links>,
    ) {
        let (cluster, context) = (Arc::downgrade(self), Arc::downgrade(context));
        let links = start(Arc::new(move |event| {
            let (Some(cluster), Some(context)) = (cluster.upgrade(), context.upgrade()) else { return };
            // In the order in which it comes: what a link has carried counts for that link alone.
            match &event {
                LinkEvent::Batch { from, batch } => return inbound::batch(&context, &cluster, from, batch),
                LinkEvent::Up(id) => {
                    if let Some(peer) = cluster.peers.get(id) {
                        peer.link_up();
                    }
                }
                LinkEvent::Down(id) | LinkEvent::Refused(id) => {
                    if let Some(peer) = cluster.peers.get(id) {
                        peer.link_down();
                    }
                }
            }
            cluster.tell(MembershipMessage::Link(event));
        }));
        assert!(self.links.set(links).is_ok(), "links are started once");
    }

    pub(crate) fn links(&self) -> &dyn Links {
        &**self.links.get().expect("links are started before the actors")
    }

    pub(crate) fn placed(&self) -> Arc<Placed> {
        self.placed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn view(&self) -> Arc<ClusterView> {
        self.placed().view.clone()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.placed.read().unwrap_or_else(PoisonError::into_inner).epoch()
    }

    /// Whose a user's slot is.
    pub(crate) fn owner_of(&self, user: UserId) -> Owner {
        self.placed.read().unwrap_or_else(PoisonError::into_inner).owner(Slot::of_user(user))
    }

    /// This run of this node.
    pub(crate) fn me(&self) -> NodeId {
        self.placed.read().unwrap_or_else(PoisonError::into_inner).me.clone()
    }

    fn place(&self, me: NodeId, view: Arc<ClusterView>) {
        let placed = Arc::new(Placed::new(me, view, &self.peers));
        *self.placed.write().unwrap_or_else(PoisonError::into_inner) = placed;
    }

    /// Numbers that grow: the order of what this run of the node has said.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A number that no other post of any node has: mail tells posts apart by it.
    pub(crate) fn nonce(&self) -> u64 {
        xxh3_64(format!("{} {}", self.me(), self.next_number()).as_bytes())
    }

    /// Tells every other node.
    pub(crate) fn tell_all(&self, message: &LinkMessage) {
        for peer in self.peers.all() {
            peer.send(message.clone());
        }
    }

    pub(crate) fn tell(&self, message: MembershipMessage) {
        if let Some(actor) = &*self.membership.read().unwrap_or_else(PoisonError::into_inner) {
            // One that has failed has a successor soon, which looks at the store first.
            let _ = actor.cast(message);
        }
    }

    fn set_membership(&self, actor: ActorRef<MembershipMessage>) {
        *self.membership.write().unwrap_or_else(PoisonError::into_inner) = Some(actor);
    }

    /// Whether this node could not renew its lease for so long that it must not take messages.
    pub(crate) fn is_isolated(&self) -> bool {
        self.isolated.load(Ordering::Acquire)
    }

    /// Whether links are to be expected and none is up. While one is, the store may be out of everybody's reach: then no
    /// other node is of more use.
    fn is_cut_off(&self) -> bool {
        let takes_links = |other: &Member| other.name != self.name && !other.link.is_empty();
        !self.join.link.is_empty()
            && self.view().members.iter().any(takes_links)
            && !self.peers.all().iter().any(|peer| peer.outgoing().is_up())
    }

    /// Whether that is news.
    fn set_isolated(&self, isolated: bool) -> bool {
        self.isolated.swap(isolated, Ordering::AcqRel) != isolated
    }

    /// For operators.
    pub(crate) fn status(&self) -> ClusterStatus {
        let links = self.links().status();
        let peer = |peer: &Arc<Peer>| PeerStatus {
            id: peer.id.clone(),
            link: links.iter().find(|link| link.peer == peer.id).cloned(),
            waiting: peer.depth(),
        };
        let mut peers: Vec<PeerStatus> = self.peers.all().iter().map(peer).collect();
        peers.sort_by(|one, other| one.id.cmp(&other.id));
        ClusterStatus { me: self.me(), view: self.view(), is_isolated: self.is_isolated(), peers }
    }

    /// Takes this node out of the cluster for good.
    pub(crate) async fn leave(&self) -> Result<(), StoreError> {
        self.leaving.store(true, Ordering::Release);
        let op = RemoveNode { id: self.me(), seen_renewed: None };
        self.store.submit(&self.name, op).await?.answer.map(|_| ())
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Another process has this node's name.
    fn is_superseded(&self) {
        tracing::error!(me = %self.me(), "another process has joined the cluster under this node's name");
        self.set_isolated(true);
        self.superseded.send_replace(true);
    }

    /// Completes when another process has this node's name.
    pub(crate) async fn superseded(&self) {
        let mut superseded = self.superseded.subscribe();
        // The sender is in `self`.
        let _ = superseded.wait_for(|superseded| *superseded).await;
    }
}
