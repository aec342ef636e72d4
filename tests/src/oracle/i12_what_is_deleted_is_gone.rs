//! I12: once anybody knows that a message was deleted, nobody who then asks what was said is told what it, or an edit of it,
//! said.
//!
//! Events are another matter: one that was on its way may still bring the body, and the deletion follows it.

use std::collections::HashMap;

use rookery_client::{ConversationId, MessageId, ReferenceKind, Seq};

use crate::history::{Handed, History, What};

pub(super) fn check(history: &History) -> Vec<String> {
    let mut asked: HashMap<MessageId, Seq> = HashMap::new();
    // Since when which deletion of a message is known.
    let mut deleted: HashMap<(ConversationId, Seq), (usize, MessageId)> = HashMap::new();
    let mut wrong = Vec::new();
    for (at, entry) in history.entries.iter().enumerate() {
        match &entry.what {
            What::Enqueued { id, said, .. } => {
                asked.extend(said.target(ReferenceKind::Delete).map(|seq| (*id, seq)));
            }
            What::Accepted { conversation, id, .. } => {
                if let Some(seq) = asked.get(id) {
                    deleted.entry((*conversation, *seq)).or_insert((at, *id));
                }
            }
            What::Handed(Handed { conversation, id, said, .. }) => {
                if let Some(seq) = said.target(ReferenceKind::Delete) {
                    deleted.entry((*conversation, seq)).or_insert((at, *id));
                }
            }
            What::Recalled(recalled) => {
                let place = recalled.conversation;
                let known = |seq| {
                    let deletion = deleted.get(&(place, seq)).filter(|(since, _)| *since < recalled.asked);
                    deletion.map(|(_, id)| *id)
                };
                for told in &recalled.entries {
                    let deletion =
                        known(told.seq).or_else(|| told.said.target(ReferenceKind::Edit).and_then(known));
                    if let Some(deletion) = deletion.filter(|_| says_something(told)) {
                        let (client, seq) = (entry.client, told.seq);
                        wrong.push(format!("{client} was told what {seq} of {place} said, after {deletion}"));
                    }
                }
            }
            _ => {}
        }
    }
    wrong
}

fn says_something(told: &Handed) -> bool {
    !told.deleted || !told.said.body.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::made_up::Story;

    /// A message, its edit and its deletion, which alice has asked for.
    fn deletion() -> (Story, [MessageId; 3]) {
        let mut story = Story::new();
        let hello = story.enqueued("alice", "hello");
        let edit = story.about("alice", ReferenceKind::Edit, 1, "hallo");
        let deletion = story.about("alice", ReferenceKind::Delete, 1, "");
        (story, [hello, edit, deletion])
    }

    #[test]
    fn a_deleted_message_or_an_edit_of_it_that_is_told_to_one_who_asks_later_is_found() {
        let (mut story, [hello, edit, deletion]) = deletion();
        story.accepted("alice", deletion, 3);
        let asked = story.history.entries.len();
        story.recalled("bob", asked, &[story.emptied(hello, 1), story.emptied(edit, 2)]);
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled("bob", asked, &[story.entry(hello, 1), story.emptied(edit, 2)]);
        assert_eq!(check(&story.history).len(), 1);
        story.recalled("bob", asked, &[story.emptied(hello, 1), story.entry(edit, 2)]);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn who_asked_before_anybody_knew_may_be_told() {
        let (mut story, [hello, edit, deletion]) = deletion();
        let asked = story.history.entries.len();
        story.handed("bob", deletion, 3);
        story.recalled("bob", asked, &[story.entry(hello, 1), story.entry(edit, 2)]);
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled("bob", asked + 1, &[story.entry(hello, 1), story.entry(edit, 2)]);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn a_deletion_that_may_not_have_been_takes_nothing() {
        let (mut story, [hello, ..]) = deletion();
        let asked = story.history.entries.len();
        story.recalled("bob", asked, &[story.entry(hello, 1)]);
        assert_eq!(check(&story.history), [""; 0]);
    }
}
