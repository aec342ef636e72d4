//! A user has read a conversation up to a message: the mark moves, the user's own devices learn it, and the other side of
//! a direct conversation, unless one of them does not want that or has blocked the other.

use rookery_protocol::{ConversationId, Seq, UserId};

use super::receipt::{Audience, raise_mark};
use crate::audience::Pair;
use crate::error::StoreError;
use crate::keys;
use crate::keys::channel::following_key;
use crate::keys::conversation::{Mark, decode_head, head_key, mark_key};
use crate::keys::group::{Membership, membership_key};
use crate::op::{Op, Reads, View, Writes};

/// A conversation was read up to `seq`.
#[derive(Debug, Clone)]
pub struct MarkRead {
    /// Which conversation; a direct one is the user's.
    pub conversation: ConversationId,
    /// Who has read.
    pub user: UserId,
    /// Up to where; beyond the head means the head.
    pub seq: Seq,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// What reading did.
#[derive(Debug, Clone)]
pub enum MarkedRead {
    /// Done. These users have a receipt in their inbox.
    Done {
        /// Whom to wake.
        told: Vec<UserId>,
        /// The user's mark, if it has moved.
        moved: Option<Mark>,
    },
    /// The user is not in the group and does not follow it, or there is none.
    NotMember,
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}

impl MarkRead {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<MarkedRead, StoreError> {
        let head = view.get(&head_key(self.conversation));
        let head = head.map(|value| decode_head(&value)).transpose()?.unwrap_or(Seq::ZERO);
        let seq = self.seq.min(head);
        let mut audience = Audience { own: true, peer: None, shows_reading: true };
        if let Some(group) = self.conversation.group_id() {
            let membership = view.get(&membership_key(self.user, group));
            let membership = membership.map(|value| keys::decode::<Membership>(&value)).transpose()?;
            let follows = view.get(&following_key(self.user, group)).is_some();
            if !follows && !membership.is_some_and(|membership| membership.is_current()) {
                return Ok(MarkedRead::NotMember);
            }
        } else if let Some(peer) = self.peer() {
            let pair = Pair::of(view, self.user, peer)?;
            audience.peer = Some(peer).filter(|_| !pair.is_blocked());
            audience.shows_reading = pair.tell_what_they_read();
        }
        let whose = (self.conversation, self.user);
        let raised = raise_mark(view, writes, whose, (seq, seq), self.time_ms, audience)?;
        let (moved, told) = raised.map_or((None, Vec::new()), |(mark, told)| (Some(mark), told));
        Ok(MarkedRead::Done { told, moved })
    }

    /// The other side of a direct conversation.
    fn peer(&self) -> Option<UserId> {
        self.conversation.direct_peer(self.user).filter(|peer| *peer != self.user)
    }
}

impl Op for MarkRead {
    type Answer = MarkedRead;

    fn reads(&self, reads: &mut Reads) {
        reads.key(head_key(self.conversation));
        reads.key(mark_key(self.conversation, self.user));
        if let Some(group) = self.conversation.group_id() {
            reads.key(membership_key(self.user, group));
            reads.key(following_key(self.user, group));
        }
        if let Some(peer) = self.peer() {
            Pair::reads(self.user, peer, reads);
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> MarkedRead {
        self.decide(view, writes).unwrap_or_else(MarkedRead::Corrupt)
    }
}
