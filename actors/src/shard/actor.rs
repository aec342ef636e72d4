//! The shard's actor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use rookery_protocol::{ErrorCode, Goaway, MessageId, Stamp, UserId};
use rookery_store::keys::node::NodeId;
use rookery_store::{StoreError, queries};
use tokio::time::Instant;

use super::entry::{Alive, Arriving, Attachment, Entry};
use super::hosting::Hosting;
use super::presence::Presences;
use super::registry::Registry;
use crate::cluster::{HostedDevice, Peer, Placed};
use crate::connection::{ConnectionId, LookingAfter, Stirring};
use crate::context::Context;
use crate::failure::suspended;
use crate::inspect::{Found, SessionSeen, SessionState, page_of};
use crate::metrics::{RESTARTS, SESSIONS_HIBERNATED};
use crate::session::{Hint, Session, SessionMessage, SessionStart};

/// How often sessions are asked to commit what they put off, and to hibernate.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// For sessions to end when the node stops; they wait for nothing.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(3);

/// The actor. It starts with its number among the node's shards.
#[derive(Debug)]
pub(crate) struct Shard;

/// What it is told.
#[derive(Debug)]
pub(crate) enum ShardMessage {
    /// A device has been welcomed.
    Attach { user: UserId, arriving: Arriving },
    /// A connection has gone.
    Detach { user: UserId, connection: ConnectionId },
    /// A connection's actor has failed.
    Resync { user: UserId, connection: ConnectionId },
    /// A client is there: make sure that nothing waits for it, and that it is still welcome.
    Heartbeat { user: UserId, connection: ConnectionId },
    /// For the session.
    Session { user: UserId, message: SessionMessage },
    /// These users' inboxes have grown, by the same event.
    Doorbells { users: Vec<UserId>, id: Option<MessageId>, hint: Option<Hint>, pass_on: PassOn },
    /// The user's inbox has grown, by this message if it is one.
    Doorbell { user: UserId, id: Option<MessageId>, hint: Option<Hint>, pass_on: PassOn },
    /// A node has these devices of a user whose owner this node is, in the view of this epoch if not in its own.
    Host { host: Arc<Peer>, user: UserId, number: u64, epoch: u64, devices: Vec<HostedDevice> },
    /// The owner of a user knows what this node has said.
    Hosted { user: UserId, number: u64 },
    /// Somebody has begun or ceased to use a device of this user here.
    Stirred { user: UserId, stirring: Stirring },
    /// Somebody watches whether this user is there, or nobody does any more.
    Follow { user: UserId, follow: bool },
    /// A device has connected elsewhere.
    Replace { user: UserId, newer: HostedDevice },
    /// An owner has lost what was registered with one of its shards.
    Forgotten { owner: NodeId, shard: u16, shards: u16 },
    /// From now on a peer understands whether devices are in use.
    Understood(Arc<Peer>),
    /// Slots have new owners. `lost`: bells may have been lost, whoever they were for.
    ViewChanged { placed: Arc<Placed>, lost: bool },
    /// A session has nothing to do.
    Passivate(Passivation),
    /// Time has passed.
    Tick,
    /// Count what there is.
    Count(tokio::sync::oneshot::Sender<Census>),
    /// Tell of one user; this is the `number`th shard.
    Find { user: UserId, number: usize, tell: tokio::sync::oneshot::Sender<Found> },
    /// List sessions of users after `after`; this is the `number`th shard.
    List {
        number: usize,
        after: Option<UserId>,
        limit: usize,
        tell: tokio::sync::oneshot::Sender<Vec<SessionSeen>>,
    },
    /// Make a session fail, or with `None` the shard.
    Crash(Option<UserId>),
}

impl ractor::Message for ShardMessage {}

/// Who else is to hear a bell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PassOn {
    /// Nobody: its owner sees to that.
    No,
    /// Nobody: the owner has passed it on to this node, as to a host.
    AsHost,
    /// Every host.
    ToAll,
    /// Every host but this one, where it comes from.
    ToAllBut(NodeId),
}

/// What a shard holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    pub(crate) users: usize,
    pub(crate) awake: usize,
    /// Users whose owner this node is and who have devices elsewhere.
    pub(crate) hosted_elsewhere: usize,
    /// Users whose owner does not know yet that they are here.
    pub(crate) unregistered: usize,
}

