//! How a cluster is used.

use std::path::PathBuf;

/// How a FoundationDB cluster is used.
#[derive(Debug, Clone)]
pub struct FdbConfig {
    /// The cluster file. The client writes to it when the cluster's coordinators change.
    pub cluster_file: PathBuf,
    /// The client library; without it, it is searched for as [`foundationdb_sys::load`] says. Only the first engine of
    /// a process chooses.
    pub library: Option<PathBuf>,
    /// What all keys begin with, 64 bytes at most, not beginning with `0xff`. Stores in one database need prefixes of
    /// which none begins with another.
    pub prefix: Vec<u8>,
    /// Lanes that commit side by side, at least 1. See [`FdbEngine`](super::FdbEngine).
    pub lanes: usize,
    /// How long a batch may take, its retries included, and how long a snapshot may be read. FoundationDB allows any
    /// one attempt and any snapshot about 5 s.
    pub transaction_timeout_ms: u32,
    /// How often a batch is tried again after the first time.
    pub retry_limit: u32,
    /// Watches kept at the cluster at a time; those beyond are polled for. FoundationDB allows a process 10,000.
    pub watches_max: usize,
    /// How often a key is read that is polled for.
    pub watch_poll_ms: u32,
}

impl FdbConfig {
    /// A cluster, used in the usual way.
    pub fn new(cluster_file: impl Into<PathBuf>) -> Self {
        Self {
            cluster_file: cluster_file.into(),
            library: None,
            prefix: b"rookery/".to_vec(),
            lanes: 8,
            transaction_timeout_ms: 5_000,
            retry_limit: 10,
            watches_max: 1_000,
            watch_poll_ms: 500,
        }
    }
}
