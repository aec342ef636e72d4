//! The host's side: which of the users connected here their owners do not know of yet.

use std::collections::HashMap;
use std::time::Duration;

use rookery_protocol::UserId;
use tokio::time::Instant;

/// After which a registration that is not answered is repeated.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// Registrations repeated at once: the rest has its turn at the next tick.
const REPEATED_MAX: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    unanswered: HashMap<UserId, Registration>,
}

#[derive(Debug)]
struct Registration {
    number: u64,
    sent: Instant,
}

impl Hosting {
    /// A registration has been sent.
    pub(super) fn sent(&mut self, user: UserId, number: u64, now: Instant) {
        self.unanswered.insert(user, Registration { number, sent: now });
    }

    /// The owner has answered. Whether to this node's latest word.
    pub(super) fn answered(&mut self, user: UserId, number: u64) -> bool {
        let is_latest = self.unanswered.get(&user).is_some_and(|sent| sent.number == number);
        if is_latest {
            self.unanswered.remove(&user);
        }
        is_latest
    }

    /// There is nobody to be registered, or nobody to register with but this node itself.
    pub(super) fn forget(&mut self, user: UserId) {
        self.unanswered.remove(&user);
    }

    /// Whether the owner has yet to answer.
    pub(super) fn is_unanswered(&self, user: UserId) -> bool {
        self.unanswered.contains_key(&user)
    }

    /// Whose registration is to be repeated, of many those that have waited longest.
    pub(super) fn overdue(&self, now: Instant) -> Vec<UserId> {
        let waiting = self.unanswered.iter().map(|(user, registration)| (registration.sent, *user));
        let mut overdue: Vec<(Instant, UserId)> =
            waiting.filter(|(sent, _)| now.duration_since(*sent) >= ANSWER_TIME_MAX).collect();
        if overdue.len() > REPEATED_MAX {
            overdue.select_nth_unstable(REPEATED_MAX);
        }
        overdue.into_iter().take(REPEATED_MAX).map(|(_, user)| user).collect()
    }

    /// How many wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.unanswered.len()
    }
}
