//! Reading at one version.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::cluster::{Cluster, Isolation, Purpose, Trx};
use super::core::Core;
use super::fault::Fault;
use super::read;
use crate::engine::{BoxFuture, Snapshot};
use crate::error::StoreError;
use crate::op::KeyRange;

/// The store at one version, for about 5 s.
pub(super) struct FdbSnapshot<C: Cluster> {
    /// Goes before what holds the database.
    trx: C::Trx,
    version: i64,
    core: Arc<Core<C>>,
}

/// FoundationDB has forgotten the snapshot's version.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot is too old to be read: take another")]
struct SnapshotTooOld(#[source] Fault);

/// The store as of now.
pub(super) async fn take<C: Cluster>(core: Arc<Core<C>>) -> Result<FdbSnapshot<C>, StoreError> {
    let mut trx = core.cluster.begin(Purpose::Data).map_err(StoreError::unavailable)?;
    let mut retries = 0;
    loop {
        match trx.read_version().await {
            Ok(version) => {
                core.learn(version);
                return Ok(FdbSnapshot { trx, version, core });
            }
            Err(fault) if retries == core.retry_limit => return Err(StoreError::unavailable(fault)),
            Err(fault) => trx = trx.on_error(fault).await.map_err(StoreError::unavailable)?,
        }
        retries += 1;
    }
}

impl<C: Cluster> Snapshot for FdbSnapshot<C> {
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.version.max(0).cast_unsigned()) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        let values = keys.iter().map(|key| self.trx.get(&self.core.space.key(key), Isolation::Snapshot));
        let values = try_join_all(values);
        Box::pin(async move { values.await.map_err(unreadable) })
    }

    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async move {
            let entries = read::range(&self.trx, &self.core.space, range, Isolation::Snapshot);
            let entries = entries.await.map_err(unreadable)?;
            Ok(entries.into_iter().map(|(key, value)| (Bytes::from(key), value)).collect())
        })
    }
}

/// A failed read is not tried again here: what makes a transaction as new also gives it another version.
fn unreadable(fault: Fault) -> StoreError {
    match fault {
        Fault::TRANSACTION_TOO_OLD => StoreError::unavailable(SnapshotTooOld(fault)),
        _ => StoreError::unavailable(fault),
    }
}
