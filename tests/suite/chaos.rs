//! A short storm; `rookery-tests chaos` makes long ones.

use rookery_tests::chaos::{Plan, Shape, Watch, run};
use rookery_tests::seed::seed;

struct Quiet;

impl Watch for Quiet {
    fn steps(&self, _: usize, _: usize) {}

    fn phase(&self, what: &str) {
        println!("{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_clients_on_bad_networks_and_a_node_killed_three_times_break_no_invariant() {
    let plan = Plan::new(seed(2026), Shape::new(40, 3));
    let report = Box::pin(run(&plan, &Quiet)).await.unwrap();
    println!("{report}");
    assert!(report.verdict.is_good(), "{report}");
}
