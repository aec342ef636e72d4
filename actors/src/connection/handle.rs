//! What others hold of a connection. Never blocks: what it cannot take ends the connection, and the store's inbox
//! makes up for what that one missed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use metrics::counter;
use ractor::ActorId;
use rookery_protocol::{
    DeviceId, Error, ErrorCode, Goaway, Payload, RequestId, Stamp, UserId, encode, limits,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::Context;
use crate::inspect::ConnectionSeen;
use crate::looking::LookingMessage;
use crate::metrics::REQUESTS_FAILED;
use crate::nodes::{NodeList, Told};
use crate::rates::TooMuch;
use crate::shard::ShardMessage;

/// Bytes that may be queued for a connection: a full window of events, and answers for all it may ask at once. What
/// honest use needs is bounded by window and requests; this is the wall behind them.
const QUEUE_BYTES_MAX: usize = limits::WINDOW_BYTES_MAX + 2 * 1024 * 1024;

/// Queued bytes above which long answers wait.
const QUEUE_BYTES_COMFORT: usize = limits::HISTORY_BYTES_MAX;

/// Bytes written at once, unless one frame is longer: what a client must take within the time for a write, however slow
/// its network.
const WRITE_BYTES_MAX: usize = 32 * 1024;

/// One connection among those of this run of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Who a connection has proved to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) generation: u32,
    /// The version of the store at which it was admitted.
    pub(crate) admitted: u64,
    /// When the account was made, seconds since 1970: in as many bytes as its age deserves.
    pub(crate) created_s: u32,
    /// An operator has taken the account's limits away.
    pub(crate) is_unlimited: bool,
}

/// The part of a connection that is shared between its task, its actor and its user's session.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) peer: SocketAddr,
    opened: Instant,
    identity: OnceLock<Identity>,
    state: Mutex<State>,
    in_flight: AtomicU32,
    looked_after: AtomicBool,
    active: AtomicBool,
    stirred: AtomicBool,
    watches: AtomicBool,
    changed: Notify,
    drained: Notify,
}

#[derive(Debug)]
struct State {
    frames: Vec<Bytes>,
    bytes: usize,
    end: Option<End>,
    /// The socket task has ended.
    gone: bool,
    failed_actor: Option<ActorId>,
    crash_asked: bool,
    cursor: Stamp,
    /// The mark of the list of nodes that the client knows; 0 before WELCOME.
    nodes_mark: u64,
}

/// How a connection is to end, once what is queued has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// At once: the last word has been queued.
    Now,
    /// When what is in flight has been answered.
    WhenAnswered,
}

