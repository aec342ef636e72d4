//! Users with devices, and what they do.

use rookery_protocol::{Body, ConversationId, DeviceId, Handle, MessageId, Seq, Stamp, UserId};
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{
    Accepted, AckEvents, Acked, AddDevice, AddUser, Asker, Author, DeviceAdded, Outcome, SendMessage,
};
use rookery_store::{Store, queries};

/// A user's device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) generation: u32,
}

impl At {
    /// Who asks for a change, at this time.
    pub(crate) fn asker(self, time_ms: u64) -> Asker {
        let Self { user, device, generation } = self;
        Asker { user, device, generation, admitted: 0, time_ms }
    }

    /// Who writes what has this id, at the time of its number in milliseconds.
    pub(crate) fn author(self, number: u128) -> Author {
        let Self { user, device, generation } = self;
        Author { user, device, generation, admitted: 0, id: id(number), time_ms: number as u64 }
    }
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("tests use small numbers")
}

/// A user's first device.
pub(crate) fn first(user: UserId) -> At {
    At { user, device: DeviceId::new(1), generation: 1 }
}

pub(crate) fn handle(text: &str) -> Handle {
    text.parse().expect("tests use fine handles")
}

pub(crate) fn id(number: u128) -> MessageId {
    MessageId::from_bytes(number.to_be_bytes())
}

/// Makes a user `user<number>`.
pub(crate) async fn add_user(store: &Store, number: u64) -> UserId {
    let op = AddUser { user: user(number), handle: handle(&format!("user{number}")), time_ms: 1 };
    store.submit(&number, op).await.expect("it commits").answer.expect("it is new");
    user(number)
}

pub(crate) async fn add_device(store: &Store, user: UserId, name: &str) -> At {
    let op = AddDevice { user, name: name.into(), time_ms: 1 };
    let added = store.submit(&user, op).await.expect("it commits").answer;
    let DeviceAdded { device, generation } = added.expect("there is room");
    At { user, device, generation }
}

/// Makes a user with one device.
pub(crate) async fn add(store: &Store, number: u64) -> At {
    let user = add_user(store, number).await;
    add_device(store, user, "first").await
}

/// A message from a device to a user, whose time is its id's number in milliseconds.
pub(crate) fn message(from: At, to: UserId, number: u128) -> SendMessage {
    SendMessage {
        conversation: ConversationId::direct(from.user, to),
        author: from.author(number),
        after: None,
        body: Body::new(format!("message {number}").into_bytes()),
        reference: None,
        expires_s: 0,
    }
}

pub(crate) async fn submit(store: &Store, message: SendMessage) -> Outcome {
    let conversation = message.conversation;
    store.submit(&conversation, message).await.expect("it commits").answer
}

/// Sends a message that is accepted.
pub(crate) async fn send(store: &Store, from: At, to: UserId, number: u128) -> Seq {
    match submit(store, message(from, to, number)).await {
        Outcome::Accepted(Accepted { seq, .. }) => seq,
        other => panic!("message {number} was not accepted: {other:?}"),
    }
}

pub(crate) async fn inbox(store: &Store, user: UserId) -> Vec<(Stamp, InboxEntry)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    queries::inbox_after(&*snapshot, user, Stamp::ZERO, 100_000).await.expect("the store can be read")
}

/// How many of an inbox's events are messages, and how many receipts.
pub(crate) async fn counts(store: &Store, user: UserId) -> (usize, usize) {
    let inbox = inbox(store, user).await;
    let messages = inbox.iter().filter(|(_, entry)| matches!(entry, InboxEntry::Message(_))).count();
    (messages, inbox.len() - messages)
}

/// When [`ack`] says that it is.
pub(crate) const ACKED_MS: u64 = 77;

pub(crate) fn ack(at: At, stamp: Stamp, delivered: &[(ConversationId, Seq)]) -> AckEvents {
    AckEvents {
        user: at.user,
        device: at.device,
        stamp,
        delivered: delivered.to_vec(),
        trim: true,
        time_ms: ACKED_MS,
    }
}

/// Acknowledges, and answers whom that has told.
pub(crate) async fn acked(store: &Store, op: AckEvents) -> Vec<UserId> {
    let user = op.user;
    match store.submit(&user, op).await.expect("it commits").answer {
        Acked::Done { told, .. } => told,
        other => panic!("not acknowledged: {other:?}"),
    }
}
