//! An upgrade as an operator does it: each node is drained, ends, and is started again before the next one's turn.

use anyhow::Result;

use super::Scene;
use crate::cluster::WHOLE;

impl Scene {
    pub(super) async fn roll(&self) -> Result<()> {
        for member in self.cluster.nodes() {
            member.drain().await?;
            self.timeline.note(format!("{} is drained and has ended", member.name()));
            member.start().await?;
            self.cluster.whole(WHOLE).await?;
        }
        Ok(())
    }
}
