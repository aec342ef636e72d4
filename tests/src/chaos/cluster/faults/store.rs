//! A store that answers nobody.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Scene;

impl Scene {
    pub(super) async fn stall_store(&self, lasts: Duration) -> Result<()> {
        self.cluster.stall_store(sleep(lasts)).await
    }
}
