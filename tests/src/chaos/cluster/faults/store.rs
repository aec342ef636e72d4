//! A store that answers nobody.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Scene;

impl Scene {
    pub(super) async fn stall_store(&self, lasts: Duration) -> Result<()> {
        let stalled = async {
            let since = self.timeline.now();
            sleep(lasts).await;
            self.timeline.stalled(since, self.timeline.now());
        };
        self.cluster.stall_store(stalled).await
    }
}
