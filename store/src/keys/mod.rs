//! The key families: who lives where, and in what form.
//!
//! The first byte of a key is its family's ordinal, frozen for ever. Numbers in keys are big-endian, so that bytewise
//! order is numeric order. Values are positional MessagePack unless a family says otherwise.
//!
//! | ordinal | family | key after the ordinal | value |
//! |---|---|---|---|
//! | `0x01` | [`meta`] | a name | by name |
//! | `0x10` | [`user`] | user | [`user::User`] |
//! | `0x11` | [`handle`] | the handle's text | user |
//! | `0x12` | phone (reserved) | | |
//! | `0x13` | [`device`] | user, device | [`device::Device`] |
//! | `0x14` | [`cursor`] | user, device | stamp, 12 bytes |
//! | `0x15` | [`inbox`] | user, stamp | [`inbox::InboxEntry`] |
//! | `0x16` | [`privacy`] | user | [`PrivacySettings`](rookery_protocol::PrivacySettings) as on the wire |
//! | `0x17` | [`profile`] | user | [`Profile`](rookery_protocol::Profile) as on the wire |
//! | `0x18` | [`person`] | user, other user | [`person::Person`] |
//! | `0x19` | [`last_seen`] | user | milliseconds since 1970, 8 bytes |
//! | `0x1a` | [`chat`] | user, conversation | [`chat::Chat`] |
//! | `0x1b` | [`hidden`] | user, conversation, seq | one byte |
//! | `0x1c` | following, in [`channel`] | user, group | [`channel::Following`] |
//! | `0x1d` | followers, in [`channel`] | group, shard | their number, 8 bytes |
//! | `0x1e` | follower, in [`channel`] | group, user | one byte |
//! | `0x20` | [`conversation`] | conversation, part, ... | by part |
//! | `0x21` | [`expiry`] | time, conversation, seq | one byte |
//! | `0x30` | [`group`] | group | [`group::Group`] |
//! | `0x31` | members, in [`group`] | group | [`group::Members`], packed |
//! | `0x32` | member-of, in [`group`] | user, group | [`group::Membership`] |
//! | `0x35` | [`report`] | part, ... | by part |
//! | `0x40` | [`node`] | name | [`node::Lease`] |
//! | `0x41` | [`view`] | | [`view::ClusterView`] |
//! | `0x42` | [`mail`] | name, part, ... | by part |
//! | `0x43` | [`ban`] | a network's text | [`ban::Ban`] |
//! | `0x44` | incarnation, in [`node`] | name | the last incarnation, 8 bytes |

pub mod ban;
pub mod channel;
pub mod chat;
pub mod conversation;
pub mod cursor;
pub mod device;
pub mod expiry;
pub mod group;
pub mod handle;
pub mod hidden;
pub mod inbox;
pub mod last_seen;
pub mod mail;
pub mod meta;
pub mod node;
pub mod person;
pub mod privacy;
pub mod profile;
pub mod report;
pub mod user;
pub mod view;

use bytes::Bytes;
use rookery_protocol::{UserId, decode_value, encode_value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The ordinals. A retired one is never used again.
pub(crate) mod family {
    pub(crate) const META: u8 = 0x01;
    pub(crate) const USER: u8 = 0x10;
    pub(crate) const HANDLE: u8 = 0x11;
    pub(crate) const DEVICE: u8 = 0x13;
    pub(crate) const CURSOR: u8 = 0x14;
    pub(crate) const INBOX: u8 = 0x15;
    pub(crate) const PRIVACY: u8 = 0x16;
    pub(crate) const PROFILE: u8 = 0x17;
    pub(crate) const PERSON: u8 = 0x18;
    pub(crate) const LAST_SEEN: u8 = 0x19;
    pub(crate) const CHAT: u8 = 0x1a;
    pub(crate) const HIDDEN: u8 = 0x1b;
    pub(crate) const FOLLOWING: u8 = 0x1c;
    pub(crate) const FOLLOWERS: u8 = 0x1d;
    pub(crate) const FOLLOWER: u8 = 0x1e;
    pub(crate) const CONVERSATION: u8 = 0x20;
    pub(crate) const EXPIRY: u8 = 0x21;
    pub(crate) const GROUP: u8 = 0x30;
    pub(crate) const MEMBERS: u8 = 0x31;
    pub(crate) const MEMBER_OF: u8 = 0x32;
    pub(crate) const REPORT: u8 = 0x35;
    pub(crate) const NODE: u8 = 0x40;
    pub(crate) const VIEW: u8 = 0x41;
    pub(crate) const MAIL: u8 = 0x42;
    pub(crate) const BAN: u8 = 0x43;
    pub(crate) const INCARNATION: u8 = 0x44;
}

/// A key of `family` made of `parts`.
fn key(family: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(family);
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// A key of `family` about `user`, made of `parts` after that.
fn user_key(family: u8, user: UserId, rest: &[u8]) -> Vec<u8> {
    key(family, &[&user.get().to_be_bytes(), rest])
}

/// A value's bytes.
pub(crate) fn encode<T: Serialize>(value: &T) -> Bytes {
    let mut bytes = Vec::with_capacity(64);
    encode_value(&mut bytes, value);
    bytes.into()
}

/// The value that bytes hold.
///
/// # Errors
/// [`StoreError::Corrupt`] when they do not.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    decode_value(bytes)
        .map_err(|error| StoreError::Corrupt(format!("{}: {error}", std::any::type_name::<T>())))
}

/// Identifiers for the families' tests.
#[cfg(test)]
mod arbitrary {
    use proptest::prelude::*;
    use rookery_protocol::{ConversationId, DeviceId, GroupId, MessageId, Seq, Stamp, UserId};

    use super::node::NodeName;

    pub(super) fn user() -> impl Strategy<Value = UserId> {
        (1..=UserId::MAX).prop_map(|number| UserId::new(number).expect("it is in range"))
    }

    pub(super) fn device() -> impl Strategy<Value = DeviceId> {
        any::<u32>().prop_map(DeviceId::new)
    }

    pub(super) fn seq() -> impl Strategy<Value = Seq> {
        any::<u64>().prop_map(Seq::new)
    }

    pub(super) fn stamp() -> impl Strategy<Value = Stamp> {
        any::<[u8; 12]>().prop_map(Stamp::from_bytes)
    }

    pub(super) fn node() -> impl Strategy<Value = NodeName> {
        "[a-z0-9][a-z0-9._-]{0,63}".prop_map(|text| text.parse().expect("it is a name"))
    }

    pub(super) fn message_id() -> impl Strategy<Value = MessageId> {
        any::<[u8; 16]>().prop_map(MessageId::from_bytes)
    }

    pub(super) fn conversation() -> impl Strategy<Value = ConversationId> {
        let group = |number| GroupId::new(number).expect("it is in range");
        prop_oneof![
            (user(), user()).prop_map(|(one, other)| ConversationId::direct(one, other)),
            (1..=GroupId::MAX).prop_map(move |number| ConversationId::group(group(number))),
        ]
    }
}
