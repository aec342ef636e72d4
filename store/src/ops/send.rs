//! Accepting a message of a direct conversation: log, head, answer to its id, and a pointer in both inboxes.

use rookery_protocol::{Body, ConversationId, DeviceId, Message, MessageId, Seq, UserId};

use crate::error::StoreError;
use crate::keys::conversation::{SentRecord, decode_head, encode_head, head_key, log_key, sent_key};
use crate::keys::inbox::{self, InboxEntry, MessagePointer};
use crate::keys::{self, device, user};
use crate::op::{Op, Reads, View, Writes};
use crate::stamp::StampSlot;

/// A message for a direct conversation.
#[derive(Debug, Clone)]
pub struct SendDirect {
    /// Which conversation; `sender` is in it.
    pub conversation: ConversationId,
    /// Who sends.
    pub sender: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The generation of the token the device showed.
    pub generation: u32,
    /// The sender's id of the message.
    pub id: MessageId,
    /// The message that must have been accepted before.
    pub after: Option<MessageId>,
    /// The clock when the message arrived, milliseconds since 1970.
    pub time_ms: u64,
    /// What it says.
    pub body: Body,
}

/// What became of a message.
#[derive(Debug, Clone)]
pub enum SendOutcome {
    /// It has been put in the log and the inboxes.
    Accepted {
        /// Its place in the conversation.
        seq: Seq,
        /// Its place in both inboxes.
        slot: StampSlot,
        /// As it was written to the log: what a push carries.
        logged: bytes::Bytes,
    },
    /// It was accepted before, as this.
    Duplicate(SentRecord),
    /// The message that must come before has not been accepted.
    OutOfOrder,
    /// The other user does not exist.
    NoSuchUser,
    /// The device's token has been revoked, or the device removed.
    Revoked,
    /// The sender's account has been suspended, for this reason.
    Suspended(String),
    /// Something in the store cannot be read.
    Corrupt(StoreError),
}

impl SendDirect {
    fn peer(&self) -> UserId {
        self.conversation.direct_peer(self.sender).expect("a session sends only to its user's conversations")
    }

    fn sent_key(&self, id: MessageId) -> Vec<u8> {
        sent_key(self.conversation, self.sender, self.device, id)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<SendOutcome, StoreError> {
        let sender = view.get(&device::key(self.sender, self.device));
        let generation = sender.map(|value| keys::decode::<device::Device>(&value)).transpose()?;
        if generation.is_none_or(|device| device.generation != self.generation) {
            return Ok(SendOutcome::Revoked);
        }
        let account = view.get(&user::key(self.sender));
        let account = account.map(|value| keys::decode::<user::User>(&value)).transpose()?;
        if let Some(suspension) = account.and_then(|account| account.suspension) {
            return Ok(SendOutcome::Suspended(suspension.reason));
        }
        if let Some(record) = view.get(&self.sent_key(self.id)) {
            return keys::decode(&record).map(SendOutcome::Duplicate);
        }
        if self.after.is_some_and(|after| view.get(&self.sent_key(after)).is_none()) {
            return Ok(SendOutcome::OutOfOrder);
        }
        if view.get(&user::key(self.peer())).is_none() {
            return Ok(SendOutcome::NoSuchUser);
        }

        let head = view.get(&head_key(self.conversation));
        let head = head.map(|value| decode_head(&value)).transpose()?.unwrap_or(Seq::ZERO);
        let seq = head.next();
        let logged = keys::encode(&Message {
            conversation: self.conversation,
            seq,
            sender: self.sender,
            device: self.device,
            id: self.id,
            time_ms: self.time_ms,
            body: Some(self.body.clone()),
        });
        writes.put(head_key(self.conversation), encode_head(seq));
        writes.put(log_key(self.conversation, seq), logged.clone());
        writes.put(self.sent_key(self.id), keys::encode(&SentRecord { seq, time_ms: self.time_ms }));

        let slot = writes.new_stamp();
        let pointer = MessagePointer { conversation: self.conversation, seq, sender: self.sender };
        let pointer = InboxEntry::Message(pointer).encode();
        writes.put_stamped(inbox::prefix(self.sender), slot, pointer.clone());
        if self.peer() != self.sender {
            writes.put_stamped(inbox::prefix(self.peer()), slot, pointer);
        }
        Ok(SendOutcome::Accepted { seq, slot, logged })
    }
}

impl Op for SendDirect {
    type Answer = SendOutcome;

    fn reads(&self, reads: &mut Reads) {
        reads.key(device::key(self.sender, self.device));
        reads.key(user::key(self.sender));
        reads.key(self.sent_key(self.id));
        if let Some(after) = self.after {
            reads.key(self.sent_key(after));
        }
        reads.key(user::key(self.peer()));
        reads.key(head_key(self.conversation));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> SendOutcome {
        self.decide(view, writes).unwrap_or_else(SendOutcome::Corrupt)
    }

    fn bytes_hint(&self) -> usize {
        512 + self.body.len()
    }
}
