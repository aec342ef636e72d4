//! What has gone over the links to one peer.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Counter;
use rookery_store::keys::node::NodeName;

use crate::metrics::{LinkDirection, link_counters};

/// Batches and bytes each way, counted for the status and for metrics.
pub(super) struct Traffic {
    came: Direction,
    went: Direction,
}

struct Direction {
    batches: AtomicU64,
    bytes: AtomicU64,
    metrics: (Counter, Counter),
}

impl Traffic {
    pub(super) fn new(peer: &NodeName) -> Self {
        let direction = |direction| Direction {
            batches: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            metrics: link_counters(peer, direction),
        };
        Self { came: direction(LinkDirection::In), went: direction(LinkDirection::Out) }
    }

    pub(super) fn came(&self, bytes: usize) {
        self.came.count(bytes);
    }

    pub(super) fn went(&self, bytes: usize) {
        self.went.count(bytes);
    }

    /// Batches and bytes that came.
    pub(super) fn all_in(&self) -> (u64, u64) {
        self.came.counted()
    }

    /// Batches and bytes that went.
    pub(super) fn all_out(&self) -> (u64, u64) {
        self.went.counted()
    }
}

impl Direction {
    fn count(&self, bytes: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.metrics.0.increment(1);
        self.metrics.1.increment(bytes as u64);
    }

    fn counted(&self) -> (u64, u64) {
        (self.batches.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}
