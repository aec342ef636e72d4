//! The task that owns a connection's stream: reads frames, writes what is queued, keeps deadlines.
//!
//! It writes before it reads, so a client that does not take its answers is not asked for more. Between frames it is
//! all that an idle connection costs, beside the stream's own buffers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use ractor::{ActorId, ActorRef};
use rookery_protocol::{ErrorCode, HeartbeatAck, RawFrame, encode, limits};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::activity::Activity;
use super::actor::ConnectionMessage;
use super::handle::{Connection, ConnectionId, Departure};
use super::machine::{Action, Phase, decide};
use super::supervisor::SupervisorMessage;
use crate::context::Context;
use crate::metrics::{CONNECTIONS, Counted};
use crate::shard::ShardMessage;
use crate::supervision::RestartBudget;
use crate::transport::{Transport, TransportError};

/// A frame makes the node look after its client, but a flood of them no more often than this.
const LOOK_INTERVAL_MIN: Duration = Duration::from_secs(5);

/// For saying goodbye.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);

/// What the listener knows of a connection.
pub struct ConnectionInfo {
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// When it was accepted: the handshake's time runs from here.
    pub accepted: Instant,
    /// Dropped once the client has been welcomed, or has gone: its place among the unauthenticated.
    pub admission: Option<Box<dyn Send>>,
}

impl std::fmt::Debug for ConnectionInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionInfo").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Runs a connection, open from this call, to its end. Not an async function: one would hold what it is given beside the
/// socket that it makes of it, for as long as the connection lives.
pub(crate) fn serve<T: Transport>(
    context: Arc<Context>,
    transport: T,
    info: ConnectionInfo,
) -> impl Future<Output = ()> + Send {
    let connection = context.connections.open(info.peer, info.accepted);
    if context.is_draining() {
        connection.go_away(&context.farewell());
    }
    let handshake_deadline = info.accepted + context.config.handshake;
    let mut socket = Socket {
        welcomed: None,
        admission: info.admission,
        actor: None,
        restarts: RestartBudget::default(),
        last_heard: Instant::now(),
        last_look: Instant::now(),
        activity: Activity::new(Instant::now()),
        is_idle: false,
        handshake_deadline,
        deadline: Box::pin(sleep_until(handshake_deadline)),
        early: None,
        frames: Vec::new(),
        connection,
        transport,
        context,
    };
    async move {
        while socket.turn().await.is_ok() {}
        socket.leave().await;
    }
}

struct Socket<T> {
    context: Arc<Context>,
    connection: Arc<Connection>,
    transport: T,
    /// Counts it among the welcomed, once it is.
    welcomed: Option<Counted>,
    admission: Option<Box<dyn Send>>,
    actor: Option<ActorRef<ConnectionMessage>>,
    restarts: RestartBudget,
    /// What came so close behind HELLO that it was read with it.
    early: Option<Box<Result<RawFrame, TransportError>>>,
    /// What is being written; empty between turns.
    frames: Vec<Bytes>,
    last_heard: Instant,
    last_look: Instant,
    activity: Activity,
    is_idle: bool,
    handshake_deadline: Instant,
    deadline: Pin<Box<Sleep>>,
}

/// The connection is over.
struct Over;

impl<T: Transport> Socket<T> {
    /// Writes what is queued, then waits for the next thing to happen and deals with it.
    async fn turn(&mut self) -> Result<(), Over> {
        let outbound = self.connection.take_outbound(&mut self.frames);
        if outbound.crash_asked
            && let Some(actor) = &self.actor
        {
            // One that has just failed need not fail again.
            let _ = actor.cast(ConnectionMessage::Crash);
        }
        if let Some(failed) = outbound.failed_actor {
            self.actor_failed(failed);
        }
        if self.welcomed.is_none() && self.connection.identity().is_some() {
            self.welcome();
        }
        if !self.frames.is_empty() {
            self.is_idle = false;
            self.write().await?;
        }
        if outbound.is_last {
            return Err(Over);
        }
        let may_read =
            self.connection.in_flight() < limits::REQUESTS_IN_FLIGHT_MAX && !self.connection.is_ending();
        if let Some(early) = self.early.take_if(|_| may_read) {
            return self.take(*early).await;
        }
        tokio::select! {
            // In this order: a deadline for hearing something has not passed while there is something to be read.
            biased;
            frame = self.transport.next_frame(), if may_read => self.take(frame.ok_or(Over)?).await,
            () = self.connection.changed() => Ok(()),
            () = &mut self.deadline => {
                self.tick();
                Ok(())
            }
        }
    }

