//! I7: nobody is handed anything of a group from before they joined it or after they left it, and nothing is accepted
//! there from anybody who is not a member.

use crate::group_log::GroupLog;
use crate::history::History;

pub(super) fn check(history: &History) -> Vec<String> {
    let groups = GroupLog::all(history);
    let none = GroupLog::default();
    let mut wrong = Vec::new();
    for (client, entry) in history.handed().filter(|(_, entry)| entry.conversation.group_id().is_some()) {
        let (seq, conversation) = (entry.seq, entry.conversation);
        let log = groups.get(&conversation).unwrap_or(&none);
        let is_for = |user| log.intervals(user).iter().any(|interval| interval.holds(seq));
        let user = history.owner(client).user;
        if !is_for(user) {
            wrong.push(format!("{client} got {seq} of {conversation}, which is not for {user}"));
        }
        let sender = entry.sender.user;
        if !is_for(sender) {
            wrong.push(format!("{seq} of {conversation} is {sender}'s, who was not a member"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use rookery_client::GroupChange;

    use super::*;
    use crate::oracle::made_up::Story;

    #[test]
    fn an_entry_handed_up_before_joining_is_found() {
        let mut story = Story::of_group();
        let id = story.enqueued("alice", "among us");
        story.handed_to_all(id, 2);
        let added = story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 3);
        story.handed("carol", added, 3);
        assert_eq!(check(&story.history), [""; 0]);
        story.handed("carol", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn an_entry_handed_up_after_removal_is_found() {
        let mut story = Story::of_group();
        story.changed("alice", GroupChange::Removed(vec![Story::user("bob")]), 2);
        assert_eq!(check(&story.history), [""; 0], "the removal itself is for bob");
        let id = story.enqueued("alice", "among us");
        story.handed_to_all(id, 3);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn what_was_said_between_two_memberships_is_for_neither() {
        let mut story = Story::of_group();
        story.changed("bob", GroupChange::Left { successor: None }, 2);
        let id = story.enqueued("alice", "among us");
        story.handed_to(&["alice", "alice's other device"], id, 3);
        story.changed("alice", GroupChange::Added(vec![Story::user("bob")]), 4);
        assert_eq!(check(&story.history), [""; 0]);
        story.handed("bob", id, 3);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_message_of_a_stranger_is_found() {
        let mut story = Story::of_group();
        let id = story.enqueued("carol", "let me in");
        story.handed("alice", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn nothing_follows_a_groups_end() {
        let mut story = Story::of_group();
        story.changed("alice", GroupChange::Deleted, 2);
        assert_eq!(check(&story.history), [""; 0]);
        let id = story.enqueued("alice", "is anybody there?");
        story.handed("alice", id, 3);
        assert_eq!(check(&story.history).len(), 2, "it is neither for alice nor from a member");
    }
}
