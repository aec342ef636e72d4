//! The channels that the user follows, and what has to be asked about each: what a list, a notice or a page of HISTORY means.
//!
//! How far a channel has come is known to [`Ordering`](super::ordering::Ordering), which has one order for what comes as
//! notices, pages and events, and is told to this. Members get all that is said as events: they need nothing of it.
//!
//! Invariants:
//! - what is to be handed up begins with the next entry and has no gap, unless nothing can be read any more;
//! - of a channel's log one page is asked for at a time, and at most [`ASKED_MAX`] of all logs;
//! - at most [`AHEAD_MAX`] entries wait for those before them: others are read from the log.

use std::collections::BTreeMap;

use rookery_protocol::{
    ConversationId, ConversationList, GroupChange, GroupId, Message, Seq, UserId, limits,
};

/// Pages of logs that are asked for at a time.
const ASKED_MAX: usize = 4;
/// Entries, of all channels, that are kept until those before them have come.
const AHEAD_MAX: usize = 128;

/// Whether something is to be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asking {
    /// There is nothing to ask.
    Nothing,
    #[default]
    Due,
    /// The answer is due.
    Asked,
    /// For an alarm, before it is asked again.
    Waiting,
}

/// How a followed channel stands, by the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    is_member: bool,
    read: Seq,
    head: Seq,
}

/// The list of what is followed, as it is asked for page by page.
#[derive(Debug, Default)]
struct List {
    asking: Asking,
    /// Something has changed since it was asked for.
    again: bool,
    after: Option<GroupId>,
    found: BTreeMap<GroupId, Standing>,
}

/// A channel that is followed.
#[derive(Debug)]
struct Channel {
    is_member: bool,
    /// Of the log, from the next entry on.
    asking: Asking,
    /// An entry of which it is known that it is there.
    known: Seq,
    /// Entries whose predecessors are missing.
    ahead: BTreeMap<Seq, Message>,
}

/// All that the user follows.
#[derive(Debug, Default)]
pub(super) struct Channels {
    list: List,
    /// A whole list has come in this run.
    is_known: bool,
    followed: BTreeMap<GroupId, Channel>,
}

impl Channels {
    /// A connection began: what was said without it is to be read.
    pub(super) fn restart(&mut self) {
        if !self.is_known || self.list.asking != Asking::Nothing || self.list.again {
            self.list = List::default();
        }
        for channel in self.followed.values_mut() {
            channel.asking = if channel.is_member { Asking::Nothing } else { Asking::Due };
        }
    }

    /// What is followed may have changed.
    pub(super) fn ask_list(&mut self) {
        match self.list.asking {
            Asking::Nothing => self.list.asking = Asking::Due,
            Asking::Asked => self.list.again = true,
            Asking::Due | Asking::Waiting => {}
        }
    }

    /// The same, and there is no hurry. Says whether an alarm is needed for it.
    pub(super) fn ask_list_later(&mut self) -> bool {
        let is_idle = self.list.asking == Asking::Nothing;
        if is_idle {
            self.list.asking = Asking::Waiting;
        } else {
            self.ask_list();
        }
        is_idle
    }

    /// What to ask a list after, if one is to be asked for now.
    pub(super) fn next_list(&mut self) -> Option<ConversationId> {
        if self.list.asking != Asking::Due {
            return None;
        }
        self.list.asking = Asking::Asked;
        Some(self.list.after.map_or_else(last_of_two, ConversationId::group))
    }

    /// The server has no list now. Without an alarm it never has one.
    pub(super) fn list_refused(&mut self, is_for_now: bool) {
        self.list = List::default();
        self.list.asking = if is_for_now { Asking::Waiting } else { Asking::Nothing };
    }

    /// It is time for a list that waited.
    pub(super) fn list_waited(&mut self) {
        if self.list.asking == Asking::Waiting {
            self.list.asking = Asking::Due;
        }
    }

