//! How much waits for the moderators, looked up now and then for the metrics. Every node looks, and finds the same.

use std::sync::Arc;
use std::time::Duration;

use rookery_actors::{Clock, until_stopped};
use rookery_store::{Store, StoreError, queries};
use tokio::sync::watch;

use crate::metrics;

/// Between two looks, each of two keys: a queue that people work on changes no faster.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Looks how many reports wait, and since when.
pub(crate) struct Moderation {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Moderation {
    /// Looks until `stop` becomes true.
    pub(crate) async fn run(self, stop: watch::Receiver<bool>) {
        let this = &self;
        let look = || async move {
            match waiting(&this.store, this.clock.now_ms()).await {
                Ok((waiting, oldest)) => metrics::reports_waiting(waiting, oldest),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(error, "how many reports wait could not be read: tried again soon");
                }
            }
        };
        until_stopped(stop, LOOK_EVERY, look).await;
    }
}

/// How many wait now, and for how long the oldest of them has; zero when none does.
async fn waiting(store: &Store, now_ms: u64) -> Result<(u64, Duration), StoreError> {
    let snapshot = store.snapshot().await?;
    let waiting = queries::reports_waiting(&*snapshot).await?;
    let oldest = queries::reports(&*snapshot, None, 1).await?.pop();
    let waits_ms = oldest.map_or(0, |(_, report)| now_ms.saturating_sub(report.time_ms));
    Ok((waiting, Duration::from_millis(waits_ms)))
}

#[cfg(test)]
mod tests {
    use rookery_protocol::{DeviceId, Handle, UserId};
    use rookery_store::StoreConfig;
    use rookery_store::engines::MemoryEngine;
    use rookery_store::ops::{AddDevice, AddUser, Asker, MakeReport, ResolveReport, Settled};

    use super::*;

    #[tokio::test]
    async fn the_oldest_report_is_the_first_that_nobody_has_dealt_with() {
        let store = Store::start(Arc::new(MemoryEngine::new()), StoreConfig::default());
        let user = UserId::new(1).unwrap();
        let handle: Handle = "alice".parse().unwrap();
        store.submit(&0, AddUser { user, handle, time_ms: 0 }).await.unwrap().answer.unwrap();
        let device = AddDevice { user, name: "d".into(), time_ms: 0 };
        store.submit(&0, device).await.unwrap().answer.unwrap();
        let now = async || waiting(&store, 10_000).await.unwrap();
        assert_eq!(now().await, (0, Duration::ZERO));
        for time_ms in [4_000, 7_500] {
            let asker = Asker { user, device: DeviceId::new(1), generation: 1, admitted: 0, time_ms };
            let (conversation, seqs, text) = (None, Vec::new(), time_ms.to_string());
            let report = MakeReport { asker, user, conversation, seqs, text };
            let made = store.submit(&0, report).await.unwrap().answer;
            assert!(matches!(made, Settled::Done), "{made:?}");
        }
        assert_eq!(now().await, (2, Duration::from_secs(6)));
        assert_eq!(waiting(&store, 1).await.unwrap(), (2, Duration::ZERO), "of a clock that is behind");
        for left in [(1, Duration::from_millis(2_500)), (0, Duration::ZERO)] {
            let snapshot = store.snapshot().await.unwrap();
            let (stamp, report) = queries::reports(&*snapshot, None, 1).await.unwrap().remove(0);
            let resolve = ResolveReport { stamp, reporter: report.reporter };
            assert!(store.submit(&0, resolve).await.unwrap().answer.unwrap());
            assert_eq!(now().await, left);
        }
    }
}
