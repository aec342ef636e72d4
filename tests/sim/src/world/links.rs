//! Links between nodes. Each direction keeps its order and takes time of its own; a link may be cut both ways, swallow what
//! goes one way, break, and be slow. A node that is over is refused, or its host is and nobody answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_actors::{LinkDown, LinkEvent, LinkEvents, LinkStatus, Links, Peer};
use rookery_store::keys::node::{NodeId, NodeName};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::power::{Life, Power};
use crate::trace::Trace;

/// From a link that could be to one that is.
const DIAL_MS: std::ops::Range<u64> = 5..400;

/// From silence to a link that is given up.
const NOTICED_MS: std::ops::Range<u64> = 1_000..4_000;

/// Between two tries at an address that refuses.
const REFUSED_EVERY: Duration = Duration::from_secs(1);

/// Two nodes, in their order.
type Pair = (NodeId, NodeId);

/// What lies between all nodes.
#[derive(Clone)]
pub(super) struct Network(Arc<Mutex<State>>, Trace);

struct State {
    rng: StdRng,
    ends: BTreeMap<NodeId, End>,
    /// Who wants a link to whom.
    wanted: BTreeSet<(NodeId, NodeId)>,
    /// Links that are up, each with a number of its own.
    up: BTreeMap<Pair, u64>,
    last_number: u64,
    /// Neither way.
    cut: BTreeSet<(NodeName, NodeName)>,
    /// What the first sends the second goes nowhere.
    swallowed: BTreeSet<(NodeName, NodeName)>,
    slow: BTreeMap<NodeName, Duration>,
    /// From the first to the second.
    lanes: BTreeMap<(NodeId, NodeId), Lane>,
}

/// A node's end.
struct End {
    power: Power,
    tell: LinkEvents,
}

/// What is on its way from one node to another.
struct Lane {
    parcels: mpsc::UnboundedSender<(Instant, Parcel)>,
    last: Instant,
}

enum Parcel {
    Event(LinkEvent),
    Batch { link: u64, batch: Bytes },
}

