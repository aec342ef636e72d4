//! An upgrade.

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_with_drain_refuses_no_message() {
    // A message that is refused for good without a cause is among what a report finds wrong.
    super::after(seed(5), [Fault::Rolling]).await;
}
