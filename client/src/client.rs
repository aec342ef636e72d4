//! The application's side of a client: a handle to ask with, and the stream of events.

mod broadcast;
mod channels;
mod conversations;
mod groups;
mod looking;
mod people;
mod references;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_protocol::{Body, ConversationId, Found, Handle, MessageId, Reference, Seq, UserId, limits};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::driver::Driver;
use crate::machine::{Answer, Call, Machine};
use crate::shared::{Command, Life, Shared};
use crate::{Config, Dialer, EnqueueError, Event, Identity, LocalStore, RequestError, SendError, StartError};

/// A handle to a running client. Clones are handles to the same one.
///
/// When the last handle is dropped without [`close`](Client::close), the client stops at once, as if its process had
/// died: nothing is lost, but the last event handed up may come again.
#[derive(Clone)]
pub struct Client(Arc<Lifeline>);

struct Lifeline(Arc<Shared>);

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.set_life(Life::Abandoned);
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("status", &self.status()).finish()
    }
}

/// How a client is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a connection.
    pub connected: bool,
    /// Who the server says this is, since the first connection.
    pub identity: Option<Identity>,
    /// Messages that wait for confirmation, or for their outcome to be taken.
    pub outbox_messages: usize,
}

/// What a client starts with: the handle, the events, and what the local store remembers.
#[derive(Debug)]
pub struct Started {
    /// To ask with.
    pub client: Client,
    /// What happens.
    pub events: Events,
    /// Conversations seen before, each with the last message taken; of a channel that is followed and of which none was, the
    /// one behind which it begins.
    pub conversations: Vec<(ConversationId, Seq)>,
    /// Messages of an earlier run that are still being sent, in order.
    pub unsent: Vec<(ConversationId, MessageId)>,
}

impl Client {
    /// Starts a client on the current tokio runtime.
    ///
    /// # Errors
    /// When there is no node to connect to, or the local store cannot be read. Trouble with the network is no error:
    /// the client keeps trying and says so by [`Event::Disconnected`].
    pub fn start(
        config: Config,
        dialer: impl Dialer,
        store: impl LocalStore,
        rng: StdRng,
    ) -> Result<(Self, Events), StartError> {
        Self::resume(config, dialer, store, rng).map(|started| (started.client, started.events))
    }

