//! The engines, one a file.

mod fetched;
mod foundationdb;
mod lmdb;
mod memory;

pub use foundationdb::{FdbConfig, FdbEngine, FdbOpenError};
pub use lmdb::{LmdbConfig, LmdbEngine, OpenError};
pub use memory::MemoryEngine;
