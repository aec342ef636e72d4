//! A short storm of whatever comes; `rookery-tests chaos` makes long ones.

use std::time::Duration;

use rookery_tests::chaos::{ClusterPlan, ClusterShape};
use rookery_tests::seed::seed;

/// Of 2 members to all.
const GROUPS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_groups_on_bad_networks_and_three_nodes_with_mixed_faults_break_no_invariant() {
    let mut shape = ClusterShape::new(super::CLIENTS, Duration::from_secs(45));
    shape.groups = GROUPS;
    super::all_right(&ClusterPlan::new(seed(1), shape)).await;
}
