//! I1: a message that was accepted, or that anybody was handed, is handed to every device of both members. So is one
//! that its sender's local store has, unless it was refused for good.

use std::collections::{BTreeMap, HashMap, HashSet};

use rookery_client::{ConversationId, MessageId, Seq};

use crate::history::{Client, History, What};

const PROMISED: &str = "told it would be sent";

pub(super) fn check(history: &History) -> Vec<String> {
    let mut known: BTreeMap<(ConversationId, MessageId), (Seq, Client, &str)> = BTreeMap::new();
    let mut handed = HashSet::new();
    let mut refused = HashSet::new();
    for entry in &history.entries {
        match &entry.what {
            What::Refused { id, .. } => drop(refused.insert(*id)),
            What::Stored { conversation, id } => {
                let seen = (Seq::ZERO, entry.client, PROMISED);
                known.entry((*conversation, *id)).or_insert(seen);
            }
            What::Accepted { conversation, id, seq } => {
                known.entry((*conversation, *id)).or_insert((*seq, entry.client, "told it was accepted"));
            }
            What::Handed(message) => {
                let seen = (message.seq, entry.client, "handed it");
                known.entry((message.conversation, message.id)).or_insert(seen);
                handed.insert((entry.client, message.conversation, message.id));
            }
            _ => {}
        }
    }
    let mut lost = Vec::new();
    let mut members: HashMap<ConversationId, Vec<Client>> = HashMap::new();
    for ((conversation, id), (seq, witness, how)) in known {
        if how == PROMISED && refused.contains(&id) {
            continue;
        }
        let members = members.entry(conversation).or_insert_with(|| history.members(conversation).collect());
        for &client in &*members {
            if !handed.contains(&(client, conversation, id)) {
                lost.push(format!("{client} never got {seq} of {conversation} ({id}); {witness} was {how}"));
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    #[test]
    fn an_accepted_message_that_one_device_never_got_is_lost() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.accepted("alice", id, 1);
        story.handed("alice", id, 1);
        story.handed("bob", id, 1);
        assert_eq!(check(&story.history).len(), 1);
        story.handed("alice's other device", id, 1);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn a_stored_message_that_was_never_sent_is_lost_unless_it_was_refused() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.note("alice", What::Stored { conversation: Story::conversation(), id });
        assert_eq!(check(&story.history).len(), 3);
        story.note("alice", What::Refused { id, reason: "no such user".to_owned() });
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn a_message_of_unknown_outcome_that_somebody_saw_must_reach_everybody() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        assert_eq!(check(&story.history), [""; 0], "it may never have left");
        story.handed("bob", id, 1);
        assert_eq!(check(&story.history).len(), 2);
    }
}
