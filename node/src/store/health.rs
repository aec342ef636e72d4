//! Whether the store takes writes: what commits have lately shown, and a write now and then to see.

use std::sync::Mutex;
use std::time::Duration;

use rookery_store::keys::meta;
use rookery_store::{Op, Reads, Store, StoreError, View, Writes};
use tokio::time::Instant;

/// A store that had no room is not called healthy before so long has passed without another such failure. Small writes
/// can find room where large ones do not.
const FULL_MEMORY: Duration = Duration::from_secs(10);

/// How often a full store is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// How long an answer about the store is good for: what probes may cost is one commit in this time.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long a probing write may take.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// What is known of the store.
#[derive(Debug, Default)]
pub struct StoreHealth {
    full: Mutex<Full>,
    probe: tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>,
}

#[derive(Debug, Default)]
struct Full {
    seen: Option<Instant>,
    logged: Option<Instant>,
}

impl StoreHealth {
    /// Takes note of a failed commit.
    pub(super) fn failed(&self, error: &StoreError) {
        if !matches!(error, StoreError::Full(_)) {
            return;
        }
        let now = Instant::now();
        let mut full = self.full.lock().expect("nothing panics while it holds this lock");
        full.seen = Some(now);
        if full.logged.is_none_or(|logged| now - logged >= LOG_EVERY) {
            full.logged = Some(now);
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the store has no room: messages are refused, and nothing that was accepted is lost"
            );
        }
    }

    /// Whether the store takes writes; if not, why.
    ///
    /// # Errors
    /// With a text for people.
    pub async fn check(&self, store: &Store) -> Result<(), String> {
        let full = self.full.lock().expect("nothing panics while it holds this lock").seen;
        if full.is_some_and(|seen| seen.elapsed() < FULL_MEMORY) {
            return Err("the store has no room".into());
        }
        let mut last = self.probe.lock().await;
        if let Some((at, outcome)) = &*last
            && at.elapsed() < PROBE_EVERY
        {
            return outcome.clone();
        }
        let outcome = match tokio::time::timeout(PROBE_DEADLINE, store.submit(&"probe", Probe)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the store took no write within {} seconds", PROBE_DEADLINE.as_secs())),
        };
        *last = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

/// Writes what is there already: the store's format.
#[derive(Debug)]
struct Probe;

impl Op for Probe {
    type Answer = ();

    fn reads(&self, reads: &mut Reads) {
        reads.key(meta::format_key());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) {
        if let Some(format) = view.get(&meta::format_key()) {
            writes.put(meta::format_key(), format.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_store_is_not_ready_until_it_has_had_room_for_a_while() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let health = StoreHealth::default();
        assert_eq!(health.check(&store).await, Ok(()));
        health.failed(&StoreError::full(io::Error::from(io::ErrorKind::StorageFull)));
        assert_eq!(health.check(&store).await, Err("the store has no room".into()));
        tokio::time::advance(FULL_MEMORY).await;
        assert_eq!(health.check(&store).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_store_is_not_ready() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let health = StoreHealth::default();
        store.close().await;
        assert_eq!(health.check(&store).await, Err("the store is closed".into()));
    }
}
