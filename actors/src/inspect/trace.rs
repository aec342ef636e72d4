//! Following a user's messages: what happens to them on this node, as it happens.
//!
//! Nobody is followed most of the time, and then it costs one relaxed load. Who follows reads from a bounded queue; what
//! does not fit in is lost and counted, so that a slow reader slows nobody down.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rookery_protocol::{ConversationId, DeviceId, ErrorCode, MessageId, Seq, Stamp, UserId};
use rookery_store::keys::node::NodeName;
use tokio::sync::mpsc;

use crate::clock::Clock;

/// Traces at a time on a node: each is looked at for each step of each message.
pub const TRACES_MAX: usize = 16;

/// Events that wait for a reader; more are lost.
const WAITING_MAX: usize = 1024;

/// What happened to a message, or to what a user's devices are to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceEvent {
    /// A device has sent it.
    Arrived {
        /// Which message.
        message: MessageId,
        /// In which conversation.
        conversation: ConversationId,
        /// Whose device.
        user: UserId,
        /// Which.
        device: DeviceId,
        /// On which connection.
        connection: u64,
        /// The length of its body.
        body_bytes: usize,
    },
    /// It is in the log and the inboxes.
    Committed {
        /// Which message.
        message: MessageId,
        /// In which conversation.
        conversation: ConversationId,
        /// Its place there.
        seq: Seq,
        /// Its place in the inboxes; `None` when it had been accepted before.
        stamp: Option<Stamp>,
        /// From arrival to commit, in microseconds.
        took_us: u64,
    },
    /// It was refused.
    Refused {
        /// Which message.
        message: MessageId,
        /// In which conversation.
        conversation: ConversationId,
        /// Why.
        code: ErrorCode,
    },
    /// A bell for a user.
    Rung {
        /// For whom.
        user: UserId,
        /// For which message, if it is one and the bell says so.
        message: Option<MessageId>,
        /// The event's place, if the bell says so.
        stamp: Option<Stamp>,
        /// The node it was passed on to; `None`: the user's session here.
        node: Option<NodeName>,
    },
    /// Bells for the members of a group to which the user has written.
    RungMany {
        /// For how many.
        users: usize,
        /// For which message.
        message: Option<MessageId>,
        /// The event's place.
        stamp: Option<Stamp>,
        /// The node they were passed on to; `None`: this one.
        node: Option<NodeName>,
    },
    /// An event was queued for a connection.
    Pushed {
        /// To whose device.
        user: UserId,
        /// To which.
        device: DeviceId,
        /// On which connection.
        connection: u64,
        /// The event's place.
        stamp: Stamp,
        /// Which message, if it is one.
        message: Option<MessageId>,
    },
    /// A device has everything up to here.
    Acknowledged {
        /// Whose.
        user: UserId,
        /// Which.
        device: DeviceId,
        /// On which connection.
        connection: u64,
        /// Up to where.
        stamp: Stamp,
    },
    /// It is on record that a user's device has a conversation's messages up to here.
    Delivered {
        /// Whose.
        user: UserId,
        /// Which.
        device: DeviceId,
        /// Of which conversation.
        conversation: ConversationId,
        /// Up to where.
        seq: Seq,
    },
}

/// An event, and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
    /// What happened.
    pub event: TraceEvent,
}

/// What a trace brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TracedItem {
    /// Something happened.
    Event(Traced),
    /// So many events were lost, because they were not read in time.
    Lost(u64),
}

/// As many users are followed as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{TRACES_MAX} traces run on this node already")]
pub struct TooManyTraces;

/// A user who is followed, until this is dropped.
#[derive(Debug)]
pub struct Trace {
    events: mpsc::Receiver<Traced>,
    following: Arc<Following>,
    tracer: Arc<Tracer>,
}

#[derive(Debug)]
struct Following {
    user: UserId,
    queue: mpsc::Sender<Traced>,
    lost: AtomicU64,
}

/// Who is followed.
pub(crate) struct Tracer {
    clock: Arc<dyn Clock>,
    count: AtomicUsize,
    followings: Mutex<Vec<Arc<Following>>>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tracer")
    }
}

