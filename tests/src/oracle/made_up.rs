//! Histories made by hand, for the invariants' own tests: alice with two devices and bob with one, in one conversation.

use std::time::Duration;

use rookery_client::{Body, ConversationId, DeviceId, MessageId, Seq, UserId};

use crate::history::{Client, Entry, Handed, History, Owner, What};

/// A history that grows by sentences.
pub(super) struct Story {
    pub(super) history: History,
    messages: Vec<(Owner, Body)>,
}

impl Story {
    pub(super) fn new() -> Self {
        let owner = |user, device| Owner { user: UserId::new(user).unwrap(), device: DeviceId::new(device) };
        let owners = vec![owner(1, 1), owner(2, 1), owner(1, 2)];
        Self { history: History { owners, entries: Vec::new() }, messages: Vec::new() }
    }

    fn client(name: &str) -> Client {
        match name {
            "alice" => Client(0),
            "bob" => Client(1),
            "alice's other device" => Client(2),
            other => panic!("who is {other}?"),
        }
    }

    pub(super) fn conversation() -> ConversationId {
        ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap())
    }

    /// The id that no client has used.
    pub(super) fn stranger() -> MessageId {
        MessageId::from_bytes([0xee; 16])
    }

    pub(super) fn note(&mut self, name: &str, what: What) {
        self.history.entries.push(Entry { at: Duration::ZERO, client: Self::client(name), what });
    }

    pub(super) fn enqueued(&mut self, name: &str, text: &'static str) -> MessageId {
        let mut id = [0; 16];
        id[15] = u8::try_from(self.messages.len()).unwrap();
        let (id, body) = (MessageId::from_bytes(id), Body::new(text));
        self.messages.push((self.history.owner(Self::client(name)), body.clone()));
        self.note(name, What::Enqueued { conversation: Self::conversation(), id, body });
        id
    }

    pub(super) fn accepted(&mut self, name: &str, id: MessageId, seq: u64) {
        self.note(name, What::Accepted { conversation: Self::conversation(), id, seq: Seq::new(seq) });
    }

    pub(super) fn handed(&mut self, name: &str, id: MessageId, seq: u64) {
        let known = self.messages.get(usize::from(id.as_bytes()[15])).cloned();
        let (sender, body) = known.unwrap_or((self.history.owner(Client(0)), Body::new("?")));
        let (conversation, seq) = (Self::conversation(), Seq::new(seq));
        self.note(name, What::Handed(Handed { conversation, seq, sender, id, body }));
    }

    pub(super) fn handed_to_all(&mut self, id: MessageId, seq: u64) {
        for name in ["alice", "bob", "alice's other device"] {
            self.handed(name, id, seq);
        }
    }

    pub(super) fn read(&mut self, name: &str, seq: u64) {
        self.note(name, What::Read { conversation: Self::conversation(), seq: Seq::new(seq) });
    }

    pub(super) fn receipt(&mut self, name: &str, of: &str, delivered: u64, read: u64) {
        let user = self.history.owner(Self::client(of)).user;
        let (delivered, read) = (Seq::new(delivered), Seq::new(read));
        self.note(name, What::Receipt { conversation: Self::conversation(), user, delivered, read });
    }
}
