//! One conversation as a person sees it: messages with what others have made of them, and how far each has come.
//!
//! Edits, reactions and deletions are kept apart from the lines, by the message they are about: they may come before it,
//! when history is fetched later.

use std::collections::{BTreeMap, BTreeSet};

use rookery_protocol::{
    ConversationSettings, GroupChange, GroupMember, MemberMark, MessageId, Reference, ReferenceKind, Seq,
    Shown, UserId,
};

use super::group_command::Reached;
use super::rooms::printable;
use super::words::{self, By};
use crate::Message;

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
    /// The message it answers.
    pub(super) answers: Option<Seq>,
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
    pub(super) reference: Option<Reference>,
    pub(super) refused: Option<String>,
}

/// What a message says now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Now<'a> {
    As(&'a str),
    Edited(&'a str),
    Deleted,
}

#[derive(Debug)]
struct Edit {
    seq: Seq,
    by: UserId,
    text: String,
}

#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) lines: BTreeMap<Seq, Line>,
    pub(super) unsent: Vec<Unsent>,
    pub(super) unread: u64,
    pub(super) history_asked: bool,
    /// The person is in it, as far as the server has told.
    pub(super) is_member: bool,
    pub(super) settings: ConversationSettings,
    /// Of a group: who is in it, and how far each has come.
    pub(super) members: Vec<GroupMember>,
    marks: BTreeMap<UserId, MemberMark>,
    /// The newest edit of each message, who reacted with what, and which are no more.
    edits: BTreeMap<Seq, Edit>,
    reactions: BTreeMap<Seq, BTreeMap<UserId, (Seq, String)>>,
    deleted: BTreeSet<Seq>,
    hidden: BTreeSet<Seq>,
    hidden_up_to: Seq,
    /// A group's, once it is known, and since which entry it has been so.
    name: Option<(Seq, String)>,
    delivered: Seq,
    read: Seq,
    /// The newest entry known of, and up to which the server has counted what is unread.
    pub(super) head: Seq,
    counted_to: Seq,
    pub(super) newest_ms: u64,
    /// The newest message of somebody else's, and the newest that was marked as read.
    newest_of_others: Seq,
    marked: Seq,
}

/// Whether a message stands for itself, rather than only for what it does to another.
pub(super) fn is_line(reference: Option<&Reference>) -> bool {
    use ReferenceKind::{Delete, Edit, Reaction};
    !reference.is_some_and(|reference| matches!(reference.kind, Delete | Edit | Reaction))
}

impl Room {
    /// A message came, now or from history: it is shown, or changes what is.
    pub(super) fn take(&mut self, message: Message, own: bool, is_new: bool) {
        let Message { seq, sender, time_ms, body, reference, deleted, id, timer_s, .. } = message;
        self.unsent.retain(|unsent| unsent.id != id);
        self.note(seq, time_ms, own);
        let text = printable(&String::from_utf8_lossy(body.as_bytes()));
        match reference {
            Some(Reference { kind: ReferenceKind::Delete, seq: target }) => self.delete(target),
            // One that is deleted says no more what it was.
            Some(Reference { kind: ReferenceKind::Edit | ReferenceKind::Reaction, .. }) if deleted => {}
            Some(Reference { kind: ReferenceKind::Edit, seq: target }) => {
                if self.edits.get(&target).is_none_or(|known| known.seq < seq) {
                    self.edits.insert(target, Edit { seq, by: sender, text });
                    forget_oldest(&mut self.edits);
                }
            }
            Some(Reference { kind: ReferenceKind::Reaction, seq: target }) => {
                let reactions = self.reactions.entry(target).or_default();
                if reactions.get(&sender).is_none_or(|(known, _)| *known < seq) {
                    reactions.insert(sender, (seq, text.replace('\n', " ")));
                    forget_oldest(&mut self.reactions);
                }
            }
            Some(Reference { kind: ReferenceKind::Timer, .. }) => {
                let what = What::Said(words::of_timer(timer_s));
                self.insert(seq, Line { sender, time_ms, what, answers: None });
            }
            other => {
                self.unread += u64::from(is_new && !own && seq > self.counted_to);
                let answers = other.map(|reference| reference.seq);
                self.insert(seq, Line { sender, time_ms, what: What::Said(text), answers });
                if deleted {
                    self.delete(seq);
                }
            }
        }
    }

