//! An engine whose commits and reads can be made to fail, or to take their time.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::engines::MemoryEngine;
use rookery_store::{Batch, CommitStamp, KeyRange, StoreError};
use tokio::time::sleep;

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no room.
    Full,
    /// Nothing is written.
    Unavailable,
    /// It is written, and nobody learns it.
    AmbiguousApplied,
    /// It is not written, and nobody learns it.
    AmbiguousLost,
}

#[derive(Debug, Default)]
struct Settings {
    fault: Option<Fault>,
    /// Commits that the fault is for; `None`: all, until it is healed.
    commits_left: Option<u32>,
    reads_fail: bool,
    next_read_panics: bool,
    commit_takes: Duration,
    read_takes: Duration,
    commits: usize,
    bytes_in_one_read_max: usize,
}

/// The switches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<Settings>>);

impl Faults {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.lock().expect("not poisoned")
    }

    /// Every commit fails like this from now on.
    pub(crate) fn fail_commits(&self, fault: Fault) {
        let mut settings = self.settings();
        (settings.fault, settings.commits_left) = (Some(fault), None);
    }

    /// The next commits fail like this.
    pub(crate) fn fail_next_commits(&self, commits: u32, fault: Fault) {
        let mut settings = self.settings();
        (settings.fault, settings.commits_left) = (Some(fault), Some(commits));
    }

    /// Every read fails from now on.
    pub(crate) fn fail_reads(&self) {
        self.settings().reads_fail = true;
    }

    /// The next read fails in the worst way.
    pub(crate) fn panic_in_next_read(&self) {
        self.settings().next_read_panics = true;
    }

    /// No more faults; what is slow stays slow.
    pub(crate) fn heal(&self) {
        let mut settings = self.settings();
        (settings.fault, settings.commits_left, settings.reads_fail) = (None, None, false);
    }

    /// Every commit takes this long.
    pub(crate) fn slow_commits(&self, takes: Duration) {
        self.settings().commit_takes = takes;
    }

    /// Every read takes this long.
    pub(crate) fn slow_reads(&self, takes: Duration) {
        self.settings().read_takes = takes;
    }

    /// Commits tried so far.
    pub(crate) fn commits(&self) -> usize {
        self.settings().commits
    }

    /// The most bytes that one read from a snapshot has returned.
    pub(crate) fn bytes_in_one_read_max(&self) -> usize {
        self.settings().bytes_in_one_read_max
    }

    fn next_commit(&self) -> (Duration, Option<Fault>) {
        let mut settings = self.settings();
        settings.commits += 1;
        let fault = settings.fault;
        if let Some(left) = &mut settings.commits_left {
            *left -= 1;
            if *left == 0 {
                (settings.fault, settings.commits_left) = (None, None);
            }
        }
        (settings.commit_takes, fault)
    }

    async fn read(&self) -> Result<(), StoreError> {
        let (takes, fails) = {
            let settings = self.settings();
            (settings.read_takes, settings.reads_fail)
        };
        if !takes.is_zero() {
            sleep(takes).await;
        }
        let panics = std::mem::take(&mut self.settings().next_read_panics);
        assert!(!panics, "asked to fail");
        if fails { Err(StoreError::unavailable(injected())) } else { Ok(()) }
    }

    fn note_read(&self, bytes: usize) {
        let mut settings = self.settings();
        settings.bytes_in_one_read_max = settings.bytes_in_one_read_max.max(bytes);
    }
}

fn injected() -> io::Error {
    io::Error::other("injected by a test")
}

/// The memory engine behind the switches.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultyEngine {
    memory: MemoryEngine,
    faults: Faults,
}

impl FaultyEngine {
    /// Over an empty memory engine.
    pub(crate) fn new(faults: Faults) -> Self {
        Self { memory: MemoryEngine::new(), faults }
    }
}

impl Engine for FaultyEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move {
            self.faults.read().await?;
            let inner = self.memory.snapshot().await?;
            Ok(Box::new(WatchedSnapshot { inner, faults: self.faults.clone() }) as Box<dyn Snapshot>)
        })
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            let (takes, fault) = self.faults.next_commit();
            if !takes.is_zero() {
                sleep(takes).await;
            }
            match fault {
                None => self.memory.transact(batch).await,
                Some(Fault::Full) => (batch, Err(StoreError::full(injected()))),
                Some(Fault::Unavailable) => (batch, Err(StoreError::unavailable(injected()))),
                Some(Fault::AmbiguousLost) => (batch, Err(StoreError::ambiguous(injected()))),
                Some(Fault::AmbiguousApplied) => {
                    let (batch, _) = self.memory.transact(batch).await;
                    (batch, Err(StoreError::ambiguous(injected())))
                }
            }
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.memory.watch(key)
    }

    fn limits(&self) -> EngineLimits {
        self.memory.limits()
    }
}

struct WatchedSnapshot {
    inner: Box<dyn Snapshot>,
    faults: Faults,
}

impl Snapshot for WatchedSnapshot {
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        self.inner.version()
    }

    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(async move {
            let values = self.inner.get_many(keys).await?;
            self.faults.note_read(values.iter().flatten().map(Bytes::len).sum());
            Ok(values)
        })
    }

    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async move {
            let entries = self.inner.range(range).await?;
            self.faults.note_read(entries.iter().map(|(_, value)| value.len()).sum());
            Ok(entries)
        })
    }
}