    /// A page of the list came. When it was the last one: where channels begin that are followed anew, given up to where
    /// entries of them have been handed up.
    pub(super) fn listed(
        &mut self,
        page: ConversationList,
        handed: impl Fn(GroupId) -> Option<Seq>,
    ) -> Option<Vec<(GroupId, Seq)>> {
        let list = &mut self.list;
        let before = list.after;
        for it in page.conversations {
            let Some(group) = it.conversation.group_id() else { continue };
            list.after = list.after.max(Some(group));
            if it.is_followed && list.found.len() < limits::FOLLOWED_MAX {
                let (is_member, read, head) = (it.is_member, it.read, it.head);
                list.found.insert(group, Standing { is_member, read, head });
            }
        }
        // A list that goes back would have no end.
        if page.more && list.after > before {
            list.asking = Asking::Due;
            return None;
        }
        let asking = if list.again { Asking::Due } else { Asking::Nothing };
        let List { found, .. } = std::mem::replace(list, List { asking, ..List::default() });
        Some(self.follow(&found, handed))
    }

    fn follow(
        &mut self,
        found: &BTreeMap<GroupId, Standing>,
        handed: impl Fn(GroupId) -> Option<Seq>,
    ) -> Vec<(GroupId, Seq)> {
        // At first, events may be on their way that are older than that the channel is followed: none is skipped.
        let may_skip = std::mem::replace(&mut self.is_known, true);
        self.followed.retain(|group, _| found.contains_key(group));
        let mut beginnings = Vec::new();
        for (group, Standing { is_member, read, head }) in found {
            let mut handed = handed(*group);
            let channel = self.followed.entry(*group).or_insert_with(|| {
                let begins_at = match handed {
                    Some(handed) if !may_skip => handed,
                    handed => handed.unwrap_or_default().max(*read),
                };
                if !is_member && handed != Some(begins_at) {
                    beginnings.push((*group, begins_at));
                    handed = Some(begins_at);
                }
                Channel::new(*is_member)
            });
            // Whether the user is a member of one that is known is told by events, in their place.
            channel.known = channel.known.max(*head);
            if !channel.is_member && handed < Some(channel.known) {
                channel.read_on();
            }
        }
        beginnings
    }

    /// All that are followed, ascending.
    pub(super) fn groups(&self) -> Vec<GroupId> {
        self.followed.keys().copied().collect()
    }

    /// Whether this channel is followed.
    pub(super) fn follows(&self, group: GroupId) -> bool {
        self.followed.contains_key(&group)
    }

    /// The user has become a member of a group, or has ceased to be one. Says whether they were following it as no member.
    pub(super) fn set_member(&mut self, group: GroupId, is_member: bool) -> bool {
        let Some(channel) = self.followed.get_mut(&group) else { return false };
        let was_member = std::mem::replace(&mut channel.is_member, is_member);
        if is_member {
            channel.ahead.clear();
        } else {
            channel.read_on();
        }
        !was_member
    }

    /// A notice came of a channel of which all up to `handed` has been handed up. Gives what is to be handed up now, if there
    /// is room for it.
    pub(super) fn notice(&mut self, entry: Message, handed: Option<Seq>, has_room: bool) -> Vec<Message> {
        let Some(group) = entry.conversation.group_id() else { return Vec::new() };
        let ahead: usize = self.followed.values().map(|channel| channel.ahead.len()).sum();
        let Some(channel) = self.followed.get_mut(&group) else {
            self.ask_list();
            return Vec::new();
        };
        let handed = handed.unwrap_or_default();
        if channel.is_member || entry.seq <= handed {
            return Vec::new();
        }
        channel.known = channel.known.max(entry.seq);
        if entry.seq == handed.next() && has_room {
            let mut run = vec![entry];
            run.extend(channel.after(handed.next()));
            return run;
        }
        if ahead < AHEAD_MAX && has_room {
            channel.ahead.insert(entry.seq, entry);
        }
        channel.read_on();
        Vec::new()
    }

