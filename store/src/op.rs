//! A transaction as a value: what it reads, then a pure function from that to writes and an answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use crate::stamp::StampSlot;

/// A transaction as a value.
///
/// [`apply`](Op::apply) may run several times, with a conflict or an unknown outcome in between, and only one run
/// counts. It therefore decides from the view alone: no clock, no randomness, no memory of an earlier run. What it
/// writes must make a second application harmless.
pub trait Op: Send + 'static {
    /// What the caller learns once the operation has committed.
    type Answer: Send + 'static;

    /// Declares everything [`apply`](Op::apply) may look at.
    fn reads(&self, reads: &mut Reads);

    /// Decides. Looking at what was not declared panics.
    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer;

    /// About how many bytes it will write, to keep batches within bounds.
    fn bytes_hint(&self) -> usize {
        256
    }

    /// Whether nobody minds if it waits for another, up to [`PATIENCE`](crate::PATIENCE), to be committed with it.
    fn may_wait(&self) -> bool {
        false
    }
}

/// A range of keys, `begin` inclusive, `end` exclusive.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyRange {
    /// The first key.
    pub begin: Vec<u8>,
    /// The key after the last.
    pub end: Vec<u8>,
    /// Entries wanted at most.
    pub limit: usize,
    /// Whether the greatest keys come first.
    pub reverse: bool,
}

impl KeyRange {
    /// All keys that begin with `prefix`, up to `limit` of them.
    ///
    /// # Panics
    /// When the prefix is all `0xff`, which no key family's is.
    pub fn prefix(prefix: &[u8], limit: usize) -> Self {
        let last =
            prefix.iter().rposition(|byte| *byte != 0xff).expect("a key family's prefix is not all 0xff");
        let mut end = prefix[..=last].to_vec();
        end[last] += 1;
        Self { begin: prefix.to_vec(), end, limit, reverse: false }
    }
}

/// What an operation will look at.
#[derive(Debug, Default)]
pub struct Reads {
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) ranges: Vec<KeyRange>,
}

impl Reads {
    /// One key.
    pub fn key(&mut self, key: Vec<u8>) {
        self.keys.push(key);
    }

    /// A range.
    pub fn range(&mut self, range: KeyRange) {
        self.ranges.push(range);
    }

    /// The keys declared, in order, with repetitions.
    pub fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    /// The ranges declared, in order, with repetitions.
    pub fn ranges(&self) -> &[KeyRange] {
        &self.ranges
    }
}

/// The committed state an operation is applied to: an engine's own transaction, or what was fetched from one.
pub trait Base {
    /// The value under a key.
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>>;

    /// A range's entries, in its order.
    fn range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)>;
}

/// What the operations of a batch have written so far.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// From a range's first key to the key after its last. They neither overlap nor touch.
    pub(crate) cleared: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) puts: BTreeMap<Vec<u8>, Option<Bytes>>,
    pub(crate) stamped: BTreeMap<(Vec<u8>, StampSlot), Bytes>,
    pub(crate) slots_used: u16,
}

impl Overlay {
    /// What it says of a key: nothing, or that it has this value, or none.
    fn get(&self, key: &[u8]) -> Option<Option<&Bytes>> {
        if let Some(value) = self.puts.get(key) {
            return Some(value.as_ref());
        }
        self.is_cleared(key).then_some(None)
    }

    fn is_cleared(&self, key: &[u8]) -> bool {
        let up_to_key = (Bound::Unbounded, Bound::Included(key));
        self.cleared.range::<[u8], _>(up_to_key).next_back().is_some_and(|(_, end)| key < end.as_slice())
    }
}

/// What an operation sees: the committed state under what the operations before it in the batch have written.
/// Stamped keys are not seen before their commit, for their stamps are not known.
pub struct View<'a> {
    base: &'a dyn Base,
    overlay: &'a Overlay,
}

impl<'a> View<'a> {
    pub(crate) fn new(base: &'a dyn Base, overlay: &'a Overlay) -> Self {
        Self { base, overlay }
    }

    /// The value under a key.
    pub fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self.overlay.get(key) {
            Some(value) => value.map(|value| Cow::Borrowed(&value[..])),
            None => self.base.get(key),
        }
    }

    /// A range's entries. With a limit, entries deleted earlier in the batch may make it shorter than the limit, though
    /// never with a gap: what it has are the first entries there are.
    pub fn range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)> {
        let base = self.base.range(range);
        if self.overlay.puts.is_empty() && self.overlay.cleared.is_empty() {
            return base;
        }
        // Committed entries beyond the limit were not fetched, so nothing is said of keys beyond the last that was.
        let horizon = (base.len() == range.limit).then(|| base.last().map(|(key, _)| key.clone())).flatten();
        let within_horizon = |key: &[u8]| match &horizon {
            Some(last) if range.reverse => key >= last.as_slice(),
            Some(last) => key <= last.as_slice(),
            None => true,
        };
        let mut entries: BTreeMap<Vec<u8>, Bytes> =
            base.into_iter().filter(|(key, _)| !self.overlay.is_cleared(key)).collect();
        let bounds = (Bound::Included(range.begin.as_slice()), Bound::Excluded(range.end.as_slice()));
        let puts =
            if range.begin < range.end { Some(self.overlay.puts.range::<[u8], _>(bounds)) } else { None };
        for (key, value) in puts.into_iter().flatten().filter(|(key, _)| within_horizon(key)) {
            match value {
                Some(value) => drop(entries.insert(key.clone(), value.clone())),
                None => drop(entries.remove(key)),
            }
        }
        if range.reverse {
            entries.into_iter().rev().take(range.limit).collect()
        } else {
            entries.into_iter().take(range.limit).collect()
        }
    }
}

/// Collects one operation's writes. They join the batch only when its `apply` has returned.
#[derive(Debug)]
pub struct Writes<'a> {
    pub(crate) log: &'a mut Vec<Write>,
    pub(crate) slots_used: &'a mut u16,
}

/// One write.
#[derive(Debug)]
pub(crate) enum Write {
    Put(Vec<u8>, Bytes),
    Delete(Vec<u8>),
    ClearRange(Vec<u8>, Vec<u8>),
    PutStamped(Vec<u8>, StampSlot, Bytes),
}

impl Writes<'_> {
    /// Sets a key.
    pub fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.log.push(Write::Put(key, value.into()));
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.log.push(Write::Delete(key));
    }

    /// Removes every key from `begin` up to, not including, `end`: of stamped keys that this batch has set,
    /// those whose prefix is in the range and that lie in it whatever the stamp.
    pub fn clear_range(&mut self, begin: Vec<u8>, end: Vec<u8>) {
        self.log.push(Write::ClearRange(begin, end));
    }

    /// A stamp of this commit that no other write has.
    ///
    /// # Panics
    /// When the batch has used all 65,535. Then it is tried in halves.
    pub fn new_stamp(&mut self) -> StampSlot {
        let slot = StampSlot(*self.slots_used);
        *self.slots_used = self.slots_used.checked_add(1).expect("a batch has at most 65,535 stamps");
        slot
    }

    /// Sets the key made of `prefix` and a stamp of this commit.
    pub fn put_stamped(&mut self, prefix: Vec<u8>, slot: StampSlot, value: impl Into<Bytes>) {
        self.log.push(Write::PutStamped(prefix, slot, value.into()));
    }
}
