//! One node of three hangs, is taken for dead, and wakes up.

use std::time::Duration;

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_is_removed_and_comes_back_as_another_when_it_wakes_up() {
    let lasts = Duration::from_secs(8);
    let report = super::after(seed(2), [Fault::Stopped { node: 2, lasts }]).await;
    let saw = |what: &str| report.notes().iter().any(|note| note.what.ends_with(what));
    assert!(saw(" of 2"), "nobody missed it:\n{}", report.timeline());
}
