//! Messages about messages: replies, reactions, edits and deletions. They go through the outbox like any other, in order
//! with them.

use std::time::Duration;

use rookery_protocol::{Body, ConversationId, ExpiresError, Reference, ReferenceKind, Seq, check_expires_s};

use super::{Client, SendTicket};
use crate::EnqueueError;

/// What the server says to them it says to their [`SendTicket`]: [`NotFound`](crate::ErrorCode::NotFound) when there is no
/// such message, or none that can be referred to (one that is deleted, say, or a reaction itself);
/// [`NotAllowed`](crate::ErrorCode::NotAllowed) when it is not the user's to edit or delete;
/// [`TooLate`](crate::ErrorCode::TooLate); [`Full`](crate::ErrorCode::Full) for one edit too many.
impl Client {
    /// Answers a message. As [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn reply(
        &self,
        conversation: ConversationId,
        seq: Seq,
        body: impl Into<Body>,
    ) -> Result<SendTicket, EnqueueError> {
        self.refer(conversation, Reference { kind: ReferenceKind::Reply, seq }, body)
    }

    /// Reacts to a message, instead of any earlier reaction of the user to it; with an empty one there is none any more.
    /// A reaction has at most [`REACTION_BYTES_MAX`](rookery_protocol::limits::REACTION_BYTES_MAX) bytes.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when it is too long.
    pub fn react(
        &self,
        conversation: ConversationId,
        seq: Seq,
        reaction: impl Into<Body>,
    ) -> Result<SendTicket, EnqueueError> {
        self.refer(conversation, Reference { kind: ReferenceKind::Reaction, seq }, reaction)
    }

    /// Replaces what an own message says, for everyone; within [`EDIT_MS`](rookery_protocol::limits::EDIT_MS).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn edit(
        &self,
        conversation: ConversationId,
        seq: Seq,
        body: impl Into<Body>,
    ) -> Result<SendTicket, EnqueueError> {
        self.refer(conversation, Reference { kind: ReferenceKind::Edit, seq }, body)
    }

    /// Deletes a message for everyone: an own one, or as an admin of the group any; within
    /// [`DELETE_MS`](rookery_protocol::limits::DELETE_MS).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn delete(&self, conversation: ConversationId, seq: Seq) -> Result<SendTicket, EnqueueError> {
        self.refer(conversation, Reference { kind: ReferenceKind::Delete, seq }, Body::default())
    }

    /// From here on messages of this conversation disappear so long after they have been accepted, or (`None`) do not any
    /// more; for everyone who adopts it, as this client does by itself: [`send`](Self::send) and [`reply`](Self::reply) say
    /// of what follows that it disappears. It is a message of its own, and its kind
    /// [`Timer`](ReferenceKind::Timer). In a group it may be its admins' to say. Full seconds count.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when messages cannot disappear after that long.
    pub fn set_timer(
        &self,
        conversation: ConversationId,
        after: Option<Duration>,
    ) -> Result<SendTicket, EnqueueError> {
        let expires_s = match after {
            // Nothing is not never.
            Some(after) => u32::try_from(after.as_secs()).ok().filter(|seconds| *seconds != 0),
            None => Some(0),
        };
        let expires_s = expires_s.ok_or(ExpiresError)?;
        check_expires_s(expires_s)?;
        let reference = Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO };
        self.put_into_outbox(conversation, Body::default(), Some(reference), Some(expires_s))
    }

    /// After how long messages of this conversation disappear, by the last timer that this client has seen; `None`: they do
    /// not.
    pub fn timer(&self, conversation: ConversationId) -> Option<Duration> {
        let seconds = self.shared().state().timers.get(&conversation).copied().unwrap_or(0);
        (seconds != 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// A message about another. The four above say it with fewer words.
    ///
    /// # Errors
    /// As [`send`](Self::send), and when no server would take it.
    pub fn refer(
        &self,
        conversation: ConversationId,
        reference: Reference,
        body: impl Into<Body>,
    ) -> Result<SendTicket, EnqueueError> {
        let body = body.into();
        reference.check(&body)?;
        self.put_into_outbox(conversation, body, Some(reference), None)
    }
}
