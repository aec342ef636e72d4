//! Carries out what the two sides decide.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_protocol::{ConversationId, Done, GroupId, MemberMark, Presence, UserId, Watch, encode};
use rookery_store::StoreError;
use rookery_store::keys::conversation::Mark;
use tokio::time::Instant;

use super::host::{self, Host, Notice, Sight};
use super::look;
use super::news::{News, Topic, WATCHED_AT_ONCE_MAX};
use super::owner::{self, Owner, PlaceId};
use crate::cluster::{LinkMessage, Owner as Place, Peer, Placed};
use crate::connection::{Connection, ConnectionId, Reply};
use crate::context::Context;
use crate::failure::of_store;
use crate::metrics::NOTICES_DROPPED;
use crate::shard::ShardMessage;

/// How exact times are kept.
const TICK: Duration = Duration::from_millis(100);
/// Between two steps of telling many of presence.
pub(super) const STEP: Duration = Duration::from_millis(10);

/// The actor.
#[derive(Debug)]
pub(crate) struct LookingActor;

/// What it is told.
#[derive(Debug)]
pub(crate) enum LookingMessage {
    /// A client watches, which has been found to be not too much.
    Watch { watch: Watch, reply: Reply },
    /// Which of the conversations a connection watches its user is in.
    Opened { watch: u64, conversations: Vec<ConversationId>, reply: Reply },
    /// What may be seen on a connection, as a look has found; none if it has failed.
    Seen { connection: ConnectionId, look: u64, sights: Option<Vec<(UserId, Sight)>> },
    /// A connection's user follows other channels than before, perhaps. Whoever has asked for that is answered when what is
    /// said there from now on comes to the connection.
    Refollow { connection: Arc<Connection>, reply: Option<Reply> },
    /// A connection's user follows these channels, by this version of the store.
    Follows { connection: Arc<Connection>, version: u64, channels: Vec<GroupId>, reply: Option<Reply> },
    /// A connection that has watched has gone.
    Gone(ConnectionId),
    /// How a user is whose owner this node is.
    Present(Presence),
    /// For the owner of what it is about.
    Publish(News),
    /// A user here has come further in a group.
    Moved { conversation: ConversationId, user: UserId, mark: Mark },
    /// What the user of these connections may see of others may have changed.
    RecheckFor(Vec<ConnectionId>),
    /// These connections' users are not in a conversation any more.
    Closed { conversation: ConversationId, connections: Vec<ConnectionId> },
    /// What was to be read has been, or has failed.
    Looked,
    /// A host watches these, in the view of this epoch.
    Watching { host: Arc<Peer>, epoch: u64, topics: Vec<Topic> },
    /// A host does not watch these any more.
    Unwatching { host: Arc<Peer>, topics: Vec<Topic> },
    /// A host has this for the owner, which this node is.
    Published(News),
    /// An owner has this for its hosts, of which this node is one.
    News(News),
    /// From now on a peer understands what is said here.
    Understood(Arc<Peer>),
    /// Slots have new owners.
    ViewChanged(Arc<Placed>),
    /// Time has passed.
    Tick,
    /// The next of many are to be told of presence.
    Step,
    /// Fail, to show what is lost by it.
    Crash,
}

impl ractor::Message for LookingMessage {}

pub(crate) struct State {
    context: Arc<Context>,
    myself: ActorRef<LookingMessage>,
    /// Whose what is, of a node in a cluster.
    placed: Option<Arc<Placed>>,
    host: Host<Arc<Connection>>,
    owner: Owner,
    /// A step is on its way.
    is_telling: bool,
}

impl Actor for LookingActor {
    type Msg = LookingMessage;
    type State = State;
    type Arguments = Arc<Context>;

    async fn pre_start(
        &self,
        myself: ActorRef<LookingMessage>,
        context: Arc<Context>,
    ) -> Result<State, ActorProcessingErr> {
        myself.send_interval(TICK, || LookingMessage::Tick);
        // Of one that has failed: clients watch anew by themselves, and follow what they did.
        let (connections, to) = (context.connections.all(), myself.clone());
        let store = context.store.clone();
        tokio::spawn(async move {
            for connection in connections {
                let Some(identity) = connection.identity() else { continue };
                if let Ok((version, channels)) = look::followed(&store, identity.user).await
                    && !channels.is_empty()
                {
                    drop(to.cast(LookingMessage::Follows { connection, version, channels, reply: None }));
                }
            }
        });
        let (placed, now) = (context.cluster.as_ref().map(|cluster| cluster.placed()), Instant::now());
        let (host, owner) = (Host::new(now), Owner::new(now));
        Ok(State { context, myself, placed, host, owner, is_telling: false })
    }

