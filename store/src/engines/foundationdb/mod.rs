//! FoundationDB: the store of a cluster of nodes.
//!
//! One idea a file: [`cluster`] is all that is asked of FoundationDB, [`client`] provides it by the client library,
//! [`network`] runs that library's thread; [`commit`] is the one retry loop and [`read`] what it fetches; [`snapshot`]
//! and [`watch`](mod@watch) are the rest of an engine; [`subspace`] says where keys lie; [`open`] opens. Everything but
//! `client` and `network` is tested over a simulated cluster.
//!
//! Invariants:
//! - what a batch reads and writes happens at one instant, its commit; what it only reads, at its read version;
//! - no commit is applied after its outcome has been told, except as the warning of an abandoned commit says;
//! - an operation's answer is given only after its commit, and every stamp grows with commit order;
//! - nothing outside the prefix is read or written.
//!
//! # Limits
//! A transaction may have 10 MB and last 5 s, a key 10 KB, a value 100 KB; FoundationDB works well below 1 MB, which is
//! the limit set here. What is over it is `TooLarge`, and the lane tries it in halves. A full disk shows as
//! `Unavailable`: the cluster stops giving out versions before it has no room left.
//!
//! # Restoring into another cluster
//! Stamps are the cluster's versions. A backup restored into a cluster whose version is lower would give new inbox
//! events stamps before those already acknowledged, and they would never be delivered. Before any node is started on it,
//! raise the new cluster's version beyond the old one's: `fdbcli --exec 'advanceversion <version>'`, with the old
//! cluster's version (`fdbcli --exec getversion`, or the backup's restorable version) and some more. Every open
//! compares the version with that of the last open and refuses to go back, which finds most but not all mistakes.
//! Restoring under the same cluster, in place, is safe: its version never goes back.

mod client;
mod cluster;
mod commit;
mod config;
mod core;
mod fault;
mod network;
mod open;
mod read;
mod snapshot;
mod subspace;
mod watch;

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use config::FdbConfig;
pub use open::FdbOpenError;

use self::client::Client;
use self::core::Core;
use crate::batch::Batch;
use crate::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use crate::error::StoreError;
use crate::stamp::CommitStamp;

/// The store in a FoundationDB cluster.
///
/// **Lanes.** A commit takes a few milliseconds wherever the cluster is, so one lane at a time would leave it idle; and
/// each lane gathers a batch while its last one commits, so many lanes mean small batches, and more transactions that
/// touch the same conversation at once and conflict. Operations are put into lanes by what they contend for, so lanes of
/// one node do not conflict with each other. Eight keep a cluster of a few machines busy.
///
/// **Batches.** 200 KB by the operations' own hints, and no more operations once about 200 KB are to be written: three
/// messages to groups of 1,024. With the conflict ranges of what is read and written, every key twice, and
/// FoundationDB's own bytes, a transaction has up to four times as much (with a prefix of 16 bytes at most), which is
/// below the 1 MB it is limited to, and small enough to be sent, checked and logged in the time of a few small ones. What
/// is over the limit all the same is committed in halves. 512 operations, because a batch that conflicts is applied again
/// as a whole.
pub struct FdbEngine {
    core: Arc<Core<Client>>,
    lanes: usize,
}

impl std::fmt::Debug for FdbEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FdbEngine").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

impl FdbEngine {
    /// Opens the store of a cluster, and makes it when there is none.
    ///
    /// # Errors
    /// [`FdbOpenError`], each with what to do about it.
    pub async fn open(config: FdbConfig) -> Result<Self, FdbOpenError> {
        let core = open::connect(&config)?;
        open::claim(&core).await?;
        Ok(Self { core: Arc::new(core), lanes: config.lanes.max(1) })
    }
}

impl Engine for FdbEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        Box::pin(async move { Ok(Box::new(snapshot::take(self.core.clone()).await?) as Box<dyn Snapshot>) })
    }

    fn transact(&self, mut batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            let outcome = self.core.transact(&mut batch).await;
            (batch, outcome)
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        watch::watch(self.core.clone(), &key)
    }

    fn limits(&self) -> EngineLimits {
        EngineLimits { batch_ops_max: 512, batch_bytes_max: 200_000, lanes: self.lanes }
    }
}
