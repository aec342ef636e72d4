//! The `rookery` program: allocator, runtime, metrics recorder, exit code. Everything else is in the library.

mod memory;

use std::process::ExitCode;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// How long tasks may take to end after everything of importance has: a read from a terminal never does.
const RUNTIME_END: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    memory::use_small_pages();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().on_thread_park(memory::give_back).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rookery: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(rookery_node::cli::run(std::env::args_os(), install_recorder));
    runtime.shutdown_timeout(RUNTIME_END);
    code
}

/// The process-wide recorder: the `metrics` crate has no other way across threads. Installed here, and nowhere else.
fn install_recorder() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for (suffix, buckets) in rookery_node::metrics::BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Suffix(suffix.into()), buckets)?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)?;
    rookery_node::metrics::describe();
    Ok(handle)
}