    async fn handle(
        &self,
        _: ActorRef<LookingMessage>,
        message: LookingMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let now = Instant::now();
        let (mut as_host, mut as_owner) = (Vec::new(), Vec::new());
        match message {
            LookingMessage::Watch { watch, reply } => state.watch(now, watch, reply),
            LookingMessage::Opened { watch, conversations, reply } => {
                let connection = reply.connection().id;
                state.host.opened(now, (connection, watch), conversations, &mut as_host);
                state.perform(now, std::mem::take(&mut as_host), Vec::new());
                // What comes later than this is told.
                let request = reply.request();
                reply.answer(&Done { request });
            }
            LookingMessage::Seen { connection, look, sights } => match sights {
                Some(sights) => state.host.seen((connection, look), sights),
                None => state.host.unseen((connection, look)),
            },
            LookingMessage::Gone(connection) => state.host.gone(connection, &mut as_host),
            LookingMessage::Refollow { connection, reply } => state.refollow(connection, reply),
            LookingMessage::Follows { connection, version, channels, reply } => {
                state.follows(now, &connection, version, channels);
                if let Some(reply) = reply {
                    let request = reply.request();
                    reply.answer(&Done { request });
                }
            }
            LookingMessage::Present(presence) => state.owner.present(presence, &mut as_owner),
            LookingMessage::Publish(news) => state.publish(now, news),
            LookingMessage::Moved { conversation, user, mark } => {
                let Mark { delivered, read, delivered_ms, read_ms, .. } = mark;
                let mark = MemberMark { user, delivered, read, delivered_ms, read_ms };
                if !state.host.moved(conversation, mark) {
                    counter!(NOTICES_DROPPED).increment(1);
                }
            }
            LookingMessage::RecheckFor(connections) => {
                state.host.recheck_for(&connections);
            }
            LookingMessage::Closed { conversation, connections } => {
                state.host.closed(now, conversation, &connections, &mut as_host);
            }
            LookingMessage::Looked => state.host.looked(&mut as_host),
            LookingMessage::Watching { host, epoch, topics } => {
                state.watching(now, &Place::Elsewhere(host), epoch, topics);
            }
            LookingMessage::Unwatching { host, topics } => {
                state.owner.unwatching(&Place::Elsewhere(host), &topics, &mut as_owner);
            }
            LookingMessage::Published(news) => state.owner.published(news, &mut as_owner),
            LookingMessage::News(news) => state.host.news(news, &mut as_host),
            LookingMessage::Understood(peer) => {
                let placed = state.placed.clone();
                let is_theirs = |topic: Topic| is_owned_by(placed.as_deref(), topic, &peer);
                state.host.renew(now, is_theirs, &mut as_host);
            }
            LookingMessage::ViewChanged(placed) => state.view_changed(now, placed),
            LookingMessage::Tick => {
                if !state.is_telling {
                    state.step(now, &mut as_host);
                }
                state.host.tick(now, &mut as_host);
                state.owner.tick(now, &mut as_owner);
            }
            LookingMessage::Step => state.step(now, &mut as_host),
            LookingMessage::Crash => panic!("asked to fail"),
        }
        state.perform(now, as_host, as_owner);
        Ok(())
    }
}

impl State {
    /// Tells some of those who are to be told of presence, and sees to it that the others are.
    fn step(&mut self, now: Instant, effects: &mut Vec<host::Effect<Arc<Connection>>>) {
        self.host.step(now, effects);
        self.is_telling = self.host.is_telling(now);
        if self.is_telling {
            self.myself.send_after(STEP, || LookingMessage::Step);
        }
    }

    fn watch(&mut self, now: Instant, watch: Watch, reply: Reply) {
        let connection = reply.connection().clone();
        let Some(identity) = connection.identity().filter(|_| !connection.is_gone()) else { return };
        let mut effects = Vec::new();
        let to = (connection.id, connection.clone());
        let number = self.host.watch(now, to, identity.user, &watch, &mut effects);
        // Their owners are told first, so that they tell of a change that is later than what is read now.
        self.perform(now, effects, Vec::new());
        let (context, myself) = (self.context.clone(), self.myself.clone());
        tokio::spawn(async move {
            if let Err(error) = watched(&context, &myself, identity.user, number, watch, reply).await {
                tracing::debug!(user = %identity.user, %error, "what a user may watch could not be read");
            }
        });
    }

    fn refollow(&self, connection: Arc<Connection>, reply: Option<Reply>) {
        let Some(identity) = connection.identity() else { return };
        let (context, myself) = (self.context.clone(), self.myself.clone());
        tokio::spawn(async move {
            match look::followed(&context.store, identity.user).await {
                Ok((version, channels)) => {
                    drop(myself.cast(LookingMessage::Follows { connection, version, channels, reply }));
                }
                Err(error) => {
                    tracing::debug!(user = %identity.user, %error, "which channels are followed could not be read");
                    if let Some(reply) = reply {
                        let (code, text) = of_store(&error);
                        reply.refuse(code, text);
                    }
                }
            }
        });
    }

