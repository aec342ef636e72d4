//! Operations through a store: queued, applied, committed, told. On the memory engine that is all on one thread; on LMDB
//! with its own writer, and with or without the disk's sync.

use std::path::Path;
use std::sync::Arc;

use rookery_protocol::{
    Body, ConversationId, DeviceId, GroupChange, GroupSettings, MessageId, Seq, UserId, limits,
};
use rookery_store::engine::Engine;
use rookery_store::engines::{LmdbConfig, LmdbEngine, MemoryEngine};
use rookery_store::{Store, StoreConfig, ops};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::codec::{stamp, user};
use crate::{Case, Work, repeated, timed};

/// Pairs of users who write to each other.
const PAIRS: u64 = 256;
/// Of the group, the writer included.
const MEMBERS: u64 = 256;
const BODY_BYTES: usize = 128;
/// Enough for what is written while it is measured.
const MAP_BYTES: usize = 8 << 30;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        repeated("store: a direct message, memory", 1, || sends(Place::memory(), 1)),
        repeated("store: an acknowledgement, memory", 1, || acks(Place::memory(), 1)),
        repeated("store: a message to 256, memory", 1, || group_sends(Place::memory())),
        repeated("store: 64 direct messages in a batch, memory", 64, || sends(Place::memory(), 64)),
        repeated("store: 512 direct messages in a batch, memory", 512, || sends(Place::memory(), 512)),
        repeated("store: 512 acknowledgements in a batch, memory", 512, || acks(Place::memory(), 512)),
        timed("store: 64 direct messages in a batch, LMDB", 64, || sends(Place::lmdb(true), 64)),
        timed("store: 512 direct messages in a batch, LMDB", 512, || sends(Place::lmdb(true), 512)),
        timed("store: 64 direct messages in a batch, LMDB without sync", 64, || {
            sends(Place::lmdb(false), 64)
        }),
        timed("store: 512 direct messages in a batch, LMDB without sync", 512, || {
            sends(Place::lmdb(false), 512)
        }),
        timed("store: 512 acknowledgements in a batch, LMDB without sync", 512, || {
            acks(Place::lmdb(false), 512)
        }),
    ]
}

/// A store with users in it.
struct Place {
    runtime: Runtime,
    store: Store,
    messages: u64,
    /// Removed last.
    _directory: Option<TempDir>,
}

impl Place {
    fn memory() -> Self {
        Self::of(Arc::new(MemoryEngine::new()), None)
    }

    /// On the disk that holds temporary files: `TMPDIR` says which.
    fn lmdb(durable: bool) -> Self {
        let directory = tempfile::tempdir().expect("there is a directory for temporary files");
        let engine = Arc::new(open(directory.path(), durable));
        Self::of(engine, Some(directory))
    }

    fn of(engine: Arc<dyn Engine>, directory: Option<TempDir>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
        let store = runtime.block_on(async { Store::start(engine, StoreConfig::default()) });
        let place = Self { runtime, store, messages: 0, _directory: directory };
        for number in 1..=2 * PAIRS {
            let (user, handle) = (user(number), format!("user{number}").parse().expect("it is a handle"));
            let added = place.submit(ops::AddUser { user, handle, time_ms: 0 });
            added.expect("nobody has the handle");
            let added = place.submit(ops::AddDevice { user, name: "it".into(), time_ms: 0 });
            added.expect("the user is there");
        }
        place
    }

    fn submit<O: rookery_store::Op>(&self, op: O) -> O::Answer {
        let committed = self.runtime.block_on(self.store.submit(&0, op));
        committed.expect("the store commits").answer
    }

    /// Submits operations that then commit together, and waits for the last.
    fn submit_together<O: rookery_store::Op>(
        &mut self,
        count: u64,
        op: impl Fn(u64) -> O,
        check: impl Fn(O::Answer) + Copy + Send + 'static,
    ) {
        let first = self.messages;
        self.messages += count;
        for number in first + 1..self.messages {
            let done = move |outcome: Result<rookery_store::Committed<O::Answer>, _>| {
                check(outcome.expect("the store commits").answer);
            };
            self.store.submit_then(&0, op(number), done).expect("the queue has room");
        }
        check(self.submit(op(self.messages)));
    }
}

fn open(directory: &Path, durable: bool) -> LmdbEngine {
    let config = LmdbConfig { map_bytes: MAP_BYTES, durable, ..LmdbConfig::new(directory) };
    LmdbEngine::open(config).expect("an empty directory takes a store")
}

/// Whose turn it is.
fn pair_of(number: u64) -> (UserId, UserId) {
    let first = 2 * (number % PAIRS) + 1;
    (user(first), user(first + 1))
}

fn author(user: UserId, number: u64) -> ops::Author {
    let id = MessageId::from_bytes(u128::from(number).to_be_bytes());
    ops::Author { user, device: DeviceId::new(1), generation: 1, admitted: 0, id, time_ms: number }
}

fn message(conversation: ConversationId, author: ops::Author) -> ops::SendMessage {
    let body = Body::new(vec![b'x'; BODY_BYTES]);
    ops::SendMessage { conversation, author, after: None, body, reference: None, expires_s: 0 }
}

fn is_accepted(outcome: ops::Outcome) {
    assert!(matches!(outcome, ops::Outcome::Accepted(_)), "{outcome:?}");
}

/// So many direct messages, which commit together: the last is waited for.
fn sends(mut place: Place, count: u64) -> Work {
    let send = |number| {
        let (sender, peer) = pair_of(number);
        message(ConversationId::direct(sender, peer), author(sender, number))
    };
    let mut work = move || place.submit_together(count, send, is_accepted);
    // The first ones list the conversations: what is measured is what follows.
    (0..=PAIRS / count).for_each(|_| work());
    Box::new(work)
}

/// So many devices acknowledge a message each, which commits together and puts a receipt into an inbox for each.
fn acks(mut place: Place, count: u64) -> Work {
    let ack = |number| {
        let (sender, peer) = pair_of(number);
        let delivered = vec![(ConversationId::direct(sender, peer), Seq::new(number))];
        let (device, stamp) = (DeviceId::new(1), stamp(number));
        ops::AckEvents { user: peer, device, stamp, delivered, trim: false, time_ms: number }
    };
    let is_done =
        |acked| assert!(matches!(&acked, ops::Acked::Done { told, .. } if told.len() == 1), "{acked:?}");
    let mut work = move || place.submit_together(count, ack, is_done);
    (0..=PAIRS / count).for_each(|_| work());
    Box::new(work)
}

/// A message to a group.
fn group_sends(mut place: Place) -> Work {
    let writer = user(1);
    let create = ops::CreateGroup {
        author: author(writer, u64::MAX),
        name: "everybody".into(),
        members: Vec::new(),
        settings: GroupSettings::default(),
    };
    let group = create.group();
    is_accepted(place.submit(create));
    let others: Vec<UserId> = (2..=MEMBERS).map(user).collect();
    for (users, number) in others.chunks(limits::GROUP_USERS_AT_ONCE_MAX).zip(1..) {
        let change = GroupChange::Added(users.to_vec());
        is_accepted(place.submit(ops::ChangeGroup {
            group,
            author: author(writer, u64::MAX - number),
            change,
        }));
    }
    let send = move |number| message(ConversationId::group(group), author(writer, number));
    let mut work = move || place.submit_together(1, send, is_accepted);
    work();
    Box::new(work)
}
