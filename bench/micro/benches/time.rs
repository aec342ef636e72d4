//! Times each case: `cargo bench -p rookery-micro --bench time [-- PART OF A NAME]`.

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};
use rookery_micro::cases;

fn main() {
    // Short: what is timed writes into stores that grow, and there are many.
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    let mut group = criterion.benchmark_group("rookery");
    for case in cases() {
        group.throughput(Throughput::Elements(case.operations));
        // Prepared when it is its turn, if it is wanted at all.
        let mut prepared = None;
        group.bench_function(case.name, |bencher| {
            if case.repeats {
                bencher.iter(prepared.get_or_insert_with(case.prepare));
            } else {
                bencher.iter_batched_ref(case.prepare, |work| work(), BatchSize::SmallInput);
            }
        });
    }
    group.finish();
    criterion.final_summary();
}
