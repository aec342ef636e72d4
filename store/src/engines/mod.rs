//! The engines, one a file.

mod fetched;
mod lmdb;
mod memory;

pub use lmdb::{LmdbConfig, LmdbEngine, OpenError};
pub use memory::MemoryEngine;
