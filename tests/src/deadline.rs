//! Waiting for what must happen, with an end.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// For what takes no time worth mentioning: generous, because machines that run tests are busy ones.
pub const SOON: Duration = Duration::from_secs(30);

/// Between two looks at a condition that nothing announces.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(15);

/// It has not happened in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub within: Duration,
}

impl std::fmt::Display for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "waited {:?} in vain until {}", self.within, self.what)
    }
}

impl std::error::Error for Late {}

/// Looks until `look` finds something.
///
/// # Errors
/// When it has found nothing in time.
pub async fn wait_until<T>(
    what: &str,
    within: Duration,
    look: impl AsyncFnMut() -> Option<T>,
) -> Result<T, Late> {
    wait_every(LOOK_EVERY, what, within, look).await
}

/// As [`wait_until`], with so long between two looks.
pub(crate) async fn wait_every<T>(
    every: Duration,
    what: &str,
    within: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> Result<T, Late> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Late { what: what.to_owned(), within });
        }
        sleep(every).await;
    }
}

/// As [`wait_until`], for tests.
///
/// # Panics
/// When nothing was found in time.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    match wait_until(what, SOON, look).await {
        Ok(found) => found,
        Err(late) => panic!("{late}"),
    }
}

/// What `future` gives, if it does so [`SOON`].
///
/// # Panics
/// When it does not.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(SOON, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {SOON:?} in vain until {what}"),
    }
}
