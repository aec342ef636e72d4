//! I2: the client library hands each message up exactly once, over all its restarts.
//!
//! The one exception it documents: when its process is killed, the last event handed up may come once more.

use std::collections::{HashMap, HashSet};

use rookery_client::{ConversationId, MessageId};

use crate::history::{Client, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut seen: HashSet<(Client, ConversationId, MessageId)> = HashSet::new();
    let mut in_hand: HashMap<Client, (ConversationId, MessageId)> = HashMap::new();
    let mut may_repeat: HashMap<Client, (ConversationId, MessageId)> = HashMap::new();
    let mut twice = Vec::new();
    for entry in &history.entries {
        let client = entry.client;
        match &entry.what {
            What::Handed(message) => {
                let which = (message.conversation, message.id);
                let excused = may_repeat.get(&client) == Some(&which);
                if excused {
                    may_repeat.remove(&client);
                }
                if !seen.insert((client, which.0, which.1)) && !excused {
                    let (conversation, seq, id) = (message.conversation, message.seq, message.id);
                    twice.push(format!("{client} got {seq} of {conversation} ({id}) again"));
                }
                in_hand.insert(client, which);
            }
            What::Crashed => {
                if let Some(which) = in_hand.remove(&client) {
                    may_repeat.insert(client, which);
                }
            }
            // Whatever else is handed up takes the message before.
            What::Closed | What::Receipt { .. } | What::Accepted { .. } | What::Refused { .. } => {
                in_hand.remove(&client);
            }
            _ => {}
        }
    }
    twice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    fn handed_then(end: What) -> Story {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.handed("bob", id, 1);
        story.note("bob", end);
        story.handed("bob", id, 1);
        story
    }

    #[test]
    fn a_message_handed_up_twice_is_found() {
        assert_eq!(check(&handed_then(What::Connected).history).len(), 1);
        assert_eq!(check(&handed_then(What::Closed).history).len(), 1);
    }

    #[test]
    fn only_the_last_message_before_a_crash_may_come_again_and_only_once() {
        let mut story = handed_then(What::Crashed);
        assert_eq!(check(&story.history), [""; 0]);
        let again = story.history.handed().next().unwrap().1.id;
        story.handed("bob", again, 1);
        assert_eq!(check(&story.history).len(), 1);

        let mut story = Story::new();
        let (first, second) = (story.enqueued("alice", "one"), story.enqueued("alice", "two"));
        story.handed("bob", first, 1);
        story.handed("bob", second, 2);
        story.note("bob", What::Crashed);
        story.handed("bob", first, 1);
        assert_eq!(check(&story.history).len(), 1);
    }
}
