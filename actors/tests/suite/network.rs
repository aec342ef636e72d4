//! Several nodes in this process: one store in memory under all of them, and links that can be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rookery_actors::{
    Actors, ActorsConfig, ClusterParts, LinkDown, LinkEvent, LinkEvents, LinkStatus, Links, Parts, Peer,
};
use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::engines::MemoryEngine;
use rookery_store::keys::node::{Incarnation, NodeId, NodeName};
use rookery_store::keys::view::ClusterView;
use rookery_store::ops::{Join, MoveSlots, RemoveNode, SetDraining, join};
use rookery_store::{Batch, CommitStamp, Store, StoreConfig, StoreError, queries};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::client::user;
use crate::node::{self, Node, StepClock, add_user};

/// How long a batch is on its way.
const LATENCY: Duration = Duration::from_micros(200);

/// The wires between nodes.
#[derive(Default)]
pub(crate) struct Network {
    wires: Mutex<Wires>,
}

#[derive(Default)]
struct Wires {
    nodes: BTreeMap<NodeId, mpsc::UnboundedSender<LinkEvent>>,
    wanted: BTreeSet<(NodeId, NodeId)>,
    up: BTreeSet<(NodeId, NodeId)>,
    cut: BTreeSet<(NodeName, NodeName)>,
    /// Links take everything and bring nothing.
    stuck: BTreeSet<NodeName>,
    /// What links to these nodes have taken and not brought yet.
    held: BTreeMap<NodeName, Vec<(NodeId, LinkEvent)>>,
}

impl Network {
    fn wires(&self) -> MutexGuard<'_, Wires> {
        self.wires.lock().expect("not poisoned")
    }

    /// Cuts the wire between two nodes, both ways.
    pub(crate) fn cut(&self, one: &NodeName, other: &NodeName) {
        let mut wires = self.wires();
        wires.cut.insert((one.clone(), other.clone()));
        wires.cut.insert((other.clone(), one.clone()));
        wires.settle();
    }

    /// Every wire is whole again.
    pub(crate) fn heal(&self) {
        let mut wires = self.wires();
        wires.cut.clear();
        wires.stuck.clear();
        wires.settle();
    }

    /// What is sent to this node is taken and goes nowhere; its own batches arrive.
    pub(crate) fn stick(&self, node: &NodeName) {
        self.wires().stuck.insert(node.clone());
    }

    /// What is sent to this node is on its way until it is [released](Self::release).
    pub(crate) fn hold(&self, node: &NodeName) {
        self.wires().held.insert(node.clone(), Vec::new());
    }

    /// What was held back for this node arrives.
    pub(crate) fn release(&self, node: &NodeName) {
        let mut wires = self.wires();
        for (to, event) in wires.held.remove(node).into_iter().flatten() {
            if let Some(events) = wires.nodes.get(&to) {
                let _ = events.send(event);
            }
        }
    }

    fn leave(&self, id: &NodeId) {
        let mut wires = self.wires();
        wires.nodes.remove(id);
        wires.settle();
        let refused: Vec<NodeId> =
            wires.wanted.iter().filter(|(_, to)| to == id).map(|(from, _)| from.clone()).collect();
        for from in refused {
            if let Some(events) = wires.nodes.get(&from) {
                let _ = events.send(LinkEvent::Refused(id.clone()));
            }
        }
        wires.wanted.retain(|(from, _)| from != id);
    }

    /// Links of one node.
    fn links(self: &Arc<Self>, me: NodeId, events: LinkEvents) -> Arc<dyn Links> {
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                sleep(LATENCY).await;
                events(event);
            }
        });
        self.wires().nodes.insert(me.clone(), tell);
        Arc::new(NodeLinks { network: self.clone(), me: Mutex::new(me) })
    }
}

impl Wires {
    /// Brings links up and down as they should be.
    fn settle(&mut self) {
        let both = |(one, other): &&(NodeId, NodeId)| self.wanted.contains(&(other.clone(), one.clone()));
        let live = |(one, other): &&(NodeId, NodeId)| {
            self.nodes.contains_key(one)
                && self.nodes.contains_key(other)
                && !self.cut.contains(&(one.name.clone(), other.name.clone()))
        };
        let due: BTreeSet<(NodeId, NodeId)> = self.wanted.iter().filter(both).filter(live).cloned().collect();
        for (one, other) in self.up.difference(&due) {
            if let Some(events) = self.nodes.get(one) {
                let _ = events.send(LinkEvent::Down(other.clone()));
            }
        }
        for (one, other) in due.difference(&self.up) {
            let _ = self.nodes[one].send(LinkEvent::Up(other.clone()));
        }
        self.up = due;
    }
}

