//! Looks over an engine's shoulder: how commits end goes to the metrics and to the store's health.

use std::path::PathBuf;
use std::sync::Arc;

use rookery_store::engine::{BackupError, BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::{Batch, CommitStamp, StoreError};

use super::StoreHealth;
use crate::metrics;

/// An engine whose failures are noticed.
pub struct ObservedEngine {
    engine: Arc<dyn Engine>,
    health: Arc<StoreHealth>,
}

impl std::fmt::Debug for ObservedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObservedEngine")
    }
}

impl ObservedEngine {
    /// Tells `health` of the engine's failures.
    pub fn new(engine: Arc<dyn Engine>, health: Arc<StoreHealth>) -> Self {
        Self { engine, health }
    }
}

impl Engine for ObservedEngine {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        self.engine.snapshot()
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        Box::pin(async move {
            let (batch, outcome) = self.engine.transact(batch).await;
            if let Err(error) = &outcome {
                metrics::commit_failed(label(error));
                self.health.failed(error);
            }
            (batch, outcome)
        })
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.engine.watch(key)
    }

    fn backup(&self, directory: PathBuf) -> BoxFuture<'static, Result<u64, BackupError>> {
        self.engine.backup(directory)
    }

    fn limits(&self) -> EngineLimits {
        self.engine.limits()
    }
}

fn label(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Ambiguous(_) => "ambiguous",
        StoreError::Conflict => "conflict",
        StoreError::Full(_) => "full",
        StoreError::TooLarge(_) => "too_large",
        StoreError::Busy => "busy",
        StoreError::Corrupt(_) => "corrupt",
        StoreError::Panicked(_) => "panicked",
        StoreError::Closed => "closed",
    }
}