    /// A group has changed.
    pub(super) fn change(&mut self, seq: Seq, own: bool, line: Line) {
        self.note(seq, line.time_ms, own);
        self.insert(seq, line);
    }

    fn note(&mut self, seq: Seq, time_ms: u64, own: bool) {
        if seq > self.head {
            (self.head, self.newest_ms) = (seq, time_ms);
        }
        if !own {
            self.newest_of_others = self.newest_of_others.max(seq);
        }
    }

    /// Takes away what a message says, and what others have made of it.
    pub(super) fn delete(&mut self, target: Seq) {
        if let Some(line) = self.lines.get_mut(&target) {
            line.what = What::Said(String::new());
        }
        self.edits.remove(&target);
        self.reactions.remove(&target);
        self.deleted.insert(target);
        if self.deleted.len() > SHOWN_MAX {
            self.deleted.pop_first();
        }
    }

    fn insert(&mut self, seq: Seq, line: Line) {
        if seq <= self.hidden_up_to || self.hidden.contains(&seq) {
            return;
        }
        let line = match line.what {
            What::Said(_) if self.deleted.contains(&seq) => Line { what: What::Said(String::new()), ..line },
            _ => line,
        };
        self.lines.insert(seq, line);
        forget_oldest(&mut self.lines);
    }

    /// An own message is durable; it is shown at its place even if its event is still on the way.
    pub(super) fn sent(&mut self, me: UserId, id: MessageId, seq: Seq, time_ms: u64) {
        let Some(place) = self.unsent.iter().position(|unsent| unsent.id == id) else { return };
        let Unsent { text, reference, .. } = self.unsent.remove(place);
        if is_line(reference.as_ref()) && !self.lines.contains_key(&seq) {
            let answers = reference.map(|reference| reference.seq).filter(|seq| *seq != Seq::ZERO);
            self.note(seq, time_ms, true);
            self.insert(seq, Line { sender: me, time_ms, what: What::Said(text), answers });
        }
    }

    /// What the server has told of how the conversation stands.
    pub(super) fn stands(&mut self, settings: ConversationSettings, head: Seq, unread: u64) {
        self.settings = settings;
        self.counted_to = self.counted_to.max(head);
        self.unread = unread;
    }

    /// How it is listed, or what of it is shown, has changed.
    pub(super) fn shown(&mut self, shown: Shown) {
        if let Some(settings) = shown.settings {
            self.settings = settings;
        }
        if shown.up_to > self.hidden_up_to {
            self.hidden_up_to = shown.up_to;
            self.lines = self.lines.split_off(&shown.up_to.next());
        }
        for seq in shown.seqs {
            self.lines.remove(&seq);
            self.hidden.insert(seq);
            if self.hidden.len() > SHOWN_MAX {
                self.hidden.pop_first();
            }
        }
    }

