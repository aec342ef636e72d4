//! What a person sees: conversations, their messages, and how far each message has come. No terminal, no network.

use std::collections::{BTreeMap, HashMap};

use rookery_protocol::{ConversationId, GroupChange, Handle, MessageId, Receipt, Seq, UserId};

use super::words::{self, By};
use crate::{Change, Identity, Message};

/// Messages kept of a conversation; older ones are in its history.
const SHOWN_MAX: usize = 2_000;

/// How far an own message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    Waiting,
    Sent,
    Delivered,
    Read,
    Failed,
}

/// A message as shown, or a change.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) sender: UserId,
    pub(super) time_ms: u64,
    pub(super) what: What,
}

/// What a line says.
#[derive(Debug, Clone)]
pub(super) enum What {
    Said(String),
    /// Put into words when it is shown: names may have become known by then.
    Changed(By, GroupChange),
}

/// An own message that is not in the conversation yet.
#[derive(Debug)]
pub(super) struct Unsent {
    pub(super) id: MessageId,
    pub(super) text: String,
    pub(super) refused: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) lines: BTreeMap<Seq, Line>,
    pub(super) unsent: Vec<Unsent>,
    pub(super) unread: usize,
    pub(super) history_asked: bool,
    /// A group's, once it is known, and since which entry it has been so.
    name: Option<(Seq, String)>,
    delivered: Seq,
    read: Seq,
    /// The newest message of somebody else's, and the newest that was marked as read.
    newest_of_others: Seq,
    marked: Seq,
}

/// All conversations and names.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    pub(super) me: Option<Identity>,
    pub(super) rooms: BTreeMap<ConversationId, Room>,
    pub(super) open: Option<ConversationId>,
    names: HashMap<UserId, Handle>,
}

impl Rooms {
    pub(super) fn learn(&mut self, user: UserId, handle: Handle) {
        self.names.insert(user, handle);
    }

    pub(super) fn name(&self, user: UserId) -> String {
        self.names.get(&user).map_or_else(|| format!("user {user}"), ToString::to_string)
    }

    pub(super) fn knows(&self, user: UserId) -> bool {
        self.names.contains_key(&user)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Handle> {
        self.names.values()
    }

    pub(super) fn is_me(&self, user: UserId) -> bool {
        self.me.as_ref().is_some_and(|me| me.user == user)
    }

    /// The other user of a direct conversation.
    pub(super) fn peer(&self, conversation: ConversationId) -> Option<UserId> {
        conversation.direct_peer(self.me.as_ref()?.user)
    }

    pub(super) fn title(&self, conversation: ConversationId) -> String {
        if let Some(peer) = self.peer(conversation) {
            return self.name(peer);
        }
        let name = self.rooms.get(&conversation).and_then(Room::name);
        // A group may have the name of a person.
        name.map_or_else(|| conversation.to_string(), |name| format!("#{name}"))
    }

    /// The groups with this name, or the one with this number.
    pub(super) fn groups_called(&self, name: &str) -> Vec<ConversationId> {
        if let Ok(conversation) = name.parse::<ConversationId>() {
            return conversation.group_id().map(|_| conversation).into_iter().collect();
        }
        let name = name.strip_prefix('#').unwrap_or(name);
        let called = self.rooms.iter().filter(|(_, room)| room.name() == Some(name));
        called.map(|(conversation, _)| *conversation).collect()
    }

    /// What is known of users' names.
    pub(super) fn all_names(&self) -> &HashMap<UserId, Handle> {
        &self.names
    }

    pub(super) fn room(&mut self, conversation: ConversationId) -> &mut Room {
        self.rooms.entry(conversation).or_default()
    }

    /// A message came, now or from history.
    pub(super) fn add(&mut self, message: Message, is_new: bool) {
        let own = self.is_me(message.sender);
        let open = self.open == Some(message.conversation);
        let room = self.rooms.entry(message.conversation).or_default();
        room.unsent.retain(|unsent| unsent.id != message.id);
        if !own {
            room.newest_of_others = room.newest_of_others.max(message.seq);
            room.unread += usize::from(is_new && !open);
        }
        let text = printable(&String::from_utf8_lossy(message.body.as_bytes()));
        let line = Line { sender: message.sender, time_ms: message.time_ms, what: What::Said(text) };
        room.insert(message.seq, line);
    }

    /// A group has changed, now or in its history.
    pub(super) fn change(&mut self, change: Change) {
        let by = By::of(&change);
        let Change { conversation, seq, sender, time_ms, change, .. } = change;
        let own = self.is_me(sender);
        let room = self.rooms.entry(conversation).or_default();
        if !own {
            room.newest_of_others = room.newest_of_others.max(seq);
        }
        if let GroupChange::Created { name, .. } | GroupChange::Named(name) = &change {
            room.call(seq, name);
        }
        room.insert(seq, Line { sender, time_ms, what: What::Changed(by, change) });
    }

    /// A change in a sentence, on one line: a description must not pass for what somebody says.
    pub(super) fn words(&self, by: By, sender: UserId, change: &GroupChange) -> String {
        printable(&words::of_change(change, by, &self.name(sender), |user| self.name(user)))
            .replace('\n', " ")
    }

    /// An own message is durable; it is shown at its place even if its event is still on the way.
    pub(super) fn sent(&mut self, conversation: ConversationId, id: MessageId, seq: Seq, time_ms: u64) {
        let Some(sender) = self.me.as_ref().map(|me| me.user) else { return };
        let room = self.rooms.entry(conversation).or_default();
        if let Some(place) = room.unsent.iter().position(|unsent| unsent.id == id) {
            let unsent = room.unsent.remove(place);
            let what = What::Said(unsent.text);
            room.lines.entry(seq).or_insert(Line { sender, time_ms, what });
        }
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        if self.is_me(receipt.user) && self.peer(receipt.conversation) != Some(receipt.user) {
            return;
        }
        let room = self.room(receipt.conversation);
        room.delivered = room.delivered.max(receipt.delivered);
        room.read = room.read.max(receipt.read);
    }

    /// What the server should hear as read, now that the open conversation is on the screen.
    pub(super) fn mark_shown(&mut self) -> Option<(ConversationId, Seq)> {
        let conversation = self.open?;
        let room = self.rooms.get_mut(&conversation)?;
        room.unread = 0;
        if room.newest_of_others <= room.marked {
            return None;
        }
        room.marked = room.newest_of_others;
        Some((conversation, room.marked))
    }
}

impl Room {
    /// A group's name, if it is known.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|(_, name)| name.as_str())
    }

