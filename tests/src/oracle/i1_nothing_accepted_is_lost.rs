//! I1: an entry that was accepted, or that anybody was handed, is handed to every device of everybody it is for: of both
//! members of a direct conversation, and of all whose membership of a group holds its place, its author in any case. So
//! is a message that its sender's local store has, unless it was refused for good.

use std::collections::{BTreeMap, HashMap, HashSet};

use rookery_client::{ConversationId, MessageId, Seq, UserId};

use crate::group_log::GroupLog;
use crate::history::{Client, History, What};

const PROMISED: &str = "told it would be sent";

struct Known {
    seq: Seq,
    author: UserId,
    witness: Client,
    how: &'static str,
}

pub(super) fn check(history: &History) -> Vec<String> {
    let mut known: BTreeMap<(ConversationId, MessageId), Known> = BTreeMap::new();
    let mut handed = HashSet::new();
    let mut refused = HashSet::new();
    // What may be refused may have been, and with its process a client may lose the news of that.
    let mut refusable = Refusable::default();
    let mut promised: HashMap<Client, Vec<MessageId>> = HashMap::new();
    for entry in &history.entries {
        let (client, user) = (entry.client, history.owner(entry.client).user);
        refusable.follow(user, &entry.what);
        let (conversation, id, seq, author, how) = match &entry.what {
            What::Stored { conversation, id } => {
                if refusable.has(*conversation, *id) {
                    promised.entry(client).or_default().push(*id);
                }
                (*conversation, *id, Seq::ZERO, user, PROMISED)
            }
            What::Accepted { conversation, id, seq } => {
                (*conversation, *id, *seq, user, "told it was accepted")
            }
            What::Done { conversation, id, seq } => (*conversation, *id, *seq, user, "told it was done"),
            What::Handed(message) => {
                handed.insert((client, message.conversation, message.id));
                (message.conversation, message.id, message.seq, message.sender.user, "handed it")
            }
            What::Refused { id, .. } => {
                refused.insert(*id);
                continue;
            }
            What::Crashed => {
                refused.extend(promised.remove(&client).unwrap_or_default());
                continue;
            }
            _ => continue,
        };
        let seen = Known { seq, author, witness: client, how };
        let known = known.entry((conversation, id)).or_insert(Known { ..seen });
        if known.how == PROMISED {
            *known = seen;
        }
    }
    let audience = Audience::of(history);
    let mut lost = Vec::new();
    for ((conversation, id), Known { seq, author, witness, how }) in known {
        if how == PROMISED && refused.contains(&id) {
            continue;
        }
        for client in audience.of_entry(conversation, seq, author) {
            if !handed.contains(&(client, conversation, id)) {
                lost.push(format!("{client} never got {seq} of {conversation} ({id}); {witness} was {how}"));
            }
        }
    }
    lost
}

/// What a server may refuse for good: of groups those who are no longer members, what is about a message that may be gone,
/// and what goes to somebody who may be blocked, or may have blocked its author.
#[derive(Default)]
struct Refusable {
    references: HashSet<MessageId>,
    quarrels: HashSet<ConversationId>,
}

impl Refusable {
    fn follow(&mut self, user: UserId, what: &What) {
        match what {
            What::Enqueued { id, said, .. } if said.reference.is_some() => _ = self.references.insert(*id),
            What::BlockAsked { whom, .. } => _ = self.quarrels.insert(ConversationId::direct(user, *whom)),
            _ => {}
        }
    }

    fn has(&self, conversation: ConversationId, id: MessageId) -> bool {
        let is_group = conversation.group_id().is_some();
        is_group || self.references.contains(&id) || self.quarrels.contains(&conversation)
    }
}

/// Whom entries are for.
struct Audience {
    clients: HashMap<UserId, Vec<Client>>,
    groups: BTreeMap<ConversationId, GroupLog>,
}

