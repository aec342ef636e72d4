//! Everything in a map: for tests and the simulation. What it holds is gone with it.
//!
//! Commits happen in the caller's task, so that a single-threaded run is deterministic. Operations see only what they
//! declared, as on an engine that fetches their reads beforehand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::batch::{Batch, Mutations};
use crate::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use crate::engines::fetched::Fetched;
use crate::error::StoreError;
use crate::op::{KeyRange, Reads};
use crate::stamp::CommitStamp;

/// Everything in a map. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryEngine {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Copied on write, so that a snapshot is a clone of the pointer.
    map: Arc<BTreeMap<Vec<u8>, Bytes>>,
    commits: u64,
}

impl MemoryEngine {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("nothing panics while it holds this lock")
    }

    /// Applies the operations of a batch and writes nothing, as of a commit that is lost on its way.
    pub fn lose(&self, batch: &mut Batch) {
        let fetched = fetch(&self.state().map, batch.reads());
        // What they would have written, or why they could not, is lost with it.
        let _ = batch.apply(&fetched);
    }

    fn commit(&self, batch: &mut Batch) -> Result<CommitStamp, StoreError> {
        let mut state = self.state();
        let fetched = fetch(&state.map, batch.reads());
        let mutations = batch.apply(&fetched)?;
        state.commits += 1;
        let stamp = CommitStamp::from_number(state.commits);
        if !mutations.is_empty() {
            write(Arc::make_mut(&mut state.map), &mutations, stamp);
        }
        drop(state);
        self.shared.changed.notify_waiters();
        Ok(stamp)
    }
}

fn write(map: &mut BTreeMap<Vec<u8>, Bytes>, mutations: &Mutations, stamp: CommitStamp) {
    for (begin, end) in mutations.cleared() {
        let within: Vec<Vec<u8>> =
            map.range(begin.clone()..end.clone()).map(|(key, _)| key.clone()).collect();
        for key in within {
            map.remove(&key);
        }
    }
    for (key, value) in mutations.puts() {
        match value {
            Some(value) => drop(map.insert(key.clone(), value.clone())),
            None => drop(map.remove(key)),
        }
    }
    for put in mutations.stamped() {
        let key = [put.prefix, stamp.stamp(put.slot).as_bytes()].concat();
        map.insert(key, put.value.clone());
    }
}

impl Engine for MemoryEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        let state = self.state();
        let snapshot = MemorySnapshot { map: state.map.clone(), commits: state.commits };
        drop(state);
        Box::pin(async move { Ok(Box::new(snapshot) as Box<dyn Snapshot>) })
    }

    fn transact(&self, mut batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            let outcome = self.commit(&mut batch);
            (batch, outcome)
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        let engine = self.clone();
        let before = self.state().map.get(&key).cloned();
        Box::pin(async move {
            loop {
                let mut changed = std::pin::pin!(engine.shared.changed.notified());
                changed.as_mut().enable();
                if engine.state().map.get(&key) != before.as_ref() {
                    return Ok(());
                }
                changed.await;
            }
        })
    }

    fn limits(&self) -> EngineLimits {
        EngineLimits { batch_ops_max: 1024, batch_bytes_max: 1 << 20, lanes: 1 }
    }
}

struct MemorySnapshot {
    map: Arc<BTreeMap<Vec<u8>, Bytes>>,
    commits: u64,
}

impl Snapshot for MemorySnapshot {
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.commits) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(async move { Ok(keys.iter().map(|key| self.map.get(key).cloned()).collect()) })
    }

    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async move {
            let entries = range_of(&self.map, range).into_iter();
            Ok(entries.map(|(key, value)| (Bytes::from(key), value)).collect())
        })
    }
}

fn range_of(map: &BTreeMap<Vec<u8>, Bytes>, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)> {
    if range.begin >= range.end {
        return Vec::new();
    }
    let within = map.range(range.begin.clone()..range.end.clone());
    let copy = |(key, value): (&Vec<u8>, &Bytes)| (key.clone(), value.clone());
    if range.reverse {
        within.rev().take(range.limit).map(copy).collect()
    } else {
        within.take(range.limit).map(copy).collect()
    }
}

fn fetch(map: &BTreeMap<Vec<u8>, Bytes>, reads: Reads) -> Fetched {
    let values = reads.keys.into_iter().map(|key| {
        let value = map.get(&key).cloned();
        (key, value)
    });
    let ranges = reads.ranges.into_iter().map(|range| {
        let entries = range_of(map, &range);
        (range, entries)
    });
    Fetched { values: values.collect(), ranges: ranges.collect() }
}
