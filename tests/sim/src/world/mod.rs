//! A cluster in one process, on virtual time: nodes, their store, links, clocks and sockets.
//!
//! The actors, operations, placement and client library are the real ones, made by the constructors that the program
//! uses. What lies around them is here, a file for each: `store`, `links`, `stream`, `clock`, and `power`, which decides
//! whether what a process does has any effect.

mod clock;
mod hosts;
mod links;
mod node;
mod power;
mod road;
pub mod store;
mod stream;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_actors::{ActorsConfig, Victim};
use rookery_client::NodeAddress;
use rookery_protocol::{DeviceId, Handle, UserId};
use rookery_store::engines::MemoryEngine;
use rookery_store::keys::node::{NodeId, NodeName};
use rookery_store::ops::{AddDevice, AddUser};
use rookery_store::{Store, StoreConfig};
use rookery_tests::fleet::{Access, Fleet};
use rookery_tests::history::Owner;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use self::clock::{BEGAN_MS, SimClock};
use self::hosts::Hosts;
use self::links::Network;
use self::node::{Process, Surroundings, token};
use self::road::Road;
use self::store::StoreWeather;
use crate::trace::Trace;

/// Between two tries to start a process that the store did not let join.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long after a trouble a node may be removed for it.
const RECOVERED: Duration = Duration::from_secs(15);

/// See the module.
pub struct World {
    around: Surroundings,
    nodes: Vec<Node>,
    trace: Trace,
    rng: std::sync::Mutex<StdRng>,
}

/// A machine that a node runs on, or not.
struct Node {
    name: NodeName,
    clock: Arc<SimClock>,
    process: Mutex<Option<Process>>,
    /// Until when it may be taken for dead: something befalls it, or has just befallen it.
    excused: std::sync::Mutex<Excuse>,
}

/// Why a node may be taken for dead.
#[derive(Default)]
struct Excuse {
    /// Troubles that it has.
    troubles: usize,
    /// When the last one ended.
    ended: Option<Instant>,
}

/// What a world is like.
#[derive(Debug, Clone)]
pub struct Nature {
    /// How many nodes there may be.
    pub nodes: usize,
    /// How their actors behave.
    pub config: ActorsConfig,
    /// How long messages are kept, if not for ever.
    pub age_max: Option<Duration>,
}

/// How long, beyond a heartbeat, a message may take to somebody who is connected, in a world without troubles: one commit
/// and a look at an inbox, and whatever a client has to repeat.
const PATIENCE: Duration = Duration::from_secs(20);

impl Nature {
    /// How long a message may take to somebody who is connected, in a world without troubles.
    pub fn patience(&self) -> Duration {
        self.config.heartbeat + PATIENCE
    }
}

