//! Networks between nodes.

use std::time::Duration;

use tokio::time::sleep;

use super::Scene;
use crate::cluster::Way;

impl Scene {
    pub(super) async fn link(&self, (a, b): (usize, usize), way: Way, lasts: Duration) {
        let links = self.cluster.links();
        links.set_both(a, b, way);
        sleep(lasts).await;
        links.set_both(a, b, Way::Clear);
    }

    pub(super) async fn one_way(&self, (from, to): (usize, usize), lasts: Duration) {
        let links = self.cluster.links();
        links.set(from, to, Way::Silent);
        sleep(lasts).await;
        links.set(from, to, Way::Clear);
    }

    pub(super) async fn isolate(&self, node: usize, lasts: Duration) {
        let links = self.cluster.links();
        links.set_all_of(node, Way::Silent);
        sleep(lasts).await;
        links.set_all_of(node, Way::Clear);
    }
}
