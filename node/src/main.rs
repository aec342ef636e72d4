//! The `rookery` program: allocator, runtime, metrics recorder, exit code. Everything else is in the library.

use std::cell::Cell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long tasks may take to end after everything of importance has: a read from a terminal never does.
const RUNTIME_END: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    use_small_pages();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().on_thread_park(give_memory_back).build() {
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

/// Has the system give memory in pages of 4 KiB only. Of those of 2 MiB, which the allocator asks for, a node with few
/// connections fills little: 9 MB of 34 were such when it had none. Messages cost no more processor time without them.
fn use_small_pages() {
    // Where it is refused, more memory is used, and nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// How often a worker looks for memory to give back.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(5);

/// Gives freed memory back to the system. What one worker allocates and another frees, as when ten thousand sessions fall
/// asleep, the allocator keeps for the first until that one asks for it, which an idle worker never does by itself.
fn give_memory_back() {
    thread_local! {
        static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
    }
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now.duration_since(last) >= GIVE_BACK_EVERY) {
        LAST.set(Some(now));
        // SAFETY: takes no pointer, and may be called by any thread at any time outside of an allocation.
        #[allow(unsafe_code)]
        unsafe {
            libmimalloc_sys::mi_collect(false);
        }
    }
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
