//! What others hold of a connection. Never blocks: what it cannot take ends the connection, and the store's inbox
//! makes up for what that one missed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use metrics::counter;
use rookery_protocol::{DeviceId, Error, ErrorCode, Goaway, Payload, RequestId, UserId, encode, limits};
use tokio::sync::Notify;

use crate::metrics::REQUESTS_FAILED;

/// Bytes that may be queued for a connection: a full window of events, and answers for all it may ask at once. What
/// honest use needs is bounded by window and requests; this is the wall behind them.
const QUEUE_BYTES_MAX: usize = limits::WINDOW_BYTES_MAX + 2 * 1024 * 1024;

/// Queued bytes above which long answers wait.
const QUEUE_BYTES_COMFORT: usize = limits::HISTORY_BYTES_MAX;

/// One connection among those of this run of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Who a connection has proved to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) generation: u32,
}

/// The part of a connection that is shared between its task, its actor and its user's session.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    identity: OnceLock<Identity>,
    queue: Mutex<Queue>,
    in_flight: AtomicU32,
    actor_failed: AtomicBool,
    crash_asked: AtomicBool,
    changed: Notify,
    drained: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Bytes>,
    bytes: usize,
    end: Option<End>,
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
    pub(crate) end: Option<End>,
}

impl Connection {
    pub(crate) fn new(id: ConnectionId) -> Arc<Self> {
        Arc::new(Self {
            id,
            identity: OnceLock::new(),
            queue: Mutex::default(),
            in_flight: AtomicU32::new(0),
            actor_failed: AtomicBool::new(false),
            crash_asked: AtomicBool::new(false),
            changed: Notify::new(),
            drained: Notify::new(),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("nothing panics while it holds this lock")
    }

    /// Who it is, once welcomed.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity.get().copied()
    }

    /// Says who it is. Once.
    pub(crate) fn identify(&self, identity: Identity) {
        self.identity.set(identity).expect("a connection is welcomed once");
    }

    /// Queues a frame. What is queued after the end is dropped.
    pub(crate) fn push(&self, frame: Bytes) {
        let mut queue = self.queue();
        if queue.end == Some(End::Now) {
            return;
        }
        queue.bytes += frame.len();
        queue.frames.push(frame);
        if queue.bytes > QUEUE_BYTES_MAX {
            queue.frames = vec![encode(&Error::new(
                RequestId::default(),
                ErrorCode::TooSlow,
                "too much is waiting to be read by this client",
            ))];
            queue.end = Some(End::Now);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Ends the connection with an error.
    pub(crate) fn close_with(&self, code: ErrorCode, text: impl Into<String>) {
        counter!(crate::metrics::CONNECTIONS_REFUSED, "code" => format!("{code:?}")).increment(1);
        self.push(encode(&Error::new(RequestId::default(), code, text)));
        self.end(End::Now);
    }

    /// Announces the end, and ends when what is in flight has been answered.
    pub(crate) fn go_away(&self, goaway: &Goaway) {
        self.push(encode(goaway));
        self.end(End::WhenAnswered);
    }

    fn end(&self, end: End) {
        let mut queue = self.queue();
        if queue.end != Some(End::Now) {
            queue.end = Some(end);
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// Moves what is queued into `frames`, which is empty.
    pub(crate) fn take_outbound(&self, frames: &mut Vec<Bytes>) -> Outbound {
        let mut queue = self.queue();
        std::mem::swap(&mut queue.frames, frames);
        queue.bytes = 0;
        let answered = self.in_flight.load(Ordering::Acquire) == 0;
        let end = queue.end.filter(|end| *end == End::Now || answered);
        drop(queue);
        self.drained.notify_waiters();
        Outbound { end }
    }

    /// Whether it is to end, and no more is to be read.
    pub(crate) fn is_ending(&self) -> bool {
        self.queue().end.is_some()
    }

    /// Gives back the queue's memory.
    pub(crate) fn release_idle_memory(&self) {
        let mut queue = self.queue();
        if queue.frames.is_empty() {
            queue.frames = Vec::new();
        }
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
        let queue = self.queue();
        queue.bytes < QUEUE_BYTES_COMFORT || queue.end.is_some()
    }

    /// The actor has failed: the socket task replaces it.
    pub(crate) fn actor_failed(&self) {
        self.actor_failed.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether the actor has failed since the last call.
    pub(crate) fn take_actor_failed(&self) -> bool {
        self.actor_failed.swap(false, Ordering::AcqRel)
    }

    /// Has the actor fail, if there is one.
    pub(crate) fn ask_actor_to_crash(&self) {
        self.crash_asked.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether the actor is to fail.
    pub(crate) fn take_crash_asked(&self) -> bool {
        self.crash_asked.swap(false, Ordering::AcqRel)
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

    fn error(&self, code: ErrorCode, text: impl Into<String>) {
        counter!(REQUESTS_FAILED, "code" => format!("{code:?}")).increment(1);
        self.connection().push(encode(&Error::new(self.request, code, text)));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.error(ErrorCode::Internal, "the node failed at this request; retry with the same id");
        }
    }
}
