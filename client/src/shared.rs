//! What the application's side and the driver's side of a client share: commands one way, deliveries the other.
//!
//! A delivery is taken when the application asks for the next one, and at that moment noted in the local store; the
//! driver learns of it, commits, and only then acknowledges.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rookery_protocol::{Body, ConversationId, Doing, GroupId, MessageId, Reference, Seq, UserId};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::local_store::LocalStore;
use crate::machine::{Answer, Call, ServerClock, View};
use crate::{EnqueueError, Event, Identity, LocalStoreError, RequestError, SendError};

/// Requests that wait for the driver or for an answer.
const CALLS_MAX: usize = 256;
/// Ephemeral events that wait for the application.
const EPHEMERAL_MAX: usize = 256;

pub(crate) type SentReply = oneshot::Sender<Result<(Seq, u64), SendError>>;
pub(crate) type AnswerReply = oneshot::Sender<Result<Answer, RequestError>>;

/// What the application wants.
pub(crate) enum Command {
    Send {
        conversation: ConversationId,
        id: MessageId,
        body: Body,
        reference: Option<Reference>,
        /// `None`: as the conversation's timer says.
        expires_s: Option<u32>,
        reply: SentReply,
    },
    Read {
        conversation: ConversationId,
        seq: Seq,
    },
    Watch(View),
    Active(bool),
    Typing {
        conversation: ConversationId,
        doing: Doing,
    },
    Call {
        call: Call,
        reply: AnswerReply,
    },
}

/// Something to hand up.
struct Queued {
    /// The machine's number for it, if the server awaits its acknowledgement.
    delivery: Option<u64>,
    event: Event,
}

/// The delivery that the application has and has not asked beyond.
#[derive(Default)]
struct Current {
    delivery: Option<u64>,
    position: Option<(ConversationId, Seq)>,
}

/// How the client's life goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// The application asked to close.
    Closing,
    /// The application dropped every handle.
    Abandoned,
    /// The driver has ended.
    Ended,
}

pub(crate) struct State {
    pub(crate) store: Box<dyn LocalStore>,
    pub(crate) commands: Vec<Command>,
    pub(crate) life: Life,
    pub(crate) identity: Option<Identity>,
    /// Whose the local store is.
    owner: Option<UserId>,
    pub(crate) connected: bool,
    /// Noting a position failed: the driver ends the client.
    pub(crate) store_failure: Option<LocalStoreError>,
    pub(crate) calls_waiting: usize,
    pub(crate) server_clock: Option<ServerClock>,
    /// The seconds that conversations' timers say.
    pub(crate) timers: HashMap<ConversationId, u32>,
    /// The channels that the user follows, as far as that is known.
    pub(crate) followed: Vec<GroupId>,
    taken: u64,
    current: Current,
    queue: VecDeque<Queued>,
    /// How many of those are ephemeral.
    ephemeral: usize,
    /// Whether there is a connection, when the application has not heard.
    connection_news: Option<Event>,
    nobody_listens: bool,
    outbox_messages: usize,
    outbox_bytes: usize,
    rng: StdRng,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) driver: Notify,
    pub(crate) application: Notify,
    pub(crate) ended: Notify,
    started: Instant,
    started_unix_ms: u64,
    outbox_messages_max: usize,
    outbox_bytes_max: usize,
}

