//! Requests other than messages: lookups, history, read marks, what there is to ask and to change of groups, and of what is
//! the user's own. Each can be repeated without harm: what makes or changes a group carries an id, and what is set is set
//! whole.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rookery_protocol::{
    ConversationId, ConversationList, ConversationSettings, Found, FoundPeople, Group, GroupChange,
    GroupCreated, GroupId, GroupList, GroupSettings, Handle, HistoryPage, MessageId, People, Person, Privacy,
    PrivacySettings, Profile, Profiles, Receipts, Sent, Seq, UserId,
};

/// The application's name for a request; grows.
pub(crate) type CallId = u64;

/// What the application asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    LookupHandle(Handle),
    LookupUser(UserId),
    History { conversation: ConversationId, from: Seq, to: Seq, backwards: bool, time_ms: u64 },
    CreateGroup { id: MessageId, name: String, members: Vec<UserId>, settings: GroupSettings },
    ChangeGroup { id: MessageId, group: GroupId, change: GroupChange },
    Group(GroupId),
    Groups { after: Option<GroupId> },
    Receipts(ConversationId),
    Conversations { after: Option<ConversationId> },
    SetConversation { conversation: ConversationId, settings: ConversationSettings },
    Hide { conversation: ConversationId, up_to: Seq, seqs: Vec<Seq> },
    SetPrivacy(PrivacySettings),
    Privacy,
    SetProfile(Profile),
    Profiles(Vec<UserId>),
    SetPerson(Person),
    People { after: Option<UserId> },
    FindPeople(Vec<Handle>),
    Follow { group: GroupId, follow: bool },
    Report { user: UserId, conversation: Option<ConversationId>, seqs: Vec<Seq>, text: String },
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Found(Found),
    Page(HistoryPage),
    Created(GroupCreated),
    Changed(Sent),
    Group(Group),
    Groups(GroupList),
    Receipts(Receipts),
    Conversations(ConversationList),
    Privacy(Privacy),
    Profiles(Profiles),
    People(People),
    FoundPeople(FoundPeople),
    Done,
}

#[derive(Debug)]
struct Waiting {
    call: Call,
    deadline: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    wanted: Seq,
    in_flight: Option<Seq>,
}

/// All that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    calls: BTreeMap<CallId, Waiting>,
    due_calls: VecDeque<CallId>,
    marks: BTreeMap<ConversationId, Mark>,
    due_marks: VecDeque<ConversationId>,
}

impl Requests {
    pub(crate) fn call(&mut self, id: CallId, call: Call, deadline: Duration) {
        self.calls.insert(id, Waiting { call, deadline });
        self.due_calls.push_back(id);
    }

    /// The user has read up to `seq`.
    pub(crate) fn mark(&mut self, conversation: ConversationId, seq: Seq) {
        let mark = self.marks.entry(conversation).or_insert(Mark { wanted: Seq::ZERO, in_flight: None });
        if seq > mark.wanted {
            mark.wanted = seq;
            if mark.in_flight.is_none() {
                self.due_marks.push_back(conversation);
            }
        }
    }

    /// A connection began: everything is asked again.
    pub(crate) fn restart(&mut self) {
        self.due_calls = self.calls.keys().copied().collect();
        self.due_marks = self.marks.keys().copied().collect();
        for mark in self.marks.values_mut() {
            mark.in_flight = None;
        }
    }

    pub(crate) fn next_call(&mut self) -> Option<(CallId, Call)> {
        loop {
            let id = self.due_calls.pop_front()?;
            if let Some(waiting) = self.calls.get(&id) {
                return Some((id, waiting.call.clone()));
            }
        }
    }

    pub(crate) fn next_mark(&mut self) -> Option<(ConversationId, Seq)> {
        loop {
            let conversation = self.due_marks.pop_front()?;
            if let Some(mark) = self.marks.get_mut(&conversation)
                && mark.in_flight.is_none()
            {
                mark.in_flight = Some(mark.wanted);
                return Some((conversation, mark.wanted));
            }
        }
    }

    /// The channel that a call is to follow no more, if it is such a call and not over.
    pub(crate) fn unfollows(&self, id: CallId) -> Option<GroupId> {
        match self.calls.get(&id)?.call {
            Call::Follow { group, follow: false } => Some(group),
            _ => None,
        }
    }

    /// A call is over. `false` when it was so before.
    pub(crate) fn finish_call(&mut self, id: CallId) -> bool {
        self.calls.remove(&id).is_some()
    }

    pub(crate) fn retry_call(&mut self, id: CallId) {
        self.due_calls.push_back(id);
    }

    /// The server has the mark, or never will.
    pub(crate) fn mark_answered(&mut self, conversation: ConversationId) {
        if let Some(mark) = self.marks.get_mut(&conversation) {
            if mark.in_flight.is_some_and(|sent| sent < mark.wanted) {
                mark.in_flight = None;
                self.due_marks.push_back(conversation);
            } else {
                self.marks.remove(&conversation);
            }
        }
    }

    pub(crate) fn retry_mark(&mut self, conversation: ConversationId) {
        if let Some(mark) = self.marks.get_mut(&conversation) {
            mark.in_flight = None;
            self.due_marks.push_back(conversation);
        }
    }

    /// Calls have equal patience, so the oldest is the first to lose it.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.calls.first_key_value().map(|(_, waiting)| waiting.deadline)
    }

    /// A call whose time is up.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<CallId> {
        let first = self.calls.first_entry().filter(|first| first.get().deadline <= now)?;
        let id = *first.key();
        first.remove();
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_marks_of_a_conversation_coalesce_while_one_is_in_flight() {
        let user = |number| UserId::new(number).unwrap();
        let conversation = ConversationId::direct(user(1), user(2));
        let mut requests = Requests::default();
        requests.mark(conversation, Seq::new(1));
        assert_eq!(requests.next_mark(), Some((conversation, Seq::new(1))));
        requests.mark(conversation, Seq::new(2));
        requests.mark(conversation, Seq::new(3));
        assert_eq!(requests.next_mark(), None);
        requests.mark_answered(conversation);
        assert_eq!(requests.next_mark(), Some((conversation, Seq::new(3))));
        requests.mark_answered(conversation);
        assert_eq!(requests.next_mark(), None);
        assert!(requests.marks.is_empty());
    }
}