fn pair(one: &NodeId, other: &NodeId) -> Pair {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

impl Network {
    /// Without nodes.
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        let state = State {
            rng: StdRng::seed_from_u64(seed),
            ends: BTreeMap::new(),
            wanted: BTreeSet::new(),
            up: BTreeMap::new(),
            last_number: 0,
            cut: BTreeSet::new(),
            swallowed: BTreeSet::new(),
            slow: BTreeMap::new(),
            lanes: BTreeMap::new(),
        };
        Self(Arc::new(Mutex::new(state)), trace)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node's links.
    pub(super) fn links(&self, me: NodeId, power: Power, tell: LinkEvents) -> Arc<dyn Links> {
        self.state().ends.insert(me.clone(), End { power: power.clone(), tell });
        let links = Arc::new(NodeLinks { network: self.clone(), me: Mutex::new(me) });
        tokio::spawn(refuse(Arc::downgrade(&links), power));
        links
    }

    /// The node's process is gone. With `silently` its host is too, and answers nobody.
    pub(super) fn leave(&self, me: &NodeId, silently: bool) {
        let mut state = self.state();
        state.wanted.retain(|(from, _)| from != me);
        if silently {
            // It is still there as far as anybody can tell.
            self.reconsider(&mut state);
            return;
        }
        state.ends.remove(me);
        self.reconsider(&mut state);
    }

    /// The host of a node that was gone silently is back: what knocks there is refused.
    pub(super) fn forget(&self, name: &NodeName) {
        let mut state = self.state();
        state.ends.retain(|id, end| id.name != *name || end.power.life() != Life::Over);
        self.reconsider(&mut state);
    }

    /// Cuts two nodes off from each other, or not any more.
    pub(super) fn cut(&self, one: &NodeName, other: &NodeName, is_cut: bool) {
        let mut state = self.state();
        for way in [(one.clone(), other.clone()), (other.clone(), one.clone())] {
            if is_cut {
                state.cut.insert(way)
            } else {
                state.cut.remove(&way)
            };
        }
        self.reconsider(&mut state);
    }

    /// What one sends the other goes nowhere, and nobody notices below the batches.
    pub(super) fn swallow(&self, from: &NodeName, to: &NodeName, swallows: bool) {
        let way = (from.clone(), to.clone());
        let mut state = self.state();
        if swallows {
            state.swallowed.insert(way)
        } else {
            state.swallowed.remove(&way)
        };
    }

    /// What a node sends and is sent takes up to this long. Zero: as usual.
    pub(super) fn slow(&self, name: &NodeName, longest: Duration) {
        let mut state = self.state();
        if longest.is_zero() {
            state.slow.remove(name)
        } else {
            state.slow.insert(name.clone(), longest)
        };
    }

    /// Everything is as it should be.
    pub(super) fn heal(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.swallowed.clear();
        state.slow.clear();
        self.reconsider(&mut state);
    }

    /// Breaks every link of a node, which are made again at once.
    pub(super) fn break_all(&self, name: &NodeName) {
        let mut state = self.state();
        let broken: Vec<Pair> = state
            .up
            .keys()
            .filter(|(one, other)| [&one.name, &other.name].contains(&name))
            .cloned()
            .collect();
        for pair in broken {
            self.down(&mut state, &pair);
        }
        self.reconsider(&mut state);
    }

    /// Makes links that should be, and ends those that should not, in their own time.
    fn reconsider(&self, state: &mut State) {
        let pairs: BTreeSet<Pair> =
            state.wanted.iter().map(|(from, to)| pair(from, to)).chain(state.up.keys().cloned()).collect();
        for pair in pairs {
            let (due, is_up) = (state.is_due(&pair), state.up.get(&pair).copied());
            if due == is_up.is_some() {
                continue;
            }
            let millis = match is_up {
                None => state.rng.random_range(DIAL_MS),
                // Whose process ends closes its sockets.
                Some(_) if !state.both_there(&pair) => 1,
                Some(_) => state.rng.random_range(NOTICED_MS),
            };
            let network = self.clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(millis)).await;
                let mut state = network.state();
                if state.up.get(&pair).copied() != is_up || state.is_due(&pair) != due {
                    return;
                }
                match due {
                    true => network.bring_up(&mut state, pair),
                    false => network.down(&mut state, &pair),
                }
            });
        }
    }

    fn bring_up(&self, state: &mut State, pair: Pair) {
        state.last_number += 1;
        state.up.insert(pair.clone(), state.last_number);
        let (one, other) = pair;
        self.post(state, &one, &other, Parcel::Event(LinkEvent::Up(one.clone())));
        self.post(state, &other, &one, Parcel::Event(LinkEvent::Up(other.clone())));
    }

    fn down(&self, state: &mut State, pair: &Pair) {
        state.up.remove(pair);
        let (one, other) = pair;
        self.post(state, one, other, Parcel::Event(LinkEvent::Down(one.clone())));
        self.post(state, other, one, Parcel::Event(LinkEvent::Down(other.clone())));
    }

    fn post(&self, state: &mut State, from: &NodeId, to: &NodeId, parcel: Parcel) {
        let longest = [&from.name, &to.name].into_iter().filter_map(|name| state.slow.get(name)).max();
        let longest = longest.map_or(3, |longest| u64::try_from(longest.as_millis()).unwrap_or(u64::MAX));
        let takes = Duration::from_millis(state.rng.random_range(0..=longest));
        let now = Instant::now();
        let way = (from.clone(), to.clone());
        let lane = state.lanes.entry(way.clone()).or_insert_with(|| {
            let (parcels, taken) = mpsc::unbounded_channel();
            tokio::spawn(carry(Arc::downgrade(&self.0), self.1.clone(), way, taken));
            Lane { parcels, last: now }
        });
        lane.last = lane.last.max(now + takes);
        // The lane's task lives as long as the network.
        let _ = lane.parcels.send((lane.last, parcel));
    }
}

impl State {
    fn both_there(&self, (one, other): &Pair) -> bool {
        self.ends.contains_key(one) && self.ends.contains_key(other)
    }

    /// Whether there should be a link.
    fn is_due(&self, both: &Pair) -> bool {
        let (one, other) = both;
        let runs = |id: &NodeId| self.ends.get(id).is_some_and(|end| end.power.life() != Life::Over);
        runs(one)
            && runs(other)
            && self.wanted.contains(both)
            && self.wanted.contains(&(other.clone(), one.clone()))
            && !self.cut.contains(&(one.name.clone(), other.name.clone()))
    }

