//! A node's actors as the node sees them: start, serve connections, drain.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorRef};
use rand::Rng;
use rand::seq::SliceRandom;
use rookery_protocol::{ConversationId, GroupId, UserId};
use rookery_store::{Store, StoreError};
use tokio::time::{Instant, sleep_until, timeout};

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterParts, ClusterStatus};
use crate::config::ActorsConfig;
use crate::connection::{ConnectionInfo, SupervisorMessage, serve};
use crate::context::{Connections, Context};
use crate::inspect::{Steps, Tracer};
use crate::looking::{Looking, LookingMessage, News, Topic};
use crate::metrics::Meters;
use crate::nodes::{ClientNodes, NodeList};
use crate::rates::Buckets;
use crate::root::{Child, Root};
use crate::router::Router;
use crate::shard::ShardMessage;
use crate::transport::Transport;

/// Between two connections that are sent away: a drain that waited longer would spare nobody anything.
const GAP_MAX: Duration = Duration::from_millis(100);

/// The actors of one node.
#[derive(Debug, Clone)]
pub struct Actors {
    pub(crate) context: Arc<Context>,
    root: ActorRef<Child>,
}

/// The actors could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the actors could not be started: {0}")]
pub struct StartError(String);

/// What the node holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open connections, welcomed or not.
    pub connections: usize,
    /// Of these, connections whose actor is awake.
    pub connections_awake: usize,
    /// Users with a connection.
    pub sessions: usize,
    /// Of these, sessions that are awake.
    pub sessions_awake: usize,
    /// Users whose owner this node is and who have devices at others.
    pub hosted_elsewhere: usize,
    /// Users with a connection whose owner does not know of it yet.
    pub unregistered: usize,
    /// The epoch of the cluster's view as this node knows it; 0 for a node alone.
    pub epoch: u64,
}

/// What the actors are handed.
pub struct Parts {
    /// The truth.
    pub store: Store,
    /// Who may come in.
    pub authenticator: Arc<dyn Authenticator>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The cluster that the node has joined; a node alone has none.
    pub cluster: Option<ClusterParts>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// What is made to fail by [`Actors::crash`].
#[derive(Debug, Clone, Copy)]
pub enum Victim {
    /// A user's session.
    Session(UserId),
    /// The shard of a user.
    Shard(UserId),
    /// The actors of a user's connections.
    Connections(UserId),
    /// What tells those who are looking.
    Looking,
}

impl Actors {
    /// Starts shards and supervisors.
    ///
    /// # Errors
    /// When an actor's start fails, which only a defect makes it do.
    pub async fn start(config: ActorsConfig, parts: Parts) -> Result<Self, StartError> {
        let (cluster, links) = match parts.cluster {
            Some(ClusterParts { joined, join, links, speaks_max }) => {
                (Some(Cluster::new(parts.store.clone(), joined, join, speaks_max)), Some(links))
            }
            None => (None, None),
        };
        let nodes = match &cluster {
            Some(cluster) => NodeList::new(&cluster.placed().client_nodes()),
            None => NodeList::new(&ClientNodes {
                epoch: 0,
                urls: config.advertise.iter().map(|url| vec![url.clone()]).collect(),
                this: Some(0),
                owners: Vec::new(),
            }),
        };
        let steps = Steps::new(Tracer::new(parts.clock.clone()));
        let context = Arc::new(Context {
            buckets: Buckets::new(config.rates.clone()),
            config,
            store: parts.store,
            authenticator: parts.authenticator,
            steps: steps.clone(),
            meters: Meters::new(),
            clock: parts.clock,
            router: Router::new(cluster.clone(), steps),
            looking: Looking::default(),
            cluster: cluster.clone(),
            connections: Connections::default(),
            nodes,
            supervisors: RwLock::default(),
            draining: AtomicBool::new(false),
            useless: AtomicBool::new(false),
        });
        if let (Some(cluster), Some(links)) = (cluster, links) {
            cluster.start_links(&context, links);
        }
        let root = Root::spawn(None, Root, context.clone()).await;
        let (root, _) = root.map_err(|error| StartError(error.to_string()))?;
        Ok(Self { context, root })
    }

    /// Runs a connection to its end.
    pub fn serve<T: Transport>(
        &self,
        transport: T,
        info: ConnectionInfo,
    ) -> impl Future<Output = ()> + Send + use<T> {
        serve(self.context.clone(), transport, info)
    }

