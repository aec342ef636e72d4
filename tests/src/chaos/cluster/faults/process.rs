//! Nodes that go and come back.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::time::sleep;

use super::Scene;

/// For the others to remove a node that hangs. Where the machine stalls as well, they begin to wait anew.
const MISSED: Duration = Duration::from_secs(60);

impl Scene {
    pub(super) async fn kill(&self, node: usize, down: Duration) -> Result<()> {
        let member = self.cluster.member(node);
        member.kill();
        sleep(down).await;
        member.start().await
    }

    pub(super) async fn kill_all(&self, down: Duration) -> Result<()> {
        let members = self.cluster.nodes();
        members.iter().for_each(crate::cluster::Member::kill);
        sleep(down).await;
        try_join_all(members.iter().map(crate::cluster::Member::start)).await?;
        Ok(())
    }

    pub(super) async fn stop(&self, node: usize, lasts: Duration) -> Result<()> {
        self.stop_while(node, async {
            sleep(lasts).await;
            Ok(())
        })
        .await
    }

    pub(super) async fn stop_until_missed(&self, node: usize) -> Result<()> {
        self.stop_while(node, self.cluster.without(node, MISSED)).await
    }

    async fn stop_while(&self, node: usize, meanwhile: impl Future<Output = Result<()>>) -> Result<()> {
        let member = self.cluster.member(node);
        member.pause();
        let outcome = meanwhile.await;
        if !member.resume() {
            self.timeline.note(format!("{} was killed in its turn to write", member.name()));
            member.start().await?;
        }
        outcome
    }

    pub(super) async fn restart(&self, node: usize) -> Result<()> {
        let member = self.cluster.member(node);
        member.terminate().await?;
        member.start().await
    }
}
