//! I3: every member sees the same dense sequence, and one sender's messages keep their sending order.

use std::collections::HashMap;

use rookery_client::{ConversationId, MessageId, Seq};

use crate::history::{Client, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut wrong = dense(history);
    wrong.extend(same_for_all(history));
    wrong.extend(sending_order(history));
    wrong
}

/// Each client's messages of a conversation come as 1, 2, 3, ...
fn dense(history: &History) -> Vec<String> {
    let mut last: HashMap<(Client, ConversationId), Seq> = HashMap::new();
    let mut wrong = Vec::new();
    for (client, message) in history.handed() {
        let last = last.entry((client, message.conversation)).or_default();
        // Whether a repetition is allowed is another invariant's business.
        if message.seq == last.next() {
            *last = message.seq;
        } else if message.seq != *last {
            let (seq, conversation) = (message.seq, message.conversation);
            wrong.push(format!("{client} got {seq} of {conversation} after {last}"));
            *last = message.seq;
        }
    }
    wrong
}

/// A place in a conversation is the same message for everybody, its sender's confirmation included.
fn same_for_all(history: &History) -> Vec<String> {
    let mut places: HashMap<(ConversationId, Seq), (MessageId, Client)> = HashMap::new();
    let mut wrong = Vec::new();
    for entry in &history.entries {
        let (conversation, seq, id) = match &entry.what {
            What::Handed(message) => (message.conversation, message.seq, message.id),
            What::Accepted { conversation, id, seq } => (*conversation, *seq, *id),
            _ => continue,
        };
        let (there, witness) = *places.entry((conversation, seq)).or_insert((id, entry.client));
        if there != id {
            let client = entry.client;
            wrong.push(format!("{seq} of {conversation} is {id} for {client} and {there} for {witness}"));
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
}
