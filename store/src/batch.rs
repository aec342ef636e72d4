//! Several operations as one transaction.
//!
//! Each is applied in turn to the committed state under what those before it have written; the sum goes to the engine
//! as [`Mutations`]. An operation that panics spoils the batch, which the lane then runs in halves until the culprit
//! stands alone: no other operation suffers.
//!
//! What an operation writes is known when it has been applied. A message to a large group writes much more than its
//! hint says: when there is enough, the operations after it are left for the next transaction.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rookery_protocol::Stamp;

use crate::engine::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::error::StoreError;
use crate::op::{Base, Op, Overlay, Reads, View, Write, Writes};
use crate::stamp::{CommitStamp, StampSlot};
use crate::store::Committed;

/// An operation waiting for its commit, with what to do then.
pub(crate) trait Pending: Send {
    fn reads(&self, reads: &mut Reads);
    fn apply(&mut self, view: &View<'_>, writes: &mut Writes<'_>);
    fn finish(self: Box<Self>, outcome: Result<CommitStamp, StoreError>);
    fn bytes_hint(&self) -> usize;
    fn may_wait(&self) -> bool;
}

pub(crate) struct Submitted<O: Op, F> {
    op: O,
    bytes_hint: usize,
    may_wait: bool,
    answer: Option<O::Answer>,
    done: F,
}

impl<O, F> Submitted<O, F>
where
    O: Op,
    F: FnOnce(Result<Committed<O::Answer>, StoreError>) + Send + 'static,
{
    pub(crate) fn new(op: O, done: F) -> Self {
        // Asked here, so that an operation that panics at it hurts its submitter and not the lane.
        Self { bytes_hint: op.bytes_hint(), may_wait: op.may_wait(), op, answer: None, done }
    }
}

impl<O, F> Pending for Submitted<O, F>
where
    O: Op,
    F: FnOnce(Result<Committed<O::Answer>, StoreError>) + Send + 'static,
{
    fn reads(&self, reads: &mut Reads) {
        self.op.reads(reads);
    }

    fn apply(&mut self, view: &View<'_>, writes: &mut Writes<'_>) {
        self.answer = Some(self.op.apply(view, writes));
    }

    fn finish(self: Box<Self>, outcome: Result<CommitStamp, StoreError>) {
        let this = *self;
        (this.done)(outcome.map(|stamp| Committed {
            answer: this.answer.expect("an operation that committed has been applied"),
            stamp,
        }));
    }

    fn bytes_hint(&self) -> usize {
        self.bytes_hint
    }

    fn may_wait(&self) -> bool {
        self.may_wait
    }
}

/// Operations to be committed together, in order. An engine gets one, applies it, and hands it back.
pub struct Batch {
    pending: Vec<Box<dyn Pending>>,
    bytes: usize,
    written_bytes_max: usize,
    /// How many of the first were applied the last time.
    applied: usize,
    /// How much they write.
    writes: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self::within(usize::MAX)
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} operations, about {} bytes)", self.pending.len(), self.bytes)
    }
}

impl Batch {
    /// Empty. Once its operations have written this much, those that are left are not applied.
    pub(crate) fn within(written_bytes_max: usize) -> Self {
        Self { pending: Vec::new(), bytes: 0, written_bytes_max, applied: 0, writes: 0 }
    }

    pub(crate) fn push(&mut self, pending: Box<dyn Pending>) {
        self.bytes += pending.bytes_hint();
        self.pending.push(pending);
    }

    /// How many operations.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// About how many bytes they will write.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keys set or removed, and ranges cleared, by those that were applied the last time.
    pub(crate) fn writes(&self) -> usize {
        self.writes
    }

