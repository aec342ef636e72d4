//! The engines, one a file.

mod fetched;
mod foundationdb;
mod lmdb;
mod memory;

pub use foundationdb::{FdbConfig, FdbEngine, FdbOpenError};
pub use lmdb::{LmdbBackup, LmdbConfig, LmdbEngine, OpenError, RESTORE_GAP, RestoreError};
pub use memory::MemoryEngine;
