//! Messages about messages: replies, reactions, edits and deletions. They go through the outbox like any other, in order
//! with them.

use rookery_protocol::{Body, ConversationId, Reference, ReferenceKind, Seq};

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
        self.put_into_outbox(conversation, body, Some(reference))
    }
}
