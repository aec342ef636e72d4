//! The top of the supervision tree: shards and connection supervisors, each replaced when it fails.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::time::Instant;

use crate::cluster::{LinkMessage, MembershipActor};
use crate::connection::Supervisor;
use crate::context::Context;
use crate::looking::{LookingActor, LookingMessage};
use crate::metrics::RESTARTS;
use crate::shard::{Shard, ShardMessage};
use crate::supervision::RestartBudget;

/// Connection supervisors of a node: starting an actor takes one about 20 µs.
const SUPERVISORS: usize = 4;

/// One that keeps failing is replaced after this long, so that a defect that repeats does not fill the log.
const PAUSE: Duration = Duration::from_secs(5);

/// The actor.
#[derive(Debug)]
pub(crate) struct Root;

/// A child by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    Shard(usize),
    Supervisor(usize),
    Looking,
    Membership,
}

impl ractor::Message for Child {}

pub(crate) struct State {
    context: Arc<Context>,
    children: Vec<(Child, ActorId, RestartBudget)>,
}

impl Actor for Root {
    /// Replace this child now.
    type Msg = Child;
    type State = State;
    type Arguments = Arc<Context>;

    async fn pre_start(
        &self,
        myself: ActorRef<Child>,
        context: Arc<Context>,
    ) -> Result<State, ActorProcessingErr> {
        let shards = (0..usize::from(context.config.shards)).map(Child::Shard);
        let membership = context.cluster.is_some().then_some(Child::Membership);
        let looking = std::iter::once(Child::Looking);
        let all = (0..SUPERVISORS).map(Child::Supervisor).chain(looking).chain(shards).chain(membership);
        let mut state = State { context, children: Vec::new() };
        for child in all {
            let id = state.start(&myself, child).await?;
            state.children.push((child, id, RestartBudget::default()));
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Child>,
        child: Child,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let id = state.start(&myself, child).await?;
        if let (Child::Shard(at), Some(cluster)) = (child, &state.context.cluster) {
            // What hosts had registered with it is lost.
            cluster.tell_all(&LinkMessage::Forgotten {
                owner: cluster.me(),
                shard: at as u16,
                shards: state.context.config.shards,
            });
        }
        for (other, started, _) in &mut state.children {
            if *other == child {
                *started = id;
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Child>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                let failed = actor.get_id();
                let found = state.children.iter_mut().find(|(_, started, _)| *started == failed);
                let Some((child, _, budget)) = found else { return Ok(()) };
                tracing::error!(?child, %error, "an actor failed and is replaced");
                counter!(RESTARTS, "kind" => child.kind()).increment(1);
                let child = *child;
                if budget.spend(Instant::now()) {
                    myself.cast(child)?;
                } else {
                    myself.send_after(PAUSE, move || child);
                }
            }
            SupervisionEvent::ActorTerminated(..)
            | SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => {}
        }
        Ok(())
    }
}

impl Child {
    fn kind(self) -> &'static str {
        match self {
            Self::Shard(_) => "shard",
            Self::Supervisor(_) => "supervisor",
            Self::Looking => "looking",
            Self::Membership => "membership",
        }
    }
}

impl State {
    async fn start(&self, myself: &ActorRef<Child>, child: Child) -> Result<ActorId, ActorProcessingErr> {
        let context = self.context.clone();
        match child {
            Child::Looking => {
                let (looking, _) =
                    LookingActor::spawn_linked(None, LookingActor, context, myself.get_cell()).await?;
                self.context.looking.set(looking.clone());
                if let Some(cluster) = &self.context.cluster {
                    // As a shard.
                    looking.cast(LookingMessage::ViewChanged(cluster.placed()))?;
                }
                Ok(looking.get_id())
            }
            Child::Membership => {
                let cluster = context.cluster.clone().expect("only a node in a cluster has this child");
                let start = (context, cluster);
                let (membership, _) =
                    MembershipActor::spawn_linked(None, MembershipActor, start, myself.get_cell()).await?;
                Ok(membership.get_id())
            }
            Child::Shard(at) => {
                let start = (context, at as u16);
                let (shard, _) = Shard::spawn_linked(None, Shard, start, myself.get_cell()).await?;
                let id = shard.get_id();
                self.context.router.set_shard(at, shard.clone());
                if let Some(cluster) = &self.context.cluster {
                    // It may have begun with an earlier view, and not have been there to be told of a later one.
                    shard.cast(ShardMessage::ViewChanged { placed: cluster.placed(), lost: false })?;
                }
                Ok(id)
            }
            Child::Supervisor(at) => {
                let (supervisor, _) =
                    Supervisor::spawn_linked(None, Supervisor, context, myself.get_cell()).await?;
                let id = supervisor.get_id();
                let mut supervisors =
                    self.context.supervisors.write().expect("nothing panics while it holds it");
                if at == supervisors.len() {
                    supervisors.push(supervisor);
                } else {
                    supervisors[at] = supervisor;
                }
                Ok(id)
            }
        }
    }
}
