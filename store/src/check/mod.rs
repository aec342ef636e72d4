//! Does the store hold what it promises? Looks at every key once, in steps, while others go on writing.
//!
//! A step reads some keys and what they refer to in one snapshot, so that it compares what belongs together, and lets go
//! of it. What looks wrong is looked at once more, in a fresh snapshot, before it is said. Nothing is remembered from
//! step to step but the place, so a check may end anywhere and go on there later, in another process.
//!
//! | checked | against |
//! |---|---|
//! | every value | can be read, under a key of its family's form |
//! | a conversation's log | dense up to the head, from where retention has left it, and no further; each message has its answer |
//! | answers to message ids | the message they name, unless it was trimmed |
//! | what is noted of edits, messages that are about another | those they name; what is deleted says nothing |
//! | messages that disappear, what is noted of that | each other |
//! | marks | `shown <= read <= delivered <= head` |
//! | events in inboxes | the message they point to, unless it was trimmed; the mark they tell of |
//! | stamps of events and cursors | the store's version, which gives the next |
//! | cursors, devices, handles, users | each other |
//! | chats, hidden messages | their users, each other, heads; either side of a direct conversation has a chat |
//! | privacy, profiles, people | their users |
//! | groups, their members, users' memberships, users | each other, and the heads of the groups' logs |
//! | channels that users follow, followers of channels and their counts | each other, their users and groups |
//! | leases, members, incarnations, mail | each other |
//!
//! What retention has trimmed cannot be told from what was lost at a log's beginning: an empty log is fine.

mod finding;
mod judge;
mod record;

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;

pub use self::finding::Finding;
use self::judge::Page;
use self::record::{Record, refers_to};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::op::KeyRange;
use crate::store::Store;

/// Keys that those of one step may refer to: the members of a group are one key that refers to a thousand.
const REFERENCES_MAX: usize = 16_384;

/// How much there was of what. What could not be read is counted as a key only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Keys of all kinds.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Accounts.
    pub users: u64,
    /// Handles.
    pub handles: u64,
    /// Devices.
    pub devices: u64,
    /// Devices' cursors.
    pub cursors: u64,
    /// Events in inboxes.
    pub events: u64,
    /// Conversations as they are listed to users.
    pub chats: u64,
    /// Messages that are hidden from users by name.
    pub hidden: u64,
    /// People who are anything to a user.
    pub people: u64,
    /// Channels that users follow, each as often as it is followed.
    pub followed: u64,
    /// Conversations that have a message, or had one.
    pub conversations: u64,
    /// Messages in logs.
    pub messages: u64,
    /// What is noted of messages' edits.
    pub edits: u64,
    /// Messages that are noted to disappear.
    pub expiries: u64,
    /// Answers to message ids.
    pub answers: u64,
    /// Members' marks.
    pub marks: u64,
    /// Groups, those included that have been deleted.
    pub groups: u64,
    /// Users' memberships in groups, those included that have ended.
    pub memberships: u64,
    /// Nodes' leases.
    pub leases: u64,
    /// Entries of nodes' mail.
    pub mail: u64,
    /// Bans of networks.
    pub bans: u64,
    /// Reports that nobody has dealt with yet.
    pub reports: u64,
    /// Keys, or kinds of events, that this version does not know.
    pub unknown: u64,
}

/// A check under way.
#[derive(Debug, Clone)]
pub struct Check {
    /// The first key not looked at. `None` at the end.
    next: Option<Vec<u8>>,
    keys_max: usize,
    counts: Counts,
}

impl Check {
    /// From the beginning, at most `keys_max` keys a step. Each step costs memory for their values and those they refer to, and
    /// holds on to a snapshot for as long as it takes to read them: some hundred is a good number.
    pub fn new(keys_max: usize) -> Self {
        // Families begin at 1: below that are the engines' own keys.
        Self::resume(vec![1], keys_max)
    }

    /// From where another check has come.
    pub fn resume(cursor: Vec<u8>, keys_max: usize) -> Self {
        Self { next: Some(cursor), keys_max: keys_max.max(1), counts: Counts::default() }
    }

    /// Where to resume. `None` at the end.
    pub fn cursor(&self) -> Option<&[u8]> {
        self.next.as_deref()
    }

