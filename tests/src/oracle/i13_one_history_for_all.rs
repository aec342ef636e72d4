//! I13: at rest, whoever asks for all that was said in a conversation is told the same as everybody else: of two, all of
//! it; of a group, what the last membership holds; each entry once, in order, as it was handed up, without what it said if
//! it has been deleted or its time has come, and with it otherwise.

use std::collections::{BTreeMap, HashMap};

use rookery_client::{Body, ConversationId, ReferenceKind, Seq};

use super::i11_references_are_right::deletions;
use crate::group_log::GroupLog;
use crate::history::{Client, Handed, History, Recalled, Said};

/// How far a node's time of day may be from this process's: a clock that was set back is noticed within a second.
const CLOCK_MS: u64 = 2_000;

pub(super) fn check(history: &History) -> Vec<String> {
    let groups = GroupLog::all(history);
    let logs: HashMap<ConversationId, Log<'_>> =
        history.logs().into_iter().map(|(conversation, log)| (conversation, Log::of(log))).collect();
    let none = Log::of(BTreeMap::new());
    let mut wrong = Vec::new();
    for (client, recalled) in history.recalled().filter(|(_, recalled)| recalled.at_rest.is_some()) {
        let Recalled { conversation, .. } = recalled;
        let log = logs.get(conversation).unwrap_or(&none);
        let due = match groups.get(conversation) {
            Some(group) if conversation.group_id().is_some() => {
                let last = group.intervals(history.owner(client).user).last().copied();
                last.map(|last| (last.since, last.until.unwrap_or(log.head())))
            }
            _ => Some((Seq::new(1), log.head())),
        };
        wrong.extend(differs(client, recalled, due, log));
    }
    wrong
}

/// What was said, by places.
struct Log<'a> {
    entries: BTreeMap<Seq, &'a Handed>,
    /// The first deletion of each.
    deleted: BTreeMap<Seq, Seq>,
}

impl<'a> Log<'a> {
    fn of(entries: BTreeMap<Seq, &'a Handed>) -> Self {
        Self { deleted: deletions(&entries), entries }
    }

    fn head(&self) -> Seq {
        self.entries.last_key_value().map(|(seq, _)| *seq).unwrap_or_default()
    }
}

/// The first thing that is wrong with what a client was told, which is due from one place to another.
fn differs(client: Client, recalled: &Recalled, due: Option<(Seq, Seq)>, log: &Log<'_>) -> Option<String> {
    let place = recalled.conversation;
    let mut next = due.map(|(since, _)| since);
    for told in &recalled.entries {
        if next.is_none_or(|next| told.seq != next) {
            let next = next.map_or("nothing".to_owned(), |next| next.to_string());
            return Some(format!("{client} was told {} of {place} where {next} was due", told.seq));
        }
        if let Some(how) = unlike(told, log, recalled.at_rest.unwrap_or_default()) {
            return Some(format!("{client} was told of {} of {place} {how}", told.seq));
        }
        next = next.map(Seq::next).filter(|next| due.is_some_and(|(_, until)| *next <= until));
    }
    let next = next.filter(|next| due.is_some_and(|(_, until)| *next <= until))?;
    Some(format!("{client} was told of {place} up to before {next}, and {:?} was due", due?.1))
}

/// How an entry is not what was handed up.
fn unlike(told: &Handed, log: &Log<'_>, (began_ms, ended_ms): (u64, u64)) -> Option<String> {
    let Some(known) = log.entries.get(&told.seq) else { return Some("what nobody was handed".to_owned()) };
    let is_deleted = |seq: &Seq| log.deleted.contains_key(seq);
    let edited = told.said.target(ReferenceKind::Edit);
    let is_due_to_go = told.expires_ms != 0 && told.expires_ms + CLOCK_MS <= began_ms;
    let may_be_gone = told.expires_ms != 0 && told.expires_ms <= ended_ms + CLOCK_MS;
    match told.deleted {
        false if is_deleted(&told.seq) || edited.as_ref().is_some_and(is_deleted) => {
            return Some("what it said, and it was deleted".to_owned());
        }
        false if is_due_to_go => return Some("what it said, and its time had come".to_owned()),
        true if !is_deleted(&told.seq) && !edited.as_ref().is_some_and(is_deleted) && !may_be_gone => {
            return Some("that it was deleted, which it was not".to_owned());
        }
        _ => {}
    }
    let bare = |handed: &Handed| Handed {
        said: Said { body: Body::default(), ..handed.said.clone() },
        deleted: false,
        ..handed.clone()
    };
    let is_same = bare(told) == bare(known);
    let says_the_same =
        told.said.body == if told.deleted { Body::default() } else { known.said.body.clone() };
    // Somebody was handed it too late to know what it had said.
    let was_never_known = known.deleted && !told.deleted;
    (!is_same || !says_the_same && !was_never_known)
        .then(|| format!("otherwise than it was handed up: {told:?}, not {known:?}"))
}

