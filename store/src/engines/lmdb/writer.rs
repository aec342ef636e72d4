//! The one thread of this process that writes. Group commit is the lanes' work; here a batch is a transaction.
//!
//! When a commit fails, LMDB has either written nothing that counts, or has failed at its root page: then the outcome
//! is unknown, the environment refuses all work, and it is opened again.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use heed::RwTxn;
use tokio::sync::{mpsc, oneshot};

use super::open::{self, Db, Opened, is_broken, store_error};
use super::snapshot::each_in_range;
use super::{LmdbConfig, Shared};
use crate::batch::{Batch, Mutations};
use crate::error::StoreError;
use crate::keys::meta;
use crate::op::{Base, KeyRange};
use crate::stamp::CommitStamp;

/// How often slots of readers that were killed are cleared, so that the pages they saw are used again.
const STALE_READERS_PERIOD: Duration = Duration::from_secs(30);

/// How long a failed environment's snapshots are waited for before the next attempt to open it again.
const REOPEN_WAIT: Duration = Duration::from_secs(1);

/// Below this, an unexplained failure to write means that the disk is full: LMDB reports a write cut short, which is
/// how a disk fills, as an input/output error.
const ROOM_BYTES_MIN: u64 = 4 << 20;

/// A batch to commit, and whom to give it back.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) tell: oneshot::Sender<(Batch, Result<CommitStamp, StoreError>)>,
}

/// Commits until the engine is dropped.
pub(super) fn run(shared: &Shared, mut jobs: mpsc::Receiver<Job>) {
    let mut cleared = Instant::now();
    while let Some(Job { mut batch, tell }) = jobs.blocking_recv() {
        let outcome = catch_unwind(AssertUnwindSafe(|| commit(shared, &mut batch)));
        let outcome = outcome.unwrap_or_else(|_| {
            // Operations' panics are contained further in: this is a defect of the engine's own.
            Err(StoreError::ambiguous(std::io::Error::other("the store's writer panicked")))
        });
        // Whoever submitted may be gone, with its runtime.
        let _ = tell.send((batch, outcome));
        if cleared.elapsed() >= STALE_READERS_PERIOD {
            cleared = Instant::now();
            clear_stale_readers(shared);
        }
    }
}

fn clear_stale_readers(shared: &Shared) {
    let Some(opened) = shared.opened() else { return };
    match opened.env.clear_stale_readers() {
        Ok(0) => {}
        Ok(cleared) => tracing::info!(cleared, "readers of processes that were killed have been cleared"),
        Err(error) => tracing::warn!(?error, "stale readers could not be cleared"),
    }
}

fn commit(shared: &Shared, batch: &mut Batch) -> Result<CommitStamp, StoreError> {
    let opened = match shared.opened() {
        Some(opened) => opened,
        None => reopen(shared)?,
    };
    match attempt(shared, &opened, batch) {
        Err(Failure::Broken) => {
            drop(opened);
            match attempt(shared, &reopen(shared)?, batch) {
                Err(Failure::Broken) => Err(StoreError::unavailable(heed::MdbError::Panic)),
                Err(Failure::Store(error)) => Err(error),
                Ok(stamp) => Ok(stamp),
            }
        }
        Err(Failure::Store(error)) => Err(error),
        Ok(stamp) => Ok(stamp),
    }
}

enum Failure {
    /// The environment has to be opened again. Nothing has been written.
    Broken,
    Store(StoreError),
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        if is_broken(&error) { Self::Broken } else { Self::Store(store_error(error)) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn attempt(shared: &Shared, opened: &Opened, batch: &mut Batch) -> Result<CommitStamp, Failure> {
    let Opened { env, db } = opened;
    // Ends after the transaction, which is declared after it.
    let turn = shared.fence.turn();
    let mut txn = env.write_txn()?;
    turn.begun();
    let number = last_commit(*db, &txn)?;

    let base = TxnBase { db: *db, txn: &txn, failure: RefCell::default() };
    let applied = batch.apply(&base);
    if let Some(error) = base.failure.into_inner() {
        return Err(error.into());
    }
    let mutations = applied?;
    if mutations.is_empty() {
        return Ok(CommitStamp::from_number(number));
    }

    let stamp = CommitStamp::from_number(number + 1);
    write(*db, &mut txn, &mutations, stamp)?;
    db.put(&mut txn, &meta::commit_key(), &(number + 1).to_be_bytes())?;
    let id = txn.id();
    match txn.commit() {
        Ok(()) => {
            shared.changes.saw(id);
            Ok(stamp)
        }
        // After a failure at the root page every transaction is refused.
        Err(error) => Err(Failure::Store(match env.read_txn() {
            Err(refused) if is_broken(&refused) => StoreError::ambiguous(error),
            _ => explain(&shared.config, error),
        })),
    }
}

/// A commit that certainly has not happened, for this reason.
fn explain(config: &LmdbConfig, error: heed::Error) -> StoreError {
    let short_write = matches!(&error, heed::Error::Io(source) if source.raw_os_error() == Some(EIO));
    if short_write {
        let room = rustix::fs::statvfs(&config.path).map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        if room.is_ok_and(|room| room < ROOM_BYTES_MIN) {
            return StoreError::full(error);
        }
    }
    store_error(error)
}

const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

fn last_commit(db: Db, txn: &RwTxn<'_>) -> Result<u64, Failure> {
    Ok(meta::decode_commit(db.get(txn, &meta::commit_key())?)?)
}

fn write(db: Db, txn: &mut RwTxn<'_>, mutations: &Mutations, stamp: CommitStamp) -> Result<(), heed::Error> {
    for (begin, end) in mutations.cleared() {
        let bounds = (Bound::Included(begin.as_slice()), Bound::Excluded(end.as_slice()));
        db.delete_range(txn, &bounds)?;
    }
    for (key, value) in mutations.puts() {
        match value {
            Some(value) => db.put(txn, key, value)?,
            None => drop(db.delete(txn, key)?),
        }
    }
    let mut key = Vec::new();
    for put in mutations.stamped() {
        key.clear();
        key.extend_from_slice(put.prefix);
        key.extend_from_slice(stamp.stamp(put.slot).as_bytes());
        db.put(txn, &key, put.value)?;
    }
    Ok(())
}

/// Opens the environment again, when the snapshots of the failed one are gone.
fn reopen(shared: &Shared) -> Result<Opened, StoreError> {
    let failed = shared.opened.write().expect("nothing panics while it holds this lock").take();
    if let Some(failed) = failed {
        tracing::error!("the store has to be opened again");
        failed.env.prepare_for_closing().wait_timeout(REOPEN_WAIT);
    }
    let opened = open::open(&shared.config).map_err(StoreError::unavailable)?;
    *shared.opened.write().expect("nothing panics while it holds this lock") = Some(opened.clone());
    Ok(opened)
}

/// The write transaction as operations see it. They cannot fail, so the first failure is kept and the batch dropped.
struct TxnBase<'a> {
    db: Db,
    txn: &'a RwTxn<'a>,
    failure: RefCell<Option<heed::Error>>,
}

impl TxnBase<'_> {
    fn keep<T: Default>(&self, result: Result<T, heed::Error>) -> T {
        result.unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            T::default()
        })
    }
}

impl Base for TxnBase<'_> {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.keep(self.db.get(self.txn, key)).map(Cow::Borrowed)
    }

    fn range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)> {
        let mut entries = Vec::new();
        self.keep(each_in_range(self.db, self.txn, range, |key, value| {
            entries.push((key.to_vec(), Bytes::copy_from_slice(value)));
        }));
        entries
    }
}