    /// Whether a batch of this link still arrives.
    fn carries(&self, (from, to): &(NodeId, NodeId), link: u64) -> bool {
        let names = (from.name.clone(), to.name.clone());
        self.up.get(&pair(from, to)) == Some(&link)
            && !self.cut.contains(&names)
            && !self.swallowed.contains(&names)
    }
}

/// Carries what one node sends another, in order.
async fn carry(
    network: Weak<Mutex<State>>,
    trace: Trace,
    way: (NodeId, NodeId),
    mut parcels: mpsc::UnboundedReceiver<(Instant, Parcel)>,
) {
    while let Some((due, parcel)) = parcels.recv().await {
        sleep_until(due).await;
        let Some(power) =
            with(&network, |state| state.ends.get(&way.1).map(|end| end.power.clone())).flatten()
        else {
            continue;
        };
        tokio::select! {
            biased;
            () = power.over() => continue,
            () = power.passes() => {}
        }
        let taken = with(&network, |state| {
            let event = match parcel {
                Parcel::Event(event) => event,
                Parcel::Batch { link, batch } => {
                    if !state.carries(&way, link) {
                        return None;
                    }
                    trace.step("batch", way.1.name.as_str(), &batch);
                    LinkEvent::Batch { from: way.0.clone(), batch }
                }
            };
            state.ends.get(&way.1).map(|end| (end.tell.clone(), event))
        });
        if let Some((tell, event)) = taken.flatten() {
            tell(event);
        }
    }
}

fn with<T>(network: &Weak<Mutex<State>>, look: impl FnOnce(&mut State) -> T) -> Option<T> {
    let network = network.upgrade()?;
    let mut state = network.lock().unwrap_or_else(PoisonError::into_inner);
    Some(look(&mut state))
}

/// Tells a node, as long as it runs, who of those it knocks at is gone.
async fn refuse(links: Weak<NodeLinks>, power: Power) {
    while power.life() != Life::Over {
        sleep(REFUSED_EVERY).await;
        let Some(links) = links.upgrade() else { return };
        let me = links.me();
        let mut state = links.network.state();
        let is_gone = |to: &NodeId| !state.ends.contains_key(to);
        let cut = |to: &NodeId| state.cut.contains(&(me.name.clone(), to.name.clone()));
        let mine = state.wanted.iter().filter(|(from, _)| *from == me).map(|(_, to)| to.clone());
        let gone: Vec<NodeId> = mine.filter(|to| is_gone(to) && !cut(to)).collect();
        for to in gone {
            links.network.post(&mut state, &to, &me, Parcel::Event(LinkEvent::Refused(to.clone())));
        }
    }
}

struct NodeLinks {
    network: Network,
    me: Mutex<NodeId>,
}

impl NodeLinks {
    fn me(&self) -> NodeId {
        self.me.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Links for NodeLinks {
    fn keep(&self, peers: Vec<Peer>) {
        let me = self.me();
        let mut state = self.network.state();
        if state.ends.get(&me).is_none_or(|end| end.power.life() == Life::Over) {
            return;
        }
        state.wanted.retain(|(from, _)| *from != me);
        state.wanted.extend(peers.into_iter().map(|peer| (me.clone(), peer.id)));
        self.network.reconsider(&mut state);
    }

    fn identify(&self, me: NodeId) {
        let before =
            std::mem::replace(&mut *self.me.lock().unwrap_or_else(PoisonError::into_inner), me.clone());
        let mut state = self.network.state();
        state.wanted.retain(|(from, _)| *from != before);
        if let Some(end) = state.ends.remove(&before) {
            state.ends.insert(me, end);
        }
        self.network.reconsider(&mut state);
    }

    fn send(&self, to: &NodeId, batch: Bytes) -> Result<(), LinkDown> {
        let me = self.me();
        let mut state = self.network.state();
        let Some(link) = state.up.get(&pair(&me, to)).copied() else { return Err(LinkDown) };
        if state.ends.get(&me).is_some_and(|end| end.power.life() == Life::Running) {
            self.network.post(&mut state, &me, to, Parcel::Batch { link, batch });
        }
        Ok(())
    }

    fn reset(&self, to: &NodeId) {
        let both = pair(&self.me(), to);
        let mut state = self.network.state();
        if state.up.contains_key(&both) {
            self.network.down(&mut state, &both);
            self.network.reconsider(&mut state);
        }
    }

    fn status(&self) -> Vec<LinkStatus> {
        Vec::new()
    }
}
