//! What a message does to the one it is about. Most only say so; an edit is noted, so that a deletion finds it; and a
//! deletion takes from the log what the message and its edits have said.

use rookery_protocol::{ConversationId, Message, MessageHead, Reference, ReferenceKind, Seq, UserId, limits};

use super::entry::{Author, Refusal};
use crate::error::StoreError;
use crate::keys;
use crate::keys::conversation::{edit_key, edits_prefix, log_key, withheld_key};
use crate::op::{KeyRange, Reads, View, Writes};

/// Somebody who writes into a conversation, and those who get it.
pub(super) struct Sender {
    /// The first message that they may see.
    pub(super) from: Seq,
    /// Whether it is a group of which they are an admin.
    pub(super) is_admin: bool,
    /// Whether nobody else is to see what they say.
    pub(super) is_shadow_banned: bool,
    /// Everybody in the conversation.
    pub(super) told: Vec<UserId>,
}

fn edits(conversation: ConversationId, of: Seq) -> KeyRange {
    KeyRange::prefix(&edits_prefix(conversation, of), limits::EDITS_MAX)
}

/// Declares what [`refer`] looks at.
pub(super) fn reads(conversation: ConversationId, reference: Reference, reads: &mut Reads) {
    reads.key(log_key(conversation, reference.seq));
    reads.key(withheld_key(conversation, reference.seq));
    if matches!(reference.kind, ReferenceKind::Edit | ReferenceKind::Delete) {
        reads.range(edits(conversation, reference.seq));
    }
}

/// Does to the message that is referred to what the entry `seq`, which is yet to be written, says.
pub(super) fn refer(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    (author, sender): (&Author, &Sender),
    (conversation, seq): (ConversationId, Seq),
    reference: Reference,
) -> Result<Result<(), Refusal>, StoreError> {
    let Some(message) = view.get(&log_key(conversation, reference.seq)) else {
        return Ok(Err(Refusal::NoSuchMessage));
    };
    let message: Message = keys::decode(&message)?;
    if message.seq < sender.from || !stands_for_itself(&message) {
        return Ok(Err(Refusal::NoSuchMessage));
    }
    let is_own = message.sender == author.user;
    let is_withheld = view.get(&withheld_key(conversation, message.seq)).is_some();
    if is_withheld && !is_own {
        return Ok(Err(Refusal::NoSuchMessage));
    }
    let age_ms = author.time_ms.saturating_sub(message.time_ms);
    match reference.kind {
        ReferenceKind::Edit if !is_own => Ok(Err(Refusal::NotYours)),
        ReferenceKind::Edit if age_ms > limits::EDIT_MS => Ok(Err(Refusal::TooLate)),
        ReferenceKind::Edit => {
            if view.range(&edits(conversation, message.seq)).len() >= limits::EDITS_MAX {
                return Ok(Err(Refusal::TooManyEdits));
            }
            let Author { user: sender, device, id, time_ms, .. } = *author;
            let edit = MessageHead { conversation, seq, sender, device, id, time_ms };
            writes.put(edit_key(conversation, message.seq, seq), keys::encode(&edit));
            Ok(Ok(()))
        }
        ReferenceKind::Delete if !is_own && !sender.is_admin => Ok(Err(Refusal::NotYours)),
        ReferenceKind::Delete if age_ms > limits::DELETE_MS => Ok(Err(Refusal::TooLate)),
        // Others are not to see that either.
        ReferenceKind::Delete if sender.is_shadow_banned && !is_withheld => Ok(Ok(())),
        ReferenceKind::Delete => {
            for (_, edit) in view.range(&edits(conversation, message.seq)) {
                empty(writes, edit_of(message.seq, &keys::decode(&edit)?));
            }
            empty(writes, message);
            Ok(Ok(()))
        }
        ReferenceKind::Reply | ReferenceKind::Reaction | ReferenceKind::Unknown(_) => Ok(Ok(())),
    }
}

/// Whether others may refer to a message: it says something, and not about another but as an answer.
fn stands_for_itself(message: &Message) -> bool {
    let is_about_another = message.reference.is_some_and(|it| it.kind != ReferenceKind::Reply);
    message.change.is_none() && !message.deleted && !is_about_another
}

/// An edit, without what it says.
fn edit_of(seq: Seq, head: &MessageHead) -> Message {
    let MessageHead { conversation, seq: place, sender, device, id, time_ms } = *head;
    Message {
        conversation,
        seq: place,
        sender,
        device,
        id,
        time_ms,
        body: None,
        change: None,
        reference: Some(Reference { kind: ReferenceKind::Edit, seq }),
        deleted: false,
    }
}

/// Takes from the log what a message says. It keeps its place: inboxes point at it, and the log is dense.
fn empty(writes: &mut Writes<'_>, message: Message) {
    let place = log_key(message.conversation, message.seq);
    writes.put(place, keys::encode(&Message { body: None, deleted: true, ..message }));
}
