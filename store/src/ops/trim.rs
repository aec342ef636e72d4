//! Forgetting what is too old. What to forget is found by
//! [`queries::expired_messages`](crate::queries::expired_messages),
//! [`queries::expired_events`](crate::queries::expired_events) and
//! [`queries::expired_memberships`](crate::queries::expired_memberships) and
//! [`queries::expired_hidden`](crate::queries::expired_hidden). Nothing of this ever comes back, so the operations that forget messages and events read nothing and wait for nobody: who would change an old
//! message has read it, and comes too late.

use rookery_protocol::{ConversationId, DeviceId, GroupId, MessageId, Seq, Stamp, UserId};

use super::chat::forget;
use crate::error::StoreError;
use crate::keys::conversation::{edits_prefix, log_key, sent_key, withheld_key};
use crate::keys::group::{Membership, membership_key};
use crate::keys::{self, hidden, inbox};
use crate::op::{Op, Reads, View, Writes};

/// Removes a conversation's oldest messages, what is noted of them, and the answers to their ids: sent again, one
/// of them would be new.
/// The head and the marks stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimLog {
    /// Which conversation.
    pub conversation: ConversationId,
    /// The last message to go.
    pub upto: Seq,
    /// The senders' ids of the messages that go.
    pub sent: Vec<(UserId, DeviceId, MessageId)>,
}

impl Op for TrimLog {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        writes
            .clear_range(log_key(self.conversation, Seq::ZERO), log_key(self.conversation, self.upto.next()));
        writes.clear_range(
            edits_prefix(self.conversation, Seq::ZERO),
            edits_prefix(self.conversation, self.upto.next()),
        );
        writes.clear_range(
            withheld_key(self.conversation, Seq::ZERO),
            withheld_key(self.conversation, self.upto.next()),
        );
        for (user, device, id) in &self.sent {
            writes.delete(sent_key(self.conversation, *user, *device, *id));
        }
    }

    fn bytes_hint(&self) -> usize {
        128 + 64 * self.sent.len()
    }
}

/// Removes the oldest events of an inbox, acknowledged or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimInbox {
    /// Whose.
    pub user: UserId,
    /// The last event to go.
    pub upto: Stamp,
}

impl Op for TrimInbox {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        writes.clear_range(inbox::prefix(self.user), inbox::key_after(self.user, self.upto));
    }
}

/// Forgets that messages are hidden from a user by name which are no longer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetHidden {
    /// From whom.
    pub user: UserId,
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Those before this one.
    pub before: Seq,
}

impl Op for ForgetHidden {
    type Answer = ();

    fn reads(&self, _: &mut Reads) {}

    fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
        let key = |seq| hidden::key(self.user, self.conversation, seq);
        writes.clear_range(key(Seq::ZERO), key(self.before));
    }
}

/// Forgets that a user was in a group, and how it was shown to them, unless they have come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgetMembership {
    /// Who.
    pub user: UserId,
    /// In which group.
    pub group: GroupId,
    /// The entry by which they ceased to be a member.
    pub until: Seq,
}

impl Op for ForgetMembership {
    type Answer = Result<(), StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(membership_key(self.user, self.group));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let key = membership_key(self.user, self.group);
        let membership = view.get(&key).map(|value| keys::decode::<Membership>(&value)).transpose()?;
        if membership.is_some_and(|membership| membership.until == Some(self.until)) {
            writes.delete(key);
            forget(writes, self.user, ConversationId::group(self.group));
        }
        Ok(())
    }
}
