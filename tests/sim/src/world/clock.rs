//! A node's wall clock: virtual time, and as wrong as somebody has set it.

use std::sync::atomic::{AtomicI64, Ordering};

use rookery_actors::Clock;
use tokio::time::Instant;

/// What the clocks say when a world begins: 2026-01-01.
pub(super) const BEGAN_MS: u64 = 1_767_225_600_000;

/// See the module.
#[derive(Debug)]
pub(super) struct SimClock {
    began: Instant,
    skew_ms: AtomicI64,
}

impl SimClock {
    /// Of a world that began then, right.
    pub(super) fn new(began: Instant) -> Self {
        Self { began, skew_ms: AtomicI64::new(0) }
    }

    /// Sets it, so many milliseconds before or after what is right.
    pub(super) fn set_skew_ms(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (BEGAN_MS + passed).saturating_add_signed(self.skew_ms.load(Ordering::Relaxed))
    }
}
