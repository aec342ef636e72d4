//! Presence, typing and receipts as those meet them who are looking.

use std::time::Duration;

use rookery_protocol::{
    Active, Availability, ConversationId, Doing, Done, Heartbeat, HeartbeatAck, PresenceNotice,
    ReceiptsNotice, ServerFrame, Typing, TypingNotice, Watch,
};

use tokio::time::{Instant, timeout_at};

use crate::client::{Client, user};

mod nodes;
mod presence;
mod privacy;
mod receipts;
mod typing;

/// More than anything here takes, unless it waits for something.
const SOON: Duration = Duration::from_secs(4);

/// A user's number, how the user is, and when they were last seen.
type Person = (u64, Availability, u64);

const fn online(number: u64) -> Person {
    (number, Availability::Online, 0)
}

const fn idle(number: u64) -> Person {
    (number, Availability::Idle, 0)
}

impl Client {
    /// Watches these users, and has these conversations open.
    async fn watch(&mut self, users: &[u64], conversations: &[ConversationId]) {
        let request = self.new_request();
        let users = users.iter().copied().map(user).collect();
        self.tell(&Watch { request, users, conversations: conversations.to_vec() }).await;
        assert_eq!(self.answer().await, ServerFrame::Done(Done { request }));
    }

    async fn active(&mut self, active: bool) {
        self.tell(&Active { active }).await;
    }

    async fn typing(&mut self, conversation: ConversationId, doing: Doing) {
        self.tell(&Typing { conversation, doing }).await;
    }

    /// The next notice of presence.
    async fn presence(&mut self) -> Vec<Person> {
        match self.answer().await {
            ServerFrame::PresenceNotice(PresenceNotice { people }) => {
                people.iter().map(|it| (it.user.get(), it.availability, it.last_seen_ms)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next notices of presence, until these users have been told of.
    async fn presences(&mut self, count: usize) -> Vec<Person> {
        let mut people = Vec::new();
        while people.len() < count {
            people.extend(self.presence().await);
        }
        people.sort_unstable_by_key(|(user, ..)| *user);
        people
    }

    /// For this long nothing comes but lists of nodes, and what else may.
    async fn sees_nothing_for(&mut self, time: Duration, but: impl Fn(&ServerFrame) -> bool) {
        let until = Instant::now() + time;
        while let Ok(frame) = timeout_at(until, self.next()).await {
            let frame = frame.expect("the node has closed");
            assert!(matches!(frame, ServerFrame::Nodes(_)) || but(&frame), "{frame:?}");
        }
    }

    /// The next notice of typing: who, and what.
    async fn typed(&mut self, conversation: ConversationId) -> (u64, Doing) {
        match self.answer().await {
            ServerFrame::TypingNotice(TypingNotice { conversation: at, user, doing }) => {
                assert_eq!(at, conversation);
                (user.get(), doing)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next notice of receipts: user, delivered, read.
    async fn receipts(&mut self, conversation: ConversationId) -> Vec<(u64, u64, u64)> {
        match self.answer().await {
            ServerFrame::ReceiptsNotice(ReceiptsNotice { conversation: at, marks }) => {
                assert_eq!(at, conversation);
                assert!(marks.iter().all(|mark| mark.delivered_ms > 0), "{marks:?}");
                marks.iter().map(|it| (it.user.get(), it.delivered.get(), it.read.get())).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Client {
    /// Sends a heartbeat, and waits for its answer, whatever is told meanwhile.
    async fn heartbeat_among_notices(&mut self) {
        self.tell(&Heartbeat { nonce: 77 }).await;
        while self.answer().await != ServerFrame::HeartbeatAck(HeartbeatAck { nonce: 77 }) {}
    }
}