struct NodeLinks {
    network: Arc<Network>,
    me: Mutex<NodeId>,
}

impl NodeLinks {
    fn me(&self) -> NodeId {
        self.me.lock().expect("not poisoned").clone()
    }
}

impl Links for NodeLinks {
    fn keep(&self, peers: Vec<Peer>) {
        let mut wires = self.network.wires();
        let me = self.me();
        wires.wanted.retain(|(from, _)| *from != me);
        for peer in peers {
            wires.wanted.insert((me.clone(), peer.id));
        }
        wires.settle();
    }

    fn identify(&self, me: NodeId) {
        let before = std::mem::replace(&mut *self.me.lock().expect("not poisoned"), me.clone());
        let mut wires = self.network.wires();
        wires.wanted.retain(|(from, _)| *from != before);
        if let Some(events) = wires.nodes.remove(&before) {
            wires.nodes.insert(me, events);
        }
        wires.settle();
    }

    fn send(&self, to: &NodeId, batch: Bytes) -> Result<(), LinkDown> {
        let mut wires = self.network.wires();
        let me = self.me();
        if !wires.up.contains(&(me.clone(), to.clone())) {
            return Err(LinkDown);
        }
        let event = LinkEvent::Batch { from: me, batch };
        if let Some(held) = wires.held.get_mut(&to.name) {
            held.push((to.clone(), event));
        } else if !wires.stuck.contains(&to.name) {
            let _ = wires.nodes[to].send(event);
        }
        Ok(())
    }

    fn reset(&self, _: &NodeId) {}

    fn status(&self) -> Vec<LinkStatus> {
        Vec::new()
    }
}

/// One node's way to the store that all share: it can be switched off, as when the node loses power.
struct Plug {
    engine: Arc<MemoryEngine>,
    off: AtomicBool,
    /// Whether it can only write.
    blind: AtomicBool,
}

impl Plug {
    fn new(engine: Arc<MemoryEngine>) -> Arc<Self> {
        Arc::new(Self { engine, off: AtomicBool::new(false), blind: AtomicBool::new(false) })
    }

    fn check(&self) -> Result<(), StoreError> {
        let off = || StoreError::unavailable(std::io::Error::other("switched off"));
        if self.off.load(Ordering::Acquire) { Err(off()) } else { Ok(()) }
    }
}

impl Engine for Plug {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        match self.check() {
            Ok(()) if self.blind.load(Ordering::Acquire) => {
                let error = StoreError::unavailable(std::io::Error::other("blind"));
                Box::pin(std::future::ready(Err(error)))
            }
            Ok(()) => self.engine.snapshot(),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        match self.check() {
            Ok(()) => self.engine.transact(batch),
            Err(error) => Box::pin(std::future::ready((batch, Err(error)))),
        }
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.engine.watch(key)
    }

    fn limits(&self) -> EngineLimits {
        self.engine.limits()
    }
}

/// A node among others.
pub(crate) struct Member {
    pub(crate) node: Node,
    pub(crate) id: NodeId,
    plug: Arc<Plug>,
    network: Arc<Network>,
}

/// Some nodes over one store.
pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    engine: Arc<MemoryEngine>,
    pub(crate) members: Vec<Member>,
}

impl World {
    /// With nodes a, b, c, ... and users 1 to `users`, two devices each.
    pub(crate) async fn start(nodes: usize, users: u64) -> Self {
        let mut world = Self {
            network: Arc::new(Network::default()),
            engine: Arc::new(MemoryEngine::new()),
            members: Vec::new(),
        };
        let store = Store::start(world.engine.clone(), StoreConfig::default());
        for number in 1..=users {
            add_user(&store, number, 2).await;
        }
        for at in 0..nodes {
            world.join(&char::from(b'a' + at as u8).to_string()).await;
        }
        world.settled().await;
        // Links come up, over which everybody tells the view.
        sleep(10 * LATENCY).await;
        world
    }

    /// Another node joins.
    pub(crate) async fn join(&mut self, name: &str) {
        self.join_with(name, node::config(), None).await;
    }

