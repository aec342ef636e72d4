//! Messages about messages: replies, reactions, edits, deletions; and timers, which are about those that follow. Each is
//! an entry of the log like any message.

use serde::{Deserialize, Serialize};

use crate::{Body, Seq, limits, positional};

/// What a message does to the one it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum ReferenceKind {
    /// It answers it, and stands for itself. Also what a kind that a reader does not know is.
    Reply,
    /// Its body is the sender's reaction, instead of any earlier one; empty: none any more.
    Reaction,
    /// Its body takes the place of that message's, for everyone. Only its sender may, within [`limits::EDIT_MS`].
    Edit,
    /// That message is no more, for anyone. Its sender may, and a group's admins, within [`limits::DELETE_MS`].
    Delete,
    /// Messages of this conversation disappear from here on, or no longer do. It names no message, and never disappears.
    Timer,
    /// Something that a newer version knows. Not to be given in a request.
    Unknown(u8),
}

impl From<u8> for ReferenceKind {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Reply,
            2 => Self::Reaction,
            3 => Self::Edit,
            4 => Self::Delete,
            5 => Self::Timer,
            other => Self::Unknown(other),
        }
    }
}

impl From<ReferenceKind> for u8 {
    fn from(kind: ReferenceKind) -> Self {
        match kind {
            ReferenceKind::Reply => 1,
            ReferenceKind::Reaction => 2,
            ReferenceKind::Edit => 3,
            ReferenceKind::Delete => 4,
            ReferenceKind::Timer => 5,
            ReferenceKind::Unknown(number) => number,
        }
    }
}

positional! {
    /// The message that another is about, in the same conversation.
    #[derive(Copy)]
    pub struct Reference {
        /// What the other does to it.
        pub kind: ReferenceKind,
        /// Its place. Of a timer, which names none: 0.
        pub seq: Seq,
    }
}

/// A reference that no request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// A kind that this version does not know.
    #[error("a reference is a reply, a reaction, an edit, a deletion or a timer")]
    Kind,
    /// A reaction is short.
    #[error("a reaction has at most {} bytes", limits::REACTION_BYTES_MAX)]
    Reaction,
    /// A deletion says nothing.
    #[error("a deletion has no body")]
    Deletion,
    /// A timer is about the messages that follow, and says nothing itself.
    #[error("a timer has no body and names no message")]
    Timer,
}

impl Reference {
    /// Whether a message with this body may refer to another so.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, body: &Body) -> Result<(), ReferenceError> {
        match self.kind {
            ReferenceKind::Unknown(_) => Err(ReferenceError::Kind),
            ReferenceKind::Reaction if body.len() > limits::REACTION_BYTES_MAX => {
                Err(ReferenceError::Reaction)
            }
            ReferenceKind::Delete if !body.is_empty() => Err(ReferenceError::Deletion),
            ReferenceKind::Timer if !body.is_empty() || self.seq != Seq::ZERO => Err(ReferenceError::Timer),
            _ => Ok(()),
        }
    }
}
