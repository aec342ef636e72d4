//! Ctrl-C, and what `kill` sends: a long run ends with what it has found so far. A terminal sends Ctrl-C to the processes that
//! run seeds as well, and these end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: i32 = 130;

/// Becomes true when the program is asked to end, from now on. Who asks a second time need not wait for anything.
///
/// # Errors
/// When signals cannot be listened to.
pub(super) fn asked_to_end() -> Result<Arc<AtomicBool>> {
    let runtime = Builder::new_current_thread().enable_io().build().context("a runtime for signals")?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    let asked = Arc::new(AtomicBool::new(false));
    let tell = asked.clone();
    std::thread::spawn(move || {
        let mut wait = || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
        };
        wait();
        tell.store(true, Ordering::Relaxed);
        wait();
        std::process::exit(INTERRUPTED);
    });
    Ok(asked)
}
