//! Carries out what the session's machine decides.

use std::future::Future;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rookery_protocol::{Done, Error, ErrorCode, MessageHead, Read, RequestId, Stamp, UserId, encode};
use rookery_store::ops::{AckEvents, Acked, MarkRead, MarkedRead, Refusal};
use rookery_store::{Committed, StoreError};
use tokio::time::Instant;

use super::hint::{Hint, Hints};
use super::machine::{Commit, Effect, Joining, Machine, Sweep};
use super::setting::Setting;
use super::sweep::{Swept, sweep};
use super::telling::ring_receivers;
use super::writing::{Writing, check_conversation};
use crate::connection::{ConnectionId, Permit, Reply};
use crate::context::Context;
use crate::looking::LookingMessage;
use crate::metrics::{Counted, SESSION_ACTORS};
use crate::shard::{Attachment, Passivation, ShardMessage};

/// Older messages waited for their recipient, not for this server.
const MEASURED_AGE_MAX: Duration = Duration::from_secs(60);

/// The actor.
#[derive(Debug)]
pub(crate) struct Session;

/// What it starts with.
pub(crate) struct SessionStart {
    pub(crate) context: Arc<Context>,
    pub(crate) user: UserId,
    /// Which of the user's sessions on this node.
    pub(crate) incarnation: u64,
}

/// What it is told.
#[derive(Debug)]
pub(crate) enum SessionMessage {
    /// A device has connected, or its session has been started again.
    Attach { attachment: Attachment, recovering: bool },
    /// A connection has gone.
    Detach(ConnectionId),
    /// A connection may have lost an acknowledgement.
    Resync(ConnectionId),
    /// The inbox has grown.
    Doorbell(Option<Hint>),
    /// A device has something for a conversation.
    Write { writing: Writing, reply: Reply },
    /// A device has stored events.
    Ack { stamp: Stamp, permit: Permit },
    /// A device changes something of its user's own.
    Set { setting: Setting, reply: Reply },
    /// The user has read.
    Read { read: Read, reply: Reply },
    /// Commit what has been put off, and hibernate if nothing has happened lately.
    IdleCheck,
    /// From itself: read the inbox, now that the bells that came with the first have been heard.
    Sweep(Sweep),
    /// From a sweep that had to wait for the store.
    Swept(Result<Swept, StoreError>),
    /// From a commit.
    AckCommitted(Commit, Result<Acked, StoreError>),
    /// Fail, to show that nothing is lost by it.
    Crash,
}

impl ractor::Message for SessionMessage {}

pub(crate) struct State {
    context: Arc<Context>,
    user: UserId,
    incarnation: u64,
    machine: Machine,
    hints: Hints,
    attached: Vec<Attachment>,
    last_active: Instant,
    /// Messages from the shard, which counts them too: a hibernation that has missed one does not happen.
    from_shard: u64,
    _counted: Counted,
}

