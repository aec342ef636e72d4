//! `inbox/<user>/<stamp>`: events for a user that not all of the user's devices have acknowledged.
//!
//! Appending is a blind write: the stamp comes from the commit. The value is a kind byte and the kind's content:
//! `1`: [`MessagePointer`], `2`: a [`Receipt`] as on the wire, `3`: a [`ShownChange`], `4`: an [`AccountChange`].

use bytes::Bytes;
use rookery_protocol::{
    AccountPart, ConversationId, ConversationSettings, Person, Receipt, Seq, Shown, Stamp, UserId,
    encode_value, positional,
};

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
        since later:
        /// When it disappears, milliseconds since 1970; 0: never.
        pub expires_ms: u64,
    }
}

positional! {
    /// What has changed in how a conversation is shown to the user: a [`Shown`], and when that was.
    pub struct ShownChange {
        /// Which.
        pub conversation: ConversationId,
        /// How it is listed, if that has changed.
        pub settings: Option<ConversationSettings>,
        /// All up to here are hidden, if more than 0.
        pub up_to: Seq,
        /// These are hidden.
        pub seqs: Vec<Seq>,
        since later:
        /// When, milliseconds since 1970; 0: not known.
        pub time_ms: u64,
    }
}

positional! {
    /// What has changed of the user's own account.
    pub struct AccountChange {
        /// Which part.
        pub part: AccountPart,
        /// What somebody is to the user now, if it is that.
        pub person: Option<Person>,
        since later:
        /// When, milliseconds since 1970; 0: not known.
        pub time_ms: u64,
    }
}

impl ShownChange {
    /// What has changed at that time.
    pub fn new(shown: Shown, time_ms: u64) -> Self {
        let Shown { conversation, settings, up_to, seqs } = shown;
        Self { conversation, settings, up_to, seqs, time_ms }
    }

    /// The change as clients are told of it.
    pub fn shown(self) -> Shown {
        let Self { conversation, settings, up_to, seqs, .. } = self;
        Shown { conversation, settings, up_to, seqs }
    }
}

impl MessagePointer {
    /// Whether the message has disappeared by then.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        (1..=now_ms).contains(&self.expires_ms)
    }
}

