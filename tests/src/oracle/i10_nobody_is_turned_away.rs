//! I10: nobody is refused without a cause: by a group as a stranger only what may have come while its author was no
//! member; between two only while one may have blocked the other; and what is about a message only if that may have
//! been gone, or was not its author's to edit or to delete.
//!
//! When a membership, a block or a deletion began or ended is known between two moments: when somebody asked for it, and
//! when anybody first knew of it. That it was too late for an edit or a deletion is taken on trust: nodes' clocks go wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

use rookery_client::{ConversationId, ErrorCode, MessageId, ReferenceKind, Seq, UserId};

use super::i7_nothing_through_a_block::Wishes;
use crate::group_log::{GroupLog, Interval};
use crate::history::{Handed, History, Said, What};

/// What a group may answer to those who are in it and want to change it.
const USUAL: [ErrorCode; 4] =
    [ErrorCode::NotFound, ErrorCode::NotAllowed, ErrorCode::Full, ErrorCode::BadRequest];

/// Edits that a message may have.
const EDITS_MAX: usize = 32;

pub(super) fn check(history: &History) -> Vec<String> {
    let causes = Causes::of(history);
    let mut wrong = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        let (id, refusal, is_change) = match &entry.what {
            What::Refused { id, refusal, .. } => (id, refusal, false),
            What::Denied { id, refusal } => (id, refusal, true),
            _ => continue,
        };
        let Some(given) = causes.given.get(id) else { continue };
        let user = history.owner(entry.client).user;
        let is_right = refusal.known_code().is_some_and(|code| {
            is_change && USUAL.contains(&code) || causes.excuse(given, user, (given.at, at), code)
        });
        if !is_right {
            let place = given.place.map_or("a new group".to_owned(), |place| place.to_string());
            wrong.push(format!("{}'s {id} in {place} was refused: {refusal}", entry.client));
        }
    }
    wrong
}

/// A message that was given, or a change that was asked for.
struct Given<'a> {
    at: usize,
    /// None where a group is to be made.
    place: Option<ConversationId>,
    said: Option<&'a Said>,
}

/// All there is to say for a refusal, by places in the history.
struct Causes<'a> {
    given: HashMap<MessageId, Given<'a>>,
    groups: BTreeMap<ConversationId, GroupLog>,
    /// The entry at each place of a group, and when anybody first knew of it.
    known: BTreeMap<(ConversationId, Seq), (usize, MessageId)>,
    entries: BTreeMap<ConversationId, BTreeMap<Seq, &'a Handed>>,
    wishes: Wishes,
    /// When somebody first wanted a message to be deleted.
    deletions: HashMap<(ConversationId, Seq), usize>,
    /// When a message was to be edited.
    edits: HashMap<(ConversationId, Seq), Vec<usize>>,
}

impl<'a> Causes<'a> {
    fn of(history: &'a History) -> Self {
        let mut causes = Self {
            given: HashMap::new(),
            groups: GroupLog::all(history),
            known: BTreeMap::new(),
            entries: history.logs(),
            wishes: Wishes::of(history),
            deletions: HashMap::new(),
            edits: HashMap::new(),
        };
        // What was refused for good was never done.
        let refused = history.entries.iter().filter_map(|entry| match &entry.what {
            What::Refused { id, .. } => Some(*id),
            _ => None,
        });
        let refused: HashSet<MessageId> = refused.collect();
        for (at, entry) in history.entries.iter().enumerate() {
            match &entry.what {
                What::Enqueued { conversation, id, said } => {
                    let place = Some(*conversation);
                    causes.given.insert(*id, Given { at, place, said: Some(said) });
                    let stays = || !refused.contains(id);
                    if let Some(seq) = said.target(ReferenceKind::Delete).filter(|_| stays()) {
                        causes.deletions.entry((*conversation, seq)).or_insert(at);
                    }
                    if let Some(seq) = said.target(ReferenceKind::Edit).filter(|_| stays()) {
                        causes.edits.entry((*conversation, seq)).or_default().push(at);
                    }
                }
                What::Asked { conversation, id, .. } => {
                    causes.given.insert(*id, Given { at, place: *conversation, said: None });
                }
                What::Done { conversation, id, seq } => {
                    causes.known.entry((*conversation, *seq)).or_insert((at, *id));
                }
                What::Handed(entry) if entry.change.is_some() => {
                    causes.known.entry((entry.conversation, entry.seq)).or_insert((at, entry.id));
                }
                _ => {}
            }
        }
        causes
    }

    /// Whether this may rightly have been the answer to a user, at some moment of these.
    fn excuse(&self, given: &Given<'_>, user: UserId, time: (usize, usize), code: ErrorCode) -> bool {
        let Some(place) = given.place else { return false };
        if let Some(peer) = place.direct_peer(user) {
            let may_stand = |pair| self.wishes.may_have_stood(pair, time.0, time.1);
            match code {
                ErrorCode::Blocked => return may_stand((user, peer)),
                ErrorCode::NotAllowed if may_stand((peer, user)) => return true,
                _ => {}
            }
        } else if code == ErrorCode::NotMember {
            let times = self.groups.get(&place).map(|log| log.intervals(user)).unwrap_or_default();
            return self.may_be_out(place, times, time);
        }
        let reference = given.said.and_then(|said| said.reference);
        reference.is_some_and(|about| match (code, about.kind) {
            (ErrorCode::NotFound, _) => self.may_be_gone((place, about.seq), user, time.1),
            (ErrorCode::NotAllowed, ReferenceKind::Edit) => !self.is_own((place, about.seq), user),
            (ErrorCode::NotAllowed, ReferenceKind::Delete) => {
                !self.is_own((place, about.seq), user) && self.may_be_no_admin(place, user, time)
            }
            (ErrorCode::TooLate, ReferenceKind::Edit | ReferenceKind::Delete) => true,
            (ErrorCode::Full, ReferenceKind::Edit) => {
                let edits = self.edits.get(&(place, about.seq)).map(Vec::as_slice).unwrap_or_default();
                edits.iter().filter(|at| **at < time.1).count() >= EDITS_MAX
            }
            _ => false,
        })
    }

