//! What a client keeps across its own restarts: who it is, how far it has handed up, and what it has yet to send.
//!
//! Two kinds of write, because they have different prices. [`LocalStore::note_taken`] runs for each message that the
//! application takes and must survive the death of the process, not of the machine. [`LocalStore::commit`] makes all of
//! it durable; only then does the server hear an acknowledgement, and only then is a message sent.

mod lmdb;
mod memory;
mod taken_log;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use rookery_protocol::{
    Body, ConversationId, DeviceId, MessageId, Reference, Seq, Stamp, UserId, positional,
};

pub use lmdb::LmdbStore;
pub use memory::MemoryStore;

positional! {
    /// A message that the server has not confirmed.
    pub struct OutboxEntry {
        /// Its place among this client's sends; grows.
        pub order: u64,
        /// Where to.
        pub conversation: ConversationId,
        /// Its id, the same at each attempt.
        pub id: MessageId,
        /// What it says.
        pub body: Body,
        since later:
        /// The message it is about, and what it does to that one.
        pub reference: Option<Reference>,
        /// After how many seconds it disappears; 0: never. Of a timer: what it sets.
        pub expires_s: u32,
    }
}

positional! {
    /// The last timer that is known of a conversation.
    #[derive(Copy)]
    pub struct Timer {
        /// Which.
        pub conversation: ConversationId,
        /// The timer's place there.
        pub seq: Seq,
        /// The seconds after which what is sent from there on disappears; 0: never.
        pub expires_s: u32,
    }
}

/// What a local store holds.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// Whose store this is.
    pub device: Option<(UserId, DeviceId)>,
    /// The inbox up to here needs no pushing again.
    pub cursor: Option<Stamp>,
    /// The last message handed up and taken, by conversation, or the one behind which it begins; a change of a group counts
    /// as one.
    pub positions: Vec<(ConversationId, Seq)>,
    /// Unconfirmed messages, by ascending order.
    pub outbox: Vec<OutboxEntry>,
    /// The last timers that are known, one for a conversation.
    pub timers: Vec<Timer>,
}

/// Changes that become durable together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The store's owner is now known.
    pub device: Option<(UserId, DeviceId)>,
    /// The cursor moved.
    pub cursor: Option<Stamp>,
    /// Messages to be sent.
    pub outbox_added: Vec<OutboxEntry>,
    /// Orders of messages that need no sending any more.
    pub outbox_removed: Vec<u64>,
    /// Timers that take the place of their conversations' earlier ones.
    pub timers: Vec<Timer>,
    /// Conversations that begin behind these messages, of which none has been taken yet: positions, unless a later one was
    /// noted.
    pub positions: Vec<(ConversationId, Seq)>,
    /// Something was noted as taken since the last commit.
    pub taken_noted: bool,
}

impl Batch {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A commit: done, or under way.
pub enum Commit {
    /// The outcome is known.
    Done(Result<(), LocalStoreError>),
    /// The outcome will be known.
    Pending(Pin<Box<dyn Future<Output = Result<(), LocalStoreError>> + Send>>),
}

impl std::fmt::Debug for Commit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done(outcome) => f.debug_tuple("Done").field(outcome).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// Where a client keeps what must survive it. One client at a time uses a store.
pub trait LocalStore: Send + 'static {
    /// Everything in it. Called once, before anything else.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&mut self) -> Result<Saved, LocalStoreError>;

    /// The application has taken a conversation's messages up to and including `seq`.
    ///
    /// When this returns, a later [`load`](Self::load) sees it even if the process was killed. It need not survive the
    /// machine: the message is acknowledged only after the next commit. Must not block for long.
    ///
    /// # Errors
    /// When it was not noted.
    fn note_taken(&mut self, conversation: ConversationId, seq: Seq) -> Result<(), LocalStoreError>;

    /// Makes the batch and all that was noted durable, at once or not at all. One commit at a time is under way.
    fn commit(&mut self, batch: Batch) -> Commit;
}

/// Why a local store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LocalStoreError {
    /// Somebody else has it open.
    #[error("{} is in use by another client; each client needs a directory of its own", .0.display())]
    InUse(PathBuf),
    /// The file system said no.
    #[error("{}: {problem}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What was being done.
        problem: &'static str,
        /// Why it failed.
        source: Arc<std::io::Error>,
    },
    /// LMDB said no.
    #[error("{}: the local database failed", .path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: Arc<heed::Error>,
    },
    /// The store holds what no client wrote.
    #[error("{} holds something that is no client's data: {what}", .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What was found.
        what: &'static str,
    },
    /// A store of another kind failed.
    #[error("{0}")]
    Other(Arc<str>),
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{ReferenceKind, decode_value, encode_value};

    use super::*;

    positional! {
        /// An unconfirmed message as versions without references have kept it.
        struct OldOutboxEntry {
            pub order: u64,
            pub conversation: ConversationId,
            pub id: MessageId,
            pub body: Body,
        }
    }

    #[test]
    fn an_unsent_message_of_an_older_version_is_read_and_one_of_this_version_by_older_ones() {
        let user = |number| UserId::new(number).unwrap();
        let (order, conversation) = (7, ConversationId::direct(user(1), user(2)));
        let (id, body) = (MessageId::from_bytes([9; 16]), Body::new("hello"));
        let old = OldOutboxEntry { order, conversation, id, body: body.clone() };
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &old);
        let read: OutboxEntry = decode_value(&bytes).unwrap();
        assert_eq!(read, OutboxEntry { order, conversation, id, body, reference: None, expires_s: 0 });

        let reference = Some(Reference { kind: ReferenceKind::Reply, seq: Seq::new(3) });
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &OutboxEntry { reference, ..read });
        assert_eq!(decode_value::<OldOutboxEntry>(&bytes).unwrap(), old);
    }
}
