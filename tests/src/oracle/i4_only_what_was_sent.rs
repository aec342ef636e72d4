//! I4: nothing is given or confirmed that was not sent, by this sender, to this conversation, saying this, unless
//! its body has been taken from it; and no group is made or changed but as somebody asked, though perhaps for fewer users.
//!
//! A body may be missing from what somebody wants to be deleted, from what edits that, and from what disappears; and
//! nothing disappears where nobody has set a timer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rookery_client::{Body, ConversationId, GroupChange, MessageId, ReferenceKind, Seq, UserId};

use crate::history::{Handed, History, Owner, Said, What};

struct Sent<'a> {
    by: Owner,
    /// None where a group is made.
    to: Option<ConversationId>,
    what: Content<'a>,
}

enum Content<'a> {
    Said(&'a Said),
    Change(&'a GroupChange),
}

pub(super) fn check(history: &History) -> Vec<String> {
    // A message may be handed to somebody before its sender has noted that it sent it, so order does not matter.
    let mut sent: HashMap<MessageId, Sent<'_>> = HashMap::new();
    let mut fading = Fading::default();
    for entry in &history.entries {
        let by = history.owner(entry.client);
        match &entry.what {
            What::Enqueued { conversation, id, said } => {
                sent.insert(*id, Sent { by, to: Some(*conversation), what: Content::Said(said) });
                fading.follow(*conversation, said);
            }
            What::Asked { conversation, id, change } => {
                sent.insert(*id, Sent { by, to: *conversation, what: Content::Change(change) });
            }
            _ => {}
        }
    }
    let unlike = |message: &Handed| match sent.get(&message.id) {
        None => Some(format!("in {}, which nobody sent", message.conversation)),
        Some(sent) => sent.unlike(message, &fading),
    };
    let mut wrong = Vec::new();
    let mut seen: HashSet<*const Handed> = HashSet::new();
    for entry in &history.entries {
        let client = entry.client;
        match &entry.what {
            What::Handed(message) => {
                wrong.extend(unlike(message).map(|how| format!("{client} got {} {how}", message.id)));
            }
            What::Recalled(recalled) => {
                let news = recalled.entries.iter().filter(|message| seen.insert(Arc::as_ptr(message)));
                wrong.extend(news.filter_map(|message| {
                    Some(format!("{client} was told of {} {}", message.id, unlike(message)?))
                }));
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

/// What may have lost its body.
#[derive(Default)]
struct Fading {
    /// What somebody wants to be deleted, by its place.
    deleted: HashSet<(ConversationId, Seq)>,
    /// Where somebody has set a timer.
    timed: HashSet<ConversationId>,
}

impl Fading {
    fn follow(&mut self, conversation: ConversationId, said: &Said) {
        self.deleted.extend(said.target(ReferenceKind::Delete).map(|seq| (conversation, seq)));
        if said.timer_s != 0 {
            self.timed.insert(conversation);
        }
    }

    fn may_be_empty(&self, got: &Handed) -> bool {
        let edited = got.said.target(ReferenceKind::Edit);
        let is_deleted = |seq| self.deleted.contains(&(got.conversation, seq));
        got.expires_ms != 0 || is_deleted(got.seq) || edited.is_some_and(is_deleted)
    }
}

impl Sent<'_> {
    /// What is wrong with what came of it.
    fn unlike(&self, got: &Handed, fading: &Fading) -> Option<String> {
        if self.by != got.sender || self.to.is_some_and(|to| to != got.conversation) {
            return Some(format!("as another's or elsewhere: {:?}", got.sender));
        }
        if got.expires_ms != 0 && !fading.timed.contains(&got.conversation) {
            return Some("as what disappears, without a timer".to_owned());
        }
        match (&self.what, &got.change) {
            (Content::Said(_), None) if got.deleted && !fading.may_be_empty(got) => {
                Some("without its body, which nobody has deleted".to_owned())
            }
            (Content::Said(sent), None) if got.deleted => {
                let emptied = Said { body: Body::default(), ..Said::clone(sent) };
                (emptied != got.said).then(|| "as deleted, and not as it was but for its body".to_owned())
            }
            (Content::Said(sent), None) if **sent == got.said => None,
            (Content::Said(sent), None) if sent.body == got.said.body => {
                Some(format!("as {:?}, sent as {:?}", got.said.reference, sent.reference))
            }
            (Content::Said(sent), None) => {
                let (got, was) = (got.said.body.len(), sent.body.len());
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
    use rookery_client::Reference;

    use super::*;
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
        let mut handed = story.entry(id, 1);
        change(&mut handed);
        story.note("bob", What::Handed(handed));
        check(&story.history)
    }

    #[test]
    fn a_changed_body_or_sender_or_place_is_found() {
        assert_eq!(changed(|_| {}), [""; 0]);
        assert_eq!(changed(|handed| handed.said.body = Body::new("hallo")).len(), 1);
        assert_eq!(changed(|handed| handed.sender.device = rookery_client::DeviceId::new(2)).len(), 1);
        let elsewhere =
            ConversationId::direct(Story::new().history.owners[0].user, Story::new().history.owners[0].user);
        assert_eq!(changed(|handed| handed.conversation = elsewhere).len(), 1);
        let about = Reference { kind: ReferenceKind::Reply, seq: Seq::new(1) };
        assert_eq!(changed(|handed| handed.said.reference = Some(about)).len(), 1);
        assert_eq!(changed(|handed| handed.said.timer_s = 5).len(), 1);
    }

    #[test]
    fn a_body_that_is_gone_without_anybodys_having_deleted_it_is_found() {
        let mut story = Story::new();
        let hello = story.enqueued("alice", "hello");
        story.note("bob", What::Handed(story.emptied(hello, 1)));
        assert_eq!(check(&story.history).len(), 1);
        story.about("alice", ReferenceKind::Delete, 1, "");
        assert_eq!(check(&story.history), [""; 0]);
        let edit = story.about("alice", ReferenceKind::Edit, 1, "hallo");
        story.recalled("bob", 0, &[story.emptied(hello, 1), story.emptied(edit, 2)]);
        assert_eq!(check(&story.history), [""; 0], "edits go with what they edit");
        let answer = story.about("alice", ReferenceKind::Reply, 1, "and hello again");
        story.recalled("bob", 0, &[story.emptied(answer, 3)]);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn what_disappears_where_there_is_no_timer_is_found() {
        let mut story = Story::new();
        let hello = story.enqueued("alice", "hello");
        let gone = Handed { expires_ms: 7, ..story.emptied(hello, 1) };
        story.note("bob", What::Handed(gone.clone()));
        assert_eq!(check(&story.history).len(), 1);
        story.timer("bob", 5);
        assert_eq!(check(&story.history), [""; 0]);
        let still = Handed { said: Said::plain("hello"), ..gone };
        story.note("bob", What::Handed(still));
        assert_eq!(check(&story.history).len(), 1, "deleted, and with its body");
    }

    #[test]
    fn something_recalled_that_nobody_said_is_found_once() {
        let mut story = Story::new();
        let hello = story.enqueued("alice", "hello");
        let changed = Handed { said: Said::plain("hallo"), ..story.entry(hello, 1) };
        story.recalled("bob", 0, &[story.entry(hello, 1)]);
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled("bob", 0, &[changed]);
        assert_eq!(check(&story.history).len(), 1);
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
