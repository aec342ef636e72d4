//! A Rookery node: configuration, data directory, tokens, listeners, operators' HTTP, and the `rookery` program.
//!
//! What a node is made of is handed to [`Node::start`]: engine, clock, randomness, configuration. Nothing here is
//! process-wide; the program's `main` alone installs the allocator, the metrics recorder and the log subscriber.

pub mod admin;
pub mod cli;
mod cluster;
pub mod config;
pub mod data_dir;
pub mod http;
pub mod link;
pub mod listen;
pub mod logging;
pub mod metrics;
mod moderation;
mod node;
mod open_files;
mod sampled;
pub mod shutdown;
pub mod store;
mod tcp;
pub mod tls;
pub mod token;

pub use cluster::JoinClusterError;
pub use node::{Node, NodeParts, StartError};

/// The version of this build, and the commit it was made of where that is known: `0.1.0 (8d79a80c3f21)`.
pub const VERSION: &str = env!("ROOKERY_VERSION");
