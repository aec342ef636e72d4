//! A node: what the program starts in a process of its own, on this world's store, links, clock and sockets.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_actors::{
    Actors, ActorsConfig, Authenticator, ClusterParts, DeviceToken, Expiring, Parts, Retention, TokenError,
    hand_over,
};
use rookery_protocol::{DeviceId, UserId};
use rookery_store::engines::MemoryEngine;
use rookery_store::keys::node::{Incarnation, NodeId, NodeName};
use rookery_store::ops::{self, Join};
use rookery_store::{Store, StoreConfig};
use tokio::sync::watch;
use tokio::time::timeout;

use super::clock::SimClock;
use super::hosts::Hosts;
use super::links::Network;
use super::power::{Life, Power};
use super::store::{StoreWay, Way};
use crate::trace::Trace;

/// Over which time the clients of a stopping node are sent to others, as the program does.
const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// How long a stopping node waits for its connections to go, as the program does.
const DRAIN: Duration = Duration::from_secs(15);

/// How long a stop may take in all, as the program has it.
const STOP: Duration = Duration::from_secs(30);

/// How long a process may take to join before whoever started it gives it up.
const JOIN: Duration = Duration::from_secs(10);

/// A running process.
pub(super) struct Process {
    /// Which run of the node it was when it joined.
    id: NodeId,
    actors: Actors,
    store: Store,
    way: Arc<StoreWay>,
    power: Power,
    stop: watch::Sender<bool>,
}

/// What all processes of a world share.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// The store that all nodes have.
    pub(super) engine: MemoryEngine,
    /// Links between them.
    pub(super) network: Network,
    /// Where clients knock.
    pub(super) hosts: Hosts,
    /// How their actors behave.
    pub(super) config: ActorsConfig,
    /// How long messages are kept, if not for ever.
    pub(super) age_max: Option<Duration>,
    /// Where everything is noted.
    pub(super) trace: Trace,
}

/// Takes "user:device:generation".
struct PlainToken;

impl Authenticator for PlainToken {
    fn verify(&self, token: &str, _: u64) -> Result<DeviceToken, TokenError> {
        let numbers: Result<Vec<u64>, _> = token.split(':').map(str::parse).collect();
        match numbers.as_deref() {
            Ok([user, device, generation]) => Ok(DeviceToken {
                user: UserId::new(*user).map_err(|_| TokenError::Invalid)?,
                device: DeviceId::new(u32::try_from(*device).map_err(|_| TokenError::Invalid)?),
                generation: u32::try_from(*generation).map_err(|_| TokenError::Invalid)?,
            }),
            _ => Err(TokenError::Invalid),
        }
    }
}

/// The token that lets a device in.
pub(super) fn token(user: UserId, device: DeviceId) -> String {
    format!("{user}:{device}:1")
}

impl Process {
    /// Starts one, as the program does: store, cluster, actors, upkeep, listeners, in this order. `None` when the store
    /// does not let it join; the process ends then.
    pub(super) async fn start(
        around: &Surroundings,
        name: &NodeName,
        clock: Arc<SimClock>,
        seed: u64,
    ) -> Option<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let power = Power::on();
        let way = StoreWay::new(
            around.engine.clone(),
            name.as_str(),
            power.clone(),
            rng.random(),
            around.trace.clone(),
        );
        let store = Store::start(Arc::new(Way(way.clone())), StoreConfig::default());
        let join = Join {
            name: name.clone(),
            after: Incarnation::NONE,
            link: format!("{name}:7411"),
            admin: String::new(),
            clients: vec![format!("tcp://{name}:7400")],
            weight: 100,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: 1,
            nonce: rng.random(),
        };
        let joined = match timeout(JOIN, ops::join(&store, join.clone())).await {
            Ok(Ok(answer)) => answer.ok()?,
            Ok(Err(_)) | Err(_) => {
                power.set(Life::Over);
                return None;
            }
        };
        let id = joined.id.clone();
        let links = {
            let (network, id, power) = (around.network.clone(), id.clone(), power.clone());
            Box::new(move |events| network.links(id, power, events))
        };
        let parts = Parts {
            store: store.clone(),
            authenticator: Arc::new(PlainToken),
            clock: clock.clone(),
            cluster: Some(ClusterParts { joined, join, links, speaks_max: None }),
        };
        let actors = Actors::start(around.config.clone(), parts).await.ok()?;
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(Expiring { store: store.clone(), clock: clock.clone() }.run(stopping.clone()));
        if let Some(age_max) = around.age_max {
            tokio::spawn(Retention { store: store.clone(), clock, age_max }.run(stopping));
        }
        around.hosts.listen(name.as_str(), power.clone(), actors.clone());
        Some(Self { id, actors, store, way, power, stop })
    }

    /// Its actors.
    pub(super) fn actors(&self) -> &Actors {
        &self.actors
    }

    /// Its way to the store.
    pub(super) fn way(&self) -> &StoreWay {
        &self.way
    }

    /// Which run of the node it is now: it may have been removed and have joined again.
    fn id(&self) -> NodeId {
        self.actors.cluster().map_or_else(|| self.id.clone(), |cluster| cluster.me)
    }

    /// Stands still, or goes on.
    pub(super) fn pause(&self, around: &Surroundings, is_paused: bool) {
        self.power.set(if is_paused { Life::Paused } else { Life::Running });
        around.hosts.hold(self.id.name.as_str(), is_paused);
    }

    /// Ends it as if by SIGKILL; with `silently` as if its host had lost power, and nobody is told anything.
    pub(super) fn kill(self, around: &Surroundings, silently: bool) {
        self.power.set(Life::Over);
        self.stop.send_replace(true);
        around.hosts.end(self.id.name.as_str(), silently);
        around.network.leave(&self.id(), silently);
        // What is left of it has no effect on anybody; it need not take time either.
        tokio::spawn(async move { self.actors.stop().await });
    }

    /// Ends it in order, as the program does at SIGTERM, or kills it after as long as that may take.
    pub(super) async fn stop(self, around: &Surroundings, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let in_order = async {
            around.hosts.stop_listening(self.id.name.as_str());
            self.stop.send_replace(true);
            // Who cannot give its slots away is removed by the others.
            let _ = hand_over(&self.store, &self.id.name).await;
            self.actors.drain(DRAIN_SPREAD, DRAIN, &mut rng).await;
            self.actors.stop().await;
            let _ = self.actors.leave().await;
            around.network.leave(&self.id(), false);
            self.store.close().await;
        };
        let _ = timeout(STOP, in_order).await;
        self.kill(around, false);
    }
}
