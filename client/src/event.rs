//! What a client hands up to its application.

use std::time::Duration;

use rookery_protocol::{
    self as wire, Body, ConversationId, DeviceId, Handle, MessageId, Receipt, Seq, UserId,
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
    /// What it says.
    pub body: Body,
}

impl Message {
    pub(crate) fn from_wire(message: wire::Message, body: Body) -> Self {
        let wire::Message { conversation, seq, sender, device, id, time_ms, body: _ } = message;
        Self { conversation, seq, sender, device, id, time_ms, body }
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
    /// A message of this client's will never be sent.
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
    /// The client has ended by itself. Nothing follows.
    Terminal(TerminalError),
}
