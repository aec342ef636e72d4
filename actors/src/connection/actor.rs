//! Understands what one client asks, and passes it on or answers it. What it holds can be had again: it is given back
//! when idle and replaced when it fails.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_protocol::{
    Ack, ErrorCode, Goaway, GroupId, Hello, Read, Stamp, Typing, TypingNotice, Watch, Welcome, encode, limits,
};
use rookery_store::{StoreError, queries};
use tokio::time::Instant;

use super::handle::{Connection, Departure, Identity, Permit, Reply};
use super::reading::{Reading, Refusal};
use crate::auth::{DeviceToken, TokenError};
use crate::context::Context;
use crate::failure::suspended;
use crate::looking::{LookingMessage, News, TypingPace, may_type};
use crate::metrics::{CONNECTION_ACTORS, Counted};
use crate::nodes::Told;
use crate::rates::Doing;
use crate::session::{SessionMessage, Setting, Writing};
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
    Write(Writing, Reply),
    /// For the session.
    Ack(Ack, Permit),
    /// For the session.
    Read(Read, Reply),
    /// For the session.
    Set(Setting, Reply),
    /// From the store.
    Look(Reading, Reply),
    /// For those who tell what is looked at.
    Watch(Watch, Reply),
    /// For those who look.
    Typing(Typing, Permit),
    /// The connection has gone, and this is the last message.
    Leave(Departure),
    /// Fail, to show that nothing is lost by it.
    Crash,
}

impl ractor::Message for ConnectionMessage {}

impl Actor for ConnectionActor {
    type Msg = ConnectionMessage;
    type State = (ConnectionStart, TypingPace, Counted);
    type Arguments = ConnectionStart;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        start: ConnectionStart,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok((start, TypingPace::default(), Counted::new(CONNECTION_ACTORS)))
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: ConnectionMessage,
        (state, pace, _): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            // What is rare and waits is in a box: the room it takes is moved with every message otherwise.
            ConnectionMessage::Authenticate(hello, permit) => {
                Box::pin(state.authenticate(hello)).await;
                drop(permit);
            }
            ConnectionMessage::Write(writing, reply) => {
                state.to_session(SessionMessage::Write { writing, reply });
            }
            ConnectionMessage::Read(read, reply) => state.to_session(SessionMessage::Read { read, reply }),
            ConnectionMessage::Set(setting, reply) => {
                state.to_session(SessionMessage::Set { setting, reply });
            }
            ConnectionMessage::Ack(ack, permit) => {
                state.to_session(SessionMessage::Ack { stamp: ack.stamp, permit });
            }
            ConnectionMessage::Look(reading, reply) => {
                let lookups = reading.lookups();
                let Some(reply) = state.context.admit(reply, &[(Doing::Lookup, lookups)]) else {
                    return Ok(());
                };
                if reading.is_long() {
                    Box::pin(state.connection.comfortable()).await;
                }
                let (store, now_ms) = (&state.context.store, state.context.clock.now_ms());
                Box::pin(reading.answer(store, state.identity().user, now_ms, reply)).await;
            }
            ConnectionMessage::Watch(watch, reply) => match watch.check() {
                Ok(()) => {
                    let Some(reply) = state.context.admit(reply, &[(Doing::Watch, 1)]) else { return Ok(()) };
                    state.connection.set_watching();
                    state.context.looking.tell(LookingMessage::Watch { watch, reply });
                }
                Err(error) => reply.refuse(ErrorCode::BadRequest, error.to_string()),
            },
            ConnectionMessage::Typing(Typing { conversation, doing }, permit) => {
                if pace.passes(Instant::now(), conversation, doing) {
                    let typing = TypingNotice { conversation, user: state.identity().user, doing };
                    Box::pin(state.typing(typing)).await;
                }
                drop(permit);
            }
            ConnectionMessage::Leave(departure) => {
                drop(departure);
                myself.stop(None);
            }
            ConnectionMessage::Crash => panic!("asked to fail"),
        }
        Ok(())
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

    /// Passes on that the user is typing, if others may hear of it.
    async fn typing(&self, typing: TypingNotice) {
        match may_type(&self.context.store, &typing).await {
            Ok(true) => self.context.looking.tell(LookingMessage::Publish(News::Typing(typing))),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(connection = self.connection.id.0, %error, "typing is not passed on");
            }
        }
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
            Ok(Ok((welcome, told, attachment, identity, channels))) => {
                self.connection.identify(identity);
                // Queued before the session can push anything.
                self.connection.push(encode(&welcome));
                // The nodes may have changed since the list was read.
                self.connection.nodes_told(&told);
                self.connection.nodes_changed(&self.context.nodes);
                if !channels.is_empty() {
                    let (connection, version) = (self.connection.clone(), attachment.admitted);
                    let follows = LookingMessage::Follows { connection, version, channels, reply: None };
                    self.context.looking.tell(follows);
                }
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
    ) -> Result<Result<(Welcome, Arc<Told>, Attachment, Identity, Vec<GroupId>), Refusal>, StoreError> {
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
        let identity = Identity {
            user: token.user,
            device: token.device,
            generation: token.generation,
            admitted,
            created_s: u32::try_from(user.created_ms / 1_000).unwrap_or(u32::MAX),
            is_unlimited: user.standing.is_unlimited,
        };
        let cursor = queries::cursor(&*snapshot, token.user, token.device).await?;
        let followed = queries::followed(&*snapshot, token.user).await?;
        let channels = followed.into_iter().map(|(group, _)| group).collect();
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
        Ok(Ok((welcome, told, attachment, identity, channels)))
    }
}