/// A session's wish to hibernate.
#[derive(Debug)]
pub(crate) struct Passivation {
    pub(crate) user: UserId,
    pub(crate) incarnation: u64,
    /// How many messages it has had from the shard.
    pub(crate) from_shard: u64,
}

pub(crate) struct State {
    pub(super) context: Arc<Context>,
    pub(super) entries: HashMap<UserId, Entry>,
    awake: HashMap<ActorId, UserId>,
    incarnations: u64,
    /// Whose what is, of a node in a cluster.
    pub(super) placed: Option<Arc<Placed>>,
    pub(super) registry: Registry,
    pub(super) hosting: Hosting,
    pub(super) presences: Presences,
}

impl Actor for Shard {
    type Msg = ShardMessage;
    type State = State;
    type Arguments = (Arc<Context>, u16);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (context, number): Self::Arguments,
    ) -> Result<State, ActorProcessingErr> {
        tick(myself, number, context.config.shards);
        let mut presences = Presences::default();
        if context.cluster.is_some() {
            presences.gather(Instant::now());
        }
        Ok(State {
            placed: context.cluster.as_ref().map(|cluster| cluster.placed()),
            context,
            entries: HashMap::new(),
            awake: HashMap::new(),
            incarnations: 0,
            registry: Registry::default(),
            hosting: Hosting::default(),
            presences,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: ShardMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            // What is rare and waits is in a box, here and below: the room it takes is moved with every message otherwise.
            ShardMessage::Attach { user, arriving } => {
                Box::pin(state.attach(&myself, user, arriving.attachment())).await?;
            }
            ShardMessage::Detach { user, connection } => state.detach(user, connection),
            ShardMessage::Resync { user, connection } => {
                if let Some(alive) = state.entries.get_mut(&user).and_then(|entry| entry.session.as_mut()) {
                    alive.pass_on(SessionMessage::Resync(connection));
                }
            }
            ShardMessage::Heartbeat { user, connection } => state.heartbeat(user, connection),
            ShardMessage::Session { user, message } => state.pass_on(&myself, user, message).await?,
            ShardMessage::Doorbells { users, id, hint, pass_on } => {
                state.pass_bells_on(&users, id, hint.as_ref(), &pass_on);
                for user in users {
                    state.ring(&myself, user, hint.clone()).await?;
                }
            }
            ShardMessage::Doorbell { user, id, hint, pass_on } => {
                state.pass_bell_on(user, id, hint.as_ref(), &pass_on);
                state.ring(&myself, user, hint).await?;
            }
            ShardMessage::Host { host, user, number, epoch, devices } => {
                state.host(&host, user, number, epoch, devices);
            }
            ShardMessage::Hosted { user, number } => state.hosted(user, number),
            ShardMessage::Stirred { user, stirring } => state.stirred(user, stirring),
            ShardMessage::Follow { user, follow } => state.follow(user, follow),
            ShardMessage::Replace { user, newer } => state.replace(user, newer),
            ShardMessage::Forgotten { owner, shard, shards } => state.forgotten(&owner, shard, shards),
            ShardMessage::Understood(peer) => state.understood(&peer),
            ShardMessage::ViewChanged { placed, lost } => state.view_changed(placed, lost),
            ShardMessage::Passivate(passivation) => state.passivate(passivation),
            ShardMessage::Tick => state.tick(),
            ShardMessage::Count(tell) => {
                // Whoever asked may have gone.
                let _ = tell.send(state.census());
            }
            ShardMessage::Find { user, number, tell } => {
                let hosts = state.registry.hosts(user).iter().map(|host| host.node.id.name.clone());
                let _ = tell.send(Found { session: state.seen(user, number), hosts: hosts.collect() });
            }
            ShardMessage::List { number, after, limit, tell } => {
                let page = page_of(state.entries.keys().copied(), after, limit);
                let _ = tell.send(page.into_iter().filter_map(|user| state.seen(user, number)).collect());
            }
            ShardMessage::Crash(Some(user)) => {
                Box::pin(state.pass_on(&myself, user, SessionMessage::Crash)).await?;
            }
            ShardMessage::Crash(None) => panic!("asked to fail"),
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, _, reason) => {
                let error = reason.unwrap_or_else(|| "it ended by itself".into());
                state.session_ended(&myself, actor.get_id(), &error).await?;
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                state.session_ended(&myself, actor.get_id(), &error).await?;
            }
            SupervisionEvent::ActorStarted(_)
            | SupervisionEvent::ProcessGroupChanged(_)
            | SupervisionEvent::PidLifecycleEvent(_) => {}
        }
        Ok(())
    }

    /// Sessions commit what they have put off.
    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        state.presences_end();
        myself.drain_children_and_wait(Some(DRAIN_TIME_MAX)).await;
        Ok(())
    }
}