    fn follows(&mut self, now: Instant, connection: &Arc<Connection>, version: u64, channels: Vec<GroupId>) {
        // Said first: if it has not gone yet, it says so when it goes.
        connection.set_watching();
        if connection.is_gone() {
            return;
        }
        let mut effects = Vec::new();
        let to = (connection.id, connection.clone());
        self.host.follows(now, to, version, channels, &mut effects);
        self.perform(now, effects, Vec::new());
    }

    fn watching(&mut self, now: Instant, place: &Place, epoch: u64, topics: Vec<Topic>) {
        let mut effects = Vec::new();
        let refused = self.owner.watching(now, place, epoch, topics, &mut effects);
        if refused > 0 {
            counter!(NOTICES_DROPPED).increment(refused as u64);
        }
        self.perform(now, Vec::new(), effects);
    }

    /// Tells the owner of what it is about.
    fn publish(&mut self, now: Instant, news: News) {
        let Some(topic) = news.topic() else { return };
        match self.place_of(topic) {
            Place::Here => {
                let mut effects = Vec::new();
                self.owner.published(news, &mut effects);
                self.perform(now, Vec::new(), effects);
            }
            Place::Elsewhere(owner) => owner.send(LinkMessage::Published(news)),
        }
    }

    fn view_changed(&mut self, now: Instant, placed: Arc<Placed>) {
        if self.placed.as_ref().is_some_and(|current| current.epoch() > placed.epoch()) {
            return;
        }
        let before = self.placed.replace(placed.clone()).filter(|before| placed.follows(before));
        let (mut as_host, mut as_owner) = (Vec::new(), Vec::new());
        let is_mine = |topic: Topic| placed.owner(topic.slot()).is_here();
        self.owner.placed(placed.epoch(), is_mine, |peer| placed.view.has(&peer.id), &mut as_owner);
        let has_moved = |topic: Topic| {
            let slot = topic.slot();
            before.as_ref().is_none_or(|before| !before.owner(slot).is_same(&placed.owner(slot)))
        };
        self.host.renew(now, has_moved, &mut as_host);
        self.perform(now, as_host, as_owner);
    }

    fn place_of(&self, topic: Topic) -> Place {
        self.placed.as_ref().map_or(Place::Here, |placed| placed.owner(topic.slot()))
    }

    fn epoch(&self) -> u64 {
        self.placed.as_ref().map_or(0, |placed| placed.epoch())
    }

    /// Topics by their owners.
    fn by_owner(&self, topics: Vec<Topic>) -> Vec<(Place, Vec<Topic>)> {
        let mut owners: Vec<(Place, Vec<Topic>)> = Vec::new();
        for topic in topics {
            let owner = self.place_of(topic);
            match owners.iter_mut().find(|(known, _)| known.is_same(&owner)) {
                Some((_, topics)) => topics.push(topic),
                None => owners.push((owner, vec![topic])),
            }
        }
        owners
    }

    /// What one side decides may be for the other, when this node is both.
    fn perform(
        &mut self,
        now: Instant,
        as_host: Vec<host::Effect<Arc<Connection>>>,
        as_owner: Vec<owner::Effect>,
    ) {
        as_host.into_iter().for_each(|effect| self.perform_as_host(now, effect));
        as_owner.into_iter().for_each(|effect| self.perform_as_owner(now, effect));
    }

