//! A disk without room.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::{Outcome, Scene};

impl Scene {
    pub(super) async fn fill_disk(&self, lasts: Duration) -> Result<Outcome> {
        let Some(disk) = self.cluster.disk() else {
            return Ok(Outcome::Skipped("the data is on the machine's own disk"));
        };
        disk.fill()?;
        sleep(lasts).await;
        disk.empty()?;
        Ok(Outcome::Done)
    }
}
