//! What an engine is: bytes, snapshots, batches, watches. It knows no word of the domain.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::Bytes;

use crate::batch::Batch;
use crate::error::StoreError;
use crate::op::KeyRange;
use crate::stamp::CommitStamp;

/// A future in a box, since engines are chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The longest key: LMDB's bound, which is the tightest of the engines'.
pub const KEY_BYTES_MAX: usize = 511;

/// The longest value: FoundationDB's bound, which is the tightest of the engines'.
pub const VALUE_BYTES_MAX: usize = 100_000;

/// Keeps keys and values, in bytewise order of keys.
pub trait Engine: Send + Sync + 'static {
    /// The committed state as of now, at one version. To be dropped soon: seconds, not minutes.
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>>;

    /// Commits the batch, as far as it lets itself be applied, as one transaction, durably, and hands it back with the
    /// outcome.
    ///
    /// Serialisable: as if what the operations read and wrote happened at one instant. On a conflict the engine applies
    /// the batch again, within its own bounds. The stamp is greater than that of every commit that ended before this
    /// call began, and than that of every commit whose effects a snapshot has shown. A batch that writes nothing needs
    /// no commit, and its stamp says nothing.
    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)>;

    /// Completes when the key's value may have changed since the call, polled or not. May complete for no reason, and
    /// may miss a change that was undone.
    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>>;

    /// The bounds of one transaction, and how many lanes pay.
    fn limits(&self) -> EngineLimits;

    /// Writes a copy of everything, as of one moment, into an empty directory of this machine while the store is in use,
    /// and returns its length in bytes. From an engine that keeps its data elsewhere there is none to be had like that.
    fn backup(&self, directory: PathBuf) -> BoxFuture<'static, Result<u64, BackupError>> {
        drop(directory);
        Box::pin(async { Err(BackupError::NotSupported) })
    }
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The engine has tools of its own for it.
    #[error("this engine is backed up with its own tools")]
    NotSupported,
    /// The directory holds something.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The store is not open.
    #[error("the store cannot be read")]
    Unavailable,
    /// The copy failed. What there is of it has been removed.
    #[error("the copy could not be written")]
    Failed(#[source] std::io::Error),
}

/// The bounds of one transaction.
#[derive(Debug, Clone, Copy)]
pub struct EngineLimits {
    /// Operations in a batch.
    pub batch_ops_max: usize,
    /// Bytes in a batch, by the operations' own hints; and bytes of keys and values after which no more operations of it
    /// are applied.
    pub batch_bytes_max: usize,
    /// Lanes that commit side by side.
    pub lanes: usize,
}

/// The store at one version.
pub trait Snapshot: Send + Sync {
    /// Which version this is: greater than that of a snapshot which does not show a commit that this one shows, and
    /// never less than that of a snapshot taken before.
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// The values under some keys, in their order, fetched together.
    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>>;

    /// A range's entries, in its order.
    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>>;
}