    fn is_own(&self, (place, seq): (ConversationId, Seq), user: UserId) -> bool {
        let entry = self.entries.get(&place).and_then(|log| log.get(&seq));
        entry.is_some_and(|entry| entry.sender.user == user)
    }

    fn may_be_no_admin(&self, place: ConversationId, user: UserId, time: (usize, usize)) -> bool {
        let group = self.groups.get(&place);
        group.is_none_or(|group| self.may_be_out(place, group.as_admin(user), time))
    }

    /// Whether a message may not have been there to be referred to, before that.
    fn may_be_gone(&self, place: (ConversationId, Seq), user: UserId, until: usize) -> bool {
        let Some(entry) = self.entries.get(&place.0).and_then(|log| log.get(&place.1)) else { return true };
        let memberships = self.groups.get(&place.0).map(|log| log.intervals(user)).unwrap_or_default();
        !entry.stands_for_itself()
            || entry.expires_ms != 0
            || self.deletions.get(&place).is_some_and(|asked| *asked < until)
            || memberships.iter().any(|membership| place.1 < membership.since)
    }

    /// Whether some moment of these may have been in none of a user's times in a group.
    fn may_be_out(&self, group: ConversationId, times: &[Interval], (since, until): (usize, usize)) -> bool {
        // Out from the first of these until the second.
        let mut left = 0;
        for interval in times {
            let joined = self.known.get(&(group, interval.since)).map_or(usize::MAX, |(at, _)| *at);
            if left <= until && since <= joined {
                return true;
            }
            let Some(end) = interval.until else { return false };
            left = self.known.get(&(group, end)).and_then(|(_, id)| self.given.get(id)).map_or(0, |it| it.at);
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
    fn between_two_only_a_block_refuses() {
        let code = |code: ErrorCode| Refusal { code: code as u16, text: "no".to_owned() };
        let mut story = Story::new();
        let refused = |story: &mut Story, name, by: ErrorCode| {
            let before = check(&story.history).len();
            let id = story.enqueued(name, "hello");
            story.refused(name, id, code(by));
            check(&story.history).len() - before
        };
        assert_eq!(refused(&mut story, "bob", ErrorCode::NotAllowed), 1, "nobody has blocked anybody");
        story.blocked("alice", "bob", true);
        assert_eq!(refused(&mut story, "bob", ErrorCode::NotAllowed), 0);
        assert_eq!(refused(&mut story, "alice", ErrorCode::Blocked), 0);
        assert_eq!(refused(&mut story, "bob", ErrorCode::Blocked), 1, "bob has blocked nobody");
        let end = story.block_asked("alice", "bob", false);
        assert_eq!(refused(&mut story, "bob", ErrorCode::NotAllowed), 0, "it may not have ended yet");
        story.note("alice", What::BlockDone { id: end });
        assert_eq!(refused(&mut story, "bob", ErrorCode::NotAllowed), 1, "it has");
    }

    #[test]
    fn what_is_about_a_message_is_refused_when_that_may_be_gone_or_is_anothers() {
        let mut story = Story::new();
        for (name, seq) in [("alice", 1), ("bob", 2)] {
            let id = story.enqueued(name, "hello");
            story.handed_to_all(id, seq);
        }
        let refused = |story: &mut Story, name, (kind, seq), by: ErrorCode| {
            let before = check(&story.history).len();
            let id = story.about(name, kind, seq, "");
            story.refused(name, id, Refusal { code: by as u16, text: "no".to_owned() });
            check(&story.history).len() - before
        };
        let (not_found, not_allowed) = (ErrorCode::NotFound, ErrorCode::NotAllowed);
        assert_eq!(refused(&mut story, "alice", (ReferenceKind::Edit, 1), not_allowed), 1, "it is alice's");
        assert_eq!(refused(&mut story, "bob", (ReferenceKind::Edit, 1), not_allowed), 0);
        assert_eq!(refused(&mut story, "bob", (ReferenceKind::Delete, 1), not_allowed), 0);
        assert_eq!(refused(&mut story, "bob", (ReferenceKind::Reaction, 1), not_found), 1, "it is there");
        assert_eq!(refused(&mut story, "bob", (ReferenceKind::Edit, 2), ErrorCode::Full), 1, "edited once");
        story.about("alice", ReferenceKind::Delete, 1, "");
        assert_eq!(refused(&mut story, "bob", (ReferenceKind::Reaction, 1), not_found), 0);
    }

    #[test]
    fn an_admin_who_may_not_delete_is_found() {
        let mut story = Story::of_group();
        for (name, seq) in [("alice", 2), ("bob", 3)] {
            let id = story.enqueued(name, "hello");
            story.handed_to_all(id, seq);
        }
        let not_allowed = || Refusal { code: ErrorCode::NotAllowed as u16, text: "no".to_owned() };
        let id = story.about("bob", ReferenceKind::Delete, 2, "");
        story.refused("bob", id, not_allowed());
        assert_eq!(check(&story.history), [""; 0]);
        let id = story.about("alice", ReferenceKind::Delete, 3, "");
        story.refused("alice", id, not_allowed());
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
