//! One connection in ractor_cluster: its `NodeSession`, and an actor that answers that session's questions.
//!
//! In ractor_cluster a `NodeServer` would do this, for all connections. It opens a listener of its own which takes anybody,
//! and of two connections to a peer it keeps one by a random number, be it the dead one. Here a connection has been
//! proved and chosen before a session sees it, so the answers are simple: there is no other.

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent, pg};
use ractor_cluster::node::{NodeConnectionMode, SessionCheckReply};
use ractor_cluster::{NetworkStream, NodeServerMessage, NodeSession, NodeSessionMessage};
use rookery_store::keys::node::NodeId;
use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::router::{GROUP, RouterMessage, SCOPE};

/// What a frame of ractor_cluster may hold: a batch and its wrapping, or the list of a node's routers.
const FRAME_BYTES_MAX: u64 = 1024 * 1024;

/// ractor_cluster asks both sides for a secret. Certificates have proved them already.
const COOKIE: &str = "rookery";

/// The version of ractor_cluster's words, as its `NodeServer` gives it.
const CLUSTER_VERSION: u32 = 1;

/// The actor.
struct Host;

/// What it starts with.
pub(super) struct SessionStart {
    pub(super) stream: DuplexStream,
    /// Whether the other side has dialled.
    pub(super) is_server: bool,
    pub(super) own: NodeId,
    pub(super) peer: NodeId,
}

/// A session of ractor_cluster, from its handshake on.
pub(super) struct ClusterSession {
    number: u64,
    host: ActorRef<NodeServerMessage>,
    ended: JoinHandle<()>,
    ready: Option<oneshot::Receiver<()>>,
}

struct State {
    session: ActorRef<NodeSessionMessage>,
    peer: String,
    ready: Option<oneshot::Sender<()>>,
}

impl ClusterSession {
    /// Starts one on a stream that leads to `start.peer`.
    pub(super) async fn start(start: SessionStart) -> Result<Self, ractor::SpawnErr> {
        // It stands in the ids of the peer's actors, which live in a registry of the whole process.
        let number = rand::random();
        let (tell, ready) = oneshot::channel();
        let (host, ended) = Actor::spawn(None, Host, (number, start, tell)).await?;
        Ok(Self { number, host, ended, ready: Some(ready) })
    }

    /// Waits until each side knows the other's router, and gives that of the peer.
    pub(super) async fn ready(&mut self, router: u64) -> Option<ActorRef<RouterMessage>> {
        self.ready.take()?.await.ok()?;
        let id = ActorId::Remote { node_id: self.number, pid: router };
        let members = pg::get_scoped_members(&SCOPE.to_owned(), &GROUP.to_owned());
        members.into_iter().find(|member| member.get_id() == id).map(ActorRef::from)
    }

    /// Waits until all that came has been passed on and the session is gone. Its stream has ended, and with it ends the
    /// session. One that has not ended in time is killed, and leaves its subscriptions to ractor's registries behind.
    pub(super) async fn finish(mut self, time: std::time::Duration) {
        if tokio::time::timeout(time, &mut self.ended).await.is_err() {
            self.host.kill();
        }
    }
}

impl Actor for Host {
    type Msg = NodeServerMessage;
    type State = State;
    type Arguments = (u64, SessionStart, oneshot::Sender<()>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (number, start, ready): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let (reader, writer) = tokio::io::split(start.stream);
        let stream = NetworkStream::External {
            peer_label: Some(start.peer.to_string()),
            local_label: Some(start.own.to_string()),
            reader: Box::new(reader),
            writer: Box::new(writer),
        };
        let mut name = blank(NodeSession::new);
        name.name = start.own.to_string();
        // Two nodes with the same would take themselves for one.
        name.connection_string = start.own.to_string();
        name.flags = Some(Default::default());
        if let Some(flags) = &mut name.flags {
            flags.version = CLUSTER_VERSION;
        }
        let session = NodeSession::new(
            number,
            start.is_server,
            COOKIE.to_owned(),
            myself.clone(),
            name,
            NodeConnectionMode::Isolated,
        )
        .with_max_inbound_frame_size(FRAME_BYTES_MAX);
        let (session, _) = Actor::spawn_linked(None, session, stream, myself.get_cell()).await?;
        Ok(State { session, peer: start.peer.to_string(), ready: Some(ready) })
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: NodeServerMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NodeServerMessage::CheckSession { reply, .. } => {
                // A session that has ended meanwhile hears nothing.
                let _ = reply.send(SessionCheckReply::NoOtherConnection);
            }
            NodeServerMessage::UpdateSession { name, .. } if name.name != state.peer => {
                tracing::warn!(peer = state.peer, name = name.name, "a node calls itself by another name");
                state.session.stop(None);
            }
            NodeServerMessage::ConnectionReady(_) => {
                if let Some(ready) = state.ready.take() {
                    // Nobody waits when the connection is over already.
                    let _ = ready.send(());
                }
            }
            // Questions of a node with many sessions. Dropped, they are answered: nothing.
            _ => {}
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        _: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..) => myself.stop(None),
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => {}
        }
        Ok(())
    }
}

/// A blank name as ractor_cluster has it on the wire. The type is public there but has no path to be called by, so it is
/// named by the function that takes it.
fn blank<A, B, C, D, Name: Default, E>(_: impl Fn(A, B, C, D, Name, E) -> NodeSession) -> Name {
    Name::default()
}