impl Actor for Session {
    type Msg = SessionMessage;
    type State = State;
    type Arguments = SessionStart;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        start: SessionStart,
    ) -> Result<State, ActorProcessingErr> {
        Ok(State {
            context: start.context,
            user: start.user,
            incarnation: start.incarnation,
            machine: Machine::default(),
            hints: Hints::default(),
            attached: Vec::new(),
            last_active: Instant::now(),
            from_shard: 0,
            _counted: Counted::new(SESSION_ACTORS),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: SessionMessage,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let is_own = matches!(
            message,
            SessionMessage::Sweep(_) | SessionMessage::Swept(_) | SessionMessage::AckCommitted(..)
        );
        if !is_own {
            state.from_shard += 1;
        }
        if !matches!(message, SessionMessage::IdleCheck) {
            state.last_active = Instant::now();
        }
        let effects = match message {
            SessionMessage::Attach { attachment, recovering } => state.attach(attachment, recovering),
            SessionMessage::Detach(connection) => {
                state.attached.retain(|attachment| attachment.connection.id != connection);
                state.machine.leave(connection)
            }
            SessionMessage::Resync(connection) => state.machine.resync(connection),
            SessionMessage::Doorbell(hint) => {
                state.context.steps.rung(state.user, hint.as_ref().map(|hint| &hint.frame), None);
                let stamp = hint.as_ref().map_or(Stamp::MAX, |hint| hint.stamp);
                if let Some(hint) = hint.filter(|hint| hint.stamp > state.machine.pushed_to_all()) {
                    state.hints.add(hint);
                }
                state.machine.ring(stamp)
            }
            SessionMessage::Write { writing, reply } => {
                writing.submit(&state.context, reply);
                return Ok(());
            }
            SessionMessage::Ack { stamp, permit } => {
                state.context.meters.acked.increment(1);
                if let Some(identity) = permit.connection().identity() {
                    let connection = permit.connection().id;
                    state.context.steps.acknowledged(state.user, identity.device, connection, stamp);
                }
                state.machine.ack(permit.connection().id, stamp)
            }
            SessionMessage::Read { read, reply } => {
                state.read(&read, reply);
                return Ok(());
            }
            SessionMessage::Set { setting, reply } => {
                setting.submit(&state.context, reply);
                return Ok(());
            }
            SessionMessage::IdleCheck => {
                let effects = state.machine.flush();
                state.hibernate_if_idle();
                effects
            }
            SessionMessage::Sweep(due) => match state.sweep(&myself, due) {
                Poll::Ready(outcome) => state.swept(outcome),
                Poll::Pending => Vec::new(),
            },
            SessionMessage::Swept(outcome) => state.swept(outcome),
            SessionMessage::AckCommitted(commit, outcome) => state.ack_committed(commit, outcome),
            SessionMessage::Crash => panic!("asked to fail"),
        };
        let pushed = effects.iter().filter(|effect| matches!(effect, Effect::Push(..))).count();
        if pushed > 0 {
            state.context.meters.pushed.increment(pushed as u64);
        }
        for effect in effects {
            state.perform(&myself, effect);
        }
        Ok(())
    }

    /// Commits what has been put off, without waiting: the store's queue keeps it.
    async fn post_stop(
        &self,
        myself: ActorRef<Self::Msg>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        for commit in state.machine.uncommitted() {
            state.commit(&myself, commit);
        }
        Ok(())
    }
}

impl State {
    fn attach(&mut self, attachment: Attachment, recovering: bool) -> Vec<Effect<Bytes>> {
        let joining = Joining {
            connection: attachment.connection.id,
            device: attachment.device,
            window_events: attachment.window_events,
            cursor: attachment.connection.cursor(),
            resume: attachment.resume,
            recovering,
        };
        self.attached.retain(|attached| attached.device != attachment.device);
        self.attached.push(attachment);
        self.machine.join(joining)
    }

    fn perform(&mut self, myself: &ActorRef<SessionMessage>, effect: Effect<Bytes>) {
        match effect {
            Effect::Push(connection, frame) => {
                if let Some(attachment) = self.attachment(connection) {
                    self.context.steps.pushed(self.user, attachment.device, connection, &frame);
                    self.measure(&frame);
                    attachment.connection.push(frame);
                }
            }
            Effect::Sweep(due) => {
                // Behind what waits already: of messages that were committed together each rings, and brings itself along. One
                // read finds them all, and has the log read for none.
                let _ = myself.cast(SessionMessage::Sweep(due));
            }
            Effect::Commit(commit) => self.commit(myself, commit),
            Effect::BadAck(connection) => {
                if let Some(attachment) = self.attachment(connection) {
                    let text = "the acknowledgement is of something not pushed on this connection";
                    let error = Error::new(RequestId::default(), ErrorCode::BadAck, text);
                    attachment.connection.push(encode(&error));
                }
            }
        }
    }

    /// Reads the inbox: at once if that needs no waiting, as with an embedded store; else in a task of its own, which tells
    /// the session what it has found.
    fn sweep(&self, myself: &ActorRef<SessionMessage>, due: Sweep) -> Poll<Result<Swept, StoreError>> {
        let hints = self.hints.after(due.after);
        let reading = sweep(self.context.store.clone(), self.user, due, hints, self.context.clock.now_ms());
        let mut reading = Box::pin(reading);
        let found = reading.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
        if found.is_pending() {
            // A task polls it again at once, so the wake-up that went nowhere is not missed.
            tokio::spawn(Sweeping::new(myself.clone()).until(reading));
        }
        found
    }

    fn swept(&mut self, outcome: Result<Swept, StoreError>) -> Vec<Effect<Bytes>> {
        match outcome {
            Ok(swept) => {
                if swept.is_about_seeing {
                    self.look_again();
                }
                if swept.is_about_following {
                    self.follow_again();
                }
                self.context.meters.sweep_events.record(swept.events.len() as f64);
                let effects = self.machine.swept(&swept.events, swept.exhausted);
                self.hints.pushed(self.machine.pushed_to_all());
                effects
            }
            Err(error) => {
                tracing::warn!(user = %self.user, %error, "an inbox could not be read");
                self.machine.sweep_failed();
                Vec::new()
            }
        }
    }

    /// Records how long another user's message took to get here. What waited for a device to connect says nothing of that.
    fn measure(&self, frame: &[u8]) {
        let Some(message) = MessageHead::of_event(frame).filter(|it| it.sender != self.user) else { return };
        // Clocks of two nodes may differ: what seems to come from the future took no time.
        let took = Duration::from_millis(self.context.clock.now_ms().saturating_sub(message.time_ms));
        if took < MEASURED_AGE_MAX {
            self.context.meters.push_seconds.record(took);
        }
    }

    fn attachment(&self, connection: ConnectionId) -> Option<&Attachment> {
        self.attached.iter().find(|attachment| attachment.connection.id == connection)
    }

    fn commit(&self, myself: &ActorRef<SessionMessage>, commit: Commit) {
        let op = AckEvents {
            user: self.user,
            device: commit.device,
            stamp: commit.stamp,
            delivered: commit.delivered.clone(),
            trim: commit.trim,
            time_ms: self.context.clock.now_ms(),
        };
        let (context, user, to, again) = (self.context.clone(), self.user, myself.clone(), commit.clone());
        let done = move |outcome: Result<Committed<Acked>, StoreError>| {
            let outcome = outcome.map(|committed| committed.answer);
            match &outcome {
                Ok(Acked::Done { told, moved }) => {
                    for (conversation, mark) in moved {
                        let (conversation, mark) = (*conversation, mark.clone());
                        context.looking.tell(LookingMessage::Moved { conversation, user, mark });
                    }
                    told.iter().for_each(|user| context.router.ring(*user, None, None));
                }
                Err(StoreError::Ambiguous(_)) => {
                    let senders = commit.delivered.iter().filter_map(|(it, _)| it.direct_peer(user));
                    senders.for_each(|sender| context.router.ring(sender, None, None));
                }
                _ => {}
            }
            // A session that has ended has committed what it could.
            let _ = to.cast(SessionMessage::AckCommitted(commit, outcome));
        };
        if let Err(error) = self.context.store.submit_then(&self.user, op, done) {
            let _ = myself.cast(SessionMessage::AckCommitted(again, Err(error)));
        }
    }

    fn ack_committed(&mut self, commit: Commit, outcome: Result<Acked, StoreError>) -> Vec<Effect<Bytes>> {
        match outcome {
            Ok(Acked::Done { .. }) => {
                for attachment in self.attached.iter().filter(|attachment| attachment.device == commit.device)
                {
                    attachment.connection.raise_cursor(commit.stamp);
                }
                for (conversation, seq) in &commit.delivered {
                    self.context.steps.delivered(self.user, commit.device, *conversation, *seq);
                }
                self.machine.committed(&commit)
            }
            Ok(Acked::NoSuchDevice) => {
                for gone in self.attached.iter().filter(|attachment| attachment.device == commit.device) {
                    gone.connection.close_with(ErrorCode::TokenRevoked, "the device has been removed");
                }
                self.machine.committed(&commit)
            }
            Ok(Acked::Corrupt(error)) | Err(error) => {
                tracing::warn!(user = %self.user, %error, "an acknowledgement could not be committed");
                self.machine.commit_failed(commit);
                Vec::new()
            }
        }
    }

    fn read(&self, read: &Read, reply: Reply) {
        if let Err((code, text)) = check_conversation(read.conversation, self.user) {
            return reply.refuse(code, text);
        }
        let op = MarkRead {
            conversation: read.conversation,
            user: self.user,
            seq: read.seq,
            time_ms: self.context.clock.now_ms(),
        };
        let (context, user, conversation) = (self.context.clone(), self.user, read.conversation);
        let done = move |outcome: Result<Committed<MarkedRead>, StoreError>| {
            let refused = match outcome.map(|committed| committed.answer) {
                Ok(MarkedRead::Done { told, moved }) => {
                    if let Some(mark) = moved.filter(|_| conversation.group_id().is_some()) {
                        context.looking.tell(LookingMessage::Moved { conversation, user, mark });
                    }
                    told.iter().for_each(|user| context.router.ring(*user, None, None));
                    let request = reply.request();
                    return reply.answer(&Done { request });
                }
                Ok(MarkedRead::NotMember) => {
                    return reply.refuse(ErrorCode::NotMember, Refusal::NotMember.to_string());
                }
                Ok(MarkedRead::Corrupt(error)) | Err(error) => error,
            };
            if matches!(refused, StoreError::Ambiguous(_)) {
                ring_receivers(&context, conversation, user);
            }
            let (code, text) = crate::failure::of_store(&refused);
            reply.refuse(code, text);
        };
        if let Err(error) = self.context.store.submit_then(&read.conversation, op, done) {
            tracing::debug!(user = %self.user, %error, "a read mark was not taken");
        }
    }

    /// What the devices here may see of others may have changed.
    fn look_again(&self) {
        let watching = self.attached.iter().filter(|attached| attached.connection.is_watching());
        let watching: Vec<ConnectionId> = watching.map(|attached| attached.connection.id).collect();
        if !watching.is_empty() {
            self.context.looking.tell(LookingMessage::RecheckFor(watching));
        }
    }

    /// What is said in other channels than before comes to the connections from now on.
    fn follow_again(&self) {
        for attached in &self.attached {
            let connection = attached.connection.clone();
            self.context.looking.tell(LookingMessage::Refollow { connection, reply: None });
        }
    }

    fn hibernate_if_idle(&self) {
        if self.machine.is_idle() && self.last_active.elapsed() >= self.context.config.session_idle {
            let passivation =
                Passivation { user: self.user, incarnation: self.incarnation, from_shard: self.from_shard };
            self.context.router.to_shard(self.user, ShardMessage::Passivate(passivation));
        }
    }
}

/// A sweep under way. Its session learns how it ended, also when it ended in a panic.
struct Sweeping {
    session: ActorRef<SessionMessage>,
    outcome: Option<Result<Swept, StoreError>>,
}

impl Sweeping {
    fn new(session: ActorRef<SessionMessage>) -> Self {
        Self { session, outcome: None }
    }

    async fn until(mut self, reading: impl Future<Output = Result<Swept, StoreError>>) {
        self.outcome = Some(reading.await);
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        let panicked = || Err(StoreError::Panicked("while an inbox was read".into()));
        let outcome = self.outcome.take().unwrap_or_else(panicked);
        // A session that has ended has no use for it.
        let _ = self.session.cast(SessionMessage::Swept(outcome));
    }
}
