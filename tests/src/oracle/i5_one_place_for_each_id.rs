//! I5: however often a message is sent, or a change asked for, it is one: its id has one place.

use std::collections::HashMap;

use rookery_client::{ConversationId, MessageId, Seq};

use crate::history::{Client, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut places: HashMap<MessageId, (ConversationId, Seq, Client)> = HashMap::new();
    let mut doubled = Vec::new();
    for entry in &history.entries {
        let (id, conversation, seq) = match &entry.what {
            What::Handed(message) => (message.id, message.conversation, message.seq),
            What::Accepted { conversation, id, seq } | What::Done { conversation, id, seq } => {
                (*id, *conversation, *seq)
            }
            _ => continue,
        };
        let (there, first, witness) = *places.entry(id).or_insert((conversation, seq, entry.client));
        if (there, first) != (conversation, seq) {
            doubled.push(format!(
                "{id} is {seq} of {conversation} for {} and {first} of {there} for {witness}",
                entry.client
            ));
        }
    }
    doubled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    #[test]
    fn a_message_with_two_places_is_found() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.handed("bob", id, 1);
        story.handed("bob", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_second_confirmation_with_another_place_is_found() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.accepted("alice", id, 1);
        story.accepted("alice", id, 1);
        assert_eq!(check(&story.history), [""; 0]);
        story.accepted("alice", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_group_that_was_made_twice_is_found() {
        let mut story = Story::of_group();
        let What::Handed(made) = story.history.entries.last().unwrap().what.clone() else { panic!() };
        let conversation = ConversationId::group(rookery_client::GroupId::new(8).unwrap());
        story.note("alice", What::Done { conversation, id: made.id, seq: made.seq });
        assert_eq!(check(&story.history).len(), 1);
    }
}
