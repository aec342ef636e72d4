//! One node of three hangs, is taken for dead, and wakes up.

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_is_removed_and_comes_back_as_another_when_it_wakes_up() {
    // That nobody misses it, or that it is no member again afterwards, is among what a report finds wrong.
    super::after(seed(2), [Fault::StoppedUntilMissed { node: 2 }]).await;
}