/// Ticks from now on, each shard at a time of its own: a tick is a message to each of its sessions that are awake, and those
/// of all shards at once would keep everything else waiting.
fn tick(shard: ActorRef<ShardMessage>, number: u16, shards: u16) {
    let phase = TICK * u32::from(number) / u32::from(shards);
    tokio::spawn(async move {
        tokio::time::sleep(phase).await;
        shard.send_interval(TICK, || ShardMessage::Tick);
    });
}

impl State {
    async fn attach(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        user: UserId,
        attachment: Attachment,
    ) -> Result<(), ActorProcessingErr> {
        // One that has left during its handshake must not take the place of one that is there.
        if attachment.connection.is_gone() {
            return Ok(());
        }
        if !self.is_newest(user, &attachment) {
            return Ok(());
        }
        let entry = self.entries.entry(user).or_default();
        let was_asleep = entry.session.is_none();
        entry.attach(attachment.clone());
        self.register(user);
        self.presence_changed(user);
        let Some(entry) = self.entries.get_mut(&user) else { return Ok(()) };
        if was_asleep {
            return self.wake(myself, user, false).await;
        }
        if let Some(alive) = &mut entry.session {
            alive.pass_on(SessionMessage::Attach { attachment, recovering: false });
        }
        Ok(())
    }

