//! Moving a member's watermarks, and telling those who want to know.

use rookery_protocol::{ConversationId, Receipt, Seq, UserId};

use crate::error::StoreError;
use crate::keys;
use crate::keys::conversation::{Mark, mark_key};
use crate::keys::inbox::{self, InboxEntry};
use crate::op::{View, Writes};

/// Who learns of a mark that moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Audience {
    /// The user's own devices.
    pub(super) own: bool,
    /// The other side of a direct conversation, unless one has blocked the other. In a group others ask when they want to
    /// know.
    pub(super) peer: Option<UserId>,
    /// Whether others learn what is read now.
    pub(super) shows_reading: bool,
}

/// Moves `user`'s mark in `conversation` up to `delivered` and `read`, never back, and puts a receipt into the inboxes
/// of those whom it concerns. Returns the mark, if it moved, and who they are. Reads the mark's key.
pub(super) fn raise_mark(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    (conversation, user): (ConversationId, UserId),
    (delivered, read): (Seq, Seq),
    time_ms: u64,
    audience: Audience,
) -> Result<Option<(Mark, Vec<UserId>)>, StoreError> {
    let key = mark_key(conversation, user);
    let before = view.get(&key).map(|value| keys::decode(&value)).transpose()?.unwrap_or(Mark::NONE);
    let raised = before.raised((delivered, read), time_ms, audience.shows_reading);
    if raised == before {
        return Ok(None);
    }
    writes.put(key, keys::encode(&raised));
    let is_shown = (raised.delivered, raised.shown()) != (before.delivered, before.shown());
    let own = audience.own.then_some((user, raised.read));
    let peer = audience.peer.filter(|_| is_shown).map(|peer| (peer, raised.shown()));
    let told: Vec<(UserId, Seq)> = own.into_iter().chain(peer).collect();
    if !told.is_empty() {
        let slot = writes.new_stamp();
        for (told, read) in &told {
            let receipt = Receipt { conversation, user, delivered: raised.delivered, read: *read };
            writes.put_stamped(inbox::prefix(*told), slot, InboxEntry::Receipt(receipt).encode());
        }
    }
    Ok(Some((raised, told.into_iter().map(|(user, _)| user).collect())))
}