impl Shared {
    pub(crate) fn new(
        config: &crate::Config,
        store: Box<dyn LocalStore>,
        owner: Option<UserId>,
        unsent: (usize, usize),
        timers: HashMap<ConversationId, u32>,
        rng: StdRng,
        started: Instant,
    ) -> Self {
        let (outbox_messages, outbox_bytes) = unsent;
        let state = State {
            store,
            commands: Vec::new(),
            life: Life::Running,
            identity: None,
            owner,
            connected: false,
            store_failure: None,
            calls_waiting: 0,
            server_clock: None,
            timers,
            followed: Vec::new(),
            taken: 0,
            current: Current::default(),
            queue: VecDeque::new(),
            ephemeral: 0,
            connection_news: None,
            nobody_listens: false,
            outbox_messages,
            outbox_bytes,
            rng,
        };
        Self {
            state: Mutex::new(state),
            driver: Notify::new(),
            application: Notify::new(),
            ended: Notify::new(),
            started,
            started_unix_ms: config.started_unix_ms,
            outbox_messages_max: config.outbox_messages_max,
            outbox_bytes_max: config.outbox_bytes_max,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the client's start, the machine's clock.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.started + at
    }

    pub(crate) fn enqueue(
        &self,
        conversation: ConversationId,
        body: Body,
        (reference, expires_s): (Option<Reference>, Option<u32>),
        reply: SentReply,
    ) -> Result<MessageId, EnqueueError> {
        let mut state = self.state();
        self.make_room(&mut state, 1, body.len())?;
        let id = self.id_of(&mut state);
        state.commands.push(Command::Send { conversation, id, body, reference, expires_s, reply });
        drop(state);
        self.driver.notify_one();
        Ok(id)
    }

    /// The same to each of these conversations: all or nothing.
    pub(crate) fn enqueue_each(
        &self,
        messages: Vec<(ConversationId, SentReply)>,
        body: &Body,
    ) -> Result<Vec<MessageId>, EnqueueError> {
        let mut state = self.state();
        self.make_room(&mut state, messages.len(), messages.len() * body.len())?;
        let mut ids = Vec::with_capacity(messages.len());
        for (conversation, reply) in messages {
            let (id, body) = (self.id_of(&mut state), body.clone());
            ids.push(id);
            let (reference, expires_s) = (None, None);
            state.commands.push(Command::Send { conversation, id, body, reference, expires_s, reply });
        }
        drop(state);
        self.driver.notify_one();
        Ok(ids)
    }

    fn make_room(&self, state: &mut State, messages: usize, bytes: usize) -> Result<(), EnqueueError> {
        if state.life != Life::Running {
            return Err(EnqueueError::Closed);
        }
        if state.outbox_messages + messages > self.outbox_messages_max
            || state.outbox_bytes + bytes > self.outbox_bytes_max
        {
            return Err(EnqueueError::Full(state.outbox_messages));
        }
        state.outbox_messages += messages;
        state.outbox_bytes += bytes;
        Ok(())
    }

    /// An id that nothing has yet.
    pub(crate) fn new_id(&self) -> MessageId {
        self.id_of(&mut self.state())
    }

    fn id_of(&self, state: &mut State) -> MessageId {
        let unix_ms = self.started_unix_ms + u64::try_from(self.now().as_millis()).unwrap_or_default();
        let random: [u8; 10] = state.rng.random();
        let id = uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid();
        MessageId::from_bytes(id.into_bytes())
    }

    pub(crate) fn call(&self, call: Call, reply: AnswerReply) -> Result<(), RequestError> {
        let mut state = self.state();
        if state.life != Life::Running {
            return Err(RequestError::Closed);
        }
        if state.calls_waiting >= CALLS_MAX {
            return Err(RequestError::Full);
        }
        state.calls_waiting += 1;
        state.commands.push(Command::Call { call, reply });
        drop(state);
        self.driver.notify_one();
        Ok(())
    }

    /// Tells the driver something that needs no answer.
    pub(crate) fn tell(&self, command: Command) {
        let mut state = self.state();
        if state.life == Life::Running {
            state.commands.push(command);
            drop(state);
            self.driver.notify_one();
        }
    }

    pub(crate) fn set_life(&self, life: Life) {
        let mut state = self.state();
        if state.life == Life::Running {
            state.life = life;
            if life == Life::Closing {
                state.take_current();
                state.queue = VecDeque::new();
                state.ephemeral = 0;
                state.nobody_listens = true;
            }
        }
        drop(state);
        self.driver.notify_one();
        self.application.notify_one();
    }

    /// The next thing to hand up; asking takes the one before. `Err` when there is nothing yet.
    pub(crate) fn next(&self) -> Result<Option<Event>, ()> {
        let mut state = self.state();
        if state.take_current() {
            self.driver.notify_one();
        }
        if state.life == Life::Closing {
            return Ok(None);
        }
        if let Some(news) = state.connection_news.take() {
            return Ok(Some(news));
        }
        let Some(Queued { delivery, event }) = state.queue.pop_front() else {
            return if state.life == Life::Ended { Ok(None) } else { Err(()) };
        };
        // It may have waited beyond its time.
        let event = match (event, state.server_clock) {
            (Event::Message(message), Some(clock)) => Event::Message(message.at(clock.now_ms(self.now()))),
            (event, _) => event,
        };
        match &event {
            Event::Message(message) => state.current.position = Some((message.conversation, message.seq)),
            Event::Change(change) => state.current.position = Some((change.conversation, change.seq)),
            Event::Sent { .. } | Event::SendFailed { .. } => state.outbox_messages -= 1,
            _ => {}
        }
        state.ephemeral -= usize::from(event.is_ephemeral());
        state.current.delivery = delivery;
        if state.queue.is_empty() && state.queue.capacity() > 16 {
            state.queue = VecDeque::new();
        }
        Ok(Some(event))
    }

    pub(crate) fn stop_listening(&self) {
        let mut state = self.state();
        state.nobody_listens = true;
        let outcomes = state.queue.iter().filter(|queued| queued.is_outcome()).count();
        state.outbox_messages -= outcomes;
        state.queue = VecDeque::new();
        state.ephemeral = 0;
    }
}

impl Queued {
    fn is_outcome(&self) -> bool {
        matches!(self.event, Event::Sent { .. } | Event::SendFailed { .. })
    }
}

impl State {
    /// Whose client this is, once that is known.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.identity.as_ref().map(|identity| identity.user).or(self.owner)
    }

