//! Waiting for a key to change: a commit of this process wakes the waiting at once, those of others are noticed by
//! looking at the number of the last transaction every [`PERIOD`], once for all who wait, and only while somebody does.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::open::store_error;
use crate::engine::BoxFuture;
use crate::error::StoreError;

/// How late a commit of another process may be noticed.
const PERIOD: Duration = Duration::from_millis(100);

/// The number of the last transaction known of.
#[derive(Debug)]
pub(super) struct Changes {
    last_txn: watch::Sender<usize>,
    looked: Mutex<Option<Instant>>,
}

impl Changes {
    pub(super) fn new(last_txn: usize) -> Self {
        Self { last_txn: watch::Sender::new(last_txn), looked: Mutex::new(None) }
    }

    /// There has been a transaction of this number.
    pub(super) fn saw(&self, txn: usize) {
        self.last_txn.send_if_modified(|last| {
            let newer = txn > *last;
            *last = txn.max(*last);
            newer
        });
    }

    /// Looks for commits of other processes, unless another waiting task just has.
    fn look(&self, shared: &Shared) {
        let now = Instant::now();
        {
            let mut looked = self.looked.lock().expect("nothing panics while it holds this lock");
            if looked.is_some_and(|looked| now.duration_since(looked) < PERIOD / 2) {
                return;
            }
            *looked = Some(now);
        }
        if let Some(opened) = shared.opened() {
            self.saw(opened.env.info().last_txn_id);
        }
    }
}

/// Completes when the key's value is no longer what it is now.
pub(super) fn watch(shared: &Arc<Shared>, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
    // In this order: a commit after the subscription is noticed, one before it is in the value.
    let mut last_txn = shared.changes.last_txn.subscribe();
    let before = value(shared, &key);
    // The waiting must not keep a closed engine's files open.
    let shared = Arc::downgrade(shared);
    Box::pin(async move {
        let before = before?;
        loop {
            let strong = open(&shared)?;
            if value(&strong, &key)? != before {
                return Ok(());
            }
            drop(strong);
            match timeout(PERIOD, last_txn.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(StoreError::Closed),
                Err(_) => {
                    let strong = open(&shared)?;
                    strong.changes.look(&strong);
                }
            }
        }
    })
}

fn open(shared: &Weak<Shared>) -> Result<Arc<Shared>, StoreError> {
    shared.upgrade().ok_or(StoreError::Closed)
}

fn value(shared: &Shared, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
    let opened = shared.opened().ok_or_else(|| StoreError::unavailable(heed::MdbError::Panic))?;
    let txn = opened.env.read_txn().map_err(store_error)?;
    Ok(opened.db.get(&txn, key).map_err(store_error)?.map(Bytes::copy_from_slice))
}
