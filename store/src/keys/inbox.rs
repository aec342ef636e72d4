//! `inbox/<user>/<stamp>`: events for a user that not all of the user's devices have acknowledged.
//!
//! Appending is a blind write: the stamp comes from the commit. The value is a kind byte and the kind's content:
//! `1`: [`MessagePointer`], `2`: a [`Receipt`] as on the wire.

use bytes::Bytes;
use rookery_protocol::{ConversationId, Receipt, Seq, Stamp, UserId, encode_value, positional};

use super::{family, user_key};
use crate::error::StoreError;

positional! {
    /// Where a message is.
    pub struct MessagePointer {
        /// In which conversation.
        pub conversation: ConversationId,
        /// At which place.
        pub seq: Seq,
        /// Who sent it: acknowledging one's own message is no receipt.
        pub sender: UserId,
    }
}

/// An event in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxEntry {
    /// A message.
    Message(MessagePointer),
    /// A member's watermarks moved.
    Receipt(Receipt),
    /// A kind that a newer version wrote: skipped, and acknowledged by itself.
    Unknown(u8),
}

/// The prefix of all inboxes.
pub fn family_prefix() -> Vec<u8> {
    vec![family::INBOX]
}

/// The user a key is about.
pub fn user_of(key: &[u8]) -> Option<UserId> {
    UserId::new(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?)).ok()
}

/// The prefix of a user's inbox, to which a commit adds the stamp.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::INBOX, user, &[])
}

/// The key of one event.
pub fn key(user: UserId, stamp: Stamp) -> Vec<u8> {
    user_key(family::INBOX, user, stamp.as_bytes())
}

/// The first key after an event, in the user's inbox.
pub fn key_after(user: UserId, stamp: Stamp) -> Vec<u8> {
    let mut key = key(user, stamp);
    key.push(0);
    key
}

/// The first key after a user's inbox.
pub fn end(user: UserId) -> Vec<u8> {
    key_after(user, Stamp::MAX)
}

/// The stamp of a key.
///
/// # Errors
/// [`StoreError::Corrupt`] when the key has none.
pub fn stamp_of(key: &[u8]) -> Result<Stamp, StoreError> {
    let bytes = key.get(9..).and_then(|bytes| bytes.try_into().ok());
    bytes.map(Stamp::from_bytes).ok_or_else(|| StoreError::Corrupt(format!("an inbox key: {key:02x?}")))
}

impl InboxEntry {
    /// The value.
    pub fn encode(&self) -> Bytes {
        let mut value = Vec::with_capacity(40);
        match self {
            Self::Message(pointer) => {
                value.push(1);
                encode_value(&mut value, pointer);
            }
            Self::Receipt(receipt) => {
                value.push(2);
                encode_value(&mut value, receipt);
            }
            Self::Unknown(kind) => value.push(*kind),
        }
        value.into()
    }

    /// The entry in a value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is empty, or a known kind's content is not that.
    pub fn decode(value: &[u8]) -> Result<Self, StoreError> {
        match value.split_first() {
            Some((1, content)) => super::decode(content).map(Self::Message),
            Some((2, content)) => super::decode(content).map(Self::Receipt),
            Some((kind, _)) => Ok(Self::Unknown(*kind)),
            None => Err(StoreError::Corrupt("an empty inbox entry".into())),
        }
    }
}