/// What there is to do for the socket task.
#[derive(Debug)]
pub(crate) struct Outbound {
    /// The connection is over once the frames have been written.
    pub(crate) is_last: bool,
    /// An actor has failed, this one or an earlier one.
    pub(crate) failed_actor: Option<ActorId>,
    /// Have the actor fail, if there is one.
    pub(crate) crash_asked: bool,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId, peer: SocketAddr, opened: Instant) -> Arc<Self> {
        Arc::new(Self {
            id,
            peer,
            opened,
            identity: OnceLock::new(),
            state: Mutex::new(State {
                frames: Vec::new(),
                bytes: 0,
                end: None,
                gone: false,
                failed_actor: None,
                crash_asked: false,
                cursor: Stamp::ZERO,
                nodes_mark: 0,
            }),
            in_flight: AtomicU32::new(0),
            looked_after: AtomicBool::new(false),
            active: AtomicBool::new(true),
            stirred: AtomicBool::new(false),
            watches: AtomicBool::new(false),
            changed: Notify::new(),
            drained: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Who it is, once welcomed.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity.get().copied()
    }

    /// What there is to see of it now.
    pub(crate) fn seen(&self) -> ConnectionSeen {
        let state = self.state();
        ConnectionSeen {
            number: self.id.0,
            identity: self.identity().map(|identity| (identity.user, identity.device)),
            peer: self.peer,
            open_for: self.opened.elapsed(),
            in_flight: self.in_flight(),
            queued_bytes: state.bytes,
            is_closing: state.end.is_some(),
        }
    }

    /// Says who it is. Once.
    pub(crate) fn identify(&self, identity: Identity) {
        self.identity.set(identity).expect("a connection is welcomed once");
    }

    /// Queues a frame. What is queued after the end is dropped.
    pub(crate) fn push(&self, frame: Bytes) {
        self.state().push(frame);
        self.changed.notify_one();
    }

    /// Queues a frame that is worth something now only, unless much is queued. Whether it was.
    pub(crate) fn push_if_comfortable(&self, frame: Bytes) -> bool {
        let mut state = self.state();
        if state.bytes >= QUEUE_BYTES_COMFORT || state.end.is_some() {
            return false;
        }
        state.push(frame);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Whether the user is there at the device, as far as is known.
    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// Says whether the user is there. If that is news, the shard is to be told so, unless it is about to look anyway:
    /// however often it changes, the shard hears of each connection once before it looks.
    pub(crate) fn set_active(self: &Arc<Self>, active: bool) -> Option<Stirring> {
        let is_news = self.active.swap(active, Ordering::AcqRel) != active;
        let is_first = is_news && !self.stirred.swap(true, Ordering::AcqRel);
        is_first.then(|| Stirring(self.clone()))
    }

    /// The client watches something, or has done so.
    pub(crate) fn set_watching(&self) {
        self.watches.store(true, Ordering::Release);
    }

    /// Whether the client watches something, or has done so.
    pub(crate) fn is_watching(&self) -> bool {
        self.watches.load(Ordering::Acquire)
    }

    /// WELCOME, which has been queued, told of these nodes.
    pub(crate) fn nodes_told(&self, told: &Told) {
        self.state().nodes_mark = told.mark;
    }

    /// Tells the client which nodes there are, if it knows others.
    pub(crate) fn nodes_changed(&self, nodes: &NodeList) {
        let Some(identity) = self.identity() else { return };
        let mut state = self.state();
        // Read under the lock, so that what is queued last is what was true last.
        let told = nodes.for_user(identity.user);
        if state.nodes_mark == 0 || state.nodes_mark == told.mark || state.end.is_some() {
            return;
        }
        state.nodes_mark = told.mark;
        state.push(told.frame.clone());
        drop(state);
        self.changed.notify_one();
    }

    /// Ends the connection with an error.
    pub(crate) fn close_with(&self, code: ErrorCode, text: impl Into<String>) {
        counter!(crate::metrics::CONNECTIONS_CLOSED, "code" => format!("{code:?}")).increment(1);
        self.push(encode(&Error::new(RequestId::default(), code, text)));
        self.end(End::Now);
    }

    /// Announces the end, and ends when what is in flight has been answered.
    /// One that is ending already is told nothing more.
    pub(crate) fn go_away(&self, goaway: &Goaway) {
        {
            let mut state = self.state();
            if state.end.is_some() {
                return;
            }
            state.push(encode(goaway));
        }
        self.end(End::WhenAnswered);
    }

    fn end(&self, end: End) {
        let mut state = self.state();
        if state.end != Some(End::Now) {
            state.end = Some(end);
        }
        drop(state);
        self.changed.notify_one();
        self.drained.notify_waiters();
    }

    /// The socket task has ended: nobody writes what is queued, and nothing more is.
    pub(crate) fn has_gone(&self) {
        let mut state = self.state();
        state.gone = true;
        state.end = Some(End::Now);
        state.frames = Vec::new();
        state.bytes = 0;
        drop(state);
        self.drained.notify_waiters();
    }

    /// Whether the socket task has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.state().gone
    }

    /// Moves what is to be written next into `frames`, which is empty.
    pub(crate) fn take_outbound(&self, frames: &mut Vec<Bytes>) -> Outbound {
        let mut state = self.state();
        if state.bytes <= WRITE_BYTES_MAX {
            std::mem::swap(&mut state.frames, frames);
            state.bytes = 0;
        } else {
            state.take_some(frames);
        }
        let is_rest = !state.frames.is_empty();
        let is_last = match state.end {
            _ if is_rest => false,
            Some(End::Now) => true,
            Some(End::WhenAnswered) => self.in_flight() == 0,
            None => false,
        };
        let outbound = Outbound {
            is_last,
            failed_actor: state.failed_actor.take(),
            crash_asked: std::mem::take(&mut state.crash_asked),
        };
        drop(state);
        if is_rest {
            self.changed.notify_one();
        }
        self.drained.notify_waiters();
        outbound
    }

    /// Whether it is to end, and no more is to be read.
    pub(crate) fn is_ending(&self) -> bool {
        self.state().end.is_some()
    }

    /// Gives back the queue's memory.
    pub(crate) fn release_idle_memory(&self) {
        let mut state = self.state();
        if state.frames.is_empty() {
            state.frames = Vec::new();
        }
    }

    /// Up to where its device has acknowledged, as far as that is on record.
    pub(crate) fn cursor(&self) -> Stamp {
        self.state().cursor
    }

    /// The device's cursor is at least here.
    pub(crate) fn raise_cursor(&self, cursor: Stamp) {
        let mut state = self.state();
        state.cursor = state.cursor.max(cursor);
    }

    /// Permission to look after the connection in the store, unless somebody does already.
    pub(crate) fn look_after(self: &Arc<Self>) -> Option<LookingAfter> {
        let nobody_did = !self.looked_after.swap(true, Ordering::AcqRel);
        nobody_did.then(|| LookingAfter(self.clone()))
    }

    /// Completes when there is something to do for the socket task. For that task alone.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Completes when little is queued: a long answer may be added. Or when it does not matter any more.
    pub(crate) async fn comfortable(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.is_comfortable() {
                return;
            }
            drained.await;
        }
    }

    fn is_comfortable(&self) -> bool {
        let state = self.state();
        state.bytes < QUEUE_BYTES_COMFORT || state.end.is_some()
    }

    /// An actor has failed: the socket task replaces it, if it has not yet.
    pub(crate) fn actor_failed(&self, actor: ActorId) {
        self.state().failed_actor = Some(actor);
        self.changed.notify_one();
    }

    /// Has the actor fail, if there is one.
    pub(crate) fn ask_actor_to_crash(&self) {
        self.state().crash_asked = true;
        self.changed.notify_one();
    }

    /// Frames inside the node.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Counts one more frame inside the node, until the permit is dropped.
    pub(crate) fn permit(self: &Arc<Self>) -> Permit {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Permit(self.clone())
    }
}

