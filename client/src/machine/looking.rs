//! What the user is looking at, whether the user is there, and where they are typing. The server forgets all of it with
//! the connection, and the first after a while: it is told again in time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rookery_protocol::{ConversationId, Doing, Presence, UserId, limits};

/// When the server hears again what is watched: well before it forgets.
const RENEWED_AFTER: Duration = Duration::from_millis(limits::WATCH_MS as u64 / 2);
/// A little later than the server takes it: what comes sooner, because the time before was late, is dropped.
const TYPING_EVERY: Duration = Duration::from_millis(limits::TYPING_EVERY_MS as u64 + 500);
/// A notice of receipts may be lost: with each so-manieth renewal, about every minute and not all clients at once, it is
/// asked how things are.
const RECEIPTS_WITH_RENEWALS: u32 = 2;
const TYPING_HOLDS: Duration = Duration::from_millis(limits::TYPING_MS as u64);

/// What is on the user's screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) users: Vec<UserId>,
    pub(crate) conversations: Vec<ConversationId>,
}

/// When the server last heard that the user is typing somewhere, and whether it takes them to be typing still.
#[derive(Debug, Clone, Copy)]
struct Typed {
    at: Duration,
    holds: bool,
}

/// What the application has said of it, and what the server has heard on this connection.
#[derive(Debug, Default)]
pub(crate) struct Looking {
    view: View,
    due: bool,
    /// A WATCH without an answer yet. The next one waits for it, so that the last one told is the last one heard.
    asked: Option<View>,
    /// What the server tells of, by its last answer on this connection.
    heard: Option<View>,
    /// A WATCH was refused since, and the time of the one before may have run out.
    is_doubtful: bool,
    /// What the server has told of those whom it watches for this connection. It does not repeat that to a user who looks
    /// elsewhere and back before it has heard.
    seen: BTreeMap<UserId, Presence>,
    /// Since the server began to tell of this.
    renewals: u32,
    /// Open groups of which it is to be asked how far their members have come.
    receipts_due: VecDeque<ConversationId>,
    renew_at: Option<Duration>,
    away: bool,
    away_told: bool,
    typed: BTreeMap<ConversationId, Typed>,
}

impl Looking {
    /// The user looks at something else. Gives what is known of those who were not looked at just now.
    pub(crate) fn watch(&mut self, view: View) -> Vec<Presence> {
        if view == self.view {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.view, view);
        self.due = true;
        let back = self.view.users.iter().filter(|user| !before.users.contains(user));
        back.filter_map(|user| self.seen.get(user).cloned()).collect()
    }

    /// A connection began: it knows of nothing, and takes the user to be there.
    pub(crate) fn restart(&mut self) {
        self.due = self.view != View::default();
        (self.renew_at, self.away_told) = (None, false);
        self.lose_sight();
        self.typed.clear();
    }

    /// The connection is gone, and with it what was told on it.
    pub(crate) fn lose_sight(&mut self) {
        (self.asked, self.heard, self.is_doubtful) = (None, None, false);
        self.seen.clear();
        self.receipts_due.clear();
    }

    pub(crate) fn pass_time(&mut self, now: Duration) {
        self.due |= self.renew_at.is_some_and(|at| at <= now);
    }

