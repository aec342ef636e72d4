//! Histories made by hand, for the invariants' own tests: alice with two devices, bob and carol, in one conversation.

use std::time::Duration;

use rookery_client::{
    Body, ConversationId, DeviceId, ErrorCode, GroupChange, GroupId, MessageId, Refusal, Seq, UserId,
};

use crate::history::{Client, Entry, Handed, History, Owner, What};

/// A history that grows by sentences.
pub(super) struct Story {
    pub(super) history: History,
    /// Where it happens.
    pub(super) place: ConversationId,
    messages: Vec<(Owner, Body, Option<GroupChange>)>,
}

/// Not being a member.
pub(super) fn refusal() -> Refusal {
    Refusal { code: ErrorCode::NotMember as u16, text: "no".to_owned() }
}

impl Story {
    /// In the conversation of alice and bob.
    pub(super) fn new() -> Self {
        let owner = |user, device| Owner { user: UserId::new(user).unwrap(), device: DeviceId::new(device) };
        let owners = vec![owner(1, 1), owner(2, 1), owner(1, 2), owner(3, 1)];
        let history = History { owners, entries: Vec::new() };
        Self { history, place: Self::conversation(), messages: Vec::new() }
    }

    /// In a group that alice has made with bob: entry 1, which both have.
    pub(super) fn of_group() -> Self {
        let mut story = Self::new();
        let made = GroupChange::Created { members: vec![Self::user("bob")], name: "birds".to_owned() };
        story.place = ConversationId::group(GroupId::new(7).unwrap());
        story.changed("alice", made, 1);
        story
    }

    fn client(name: &str) -> Client {
        match name {
            "alice" => Client(0),
            "bob" => Client(1),
            "alice's other device" => Client(2),
            "carol" => Client(3),
            other => panic!("who is {other}?"),
        }
    }

    pub(super) fn user(name: &str) -> UserId {
        UserId::new(match name {
            "alice" => 1,
            "bob" => 2,
            "carol" => 3,
            other => panic!("who is {other}?"),
        })
        .unwrap()
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

    fn new_id(&mut self, name: &str, body: Body, change: Option<GroupChange>) -> MessageId {
        let mut id = [0; 16];
        id[15] = u8::try_from(self.messages.len()).unwrap();
        self.messages.push((self.history.owner(Self::client(name)), body, change));
        MessageId::from_bytes(id)
    }

    pub(super) fn enqueued(&mut self, name: &str, text: &'static str) -> MessageId {
        let body = Body::new(text);
        let id = self.new_id(name, body.clone(), None);
        self.note(name, What::Enqueued { conversation: self.place, id, body });
        id
    }

    pub(super) fn asked(&mut self, name: &str, change: GroupChange) -> MessageId {
        let id = self.new_id(name, Body::default(), Some(change.clone()));
        let is_new = matches!(change, GroupChange::Created { .. });
        self.note(name, What::Asked { conversation: (!is_new).then_some(self.place), id, change });
        id
    }

    pub(super) fn accepted(&mut self, name: &str, id: MessageId, seq: u64) {
        self.note(name, What::Accepted { conversation: self.place, id, seq: Seq::new(seq) });
    }

    pub(super) fn refused(&mut self, name: &str, id: MessageId, refusal: Refusal) {
        self.note(name, What::Refused { conversation: self.place, id, refusal });
    }

    pub(super) fn done(&mut self, name: &str, id: MessageId, seq: u64) {
        self.note(name, What::Done { conversation: self.place, id, seq: Seq::new(seq) });
    }

    /// A change is asked for, done, and handed to alice and bob.
    pub(super) fn changed(&mut self, name: &str, change: GroupChange, seq: u64) -> MessageId {
        let id = self.asked(name, change);
        self.done(name, id, seq);
        self.handed_to_all(id, seq);
        id
    }

    pub(super) fn handed(&mut self, name: &str, id: MessageId, seq: u64) {
        let known = self.messages.get(usize::from(id.as_bytes()[15])).cloned();
        let unknown = || (self.history.owner(Client(0)), Body::new("?"), None);
        let (sender, body, change) = known.unwrap_or_else(unknown);
        let (conversation, seq) = (self.place, Seq::new(seq));
        self.note(name, What::Handed(Handed { conversation, seq, sender, id, body, change }));
    }

    pub(super) fn handed_to(&mut self, names: &[&str], id: MessageId, seq: u64) {
        names.iter().for_each(|name| self.handed(name, id, seq));
    }

    /// To alice and bob.
    pub(super) fn handed_to_all(&mut self, id: MessageId, seq: u64) {
        self.handed_to(&["alice", "bob", "alice's other device"], id, seq);
    }

    pub(super) fn read(&mut self, name: &str, seq: u64) {
        self.note(name, What::Read { conversation: self.place, seq: Seq::new(seq) });
    }

    pub(super) fn receipt(&mut self, name: &str, of: &str, delivered: u64, read: u64) {
        let user = self.history.owner(Self::client(of)).user;
        let (delivered, read) = (Seq::new(delivered), Seq::new(read));
        self.note(name, What::Receipt { conversation: self.place, user, delivered, read });
    }
}
