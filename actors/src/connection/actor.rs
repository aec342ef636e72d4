//! Understands what one client asks, and passes it on or answers it. What it holds can be had again: it is given back
//! when idle and replaced when it fails.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_protocol::{
    Ack, ErrorCode, Found, Goaway, Hello, History, HistoryPage, Lookup, Message, Read, Send, Seq, Stamp,
    Welcome, decode_value, encode, limits,
};
use rookery_store::{StoreError, queries};

use super::handle::{Connection, Departure, Identity, Permit, Reply};
use crate::auth::{DeviceToken, TokenError};
use crate::context::Context;
use crate::failure::suspended;
use crate::metrics::{CONNECTION_ACTORS, Counted};
use crate::nodes::Told;
use crate::session::SessionMessage;
use crate::shard::{Arriving, Attachment, ShardMessage};

/// The actor.
#[derive(Debug)]
pub(crate) struct ConnectionActor;

/// What it starts with.
pub(crate) struct ConnectionStart {
    pub(crate) context: Arc<Context>,
    pub(crate) connection: Arc<Connection>,
}

/// What the client sent, decoded.
#[derive(Debug)]
pub(crate) enum ConnectionMessage {
    /// Who it says it is.
    Authenticate(Hello, Permit),
    /// For the session.
    Send(Send, Reply),
    /// For the session.
    Ack(Ack, Permit),
    /// For the session.
    Read(Read, Reply),
    /// From the store.
    History(History, Reply),
    /// From the store.
    Lookup(Lookup, Reply),
    /// The connection has gone, and this is the last message.
    Leave(Departure),
    /// Fail, to show that nothing is lost by it.
    Crash,
}

impl ractor::Message for ConnectionMessage {}

impl Actor for ConnectionActor {
    type Msg = ConnectionMessage;
    type State = (ConnectionStart, Counted);
    type Arguments = ConnectionStart;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        start: ConnectionStart,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((start, Counted::new(CONNECTION_ACTORS)))
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: ConnectionMessage,
        (state, _): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let context = &*state.context;
        match message {
            ConnectionMessage::Authenticate(hello, permit) => {
                state.authenticate(hello).await;
                drop(permit);
            }
            ConnectionMessage::Send(send, reply) => state.to_session(SessionMessage::Send { send, reply }),
            ConnectionMessage::Read(read, reply) => state.to_session(SessionMessage::Read { read, reply }),
            ConnectionMessage::Ack(ack, permit) => {
                state.to_session(SessionMessage::Ack { stamp: ack.stamp, permit });
            }
            ConnectionMessage::History(history, reply) => {
                state.connection.comfortable().await;
                match history_page(context, state.identity(), &history).await {
                    Ok(page) => reply.answer(&page),
                    Err(refusal) => refusal.answer(reply),
                }
            }
            ConnectionMessage::Lookup(lookup, reply) => match find(context, lookup).await {
                Ok(found) => reply.answer(&found),
                Err(refusal) => refusal.answer(reply),
            },
            ConnectionMessage::Leave(departure) => {
                drop(departure);
                myself.stop(None);
            }
            ConnectionMessage::Crash => panic!("asked to fail"),
        }
        Ok(())
    }
}

/// Why a request is refused.
struct Refusal(ErrorCode, String);

impl Refusal {
    fn answer(self, reply: Reply) {
        reply.refuse(self.0, self.1);
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (code, text) = crate::failure::of_store(&error);
        Self(code, text)
    }
}

impl ConnectionStart {
    fn identity(&self) -> Identity {
        self.connection.identity().expect("requests are taken after WELCOME")
    }

    fn to_session(&self, message: SessionMessage) {
        let user = self.identity().user;
        self.context.router.to_shard(user, ShardMessage::Session { user, message });
    }

    async fn authenticate(&self, hello: Hello) {
        let token = match self.context.authenticator.verify(&hello.token, self.context.clock.now_ms()) {
            Ok(token) => token,
            Err(error @ TokenError::Invalid) => {
                return self.connection.close_with(ErrorCode::TokenInvalid, error.to_string());
            }
            Err(error @ TokenError::Expired) => {
                return self.connection.close_with(ErrorCode::TokenExpired, error.to_string());
            }
        };
        match self.admit(token, &hello).await {
            Ok(Ok((welcome, told, attachment))) => {
                self.connection.identify(Identity {
                    user: token.user,
                    device: token.device,
                    generation: token.generation,
                });
                // Queued before the session can push anything.
                self.connection.push(encode(&welcome));
                // The nodes may have changed since the list was read.
                self.connection.nodes_told(&told);
                self.connection.nodes_changed(&self.context.nodes);
                let arriving = Arriving::new(attachment);
                self.context.router.to_shard(token.user, ShardMessage::Attach { user: token.user, arriving });
                tracing::debug!(
                    connection = self.connection.id.0,
                    user = %token.user,
                    device = %token.device,
                    client = hello.client,
                    "welcome"
                );
            }
            Ok(Err(Refusal(code, text))) => self.connection.close_with(code, text),
            Err(error) => {
                tracing::warn!(connection = self.connection.id.0, %error, "nobody can be let in");
                let (code, text) = crate::failure::of_store(&error);
                self.connection.go_away(&Goaway {
                    code: code as u16,
                    text,
                    reconnect_after_ms: 1_000,
                    nodes: Vec::new(),
                });
            }
        }
    }

