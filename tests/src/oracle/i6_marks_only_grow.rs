//! I6: watermarks never go back, `read` is never beyond `delivered`, and neither is beyond what the member's devices
//! had been handed, or had said they read, when the receipt was seen.
//!
//! A client that has been restarted may be told again what it had been told before.

use std::collections::HashMap;

use rookery_client::{ConversationId, Seq, UserId};

use crate::history::{Client, History, What};

#[derive(Default)]
struct Seen {
    /// What each member's devices have been handed, and have read.
    handed: HashMap<(ConversationId, UserId), Seq>,
    read: HashMap<(ConversationId, UserId), Seq>,
    /// What a client was last told of a member.
    told: HashMap<(Client, ConversationId, UserId), (Seq, Seq)>,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut seen = Seen::default();
    let mut wrong = Vec::new();
    for entry in &history.entries {
        let client = entry.client;
        let user = history.owner(client).user;
        match &entry.what {
            What::Handed(message) => raise(&mut seen.handed, (message.conversation, user), message.seq),
            What::Read { conversation, seq } => raise(&mut seen.read, (*conversation, user), *seq),
            What::Started => seen.told.retain(|(told, ..), _| *told != client),
            What::Receipt { conversation, user, delivered, read } => {
                let told = format!("{client} was told that {user} has {delivered}/{read} of {conversation}");
                let place = (*conversation, *user);
                let has_read = seen.read.get(&place).copied().unwrap_or_default();
                let has = seen.handed.get(&place).copied().unwrap_or_default().max(has_read);
                if *delivered > has || *read > has_read {
                    wrong.push(format!("{told}, who had {has}/{has_read}"));
                }
                if read > delivered {
                    wrong.push(format!("{told}: read but not delivered"));
                }
                let before = seen.told.entry((client, *conversation, *user)).or_default();
                if *delivered < before.0 || *read < before.1 {
                    wrong.push(format!("{told}, after {}/{}", before.0, before.1));
                }
                *before = (*delivered, *read);
            }
            _ => {}
        }
    }
    wrong
}

fn raise(marks: &mut HashMap<(ConversationId, UserId), Seq>, place: (ConversationId, UserId), seq: Seq) {
    let mark = marks.entry(place).or_default();
    *mark = (*mark).max(seq);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    fn two_delivered() -> Story {
        let mut story = Story::new();
        for (text, seq) in [("one", 1), ("two", 2)] {
            let id = story.enqueued("alice", text);
            story.handed_to_all(id, seq);
        }
        story
    }

    #[test]
    fn a_mark_that_goes_back_is_found() {
        let mut story = two_delivered();
        story.receipt("alice", "bob", 2, 0);
        story.receipt("alice", "bob", 1, 0);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_client_that_was_restarted_may_hear_it_again() {
        let mut story = two_delivered();
        story.receipt("alice", "bob", 1, 0);
        story.receipt("alice", "bob", 2, 0);
        story.note("alice", What::Started);
        story.receipt("alice", "bob", 1, 0);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn delivered_beyond_what_was_handed_up_is_found() {
        let mut story = two_delivered();
        story.receipt("alice", "bob", 3, 0);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn read_beyond_what_was_read_is_found_also_when_it_is_read_later() {
        let mut story = two_delivered();
        story.receipt("alice", "bob", 2, 1);
        story.read("bob", 1);
        assert_eq!(check(&story.history).len(), 1);
        story.receipt("alice", "bob", 2, 1);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn read_beyond_delivered_is_found() {
        let mut story = two_delivered();
        story.read("bob", 2);
        story.receipt("alice", "bob", 1, 2);
        assert_eq!(check(&story.history).len(), 1);
    }
}
