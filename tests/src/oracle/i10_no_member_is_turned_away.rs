//! I10: a group refuses as a stranger's only what may have come while its author was no member, and nothing for reasons
//! that have nothing to do with groups.
//!
//! When a membership began or ended is known between two moments: when somebody asked for the change, and when anybody
//! first knew of it.

use std::collections::{BTreeMap, HashMap};

use rookery_client::{ConversationId, ErrorCode, MessageId, Seq, UserId};

use crate::group_log::GroupLog;
use crate::history::{History, What};

/// What a group may answer to those who are in it.
const USUAL: [ErrorCode; 4] =
    [ErrorCode::NotFound, ErrorCode::NotAllowed, ErrorCode::Full, ErrorCode::BadRequest];

pub(super) fn check(history: &History) -> Vec<String> {
    let moments = Moments::of(history);
    let groups = GroupLog::all(history);
    let mut wrong = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        let (What::Refused { id, refusal, .. } | What::Denied { id, refusal }) = &entry.what else {
            continue;
        };
        let Some((since, conversation)) = moments.given.get(id).copied() else { continue };
        let user = history.owner(entry.client).user;
        let is_right = match refusal.known_code() {
            Some(ErrorCode::NotMember) => {
                conversation.is_some_and(|group| moments.may_be_out(&groups, group, user, (since, at)))
            }
            Some(code) => matches!(entry.what, What::Denied { .. }) && USUAL.contains(&code),
            None => false,
        };
        if !is_right {
            let place = conversation.map_or("a new group".to_owned(), |group| group.to_string());
            wrong.push(format!("{}'s {id} in {place} was refused: {refusal}", entry.client));
        }
    }
    wrong
}

/// Places in the history.
#[derive(Default)]
struct Moments {
    /// When each message was given, and each change asked for, and where.
    given: HashMap<MessageId, (usize, Option<ConversationId>)>,
    /// The entry at each place of a group, and when anybody first knew of it.
    known: BTreeMap<(ConversationId, Seq), (usize, MessageId)>,
}

impl Moments {
    fn of(history: &History) -> Self {
        let mut moments = Self::default();
        for (at, entry) in history.entries.iter().enumerate() {
            match &entry.what {
                What::Enqueued { conversation, id, .. } if conversation.group_id().is_some() => {
                    moments.given.insert(*id, (at, Some(*conversation)));
                }
                What::Asked { conversation, id, .. } => {
                    moments.given.insert(*id, (at, *conversation));
                }
                What::Done { conversation, id, seq } => {
                    moments.known.entry((*conversation, *seq)).or_insert((at, *id));
                }
                What::Handed(entry) if entry.change.is_some() => {
                    moments.known.entry((entry.conversation, entry.seq)).or_insert((at, entry.id));
                }
                _ => {}
            }
        }
        moments
    }

    /// Whether a user may have been no member at some moment of these.
    fn may_be_out(
        &self,
        groups: &BTreeMap<ConversationId, GroupLog>,
        group: ConversationId,
        user: UserId,
        (since, until): (usize, usize),
    ) -> bool {
        let intervals = groups.get(&group).map(|log| log.intervals(user)).unwrap_or_default();
        // Out from the first of these until the second.
        let mut left = 0;
        for interval in intervals {
            let joined = self.known.get(&(group, interval.since)).map_or(usize::MAX, |(at, _)| *at);
            if left <= until && since <= joined {
                return true;
            }
            let Some(end) = interval.until else { return false };
            left = self
                .known
                .get(&(group, end))
                .and_then(|(_, id)| self.given.get(id))
                .map_or(0, |(asked, _)| *asked);
        }
        left <= until
    }
}

#[cfg(test)]
mod tests {
    use rookery_client::{GroupChange, Refusal};

    use super::*;
    use crate::oracle::made_up::{Story, refusal};

    #[test]
    fn a_member_who_is_refused_as_a_stranger_is_found() {
        let mut story = Story::of_group();
        let id = story.enqueued("bob", "hello");
        story.refused("bob", id, refusal());
        assert_eq!(check(&story.history).len(), 1);
        let id = story.asked("bob", GroupChange::Named("fish".to_owned()));
        story.note("bob", What::Denied { id, refusal: refusal() });
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn a_stranger_and_one_who_was_just_removed_are_rightly_refused() {
        let mut story = Story::of_group();
        let id = story.enqueued("carol", "let me in");
        story.refused("carol", id, refusal());
        let id = story.enqueued("bob", "hello");
        let removal = story.asked("alice", GroupChange::Removed(vec![Story::user("bob")]));
        story.refused("bob", id, refusal());
        story.handed_to_all(removal, 2);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn one_who_is_back_is_no_stranger() {
        let mut story = Story::of_group();
        story.changed("bob", GroupChange::Left { successor: None }, 2);
        let early = story.enqueued("bob", "too early");
        story.changed("alice", GroupChange::Added(vec![Story::user("bob")]), 3);
        story.refused("bob", early, refusal());
        assert_eq!(check(&story.history), [""; 0]);
        let late = story.enqueued("bob", "hello");
        story.refused("bob", late, refusal());
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn what_one_may_not_do_may_be_denied_and_a_message_may_not_fail_otherwise() {
        let mut story = Story::of_group();
        let not_allowed = Refusal { code: ErrorCode::NotAllowed as u16, text: "only admins".to_owned() };
        let id = story.asked("bob", GroupChange::Added(vec![Story::user("carol")]));
        story.note("bob", What::Denied { id, refusal: not_allowed.clone() });
        assert_eq!(check(&story.history), [""; 0]);
        let id = story.enqueued("bob", "hello");
        story.refused("bob", id, not_allowed);
        assert_eq!(check(&story.history).len(), 1);
    }
}