    pub(crate) async fn join_with(&mut self, name: &str, config: ActorsConfig, speaks_max: Option<u8>) {
        let plug = Plug::new(self.engine.clone());
        let store = Store::start(plug.clone(), StoreConfig::default());
        let name: NodeName = name.parse().expect("a name");
        let op = Join {
            name: name.clone(),
            after: Incarnation::NONE,
            link: format!("{name}:1"),
            admin: String::new(),
            clients: vec![format!("tcp://{name}:2")],
            weight: 100,
            version: "test".into(),
            pid: 1,
            nonce: self.members.len() as u64,
        };
        let joined = join(&store, op.clone()).await.expect("the store takes it").expect("there is room");
        let (network, id) = (self.network.clone(), joined.id.clone());
        let me = id.clone();
        let links = Box::new(move |events| network.links(me, events));
        let clock = Arc::new(StepClock::default());
        let parts = Parts {
            cluster: Some(ClusterParts { joined, join: op, links, speaks_max }),
            clock: clock.clone(),
            ..node::parts(store.clone())
        };
        let actors = Actors::start(config, parts).await.expect("the actors start");
        let node = Node { actors, store, faults: Default::default(), clock };
        self.members.push(Member { node, id, plug, network: self.network.clone() });
    }

    /// What the store says of the cluster.
    pub(crate) async fn view(&self) -> ClusterView {
        let snapshot = self.engine.snapshot().await.expect("memory can be read");
        queries::view(&*snapshot).await.expect("the view can be read")
    }

    /// Waits until a member that was removed is one again, as which run of it.
    pub(crate) async fn join_again(&self, at: usize) -> NodeId {
        let before = &self.members[at].id;
        for _ in 0..1_000 {
            let view = self.view().await;
            if let Some(member) = view.member(&before.name).filter(|member| member.id() != *before) {
                return member.id();
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not join again");
    }

    /// Which member owns a user.
    pub(crate) async fn owner(&self, number: u64) -> usize {
        let view = self.view().await;
        let slot = rookery_actors::Slot::of_user(user(number));
        let owner = view.owner(slot).expect("somebody does").id();
        self.members.iter().position(|member| member.id == owner).expect("the owner is a member")
    }

    /// Which member is neither.
    pub(crate) fn other_than(&self, these: &[usize]) -> usize {
        (0..self.members.len()).find(|at| !these.contains(at)).expect("there are more")
    }

    /// Gives a member's slots to the others, or lets it have them again.
    pub(crate) async fn set_draining(&self, at: usize, draining: bool) {
        let Member { node, id, .. } = &self.members[at];
        let op = SetDraining { name: id.name.clone(), draining };
        node.store.submit(&id.name, op).await.expect("the store takes it").answer.expect("a view");
        let moved = node.store.submit(&id.name, MoveSlots { at_most: u16::MAX }).await;
        moved.expect("the store takes it").answer.expect("a view");
    }

    /// Waits until every member that can has the store's view and every user is registered.
    pub(crate) async fn settled(&self) {
        let epoch = self.view().await.epoch.get();
        for member in self.members.iter().filter(|member| member.sees()) {
            member.node.holds(|counts| counts.epoch >= epoch && counts.unregistered == 0).await;
        }
    }
}

impl Member {
    fn sees(&self) -> bool {
        !self.plug.off.load(Ordering::Acquire) && !self.plug.blind.load(Ordering::Acquire)
    }

    /// Writes to the store, and cannot read it: it learns of no change of the view.
    pub(crate) fn set_blind(&self, blind: bool) {
        self.plug.blind.store(blind, Ordering::Release);
    }

    /// Loses power: nothing it does from now on has any effect. Its clients' pipes are the test's to drop.
    pub(crate) fn kill(&self) {
        self.plug.off.store(true, Ordering::Release);
        self.network.leave(&self.id);
    }

    /// Cannot reach the store, and still its peers.
    pub(crate) fn lose_store(&self) {
        self.plug.off.store(true, Ordering::Release);
    }

    /// Reaches the store again.
    pub(crate) fn find_store(&self) {
        self.plug.off.store(false, Ordering::Release);
    }

    /// Takes another member for dead.
    pub(crate) async fn remove(&self, id: &NodeId) {
        let op = RemoveNode { id: id.clone(), seen_renewed: None };
        let removed = self.node.store.submit(&id.name, op).await.expect("the store takes it");
        removed.answer.expect("the view can be read");
    }
}
