//! A node that is new while another is down.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::Scene;
use crate::cluster::WHOLE;

/// How long the new node stays once all are there.
const STAY: Duration = Duration::from_secs(2);

impl Scene {
    pub(super) async fn join(&self, node: usize, down: Duration) -> Result<()> {
        let (member, newcomer) =
            (self.cluster.member(node), self.cluster.spares().first().context("a spare")?);
        member.kill();
        newcomer.start().await?;
        self.timeline.note(format!("{} has started", newcomer.name()));
        sleep(down).await;
        member.start().await?;
        self.cluster.whole(WHOLE).await?;
        sleep(STAY).await;
        newcomer.terminate().await
    }
}
