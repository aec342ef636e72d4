//! I4: nothing is handed up or confirmed that was not sent, by this sender, to this conversation, with this body.

use std::collections::HashMap;

use rookery_client::{Body, ConversationId, MessageId};

use crate::history::{History, Owner, What};

struct Sent<'a> {
    by: Owner,
    to: ConversationId,
    body: &'a Body,
}

pub(super) fn check(history: &History) -> Vec<String> {
    // A message may be handed to somebody before its sender has noted that it sent it, so order does not matter.
    let mut sent: HashMap<MessageId, Sent<'_>> = HashMap::new();
    for entry in &history.entries {
        if let What::Enqueued { conversation, id, body } = &entry.what {
            sent.insert(*id, Sent { by: history.owner(entry.client), to: *conversation, body });
        }
    }
    let mut wrong = Vec::new();
    for entry in &history.entries {
        let client = entry.client;
        match &entry.what {
            What::Handed(message) => {
                let (id, conversation) = (message.id, message.conversation);
                match sent.get(&id) {
                    None => wrong.push(format!("{client} got {id} in {conversation}, which nobody sent")),
                    Some(sent) if (sent.by, sent.to) != (message.sender, conversation) => {
                        wrong.push(format!(
                            "{client} got {id} as another's or elsewhere: {:?}",
                            message.sender
                        ));
                    }
                    Some(sent) if *sent.body != message.body => {
                        let (got, was) = (message.body.len(), sent.body.len());
                        wrong.push(format!(
                            "{client} got {id} with a body of {got} bytes, sent with other {was}"
                        ));
                    }
                    Some(_) => {}
                }
            }
            What::Accepted { conversation, id, .. } => {
                let own =
                    sent.get(id).is_some_and(|it| (it.by, it.to) == (history.owner(client), *conversation));
                if !own {
                    wrong.push(format!("{client} was told that {id} was accepted, and never sent it there"));
                }
            }
            _ => {}
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Client, Handed};
    use crate::oracle::made_up::Story;

    #[test]
    fn a_message_out_of_nowhere_is_found() {
        let mut story = Story::new();
        story.handed("bob", Story::stranger(), 1);
        story.accepted("alice", Story::stranger(), 1);
        assert_eq!(check(&story.history).len(), 2);
    }

    fn changed(change: impl FnOnce(&mut Handed)) -> Vec<String> {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        let (conversation, sender) = (Story::conversation(), story.history.owner(Client(0)));
        let seq = rookery_client::Seq::new(1);
        let mut handed = Handed { conversation, seq, sender, id, body: Body::new("hello") };
        change(&mut handed);
        story.note("bob", What::Handed(handed));
        check(&story.history)
    }

    #[test]
    fn a_changed_body_or_sender_or_place_is_found() {
        assert_eq!(changed(|_| {}), [""; 0]);
        assert_eq!(changed(|handed| handed.body = Body::new("hallo")).len(), 1);
        assert_eq!(changed(|handed| handed.sender.device = rookery_client::DeviceId::new(2)).len(), 1);
        let elsewhere =
            ConversationId::direct(Story::new().history.owners[0].user, Story::new().history.owners[0].user);
        assert_eq!(changed(|handed| handed.conversation = elsewhere).len(), 1);
    }

    #[test]
    fn a_confirmation_of_somebody_elses_message_is_found() {
        let mut story = Story::new();
        let id = story.enqueued("alice", "hello");
        story.accepted("bob", id, 1);
        assert_eq!(check(&story.history).len(), 1);
    }
}
