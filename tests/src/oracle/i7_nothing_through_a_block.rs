//! I7: once somebody knows that another is blocked, nothing that either of them says to the other after that is accepted,
//! until somebody asks for the block to end.
//!
//! *After* is what clients saw: the message was given to its sender's client when the blocker's had been told that it was
//! done. It counts as accepted when anybody is handed it, or told that it was accepted. A message given before may
//! come, however late. A block is known to stand while every wish to end it is either still to come, or was
//! confirmed before that block was asked for: one whose outcome nobody knows may come true at any time.

use std::collections::{BTreeMap, HashMap};

use rookery_client::{ConversationId, MessageId, UserId};

use crate::history::{Client, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let wishes = Wishes::of(history);
    let mut given: HashMap<MessageId, (usize, ConversationId, UserId)> = HashMap::new();
    let mut wrong = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        let (id, client) = match &entry.what {
            What::Enqueued { conversation, id, .. } if conversation.group_id().is_none() => {
                let user = history.owner(entry.client).user;
                given.insert(*id, (at, *conversation, user));
                continue;
            }
            What::Accepted { id, .. } => (*id, entry.client),
            What::Handed(handed) => (handed.id, entry.client),
            _ => continue,
        };
        // Only the first who knows of it tells anything.
        let Some((since, conversation, author)) = given.remove(&id) else { continue };
        let Some(peer) = conversation.direct_peer(author).filter(|peer| *peer != author) else { continue };
        for (blocker, blocked) in [(author, peer), (peer, author)] {
            if wishes.stood((blocker, blocked), since, at) {
                wrong.push(told(client, (author, id), (blocker, blocked)));
            }
        }
    }
    wrong
}

fn told(client: Client, (author, id): (UserId, MessageId), (blocker, blocked): (UserId, UserId)) -> String {
    format!("{client} knows of {id}, which {author} said when {blocker} had blocked {blocked}")
}

/// A wish to block somebody, or to end that.
struct Wish {
    blocked: bool,
    asked: usize,
    done: Option<usize>,
}

/// What all users wanted of others, in the order in which it was asked for.
pub(super) struct Wishes(BTreeMap<(UserId, UserId), Vec<Wish>>);

impl Wishes {
    pub(super) fn of(history: &History) -> Self {
        let mut wishes: BTreeMap<(UserId, UserId), Vec<Wish>> = BTreeMap::new();
        let mut places: HashMap<MessageId, ((UserId, UserId), usize)> = HashMap::new();
        for (at, entry) in history.entries.iter().enumerate() {
            match &entry.what {
                What::BlockAsked { id, whom, blocked } => {
                    let pair = (history.owner(entry.client).user, *whom);
                    let of_pair = wishes.entry(pair).or_default();
                    places.insert(*id, (pair, of_pair.len()));
                    of_pair.push(Wish { blocked: *blocked, asked: at, done: None });
                }
                What::BlockDone { id } => {
                    let wish = places.get(id).and_then(|(pair, place)| wishes.get_mut(pair)?.get_mut(*place));
                    if let Some(wish) = wish {
                        wish.done = Some(at);
                    }
                }
                _ => {}
            }
        }
        Self(wishes)
    }

    fn of_pair(&self, pair: (UserId, UserId)) -> &[Wish] {
        self.0.get(&pair).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the first is known to have blocked the second from one moment to another.
    fn stood(&self, pair: (UserId, UserId), since: usize, until: usize) -> bool {
        let wishes = self.of_pair(pair);
        let stands = |block: &Wish| {
            let mut ends = wishes.iter().filter(|wish| !wish.blocked && wish.asked < until);
            block.done.is_some_and(|done| done < since)
                && ends.all(|end| end.done.is_some_and(|done| done < block.asked))
        };
        wishes.iter().any(|wish| wish.blocked && stands(wish))
    }

    /// Whether the first may have blocked the second at some moment of these.
    pub(super) fn may_have_stood(&self, pair: (UserId, UserId), since: usize, until: usize) -> bool {
        let wishes = self.of_pair(pair);
        let is_over = |block: &Wish| {
            let mut ends = wishes.iter().filter(|wish| !wish.blocked);
            block.done.is_some_and(|begun| {
                ends.any(|end| begun < end.asked && end.done.is_some_and(|done| done < since))
            })
        };
        wishes.iter().any(|wish| wish.blocked && wish.asked < until && !is_over(wish))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    #[test]
    fn what_either_side_says_after_the_block_is_confirmed_and_anybody_gets_is_found() {
        let mut story = Story::new();
        story.blocked("alice", "bob", true);
        let id = story.enqueued("bob", "let me explain");
        assert_eq!(check(&story.history), [""; 0], "it may have been refused");
        story.handed("alice", id, 1);
        story.handed("bob", id, 1);
        assert_eq!(check(&story.history).len(), 1);
        let id = story.enqueued("alice", "no");
        story.accepted("alice", id, 2);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn what_was_on_its_way_may_come_and_so_may_what_is_said_while_nobody_knows_of_the_block() {
        let mut story = Story::new();
        let early = story.enqueued("bob", "on its way");
        let id = story.block_asked("alice", "bob", true);
        let unknown = story.enqueued("bob", "who knows");
        story.handed_to_all(unknown, 1);
        story.note("alice", What::BlockDone { id });
        story.handed_to_all(early, 2);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn a_block_stands_until_its_end_is_asked_for() {
        let mut story = Story::new();
        story.blocked("alice", "bob", true);
        let waits = story.enqueued("bob", "let me explain");
        let end = story.block_asked("alice", "bob", false);
        story.handed("bob", waits, 1);
        assert_eq!(check(&story.history), [""; 0]);
        story.note("alice", What::BlockDone { id: end });
        story.blocked("alice", "bob", true);
        let id = story.enqueued("bob", "again");
        story.handed("bob", id, 2);
        assert_eq!(check(&story.history).len(), 1);
    }

    #[test]
    fn an_end_of_unknown_outcome_may_come_true_later() {
        let mut story = Story::new();
        story.block_asked("alice's other device", "bob", false);
        story.blocked("alice", "bob", true);
        let id = story.enqueued("bob", "let me explain");
        story.handed_to_all(id, 1);
        assert_eq!(check(&story.history), [""; 0]);
    }

    #[test]
    fn in_a_group_a_block_is_no_matter() {
        let mut story = Story::of_group();
        story.blocked("alice", "bob", true);
        let id = story.enqueued("bob", "hello all");
        story.handed_to_all(id, 2);
        assert_eq!(check(&story.history), [""; 0]);
    }
}
