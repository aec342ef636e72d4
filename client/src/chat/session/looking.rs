//! What the person looks at, and what the others there are doing.

use rookery_protocol::{Doing, UserId, limits};
use tokio::time::Instant;

use super::Session;

impl Session {
    /// Tells the server what is on the screen, if that has changed.
    pub(crate) fn look(&mut self) {
        let conversations: Vec<_> = self.rooms.open.into_iter().collect();
        let listed = self.rooms.listed().into_iter().map(|(conversation, _)| conversation);
        let mut users: Vec<UserId> = Vec::new();
        for conversation in conversations.iter().copied().chain(listed) {
            if let Some(peer) = self.rooms.peer(conversation)
                && !self.rooms.is_me(peer)
                && !users.contains(&peer)
            {
                users.push(peer);
            }
            if users.len() == limits::WATCH_USERS_MAX {
                break;
            }
        }
        // Whoever wrote last is listed first: that alone is nothing else to look at.
        let mut sorted = users.clone();
        sorted.sort_unstable();
        if self.looking == (sorted.clone(), self.rooms.open) {
            return;
        }
        self.looking = (sorted, self.rooms.open);
        self.rooms.forget_presence_of_others(&users);
        // It is never more than a connection may watch.
        let _ = self.client.watch(users, conversations);
    }

    /// The line that is being written has changed.
    pub(crate) fn typed(&self, line: &str) {
        let Some(open) = self.rooms.open else { return };
        if line.is_empty() {
            self.client.typing(open, Doing::Nothing);
        } else if !line.starts_with('/') {
            self.client.typing(open, Doing::Typing);
        }
    }

    /// The terminal has the person's attention, or has not.
    pub(crate) fn focus(&mut self, has_it: bool) {
        self.is_away = !has_it;
        self.client.active(has_it);
    }

    /// What is on the screen is read, if anybody looks.
    pub(crate) fn mark_shown(&mut self) {
        if !self.is_away && self.scrolled.is_none() {
            self.mark_read();
        }
    }

    /// When the screen shows something that is over then.
    pub(crate) fn pass_time(&mut self) -> Option<Instant> {
        self.now_ms = super::chats::now_ms();
        self.rooms.pass_time(Instant::now())
    }
}
