//! Counts the instructions of each case under callgrind. `cargo run -p rookery-micro` runs this and shows what it says.

#![allow(
    missing_docs,
    unreachable_pub,
    reason = "the harness's macros make public items without documentation"
)]

use gungraun::prelude::*;
use rookery_micro::{Work, counted};

fn prepare(case: usize) -> Work {
    (counted()[case].prepare)()
}

#[library_benchmark]
#[benches::case(iter = 0..counted().len(), setup = prepare)]
fn cases(mut work: Work) -> Work {
    work();
    // What it holds is dropped where it is not counted.
    work
}

library_benchmark_group!(name = counts, benchmarks = cases);

gungraun::main!(library_benchmark_groups = counts);
