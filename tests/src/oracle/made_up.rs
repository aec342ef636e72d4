//! Histories made by hand, for the invariants' own tests: alice with two devices, bob and carol, in one conversation.

use std::sync::Arc;
use std::time::Duration;

use rookery_client::{
    Body, ConversationId, DeviceId, ErrorCode, GroupChange, GroupId, MessageId, Reference, ReferenceKind,
    Refusal, Seq, UserId,
};

use crate::history::{Client, Entry, Handed, History, Owner, Recalled, Said, What};

/// A history that grows by sentences.
pub(super) struct Story {
    pub(super) history: History,
    /// Where it happens.
    pub(super) place: ConversationId,
    messages: Vec<(Owner, Said, Option<GroupChange>)>,
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

    fn new_id(&mut self, name: &str, said: Said, change: Option<GroupChange>) -> MessageId {
        let mut id = [0; 16];
        id[15] = u8::try_from(self.messages.len()).unwrap();
        self.messages.push((self.history.owner(Self::client(name)), said, change));
        MessageId::from_bytes(id)
    }

    pub(super) fn enqueued(&mut self, name: &str, text: &'static str) -> MessageId {
        self.said(name, Said::plain(text))
    }

    /// Somebody says something about the message at a place.
    pub(super) fn about(
        &mut self,
        name: &str,
        kind: ReferenceKind,
        seq: u64,
        text: &'static str,
    ) -> MessageId {
        let reference = Some(Reference { kind, seq: Seq::new(seq) });
        self.said(name, Said { body: Body::new(text), reference, timer_s: 0 })
    }

    /// From here on messages may disappear.
    pub(super) fn timer(&mut self, name: &str, timer_s: u32) -> MessageId {
        let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
        self.said(name, Said { reference, timer_s, ..Said::default() })
    }

    fn said(&mut self, name: &str, said: Said) -> MessageId {
        let id = self.new_id(name, said.clone(), None);
        self.note(name, What::Enqueued { conversation: self.place, id, said });
        id
    }

    pub(super) fn asked(&mut self, name: &str, change: GroupChange) -> MessageId {
        let id = self.new_id(name, Said::default(), Some(change.clone()));
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

    /// Somebody asks that another be blocked, or no longer.
    pub(super) fn block_asked(&mut self, name: &str, whom: &str, blocked: bool) -> MessageId {
        let id = self.new_id(name, Said::default(), None);
        self.note(name, What::BlockAsked { id, whom: Self::user(whom), blocked });
        id
    }

    /// The same, and it is confirmed.
    pub(super) fn blocked(&mut self, name: &str, whom: &str, blocked: bool) {
        let id = self.block_asked(name, whom, blocked);
        self.note(name, What::BlockDone { id });
    }

    /// An entry as clients are given it.
    pub(super) fn entry(&self, id: MessageId, seq: u64) -> Handed {
        let known = self.messages.get(usize::from(id.as_bytes()[15])).cloned();
        let unknown = || (self.history.owner(Client(0)), Said::plain("?"), None);
        let (sender, said, change) = known.unwrap_or_else(unknown);
        let (conversation, seq) = (self.place, Seq::new(seq));
        Handed { conversation, seq, sender, id, said, change, deleted: false, expires_ms: 0 }
    }

    /// The same, without what it said.
    pub(super) fn emptied(&self, id: MessageId, seq: u64) -> Handed {
        let entry = self.entry(id, seq);
        Handed { said: Said { body: Body::default(), ..entry.said }, deleted: true, ..entry }
    }

    pub(super) fn handed(&mut self, name: &str, id: MessageId, seq: u64) {
        let handed = self.entry(id, seq);
        self.note(name, What::Handed(handed));
    }

    /// Somebody is told what was said, having asked when the history had so many entries.
    pub(super) fn recalled(&mut self, name: &str, asked: usize, entries: &[Handed]) {
        self.recalled_at(name, asked, None, entries);
    }

    /// Somebody is told all that was said, at rest: one second after 1970.
    pub(super) fn recalled_at_rest(&mut self, name: &str, entries: &[Handed]) {
        self.recalled_at(name, self.history.entries.len(), Some((1_000, 1_000)), entries);
    }

    /// The same, at rest at these times of day.
    pub(super) fn recalled_at(
        &mut self,
        name: &str,
        asked: usize,
        at_rest: Option<(u64, u64)>,
        entries: &[Handed],
    ) {
        let entries = entries.iter().cloned().map(Arc::new).collect();
        let conversation = self.place;
        self.note(name, What::Recalled(Recalled { conversation, asked, at_rest, entries }));
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