    /// Everything the operations may look at, without repetitions.
    pub fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for pending in &self.pending {
            // One that panics here panics again when it is applied, at the latest for lack of what it did not declare.
            let _ = catch_unwind(AssertUnwindSafe(|| pending.reads(&mut reads)));
        }
        reads.keys.sort_unstable();
        reads.keys.dedup();
        reads.ranges.sort_unstable();
        reads.ranges.dedup();
        reads
    }

    /// Applies the operations in order, or as many of the first as are enough for one transaction. May be called again, on
    /// another state, after a conflict or unknown outcome.
    ///
    /// # Errors
    /// [`StoreError::Panicked`] when an operation panicked, [`StoreError::TooLarge`] when it wrote a longer key or value
    /// than [`KEY_BYTES_MAX`] and [`VALUE_BYTES_MAX`].
    pub fn apply(&mut self, base: &dyn Base) -> Result<Mutations, StoreError> {
        let mut overlay = Overlay::default();
        let mut log = Vec::new();
        let mut written_bytes = 0;
        (self.applied, self.writes) = (0, 0);
        for pending in &mut self.pending {
            if written_bytes >= self.written_bytes_max {
                break;
            }
            let mut slots_used = overlay.slots_used;
            let view = View::new(base, &overlay);
            let mut writes = Writes { log: &mut log, slots_used: &mut slots_used };
            catch_unwind(AssertUnwindSafe(|| pending.apply(&view, &mut writes)))
                .map_err(|panic| StoreError::Panicked(panic_text(&*panic)))?;
            overlay.slots_used = slots_used;
            log.iter().try_for_each(within_limits)?;
            written_bytes += log.iter().map(Write::bytes).sum::<usize>();
            overlay.absorb(log.drain(..));
            self.applied += 1;
        }
        let mutations = Mutations { overlay };
        self.writes = mutations.len();
        Ok(mutations)
    }

    /// Cuts the batch in two, the first half staying here.
    pub(crate) fn split_off_half(&mut self) -> Self {
        self.split_off(self.pending.len() / 2)
    }

    /// Cuts off the operations that were not applied the last time.
    pub(crate) fn split_off_rest(&mut self) -> Self {
        self.split_off(self.applied)
    }

    fn split_off(&mut self, at: usize) -> Self {
        let pending = self.pending.split_off(at);
        let bytes = pending.iter().map(|pending| pending.bytes_hint()).sum();
        self.bytes -= bytes;
        Self { pending, bytes, ..Self::within(self.written_bytes_max) }
    }

    /// Tells every operation's caller how it ended.
    pub(crate) fn finish(self, outcome: Result<CommitStamp, StoreError>) {
        for pending in self.pending {
            // A caller's callback that panics must not keep the others from learning their outcome.
            let told = catch_unwind(AssertUnwindSafe(|| pending.finish(outcome.clone())));
            if let Err(panic) = told {
                tracing::error!(
                    panic = panic_text(&*panic),
                    "a caller panicked on learning its operation's outcome"
                );
            }
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not a text".into())
}

impl Overlay {
    fn absorb(&mut self, writes: impl Iterator<Item = Write>) {
        for write in writes {
            match write {
                Write::Put(key, value) => drop(self.puts.insert(key, Some(value))),
                Write::Delete(key) => drop(self.puts.insert(key, None)),
                Write::ClearRange(begin, end) if begin < end => self.clear_range(begin, end),
                Write::ClearRange(..) => {}
                Write::PutStamped(prefix, slot, value) => drop(self.stamped.insert((prefix, slot), value)),
            }
        }
    }

    fn clear_range(&mut self, mut begin: Vec<u8>, mut end: Vec<u8>) {
        let within = (Bound::Included(begin.as_slice()), Bound::Excluded(end.as_slice()));
        let within: Vec<Vec<u8>> = self.puts.range::<[u8], _>(within).map(|(key, _)| key.clone()).collect();
        for key in within {
            self.puts.remove(&key);
        }
        let within: Vec<(Vec<u8>, StampSlot)> = self
            .stamped
            .range((begin.clone(), StampSlot(0))..(end.clone(), StampSlot(0)))
            .map(|(stamped, _)| stamped.clone())
            .filter(|(prefix, _)| [prefix.as_slice(), Stamp::MAX.as_bytes()].concat() < end)
            .collect();
        for stamped in within {
            self.stamped.remove(&stamped);
        }
        // It swallows the ranges it touches.
        loop {
            let up_to_end = (Bound::Unbounded, Bound::Included(end.as_slice()));
            let Some((other, _)) = self.cleared.range::<[u8], _>(up_to_end).next_back() else { break };
            let other = other.clone();
            if self.cleared[&other] < begin {
                break;
            }
            end = end.max(self.cleared.remove(&other).expect("it was just found"));
            begin = begin.min(other);
        }
        self.cleared.insert(begin, end);
    }
}

/// What an engine adds to a key and its value, about: small ones are mostly that.
const WRITE_OVERHEAD_BYTES: usize = 40;

impl Write {
    /// About how many bytes it is to an engine.
    fn bytes(&self) -> usize {
        let content = match self {
            Self::Put(key, value) => key.len() + value.len(),
            Self::PutStamped(prefix, _, value) => prefix.len() + Stamp::ZERO.as_bytes().len() + value.len(),
            Self::Delete(key) => key.len(),
            Self::ClearRange(begin, end) => begin.len() + end.len(),
        };
        WRITE_OVERHEAD_BYTES + content
    }
}

fn within_limits(write: &Write) -> Result<(), StoreError> {
    let (key_bytes, value_bytes) = match write {
        Write::Put(key, value) => (key.len(), value.len()),
        Write::PutStamped(prefix, _, value) => (prefix.len() + Stamp::ZERO.as_bytes().len(), value.len()),
        Write::Delete(key) => (key.len(), 0),
        Write::ClearRange(begin, end) => (begin.len().max(end.len()), 0),
    };
    if key_bytes > KEY_BYTES_MAX {
        return Err(StoreError::TooLarge(format!("a key of {key_bytes} bytes")));
    }
    if value_bytes > VALUE_BYTES_MAX {
        return Err(StoreError::TooLarge(format!("a value of {value_bytes} bytes")));
    }
    Ok(())
}

/// What a batch writes, to be carried out in this order: cleared ranges, puts and deletes, stamped puts.
#[derive(Debug, Default)]
pub struct Mutations {
    overlay: Overlay,
}

/// A put whose key ends with a stamp of the commit.
#[derive(Debug)]
pub struct StampedPut<'a> {
    /// The key without its stamp.
    pub prefix: &'a [u8],
    /// Which of the commit's stamps.
    pub slot: StampSlot,
    /// The value.
    pub value: &'a Bytes,
}

