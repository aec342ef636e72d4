//! What frames decode into: one enum for each direction.

use bytes::Bytes;

use crate::channels::*;
use crate::chats::*;
use crate::looking::*;
use crate::payload::*;
use crate::people::*;
use crate::positional::{ValueError, decode_value};
use crate::{ErrorCode, Opcode, RawFrame, Stamp, positional};

/// Why a frame's payload was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The opcode is unknown, or not for this direction. The connection can go on.
    #[error("opcode {0:#04x} is not known here")]
    UnknownOpcode(u8),
    /// The payload is not what the opcode says.
    #[error("{opcode:?}: {source}")]
    Payload {
        /// The frame's opcode.
        opcode: Opcode,
        /// What is wrong.
        source: ValueError,
    },
    /// A field is over its limit.
    #[error("{opcode:?}: {field} is over its limit of {limit} bytes")]
    Limit {
        /// The frame's opcode.
        opcode: Opcode,
        /// The field.
        field: &'static str,
        /// Its limit.
        limit: usize,
    },
}

impl DecodeError {
    /// The code of the error frame that answers it.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::UnknownOpcode(_) => ErrorCode::UnknownOpcode,
            Self::Payload { .. } | Self::Limit { .. } => ErrorCode::Malformed,
        }
    }
}

macro_rules! direction {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is the payload of the same name")]
        pub enum $name { $( $variant($variant), )* }

        impl $name {
            /// Reads a frame's payload.
            ///
            /// # Errors
            /// When the opcode is not one of this direction's, or the payload not its.
            pub fn decode(frame: &RawFrame) -> Result<Self, DecodeError> {
                match Opcode::from_number(frame.opcode) {
                    $( Some(Opcode::$variant) => decode_value(&frame.payload)
                        .map(Self::$variant)
                        .map_err(|source| DecodeError::Payload { opcode: Opcode::$variant, source }), )*
                    _ => Err(DecodeError::UnknownOpcode(frame.opcode)),
                }
            }

            /// The frame's opcode.
            pub fn opcode(&self) -> Opcode {
                match self { $( Self::$variant(_) => Opcode::$variant, )* }
            }

            /// The frame's bytes.
            pub fn encode(&self) -> Bytes {
                match self { $( Self::$variant(payload) => encode(payload), )* }
            }
        }

        $( impl From<$variant> for $name {
            fn from(payload: $variant) -> Self {
                Self::$variant(payload)
            }
        } )*
    };
}

direction! {
    /// What a client sends.
    ClientFrame {
        Hello, Heartbeat, Send, Ack, Read, History, Lookup, CreateGroup, ChangeGroup, GetGroup, ListGroups,
        GetReceipts, ListConversations, SetConversation, Hide, SetPrivacy, GetPrivacy, SetProfile, GetProfiles, SetPerson,
        ListPeople, FindPeople, Report, Watch, Active, Typing, Follow,
    }
}

direction! {
    /// What a server sends.
    ServerFrame {
        Welcome, HeartbeatAck, Error, Goaway, Done, Nodes, Sent, HistoryPage, Found, GroupCreated, Group, GroupList,
        Receipts, ConversationList, Privacy, Profiles, People, FoundPeople, MessageEvent, ReceiptEvent,
        ConversationEvent, AccountEvent, PresenceNotice, TypingNotice, ReceiptsNotice, ChannelNotice,
    }
}

positional! {
    /// What every event begins with.
    struct AnyEvent {
        /// Its place in the inbox.
        pub stamp: Stamp,
    }
}

/// The stamp of an event, known or not, so that a client can acknowledge what it does not understand.
///
/// # Errors
/// When the payload is no array that begins with a stamp.
pub fn event_stamp(frame: &RawFrame) -> Result<Stamp, ValueError> {
    decode_value::<AnyEvent>(&frame.payload).map(|event| event.stamp)
}
