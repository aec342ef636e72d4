//! The engine over any cluster: FoundationDB's, or a simulated one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::cluster::Cluster;
use super::commit::Commit;
use super::config::FdbConfig;
use super::subspace::Subspace;
use crate::batch::Batch;
use crate::error::StoreError;
use crate::stamp::CommitStamp;

pub(super) struct Core<C> {
    pub(super) cluster: C,
    pub(super) space: Subspace,
    pub(super) retry_limit: u32,
    pub(super) watches: Arc<Semaphore>,
    pub(super) watch_poll: Duration,
    /// Tells this engine's fences from others'. Were two engines to have the same, they would conflict more often.
    instance: u64,
    calls: AtomicU64,
    /// The greatest version known to have been read or committed.
    version: AtomicI64,
}

impl<C: Cluster> Core<C> {
    pub(super) fn new(cluster: C, config: &FdbConfig, instance: u64) -> Self {
        Self {
            cluster,
            space: Subspace::new(config.prefix.clone()),
            retry_limit: config.retry_limit,
            watches: Arc::new(Semaphore::new(config.watches_max.min(Semaphore::MAX_PERMITS))),
            watch_poll: Duration::from_millis(config.watch_poll_ms.max(1).into()),
            instance,
            calls: AtomicU64::new(0),
            version: AtomicI64::new(0),
        }
    }

    pub(super) async fn transact(&self, batch: &mut Batch) -> Result<CommitStamp, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let commit = Commit {
            cluster: &self.cluster,
            space: &self.space,
            fence: self.space.fence(self.instance, call),
            retry_limit: self.retry_limit,
        };
        let stamp = commit.run(batch).await?;
        self.learn(version_of(stamp));
        Ok(stamp)
    }

    /// Every snapshot and transaction that begins from now on reads this version or a later one.
    pub(super) fn learn(&self, version: i64) {
        self.version.fetch_max(version, Ordering::Relaxed);
    }

    /// The greatest version known.
    pub(super) fn version(&self) -> i64 {
        self.version.load(Ordering::Relaxed)
    }
}

/// The cluster's version in a stamp.
pub(super) fn version_of(stamp: CommitStamp) -> i64 {
    let stamp = stamp.stamp(crate::stamp::StampSlot(0));
    let version = stamp.as_bytes()[..8].try_into().expect("a stamp has 12 bytes");
    i64::from_be_bytes(version)
}
