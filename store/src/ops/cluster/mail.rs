//! Mail: what nodes tell a node through the store, while they have no link to it.

use bytes::Bytes;
use rookery_protocol::Stamp;

use crate::error::StoreError;
use crate::keys;
use crate::keys::mail::{
    self, Bell, ENTRIES_MAX, ENTRY_BYTES_MAX, Entry, bell_key, decode_taken, encode_taken, entry_key,
    entry_prefix, taken_key,
};
use crate::keys::node::{self, Lease, NodeId, NodeName};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// Appends to a node's mail and rings its bell.
///
/// Applied twice, it appends once, unless another post came between: what mail says must be harmless twice.
#[derive(Debug, Clone)]
pub struct PostMail {
    /// To which run of a node.
    pub to: NodeId,
    /// What to tell it, in order: together they have to fit into one transaction of the engine's, and each into
    /// [`ENTRY_BYTES_MAX`].
    pub entries: Vec<Bytes>,
    /// Random: the same when tried again after an unknown outcome, another for each post.
    pub nonce: u64,
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostOutcome {
    /// It is there.
    Posted,
    /// The run of the node it is for is no member.
    NotMember,
    /// More than [`ENTRIES_MAX`] would wait for the node: nothing of it is there.
    Full,
}

impl Op for PostMail {
    type Answer = Result<PostOutcome, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(node::key(&self.to.name));
        reads.key(bell_key(&self.to.name));
        reads.key(taken_key(&self.to.name));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        if let Some(long) = self.entries.iter().find(|entry| entry.len() > ENTRY_BYTES_MAX) {
            return Err(StoreError::TooLarge(format!("mail of {} bytes", long.len())));
        }
        let name = &self.to.name;
        let lease = view.get(&node::key(name)).map(|lease| keys::decode::<Lease>(&lease)).transpose()?;
        if lease.is_none_or(|lease| lease.incarnation != self.to.incarnation) {
            return Ok(PostOutcome::NotMember);
        }
        let bell = view.get(&bell_key(name)).map(|bell| keys::decode::<Bell>(&bell)).transpose()?;
        if bell.as_ref().is_some_and(|bell| bell.nonce == self.nonce) {
            return Ok(PostOutcome::Posted);
        }
        let posted = bell.map_or(0, |bell| bell.posted);
        let taken = view.get(&taken_key(name)).map_or(Ok(0), |value| decode_taken(&value))?;
        let waiting = posted.saturating_sub(taken);
        if waiting + self.entries.len() as u64 > ENTRIES_MAX {
            return Ok(PostOutcome::Full);
        }
        let mut bell = Bell { nonce: self.nonce, posted };
        for says in &self.entries {
            bell.posted += 1;
            let entry = Entry { number: bell.posted, says: says.clone() };
            let slot = writes.new_stamp();
            writes.put_stamped(entry_prefix(name), slot, entry.encode());
        }
        writes.put(bell_key(name), keys::encode(&bell));
        Ok(PostOutcome::Posted)
    }

    fn bytes_hint(&self) -> usize {
        128 + self.entries.iter().map(|entry| 96 + entry.len()).sum::<usize>()
    }
}

/// Clears the mail that a node has dealt with.
#[derive(Debug, Clone)]
pub struct TakeMail {
    /// Whose.
    pub name: NodeName,
    /// The stamp of the last entry dealt with, as [`queries::mail`](crate::queries::mail) gave it.
    pub upto: Stamp,
}

impl Op for TakeMail {
    type Answer = Result<(), StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(entry_key(&self.name, self.upto));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let last = entry_key(&self.name, self.upto);
        // It is gone if this was applied before, or the node was removed: then so are those before it.
        let Some(value) = view.get(&last) else { return Ok(()) };
        let entry = Entry::decode(&value.into_owned().into())?;
        let KeyRange { begin, .. } = mail::all(&self.name);
        writes.clear_range(begin, [last.as_slice(), &[0]].concat());
        writes.put(taken_key(&self.name), encode_taken(entry.number));
        Ok(())
    }
}
