//! The link between two nodes that are well.

use std::time::Duration;

use rookery_tests::chaos::Fault;
use rookery_tests::seed::seed;

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_silent_torn_or_one_way_removes_nobody_and_every_message_arrives_soon() {
    let (nodes, lasts) = ((0, 1), Duration::from_secs(5));
    let faults = [
        Fault::LinkSilent { nodes, lasts },
        Fault::LinkTorn { nodes, lasts },
        Fault::LinkOneWay { nodes, lasts },
    ];
    let report = super::after(seed(4), faults).await;
    let lost = report.notes().iter().filter(|note| note.what.ends_with(" of 2")).count();
    assert_eq!(lost, 0, "a node that renews its lease stays:\n{}", report.timeline());
    // Messages that had to go through the store: late, but not as late as the link was away.
    let worst = report.worst();
    assert!(worst < lasts, "a message took {worst:?}");
}
