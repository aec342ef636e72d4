//! All nodes die at once.

use std::time::Duration;

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn when_all_nodes_are_killed_at_once_and_come_back_everything_accepted_is_there() {
    super::after(seed(3), [Fault::AllKilled { down: Duration::from_secs(1) }]).await;
}