    /// What a message says now, if it is shown.
    pub(super) fn says(&self, seq: Seq) -> Option<Now<'_>> {
        let line = self.lines.get(&seq)?;
        let What::Said(text) = &line.what else { return None };
        if self.deleted.contains(&seq) {
            return Some(Now::Deleted);
        }
        // The server lets nobody else edit it.
        let edit = self.edits.get(&seq).filter(|edit| edit.by == line.sender);
        Some(edit.map_or(Now::As(text), |edit| Now::Edited(&edit.text)))
    }

    /// Who has reacted to a message, and how.
    pub(super) fn reactions(&self, seq: Seq) -> impl Iterator<Item = (UserId, &str)> {
        let to_it = self.reactions.get(&seq).into_iter().flatten();
        to_it.map(|(user, (_, text))| (*user, text.as_str())).filter(|(_, text)| !text.is_empty())
    }

    /// The newest message that is there, of this user or of anybody else.
    pub(super) fn newest(&self, me: UserId, own: bool) -> Option<Seq> {
        let is_one = |(seq, line): &(&Seq, &Line)| {
            (line.sender == me) == own && matches!(self.says(**seq), Some(Now::As(_) | Now::Edited(_)))
        };
        self.lines.iter().rev().find(is_one).map(|(seq, _)| *seq)
    }

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

    /// Somebody else has come further in a direct conversation.
    pub(super) fn receipt(&mut self, delivered: Seq, read: Seq) {
        self.delivered = self.delivered.max(delivered);
        self.read = self.read.max(read);
    }

    /// This user has read up to here, on another device perhaps.
    pub(super) fn read_here(&mut self, read: Seq) {
        self.marked = self.marked.max(read);
        self.unread = if read >= self.newest_of_others && read >= self.counted_to {
            0
        } else {
            self.unread.min(self.head.max(self.counted_to).get().saturating_sub(read.get()))
        };
    }

    /// The newest entry of others, if it was not marked as read yet; it counts as marked from now on.
    pub(super) fn mark_shown(&mut self) -> Option<Seq> {
        self.unread = 0;
        if self.newest_of_others <= self.marked {
            return None;
        }
        self.marked = self.newest_of_others;
        Some(self.marked)
    }

    /// Members of a group have come further.
    pub(super) fn reach(&mut self, marks: Vec<MemberMark>) {
        for mark in marks {
            let known = self.marks.entry(mark.user).or_insert(MemberMark {
                user: mark.user,
                delivered: Seq::ZERO,
                read: Seq::ZERO,
                delivered_ms: 0,
                read_ms: 0,
            });
            known.delivered = known.delivered.max(mark.delivered);
            known.read = known.read.max(mark.read);
        }
    }

    /// How far a message has come with the members of a group; `None` in a direct conversation.
    pub(super) fn reached(&self, me: UserId, seq: Seq) -> Option<Reached> {
        if self.members.is_empty() {
            return None;
        }
        let went_to = self.members.iter().filter(|member| member.since < seq && member.user != me);
        let audience = went_to.map(|member| member.user).collect();
        let marks: Vec<_> = self.marks.values().cloned().collect();
        Some(Reached::of(&audience, &marks, seq))
    }

    /// How far this user's message has come.
    pub(super) fn tick(&self, me: UserId, seq: Seq) -> Tick {
        if let Some(reached) = self.reached(me, seq) {
            return reached.tick();
        }
        if seq <= self.read {
            Tick::Read
        } else if seq <= self.delivered {
            Tick::Delivered
        } else {
            Tick::Sent
        }
    }
}

