//! What a client hands up to its application.

use std::time::Duration;

use rookery_protocol::{
    self as wire, AccountPart, Body, ConversationId, DeviceId, Doing, GroupChange, GroupId, Handle,
    MemberMark, MessageId, Person, Presence, Receipt, Reference, Seq, Shown, UserId,
};

use crate::{Refusal, TerminalError};

/// Who the server says this client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The user's handle.
    pub handle: Handle,
    /// Which of the user's devices.
    pub device: DeviceId,
}

/// A message of one of this user's conversations, own ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Who sent it.
    pub sender: UserId,
    /// From which of the sender's devices.
    pub device: DeviceId,
    /// The sender's id of it.
    pub id: MessageId,
    /// When it was accepted, milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
    /// What it says; nothing once it has been deleted.
    pub body: Body,
    /// The message that this one is about, and what it does to that one: an edit takes the place of what that one says,
    /// a deletion leaves nothing of it. Applying that is left to who shows them.
    pub reference: Option<Reference>,
    /// It has been deleted for everyone, or its time has come, and it says nothing any more. Only of messages that come
    /// from history, or late: who has seen it before sees the deletion, which is a message of its own, or is told by
    /// [`Event::Expired`].
    pub deleted: bool,
    /// When it disappears, milliseconds since 1970 by the server's clock; 0: never.
    pub expires_ms: u64,
    /// Of a timer ([`ReferenceKind::Timer`](wire::ReferenceKind::Timer)): the seconds after which the messages that follow
    /// disappear; 0: they do not.
    pub timer_s: u32,
}

impl Message {
    /// As it is to be shown when the server's clock says so.
    pub(crate) fn at(self, now_ms: u64) -> Self {
        if (1..=now_ms).contains(&self.expires_ms) {
            Self { body: Body::default(), deleted: true, ..self }
        } else {
            self
        }
    }
}

/// Something that has happened to a group in which this user is, or was until then. It has its place among the group's
/// messages, and all members see it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The group's conversation.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Who has done it.
    pub sender: UserId,
    /// From which of the sender's devices; 0: an operator has done it, in the sender's name.
    pub device: DeviceId,
    /// The sender's id of it.
    pub id: MessageId,
    /// When it was accepted, milliseconds since 1970 by the server's clock.
    pub time_ms: u64,
    /// What has happened. Users whom it would not have concerned are left out of it.
    pub change: GroupChange,
}

/// What stands at a place of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A member has said something.
    Message(Message),
    /// Something has happened to the group.
    Change(Change),
}

impl Entry {
    /// The entry that the server speaks of; `None` when it leaves the body to this client, who sent it.
    pub(crate) fn of(message: wire::Message) -> Option<Self> {
        let wire::Message { conversation, seq, sender, device, id, time_ms, body, .. } = message;
        let wire::Message { change, reference, deleted, expires_ms, timer_s, .. } = message;
        if let Some(change) = change {
            return Some(Self::Change(Change { conversation, seq, sender, device, id, time_ms, change }));
        }
        // Without a body it is deleted, or this client has the body.
        let body = if deleted { Body::default() } else { body? };
        Some(Self::Message(Message {
            conversation,
            seq,
            sender,
            device,
            id,
            time_ms,
            body,
            reference,
            deleted,
            expires_ms,
            timer_s,
        }))
    }

    /// An entry of a [`HistoryPage`](wire::HistoryPage), which leaves nothing out.
    pub fn of_history(mut message: wire::Message) -> Self {
        let body = message.body.take().unwrap_or_default();
        let message = wire::Message { body: Some(body), ..message };
        Self::of(message).expect("there is a body")
    }

    /// As it is to be shown when the server's clock says so.
    pub(crate) fn at(self, now_ms: u64) -> Self {
        match self {
            Self::Message(message) => Self::Message(message.at(now_ms)),
            Self::Change(_) => self,
        }
    }

    /// When it disappears, if it is yet to.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        match self {
            Self::Message(message) if message.expires_ms != 0 && !message.deleted => Some(message.expires_ms),
            _ => None,
        }
    }

    /// Where it is, and at which place there.
    pub fn place(&self) -> (ConversationId, Seq) {
        match self {
            Self::Message(message) => (message.conversation, message.seq),
            Self::Change(change) => (change.conversation, change.seq),
        }
    }
}

