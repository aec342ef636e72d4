//! What can go wrong, each variant a different decision for the caller.

use rookery_protocol::{
    ErrorCode, ExpiresError, GroupChangeError, HideError, MessageId, ProfileError, ReferenceError,
    ReportError, UserId,
};

use crate::LocalStoreError;

/// The server's own words for refusing something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", code_name(*.code))]
pub struct Refusal {
    /// An [`ErrorCode`]'s number, perhaps of a newer server.
    pub code: u16,
    /// For people.
    pub text: String,
}

impl Refusal {
    /// The code, if this version knows it.
    pub fn known_code(&self) -> Option<ErrorCode> {
        ErrorCode::from_number(self.code)
    }
}

/// A code's name in scripts: `not_member`, `body_too_large`, ...; `code_77` for one this version does not know.
pub fn code_name(code: u16) -> String {
    let Some(known) = ErrorCode::from_number(code) else { return format!("code_{code}") };
    let mut name = String::new();
    for letter in format!("{known:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Why a message was not taken for sending. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// Too many messages wait for confirmation, or too many outcomes wait to be taken from [`Events`](crate::Events).
    #[error("the outbox is full: {0} messages wait")]
    Full(usize),
    /// The body is over the protocol's limit.
    #[error("the body has {bytes} bytes, at most {limit} are allowed")]
    BodyTooLarge {
        /// The body's length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// No server would take such a reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// No server would take such a timer.
    #[error(transparent)]
    Expires(#[from] ExpiresError),
    /// The client is closed or has ended.
    #[error("the client is closed")]
    Closed,
}

/// Users that a broadcast may name. Of the longest messages, so many just fit an empty outbox.
pub const BROADCAST_USERS_MAX: usize = 256;

/// Why a broadcast was not taken for sending. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BroadcastError {
    /// It names nobody.
    #[error("a broadcast goes to at least one user")]
    Nobody,
    /// It names more than [`BROADCAST_USERS_MAX`].
    #[error("a broadcast goes to at most {BROADCAST_USERS_MAX} users, not to {users}")]
    TooMany {
        /// How many it names.
        users: usize,
    },
    /// It names this user more than once.
    #[error("user {0} is named twice")]
    Twice(UserId),
    /// It is not known whose client this is, as nothing has ever been connected with its local store.
    #[error("not connected yet")]
    NotConnected,
    /// The outbox does not take it.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

/// Why a message in the outbox was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The server will not take it. The local store has it until [`Event::SendFailed`](crate::Event::SendFailed) has been taken,
    /// too: if that is never, the next run asks the server once more.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The client ended first. A durable local store still has it and sends it at the next start.
    #[error("the client ended before the message was confirmed")]
    Closed,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No server would do it; none was asked.
    #[error(transparent)]
    Invalid(#[from] InvalidRequest),
    /// The server's answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// Too many requests wait already.
    #[error("too many requests wait already")]
    Full,
    /// The client is closed or has ended.
    #[error("the client is closed")]
    Closed,
}

/// A request that no server would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// Nothing to hide, or too much by name.
    #[error(transparent)]
    Hide(#[from] HideError),
    /// A text of the profile is too long, or none.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A report says too much, or not where.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Why a group was not made or changed, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// No server would do it; none was asked.
    #[error(transparent)]
    Invalid(#[from] GroupChangeError),
    /// The server's answer is no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No answer in time, or the client ended first: it may have been done, or may yet be. The same request with this id
    /// does it if it was not, does nothing if it was, and gives the same answer.
    #[error("no answer in time: it may have been done")]
    Unknown {
        /// To repeat the request with.
        id: MessageId,
    },
    /// Too many requests wait already; the server was not asked.
    #[error("too many requests wait already")]
    Full,
    /// The client is closed or has ended; the server was not asked.
    #[error("the client is closed")]
    Closed,
}

/// Why a client ended by itself. It does not connect again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TerminalError {
    /// The server refused this device: the token, or because the same device connected elsewhere.
    #[error("the server refused this device: {0}")]
    Refused(#[source] Refusal),
    /// The local store failed: without it nothing can be acknowledged or sent safely.
    #[error("the local store failed")]
    LocalStore(#[source] LocalStoreError),
    /// The local store belongs to another device.
    #[error(
        "the local store belongs to user {held_user} device {held_device}, the token is for user {user} device {device}"
    )]
    OtherDevice {
        /// Whose the store is.
        held_user: u64,
        /// Which device's the store is.
        held_device: u32,
        /// Whom the token is for.
        user: u64,
        /// Which device the token is for.
        device: u32,
    },
}

/// Why a client did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No node was given.
    #[error("no node to connect to was given")]
    NoNodes,
    /// The local store could not be read.
    #[error("the local store cannot be read")]
    LocalStore(#[from] LocalStoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_names_are_snake_case_and_unknown_codes_have_one_too() {
        assert_eq!(code_name(ErrorCode::NotMember as u16), "not_member");
        assert_eq!(code_name(9999), "code_9999");
    }
}