    /// The terms for a genuine token's bearer, or why there are none.
    async fn admit(
        &self,
        token: DeviceToken,
        hello: &Hello,
    ) -> Result<Result<(Welcome, Arc<Told>, Attachment), Refusal>, StoreError> {
        let revoked = || {
            let text = "the token's user or device was removed, or its tokens were revoked";
            Ok(Err(Refusal(ErrorCode::TokenRevoked, text.into())))
        };
        let snapshot = self.context.store.snapshot().await?;
        let admitted = snapshot.version().await?;
        let Some(user) = queries::user(&*snapshot, token.user).await? else { return revoked() };
        let device = queries::device(&*snapshot, token.user, token.device).await?;
        if device.is_none_or(|device| device.generation != token.generation) {
            return revoked();
        }
        if let Some(suspension) = user.suspension {
            return Ok(Err(Refusal(ErrorCode::Suspended, suspended(&suspension.reason))));
        }
        let cursor = queries::cursor(&*snapshot, token.user, token.device).await?;
        let config = &self.context.config;
        let window_events = match hello.window_events {
            0 => limits::WINDOW_EVENTS_DEFAULT.min(config.window_events_max),
            wanted => wanted.min(config.window_events_max),
        };
        let told = self.context.nodes.for_user(token.user);
        let welcome = Welcome {
            user: token.user,
            handle: user.handle,
            device: token.device,
            connection: self.connection.id.0,
            time_ms: self.context.clock.now_ms(),
            cursor,
            heartbeat_ms: u32::try_from(config.heartbeat.as_millis()).unwrap_or(u32::MAX),
            window_events,
            requests_in_flight: limits::REQUESTS_IN_FLIGHT_MAX,
            frame_bytes: limits::FRAME_BYTES_MAX as u32,
            body_bytes: limits::BODY_BYTES_MAX as u32,
            nodes: told.urls.clone(),
        };
        self.connection.raise_cursor(cursor);
        let attachment = Attachment {
            connection: self.connection.clone(),
            device: token.device,
            generation: token.generation,
            window_events,
            admitted,
            resume: hello.resume.unwrap_or(Stamp::ZERO),
        };
        Ok(Ok((welcome, told, attachment)))
    }
}

async fn history_page(
    context: &Context,
    identity: Identity,
    history: &History,
) -> Result<HistoryPage, Refusal> {
    let conversation = history.conversation;
    if conversation.direct_peer(identity.user).is_none() {
        return Err(Refusal(ErrorCode::NotMember, format!("not a member of {conversation}")));
    }
    if history.from > history.to || history.from == Seq::ZERO {
        return Err(Refusal(ErrorCode::BadRequest, "from must be at least 1 and at most to".into()));
    }
    let snapshot = context.store.snapshot().await?;
    let head = queries::head(&*snapshot, conversation).await?;
    let to = history.to.min(head);
    let limit = limits::HISTORY_MESSAGES_MAX as usize;
    let logged = queries::log(&*snapshot, conversation, (history.from, to), limit).await?;

    let mut next = if logged.len() < limit { to.next().max(history.from) } else { Seq::ZERO };
    let mut messages: Vec<Message> = Vec::with_capacity(logged.len());
    let mut bytes = 0;
    for logged in &logged {
        let message: Message =
            decode_value(logged).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        bytes += logged.len();
        if bytes > limits::HISTORY_BYTES_MAX && !messages.is_empty() {
            next = message.seq;
            break;
        }
        messages.push(message);
    }
    if next == Seq::ZERO {
        next = messages.last().map_or(history.from, |message| message.seq.next());
    }
    Ok(HistoryPage { request: history.request, head, next, messages })
}

async fn find(context: &Context, lookup: Lookup) -> Result<Found, Refusal> {
    let snapshot = context.store.snapshot().await?;
    let (user, handle) = match (lookup.user, lookup.handle) {
        (Some(user), None) => (Some(user), queries::user(&*snapshot, user).await?.map(|user| user.handle)),
        (None, Some(handle)) => (queries::user_by_handle(&*snapshot, &handle).await?, Some(handle)),
        _ => return Err(Refusal(ErrorCode::BadRequest, "give a handle or a user, and one of them".into())),
    };
    match (user, handle) {
        (Some(user), Some(handle)) => Ok(Found { request: lookup.request, user, handle }),
        _ => Err(Refusal(ErrorCode::NotFound, "no such user".into())),
    }
}