    /// The last delivery taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// A message has left the outbox; its slot is free once the application has heard.
    pub(crate) fn outcome(&mut self, bytes: usize, delivery: Option<u64>, event: Event) {
        self.outbox_bytes -= bytes;
        if self.nobody_listens {
            self.outbox_messages -= 1;
        } else {
            self.hand_up(delivery, event);
        }
    }

    /// The application has dropped the events, so that it hears nothing now, and not because this client is ending.
    pub(crate) fn is_deaf(&self) -> bool {
        self.nobody_listens && self.life == Life::Running
    }

    pub(crate) fn hand_up(&mut self, delivery: Option<u64>, event: Event) {
        if self.nobody_listens {
            return;
        }
        if matches!(event, Event::Followed(_)) {
            // The newest has all that the one before had to say.
            self.queue.retain(|queued| !matches!(queued.event, Event::Followed(_)));
        }
        if event.is_ephemeral() {
            self.ephemeral += 1;
            if self.ephemeral > EPHEMERAL_MAX
                && let Some(oldest) = self.queue.iter().position(|queued| queued.event.is_ephemeral())
            {
                self.queue.remove(oldest);
                self.ephemeral -= 1;
            }
        }
        self.queue.push_back(Queued { delivery, event });
    }

    pub(crate) fn connection_news(&mut self, event: Event) {
        self.connected = matches!(event, Event::Connected(_));
        self.connection_news = Some(event);
    }

    pub(crate) fn outbox_messages(&self) -> usize {
        self.outbox_messages
    }

    /// Notes the delivery that the application has as taken. Says whether the driver should know.
    fn take_current(&mut self) -> bool {
        let Current { delivery, position } = std::mem::take(&mut self.current);
        if let Some((conversation, seq)) = position
            && self.store_failure.is_none()
            && let Err(error) = self.store.note_taken(conversation, seq)
        {
            self.store_failure = Some(error);
            return true;
        }
        match delivery.filter(|_| self.store_failure.is_none()) {
            Some(delivery) => {
                self.taken = delivery;
                true
            }
            None => false,
        }
    }
}