/// An event in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboxEntry {
    /// A message.
    Message(MessagePointer),
    /// A member's watermarks moved.
    Receipt(Receipt),
    /// How a conversation is shown to the user has changed.
    Shown(ShownChange),
    /// The user's account has changed.
    Account(AccountChange),
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
            Self::Shown(shown) => {
                value.push(3);
                encode_value(&mut value, shown);
            }
            Self::Account(change) => {
                value.push(4);
                encode_value(&mut value, change);
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
            Some((3, content)) => super::decode(content).map(Self::Shown),
            Some((4, content)) => super::decode(content).map(Self::Account),
            Some((kind, _)) => Ok(Self::Unknown(*kind)),
            None => Err(StoreError::Corrupt("an empty inbox entry".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rookery_protocol::ConversationSettings;

    use super::super::arbitrary;
    use super::*;

    fn entry() -> impl Strategy<Value = InboxEntry> {
        let pointer = (arbitrary::conversation(), arbitrary::seq(), arbitrary::user(), any::<u64>());
        let receipt = (arbitrary::conversation(), arbitrary::user(), arbitrary::seq(), arbitrary::seq());
        let person = (arbitrary::user(), any::<(bool, bool, bool)>());
        let person = person.prop_map(|(user, (is_contact, is_excepted, is_blocked))| Person {
            user,
            is_contact,
            is_excepted,
            is_blocked,
        });
        let settings =
            any::<(u64, bool, bool, bool)>().prop_map(|(muted_until_ms, archived, pinned, unread)| {
                ConversationSettings { muted_until_ms, archived, pinned, unread }
            });
        let seqs = prop::collection::vec(arbitrary::seq(), 0..4);
        let shown = (arbitrary::conversation(), prop::option::of(settings), arbitrary::seq(), seqs);
        prop_oneof![
            pointer.prop_map(|(conversation, seq, sender, expires_ms)| {
                InboxEntry::Message(MessagePointer { conversation, seq, sender, expires_ms })
            }),
            receipt.prop_map(|(conversation, user, delivered, read)| {
                InboxEntry::Receipt(Receipt { conversation, user, delivered, read })
            }),
            (shown, any::<u64>()).prop_map(|((conversation, settings, up_to, seqs), time_ms)| {
                InboxEntry::Shown(ShownChange { conversation, settings, up_to, seqs, time_ms })
            }),
            (any::<u8>().prop_map(AccountPart::from), prop::option::of(person), any::<u64>()).prop_map(
                |(part, person, time_ms)| InboxEntry::Account(AccountChange { part, person, time_ms })
            ),
            (5_u8..).prop_map(InboxEntry::Unknown),
        ]
    }

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(1).expect("a small number is an id");
        let key = key(user, Stamp::from_bytes([7; 12]));
        assert_eq!(key, [[0x15, 0, 0, 0, 0, 0, 0, 0, 1].as_slice(), &[7; 12]].concat());
        let conversation = ConversationId::direct(user, user);
        let pointer = MessagePointer { conversation, seq: Seq::new(2), sender: user, expires_ms: 5 };
        let mut expected = vec![1, 0x94, 0xc4, 17];
        expected.extend_from_slice(&conversation.to_bytes());
        expected.extend_from_slice(&[2, 1, 5]);
        assert_eq!(InboxEntry::Message(pointer.clone()).encode(), expected);
        // As it was written before messages could disappear.
        expected.pop();
        expected[1] = 0x93;
        let older = InboxEntry::decode(&expected).expect("it was right then");
        assert_eq!(older, InboxEntry::Message(MessagePointer { expires_ms: 0, ..pointer }));
        let shown = Shown { conversation, settings: None, up_to: Seq::new(2), seqs: vec![Seq::new(4)] };
        let shown = ShownChange::new(shown, 5);
        let mut expected = vec![3, 0x95, 0xc4, 17];
        expected.extend_from_slice(&conversation.to_bytes());
        expected.extend_from_slice(&[0xc0, 2, 0x91, 4, 5]);
        assert_eq!(InboxEntry::Shown(shown.clone()).encode(), expected);
        expected[1] = 0x94;
        expected.pop();
        let older = InboxEntry::decode(&expected).expect("as it was before there was a time");
        assert_eq!(older, InboxEntry::Shown(ShownChange { time_ms: 0, ..shown }));
        let person = Person { user, is_contact: true, is_excepted: false, is_blocked: true };
        let change = AccountChange { part: AccountPart::People, person: Some(person), time_ms: 5 };
        let value = InboxEntry::Account(change.clone()).encode();
        assert_eq!(value[..], [4, 0x93, 3, 0x94, 1, 0xc3, 0xc2, 0xc3, 5]);
        let older = InboxEntry::decode(&[4, 0x92, 3, 0x94, 1, 0xc3, 0xc2, 0xc3]);
        let older = older.expect("as it was before there was a time");
        assert_eq!(older, InboxEntry::Account(AccountChange { time_ms: 0, ..change }));
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_user_and_stamp(
            one in (arbitrary::user(), arbitrary::stamp()),
            other in (arbitrary::user(), arbitrary::stamp()),
        ) {
            let (user, stamp) = one;
            prop_assert_eq!(user_of(&key(user, stamp)), Some(user));
            prop_assert_eq!(stamp_of(&key(user, stamp)).expect("it has one"), stamp);
            prop_assert_eq!(key(user, stamp).cmp(&key(other.0, other.1)), one.cmp(&other));
            prop_assert!(prefix(user) < key(user, Stamp::ZERO));
            prop_assert!(key(user, stamp) < key_after(user, stamp) && key_after(user, stamp) <= end(user));
            prop_assert!(other.0 <= user || end(user) < prefix(other.0));
        }

        #[test]
        fn an_entry_reads_as_written(entry in entry()) {
            prop_assert_eq!(InboxEntry::decode(&entry.encode()).expect("it was just written"), entry);
        }

        #[test]
        fn any_bytes_are_an_entry_or_an_error(bytes: Vec<u8>) {
            let _ = (InboxEntry::decode(&bytes), stamp_of(&bytes), user_of(&bytes));
        }
    }
}
