//! `chat/<user>/<conversation>`: how a conversation is listed to one of those in it, and what of it is hidden from them.
//!
//! The first message of a direct conversation writes one for either side, so that both find it in their lists. A group is
//! found by its membership, and has one here when its user has ever set anything. Of hidden messages, those hidden by
//! name are in [`hidden`](super::hidden).

use rookery_protocol::{ConversationId, ConversationSettings, Seq, UserId, positional};

use super::{family, user_key};

positional! {
    /// How a conversation stands with a user.
    #[derive(Default)]
    pub struct Chat {
        /// How it is listed.
        pub settings: ConversationSettings,
        /// All up to here are hidden.
        pub hidden_up_to: Seq,
    }
}

/// The chat's key.
pub fn key(user: UserId, conversation: ConversationId) -> Vec<u8> {
    user_key(family::CHAT, user, &conversation.to_bytes())
}

/// The prefix of all of a user's chats.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::CHAT, user, &[])
}

/// The prefix of a user's direct conversations.
pub fn direct_prefix(user: UserId) -> Vec<u8> {
    user_key(family::CHAT, user, b"d")
}

/// Whose a chat is, and which conversation it is about.
pub fn chat_of(key: &[u8]) -> Option<(UserId, ConversationId)> {
    let (user, conversation) = key.strip_prefix(&[family::CHAT])?.split_first_chunk()?;
    let user = UserId::new(u64::from_be_bytes(*user)).ok()?;
    Some((user, ConversationId::from_bytes(conversation).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let (anna, bert) = (UserId::new(1).expect("an id"), UserId::new(2).expect("an id"));
        let direct =
            [[0x1a].as_slice(), &1_u64.to_be_bytes(), b"d", &1_u64.to_be_bytes(), &2_u64.to_be_bytes()];
        assert_eq!(key(anna, ConversationId::direct(bert, anna)), direct.concat());
        let settings =
            ConversationSettings { muted_until_ms: 3, archived: true, ..ConversationSettings::default() };
        let chat = Chat { settings, hidden_up_to: Seq::new(5) };
        assert_eq!(super::super::encode(&chat)[..], [0x92, 0x94, 3, 0xc3, 0xc2, 0xc2, 5]);
    }

    proptest! {
        #[test]
        fn keys_name_what_they_are_about_in_its_order(
            one in (arbitrary::user(), arbitrary::conversation()),
            other in (arbitrary::user(), arbitrary::conversation()),
        ) {
            let chat = key(one.0, one.1);
            prop_assert_eq!(chat_of(&chat), Some(one));
            prop_assert!(chat.starts_with(&prefix(one.0)));
            prop_assert_eq!(chat.starts_with(&direct_prefix(one.0)), one.1.group_id().is_none());
            let in_bytes = |(user, conversation): (UserId, ConversationId)| (user, conversation.to_bytes().to_vec());
            prop_assert_eq!(chat.cmp(&key(other.0, other.1)), in_bytes(one).cmp(&in_bytes(other)));
        }

        #[test]
        fn a_chat_reads_as_written(
            (muted_until_ms, archived, pinned, unread) in any::<(u64, bool, bool, bool)>(),
            hidden_up_to in arbitrary::seq(),
        ) {
            let settings = ConversationSettings { muted_until_ms, archived, pinned, unread };
            let chat = Chat { settings, hidden_up_to };
            let read = super::super::decode::<Chat>(&super::super::encode(&chat));
            prop_assert_eq!(read.expect("it was just written"), chat);
        }

        #[test]
        fn any_bytes_are_a_chat_or_none(bytes: Vec<u8>) {
            let _ = chat_of(&bytes);
        }
    }
}