fn forget_oldest<T>(of: &mut BTreeMap<Seq, T>) {
    if of.len() > SHOWN_MAX {
        of.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{Body, ConversationId, DeviceId, Role};

    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn message(seq: u64, sender: u64, text: &str, about: Option<(ReferenceKind, u64)>) -> Message {
        Message {
            conversation: ConversationId::direct(user(1), user(2)),
            seq: Seq::new(seq),
            sender: user(sender),
            device: DeviceId::new(1),
            id: MessageId::from_bytes([u8::try_from(seq).unwrap(); 16]),
            time_ms: seq,
            body: Body::new(text.to_owned()),
            reference: about.map(|(kind, seq)| Reference { kind, seq: Seq::new(seq) }),
            deleted: false,
            expires_ms: 0,
            timer_s: 0,
        }
    }

    fn room(messages: Vec<Message>) -> Room {
        let mut room = Room::default();
        messages.into_iter().for_each(|message| {
            let own = message.sender == user(1);
            room.take(message, own, true);
        });
        room
    }

    #[test]
    fn the_newest_edit_holds_whichever_comes_first_and_nobody_elses_does() {
        let edit = |seq, text| message(seq, 2, text, Some((ReferenceKind::Edit, 1)));
        let hello = || message(1, 2, "hello", None);
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut messages = [Some(hello()), Some(edit(3, "hallo")), Some(edit(5, "hullo"))];
            let room = room(order.map(|which: usize| messages[which].take().unwrap()).to_vec());
            assert_eq!(room.says(Seq::new(1)), Some(Now::Edited("hullo")));
            assert_eq!((room.lines.len(), room.unread), (1, 1));
        }
        let mallory = message(3, 3, "give her the key", Some((ReferenceKind::Edit, 1)));
        assert_eq!(room(vec![hello(), mallory]).says(Seq::new(1)), Some(Now::As("hello")));
    }

    #[test]
    fn nothing_of_a_deleted_message_is_kept() {
        let hello = message(1, 2, "hello", None);
        let edit = message(2, 2, "hallo", Some((ReferenceKind::Edit, 1)));
        let reaction = message(3, 1, "+1", Some((ReferenceKind::Reaction, 1)));
        let deletion = message(4, 2, "", Some((ReferenceKind::Delete, 1)));
        let early = room(vec![deletion.clone(), hello.clone()]);
        let late = room(vec![hello, edit, reaction, deletion]);
        for room in [early, late] {
            assert_eq!(room.says(Seq::new(1)), Some(Now::Deleted));
            assert_eq!(room.reactions(Seq::new(1)).count(), 0);
            assert!(matches!(&room.lines[&Seq::new(1)].what, What::Said(text) if text.is_empty()));
            assert_eq!(room.newest(user(1), false), None);
        }
    }

    #[test]
    fn a_reaction_takes_the_place_of_the_senders_earlier_one_and_an_empty_one_ends_it() {
        let react = |seq, sender, text| message(seq, sender, text, Some((ReferenceKind::Reaction, 1)));
        let mut room = room(vec![message(1, 2, "hello", None), react(2, 1, "+1"), react(3, 3, "ha")]);
        room.take(react(4, 1, "-1"), true, true);
        let all: Vec<_> = room.reactions(Seq::new(1)).collect();
        assert_eq!(all, [(user(1), "-1"), (user(3), "ha")]);
        room.take(react(5, 3, ""), false, true);
        assert_eq!(room.reactions(Seq::new(1)).count(), 1);
    }

    #[test]
    fn what_is_hidden_goes_and_does_not_come_back_with_history() {
        let mut room = room((1..=5).map(|seq| message(seq, 2, "x", None)).collect());
        let conversation = ConversationId::direct(user(1), user(2));
        let seqs = vec![Seq::new(4)];
        room.shown(Shown { conversation, settings: None, up_to: Seq::new(2), seqs });
        room.take(message(1, 2, "x", None), false, false);
        room.take(message(4, 2, "x", None), false, false);
        assert_eq!(room.lines.keys().map(|seq| seq.get()).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn what_the_server_has_counted_is_not_counted_again() {
        let mut room = room(vec![message(1, 2, "x", None)]);
        room.stands(ConversationSettings::default(), Seq::new(3), 3);
        room.take(message(3, 2, "x", None), false, true);
        room.take(message(4, 2, "x", None), false, true);
        assert_eq!(room.unread, 4);
        room.read_here(Seq::new(3));
        assert_eq!(room.unread, 1);
        room.read_here(Seq::new(4));
        assert_eq!(room.unread, 0);
    }

    #[test]
    fn in_a_group_ticks_wait_for_all_whom_the_message_went_to() {
        let mut room = room(vec![message(5, 1, "ahoy", None)]);
        let member = |number, since| GroupMember { user: user(number), role: Role::Member, since };
        let (first, later) = (Seq::new(1), Seq::new(9));
        room.members = vec![member(1, first), member(2, first), member(3, first), member(4, later)];
        let mark = |number, delivered, read| MemberMark {
            user: user(number),
            delivered: Seq::new(delivered),
            read: Seq::new(read),
            delivered_ms: 0,
            read_ms: 0,
        };
        let tick = |room: &Room| room.tick(user(1), Seq::new(5));
        assert_eq!(tick(&room), Tick::Sent);
        room.reach(vec![mark(2, 5, 5)]);
        assert_eq!(tick(&room), Tick::Sent);
        room.reach(vec![mark(3, 6, 4), mark(2, 3, 3)]);
        assert_eq!(tick(&room), Tick::Delivered);
        room.reach(vec![mark(3, 6, 6)]);
        assert_eq!(tick(&room), Tick::Read);
        assert_eq!(room.reached(user(1), Seq::new(5)).unwrap().counts(), "2 of 2 delivered, 2 read");
    }
}
