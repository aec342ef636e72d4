//! Rookery's durable truth: operations as values, key families, and the engines that commit them.
//!
//! Three layers, each knowing nothing of the one above:
//!
//! - [`engine`]: bytes only. A snapshot to read from, a batch to commit, a key to watch.
//! - [`Op`], lanes and [`Store`]: a transaction as a value, batches of them, group commit.
//! - [`keys`], [`ops`] and [`queries`]: what the bytes mean. One file per key family, one per operation.
//!   [`check`] says whether they do.
//!
//! Invariants:
//! - an operation is all there or not at all, and its answer is given only after its commit;
//! - operations submitted to one lane commit in the order of their submission;
//! - an inbox stamp given by a commit is greater than every stamp of every commit before it;
//! - every operation may be applied again after an unknown outcome without a second effect.

mod audience;
mod batch;
pub mod check;
pub mod engine;
pub mod engines;
mod error;
pub mod keys;
mod lane;
mod op;
pub mod ops;
pub mod placement;
pub mod queries;
mod removal;
mod stamp;
mod store;

pub use batch::{Batch, Mutations, StampedPut};
pub use error::{Source, StoreError};
pub use lane::{CommitSeen, PATIENCE};
pub use op::{Base, KeyRange, Op, Reads, View, Writes};
pub use removal::remove_user;
pub use stamp::{CommitStamp, StampSlot};
pub use store::{Committed, Store, StoreConfig};
