//! A store that commits nothing for longer than a lease lasts.

use std::time::Duration;

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stalls_for_longer_than_a_lease_lasts_costs_time_and_nothing_else() {
    let lasts = Duration::from_secs(5);
    let report = super::after(seed(6), [Fault::StoreStalled { lasts }]).await;
    // That none of them was confirmed meanwhile is part of every report.
    assert!(report.stalled.given > 0, "nobody wrote meanwhile: {:?}", report.stalled);
}