    /// When time has to pass at the latest.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.renew_at.filter(|_| !self.due && self.asked.is_none())
    }

    pub(crate) fn is_watch_due(&self) -> bool {
        self.due && self.asked.is_none()
    }

    /// What to tell the server now.
    pub(crate) fn tell_watch(&mut self, now: Duration) -> View {
        self.due = false;
        self.renew_at = (self.view != View::default()).then_some(now + RENEWED_AFTER);
        self.asked = Some(self.view.clone());
        self.view.clone()
    }

    /// The server tells of what is watched from now on. Says whether it did not before.
    pub(crate) fn watch_begun(&mut self) -> bool {
        let Some(asked) = self.asked.take() else { return false };
        self.seen.retain(|user, _| asked.users.contains(user));
        let is_renewal = !self.is_doubtful && self.heard.as_ref() == Some(&asked);
        self.renewals = if is_renewal { self.renewals + 1 } else { 0 };
        if is_renewal && self.renewals.is_multiple_of(RECEIPTS_WITH_RENEWALS) {
            let groups = asked.conversations.iter().copied().filter(|open| open.group_id().is_some());
            self.receipts_due = groups.collect();
        }
        (self.heard, self.is_doubtful) = (Some(asked), false);
        !is_renewal
    }

    /// Whether there is an open group of whose receipts it is to be asked.
    pub(crate) fn are_receipts_due(&self) -> bool {
        !self.receipts_due.is_empty()
    }

    /// A group to ask of, if it is open still.
    pub(crate) fn ask_receipts(&mut self) -> Option<ConversationId> {
        let Self { receipts_due, view, .. } = self;
        std::iter::from_fn(|| receipts_due.pop_front()).find(|group| view.conversations.contains(group))
    }

    /// The server does not: it is told again at the usual time, or when it asks for that.
    pub(crate) fn watch_refused(&mut self, again_at: Option<Duration>) {
        (self.asked, self.is_doubtful) = (None, true);
        if again_at.is_some() {
            self.renew_at = again_at;
        }
    }

    /// The server tells how these are. Gives those whom the user looks at.
    pub(crate) fn presence(&mut self, people: Vec<Presence>) -> Vec<Presence> {
        for presence in &people {
            let user = presence.user;
            if [&self.asked, &self.heard].into_iter().flatten().any(|view| view.users.contains(&user)) {
                self.seen.insert(user, presence.clone());
            }
        }
        let looked_at = people.into_iter().filter(|presence| self.view.users.contains(&presence.user));
        looked_at.collect()
    }

    /// Is this conversation watched?
    pub(crate) fn watches(&self, conversation: ConversationId) -> bool {
        self.view.conversations.contains(&conversation)
    }

    pub(crate) fn set_active(&mut self, active: bool) {
        self.away = !active;
    }

    /// Whether the user is there, if the server has to hear that now.
    pub(crate) fn tell_active(&mut self) -> Option<bool> {
        let is_news = self.away != self.away_told;
        self.away_told = self.away;
        is_news.then_some(!self.away)
    }

    /// The user does something in a conversation. Says whether the server has to hear it.
    pub(crate) fn typing(&mut self, now: Duration, conversation: ConversationId, doing: Doing) -> bool {
        self.typed.retain(|_, typed| now < typed.at + TYPING_HOLDS);
        let typed = self.typed.get_mut(&conversation);
        if doing == Doing::Nothing {
            return typed.is_some_and(|typed| std::mem::take(&mut typed.holds));
        }
        if typed.is_some_and(|typed| now < typed.at + TYPING_EVERY) {
            return false;
        }
        self.typed.insert(conversation, Typed { at: now, holds: true });
        true
    }

    /// A message goes to a conversation, which ends the typing there.
    pub(crate) fn sends(&mut self, conversation: ConversationId) {
        if let Some(typed) = self.typed.get_mut(&conversation) {
            typed.holds = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap())
    }

    #[test]
    fn typing_is_told_at_most_every_so_often_and_its_end_once() {
        let mut looking = Looking::default();
        let mut typing = |at_ms, doing| looking.typing(Duration::from_millis(at_ms), conversation(), doing);
        assert!(!typing(0, Doing::Nothing), "nothing was told before");
        assert!(typing(0, Doing::Typing));
        assert!(!typing(3_499, Doing::Typing));
        assert!(typing(3_500, Doing::Typing));
        assert!(typing(4_000, Doing::Nothing));
        assert!(!typing(4_100, Doing::Nothing));
        assert!(!typing(6_000, Doing::Typing), "too soon after the last time");
        assert!(typing(7_000, Doing::Recording));
        assert!(!typing(12_000, Doing::Nothing), "nobody takes them to be at it any more");
    }

    #[test]
    fn a_message_ends_the_typing_without_a_word() {
        let mut looking = Looking::default();
        assert!(looking.typing(Duration::ZERO, conversation(), Doing::Typing));
        looking.sends(conversation());
        assert!(!looking.typing(Duration::from_secs(1), conversation(), Doing::Nothing));
    }

    #[test]
    fn that_the_user_is_away_is_told_once_on_each_connection() {
        let mut looking = Looking::default();
        assert_eq!(looking.tell_active(), None);
        looking.set_active(false);
        assert_eq!((looking.tell_active(), looking.tell_active()), (Some(false), None));
        looking.restart();
        assert_eq!(looking.tell_active(), Some(false));
        looking.set_active(true);
        assert_eq!(looking.tell_active(), Some(true));
    }
}
