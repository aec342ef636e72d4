//! Three nodes that act as one, with clients that write all the time: one fault each, and a storm of several.
//!
//! Tests are not run beside each other here: three nodes and their clients keep two cores busy.

mod all_killed;
mod late_request;
mod link_cut;
mod mixed;
mod one_killed;
mod one_stopped;
mod rolling_restart;
mod store_stalled;

use std::fs::File;
use std::time::Duration;

use rookery_tests::chaos::{ClusterPlan, ClusterReport, ClusterShape, Fault, Watch, run_cluster};

/// Clients of a short run.
const CLIENTS: usize = 40;

/// Whoever has this file locked runs, in whatever process.
const TURN: &str = "rookery-tests-clusters.lock";

struct Quiet;

impl Watch for Quiet {
    fn steps(&self, _: usize, _: usize) {}

    fn phase(&self, what: &str) {
        println!("{what}");
    }
}

/// What comes of these faults, with clients that have no troubles of their own.
async fn after(seed: u64, faults: impl IntoIterator<Item = Fault>) -> ClusterReport {
    let mut shape = ClusterShape::new(CLIENTS, Duration::ZERO);
    shape.clients_suffer = false;
    all_right(&ClusterPlan::of(seed, shape, faults)).await
}

/// Carries out a plan, and finds nothing wrong.
async fn all_right(plan: &ClusterPlan) -> ClusterReport {
    let _turn = turn().await;
    let report = Box::pin(run_cluster(plan, &Quiet)).await.unwrap();
    println!("{plan}{report}\n{}", report.timeline());
    assert!(report.verdict.is_good(), "{report}");
    report
}

/// Waits until no other test runs a cluster on this machine.
pub(crate) async fn turn() -> File {
    let file = File::create(std::env::temp_dir().join(TURN)).unwrap();
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await.unwrap().unwrap()
}
