//! What every actor of a node is handed: the store, the clock, and the ways to one another. No process-wide statics, so
//! that a simulation can run several nodes in one process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use ractor::ActorRef;
use rookery_protocol::{ConversationId, ErrorCode, Goaway};
use rookery_store::Store;
use tokio::time::Instant;

use crate::auth::Authenticator;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::config::ActorsConfig;
use crate::connection::{Connection, ConnectionId, Reply, SupervisorMessage};
use crate::inspect::Steps;
use crate::looking::{Looking, LookingMessage, News};
use crate::metrics::Meters;
use crate::nodes::{ClientNodes, NodeList};
use crate::rates::{Buckets, Doer, Doing};
use crate::router::Router;
use crate::shard::ShardMessage;

/// When a node that stops is the only one, its clients need not come before it can be up again.
const ALONE_RECONNECT_AFTER_MS: u32 = 1_000;

/// Connections that are told of other nodes before other tasks have their turn.
const TOLD_AT_ONCE: usize = 256;

/// See the module.
pub(crate) struct Context {
    pub(crate) config: ActorsConfig,
    pub(crate) store: Store,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) router: Router,
    /// Tells what is only for those who are looking.
    pub(crate) looking: Looking,
    /// Tells of the steps of messages those who want to know.
    pub(crate) steps: Steps,
    pub(crate) meters: Meters,
    /// How much each user may still do.
    pub(crate) buckets: Buckets,
    /// What this node is part of, unless it is alone.
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) connections: Connections,
    /// Where clients may go.
    pub(crate) nodes: NodeList,
    pub(crate) supervisors: RwLock<Vec<ActorRef<SupervisorMessage>>>,
    pub(crate) draining: AtomicBool,
    /// The node has lost its cluster for so long that clients are better off elsewhere.
    pub(crate) useless: AtomicBool,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire) || self.useless.load(Ordering::Acquire)
    }

    /// What sends a client away from a node that is stopping. At once when there is somewhere to go: a drain spreads the
    /// frames themselves over time.
    pub(crate) fn farewell(&self) -> Goaway {
        let nodes = self.nodes.others();
        Goaway {
            code: ErrorCode::Shutdown as u16,
            text: "this node is stopping".into(),
            reconnect_after_ms: if nodes.is_empty() { ALONE_RECONNECT_AFTER_MS } else { 0 },
            nodes,
        }
    }

    /// The request, if its user may do each of these so many times now; else it is refused.
    pub(crate) fn admit(&self, reply: Reply, wanted: &[(Doing, u32)]) -> Option<Reply> {
        let identity = reply.connection().identity()?;
        if identity.is_unlimited {
            return Some(reply);
        }
        let is_new = self.buckets.is_new(u64::from(identity.created_s) * 1_000, self.clock.now_ms());
        match self.buckets.take(Instant::now(), Doer { user: identity.user, is_new }, wanted) {
            Ok(()) => Some(reply),
            Err(too_much) => {
                reply.refuse_for_now(&too_much);
                None
            }
        }
    }

    /// Whether the node must take no messages, because its cluster may have given it up.
    pub(crate) fn is_isolated(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_isolated())
    }

    /// Sends every client elsewhere, and those that come, until [`welcome_again`](Self::welcome_again): this node is of
    /// no use to them.
    pub(crate) fn send_all_away(&self) {
        if self.useless.swap(true, Ordering::AcqRel) {
            return;
        }
        let all = self.connections.all();
        tracing::warn!(connections = all.len(), "clients are sent to other nodes");
        for connection in all {
            connection.go_away(&self.farewell());
        }
    }

    /// Clients may stay that come from now on.
    pub(crate) fn welcome_again(&self) {
        self.useless.store(false, Ordering::Release);
    }

    /// Tells those who follow a channel, wherever they are connected, of an entry that is in its log.
    pub(crate) fn tell_followers(&self, conversation: ConversationId, logged: &Bytes) {
        if let Some(group) = conversation.group_id() {
            self.looking.tell(LookingMessage::Publish(News::Said(group, logged.clone())));
        }
    }

    /// Tells every shard who owns what now. `lost`: bells may have been lost, whoever they were for.
    pub(crate) fn view_changed(self: &Arc<Self>, lost: bool) {
        let Some(cluster) = &self.cluster else { return };
        for shard in self.router.shards() {
            // One that has just failed has a successor soon, which begins with this view.
            let _ = shard.cast(ShardMessage::ViewChanged { placed: cluster.placed(), lost });
        }
        self.looking.tell(LookingMessage::ViewChanged(cluster.placed()));
        tokio::spawn(tell_clients(self.clone()));
    }

    /// Tells clients of these nodes: those that are connected by NODES, if it makes a difference to them.
    pub(crate) async fn set_client_nodes(&self, nodes: &ClientNodes) {
        self.nodes.set(nodes);
        for some in self.connections.all().chunks(TOLD_AT_ONCE) {
            some.iter().for_each(|connection| connection.nodes_changed(&self.nodes));
            tokio::task::yield_now().await;
        }
    }

    /// Each connection supervisor.
    pub(crate) fn supervisors(&self) -> Vec<ActorRef<SupervisorMessage>> {
        self.supervisors.read().expect("nothing panics while it holds this lock").clone()
    }

    /// Asks a supervisor for a connection's actor. When there is none to ask, the request is dropped, and who waits
    /// for its outcome learns that.
    pub(crate) fn start_connection_actor(&self, connection: ConnectionId, start: SupervisorMessage) {
        let supervisors = self.supervisors.read().expect("nothing panics while it holds this lock");
        if let Some(at) = connection.0.checked_rem(supervisors.len() as u64) {
            // Between a supervisor's end and its successor's start, asking fails like that.
            let _ = supervisors[at as usize].cast(start);
        }
    }
}

/// Tells clients of the nodes that there are now.
async fn tell_clients(context: Arc<Context>) {
    if let Some(cluster) = &context.cluster {
        context.set_client_nodes(&cluster.placed().client_nodes()).await;
    }
}

/// The open connections, by their id.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    opened: AtomicU64,
    open: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    closed: tokio::sync::Notify,
}

impl Connections {
    pub(crate) fn open(&self, peer: SocketAddr, at: Instant) -> Arc<Connection> {
        let id = ConnectionId(self.opened.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = Connection::new(id, peer, at);
        self.lock().insert(connection.id, connection.clone());
        connection
    }

    pub(crate) fn closed(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
        self.closed.notify_waiters();
    }

    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Completes when there are none.
    pub(crate) async fn none_left(&self) {
        loop {
            let mut closed = std::pin::pin!(self.closed.notified());
            closed.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            closed.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Arc<Connection>>> {
        self.open.lock().expect("nothing panics while it holds this lock")
    }
}
