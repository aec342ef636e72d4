//! `hidden/<user>/<conversation>/<seq>`: a message that one of those in a conversation does not want to see any more.
//!
//! The value is one byte, [`VALUE`]. Messages up to what the [`chat`](super::chat) says are hidden without.

use rookery_protocol::{ConversationId, Seq, UserId};

use super::{family, user_key};
use crate::error::StoreError;

/// What is under every such key.
pub const VALUE: &[u8] = &[1];

/// The key of one message.
pub fn key(user: UserId, conversation: ConversationId, seq: Seq) -> Vec<u8> {
    let mut key = conversation_prefix(user, conversation);
    key.extend_from_slice(&seq.get().to_be_bytes());
    key
}

/// The prefix of all that is hidden from a user by name.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::HIDDEN, user, &[])
}

/// The prefix of all hidden messages.
pub fn family_prefix() -> Vec<u8> {
    vec![family::HIDDEN]
}

/// The prefix of what of a conversation is hidden from a user by name.
pub fn conversation_prefix(user: UserId, conversation: ConversationId) -> Vec<u8> {
    user_key(family::HIDDEN, user, &conversation.to_bytes())
}

/// From whom which message of which conversation is hidden.
pub fn hidden_of(key: &[u8]) -> Option<(UserId, ConversationId, Seq)> {
    let (user, rest) = key.strip_prefix(&[family::HIDDEN])?.split_first_chunk()?;
    let (conversation, seq) = rest.split_last_chunk()?;
    let user = UserId::new(u64::from_be_bytes(*user)).ok()?;
    let conversation = ConversationId::from_bytes(conversation).ok()?;
    Some((user, conversation, Seq::new(u64::from_be_bytes(*seq))))
}

/// Whether a value is what it must be.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not.
pub fn decode(value: &[u8]) -> Result<(), StoreError> {
    if value == VALUE { Ok(()) } else { Err(StoreError::Corrupt(format!("a hidden message: {value:02x?}"))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let (anna, bert) = (UserId::new(1).expect("an id"), UserId::new(2).expect("an id"));
        let key = key(anna, ConversationId::direct(anna, bert), Seq::new(3));
        let (one, two, three) = (1_u64.to_be_bytes(), 2_u64.to_be_bytes(), 3_u64.to_be_bytes());
        assert_eq!(key, [[0x1b].as_slice(), &one, b"d", &one, &two, &three].concat());
        assert_eq!(VALUE, [1]);
    }

    proptest! {
        #[test]
        fn keys_name_what_they_are_about(
            one in (arbitrary::user(), arbitrary::conversation(), arbitrary::seq()),
            other in arbitrary::seq(),
        ) {
            let (user, conversation, seq) = one;
            let hidden = key(user, conversation, seq);
            prop_assert_eq!(hidden_of(&hidden), Some(one));
            prop_assert!(hidden.starts_with(&family_prefix()) && hidden.starts_with(&prefix(user)));
            prop_assert!(hidden.starts_with(&conversation_prefix(user, conversation)));
            prop_assert_eq!(hidden.cmp(&key(user, conversation, other)), seq.cmp(&other));
        }

        #[test]
        fn any_bytes_are_a_hidden_message_or_none(bytes: Vec<u8>) {
            let _ = hidden_of(&bytes);
            prop_assert_eq!(decode(&bytes).is_ok(), bytes == VALUE);
        }
    }
}