impl Tracer {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, count: AtomicUsize::new(0), followings: Mutex::default() })
    }

    /// Whether nobody is followed.
    pub(crate) fn is_idle(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Tells those who follow one of these users.
    pub(crate) fn tell(&self, users: [Option<UserId>; 2], event: impl FnOnce() -> TraceEvent) {
        if self.is_idle() {
            return;
        }
        let followings = self.followings();
        let mut concerned = followings.iter().filter(|it| users.contains(&Some(it.user))).peekable();
        if concerned.peek().is_none() {
            return;
        }
        let traced = Traced { time_ms: self.clock.now_ms(), event: event() };
        for following in concerned {
            if following.queue.try_send(traced.clone()).is_err() {
                following.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Follows a user.
    pub(crate) fn follow(self: &Arc<Self>, user: UserId) -> Result<Trace, TooManyTraces> {
        let mut followings = self.followings();
        if followings.len() >= TRACES_MAX {
            return Err(TooManyTraces);
        }
        let (queue, events) = mpsc::channel(WAITING_MAX);
        let following = Arc::new(Following { user, queue, lost: AtomicU64::new(0) });
        followings.push(following.clone());
        self.count.store(followings.len(), Ordering::Relaxed);
        Ok(Trace { events, following, tracer: self.clone() })
    }

    fn followings(&self) -> MutexGuard<'_, Vec<Arc<Following>>> {
        self.followings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trace {
    /// What happens next. Waits for ever when nothing does.
    pub async fn next(&mut self) -> TracedItem {
        // What was lost came after what waits, so it is told when the queue has been read.
        if let Ok(traced) = self.events.try_recv() {
            return TracedItem::Event(traced);
        }
        match self.following.lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => return TracedItem::Lost(lost),
        }
        let next = self.events.recv().await;
        TracedItem::Event(next.expect("the queue's sender is in this trace"))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let mut followings = self.tracer.followings();
        followings.retain(|following| !Arc::ptr_eq(following, &self.following));
        self.tracer.count.store(followings.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("an id")
    }

    fn rung(number: u64) -> TraceEvent {
        TraceEvent::Rung { user: user(number), message: None, stamp: None, node: None }
    }

    fn tell(tracer: &Tracer, number: u64) {
        tracer.tell([Some(user(number)), None], || rung(number));
    }

    async fn next_event(trace: &mut Trace) -> TraceEvent {
        match trace.next().await {
            TracedItem::Event(traced) => traced.event,
            TracedItem::Lost(lost) => panic!("{lost} were lost"),
        }
    }

    #[tokio::test]
    async fn only_who_is_followed_is_told_of_and_only_while_the_trace_is_there() {
        let tracer = Tracer::new(Arc::new(SystemClock));
        tracer.tell([Some(user(1)), None], || unreachable!("nobody is followed"));
        let mut trace = tracer.follow(user(1)).expect("there is room");
        tracer.tell([Some(user(2)), None], || unreachable!("nobody follows this one"));
        tell(&tracer, 1);
        tracer.tell([Some(user(2)), Some(user(1))], || rung(2));
        assert_eq!(next_event(&mut trace).await, rung(1));
        assert_eq!(next_event(&mut trace).await, rung(2));
        drop(trace);
        assert!(tracer.is_idle());
    }

    #[tokio::test]
    async fn what_a_slow_reader_does_not_take_is_counted() {
        let tracer = Tracer::new(Arc::new(SystemClock));
        let mut trace = tracer.follow(user(1)).expect("there is room");
        for _ in 0..WAITING_MAX + 7 {
            tell(&tracer, 1);
        }
        for _ in 0..WAITING_MAX {
            next_event(&mut trace).await;
        }
        assert_eq!(trace.next().await, TracedItem::Lost(7));
        tell(&tracer, 1);
        next_event(&mut trace).await;
    }

    #[test]
    fn there_are_only_so_many_traces() {
        let tracer = Tracer::new(Arc::new(SystemClock));
        let mut traces: Vec<Trace> =
            (0..TRACES_MAX).map(|_| tracer.follow(user(1)).expect("there is room")).collect();
        assert_eq!(tracer.follow(user(1)).err(), Some(TooManyTraces));
        traces.pop();
        tracer.follow(user(2)).expect("one has gone");
    }
}
