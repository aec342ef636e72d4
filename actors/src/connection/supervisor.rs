//! Starts connection actors and learns of their ends. Several share the connections, so that none is a bottleneck.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::{counter, gauge};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use super::actor::{ConnectionActor, ConnectionMessage, ConnectionStart};
use super::handle::Connection;
use crate::context::Context;
use crate::metrics::{CONNECTION_ACTORS, RESTARTS};

/// Starts and watches connection actors.
#[derive(Debug)]
pub(crate) struct Supervisor;

/// What a supervisor is asked.
#[derive(Debug)]
pub(crate) enum SupervisorMessage {
    /// Start an actor for this connection.
    Start { connection: Arc<Connection>, started: oneshot::Sender<ActorRef<ConnectionMessage>> },
}

pub(crate) struct State {
    context: Arc<Context>,
    alive: HashMap<ActorId, Arc<Connection>>,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = State;
    type Arguments = Arc<Context>;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        context: Arc<Context>,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State { context, alive: HashMap::new() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        SupervisorMessage::Start { connection, started }: SupervisorMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let start = ConnectionStart { context: state.context.clone(), connection: connection.clone() };
        let (actor, _) =
            ConnectionActor::spawn_linked(None, ConnectionActor, start, myself.get_cell()).await?;
        state.alive.insert(actor.get_id(), connection);
        gauge!(CONNECTION_ACTORS).increment(1);
        // A socket task that has ended meanwhile drops the reference, and the actor is stopped below.
        if let Err(actor) = started.send(actor) {
            actor.stop(None);
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, _, _) => {
                if state.alive.remove(&actor.get_id()).is_some() {
                    gauge!(CONNECTION_ACTORS).decrement(1);
                }
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                if let Some(connection) = state.alive.remove(&actor.get_id()) {
                    tracing::error!(connection = connection.id.0, %error, "a connection's actor failed");
                    counter!(RESTARTS, "kind" => "connection").increment(1);
                    gauge!(CONNECTION_ACTORS).decrement(1);
                    connection.actor_failed();
                }
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Self::Msg>, state: &mut State) -> Result<(), ActorProcessingErr> {
        for connection in state.alive.values() {
            connection.actor_failed();
        }
        Ok(())
    }
}
