//! The host's side: which of the users connected here their owners do not know of yet.

use std::collections::HashMap;
use std::time::Duration;

use rookery_protocol::UserId;
use tokio::time::Instant;

/// After which a registration that is not answered is repeated.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);

/// For an owner to hear that nobody is here any more. Whoever does not, learns it at the next bell.
const LEAVING_TIME_MAX: Duration = Duration::from_secs(60);

/// Registrations repeated at once: the rest has its turn at the next tick.
const REPEATED_MAX: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Hosting {
    unanswered: HashMap<UserId, Registration>,
    /// Those of nobody, which are not repeated.
    leaving: HashMap<UserId, Registration>,
}

#[derive(Debug)]
struct Registration {
    number: u64,
    sent: Instant,
}

/// What an owner has answered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// This node's latest word.
    Latest,
    /// An earlier one: the answer to the latest is still to come.
    Earlier,
    /// An earlier one, which came behind the latest, or after the owner had forgotten that.
    Late,
}

impl Hosting {
    /// A registration has been sent.
    pub(super) fn sent(&mut self, user: UserId, number: u64, now: Instant) {
        self.leaving.remove(&user);
        self.unanswered.insert(user, Registration { number, sent: now });
    }

    /// It has been said that nobody is here.
    pub(super) fn left(&mut self, user: UserId, number: u64, now: Instant) {
        self.unanswered.remove(&user);
        self.leaving.insert(user, Registration { number, sent: now });
    }

    /// The owner has answered.
    pub(super) fn answered(&mut self, user: UserId, number: u64) -> Answered {
        for waiting in [&mut self.unanswered, &mut self.leaving] {
            match waiting.get(&user) {
                Some(latest) if latest.number == number => {
                    waiting.remove(&user);
                    return Answered::Latest;
                }
                Some(_) => return Answered::Earlier,
                None => {}
            }
        }
        Answered::Late
    }

    /// There is nobody to be registered, or nobody to register with but this node itself.
    pub(super) fn forget(&mut self, user: UserId) {
        self.unanswered.remove(&user);
        self.leaving.remove(&user);
    }

    /// Whether the owner has yet to answer.
    pub(super) fn is_unanswered(&self, user: UserId) -> bool {
        self.unanswered.contains_key(&user)
    }

    /// Whose registration is to be repeated, of many those that have waited longest.
    pub(super) fn overdue(&mut self, now: Instant) -> Vec<UserId> {
        self.leaving.retain(|_, left| now.duration_since(left.sent) < LEAVING_TIME_MAX);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_who_was_here_that_comes_after_all_have_left_is_late_and_one_to_that_is_not() {
        let (mut hosting, user, now) = (Hosting::default(), UserId::new(1).unwrap(), Instant::now());
        hosting.sent(user, 1, now);
        hosting.left(user, 2, now);
        assert_eq!((hosting.len(), hosting.overdue(now + ANSWER_TIME_MAX)), (0, vec![]));
        assert_eq!(hosting.answered(user, 1), Answered::Earlier, "2 may be on its way behind it");
        assert_eq!(hosting.answered(user, 2), Answered::Latest);
        assert_eq!(hosting.answered(user, 1), Answered::Late);
        // What is said then is answered too, and that is the end of it.
        hosting.left(user, 3, now);
        assert_eq!(hosting.answered(user, 3), Answered::Latest);
        hosting.left(user, 4, now);
        hosting.sent(user, 5, now);
        assert_eq!(hosting.answered(user, 4), Answered::Earlier);
        assert_eq!(hosting.answered(user, 5), Answered::Latest);
    }

    #[test]
    fn owners_that_say_nothing_of_those_who_have_left_are_waited_for_no_longer_than_they_may_take() {
        let (mut hosting, user, now) = (Hosting::default(), UserId::new(1).unwrap(), Instant::now());
        hosting.left(user, 1, now);
        hosting.overdue(now + LEAVING_TIME_MAX / 2);
        assert_eq!(hosting.leaving.len(), 1);
        hosting.overdue(now + LEAVING_TIME_MAX);
        assert_eq!(hosting.leaving.len(), 0);
    }
}
