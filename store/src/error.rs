//! What can go wrong between an operation and its commit. Each variant is a decision for the caller.

use std::sync::Arc;

/// Where a failure came from, kept for logs.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why an operation has no answer, or a read no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written. Trying again may help.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// The commit may have happened or not. Every operation may be submitted again.
    #[error("the outcome of the commit is unknown")]
    Ambiguous(#[source] Source),
    /// Other writers kept changing what the operation reads. Nothing was written.
    #[error("the transaction kept conflicting with others")]
    Conflict,
    /// There is no room. Nothing was written.
    #[error("the store has no room left")]
    Full(#[source] Source),
    /// The operation is over a limit of the engine. Nothing was written, and trying again will not help.
    #[error("the operation is too large for the store: {0}")]
    TooLarge(String),
    /// The lane's queue is full. Nothing was written.
    #[error("too many operations are waiting")]
    Busy,
    /// What was read is not what this version writes.
    #[error("the store holds something this version cannot read: {0}")]
    Corrupt(String),
    /// The operation panicked: a defect. Nothing was written.
    #[error("the operation panicked: {0}")]
    Panicked(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// [`Unavailable`](Self::Unavailable) because of `source`.
    pub fn unavailable(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Arc::new(source))
    }

    /// [`Ambiguous`](Self::Ambiguous) because of `source`.
    pub fn ambiguous(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Ambiguous(Arc::new(source))
    }

    /// [`Full`](Self::Full) because of `source`.
    pub fn full(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Full(Arc::new(source))
    }
}
