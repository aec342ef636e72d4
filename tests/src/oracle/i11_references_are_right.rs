//! I11: what is about a message comes after it in the same log, where that message stands for itself and has not been
//! deleted, and its author could see it. An edit is its author's; a deletion too, or in a group an admin's.

use std::collections::BTreeMap;

use rookery_client::{ConversationId, ReferenceKind, Seq, UserId};

use crate::group_log::{GroupLog, Interval};
use crate::history::{Handed, History};

pub(super) fn check(history: &History) -> Vec<String> {
    let groups = GroupLog::all(history);
    let mut wrong = Vec::new();
    for (conversation, log) in history.logs() {
        let deleted = deletions(&log);
        let group = groups.get(&conversation).filter(|_| conversation.group_id().is_some());
        for handed in log.values() {
            let how = misplaced(handed, &log, &deleted).or_else(|| not_theirs(handed, &log, group));
            wrong.extend(how.map(|how| told(handed, conversation, how)));
        }
    }
    wrong
}

fn told(handed: &Handed, conversation: ConversationId, how: &str) -> String {
    let Handed { seq, sender, said, .. } = handed;
    let about = said.reference.map_or("nothing".to_owned(), |it| format!("{:?} of {}", it.kind, it.seq));
    format!("{seq} of {conversation}, by {}, is a {about}, {how}", sender.user)
}

/// The first deletion of each message that has been deleted.
pub(super) fn deletions(log: &BTreeMap<Seq, &Handed>) -> BTreeMap<Seq, Seq> {
    let mut deleted = BTreeMap::new();
    for (seq, handed) in log {
        if let Some(target) = handed.said.target(ReferenceKind::Delete) {
            deleted.entry(target).or_insert(*seq);
        }
    }
    deleted
}

/// What it names, if that is what it is for.
fn target(handed: &Handed) -> Option<Seq> {
    handed.said.reference.filter(|reference| reference.kind != ReferenceKind::Timer).map(|it| it.seq)
}

fn misplaced(
    handed: &Handed,
    log: &BTreeMap<Seq, &Handed>,
    deleted: &BTreeMap<Seq, Seq>,
) -> Option<&'static str> {
    let target = target(handed)?;
    if target >= handed.seq {
        return Some("which is not before it");
    }
    let Some(about) = log.get(&target) else { return Some("which nobody was handed") };
    if !about.stands_for_itself() {
        return Some("which is nothing that can be referred to");
    }
    let is_gone = deleted.get(&target).is_some_and(|deletion| *deletion < handed.seq);
    is_gone.then_some("which had been deleted")
}

fn not_theirs(
    handed: &Handed,
    log: &BTreeMap<Seq, &Handed>,
    group: Option<&GroupLog>,
) -> Option<&'static str> {
    let target = target(handed)?;
    let (kind, user) = (handed.said.reference?.kind, handed.sender.user);
    let author: UserId = log.get(&target)?.sender.user;
    let at = |intervals: &[Interval]| intervals.iter().rev().find(|it| it.holds(handed.seq)).copied();
    if let Some(group) = group
        && at(group.intervals(user)).is_some_and(|membership| target < membership.since)
    {
        return Some("from before they were a member");
    }
    match kind {
        _ if user == author => None,
        ReferenceKind::Edit => Some("which is another's"),
        ReferenceKind::Delete if group.is_none_or(|group| at(group.as_admin(user)).is_none()) => {
            Some("which is another's, and they were no admin")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rookery_client::GroupChange;

    use super::*;
    use crate::oracle::made_up::Story;

    fn hello() -> Story {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.handed_to_all(id, 1);
        story
    }

    /// What is found when somebody says that as the next entry.
    fn found(story: &mut Story, name: &str, kind: ReferenceKind, target: u64) -> usize {
        let next = story.history.logs()[&story.place].len() as u64 + 1;
        let id = story.about(name, kind, target, "");
        story.handed_to_all(id, next);
        check(&story.history).len()
    }

    #[test]
    fn what_is_about_a_message_that_is_not_there_is_found() {
        for target in [0, 2, 3] {
            assert_eq!(found(&mut hello(), "bob", ReferenceKind::Reaction, target), 1, "{target}");
        }
        assert_eq!(found(&mut hello(), "bob", ReferenceKind::Reaction, 1), 0);
    }

    #[test]
    fn what_is_about_something_that_only_adds_to_another_is_found() {
        let mut story = hello();
        assert_eq!(found(&mut story, "bob", ReferenceKind::Reply, 1), 0);
        assert_eq!(found(&mut story, "alice", ReferenceKind::Reaction, 2), 0, "an answer can be reacted to");
        assert_eq!(found(&mut story, "bob", ReferenceKind::Reply, 3), 1);
        let mut story = Story::of_group();
        assert_eq!(found(&mut story, "bob", ReferenceKind::Reply, 1), 1, "a group's change");
    }

    #[test]
    fn an_edit_or_a_deletion_of_anothers_message_is_found() {
        assert_eq!(found(&mut hello(), "bob", ReferenceKind::Edit, 1), 1);
        assert_eq!(found(&mut hello(), "alice's other device", ReferenceKind::Edit, 1), 0);
        assert_eq!(found(&mut hello(), "bob", ReferenceKind::Delete, 1), 1);
        assert_eq!(found(&mut hello(), "alice", ReferenceKind::Delete, 1), 0);
    }

    #[test]
    fn admins_delete_what_others_say_while_they_are_admins() {
        let mut story = Story::of_group();
        for (text, seq) in [("one", 2), ("two", 3)] {
            let id = story.enqueued("bob", text);
            story.handed_to_all(id, seq);
        }
        assert_eq!(found(&mut story, "alice", ReferenceKind::Delete, 2), 0);
        assert_eq!(found(&mut story, "alice", ReferenceKind::Edit, 3), 1);
        story.changed("alice", GroupChange::Promoted(vec![Story::user("bob")]), 6);
        story.changed("bob", GroupChange::Demoted(vec![Story::user("alice")]), 7);
        assert_eq!(found(&mut story, "alice", ReferenceKind::Delete, 3), 2);
    }

    #[test]
    fn nothing_is_about_what_had_been_deleted() {
        let mut story = hello();
        assert_eq!(found(&mut story, "bob", ReferenceKind::Reaction, 1), 0);
        assert_eq!(found(&mut story, "alice", ReferenceKind::Delete, 1), 0);
        assert_eq!(found(&mut story, "bob", ReferenceKind::Reaction, 1), 1);
    }

    #[test]
    fn what_is_about_a_message_from_before_its_authors_joining_is_found() {
        let mut story = Story::of_group();
        let id = story.enqueued("alice", "among us");
        story.handed_to_all(id, 2);
        story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 3);
        assert_eq!(found(&mut story, "carol", ReferenceKind::Reaction, 2), 1);
    }
}