    /// A group is called that after the entry `seq`.
    pub(super) fn call(&mut self, seq: Seq, name: &str) {
        if self.name.as_ref().is_none_or(|(known, _)| *known <= seq) {
            self.name = Some((seq, printable(name)));
        }
    }

    /// Where this user's newest message is.
    pub(super) fn newest_of(&self, user: UserId) -> Option<Seq> {
        let said = |line: &Line| line.sender == user && matches!(line.what, What::Said(_));
        self.lines.iter().rev().find(|(_, line)| said(line)).map(|(seq, _)| *seq)
    }

    fn insert(&mut self, seq: Seq, line: Line) {
        self.lines.insert(seq, line);
        if self.lines.len() > SHOWN_MAX {
            self.lines.pop_first();
        }
    }

    pub(super) fn tick(&self, seq: Seq) -> Tick {
        if seq <= self.read {
            Tick::Read
        } else if seq <= self.delivered {
            Tick::Delivered
        } else {
            Tick::Sent
        }
    }
}

/// A text without what could take the terminal over.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\t' => ' ',
            '\n' => '\n',
            letter if letter.is_control() || is_bidi_control(letter) => '\u{fffd}',
            letter => letter,
        })
        .collect()
}

fn is_bidi_control(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Hours and minutes, UTC.
pub(super) fn clock(time_ms: u64) -> String {
    let minutes = time_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rookery_protocol::{Body, DeviceId};

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn rooms() -> (Rooms, ConversationId) {
        let me = Identity { user: user(1), handle: "alice".parse().unwrap(), device: DeviceId::new(1) };
        (Rooms { me: Some(me), ..Rooms::default() }, ConversationId::direct(user(1), user(2)))
    }

    #[test]
    fn ticks_follow_the_receipts_and_never_go_back() {
        let (mut rooms, conversation) = rooms();
        let receipt = |delivered, read| Receipt {
            conversation,
            user: user(2),
            delivered: Seq::new(delivered),
            read: Seq::new(read),
        };
        rooms.receipt(&receipt(2, 1));
        rooms.receipt(&receipt(1, 0));
        let room = rooms.room(conversation);
        let ticks = [1, 2, 3].map(|seq| room.tick(Seq::new(seq)));
        assert_eq!(ticks, [Tick::Read, Tick::Delivered, Tick::Sent]);
    }

    #[test]
    fn what_is_shown_is_marked_read_once() {
        let (mut rooms, conversation) = rooms();
        let message = Message {
            conversation,
            seq: Seq::new(3),
            sender: user(2),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([0; 16]),
            time_ms: 0,
            body: Body::new("hi"),
            reference: None,
            deleted: false,
        };
        rooms.add(message, true);
        assert_eq!(rooms.mark_shown(), None);
        assert_eq!(rooms.room(conversation).unread, 1);
        rooms.open = Some(conversation);
        assert_eq!(rooms.mark_shown(), Some((conversation, Seq::new(3))));
        assert_eq!(rooms.mark_shown(), None);
    }

    #[test]
    fn a_message_cannot_give_the_terminal_orders() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