    /// What has been looked at so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Looks at the next keys, and says what is wrong with them. `None` at the end.
    ///
    /// # Errors
    /// When the store cannot be read. The step may be tried again.
    pub async fn step(&mut self, store: &Store) -> Result<Option<Vec<Finding>>, StoreError> {
        let Some(begin) = self.next.clone() else { return Ok(None) };
        let snapshot = store.snapshot().await?;
        let range = KeyRange { begin, end: vec![0xff], limit: self.keys_max, reverse: false };
        let mut entries: Vec<Entry> = snapshot.range(&range).await?.into_iter().map(Entry::parse).collect();
        let is_full = entries.len() == self.keys_max;
        let is_cut = cut(&mut entries);
        let last = entries.last().filter(|_| is_full || is_cut);
        let next = last.map(|entry| after(&entry.key));
        let counts = counted(self.counts, &entries);
        let suspects: HashSet<Bytes> =
            judged(&*snapshot, entries).await?.into_iter().map(|(key, _)| key).collect();
        drop(snapshot);

        let findings = if suspects.is_empty() { Vec::new() } else { look_again(store, suspects).await? };
        self.counts = counts;
        self.next = next;
        Ok(Some(findings))
    }

    /// Looks at everything that is left, and says what is wrong with it, up to `findings_max`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn finish(&mut self, store: &Store, findings_max: usize) -> Result<Vec<Finding>, StoreError> {
        let mut findings = Vec::new();
        while let Some(found) = self.step(store).await? {
            let room = findings_max - findings.len();
            findings.extend(found.into_iter().take(room));
        }
        Ok(findings)
    }
}

/// A key with its value, and what that is or why it cannot be read.
struct Entry {
    key: Bytes,
    value: Bytes,
    record: Result<Record, String>,
}

impl Entry {
    fn parse((key, value): (Bytes, Bytes)) -> Self {
        let record = Record::parse(&key, &value);
        Self { key, value, record }
    }
}

/// Leaves out the last entries if all refer to more than [`REFERENCES_MAX`] keys together, though not the first.
fn cut(entries: &mut Vec<Entry>) -> bool {
    let mut references = Vec::new();
    let is_too_much = |entry: &Entry| {
        entry.record.iter().for_each(|record| refers_to(record, &mut references));
        references.len() > REFERENCES_MAX
    };
    let Some(at) = entries.iter().position(is_too_much) else { return false };
    let kept = at.max(1);
    let is_cut = kept < entries.len();
    entries.truncate(kept);
    is_cut
}

fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// What is wrong with these keys as they are now.
async fn look_again(store: &Store, keys: HashSet<Bytes>) -> Result<Vec<Finding>, StoreError> {
    let snapshot = store.snapshot().await?;
    let mut keys: Vec<Vec<u8>> = keys.into_iter().map(Vec::from).collect();
    keys.sort_unstable();
    let values = snapshot.get_many(&keys).await?;
    let entries = keys.into_iter().zip(values).filter_map(|(key, value)| Some((key.into(), value?)));
    let judged = judged(&*snapshot, entries.map(Entry::parse).collect()).await?;
    Ok(judged.into_iter().map(|(_, finding)| finding).collect())
}

/// What is wrong with some entries, by a snapshot that shows them.
async fn judged(snapshot: &dyn Snapshot, entries: Vec<Entry>) -> Result<Vec<(Bytes, Finding)>, StoreError> {
    let mut findings = Vec::new();
    let mut records = Vec::new();
    for Entry { key, value, record } in entries {
        match record {
            Ok(record) => records.push((key, value, record)),
            Err(why) => findings.push((key.clone(), Finding::Unreadable { key: key.to_vec(), why })),
        }
    }
    let page = Page::fetch(snapshot, &records).await?;
    for (key, _, record) in &records {
        findings.extend(page.judge(record).into_iter().map(|finding| (key.clone(), finding)));
    }
    Ok(findings)
}

fn counted(mut counts: Counts, entries: &[Entry]) -> Counts {
    for Entry { key, value, record } in entries {
        counts.keys += 1;
        counts.bytes += (key.len() + value.len()) as u64;
        if let Ok(record) = record {
            record.count(&mut counts);
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{GroupId, GroupSettings, Role, Seq, UserId};

    use super::*;
    use crate::keys::group::{Member, Members, members_key};

    #[test]
    fn a_step_ends_where_it_would_refer_to_too_much() {
        let mut members = Members::new(GroupSettings::default());
        for number in 1..=1_000 {
            let user = UserId::new(number).expect("a small number is an id");
            members.add(Member { user, role: Role::Admin, since: Seq::new(1), from: Seq::new(1) });
        }
        let entry = |number| {
            let group = GroupId::new(number).expect("a small number is an id");
            Entry::parse((members_key(group).into(), members.encode()))
        };
        let mut entries: Vec<Entry> = (1..=20).map(entry).collect();
        assert!(cut(&mut entries));
        assert_eq!(entries.len(), REFERENCES_MAX / 1_002);
        assert!(!cut(&mut entries), "what is left may stay");
    }
}