    fn perform_as_host(&mut self, now: Instant, effect: host::Effect<Arc<Connection>>) {
        match effect {
            host::Effect::Watching(topics) => {
                for (owner, topics) in self.by_owner(topics) {
                    match owner {
                        Place::Here => self.watching(now, &Place::Here, self.epoch(), topics),
                        Place::Elsewhere(owner) => {
                            for some in topics.chunks(WATCHED_AT_ONCE_MAX) {
                                owner.send(LinkMessage::Watching(some.to_vec()));
                            }
                        }
                    }
                }
            }
            host::Effect::Unwatching(topics) => {
                for (owner, topics) in self.by_owner(topics) {
                    match owner {
                        Place::Here => {
                            let mut effects = Vec::new();
                            self.owner.unwatching(&Place::Here, &topics, &mut effects);
                            self.perform(now, Vec::new(), effects);
                        }
                        Place::Elsewhere(owner) => {
                            for some in topics.chunks(WATCHED_AT_ONCE_MAX) {
                                owner.send(LinkMessage::Unwatching(some.to_vec()));
                            }
                        }
                    }
                }
            }
            host::Effect::Look { connection, look, viewer, users } => {
                let (context, myself) = (self.context.clone(), self.myself.clone());
                let turn = TurnTaken(myself.clone());
                tokio::spawn(async move {
                    let _turn = turn;
                    let sights = look::sights(&context.store, viewer, &users).await;
                    let sights = sights.inspect_err(|error| {
                        tracing::debug!(%viewer, %error, "what may be seen could not be read");
                    });
                    // One that has failed has forgotten the watch.
                    let _ = myself.cast(LookingMessage::Seen { connection, look, sights: sights.ok() });
                });
            }
            host::Effect::Check { conversation, watchers } => {
                let (context, myself) = (self.context.clone(), self.myself.clone());
                let turn = TurnTaken(myself.clone());
                tokio::spawn(async move {
                    let _turn = turn;
                    match look::outsiders(&context.store, conversation, watchers).await {
                        // As above.
                        Ok(connections) => {
                            drop(myself.cast(LookingMessage::Closed { conversation, connections }));
                        }
                        // It is read anew when the clients watch anew.
                        Err(error) => {
                            tracing::debug!(%conversation, %error, "who is in it could not be read");
                        }
                    }
                });
            }
            host::Effect::Push(connections, notice) => self.push(now, &connections, &notice),
            host::Effect::Publish(news) => self.publish(now, news),
        }
    }

    fn push(&mut self, now: Instant, connections: &[Arc<Connection>], notice: &Notice) {
        let meters = &self.context.meters;
        let (counter, frame): (_, Bytes) = match notice {
            Notice::Presence(notice) => (&meters.presence_notices, encode(notice)),
            Notice::Typing(notice) => (&meters.typing_notices, encode(notice)),
            Notice::Receipts(notice) => (&meters.receipts_notices, encode(notice)),
            Notice::Channel(frame) => (&meters.channel_notices, frame.clone()),
        };
        let mut pushed = 0;
        for connection in connections {
            if connection.push_if_comfortable(frame.clone()) {
                pushed += 1;
            } else if let Notice::Presence(notice) = notice {
                self.host.not_taken(now, connection.id, notice);
            }
        }
        counter.increment(pushed);
        meters.notices_dropped.increment(connections.len() as u64 - pushed);
    }

    fn perform_as_owner(&mut self, now: Instant, effect: owner::Effect) {
        match effect {
            owner::Effect::Follow(user) => {
                self.context.router.to_shard(user, ShardMessage::Follow { user, follow: true });
            }
            owner::Effect::Unfollow(user) => {
                self.context.router.to_shard(user, ShardMessage::Follow { user, follow: false });
            }
            owner::Effect::Tell(places, news) => {
                for PlaceId(place) in places {
                    match place {
                        Place::Elsewhere(host) => host.send(LinkMessage::News(news.clone())),
                        Place::Here => {
                            let mut effects = Vec::new();
                            self.host.news(news.clone(), &mut effects);
                            self.perform(now, effects, Vec::new());
                        }
                    }
                }
            }
        }
    }
}

/// Says that a turn is over when it is, however it ends.
struct TurnTaken(ActorRef<LookingMessage>);

impl Drop for TurnTaken {
    fn drop(&mut self) {
        // One that has failed has forgotten whose turn it was.
        let _ = self.0.cast(LookingMessage::Looked);
    }
}

fn is_owned_by(placed: Option<&Placed>, topic: Topic, peer: &Peer) -> bool {
    let owner = placed.map(|placed| placed.owner(topic.slot()));
    matches!(owner, Some(Place::Elsewhere(owner)) if owner.id == peer.id)
}

/// Reads what a user may watch, and answers. While it reads, the request counts among the connection's.
async fn watched(
    context: &Context,
    looking: &ActorRef<LookingMessage>,
    user: UserId,
    number: u64,
    watch: Watch,
    reply: Reply,
) -> Result<(), StoreError> {
    let (connection, look) = (reply.connection().id, number);
    let own = look::own(&context.store, user, watch.conversations).await;
    let sights = look::sights(&context.store, user, &watch.users).await;
    let (own, sights) = match (own, sights) {
        (Ok(own), Ok(sights)) => (own, sights),
        (Err(error), _) | (_, Err(error)) => {
            let (code, text) = of_store(&error);
            reply.refuse(code, text);
            let _ = looking.cast(LookingMessage::Seen { connection, look, sights: None });
            return Err(error);
        }
    };
    // One that has failed has forgotten the watch.
    let _ = looking.cast(LookingMessage::Opened { watch: number, conversations: own, reply });
    let _ = looking.cast(LookingMessage::Seen { connection, look, sights: Some(sights) });
    Ok(())
}
