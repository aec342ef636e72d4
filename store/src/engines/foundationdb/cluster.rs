//! What the engine asks of FoundationDB, and nothing else: the client library provides it, and so does a simulation.

use bytes::Bytes;

use super::fault::Fault;
use crate::engine::BoxFuture;
use crate::stamp::CommitStamp;

/// A database.
pub(super) trait Cluster: Send + Sync + 'static {
    /// Its transactions.
    type Trx: Trx;

    /// A new transaction.
    fn begin(&self, purpose: Purpose) -> Result<Self::Trx, Fault>;
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To read and be committed, or to read only. It does not see its own writes.
    Data,
    /// To set a watch.
    Watch,
}

/// Whether a read counts when the commit is checked for conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// It counts.
    Serializable,
    /// It does not.
    Snapshot,
}

/// One piece of a range, in its order.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) entries: Vec<(Vec<u8>, Bytes)>,
    /// Whether the range may hold more after these.
    pub(super) more: bool,
}

/// A range of whole keys, `begin` inclusive, `end` exclusive.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    pub(super) begin: Vec<u8>,
    pub(super) end: Vec<u8>,
    /// Entries wanted at most; not 0.
    pub(super) limit: usize,
    pub(super) reverse: bool,
}

/// A transaction. Every method that returns a future starts its work when called, not when polled.
pub(super) trait Trx: Sized + Send + Sync + 'static {
    /// The version that it reads, the same in every call.
    fn read_version(&self) -> BoxFuture<'static, Result<i64, Fault>>;

    /// Makes it read that version. To be called before any read.
    fn set_read_version(&self, version: i64);

    fn get(&self, key: &[u8], isolation: Isolation) -> BoxFuture<'static, Result<Option<Bytes>, Fault>>;

    /// The first entries of a range: as many as come at once.
    fn page(&self, request: &PageRequest, isolation: Isolation) -> BoxFuture<'static, Result<Page, Fault>>;

    fn set(&self, key: &[u8], value: &[u8]);

    fn clear(&self, key: &[u8]);

    fn clear_range(&self, begin: &[u8], end: &[u8]);

    /// Sets a key in which the commit's stamp takes the place of 10 bytes. `operand` is the key followed by the place's
    /// offset, 4 bytes little-endian.
    fn set_stamped_key(&self, operand: &[u8], value: &[u8]);

    /// Conflicts with every later commit that writes, or claims to write, the key.
    fn add_read_conflict(&self, key: &[u8]) -> Result<(), Fault>;

    /// Claims to write the key.
    fn add_write_conflict(&self, key: &[u8]) -> Result<(), Fault>;

    /// Completes when the key's value is no longer what this transaction reads. Counts once the transaction has been
    /// committed, and outlives it. Dropping it ends the watch.
    fn watch(&self, key: &[u8]) -> BoxFuture<'static, Result<(), Fault>>;

    /// Commits, or gives back the transaction for [`on_error`](Self::on_error). Nothing may be read or written meanwhile.
    fn commit(self) -> BoxFuture<'static, Result<Committed, (Self, Fault)>>;

    /// Waits as long as is wise after an error and makes the transaction as new; or returns the error when trying
    /// again is of no use.
    fn on_error(self, fault: Fault) -> BoxFuture<'static, Result<Self, Fault>>;
}

/// What a commit that happened returns.
#[derive(Debug)]
pub(super) struct Committed {
    /// Its stamp; `no_commit_version` when there was nothing to write.
    pub(super) stamp: Result<CommitStamp, Fault>,
}
