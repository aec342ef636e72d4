//! What is only for those who are looking: presence, typing, receipts as they come. Never stored, never acknowledged,
//! and lost without harm.

use serde::{Deserialize, Serialize};

use crate::positional::List;
use crate::{ConversationId, MemberMark, RequestId, UserId, limits, positional};

positional! {
    /// This is what the user is looking at, on this connection; it takes the place of what was before. It lasts for
    /// [`limits::WATCH_MS`].
    pub struct Watch {
        /// The answer's request id.
        pub request: RequestId,
        /// Whose presence is on the screen; at most [`limits::WATCH_USERS_MAX`].
        pub users: Vec<UserId> as List<UserId>,
        /// Which conversations are open; at most [`limits::WATCH_CONVERSATIONS_MAX`].
        pub conversations: Vec<ConversationId> as List<ConversationId>,
    }
}

/// More than one connection may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "watch at most {} users and {} conversations",
    limits::WATCH_USERS_MAX,
    limits::WATCH_CONVERSATIONS_MAX
)]
pub struct WatchError;

impl Watch {
    /// Whether it is not too much.
    ///
    /// # Errors
    /// When it is.
    pub fn check(&self) -> Result<(), WatchError> {
        let fits = self.users.len() <= limits::WATCH_USERS_MAX
            && self.conversations.len() <= limits::WATCH_CONVERSATIONS_MAX;
        if fits { Ok(()) } else { Err(WatchError) }
    }
}

positional! {
    /// The user is there at this device, or is not. Has no answer. A connection begins as active.
    pub struct Active {
        /// Whether.
        pub active: bool,
    }
}

/// What somebody does in a conversation before they send something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Doing {
    /// Nothing any more. Also what a number that a reader does not know is.
    Nothing,
    /// They are typing.
    Typing,
    /// They are recording.
    Recording,
}

impl From<u8> for Doing {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Typing,
            2 => Self::Recording,
            _ => Self::Nothing,
        }
    }
}

impl From<Doing> for u8 {
    fn from(doing: Doing) -> Self {
        match doing {
            Doing::Nothing => 0,
            Doing::Typing => 1,
            Doing::Recording => 2,
        }
    }
}

positional! {
    /// The user is typing, or has stopped. Has no answer. It holds for [`limits::TYPING_MS`]; a client says it at most
    /// every [`limits::TYPING_EVERY_MS`].
    pub struct Typing {
        /// Where.
        pub conversation: ConversationId,
        /// What.
        pub doing: Doing,
    }
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Availability {
    /// No device is connected. Also what a number that a reader does not know is.
    Offline,
    /// A device is connected, and nobody has used it for a while.
    Idle,
    /// Somebody is there.
    Online,
}

impl From<u8> for Availability {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Idle,
            2 => Self::Online,
            _ => Self::Offline,
        }
    }
}

impl From<Availability> for u8 {
    fn from(availability: Availability) -> Self {
        match availability {
            Availability::Offline => 0,
            Availability::Idle => 1,
            Availability::Online => 2,
        }
    }
}

positional! {
    /// Whether somebody is there.
    pub struct Presence {
        /// Who.
        pub user: UserId,
        /// Whether; of those who hide that it is not told at all.
        pub availability: Availability,
        /// Of those who are offline: since when, milliseconds since 1970, to the minute; 0: not known, or hidden.
        pub last_seen_ms: u64,
    }
}

positional! {
    /// Notice: people come, go and fall idle; first how they are when they begin to be watched.
    pub struct PresenceNotice {
        /// Those of the watched who have changed, as they are now.
        pub people: Vec<Presence> as List<Presence>,
    }
}

positional! {
    /// Notice: somebody is typing in an open conversation, or has stopped.
    pub struct TypingNotice {
        /// Where.
        pub conversation: ConversationId,
        /// Who.
        pub user: UserId,
        /// What they do.
        pub doing: Doing,
    }
}

positional! {
    /// Notice: how far members of an open group have come since GET_RECEIPTS or the last notice.
    pub struct ReceiptsNotice {
        /// Where.
        pub conversation: ConversationId,
        /// Those who have come further.
        pub marks: Vec<MemberMark> as List<MemberMark>,
    }
}
