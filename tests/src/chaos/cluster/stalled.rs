//! Nothing can be accepted while the store commits nothing: whoever is told so is told too early.

use std::collections::HashMap;
use std::time::Duration;

use crate::history::{History, What};

/// What came of messages and changes of groups that were given while the store stood still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stalled {
    /// Given meanwhile.
    pub given: usize,
    /// Confirmed to their senders meanwhile.
    pub confirmed: usize,
}

impl Stalled {
    /// In all these times, on the history's clock.
    pub(super) fn of(history: &History, times: &[(Duration, Duration)]) -> Self {
        let at = |at: Duration| times.iter().position(|(since, until)| (*since..*until).contains(&at));
        let mut given = HashMap::new();
        let mut confirmed = 0;
        for entry in &history.entries {
            match (&entry.what, at(entry.at)) {
                (What::Enqueued { id, .. } | What::Asked { id, .. }, Some(stall)) => {
                    given.insert(*id, stall);
                }
                (What::Accepted { id, .. } | What::Done { id, .. }, Some(stall))
                    if given.get(id) == Some(&stall) =>
                {
                    confirmed += 1;
                }
                _ => {}
            }
        }
        Self { given: given.len(), confirmed }
    }
}

#[cfg(test)]
mod tests {
    use rookery_client::{ConversationId, MessageId, Seq, UserId};

    use super::*;
    use crate::history::{Client, Entry, Said};

    #[test]
    fn what_was_given_before_or_confirmed_after_is_no_matter() {
        let s = Duration::from_secs;
        let conversation = ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap());
        let enqueued = |id| What::Enqueued { conversation, id, said: Said::plain("hello") };
        let accepted = |id| What::Accepted { conversation, id, seq: Seq::new(1) };
        let ids: [MessageId; 4] = std::array::from_fn(|n| MessageId::from_bytes([n as u8; 16]));
        let story = [
            (1, enqueued(ids[0])),
            (3, enqueued(ids[1])),
            (4, accepted(ids[0])),
            (5, enqueued(ids[2])),
            (6, accepted(ids[2])),
            (8, accepted(ids[1])),
            (12, enqueued(ids[3])),
            (13, accepted(ids[3])),
        ];
        let entries =
            story.map(|(at, what)| Entry { at: s(at), client: Client(0), what }).into_iter().collect();
        let history = History { owners: Vec::new(), entries };
        assert_eq!(Stalled::of(&history, &[(s(2), s(7))]), Stalled { given: 2, confirmed: 1 });
        assert_eq!(Stalled::of(&history, &[(s(2), s(6))]), Stalled { given: 2, confirmed: 0 });
    }
}