/// What has happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A connection is up. Only the newest of [`Connected`](Self::Connected) and
    /// [`Disconnected`](Self::Disconnected) is handed up, ahead of everything else.
    Connected(Identity),
    /// There is no connection; the next attempt comes by itself.
    Disconnected {
        /// Until the next attempt.
        retry_in: Duration,
        /// For people.
        reason: String,
    },
    /// A message: each exactly once, in order within its conversation.
    Message(Message),
    /// The time of a message has come that was handed up in this run, or came with a page of history: it is to be shown no
    /// more. Of at most 4,096 messages at a time; an application that keeps messages wipes by [`Message::expires_ms`] itself.
    Expired {
        /// Where.
        conversation: ConversationId,
        /// The message's place there.
        seq: Seq,
    },
    /// A group or a followed channel has changed: exactly once, in order with its messages. Whoever is added to a group begins with the
    /// change that says so, and whoever is removed ends with the one that says that; what was said in between, if they
    /// come back, is not handed up.
    Change(Change),
    /// A message given to this client in this run is in the local store: it will be sent, whatever becomes of this
    /// process. Always before its [`Sent`](Self::Sent) or [`SendFailed`](Self::SendFailed).
    Stored {
        /// The message.
        id: MessageId,
        /// Where to.
        conversation: ConversationId,
    },
    /// A message of this client's is durable. After a crash of the process this may come a second time.
    Sent {
        /// The message.
        id: MessageId,
        /// Where.
        conversation: ConversationId,
        /// Its place there.
        seq: Seq,
        /// When it was accepted, milliseconds since 1970 by the server's clock.
        time_ms: u64,
    },
    /// A message of this client's will never be sent. Where the process or the client ends before this is taken, the next one
    /// sends the message once more, with its id, and tells what becomes of it then.
    SendFailed {
        /// The message.
        id: MessageId,
        /// Where it was to go.
        conversation: ConversationId,
        /// Why not.
        refusal: Refusal,
    },
    /// A member's watermarks moved. Never goes back while the client lives; what it said may repeat after a restart.
    Receipt(Receipt),
    /// How a conversation is listed has changed, or some of its messages are hidden now: by this device or another of the
    /// user's. May repeat after a restart.
    Shown(Shown),
    /// The user's privacy, profile, people or followed channels have changed, by this device or another of the user's; [`Client`] has what
    /// they are now. May repeat after a restart.
    ///
    /// [`Client`]: crate::Client
    Account {
        /// Which of them.
        part: AccountPart,
        /// What somebody is to the user now, if it is that.
        person: Option<Person>,
    },
    /// The user follows these channels, in ascending order; told when it is first known that there are some, and when it has
    /// changed, by this device or another of the user's, or because one is no channel any more. What is said in them comes as
    /// [`Message`](Self::Message) and [`Change`](Self::Change), exactly once and in order, from the first entry on that the
    /// user had not read when this client came to know of the channel. Of several that wait only the newest is handed up.
    Followed(Vec<GroupId>),
    /// The server tells of what is watched from now on: of something else than before, or on another connection. What is
    /// asked now of a watched group's [`Client::receipts`] and what comes as [`Receipts`](Self::Receipts) leave nothing out
    /// between them.
    ///
    /// [`Client::receipts`]: crate::Client::receipts
    Watching,
    /// Watched users ([`Client::watch`]) have come, gone or fallen idle; also how they are when watching begins, and when
    /// there is a connection again. Of those who hide it nothing is told.
    ///
    /// This and the two below are told once or not at all: without a connection nobody is told, and when an application
    /// leaves more than 256 of them waiting the oldest are dropped.
    ///
    /// [`Client::watch`]: crate::Client::watch
    Presence(Vec<Presence>),
    /// Somebody is typing in a watched conversation, or has stopped. It holds for
    /// [`TYPING_MS`](rookery_protocol::limits::TYPING_MS), or until their message comes.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// What they do.
        doing: Doing,
    },
    /// Members of a watched group have come further since [`Client::receipts`] was asked, or since the last of these. One
    /// of these may be lost; so about every minute there is one with all members of whom something is known, news or not:
    /// keep the maximum of each.
    ///
    /// [`Client::receipts`]: crate::Client::receipts
    Receipts {
        /// Where.
        conversation: ConversationId,
        /// These members, as far as they have come.
        marks: Vec<MemberMark>,
    },
    /// The client has ended by itself. Nothing follows.
    Terminal(TerminalError),
}

impl Event {
    /// Whether it is only for those who are looking, and lost without harm.
    pub(crate) fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Watching | Self::Presence(_) | Self::Typing { .. } | Self::Receipts { .. })
    }
}

impl From<Entry> for Event {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Message(message) => Self::Message(message),
            Entry::Change(change) => Self::Change(change),
        }
    }
}