    async fn write(&mut self) -> Result<(), Over> {
        match timeout(self.context.config.write_stall, self.transport.write(&mut self.frames)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(connection = self.connection.id.0, %error, "the client is gone");
                Err(Over)
            }
            Err(_) => {
                tracing::debug!(connection = self.connection.id.0, "the client takes nothing");
                Err(Over)
            }
        }
    }

    fn welcome(&mut self) {
        self.admission = None;
        self.transport.set_frame_bytes_max(limits::FRAME_BYTES_MAX);
        self.welcomed = Some(Counted::new(CONNECTIONS));
        self.arm();
    }

    /// Deals with what was read.
    async fn take(&mut self, frame: Result<RawFrame, TransportError>) -> Result<(), Over> {
        match self.read(frame)? {
            Some(message) => self.start_actor(message).await,
            None => Ok(()),
        }
    }

    /// Understands what was read and delivers it. What is left to do is to start an actor for the message returned.
    fn read(
        &mut self,
        frame: Result<RawFrame, TransportError>,
    ) -> Result<Option<Box<ConnectionMessage>>, Over> {
        let frame = match frame {
            Ok(frame) => frame,
            Err(TransportError::Frame(error)) => {
                self.close_with(error.error_code(), error.to_string());
                return Ok(None);
            }
            Err(TransportError::Protocol(text)) => {
                self.close_with(ErrorCode::Malformed, text);
                return Ok(None);
            }
            Err(TransportError::Io(error)) => {
                tracing::debug!(connection = self.connection.id.0, %error, "the client is gone");
                return Err(Over);
            }
        };
        self.last_heard = Instant::now();
        self.look_after_client();
        let phase = if self.welcomed.is_some() { Phase::Welcome } else { Phase::New };
        let action = decide(phase, &frame);
        if !matches!(action, Action::Heartbeat(_)) {
            self.is_idle = false;
        }
        self.note_activity(&action);
        let permit = || self.connection.permit();
        let message = match action {
            // A second HELLO while the first is being looked at is as late as one after WELCOME.
            Action::Authenticate(_) if self.actor.is_some() => {
                self.close_with(ErrorCode::AlreadyWelcome, "HELLO comes once, and did");
                return Ok(None);
            }
            Action::Authenticate(hello) => {
                let permit = permit();
                self.stop_if_left()?;
                ConnectionMessage::Authenticate(hello, permit)
            }
            Action::Write(writing) => {
                let reply = permit().reply_to(writing.request());
                ConnectionMessage::Write(writing, reply)
            }
            Action::Ack(ack) => ConnectionMessage::Ack(ack, permit()),
            Action::Read(read) => {
                let reply = permit().reply_to(read.request);
                ConnectionMessage::Read(read, reply)
            }
            Action::Set(setting) => {
                let reply = permit().reply_to(setting.request());
                ConnectionMessage::Set(setting, reply)
            }
            Action::Look(reading) => {
                let reply = permit().reply_to(reading.request());
                ConnectionMessage::Look(reading, reply)
            }
            Action::Heartbeat(heartbeat) => {
                self.connection.push(encode(&HeartbeatAck { nonce: heartbeat.nonce }));
                return Ok(None);
            }
            Action::Watch(watch) => {
                let reply = permit().reply_to(watch.request);
                ConnectionMessage::Watch(watch, reply)
            }
            Action::Active(_) => return Ok(None),
            Action::Typing(typing) => ConnectionMessage::Typing(typing, permit()),
            Action::Refuse(code, text) => {
                permit().reply_to(rookery_protocol::RequestId::default()).refuse(code, text);
                return Ok(None);
            }
            Action::Close(code, text) => {
                self.close_with(code, text);
                return Ok(None);
            }
        };
        Ok(self.deliver(message))
    }

    /// Ends a connection whose client has left behind its HELLO, as it does when a node was stopped meanwhile: to let it in
    /// would close the connection that the client has now.
    fn stop_if_left(&mut self) -> Result<(), Over> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // The next turn polls again, so the wake-up that goes nowhere is not missed.
        match std::pin::pin!(self.transport.next_frame()).poll(&mut context) {
            Poll::Ready(None) => Err(Over),
            Poll::Ready(Some(frame)) => {
                self.early = Some(Box::new(frame));
                Ok(())
            }
            Poll::Pending => Ok(()),
        }
    }

    fn close_with(&self, code: ErrorCode, text: impl Into<String>) {
        let text = text.into();
        tracing::debug!(connection = self.connection.id.0, peer = %self.connection.peer, ?code, text, "closing");
        self.connection.close_with(code, text);
    }

    /// Hands a message to the actor, or back if there is none. Boxed, as the message waits in the task then, and the task
    /// would have room for it as long as it lives.
    fn deliver(&mut self, message: ConnectionMessage) -> Option<Box<ConnectionMessage>> {
        let Some(actor) = &self.actor else { return Some(Box::new(message)) };
        // An actor that has just failed drops the message: a request in it answers for itself.
        if actor.cast(message).is_err() {
            self.replace_actor();
        }
        None
    }

    /// Makes an actor and hands it its first message.
    async fn start_actor(&mut self, message: Box<ConnectionMessage>) -> Result<(), Over> {
        let (started, actor) = tokio::sync::oneshot::channel();
        let start = SupervisorMessage::Start { connection: self.connection.clone(), started };
        self.context.start_connection_actor(self.connection.id, start);
        let Ok(actor) = actor.await else {
            self.close_with(ErrorCode::Internal, "the node failed at this connection");
            return Ok(());
        };
        self.arm();
        self.actor = Some(actor);
        self.deliver(*message);
        Ok(())
    }

    fn actor_failed(&mut self, failed: ActorId) {
        // It may have been replaced already, when a message for it came back.
        if self.actor.as_ref().is_some_and(|actor| actor.get_id() == failed) {
            self.replace_actor();
        }
    }

    /// The actor has failed. What it held is answered for or acknowledged again; the next frame gets a new one.
    fn replace_actor(&mut self) {
        if self.actor.take().is_none() {
            return;
        }
        if self.welcomed.is_none() || !self.restarts.spend(Instant::now()) {
            self.close_with(ErrorCode::Internal, "the node failed at this connection");
            return;
        }
        // An acknowledgement may have died with the actor: the session offers again what it has not heard of.
        self.to_shard(|user, connection| ShardMessage::Resync { user, connection });
    }

    /// A client that is heard from is looked after now and then: whether something waits for it, and whether its tokens
    /// are still good. Whatever it sends, so that one who only reads and acknowledges is found out too.
    fn look_after_client(&mut self) {
        if self.last_heard.duration_since(self.last_look) >= LOOK_INTERVAL_MIN {
            self.last_look = self.last_heard;
            self.to_shard(|user, connection| ShardMessage::Heartbeat { user, connection });
        }
    }

    /// Tells the shard when the user has come to the device or left it.
    fn note_activity(&mut self, action: &Action) {
        if action.is_use() {
            self.activity.used(self.last_heard);
        }
        if let Action::Active(active) = action {
            self.activity.said(*active);
        }
        let is_active = self.activity.is_active(self.last_heard);
        if self.connection.is_active() != is_active
            && let Some(stirring) = self.connection.set_active(is_active)
        {
            self.to_shard(|user, _| ShardMessage::Stirred { user, stirring });
        }
    }

    fn to_shard(&self, message: impl FnOnce(rookery_protocol::UserId, ConnectionId) -> ShardMessage) {
        if let Some(identity) = self.connection.identity() {
            let message = message(identity.user, self.connection.id);
            self.context.router.to_shard(identity.user, message);
        }
    }

    /// A deadline has come: something is overdue, or the connection has fallen idle.
    fn tick(&mut self) {
        let now = Instant::now();
        if self.welcomed.is_none() {
            if now >= self.handshake_deadline {
                self.close_with(ErrorCode::HandshakeTimeout, "no HELLO in time");
            }
        } else if now >= self.heartbeat_deadline() {
            self.close_with(ErrorCode::HeartbeatTimeout, "nothing was heard for three heartbeats");
        } else if now >= self.last_heard + self.context.config.connection_idle
            && self.connection.in_flight() == 0
        {
            self.fall_idle();
        }
        self.arm();
    }

    /// Gives back what an idle connection does not need.
    fn fall_idle(&mut self) {
        self.is_idle = true;
        if let Some(actor) = self.actor.take() {
            // Nothing is in flight, so its mailbox is empty.
            actor.stop(None);
        }
        self.frames = Vec::new();
        self.transport.release_idle_memory();
        self.connection.release_idle_memory();
    }

    fn heartbeat_deadline(&self) -> Instant {
        self.last_heard + self.context.config.heartbeat * limits::HEARTBEATS_MISSED_MAX
    }

    fn arm(&mut self) {
        let next = if self.welcomed.is_none() {
            // After it has come, closing takes no longer than writing the reason.
            self.handshake_deadline.max(Instant::now() + CLOSE_TIME_MAX)
        } else if self.is_idle {
            self.heartbeat_deadline()
        } else {
            let idle = self.last_heard.max(Instant::now()) + self.context.config.connection_idle;
            idle.min(self.heartbeat_deadline())
        };
        self.deadline.as_mut().reset(next);
    }

    async fn leave(&mut self) {
        self.connection.has_gone();
        let departure = Departure::new(self.context.clone(), self.connection.clone());
        if let Some(actor) = self.actor.take() {
            // Behind what the client said last. One that has just failed drops it, which does as well.
            let _ = actor.cast(ConnectionMessage::Leave(departure));
        } else {
            drop(departure);
        }
        self.context.connections.closed(self.connection.id);
        // A peer that does not take part in closing is left alone.
        let _ = timeout(CLOSE_TIME_MAX, self.transport.close()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use ractor::Actor;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::connection::actor::ConnectionActor;
    use crate::session::Session;
    use crate::shard::{Attachment, ENTRY_BYTES, Shard};
    use crate::transport::StreamTransport;

    fn future_bytes<F: Future>(
        _: impl FnOnce(Arc<Context>, StreamTransport<DuplexStream>, ConnectionInfo) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_every_connection_and_every_session_asleep_hold_is_small() {
        let task = future_bytes(serve);
        let (connection, attachment) = (size_of::<Connection>(), size_of::<Attachment>());
        println!("task {task}, connection {connection}, attachment {attachment}, entry {ENTRY_BYTES} bytes");
        assert!(task <= 768, "{task}");
        assert!(connection <= 256, "{connection}");
        assert!(ENTRY_BYTES + attachment <= 256, "{ENTRY_BYTES} + {attachment}");
    }

    fn handling_bytes<A: Actor, F: Future>(
        _: impl FnOnce(&'static A, ActorRef<A::Msg>, A::Msg, &'static mut A::State) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_is_moved_for_every_message_is_small() {
        let connection = handling_bytes(|actor: &ConnectionActor, me, it, state| actor.handle(me, it, state));
        let shard = handling_bytes(|actor: &Shard, me, it, state| actor.handle(me, it, state));
        let session = handling_bytes(|actor: &Session, me, it, state| actor.handle(me, it, state));
        println!("connection {connection}, shard {shard}, session {session} bytes");
        assert!(connection <= 512 && shard <= 768 && session <= 256, "{connection}, {shard}, {session}");
    }
}