    /// A channel of whose log a page is to be asked for now.
    pub(super) fn next_log(&mut self) -> Option<GroupId> {
        let asked = self.followed.values().filter(|channel| channel.asking == Asking::Asked).count();
        if asked >= ASKED_MAX {
            return None;
        }
        let (group, channel) = self.followed.iter_mut().find(|(_, it)| it.asking == Asking::Due)?;
        channel.asking = Asking::Asked;
        Some(*group)
    }

    /// A page came, by which the log ends with `head`, and all up to `handed` has been handed up, `before` it less perhaps.
    /// Gives what is to be handed up behind it, and whether an alarm is needed to ask again.
    pub(super) fn page(
        &mut self,
        group: GroupId,
        head: Seq,
        (before, handed): (Seq, Seq),
    ) -> (Vec<Message>, bool) {
        let Some(channel) = self.followed.get_mut(&group) else { return (Vec::new(), false) };
        let run = channel.after(handed);
        let reached = run.last().map_or(handed, |entry| entry.seq);
        channel.known = channel.known.max(head);
        channel.asking = if channel.is_member || reached >= channel.known {
            Asking::Nothing
        } else if reached > before {
            Asking::Due
        } else {
            // A page that says nothing: it is not asked for in a loop.
            Asking::Waiting
        };
        (run, channel.asking == Asking::Waiting)
    }

    /// The log cannot be read for now.
    pub(super) fn log_refused(&mut self, group: GroupId) {
        if let Some(channel) = self.followed.get_mut(&group) {
            channel.asking = Asking::Waiting;
        }
    }

    /// It is time for a log that waited.
    pub(super) fn log_waited(&mut self, group: GroupId) {
        let waits = self.followed.get_mut(&group).filter(|it| it.asking == Asking::Waiting);
        if let Some(channel) = waits {
            channel.asking = Asking::Due;
        }
    }

    /// While somebody looks at a channel, it is asked now and then whether a notice was lost. Says whether this is one, of
    /// which nothing comes as events.
    pub(super) fn look_again(&mut self, conversation: ConversationId) -> bool {
        let channel = conversation.group_id().and_then(|group| self.followed.get_mut(&group));
        let Some(channel) = channel.filter(|channel| !channel.is_member) else { return false };
        channel.read_on();
        true
    }

    /// Whether this entry, the last one handed up, ends the channel for those who follow it.
    pub(super) fn is_end(&self, entry: &Message) -> bool {
        let channel = entry.conversation.group_id().and_then(|group| self.followed.get(&group));
        let ends = match &entry.change {
            Some(GroupChange::Deleted) => true,
            Some(GroupChange::Set(settings)) => !settings.is_channel,
            _ => false,
        };
        ends && channel.is_some_and(|channel| !channel.is_member && channel.ahead.is_empty())
    }

    /// A channel is followed no more, or cannot be read. Gives what had come of it, with gaps; `None` if it was not followed.
    pub(super) fn end(&mut self, group: GroupId) -> Option<Vec<Message>> {
        self.followed.remove(&group).map(|channel| channel.ahead.into_values().collect())
    }
}

impl Channel {
    fn new(is_member: bool) -> Self {
        Self { is_member, asking: Asking::Nothing, known: Seq::ZERO, ahead: BTreeMap::new() }
    }

    /// There is, or may be, more to read.
    fn read_on(&mut self) {
        if self.asking == Asking::Nothing {
            self.asking = Asking::Due;
        }
    }

    /// Takes the entries behind `seq`, up to the first one that is missing.
    fn after(&mut self, seq: Seq) -> Vec<Message> {
        self.ahead = self.ahead.split_off(&seq.next());
        let mut run: Vec<Message> = Vec::new();
        while let Some(first) = self.ahead.first_entry() {
            if *first.key() != run.last().map_or(seq, |last| last.seq).next() {
                break;
            }
            run.push(first.remove());
        }
        run
    }
}

/// The last conversation of two that there can be: behind it, lists have groups alone.
pub(super) fn last_of_two() -> ConversationId {
    let last = UserId::new(UserId::MAX).expect("the largest number is one");
    ConversationId::direct(last, last)
}
