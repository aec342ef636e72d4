//! Forgetting what is too old. What to forget is found by
//! [`queries::expired_messages`](crate::queries::expired_messages) and
//! [`queries::expired_events`](crate::queries::expired_events); nothing of it ever changes or comes back, so these
//! operations read nothing and conflict with nobody.

use rookery_protocol::{ConversationId, DeviceId, MessageId, Seq, Stamp, UserId};

use crate::keys::conversation::{log_key, sent_key};
use crate::keys::inbox;
use crate::op::{Op, Reads, View, Writes};

/// Removes a conversation's oldest messages and the answers to their ids: sent again, one of them would be new.
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
