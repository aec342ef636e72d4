//! Moving a member's watermarks, and telling those who want to know.

use rookery_protocol::{ConversationId, Receipt, Seq, UserId};

use crate::error::StoreError;
use crate::keys;
use crate::keys::conversation::{Mark, mark_key};
use crate::keys::inbox::{self, InboxEntry};
use crate::op::{View, Writes};

/// Moves `user`'s mark in `conversation` up to `delivered` and `read`, never back, and puts a receipt into the inboxes
/// of `tell`. Returns the mark if it moved. Reads the mark's key.
pub(super) fn raise_mark(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    (conversation, user): (ConversationId, UserId),
    (delivered, read): (Seq, Seq),
    time_ms: u64,
    tell: &[UserId],
) -> Result<Option<Mark>, StoreError> {
    let key = mark_key(conversation, user);
    let mark = view.get(&key).map(|value| keys::decode(&value)).transpose()?.unwrap_or(Mark::NONE);
    let mut raised = mark.clone();
    if read > mark.read {
        (raised.read, raised.read_ms) = (read, time_ms);
    }
    if delivered.max(read) > mark.delivered {
        (raised.delivered, raised.delivered_ms) = (delivered.max(read), time_ms);
    }
    if raised == mark {
        return Ok(None);
    }
    writes.put(key, keys::encode(&raised));
    if !tell.is_empty() {
        let receipt = Receipt { conversation, user, delivered: raised.delivered, read: raised.read };
        let receipt = InboxEntry::Receipt(receipt).encode();
        let slot = writes.new_stamp();
        for user in tell {
            writes.put_stamped(inbox::prefix(*user), slot, receipt.clone());
        }
    }
    Ok(Some(raised))
}