impl Mutations {
    /// Ranges to clear first: from a first key to the key after the last. They neither overlap nor touch.
    pub fn cleared(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.overlay.cleared
    }

    /// Keys to set, or with `None` to remove, in ascending order.
    pub fn puts(&self) -> &BTreeMap<Vec<u8>, Option<Bytes>> {
        &self.overlay.puts
    }

    /// Keys to set whose last 12 bytes are a stamp of the commit.
    pub fn stamped(&self) -> impl Iterator<Item = StampedPut<'_>> {
        self.overlay.stamped.iter().map(|((prefix, slot), value)| StampedPut { prefix, slot: *slot, value })
    }

    /// Keys to set or remove, and ranges to clear.
    pub fn len(&self) -> usize {
        self.overlay.cleared.len() + self.overlay.puts.len() + self.overlay.stamped.len()
    }

    /// Whether nothing is to be written: the engine may skip the commit, though not the check of what was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::op::KeyRange;

    type Map = BTreeMap<Vec<u8>, Bytes>;

    impl Base for Map {
        fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
            BTreeMap::get(self, key).map(|value| Cow::Borrowed(&value[..]))
        }

        fn range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)> {
            let within = self.iter().filter(|(key, _)| range.begin <= **key && **key < range.end);
            let owned = |(key, value): (&Vec<u8>, &Bytes)| (key.clone(), value.clone());
            if range.reverse {
                within.rev().take(range.limit).map(owned).collect()
            } else {
                within.take(range.limit).map(owned).collect()
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u8, u8),
        Delete(u8),
        Clear(u8, u8),
        Append(u8),
        Look(KeyRange),
    }

    fn step() -> impl Strategy<Value = Step> {
        let range = (0_u8..20, 0_u8..20, 0_usize..6, any::<bool>());
        prop_oneof![
            (0_u8..20, any::<u8>()).prop_map(|(key, value)| Step::Put(key, value)),
            (0_u8..20).prop_map(Step::Delete),
            (0_u8..20, 0_u8..20).prop_map(|(begin, end)| Step::Clear(begin, end)),
            (0_u8..20).prop_map(Step::Append),
            range.prop_map(|(begin, end, limit, reverse)| {
                Step::Look(KeyRange { begin: vec![begin], end: vec![end], limit, reverse })
            }),
        ]
    }

    struct Stepping(Step);

    impl Op for Stepping {
        type Answer = Vec<(Vec<u8>, Bytes)>;

        fn reads(&self, _: &mut Reads) {}

        fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
            match &self.0 {
                Step::Put(key, value) => writes.put(vec![*key], vec![*value]),
                Step::Delete(key) => writes.delete(vec![*key]),
                Step::Clear(begin, end) => writes.clear_range(vec![*begin], vec![*end]),
                Step::Append(prefix) => {
                    let slot = writes.new_stamp();
                    writes.put_stamped(vec![*prefix], slot, "stamped");
                }
                Step::Look(range) => {
                    let entries = view.range(range);
                    for (key, value) in &entries {
                        assert_eq!(view.get(key).as_deref(), Some(&value[..]));
                    }
                    return entries;
                }
            }
            Vec::new()
        }
    }

    /// What a batch's mutations make of a map, in the order an engine carries them out.
    fn carried_out(mut map: Map, mutations: &Mutations) -> Map {
        for (begin, end) in mutations.cleared() {
            map.retain(|key, _| key < begin || key >= end);
        }
        for (key, value) in mutations.puts() {
            match value {
                Some(value) => drop(map.insert(key.clone(), value.clone())),
                None => drop(map.remove(key)),
            }
        }
        for put in mutations.stamped() {
            let stamp = CommitStamp::from_number(1).stamp(put.slot);
            map.insert([put.prefix, stamp.as_bytes()].concat(), put.value.clone());
        }
        map
    }

    proptest! {
        #[test]
        fn a_batch_does_what_its_operations_do_one_after_the_other(
            base in prop::collection::btree_map(0_u8..20, any::<u8>(), 0..20),
            steps in prop::collection::vec(step(), 1..40),
        ) {
            let base: Map = base.into_iter().map(|(key, value)| (vec![key], vec![value].into())).collect();
            let mut one_by_one = base.clone();
            let mut slots = 0;
            let mut batch = Batch::default();
            let (tell, looked) = std::sync::mpsc::channel();
            let mut expected = Vec::new();
            for step in steps {
                match &step {
                    Step::Put(key, value) => drop(one_by_one.insert(vec![*key], vec![*value].into())),
                    Step::Delete(key) => drop(one_by_one.remove(&vec![*key])),
                    Step::Clear(begin, end) => {
                        one_by_one.retain(|key, _| *key < vec![*begin] || *key >= vec![*end]);
                    }
                    Step::Append(prefix) => {
                        let stamp = CommitStamp::from_number(1).stamp(StampSlot(slots));
                        one_by_one.insert([&[*prefix], stamp.as_bytes().as_slice()].concat(), "stamped".into());
                        slots += 1;
                    }
                    Step::Look(range) => {
                        // Stamped keys of the batch itself are not seen; they have more than one byte.
                        let plain = |entries: &Map| -> Map {
                            let one_byte = entries.iter().filter(|(key, _)| key.len() == 1);
                            one_byte.map(|(key, value)| (key.clone(), value.clone())).collect()
                        };
                        expected.push(Base::range(&plain(&one_by_one), range));
                    }
                }
                let looks = matches!(step, Step::Look(_));
                let tell = tell.clone();
                batch.push(Box::new(Submitted::new(Stepping(step), move |outcome: Result<Committed<_>, _>| {
                    if looks {
                        tell.send(outcome.expect("it committed").answer).expect("it is listened to");
                    }
                })));
            }
            let mutations = batch.apply(&base).expect("nothing panics");
            prop_assert_eq!(carried_out(base, &mutations), one_by_one);
            let gaps = mutations.cleared().iter().zip(mutations.cleared().iter().skip(1));
            prop_assert!(gaps.into_iter().all(|((_, end), (begin, _))| end < begin));

            batch.finish(Ok(CommitStamp::from_number(1)));
            drop(tell);
            for (seen, expected) in looked.iter().zip(expected) {
                // It may be shorter than its limit, but what it has is right and without a gap.
                prop_assert!(expected.starts_with(&seen), "{:?} of {:?}", seen, expected);
            }
        }
    }

    #[test]
    fn a_batch_that_has_written_enough_leaves_the_rest_for_the_next() {
        let mut batch = Batch::within(5 * (WRITE_OVERHEAD_BYTES + 2) - 1);
        let (tell, told) = std::sync::mpsc::channel();
        for key in 0..12 {
            let tell = tell.clone();
            let done = move |_: Result<_, _>| tell.send(key).expect("it is listened to");
            batch.push(Box::new(Submitted::new(Stepping(Step::Put(key, 1)), done)));
        }
        // The last goes beyond.
        assert_eq!(batch.apply(&Map::new()).expect("nothing panics").puts().len(), 5);
        let mut rest = batch.split_off_rest();
        assert_eq!([batch.len(), rest.len()], [5, 7]);
        assert_eq!([batch.bytes(), rest.bytes()], [5 * 256, 7 * 256]);
        batch.finish(Ok(CommitStamp::from_number(1)));
        assert!(told.try_iter().eq(0..5));
        assert_eq!(rest.apply(&Map::new()).expect("nothing panics").puts().len(), 5);
        let last = rest.split_off_rest();
        assert_eq!([rest.len(), last.len()], [5, 2]);
    }

    #[test]
    fn a_batch_out_of_stamps_panics_rather_than_giving_one_twice() {
        struct Greedy;
        impl Op for Greedy {
            type Answer = ();
            fn reads(&self, _: &mut Reads) {}
            fn apply(&self, _: &View<'_>, writes: &mut Writes<'_>) {
                for _ in 0..40_000 {
                    writes.new_stamp();
                }
            }
        }
        let mut batch = Batch::default();
        batch.push(Box::new(Submitted::new(Greedy, |_| ())));
        assert!(batch.apply(&Map::new()).is_ok());
        batch.push(Box::new(Submitted::new(Greedy, |_| ())));
        assert!(matches!(batch.apply(&Map::new()), Err(StoreError::Panicked(_))));
        let mut second = batch.split_off_half();
        assert!(batch.apply(&Map::new()).is_ok() && second.apply(&Map::new()).is_ok());
    }
}