impl Audience {
    fn of(history: &History) -> Self {
        let mut clients: HashMap<UserId, Vec<Client>> = HashMap::new();
        for (at, owner) in history.owners.iter().enumerate() {
            clients.entry(owner.user).or_default().push(Client(at));
        }
        Self { clients, groups: GroupLog::all(history) }
    }

    fn of_entry(&self, conversation: ConversationId, seq: Seq, author: UserId) -> Vec<Client> {
        let mut users: Vec<UserId> = match conversation.group_id() {
            Some(_) => {
                self.groups.get(&conversation).into_iter().flat_map(|log| log.members_at(seq)).collect()
            }
            None => conversation.direct_peer(author).into_iter().collect(),
        };
        if !users.contains(&author) {
            users.push(author);
        }
        users.iter().filter_map(|user| self.clients.get(user)).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use rookery_client::GroupChange;

    use super::*;
    use crate::oracle::made_up::{Story, refusal};

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
        story.refused("alice", id, refusal());
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

    #[test]
    fn what_a_group_says_is_lost_when_one_member_never_gets_it() {
        let mut story = Story::of_group();
        let id = story.enqueued("alice", "hello");
        story.accepted("alice", id, 2);
        story.handed_to(&["alice", "alice's other device"], id, 2);
        assert_eq!(check(&story.history).len(), 1);
        story.handed("bob", id, 2);
        assert_eq!(check(&story.history), [""; 0], "carol is no member");
    }

    #[test]
    fn the_entry_that_removes_a_member_is_for_them_too_and_what_follows_is_not() {
        let mut story = Story::of_group();
        let removed = story.asked("alice", GroupChange::Removed(vec![Story::user("bob")]));
        story.done("alice", removed, 2);
        story.handed_to(&["alice", "alice's other device"], removed, 2);
        assert_eq!(check(&story.history).len(), 1);
        story.handed("bob", removed, 2);
        let id = story.enqueued("alice", "at last");
        story.handed_to(&["alice", "alice's other device"], id, 3);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn whoever_is_added_gets_the_entry_that_adds_them_and_all_that_follows() {
        let mut story = Story::of_group();
        story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 2);
        assert_eq!(check(&story.history).len(), 1);
        let id = story.enqueued("alice", "welcome");
        story.handed_to_all(id, 3);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn a_group_that_was_made_and_nobody_has_is_lost() {
        let mut story = Story::of_group();
        story.history.entries.clear();
        let created = GroupChange::Created { members: vec![Story::user("bob")], name: "birds".to_owned() };
        let id = story.asked("alice", created);
        assert_eq!(check(&story.history), [""; 0], "it may never have been made");
        story.done("alice", id, 1);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn the_news_that_a_group_refused_a_message_may_be_lost_with_the_client() {
        let mut story = Story::of_group();
        let id = story.enqueued("alice", "hello");
        story.note("alice", What::Stored { conversation: story.place, id });
        assert_eq!(check(&story.history).len(), 2);
        story.note("alice", What::Crashed);
        assert_eq!(check(&story.history), [""; 0]);
        story.accepted("alice", id, 2);
        assert_eq!(check(&story.history).len(), 3);
    }

    #[test]
    fn so_may_the_news_that_a_message_could_not_be_edited_or_that_one_is_blocked() {
        let crashed = |prepare: fn(&mut Story) -> MessageId| {
            let mut story = Story::new();
            let id = prepare(&mut story);
            story.note("alice", What::Stored { conversation: story.place, id });
            story.note("alice", What::Crashed);
            check(&story.history).len()
        };
        assert_eq!(crashed(|story| story.enqueued("alice", "hello")), 3);
        assert_eq!(crashed(|story| story.about("alice", rookery_client::ReferenceKind::Edit, 1, "hallo")), 0);
        assert_eq!(
            crashed(|story| {
                story.block_asked("bob", "alice", true);
                story.enqueued("alice", "hello")
            }),
            0
        );
    }
}
