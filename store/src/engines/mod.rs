//! The engines, one a file.

mod memory;

pub use memory::MemoryEngine;
