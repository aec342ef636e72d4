//! `expiry/<time>/<conversation>/<seq>`: a message that disappears, in the order in which messages do.
//!
//! The time is that of the message's `expires_ms`. The value is one byte, [`VALUE`]. Written with the message without
//! reading anything; deleted when the message has been emptied.

use rookery_protocol::{ConversationId, Message, Seq};

use super::family;
use crate::error::StoreError;

/// What is under every such key.
pub const VALUE: &[u8] = &[1];

/// A message that disappears, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry {
    /// When, milliseconds since 1970.
    pub expires_ms: u64,
    /// Where it is.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
}

impl From<&Message> for Expiry {
    fn from(message: &Message) -> Self {
        let Message { expires_ms, conversation, seq, .. } = *message;
        Self { expires_ms, conversation, seq }
    }
}

impl Expiry {
    /// The key.
    pub fn key(&self) -> Vec<u8> {
        let (time, seq) = (self.expires_ms.to_be_bytes(), self.seq.get().to_be_bytes());
        super::key(family::EXPIRY, &[&time, &self.conversation.to_bytes(), &seq])
    }

    /// The message that a key is about.
    pub fn of(key: &[u8]) -> Option<Self> {
        let (time, rest) = key.strip_prefix(&[family::EXPIRY])?.split_first_chunk()?;
        let (conversation, seq) = rest.split_last_chunk()?;
        let conversation = ConversationId::from_bytes(conversation).ok()?;
        let (expires_ms, seq) = (u64::from_be_bytes(*time), Seq::new(u64::from_be_bytes(*seq)));
        Some(Self { expires_ms, conversation, seq })
    }
}

/// The prefix of all.
pub fn family_prefix() -> Vec<u8> {
    vec![family::EXPIRY]
}

/// The first key of a message whose time has not come by then.
pub fn end(now_ms: u64) -> Vec<u8> {
    match now_ms.checked_add(1) {
        Some(next) => super::key(family::EXPIRY, &[&next.to_be_bytes()]),
        None => vec![family::EXPIRY + 1],
    }
}

/// Whether a value is what it must be.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not.
pub fn decode(value: &[u8]) -> Result<(), StoreError> {
    if value == VALUE { Ok(()) } else { Err(StoreError::Corrupt(format!("an expiry: {value:02x?}"))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rookery_protocol::UserId;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let (anna, bert) = (UserId::new(1).expect("an id"), UserId::new(2).expect("an id"));
        let conversation = ConversationId::direct(anna, bert);
        let key = Expiry { expires_ms: 5, conversation, seq: Seq::new(3) }.key();
        let number = |number: u64| number.to_be_bytes();
        assert_eq!(key, [[0x21].as_slice(), &number(5), b"d", &number(1), &number(2), &number(3)].concat());
        assert_eq!(VALUE, [1]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_their_times(
            (expires_ms, other, now_ms) in any::<(u64, u64, u64)>(),
            conversation in arbitrary::conversation(),
            seq in arbitrary::seq(),
        ) {
            let expiry = Expiry { expires_ms, conversation, seq };
            let key = expiry.key();
            prop_assert_eq!(Expiry::of(&key), Some(expiry));
            prop_assert!(key.starts_with(&family_prefix()));
            if expires_ms != other {
                let later = Expiry { expires_ms: other, ..expiry };
                prop_assert_eq!(key.cmp(&later.key()), expires_ms.cmp(&other));
            }
            prop_assert_eq!(key < end(now_ms), expires_ms <= now_ms);
            prop_assert!(key < end(u64::MAX) && key < end(expires_ms));
        }

        #[test]
        fn any_bytes_are_an_expiry_or_none(bytes: Vec<u8>) {
            let _ = Expiry::of(&bytes);
            prop_assert_eq!(decode(&bytes).is_ok(), bytes == VALUE);
        }
    }
}
