//! Committing a batch: the one retry loop.
//!
//! **An attempt** reads what the batch declared, serializably and at one version, applies the operations, writes and
//! commits. A batch that writes nothing is not committed: what it read is a consistent state as of its read version,
//! and that version, which is at least every version told committed before, makes its stamp.
//!
//! **A retry** follows any error after which `on_error` of the client says it may help, `retry_limit` times at most and
//! within the transaction's timeout. It reads and applies anew.
//!
//! **An unknown outcome** is retried too: operations are harmless when applied again, and what a second application
//! sees (its own message id, for one) makes it answer as a duplicate. What must not happen is that the commit in doubt
//! is applied *after* its retry, or after a later batch of the same lane. For `commit_unknown_result` the client sees to
//! that: before it returns the error it commits a transaction that conflicts with the one in doubt, unless
//! `CausalWriteRisky` is set, which it never is here. A timeout or a change of the cluster's version lacks that
//! guarantee. So every transaction here reads a *fence*, a key of its own that is never written, and after such an
//! error [`fence`] commits a claim to have written it: a commit still under way began before that claim, conflicts with
//! it, and is refused. Only then does the loop go on, or end.
//!
//! **The end** is `Ambiguous` whenever any attempt's outcome is unknown, whatever the last attempt said. If not even
//! the fence could be committed, the answer is `Ambiguous` as well, and the commit in doubt may come late. It is then
//! still a serializable transaction: what it read is unchanged at the moment it is applied.

use super::cluster::{Cluster, Committed, Purpose, Trx};
use super::fault::{Fate, Fault};
use super::read;
use super::subspace::Subspace;
use crate::batch::{Batch, Mutations};
use crate::error::StoreError;
use crate::stamp::CommitStamp;

/// A batch on its way.
pub(super) struct Commit<'a, C> {
    pub(super) cluster: &'a C,
    pub(super) space: &'a Subspace,
    /// A key for this call alone.
    pub(super) fence: Vec<u8>,
    /// Attempts after the first, at most.
    pub(super) retry_limit: u32,
}

/// Why an attempt had to be given up before its commit.
enum Stop {
    /// The client's word.
    Fault(Fault),
    /// The operations' word.
    Refused(StoreError),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<C: Cluster> Commit<'_, C> {
    /// Commits the batch.
    pub(super) async fn run(self, batch: &mut Batch) -> Result<CommitStamp, StoreError> {
        let mut in_doubt = None;
        self.attempts(batch, &mut in_doubt).await.map_err(|error| match in_doubt {
            Some(fault) => StoreError::ambiguous(fault),
            None => error,
        })
    }

    /// Sets `in_doubt` once the outcome of an attempt is unknown.
    async fn attempts(
        &self,
        batch: &mut Batch,
        in_doubt: &mut Option<Fault>,
    ) -> Result<CommitStamp, StoreError> {
        let mut trx = self.cluster.begin(Purpose::Data).map_err(StoreError::unavailable)?;
        let mut retries = 0;
        loop {
            let fault = match self.prepare(&trx, batch).await {
                Ok((read_version, false)) => return Ok(stamp_of_reading(read_version)),
                Ok((read_version, true)) => match trx.commit().await {
                    Ok(Committed { stamp }) => return stamp_of_commit(stamp, read_version),
                    Err((failed, fault)) => {
                        trx = failed;
                        self.settle(fault, in_doubt).await?;
                        fault
                    }
                },
                Err(Stop::Fault(fault)) => fault,
                Err(Stop::Refused(error)) => return Err(error),
            };
            if retries == self.retry_limit {
                return Err(fault.refusal());
            }
            retries += 1;
            tracing::debug!(%fault, retries, "trying a transaction again");
            trx = trx.on_error(fault).await.map_err(Fault::refusal)?;
        }
    }

    /// Everything before the commit. Tells the version read, and whether there is anything to commit.
    async fn prepare(&self, trx: &C::Trx, batch: &mut Batch) -> Result<(i64, bool), Stop> {
        let read_version = trx.read_version().await?;
        let fetched = read::declared(trx, self.space, batch.reads()).await?;
        let mutations = batch.apply(&fetched).map_err(Stop::Refused)?;
        if mutations.is_empty() {
            return Ok((read_version, false));
        }
        trx.add_read_conflict(&self.fence)?;
        write(trx, self.space, &mutations);
        Ok((read_version, true))
    }

    /// After a commit failed: returns when it can no longer be applied.
    async fn settle(&self, fault: Fault, in_doubt: &mut Option<Fault>) -> Result<(), StoreError> {
        match fault.fate() {
            Fate::NotCommitted => Ok(()),
            Fate::Decided => {
                *in_doubt = Some(fault);
                Ok(())
            }
            Fate::Undecided => {
                *in_doubt = Some(fault);
                fence(self.cluster, &self.fence, self.retry_limit).await.map_err(|error| {
                    tracing::warn!(%fault, %error, "a commit was abandoned and may still be applied");
                    StoreError::ambiguous(fault)
                })
            }
        }
    }
}

/// Commits a claim to have written `key`. A transaction that has read it before can then no longer be committed.
async fn fence<C: Cluster>(cluster: &C, key: &[u8], retry_limit: u32) -> Result<(), Fault> {
    let mut trx = cluster.begin(Purpose::Data)?;
    let mut retries = 0;
    loop {
        trx.add_write_conflict(key)?;
        let Err((failed, fault)) = trx.commit().await else { return Ok(()) };
        if retries == retry_limit {
            return Err(fault);
        }
        retries += 1;
        // That a fence may have been committed is not enough; committing it twice does no harm.
        trx = failed.on_error(fault).await?;
    }
}

fn write<T: Trx>(trx: &T, space: &Subspace, mutations: &Mutations) {
    for (begin, end) in mutations.cleared() {
        // An empty range clears nothing, and one that ends before it begins is an error to FoundationDB.
        if begin < end {
            trx.clear_range(&space.key(begin), &space.key(end));
        }
    }
    for (key, value) in mutations.puts() {
        match value {
            Some(value) => trx.set(&space.key(key), value),
            None => trx.clear(&space.key(key)),
        }
    }
    for put in mutations.stamped() {
        trx.set_stamped_key(&space.stamped_key(put.prefix, put.slot), put.value);
    }
}

/// The stamp of a batch that wrote nothing: after every commit that it could see, before every later one.
fn stamp_of_reading(read_version: i64) -> CommitStamp {
    let mut bytes = [0xff; 10];
    bytes[..8].copy_from_slice(&read_version.to_be_bytes());
    CommitStamp::from_bytes(bytes)
}

fn stamp_of_commit(stamp: Result<CommitStamp, Fault>, read_version: i64) -> Result<CommitStamp, StoreError> {
    match stamp {
        Ok(stamp) => Ok(stamp),
        // The client found nothing to write after all.
        Err(Fault::NO_COMMIT_VERSION) => Ok(stamp_of_reading(read_version)),
        // Committed, but the answers need the stamp: submitted again, the operations learn what became of them.
        Err(fault) => Err(StoreError::ambiguous(fault)),
    }
}