impl State {
    /// Queues a frame, unless the last word has been queued. A queue that is too long ends the connection.
    fn push(&mut self, frame: Bytes) {
        if self.end == Some(End::Now) {
            return;
        }
        self.bytes += frame.len();
        self.frames.push(frame);
        if self.bytes > QUEUE_BYTES_MAX {
            let text = "too much is waiting to be read by this client";
            let error = encode(&Error::new(RequestId::default(), ErrorCode::TooSlow, text));
            self.bytes = error.len();
            self.frames = vec![error];
            self.end = Some(End::Now);
        }
    }

    /// Moves the first frames, together as long as is written at once.
    fn take_some(&mut self, frames: &mut Vec<Bytes>) {
        let mut bytes = 0;
        let mut count = 0;
        for frame in &self.frames {
            if count > 0 && bytes + frame.len() > WRITE_BYTES_MAX {
                break;
            }
            bytes += frame.len();
            count += 1;
        }
        frames.extend(self.frames.drain(..count));
        self.bytes -= bytes;
    }
}

/// See [`Connection::look_after`].
#[derive(Debug)]
pub(crate) struct LookingAfter(Arc<Connection>);

impl Drop for LookingAfter {
    fn drop(&mut self) {
        self.0.looked_after.store(false, Ordering::Release);
    }
}

/// That the shard is to look whether the user is there, which drops this before it does. See [`Connection::set_active`].
#[derive(Debug)]
pub(crate) struct Stirring(Arc<Connection>);

impl Drop for Stirring {
    fn drop(&mut self) {
        // Taken as well as put: whoever found it set has said before what is looked at now.
        self.0.stirred.swap(false, Ordering::AcqRel);
    }
}

/// The duty to tell a shard that a connection has gone. However it is dropped, it does: so it can travel behind the last
/// things that the client said, and arrives also when those who carry it fail.
pub(crate) struct Departure {
    context: Arc<Context>,
    connection: Arc<Connection>,
}

impl Departure {
    pub(crate) fn new(context: Arc<Context>, connection: Arc<Connection>) -> Self {
        Self { context, connection }
    }
}

impl std::fmt::Debug for Departure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Departure").field(&self.connection.id).finish()
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        // One that never proved who it is has not been attached.
        if let Some(Identity { user, .. }) = self.connection.identity() {
            self.context.router.to_shard(user, ShardMessage::Detach { user, connection: self.connection.id });
        }
        if self.connection.is_watching() {
            self.context.looking.tell(LookingMessage::Gone(self.connection.id));
        }
    }
}

