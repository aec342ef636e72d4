//! An engine whose commits fail as told: before or after they have happened.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::{Batch, CommitStamp, StoreError};

/// What becomes of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    CommittedButUnknown,
    NotCommittedAndUnknown,
    Unavailable,
}

pub(crate) struct FaultyEngine {
    engine: Arc<dyn Engine>,
    faults: Mutex<VecDeque<Fault>>,
}

impl FaultyEngine {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self { engine, faults: Mutex::default() })
    }

    /// The next commit fails like this; after all that were told before.
    pub(crate) fn inject(&self, fault: Fault) {
        self.faults.lock().expect("not poisoned").push_back(fault);
    }
}

impl Engine for FaultyEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        self.engine.snapshot()
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        let fault = self.faults.lock().expect("not poisoned").pop_front();
        let injected = || io::Error::other("injected");
        Box::pin(async move {
            match fault {
                None => self.engine.transact(batch).await,
                Some(Fault::CommittedButUnknown) => {
                    let (batch, outcome) = self.engine.transact(batch).await;
                    (batch, outcome.and(Err(StoreError::ambiguous(injected()))))
                }
                Some(Fault::NotCommittedAndUnknown) => (batch, Err(StoreError::ambiguous(injected()))),
                Some(Fault::Unavailable) => (batch, Err(StoreError::unavailable(injected()))),
            }
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.engine.watch(key)
    }

    fn limits(&self) -> EngineLimits {
        self.engine.limits()
    }
}
