//! One node of three dies.

use std::time::Duration;

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_of_one_of_three_nodes_its_users_go_on_elsewhere_and_nothing_is_lost() {
    let down = Duration::from_secs(5);
    let report = super::after(seed(1), [Fault::Killed { node: 1, down }]).await;
    // Long before the node is back, which is what would help if nobody took over.
    let silence = report.silence();
    assert!(silence < down, "nothing was handed up to anybody for {silence:?}");
}
