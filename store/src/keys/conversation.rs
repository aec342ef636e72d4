//! `conversation/<conversation>/<part>/...`: everything one message touches in its conversation lies together.
//!
//! | part | key after the part | value |
//! |---|---|---|
//! | `h` head | | the last message's seq, 8 bytes big-endian; absent: none yet |
//! | `l` log | seq | the [`Message`](rookery_protocol::Message) as on the wire |
//! | `m` mark | user | [`Mark`] |
//! | `s` sent | user, device, message id | [`SentRecord`] |

use rookery_protocol::{ConversationId, DeviceId, MessageId, Seq, UserId, positional};

use super::family;
use crate::error::StoreError;

positional! {
    /// How far a member has come. Both only grow; `read <= delivered`.
    pub struct Mark {
        /// All up to here have reached one of the user's devices.
        pub delivered: Seq,
        /// All up to here have been read.
        pub read: Seq,
    }
}

positional! {
    /// What became of a message id: the first, and only, answer to it.
    pub struct SentRecord {
        /// The message's place.
        pub seq: Seq,
        /// When it was accepted, milliseconds since 1970.
        pub time_ms: u64,
    }
}

impl Mark {
    /// Nothing has arrived.
    pub const NONE: Self = Self { delivered: Seq::ZERO, read: Seq::ZERO };
}

fn part(conversation: ConversationId, part: u8, rest: &[&[u8]]) -> Vec<u8> {
    let conversation = conversation.to_bytes();
    let mut parts: Vec<&[u8]> = vec![&conversation, std::slice::from_ref(&part)];
    parts.extend_from_slice(rest);
    super::key(family::CONVERSATION, &parts)
}

/// The prefix of all conversations.
pub fn family_prefix() -> Vec<u8> {
    vec![family::CONVERSATION]
}

/// The prefix of everything in a conversation.
pub fn prefix(conversation: ConversationId) -> Vec<u8> {
    super::key(family::CONVERSATION, &[&conversation.to_bytes()])
}

/// The conversation a key is about.
pub fn conversation_of(key: &[u8]) -> Option<ConversationId> {
    let bytes = match key.get(1)? {
        b'd' => key.get(1..18)?,
        _ => key.get(1..10)?,
    };
    ConversationId::from_bytes(bytes).ok()
}

/// Where the head is.
pub fn head_key(conversation: ConversationId) -> Vec<u8> {
    part(conversation, b'h', &[])
}

/// Where a message is.
pub fn log_key(conversation: ConversationId, seq: Seq) -> Vec<u8> {
    part(conversation, b'l', &[&seq.get().to_be_bytes()])
}

/// Where a member's mark is.
pub fn mark_key(conversation: ConversationId, user: UserId) -> Vec<u8> {
    part(conversation, b'm', &[&user.get().to_be_bytes()])
}

/// Where the answer to a message id is.
pub fn sent_key(conversation: ConversationId, user: UserId, device: DeviceId, id: MessageId) -> Vec<u8> {
    part(conversation, b's', &[&user.get().to_be_bytes(), &device.get().to_be_bytes(), id.as_bytes()])
}

/// A head's value.
pub fn encode_head(head: Seq) -> Vec<u8> {
    head.get().to_be_bytes().to_vec()
}

/// The head in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_head(value: &[u8]) -> Result<Seq, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("a head: {value:02x?}")))?;
    Ok(Seq::new(u64::from_be_bytes(bytes)))
}
