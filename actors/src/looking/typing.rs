//! How often what one connection says of typing is passed on. No IO.

use std::time::Duration;

use rookery_protocol::{ConversationId, Doing, limits};
use tokio::time::Instant;

/// Between two that are passed on, of one conversation.
const PACE: Duration = Duration::from_millis(limits::TYPING_EVERY_MS as u64);

/// Conversations remembered: who types in more of them at once is not heard in the rest.
const REMEMBERED_MAX: usize = limits::WATCH_CONVERSATIONS_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TypingPace {
    passed: Vec<Passed>,
}

#[derive(Debug)]
struct Passed {
    conversation: ConversationId,
    at: Instant,
    /// The last word was not that it is over.
    is_doing: bool,
}

impl TypingPace {
    /// Whether this is passed on. The end of what was passed on always is.
    pub(crate) fn passes(&mut self, now: Instant, conversation: ConversationId, doing: Doing) -> bool {
        let at = self.passed.iter().position(|passed| passed.conversation == conversation);
        let Some(at) = at else {
            if doing == Doing::Nothing {
                return false;
            }
            if self.passed.len() == REMEMBERED_MAX {
                let by_time = self.passed.iter().enumerate().min_by_key(|(_, passed)| passed.at);
                // To forget one sooner would let it pass again too soon.
                let Some((oldest, _)) = by_time.filter(|(_, passed)| now.duration_since(passed.at) >= PACE)
                else {
                    return false;
                };
                self.passed.swap_remove(oldest);
            }
            self.passed.push(Passed { conversation, at: now, is_doing: true });
            return true;
        };
        let passed = &mut self.passed[at];
        if doing == Doing::Nothing {
            return std::mem::take(&mut passed.is_doing);
        }
        if now.duration_since(passed.at) < PACE {
            return false;
        }
        (passed.at, passed.is_doing) = (now, true);
        true
    }
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{GroupId, UserId};

    use super::*;

    fn group(number: u64) -> ConversationId {
        ConversationId::group(GroupId::new(number).unwrap())
    }

    #[test]
    fn one_in_each_time_is_passed_on_and_its_end_once() {
        let (now, mut pace) = (Instant::now(), TypingPace::default());
        let user = |number| UserId::new(number).unwrap();
        let conversation = ConversationId::direct(user(1), user(2));
        assert!(!pace.passes(now, conversation, Doing::Nothing), "nothing has begun");
        assert!(pace.passes(now, conversation, Doing::Typing));
        assert!(!pace.passes(now + PACE / 2, conversation, Doing::Typing));
        assert!(!pace.passes(now + PACE / 2, conversation, Doing::Recording));
        assert!(pace.passes(now + PACE / 2, group(1), Doing::Typing), "another conversation");
        assert!(pace.passes(now + PACE / 2, conversation, Doing::Nothing));
        assert!(!pace.passes(now + PACE / 2, conversation, Doing::Nothing));
        assert!(
            !pace.passes(now + PACE / 2, conversation, Doing::Typing),
            "it is no sooner for having ended"
        );
        assert!(pace.passes(now + PACE, conversation, Doing::Recording));
    }

    #[test]
    fn who_types_in_many_conversations_is_heard_in_as_many_as_may_be_open() {
        let (now, mut pace) = (Instant::now(), TypingPace::default());
        let passed = |pace: &mut TypingPace, now| {
            (0..100).filter(|number| pace.passes(now, group(number % 9 + 1), Doing::Typing)).count()
        };
        assert_eq!(passed(&mut pace, now), REMEMBERED_MAX);
        assert_eq!(passed(&mut pace, now + PACE / 2), 0);
        // One of them goes on; of the others, any may be forgotten for the ninth.
        assert!(pace.passes(now + PACE, group(1), Doing::Typing));
        assert!(pace.passes(now + PACE, group(9), Doing::Typing));
        assert_eq!(passed(&mut pace, now + PACE), REMEMBERED_MAX - 2);
        assert!(!pace.passes(now + PACE, group(1), Doing::Typing));
    }
}
