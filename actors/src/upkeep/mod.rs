//! What a node does again and again, beside its work, until it stops.

mod expiry;
mod retention;

use std::time::Duration;

use tokio::sync::watch;

pub use expiry::Expiring;
pub use retention::Retention;

/// Looks at once and then again so long after each look, until `stop` becomes true. A look under way then ends where it
/// waits: what it leaves undone the next one finds.
pub async fn until_stopped<F: Future<Output = ()>>(
    mut stop: watch::Receiver<bool>,
    every: Duration,
    look: impl Fn() -> F,
) {
    let looks = async {
        loop {
            look().await;
            tokio::time::sleep(every).await;
        }
    };
    tokio::select! {
        () = looks => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
