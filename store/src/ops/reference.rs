//! What a message does to the one it is about. Most only say so; an edit is noted, so that a deletion finds it; and a
//! deletion takes from the log what the message and its edits have said. What adds to a message disappears with it.

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
    /// Whether they may say how long messages stay.
    pub(super) may_set_timer: bool,
    /// Everybody in the conversation.
    pub(super) told: Vec<UserId>,
    /// Whether that is a channel.
    pub(super) is_in_channel: bool,
}

fn edits(conversation: ConversationId, of: Seq) -> KeyRange {
    KeyRange::prefix(&edits_prefix(conversation, of), limits::EDITS_MAX)
}

/// Declares what [`refer`] looks at.
pub(super) fn reads(conversation: ConversationId, reference: Reference, reads: &mut Reads) {
    if reference.kind == ReferenceKind::Timer {
        return;
    }
    reads.key(log_key(conversation, reference.seq));
    reads.key(withheld_key(conversation, reference.seq));
    if matches!(reference.kind, ReferenceKind::Edit | ReferenceKind::Delete) {
        reads.range(edits(conversation, reference.seq));
    }
}

/// Does to the message that is referred to what the entry `seq`, which is yet to be written, says. When that entry disappears
/// whatever its sender says: with the message (0: never); `None`: that is the sender's to say.
pub(super) fn refer(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    (author, sender): (&Author, &Sender),
    (conversation, seq): (ConversationId, Seq),
    reference: Reference,
) -> Result<Result<Option<u64>, Refusal>, StoreError> {
    if reference.kind == ReferenceKind::Timer {
        return Ok(if sender.may_set_timer { Ok(Some(0)) } else { Err(Refusal::OnlyAdmins) });
    }
    let Some(message) = view.get(&log_key(conversation, reference.seq)) else {
        return Ok(Err(Refusal::NoSuchMessage));
    };
    let message: Message = keys::decode(&message)?;
    if message.seq < sender.from || !stands_for_itself(&message) || message.has_expired(author.time_ms) {
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
            Ok(Ok(Some(message.expires_ms)))
        }
        ReferenceKind::Delete if !is_own && !sender.is_admin => Ok(Err(Refusal::NotYours)),
        ReferenceKind::Delete if age_ms > limits::DELETE_MS => Ok(Err(Refusal::TooLate)),
        // Others are not to see that either.
        ReferenceKind::Delete if sender.is_shadow_banned && !is_withheld => Ok(Ok(Some(0))),
        ReferenceKind::Delete => {
            for (_, edit) in view.range(&edits(conversation, message.seq)) {
                empty(writes, edit_of(&message, &keys::decode(&edit)?));
            }
            empty(writes, message);
            Ok(Ok(Some(0)))
        }
        ReferenceKind::Reaction => Ok(Ok(Some(message.expires_ms))),
        ReferenceKind::Reply | ReferenceKind::Timer | ReferenceKind::Unknown(_) => Ok(Ok(None)),
    }
}

/// Whether others may refer to a message: it says something, and not about another but as an answer.
fn stands_for_itself(message: &Message) -> bool {
    let is_about_another = message.reference.is_some_and(|it| it.kind != ReferenceKind::Reply);
    message.change.is_none() && !message.deleted && !is_about_another
}

/// An edit of a message, without what it says.
fn edit_of(message: &Message, head: &MessageHead) -> Message {
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
        reference: Some(Reference { kind: ReferenceKind::Edit, seq: message.seq }),
        deleted: false,
        expires_ms: message.expires_ms,
        timer_s: 0,
    }
}

/// Takes from the log what a message says. It keeps its place: inboxes point at it, and the log is dense.
pub(super) fn empty(writes: &mut Writes<'_>, message: Message) {
    let place = log_key(message.conversation, message.seq);
    writes.put(place, keys::encode(&message.emptied()));
}
