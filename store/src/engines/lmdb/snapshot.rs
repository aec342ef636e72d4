//! Reading one version, inline on the calling thread.

use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use heed::{MdbError, RoTxn, WithoutTls};

use super::open::{Db, Opened, is_broken, store_error};
use crate::engine::{BoxFuture, Snapshot};
use crate::error::StoreError;
use crate::keys::meta;
use crate::op::KeyRange;

pub(super) struct LmdbSnapshot {
    db: Db,
    /// A transaction may be used by any thread, one at a time.
    txn: Mutex<RoTxn<'static, WithoutTls>>,
}

impl LmdbSnapshot {
    /// Begins to read. `None` when the environment has failed.
    pub(super) fn begin(Opened { env, db }: Opened) -> Result<Option<Self>, StoreError> {
        let txn = match env.clone().static_read_txn() {
            // Slots of readers that were killed are in the way until someone clears them.
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                env.clear_stale_readers().map_err(store_error)?;
                env.static_read_txn()
            }
            begun => begun,
        };
        match txn {
            Ok(txn) => Ok(Some(Self { db, txn: Mutex::new(txn) })),
            Err(error) if is_broken(&error) => Ok(None),
            Err(error) => Err(store_error(error)),
        }
    }

    fn txn(&self) -> MutexGuard<'_, RoTxn<'static, WithoutTls>> {
        self.txn.lock().expect("nothing panics while it holds this lock")
    }
}

impl Snapshot for LmdbSnapshot {
    fn version(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let txn = self.txn();
            let value = self.db.get(&txn, &meta::commit_key()).map_err(store_error)?;
            meta::decode_commit(value)
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Vec<u8>]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, StoreError>> {
        Box::pin(async move {
            let txn = self.txn();
            let get = |key: &Vec<u8>| Ok(self.db.get(&txn, key)?.map(Bytes::copy_from_slice));
            keys.iter().map(get).collect::<Result<_, heed::Error>>().map_err(store_error)
        })
    }

    fn range<'a>(&'a self, range: &'a KeyRange) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, StoreError>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            each_in_range(self.db, &self.txn(), range, |key, value| {
                entries.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            })
            .map_err(store_error)?;
            Ok(entries)
        })
    }
}

/// Shows `visit` a range's entries, in its order, up to its limit.
pub(super) fn each_in_range(
    db: Db,
    txn: &RoTxn<'_>,
    range: &KeyRange,
    mut visit: impl FnMut(&[u8], &[u8]),
) -> Result<(), heed::Error> {
    if range.begin >= range.end {
        return Ok(());
    }
    let bounds = (Bound::Included(range.begin.as_slice()), Bound::Excluded(range.end.as_slice()));
    if range.reverse {
        for entry in db.rev_range(txn, &bounds)?.take(range.limit) {
            let (key, value) = entry?;
            visit(key, value);
        }
    } else {
        for entry in db.range(txn, &bounds)?.take(range.limit) {
            let (key, value) = entry?;
            visit(key, value);
        }
    }
    Ok(())
}