    /// Sends every connection away and waits until they have gone, at most `within`; what is in flight is answered
    /// first. New ones are sent away at once.
    ///
    /// The frames go out in random order, evenly over `spread`, so that the other nodes do not get all clients at once;
    /// a few connections take less. A node whose clients know no other sends all away at once: they come back to this one.
    ///
    /// Returns how many had not gone in time.
    pub async fn drain<R: Rng + Send>(&self, spread: Duration, within: Duration, rng: &mut R) -> usize {
        self.context.draining.store(true, Ordering::Release);
        let all = self.context.connections.all();
        let (mut connections, strangers): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|connection| connection.identity().is_some());
        strangers.iter().for_each(|stranger| stranger.go_away(&self.context.farewell()));
        drop(strangers);
        connections.shuffle(rng);
        let begun = Instant::now();
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX).max(1);
        let alone = self.context.nodes.others().is_empty();
        let gap = if alone { Duration::ZERO } else { (spread.min(within) / count).min(GAP_MAX) };
        let gone = async {
            for (place, connection) in (0..).zip(connections) {
                sleep_until(begun + gap * place).await;
                connection.go_away(&self.context.farewell());
            }
            self.context.connections.none_left().await;
        };
        // What has not gone in time is counted below.
        let _ = timeout(within, gone).await;
        self.context.connections.len()
    }

    /// Tells clients of other nodes than before. For a node alone: one in a cluster tells what its view says.
    pub async fn set_client_nodes(&self, nodes: &ClientNodes) {
        self.context.set_client_nodes(nodes).await;
    }

    /// Completes when another process has joined the cluster under this node's name. Never, for a node alone.
    pub async fn superseded(&self) {
        match &self.context.cluster {
            Some(cluster) => cluster.superseded().await,
            None => std::future::pending().await,
        }
    }

    /// Rings users, wherever their devices are, for something that has been committed to their inboxes by no client.
    pub fn ring(&self, users: &[UserId]) {
        self.context.router.ring_many(users, None, None);
    }

    /// Tells those who follow a channel of an entry of its log that no client has asked for.
    pub fn tell_followers(&self, group: GroupId, logged: &Bytes) {
        self.context.tell_followers(ConversationId::group(group), logged);
    }

    /// Who is in a group has been changed by no client: those who are not any more have it open no longer.
    pub fn members_changed(&self, group: GroupId) {
        let news = News::Recheck(Topic::Conversation(ConversationId::group(group)));
        self.context.looking.tell(LookingMessage::Publish(news));
    }

    /// Takes the node out of its cluster for good: lease, mail and place in the view. The others sweep then, so nothing
    /// should be committed after it. Nothing for a node alone.
    ///
    /// # Errors
    /// When the store does not take it. The others will remove the node then.
    pub async fn leave(&self) -> Result<(), StoreError> {
        match &self.context.cluster {
            Some(cluster) => cluster.leave().await,
            None => Ok(()),
        }
    }

    /// The cluster as this node sees it; none for a node alone.
    pub fn cluster(&self) -> Option<ClusterStatus> {
        self.context.cluster.as_ref().map(|cluster| cluster.status())
    }

    /// The epoch of the view that this node goes by; 0 for a node alone. It never goes back.
    pub fn epoch(&self) -> u64 {
        self.context.cluster.as_ref().map_or(0, |cluster| cluster.epoch())
    }

    /// Whether the node refuses messages because it cannot renew its lease.
    pub fn is_isolated(&self) -> bool {
        self.context.is_isolated()
    }

    /// Stops every actor. Sessions commit what they put off first, in the store's queue when this returns.
    pub async fn stop(&self) {
        self.root.drain_children_and_wait(Some(Duration::from_secs(5))).await;
        self.root.stop(None);
    }

    /// Counts what there is.
    pub async fn counts(&self) -> Counts {
        let mut counts =
            Counts { connections: self.context.connections.len(), epoch: self.epoch(), ..Counts::default() };
        for shard in self.context.router.shards() {
            let (tell, census) = tokio::sync::oneshot::channel();
            // A shard that is being replaced holds nothing.
            if shard.cast(ShardMessage::Count(tell)).is_ok()
                && let Ok(census) = census.await
            {
                counts.sessions += census.users;
                counts.sessions_awake += census.awake;
                counts.hosted_elsewhere += census.hosted_elsewhere;
                counts.unregistered += census.unregistered;
            }
        }
        for supervisor in self.context.supervisors() {
            let (tell, awake) = tokio::sync::oneshot::channel();
            if supervisor.cast(SupervisorMessage::Count(tell)).is_ok()
                && let Ok(awake) = awake.await
            {
                counts.connections_awake += awake;
            }
        }
        counts
    }

    /// Makes actors fail, for tests that show what survives it.
    pub fn crash(&self, victim: Victim) {
        match victim {
            Victim::Session(user) => self.context.router.to_shard(user, ShardMessage::Crash(Some(user))),
            Victim::Shard(user) => self.context.router.to_shard(user, ShardMessage::Crash(None)),
            Victim::Looking => self.context.looking.tell(LookingMessage::Crash),
            Victim::Connections(user) => {
                let of_user = |identity: crate::connection::Identity| identity.user == user;
                for connection in self.context.connections.all() {
                    if connection.identity().is_some_and(of_user) {
                        connection.ask_actor_to_crash();
                    }
                }
            }
        }
    }
}