impl World {
    /// A world in which no node runs yet.
    pub fn new(seed: u64, nature: &Nature, trace: Trace) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let began = Instant::now();
        let around = Surroundings {
            engine: MemoryEngine::new(),
            network: Network::new(rng.random(), trace.clone()),
            hosts: Hosts::default(),
            config: nature.config.clone(),
            age_max: nature.age_max,
            trace: trace.clone(),
        };
        let node = |number: usize| Node {
            name: format!("n{}", number + 1).parse().expect("a name"),
            clock: Arc::new(SimClock::new(began)),
            process: Mutex::new(None),
            excused: std::sync::Mutex::default(),
        };
        Self { around, nodes: (0..nature.nodes).map(node).collect(), trace, rng: std::sync::Mutex::new(rng) }
    }

    fn draw(&self) -> u64 {
        self.rng.lock().expect("nothing panics while it holds this lock").random()
    }

    /// A store without any misfortune, for whoever looks at it from outside.
    pub fn store(&self) -> Store {
        Store::start(Arc::new(self.around.engine.clone()), StoreConfig::default())
    }

    /// Adds users, each with so many devices, and makes a client of each device.
    ///
    /// # Errors
    /// Never, but for defects: nothing is in the way.
    pub async fn people(&self, devices: &[usize], seed: u64) -> Result<(Vec<UserId>, Fleet)> {
        let mut rng = StdRng::seed_from_u64(seed);
        let store = self.store();
        let addresses: Vec<NodeAddress> = self
            .nodes
            .iter()
            .map(|node| format!("tcp://{}:7400", node.name).parse())
            .collect::<Result<_, _>>()?;
        let (mut users, mut clients) = (Vec::new(), Vec::new());
        for (number, devices) in (1..).zip(devices) {
            let user = UserId::new(number)?;
            let handle: Handle = format!("user{number}").parse()?;
            store.submit(&user, AddUser { user, handle, time_ms: BEGAN_MS }).await?.answer?;
            users.push(user);
            for device in 1..=*devices {
                let device = DeviceId::new(u32::try_from(device)?);
                let added = AddDevice { user, name: format!("device{device}"), time_ms: BEGAN_MS };
                store.submit(&user, added).await?.answer?;
                let road = Arc::new(Road::new(self.around.hosts.clone(), rng.random()));
                let access = Access {
                    token: token(user, device),
                    addresses: addresses.clone(),
                    dialer: road.clone(),
                    network: Some(road),
                    began_unix_ms: Some(BEGAN_MS),
                };
                clients.push((Owner { user, device }, access));
            }
        }
        store.close().await;
        Ok((users, Fleet::simulated(clients, rng.random()).context("clients")?))
    }

    /// How many nodes there may be.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A node's name.
    pub fn name(&self, node: usize) -> &NodeName {
        &self.nodes[node].name
    }

    /// Starts a node, unless it runs; again and again, as a service manager does.
    pub async fn start(&self, node: usize) {
        let Node { name, clock, process, .. } = &self.nodes[node];
        let mut process = process.lock().await;
        while process.is_none() {
            self.around.network.forget(name);
            *process = Process::start(&self.around, name, clock.clone(), self.draw()).await;
            if process.is_none() {
                self.trace.say(format!("{name} cannot join"));
                sleep(AGAIN_AFTER).await;
            }
        }
    }

    /// Kills a node, if it runs; `silently` as if its host lost power.
    pub async fn kill(&self, node: usize, silently: bool) {
        if let Some(process) = self.nodes[node].process.lock().await.take() {
            process.kill(&self.around, silently);
        }
    }

    /// Stops a node in order, if it runs.
    pub async fn stop(&self, node: usize) {
        let mut process = self.nodes[node].process.lock().await;
        if let Some(process) = process.take() {
            process.stop(&self.around, self.draw()).await;
        }
    }

    /// A node stands still for so long, if it runs.
    pub async fn pause(&self, node: usize, lasts: Duration) {
        let process = self.nodes[node].process.lock().await;
        if let Some(process) = &*process {
            process.pause(&self.around, true);
            sleep(lasts).await;
            process.pause(&self.around, false);
        }
    }

    /// Sets a node's clock wrong.
    pub fn skew(&self, node: usize, skew_ms: i64) {
        self.nodes[node].clock.set_skew_ms(skew_ms);
    }

    /// Changes how the store is towards a node, if that runs.
    pub async fn store_weather(&self, node: usize, weather: StoreWeather) {
        if let Some(process) = &*self.nodes[node].process.lock().await {
            process.way().set(weather);
        }
    }

    /// Lets actors of a node fail, if that runs.
    pub async fn crash(&self, node: usize, victim: Victim) {
        if let Some(process) = &*self.nodes[node].process.lock().await {
            process.actors().crash(victim);
        }
    }

    /// Links between nodes, to make them worse.
    pub fn cut(&self, one: usize, other: usize, is_cut: bool) {
        self.around.network.cut(self.name(one), self.name(other), is_cut);
    }

    /// What one node sends another goes nowhere, or does again.
    pub fn swallow(&self, from: usize, to: usize, swallows: bool) {
        self.around.network.swallow(self.name(from), self.name(to), swallows);
    }

    /// What a node sends and is sent takes up to so long; zero: as usual.
    pub fn slow(&self, node: usize, longest: Duration) {
        self.around.network.slow(self.name(node), longest);
    }

    /// Breaks a node's links once.
    pub fn break_links(&self, node: usize) {
        self.around.network.break_all(self.name(node));
    }

    /// Makes everything well and starts these nodes.
    pub async fn heal(&self, nodes: &[usize]) {
        self.around.network.heal();
        for node in 0..self.nodes.len() {
            self.skew(node, 0);
            self.store_weather(node, StoreWeather::Clear).await;
        }
        for node in nodes {
            self.start(*node).await;
        }
    }

    /// A node may be taken for dead from now on, for it has a trouble; or has one less.
    pub fn excuse(&self, node: usize, begins: bool) {
        let mut excuse = self.nodes[node].excused.lock().expect("nothing panics while it holds this lock");
        if begins {
            excuse.troubles += 1;
        } else {
            (excuse.troubles, excuse.ended) = (excuse.troubles - 1, Some(Instant::now()));
        }
    }

    /// As which run each node is a member, of those that run and have had no trouble lately: they must stay that.
    pub async fn healthy(&self) -> BTreeMap<usize, NodeId> {
        let mut healthy = BTreeMap::new();
        for (at, Node { process, excused, .. }) in self.nodes.iter().enumerate() {
            let is_excused = {
                let excuse = excused.lock().expect("nothing panics while it holds this lock");
                excuse.troubles > 0 || excuse.ended.is_some_and(|ended| ended.elapsed() < RECOVERED)
            };
            // One that is being started or stopped is locked.
            if let Ok(process) = process.try_lock()
                && let Some(process) = process.as_ref().filter(|_| !is_excused)
                && let Some(status) = process.actors().cluster()
            {
                healthy.insert(at, status.me);
            }
        }
        healthy
    }

    /// The epochs of the views that nodes go by, by their places.
    pub fn epochs(&self) -> Vec<(usize, u64)> {
        let epoch = |node: &Node| Some(node.process.try_lock().ok()?.as_ref()?.actors().epoch());
        self.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, epoch(node)?))).collect()
    }

    /// The nodes that run, by their places.
    pub async fn running(&self) -> Vec<usize> {
        let mut running = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if node.process.lock().await.is_some() {
                running.push(at);
            }
        }
        running
    }

    /// Connections that nodes hold, of each node that runs.
    pub async fn connections(&self) -> Vec<(NodeName, usize)> {
        let mut held = Vec::new();
        for Node { name, process, .. } in &self.nodes {
            if let Some(process) = &*process.lock().await {
                held.push((name.clone(), process.actors().counts().await.connections));
            }
        }
        held
    }

    /// What is wrong with the running nodes' words about their cluster.
    pub async fn discord(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut views = Vec::new();
        for Node { name, process, .. } in &self.nodes {
            let Some(process) = &*process.lock().await else { continue };
            let Some(status) = process.actors().cluster() else { continue };
            if status.is_isolated {
                wrong.push(format!("{name} says that it is isolated"));
            }
            for peer in &status.peers {
                let waiting = peer.waiting;
                if waiting.queued + waiting.in_flight + waiting.mail > 0 {
                    wrong.push(format!("{name} has something to say to {}: {waiting:?}", peer.id));
                }
            }
            views.push((name.clone(), status.view));
        }
        if let Some((_, first)) = views.first() {
            for (name, view) in &views {
                if view.epoch != first.epoch || view.members.len() != views.len() {
                    let (members, epoch) = (view.members.len(), view.epoch.get());
                    wrong.push(format!("{name} sees {members} members of {}, epoch {epoch}", views.len()));
                }
            }
        }
        wrong
    }
}