/// A frame inside the node. Dropping it lets the socket task read another.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Connection>);

impl Permit {
    /// The connection it came from.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }

    /// Turns it into the duty to answer.
    pub(crate) fn reply_to(self, request: RequestId) -> Reply {
        Reply { permit: self, request, answered: false }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        if before == 1 || before == limits::REQUESTS_IN_FLIGHT_MAX {
            self.0.changed.notify_one();
        }
    }
}

/// The duty to answer a request. Dropped unanswered, as by an actor's panic, it answers that the node failed.
#[derive(Debug)]
pub(crate) struct Reply {
    permit: Permit,
    request: RequestId,
    answered: bool,
}

impl Reply {
    /// The connection that asked.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        self.permit.connection()
    }

    /// The request's id, for the answer's payload.
    pub(crate) fn request(&self) -> RequestId {
        self.request
    }

    /// Answers.
    pub(crate) fn answer<P: Payload>(mut self, payload: &P) {
        self.answered = true;
        self.connection().push(encode(payload));
    }

    /// Answers with an error.
    pub(crate) fn refuse(mut self, code: ErrorCode, text: impl Into<String>) {
        self.answered = true;
        self.error(code, text);
    }

    /// Answers that the user has done too much of this, and when it is not too much any more.
    pub(crate) fn refuse_for_now(mut self, too_much: &TooMuch) {
        self.answered = true;
        let retry_after_ms = too_much.retry_after.as_micros().div_ceil(1_000);
        let error = Error::new(self.request, ErrorCode::Busy, too_much.to_string());
        self.push_error(
            &Error { retry_after_ms: retry_after_ms.try_into().unwrap_or(u32::MAX), ..error },
            ErrorCode::Busy,
        );
    }

    fn error(&self, code: ErrorCode, text: impl Into<String>) {
        self.push_error(&Error::new(self.request, code, text), code);
    }

    fn push_error(&self, error: &Error, code: ErrorCode) {
        counter!(REQUESTS_FAILED, "code" => format!("{code:?}")).increment(1);
        self.connection().push(encode(error));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.error(ErrorCode::Internal, "the node failed at this request; retry with the same id");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::ClientNodes;

    fn nodes(count: usize) -> ClientNodes {
        ClientNodes { urls: vec![vec!["rk://a".to_owned()]; count], ..ClientNodes::default() }
    }

    fn queued(connection: &Connection) -> usize {
        let mut frames = Vec::new();
        connection.take_outbound(&mut frames);
        frames.len()
    }

    fn connection() -> Arc<Connection> {
        Connection::new(ConnectionId(1), SocketAddr::from(([127, 0, 0, 1], 1)), Instant::now())
    }

    #[test]
    fn the_shard_is_told_once_of_a_user_who_comes_and_goes_until_it_looks() {
        let connection = connection();
        assert!(connection.set_active(true).is_none(), "so it begins");
        let stirring = connection.set_active(false).expect("that is news");
        assert!((0..100).all(|number| connection.set_active(number % 2 == 0).is_none()));
        drop(stirring);
        assert!(connection.set_active(false).is_none(), "the shard has seen that");
        assert!(connection.set_active(true).is_some() && connection.is_active());
        assert!(connection.set_active(false).is_some(), "what the shard never got is not waited for");
    }

    #[test]
    fn nodes_that_change_while_somebody_is_let_in_are_told_after_welcome_and_once() {
        let connection = connection();
        let user = UserId::new(1).unwrap();
        let list = NodeList::new(&nodes(1));
        let welcomed_with = list.for_user(user);
        list.set(&nodes(2));
        connection.nodes_changed(&list);
        let device = DeviceId::new(1);
        let (created_s, is_unlimited) = (0, false);
        connection.identify(Identity { user, device, generation: 1, admitted: 0, created_s, is_unlimited });
        connection.nodes_changed(&list);
        assert_eq!(queued(&connection), 0, "WELCOME comes first");
        connection.nodes_told(&welcomed_with);
        connection.nodes_changed(&list);
        connection.nodes_changed(&list);
        assert_eq!(queued(&connection), 1);
    }
}
