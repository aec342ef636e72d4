//! I4: nothing is handed up or confirmed that was not sent, by this sender, to this conversation, with this body; and no
//! group is made or changed but as somebody asked, though perhaps for fewer users.

use std::collections::HashMap;

use rookery_client::{Body, ConversationId, GroupChange, MessageId, UserId};

use crate::history::{Handed, History, Owner, What};

struct Sent<'a> {
    by: Owner,
    /// None where a group is made.
    to: Option<ConversationId>,
    what: Content<'a>,
}

enum Content<'a> {
    Body(&'a Body),
    Change(&'a GroupChange),
}

pub(super) fn check(history: &History) -> Vec<String> {
    // A message may be handed to somebody before its sender has noted that it sent it, so order does not matter.
    let mut sent: HashMap<MessageId, Sent<'_>> = HashMap::new();
    for entry in &history.entries {
        let by = history.owner(entry.client);
        match &entry.what {
            What::Enqueued { conversation, id, body } => {
                sent.insert(*id, Sent { by, to: Some(*conversation), what: Content::Body(body) });
            }
            What::Asked { conversation, id, change } => {
                sent.insert(*id, Sent { by, to: *conversation, what: Content::Change(change) });
            }
            _ => {}
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
                    Some(sent) => {
                        wrong.extend(sent.unlike(message).map(|how| format!("{client} got {id} {how}")));
                    }
                }
            }
            What::Accepted { conversation, id, .. } | What::Done { conversation, id, .. } => {
                let is_change = matches!(entry.what, What::Done { .. });
                let own = sent.get(id).is_some_and(|it| {
                    it.by == history.owner(client)
                        && it.to.is_none_or(|to| to == *conversation)
                        && matches!(it.what, Content::Change(_)) == is_change
                });
                if !own {
                    wrong.push(format!("{client} was told that {id} was accepted, and never sent it there"));
                }
            }
            _ => {}
        }
    }
    wrong
}

impl Sent<'_> {
    /// What is wrong with what came of it.
    fn unlike(&self, got: &Handed) -> Option<String> {
        if self.by != got.sender || self.to.is_some_and(|to| to != got.conversation) {
            return Some(format!("as another's or elsewhere: {:?}", got.sender));
        }
        match (&self.what, &got.change) {
            (Content::Body(sent), None) if **sent == got.body => None,
            (Content::Body(sent), None) => {
                let (got, was) = (got.body.len(), sent.len());
                Some(format!("with a body of {got} bytes, sent with other {was}"))
            }
            (Content::Change(asked), Some(done)) if is_of(asked, done, self.by.user) => None,
            (Content::Change(asked), Some(done)) => Some(format!("as {done:?}, asked for as {asked:?}")),
            _ => Some("as what it was not sent as".to_owned()),
        }
    }
}

/// Whether a change is what may come of a request: what it would not have changed is left out.
fn is_of(asked: &GroupChange, done: &GroupChange, by: UserId) -> bool {
    match (asked, done) {
        (GroupChange::Created { members: asked, name }, GroupChange::Created { members, name: given }) => {
            let is_asked = |user: &UserId| *user != by && asked.contains(user);
            let all = asked.iter().all(|user| *user == by || members.contains(user));
            name == given && members.iter().all(is_asked) && all
        }
        (GroupChange::Added(asked), GroupChange::Added(users))
        | (GroupChange::Removed(asked), GroupChange::Removed(users))
        | (GroupChange::Promoted(asked), GroupChange::Promoted(users))
        | (GroupChange::Demoted(asked), GroupChange::Demoted(users)) => {
            !users.is_empty() && users.iter().all(|user| asked.contains(user))
        }
        (GroupChange::Left { .. }, GroupChange::Left { .. }) => true,
        _ => asked == done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Client;
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
        let body = Body::new("hello");
        let mut handed = Handed { conversation, seq, sender, id, body, change: None };
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

    #[test]
    fn a_change_that_nobody_asked_for_is_found() {
        let mut story = Story::of_group();
        assert_eq!(check(&story.history), [""; 0]);
        let id = story.enqueued("bob", "hello");
        story.handed_to_all(id, 2);
        let What::Handed(last) = &mut story.history.entries.last_mut().unwrap().what else { panic!() };
        last.change = Some(GroupChange::Removed(vec![Story::user("alice")]));
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn a_change_may_say_less_than_was_asked_for_and_not_more() {
        let both = || vec![Story::user("bob"), Story::user("carol")];
        let (asked, less) = (GroupChange::Added(both()), GroupChange::Added(vec![Story::user("carol")]));
        let user = Story::user("alice");
        assert!(is_of(&asked, &less, user) && !is_of(&less, &asked, user));
        assert!(!is_of(&asked, &GroupChange::Removed(both()), user));
        assert!(!is_of(&asked, &GroupChange::Added(Vec::new()), user));
        let created = |members| GroupChange::Created { members, name: "birds".to_owned() };
        assert!(!is_of(&created(both()), &created(vec![Story::user("bob")]), user));
        assert!(is_of(&created(vec![user, Story::user("bob")]), &created(vec![Story::user("bob")]), user));
        let named = |name: &str| GroupChange::Named(name.to_owned());
        assert!(is_of(&named("fish"), &named("fish"), user) && !is_of(&named("fish"), &named("birds"), user));
        let successor = Some(Story::user("bob"));
        assert!(is_of(&GroupChange::Left { successor: None }, &GroupChange::Left { successor }, user));
    }

    #[test]
    fn a_confirmation_of_somebody_elses_change_is_found() {
        let mut story = Story::of_group();
        let id = story.asked("alice", GroupChange::Named("fish".to_owned()));
        story.done("bob", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }
}