    fn detach(&mut self, user: UserId, connection: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&user) else { return };
        entry.detach(connection);
        match &mut entry.session {
            Some(alive) => alive.pass_on(SessionMessage::Detach(connection)),
            None => self.forget_if_empty(user),
        }
        self.register(user);
        self.presence_changed(user);
    }

    fn forget_if_empty(&mut self, user: UserId) {
        let is_empty = |entry: &Entry| entry.session.is_none() && entry.attached.is_empty();
        if self.entries.get(&user).is_some_and(is_empty) {
            self.entries.remove(&user);
        }
    }

    /// Starts a session for a user's entry and hands it the devices that are there.
    async fn wake(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        user: UserId,
        recovering: bool,
    ) -> Result<(), ActorProcessingErr> {
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let start = SessionStart { context: self.context.clone(), user, incarnation };
        let (actor, _) = Session::spawn_linked(None, Session, start, myself.get_cell()).await?;
        self.awake.insert(actor.get_id(), user);
        let entry = self.entries.entry(user).or_default();
        let mut alive = Alive { actor, incarnation, passed_on: 0 };
        for attachment in &entry.attached {
            alive.pass_on(SessionMessage::Attach { attachment: attachment.clone(), recovering });
        }
        entry.session = Some(alive);
        Ok(())
    }

    async fn pass_on(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        user: UserId,
        message: SessionMessage,
    ) -> Result<(), ActorProcessingErr> {
        // A request of a connection that is not attached any more is dropped, and answers for itself.
        let Some(entry) = self.entries.get(&user) else { return Ok(()) };
        if entry.session.is_none() {
            Box::pin(self.wake(myself, user, false)).await?;
        }
        if let Some(alive) = self.entries.get_mut(&user).and_then(|entry| entry.session.as_mut()) {
            alive.pass_on(message);
        }
        Ok(())
    }

    async fn ring(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        user: UserId,
        hint: Option<Hint>,
    ) -> Result<(), ActorProcessingErr> {
        match self.entries.get_mut(&user) {
            // Nobody is there: the event waits in the inbox.
            None => Ok(()),
            Some(Entry { session: Some(alive), .. }) => {
                alive.pass_on(SessionMessage::Doorbell(hint));
                Ok(())
            }
            Some(_) => Box::pin(self.pass_on(myself, user, SessionMessage::Doorbell(hint))).await,
        }
    }

    /// A sweep for a session that is awake; for one asleep, a look whether it should be. And whether the device's
    /// tokens are still good: one revoked from elsewhere ends its connection at the next heartbeat.
    fn heartbeat(&mut self, user: UserId, connection: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&user) else { return };
        let Some(attachment) = entry.attached.iter().find(|attached| attached.connection.id == connection)
        else {
            return;
        };
        let attachment = attachment.clone();
        let asleep_since = match &mut entry.session {
            Some(alive) => {
                alive.pass_on(SessionMessage::Doorbell(None));
                None
            }
            None => Some(attachment.connection.cursor()),
        };
        // A store that is slow gets no more of this than one at a time for each connection.
        let Some(permit) = attachment.connection.look_after() else { return };
        let context = self.context.clone();
        tokio::spawn(async move {
            if let Err(error) = look_after(&context, user, &attachment, asleep_since, permit).await {
                tracing::debug!(%user, %error, "a heartbeat's look at the store failed");
            }
        });
    }

    fn passivate(&mut self, passivation: Passivation) {
        let Some(entry) = self.entries.get_mut(&passivation.user) else { return };
        let is_current = entry.session.as_ref().is_some_and(|alive| {
            alive.incarnation == passivation.incarnation && alive.passed_on == passivation.from_shard
        });
        if !is_current {
            return;
        }
        // All has been pushed, acknowledged and committed: the connections' cursors say where to go on.
        for attached in &mut entry.attached {
            attached.resume = Stamp::ZERO;
        }
        if let Some(alive) = entry.session.take() {
            self.awake.remove(&alive.actor.get_id());
            alive.actor.stop(None);
            counter!(SESSIONS_HIBERNATED).increment(1);
        }
        self.forget_if_empty(passivation.user);
    }

    /// A session has ended. Unless it was let go, it has failed, and its successor begins where the store says the
    /// devices stand.
    async fn session_ended(
        &mut self,
        myself: &ActorRef<ShardMessage>,
        ended: ActorId,
        error: &(dyn std::fmt::Display + Sync),
    ) -> Result<(), ActorProcessingErr> {
        let Some(user) = self.awake.remove(&ended) else { return Ok(()) };
        let Some(entry) = self.entries.get_mut(&user) else { return Ok(()) };
        tracing::error!(%user, %error, "a session failed");
        counter!(RESTARTS, "kind" => "session").increment(1);
        entry.session = None;
        if !entry.restarts.spend(Instant::now()) {
            tracing::error!(%user, "a session keeps failing: its connections are closed");
            for attached in entry.attached.drain(..) {
                attached.connection.go_away(&Goaway {
                    code: ErrorCode::Internal as u16,
                    text: "the node keeps failing at this session".into(),
                    reconnect_after_ms: 5_000,
                    nodes: Vec::new(),
                });
            }
        }
        if entry.attached.is_empty() {
            self.forget_if_empty(user);
            self.register(user);
            self.presence_changed(user);
            return Ok(());
        }
        self.wake(myself, user, true).await
    }

    fn seen(&self, user: UserId, shard: usize) -> Option<SessionSeen> {
        let entry = self.entries.get(&user)?;
        Some(SessionSeen {
            user,
            shard,
            state: if entry.session.is_some() { SessionState::Alive } else { SessionState::Hibernating },
            devices: entry.attached.iter().map(|attached| attached.device).collect(),
        })
    }

    fn tick(&mut self) {
        for user in self.awake.values() {
            if let Some(alive) = self.entries.get_mut(user).and_then(|entry| entry.session.as_mut()) {
                alive.pass_on(SessionMessage::IdleCheck);
            }
        }
        for user in self.hosting.overdue(Instant::now()) {
            self.register(user);
        }
        self.presences_tick();
    }

    fn census(&self) -> Census {
        Census {
            users: self.entries.len(),
            awake: self.awake.len(),
            hosted_elsewhere: self.registry.len(),
            unregistered: self.hosting.len(),
        }
    }
}

/// See [`State::heartbeat`].
async fn look_after(
    context: &Context,
    user: UserId,
    attachment: &Attachment,
    asleep_since: Option<Stamp>,
    _permit: LookingAfter,
) -> Result<(), StoreError> {
    let snapshot = context.store.snapshot().await?;
    let account = queries::user(&*snapshot, user).await?;
    let device = queries::device(&*snapshot, user, attachment.device).await?;
    if let Some(suspension) = account.and_then(|account| account.suspension) {
        attachment.connection.close_with(ErrorCode::Suspended, suspended(&suspension.reason));
    } else if device.is_none_or(|device| device.generation != attachment.generation) {
        let text = "the device was removed, or its tokens were revoked";
        attachment.connection.close_with(ErrorCode::TokenRevoked, text);
    } else if let Some(position) = asleep_since
        && !queries::inbox_after(&*snapshot, user, position, 1).await?.is_empty()
    {
        context.router.ring_here(user);
    }
    Ok(())
}
