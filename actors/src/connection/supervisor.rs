//! Starts connection actors and learns of their ends. Several share the connections, so that none is a bottleneck.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::counter;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;

use super::actor::{ConnectionActor, ConnectionMessage, ConnectionStart};
use super::handle::Connection;
use crate::context::Context;
use crate::metrics::RESTARTS;

/// Starts and watches connection actors.
#[derive(Debug)]
pub(crate) struct Supervisor;

/// What a supervisor is asked.
#[derive(Debug)]
pub(crate) enum SupervisorMessage {
    /// Start an actor for this connection.
    Start { connection: Arc<Connection>, started: oneshot::Sender<ActorRef<ConnectionMessage>> },
    /// Count the actors that are alive.
    Count(oneshot::Sender<usize>),
}

impl ractor::Message for SupervisorMessage {}

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
        message: SupervisorMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (connection, started) = match message {
            SupervisorMessage::Start { connection, started } => (connection, started),
            SupervisorMessage::Count(tell) => {
                // Whoever asked may have gone.
                let _ = tell.send(state.alive.len());
                return Ok(());
            }
        };
        let start = ConnectionStart { context: state.context.clone(), connection: connection.clone() };
        let (actor, _) =
            ConnectionActor::spawn_linked(None, ConnectionActor, start, myself.get_cell()).await?;
        state.alive.insert(actor.get_id(), connection);
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
                state.alive.remove(&actor.get_id());
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                if let Some(connection) = state.alive.remove(&actor.get_id()) {
                    tracing::error!(connection = connection.id.0, %error, "a connection's actor failed");
                    counter!(RESTARTS, "kind" => "connection").increment(1);
                    connection.actor_failed(actor.get_id());
                }
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => {}
        }
        Ok(())
    }
}

impl Drop for State {
    /// A supervisor's actors end with it.
    fn drop(&mut self) {
        for (actor, connection) in &self.alive {
            connection.actor_failed(*actor);
        }
    }
}