#[cfg(test)]
mod tests {
    use rookery_client::{GroupChange, MessageId};

    use super::*;
    use crate::oracle::made_up::Story;

    fn three() -> (Story, [MessageId; 3]) {
        let mut story = Story::new();
        let ids = ["one", "two", "three"].map(|text| story.enqueued("alice", text));
        for (id, seq) in ids.into_iter().zip(1..) {
            story.handed_to_all(id, seq);
        }
        (story, ids)
    }

    #[test]
    fn a_history_with_a_gap_or_an_end_too_early_or_out_of_order_is_found() {
        let (mut story, ids) = three();
        let [one, two, three] = [1, 2, 3].map(|seq| story.entry(ids[seq - 1], seq as u64));
        story.recalled_at_rest("bob", &[one.clone(), two.clone(), three.clone()]);
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled_at_rest("bob", &[one.clone(), three.clone()]);
        story.recalled_at_rest("bob", &[one.clone(), two.clone()]);
        story.recalled_at_rest("bob", &[two, one, three]);
        story.recalled_at_rest("bob", &[]);
        assert_eq!(check(&story.history).len(), 4);
    }

    #[test]
    fn another_entry_than_the_one_handed_up_is_found() {
        let (mut story, ids) = three();
        let [one, two, three] = [1, 2, 3].map(|seq| story.entry(ids[seq - 1], seq as u64));
        let other = Handed { id: Story::stranger(), ..one.clone() };
        story.recalled_at_rest("bob", &[other, two.clone(), three.clone()]);
        let other = Handed { said: Said::plain("1"), ..one };
        story.recalled_at_rest("alice", &[other, two, three]);
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn a_deleted_message_that_says_something_and_one_that_says_nothing_without_being_deleted_are_found() {
        let (mut story, ids) = three();
        let deletion = story.about("alice", ReferenceKind::Delete, 2, "");
        story.handed_to_all(deletion, 4);
        let entries = |story: &Story, gone: usize| -> Vec<Handed> {
            let all = ids.iter().chain([&deletion]).zip(1..);
            all.map(
                |(id, seq)| if seq == gone as u64 { story.emptied(*id, seq) } else { story.entry(*id, seq) },
            )
            .collect()
        };
        story.recalled_at_rest("bob", &entries(&story, 2));
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled_at_rest("bob", &entries(&story, 0));
        assert_eq!(check(&story.history).len(), 1);
        story.recalled_at_rest("bob", &entries(&story, 1));
        assert_eq!(check(&story.history).len(), 2);
    }

    #[test]
    fn what_disappears_says_something_before_its_time_and_nothing_after_it() {
        let told = |expires_ms, is_gone| {
            let mut story = Story::new();
            let id = story.enqueued("alice", "hello");
            story.note("bob", crate::history::What::Handed(Handed { expires_ms, ..story.entry(id, 1) }));
            let entry = if is_gone { story.emptied(id, 1) } else { story.entry(id, 1) };
            story.recalled_at("bob", 2, Some((10_000, 10_000)), &[Handed { expires_ms, ..entry }]);
            check(&story.history).len()
        };
        assert_eq!((told(5_000, true), told(5_000, false)), (0, 1));
        assert_eq!((told(15_000, true), told(15_000, false)), (1, 0));
        assert_eq!((told(10_000, true), told(10_000, false)), (0, 0), "clocks differ");
    }

    #[test]
    fn in_a_group_the_last_membership_is_told_and_nothing_else() {
        let mut story = Story::of_group();
        let made = story.history.handed().next().unwrap().1.id;
        let hello = story.enqueued("alice", "hello");
        story.handed_to_all(hello, 2);
        let added = story.changed("alice", GroupChange::Added(vec![Story::user("carol")]), 3);
        let [made, hello, added] = [(made, 1), (hello, 2), (added, 3)].map(|(id, seq)| story.entry(id, seq));
        story.recalled_at_rest("bob", &[made, hello.clone(), added.clone()]);
        story.recalled_at_rest("carol", std::slice::from_ref(&added));
        assert_eq!(check(&story.history), [""; 0]);
        story.recalled_at_rest("carol", &[hello, added]);
        assert_eq!(check(&story.history).len(), 1);
    }
}
