//! I3: every member sees the same dense sequence, and one sender's messages keep their sending order. In a group the
//! sequence is dense within each membership, and begins with the entry that began it.

use std::collections::HashMap;

use rookery_client::{ConversationId, GroupChange, MessageId, Seq};

use crate::group_log::GroupLog;
use crate::history::{Client, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = dense(history);
    wrong.extend(same_for_all(history));
    wrong.extend(sending_order(history));
    wrong
}

/// Each client's messages of a conversation come as 1, 2, 3, ...; of a group, as its memberships have it.
fn dense(history: &History) -> Vec<String> {
    let groups = GroupLog::all(history);
    let mut last: HashMap<(Client, ConversationId), Seq> = HashMap::new();
    let mut wrong = Vec::new();
    for (client, message) in history.handed() {
        let (seq, conversation, user) = (message.seq, message.conversation, history.owner(client).user);
        let last = last.insert((client, conversation), seq);
        let due = match groups.get(&conversation) {
            Some(log) if conversation.group_id().is_some() => log.after(user, last),
            _ => Some(last.unwrap_or_default().next()),
        };
        // Whether a repetition is allowed, or anything after the end, is another invariant's business.
        if due.is_some_and(|due| due != seq) && last != Some(seq) {
            let last = last.map_or("nothing".to_owned(), |last| last.to_string());
            wrong.push(format!("{client} got {seq} of {conversation} after {last}"));
        }
    }
    wrong
}

/// A place in a conversation is the same for everybody, its sender's confirmation included.
fn same_for_all(history: &History) -> Vec<String> {
    let mut places: HashMap<(ConversationId, Seq), (MessageId, Client)> = HashMap::new();
    let mut changes: HashMap<(ConversationId, Seq), (&Option<GroupChange>, Client)> = HashMap::new();
    let mut wrong = Vec::new();
    for entry in &history.entries {
        let (conversation, seq, id) = match &entry.what {
            What::Handed(message) => (message.conversation, message.seq, message.id),
            What::Accepted { conversation, id, seq } | What::Done { conversation, id, seq } => {
                (*conversation, *seq, *id)
            }
            _ => continue,
        };
        let (client, place) = (entry.client, (conversation, seq));
        let (there, witness) = *places.entry(place).or_insert((id, client));
        if there != id {
            wrong.push(format!("{seq} of {conversation} is {id} for {client} and {there} for {witness}"));
        } else if let What::Handed(message) = &entry.what {
            let (there, witness) = *changes.entry(place).or_insert((&message.change, client));
            if *there != message.change {
                wrong
                    .push(format!("{client} and {witness} got different changes as {seq} of {conversation}"));
            }
        }
    }
    wrong
}

/// What one client gave to one conversation has growing places in the order it was given.
fn sending_order(history: &History) -> Vec<String> {
    let places: HashMap<MessageId, Seq> =
        history.handed().map(|(_, message)| (message.id, message.seq)).collect();
    let mut last: HashMap<(Client, ConversationId), Seq> = HashMap::new();
    let mut wrong = Vec::new();
    for entry in &history.entries {
        let What::Enqueued { conversation, id, .. } = &entry.what else { continue };
        let Some(seq) = places.get(id) else { continue };
        let last = last.entry((entry.client, *conversation)).or_default();
        if seq <= last {
            wrong.push(format!(
                "{} sent {id} later, and it is {seq} in {conversation}, not above {last}",
                entry.client
            ));
        }
        *last = (*last).max(*seq);
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    #[test]
    fn a_gap_and_a_step_back_are_found() {
        let mut story = Story::new();
        let ids = [
            story.enqueued("alice", "one"),
            story.enqueued("alice", "two"),
            story.enqueued("alice", "three"),
        ];
        story.handed("bob", ids[0], 1);
        story.handed("bob", ids[2], 3);
        story.handed("bob", ids[1], 2);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn two_messages_in_one_place_are_found() {
        let mut story = Story::new();
        let (one, other) = (story.enqueued("alice", "one"), story.enqueued("bob", "other"));
        story.handed("alice", one, 1);
        story.handed("bob", other, 1);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_confirmation_that_names_another_place_is_found() {
        let mut story = Story::new();
        let (one, other) = (story.enqueued("alice", "one"), story.enqueued("bob", "other"));
        story.handed_to_all(one, 1);
        story.accepted("bob", other, 1);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_message_that_overtakes_its_senders_earlier_one_is_found() {
        let mut story = Story::new();
        let (first, second) = (story.enqueued("alice", "first"), story.enqueued("alice", "second"));
        story.handed_to_all(second, 1);
        story.handed_to_all(first, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_gap_within_a_membership_is_found_and_none_between_two_is() {
        let mut story = Story::of_group();
        let bob = || vec![Story::user("bob")];
        story.changed("alice", GroupChange::Removed(bob()), 2);
        let alone = story.enqueued("alice", "alone");
        story.handed_to(&["alice", "alice's other device"], alone, 3);
        story.changed("alice", GroupChange::Added(bob()), 4);
        assert_eq!(check(&story.history), [""; 0]);
        let (one, two) = (story.enqueued("alice", "one"), story.enqueued("alice", "two"));
        story.handed_to(&["alice", "alice's other device"], one, 5);
        story.handed_to_all(two, 6);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_membership_that_does_not_begin_with_its_first_entry_is_found() {
        let mut story = Story::of_group();
        story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 2);
        let id = story.enqueued("alice", "welcome");
        story.handed_to_all(id, 3);
        assert_eq!(check(&story.history), [""; 0]);
        story.handed("carol", id, 3);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn two_members_who_disagree_about_an_entry_are_found() {
        let mut story = Story::of_group();
        let (one, other) = (story.enqueued("alice", "one"), story.enqueued("bob", "other"));
        story.handed("alice", one, 2);
        story.handed("bob", other, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn two_members_who_disagree_about_what_a_change_says_are_found() {
        let mut story = Story::of_group();
        story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 2);
        let What::Handed(last) = &mut story.history.entries.last_mut().unwrap().what else { panic!() };
        last.change = Some(GroupChange::Added(vec![Story::user("carol"), Story::user("bob")]));
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_change_in_a_place_that_was_confirmed_to_another_is_found() {
        let mut story = Story::of_group();
        let id = story.enqueued("bob", "hello");
        story.handed_to_all(id, 2);
        let named = story.asked("alice", GroupChange::Named("fish".to_owned()));
        story.done("alice", named, 2);
        assert_eq!(check(&story.history).len(), 1);
    }
}
