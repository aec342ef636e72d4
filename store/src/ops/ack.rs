//! A device acknowledges events: its cursor moves, what all devices have is trimmed, senders get delivery receipts.

use rookery_protocol::{ConversationId, DeviceId, Seq, Stamp, UserId};

use super::receipt::{Audience, raise_mark};
use crate::audience::{blocks, reads_blocks};
use crate::error::StoreError;
use crate::keys::conversation::{Mark, mark_key};
use crate::keys::device::DEVICES_MAX;
use crate::keys::{cursor, device, inbox};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// Every event up to `stamp` is safe with a device.
#[derive(Debug, Clone)]
pub struct AckEvents {
    /// Whose inbox.
    pub user: UserId,
    /// Which device.
    pub device: DeviceId,
    /// The last event acknowledged; it was in the inbox.
    pub stamp: Stamp,
    /// The greatest seq from another user among the acknowledged messages, of each conversation.
    pub delivered: Vec<(ConversationId, Seq)>,
    /// Whether to remove what every device has acknowledged.
    pub trim: bool,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// What an acknowledgement did.
#[derive(Debug, Clone)]
pub enum Acked {
    /// Done. These users have a receipt in their inbox.
    Done {
        /// Whom to wake.
        told: Vec<UserId>,
        /// The user's marks in groups that have moved, of which nobody has a receipt.
        moved: Vec<(ConversationId, Mark)>,
    },
    /// The device has been removed.
    NoSuchDevice,
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}

impl AckEvents {
    fn devices(&self) -> KeyRange {
        KeyRange::prefix(&device::prefix(self.user), DEVICES_MAX)
    }

    fn cursors(&self) -> KeyRange {
        KeyRange::prefix(&cursor::prefix(self.user), DEVICES_MAX)
    }

    /// The other side of a direct conversation.
    fn peer(&self, conversation: ConversationId) -> Option<UserId> {
        conversation.direct_peer(self.user).filter(|peer| *peer != self.user)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Acked, StoreError> {
        if view.get(&device::key(self.user, self.device)).is_none() {
            return Ok(Acked::NoSuchDevice);
        }
        let own = cursor::key(self.user, self.device);
        let before = view.get(&own).map(|value| cursor::decode(&value)).transpose()?.unwrap_or(Stamp::ZERO);
        let stamp = before.max(self.stamp);
        if stamp > before {
            writes.put(own, stamp.as_bytes().to_vec());
        }
        if self.trim {
            let cursors = view.range(&self.cursors());
            let mut oldest = stamp;
            for (key, _) in view.range(&self.devices()) {
                let Some(device) = device::device_of(&key).filter(|device| *device != self.device) else {
                    continue;
                };
                let key = cursor::key(self.user, device);
                let cursor =
                    cursors.iter().find(|(other, _)| *other == key).map(|(_, value)| cursor::decode(value));
                oldest = oldest.min(cursor.transpose()?.unwrap_or(Stamp::ZERO));
            }
            if oldest > Stamp::ZERO {
                writes.clear_range(inbox::prefix(self.user), inbox::key_after(self.user, oldest));
            }
        }
        let (mut told, mut moved) = (Vec::new(), Vec::new());
        for (conversation, seq) in &self.delivered {
            let peer = match self.peer(*conversation) {
                Some(peer) if blocks(view, self.user, peer)? == (false, false) => Some(peer),
                _ => None,
            };
            let audience = Audience { own: false, peer, shows_reading: false };
            let whose = (*conversation, self.user);
            let raised = raise_mark(view, writes, whose, (*seq, Seq::ZERO), self.time_ms, audience)?;
            if let Some((mark, who)) = raised {
                told.extend(who);
                moved.extend(conversation.group_id().map(|_| (*conversation, mark)));
            }
        }
        Ok(Acked::Done { told, moved })
    }
}

impl Op for AckEvents {
    type Answer = Acked;

    fn reads(&self, reads: &mut Reads) {
        reads.key(device::key(self.user, self.device));
        reads.key(cursor::key(self.user, self.device));
        if self.trim {
            reads.range(self.devices());
            reads.range(self.cursors());
        }
        for (conversation, _) in &self.delivered {
            reads.key(mark_key(*conversation, self.user));
            if let Some(peer) = self.peer(*conversation) {
                reads_blocks(self.user, peer, reads);
            }
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Acked {
        self.decide(view, writes).unwrap_or_else(Acked::Corrupt)
    }

    fn bytes_hint(&self) -> usize {
        128 + 192 * self.delivered.len()
    }

    fn may_wait(&self) -> bool {
        true
    }
}
