//! Identifiers and positions, a type each, so that swapping two does not compile.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number that is no identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is outside 1..=2^53-1")]
pub struct IdError(u64);

macro_rules! entity_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// The largest value: 2^53-1, so that JSON and JavaScript carry every id exactly.
            pub const MAX: u64 = (1 << 53) - 1;

            /// The id with this number.
            ///
            /// # Errors
            /// When the number is 0 or above [`MAX`](Self::MAX).
            pub fn new(number: u64) -> Result<Self, IdError> {
                if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(IdError(number)) }
            }

            /// The number.
            pub fn get(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = IdError;

            fn try_from(number: u64) -> Result<Self, IdError> {
                Self::new(number)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

entity_id! {
    /// A user, for as long as the account lives. Random, never reused.
    UserId
}
entity_id! {
    /// A group.
    GroupId
}

macro_rules! plain_number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($inner);

        impl $name {
            /// The value with this number.
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

plain_number! {
    /// One of a user's devices: 1, 2, ... in the order they were added. Never reused.
    DeviceId(u32)
}
plain_number! {
    /// A place in a conversation's log, dense from 1. 0 is "before the first".
    Seq(u64)
}
plain_number! {
    /// Chosen by the client, repeated in the answer; unique among its unanswered requests. 0 names no request.
    RequestId(u32)
}
plain_number! {
    /// The number of a view of the cluster; grows with each change.
    Epoch(u64)
}

impl Seq {
    /// Before the first message.
    pub const ZERO: Self = Self(0);

    /// The place after this one.
    ///
    /// # Panics
    /// At 2^64-1, which no log reaches.
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("no log has 2^64 messages"))
    }
}

/// Bytes of a fixed number that travel and are stored as MessagePack `bin`.
macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal, $expect:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// The value with these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Bytes;
                impl Visitor<'_> for Bytes {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expect)
                    }

                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        bytes.try_into().map($name).map_err(|_| E::invalid_length(bytes.len(), &self))
                    }
                }
                deserializer.deserialize_bytes(Bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                let mut bytes = [0; $len];
                if text.len() != 2 * $len || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(HexError);
                }
                for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                    let digits = std::str::from_utf8(digits).map_err(|_| HexError)?;
                    *byte = u8::from_str_radix(digits, 16).map_err(|_| HexError)?;
                }
                Ok(Self(bytes))
            }
        }
    };
}

/// A text that is not the expected number of hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the expected number of hexadecimal digits")]
pub struct HexError;

byte_id! {
    /// The sender's own id of a message, a UUID; a retry carries the same one.
    MessageId, 16, "16 bytes"
}
byte_id! {
    /// An event's place in a user's inbox. Grows with commit order; compared bytewise; otherwise opaque.
    Stamp, 12, "12 bytes"
}

impl Stamp {
    /// Before every event.
    pub const ZERO: Self = Self([0; 12]);
    /// After every event.
    pub const MAX: Self = Self([0xff; 12]);
}

/// Two users (direct) or one group.
///
/// As bytes, on the wire and in keys: `d` and both users' numbers ascending, or `g` and the group's, 8 bytes each,
/// big-endian: 17 or 9 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Direct { low: UserId, high: UserId },
    Group(GroupId),
}

/// Why bytes are no conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConversationIdError {
    /// Neither 17 bytes beginning with `d` nor 9 beginning with `g`.
    #[error("a conversation id is 17 bytes beginning with 'd' or 9 beginning with 'g'")]
    Form,
    /// A number in it is no id.
    #[error("a number in the conversation id is no id")]
    Id(#[source] IdError),
    /// The two users are not in ascending order.
    #[error("the users of a direct conversation are not in ascending order")]
    Order,
}

impl ConversationId {
    /// The direct conversation of two users, in either order. Both may be the same: notes to oneself.
    pub fn direct(a: UserId, b: UserId) -> Self {
        Self(Kind::Direct { low: a.min(b), high: a.max(b) })
    }

    /// A group's conversation.
    pub fn group(group: GroupId) -> Self {
        Self(Kind::Group(group))
    }

    /// The two users, when it is a direct conversation.
    pub fn direct_users(self) -> Option<(UserId, UserId)> {
        match self.0 {
            Kind::Direct { low, high } => Some((low, high)),
            Kind::Group(_) => None,
        }
    }

    /// The other user of a direct conversation that `me` is in; `me` in notes to oneself.
    pub fn direct_peer(self, me: UserId) -> Option<UserId> {
        match self.0 {
            Kind::Direct { low, high } if low == me => Some(high),
            Kind::Direct { low, high } if high == me => Some(low),
            _ => None,
        }
    }

    /// The group, when it is a group's.
    pub fn group_id(self) -> Option<GroupId> {
        match self.0 {
            Kind::Direct { .. } => None,
            Kind::Group(group) => Some(group),
        }
    }

    /// Its bytes.
    pub fn to_bytes(self) -> ConversationBytes {
        let mut bytes = [0; 17];
        let len = match self.0 {
            Kind::Direct { low, high } => {
                bytes[0] = b'd';
                bytes[1..9].copy_from_slice(&low.get().to_be_bytes());
                bytes[9..].copy_from_slice(&high.get().to_be_bytes());
                17
            }
            Kind::Group(group) => {
                bytes[0] = b'g';
                bytes[1..9].copy_from_slice(&group.get().to_be_bytes());
                9
            }
        };
        ConversationBytes { bytes, len }
    }

    /// The conversation with these bytes.
    ///
    /// # Errors
    /// When they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ConversationIdError> {
        let (kind, rest) = bytes.split_first().ok_or(ConversationIdError::Form)?;
        let number =
            |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| ConversationIdError::Form);
        match (kind, rest.len()) {
            (b'd', 16) => {
                let low = UserId::new(number(&rest[..8])?).map_err(ConversationIdError::Id)?;
                let high = UserId::new(number(&rest[8..])?).map_err(ConversationIdError::Id)?;
                if low > high { Err(ConversationIdError::Order) } else { Ok(Self::direct(low, high)) }
            }
            (b'g', 8) => GroupId::new(number(rest)?).map(Self::group).map_err(ConversationIdError::Id),
            _ => Err(ConversationIdError::Form),
        }
    }
}

/// A conversation's bytes, on the stack.
#[derive(Debug, Clone, Copy)]
pub struct ConversationBytes {
    bytes: [u8; 17],
    len: usize,
}

impl std::ops::Deref for ConversationBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Direct { low, high } => write!(f, "d:{low}:{high}"),
            Kind::Group(group) => write!(f, "g:{group}"),
        }
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConversationId({self})")
    }
}

impl FromStr for ConversationId {
    type Err = ConversationIdError;

    fn from_str(text: &str) -> Result<Self, ConversationIdError> {
        let number = |text: &str| {
            if text.starts_with('+') {
                Err(ConversationIdError::Form)
            } else {
                text.parse().map_err(|_| ConversationIdError::Form)
            }
        };
        let user = |text: &str| UserId::new(number(text)?).map_err(ConversationIdError::Id);
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["d", low, high] => Ok(Self::direct(user(low)?, user(high)?)),
            ["g", group] => GroupId::new(number(group)?).map(Self::group).map_err(ConversationIdError::Id),
            _ => Err(ConversationIdError::Form),
        }
    }
}

impl Serialize for ConversationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for ConversationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = ConversationId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a conversation id's bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<ConversationId, E> {
                ConversationId::from_bytes(bytes).map_err(E::custom)
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