    /// As [`start`](Self::start), and tells what the local store remembers.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn resume(
        config: Config,
        dialer: impl Dialer,
        store: impl LocalStore,
        mut rng: StdRng,
    ) -> Result<Started, StartError> {
        if config.nodes.is_empty() {
            return Err(StartError::NoNodes);
        }
        let mut store: Box<dyn LocalStore> = Box::new(store);
        let saved = store.load()?;
        let conversations = saved.positions.clone();
        let unsent: Vec<_> = saved.outbox.iter().map(|entry| (entry.conversation, entry.id)).collect();
        let user = saved.device.map(|(user, _)| user);
        let unsent_bytes = saved.outbox.iter().map(|entry| entry.body.len()).sum();
        let timers = saved.timers.iter().map(|timer| (timer.conversation, timer.expires_s)).collect();
        let id_rng = StdRng::from_rng(&mut rng);
        let machine = Machine::new(&config, saved, &mut rng);
        let shared = Arc::new(Shared::new(
            &config,
            store,
            user,
            (unsent.len(), unsent_bytes),
            timers,
            id_rng,
            Instant::now(),
        ));
        let driver = Driver::new(machine, shared.clone(), Box::new(dialer), config.token);
        tokio::spawn(driver.run());
        let client = Self(Arc::new(Lifeline(shared.clone())));
        Ok(Started { client, events: Events(shared), conversations, unsent })
    }

    fn shared(&self) -> &Shared {
        &self.0.0
    }

    /// Puts a message into the outbox. It is sent as soon as it can be, in order within its conversation, across any
    /// number of connections, until the server confirms or refuses it for good. Does not wait.
    ///
    /// # Errors
    /// When it was not taken; nothing of it is kept then.
    pub fn send(
        &self,
        conversation: ConversationId,
        body: impl Into<Body>,
    ) -> Result<SendTicket, EnqueueError> {
        self.put_into_outbox(conversation, body.into(), None, None)
    }

    fn put_into_outbox(
        &self,
        conversation: ConversationId,
        body: Body,
        reference: Option<Reference>,
        expires_s: Option<u32>,
    ) -> Result<SendTicket, EnqueueError> {
        check_length(&body)?;
        let (reply, outcome) = oneshot::channel();
        let id = self.shared().enqueue(conversation, body, (reference, expires_s), reply)?;
        Ok(SendTicket { id, outcome })
    }

    /// The user has read a conversation up to `seq`. Sent when there is a connection; lost with the process.
    pub fn read(&self, conversation: ConversationId, seq: Seq) {
        self.shared().tell(Command::Read { conversation, seq });
    }

    /// Who has this handle.
    ///
    /// # Errors
    /// When the server says no ([`NotFound`](rookery_protocol::ErrorCode::NotFound)), or nothing in time.
    pub async fn lookup(&self, handle: Handle) -> Result<Found, RequestError> {
        self.find(Call::LookupHandle(handle)).await
    }

    /// Which handle this user has.
    ///
    /// # Errors
    /// As [`lookup`](Self::lookup).
    pub async fn lookup_user(&self, user: UserId) -> Result<Found, RequestError> {
        self.find(Call::LookupUser(user)).await
    }

    async fn find(&self, call: Call) -> Result<Found, RequestError> {
        match self.call(call).await? {
            Answer::Found(found) => Ok(found),
            _ => Err(RequestError::Closed),
        }
    }

    async fn call(&self, call: Call) -> Result<Answer, RequestError> {
        self.ask(call)?.await.unwrap_or(Err(RequestError::Closed))
    }

    /// A call whose answer is that it is done.
    async fn order(&self, call: Call) -> Result<(), RequestError> {
        match self.call(call).await? {
            Answer::Done => Ok(()),
            _ => Err(RequestError::Closed),
        }
    }

    fn ask(&self, call: Call) -> Result<oneshot::Receiver<Result<Answer, RequestError>>, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.shared().call(call, reply)?;
        Ok(answer)
    }

    /// How the client is doing.
    pub fn status(&self) -> Status {
        let state = self.shared().state();
        Status {
            connected: state.connected,
            identity: state.identity.clone(),
            outbox_messages: state.outbox_messages(),
        }
    }

    /// Ends the client: the event handed up last counts as taken, is committed and acknowledged. Messages not yet
    /// confirmed stay in the local store. Takes at most some seconds; when it returns the store is free.
    pub async fn close(&self) {
        let shared = self.shared();
        shared.set_life(Life::Closing);
        let mut ended = pin!(shared.ended.notified());
        loop {
            ended.as_mut().enable();
            if shared.state().life == Life::Ended {
                return;
            }
            ended.as_mut().await;
            ended.set(shared.ended.notified());
        }
    }
}

fn check_length(body: &Body) -> Result<(), EnqueueError> {
    if body.len() > limits::BODY_BYTES_MAX {
        return Err(EnqueueError::BodyTooLarge { bytes: body.len(), limit: limits::BODY_BYTES_MAX });
    }
    Ok(())
}

/// A message on its way. Dropping it changes nothing about the message.
///
/// Resolves to the message's place in the conversation and the server's time of it in milliseconds since 1970.
#[derive(Debug)]
pub struct SendTicket {
    id: MessageId,
    outcome: oneshot::Receiver<Result<(Seq, u64), SendError>>,
}

impl SendTicket {
    /// The message's id, as in [`Event::Sent`] and [`Message`](crate::Message).
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl Future for SendTicket {
    type Output = Result<(Seq, u64), SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(context).map(|outcome| outcome.unwrap_or(Err(SendError::Closed)))
    }
}

/// What happens to a client, in order.
///
/// An event counts as taken when the next one is asked for, or when the client is closed. Messages that are not taken
/// are not acknowledged: the server keeps them, and they come again after a restart.
pub struct Events(Arc<Shared>);

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}

impl Events {
    /// The next event; `None` when the client has ended. Nothing is lost or taken when the future is dropped, apart
    /// from the event before.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Ok(event) = self.0.next() {
                return event;
            }
            // One listener, and a notice given meanwhile is kept: nothing is missed.
            self.0.application.notified().await;
        }
    }

    /// The next event if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.next().ok().flatten()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.0.stop_listening();
    }
}
