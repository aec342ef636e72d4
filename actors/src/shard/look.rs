//! Looks whether something waits for users whose sessions sleep, many at a time.

use std::sync::Arc;

use rookery_protocol::{Stamp, UserId};
use rookery_store::{StoreError, queries};

use crate::context::Context;

/// Users looked at in one snapshot, which must not be held for long.
const AT_ONCE: usize = 64;

/// Attempts before it is left to the heartbeats.
const ATTEMPTS: u32 = 5;

/// Rings those for whom there is something after the stamp that all their devices here have acknowledged.
pub(super) async fn look_for_waiting(context: Arc<Context>, users: Vec<(UserId, Stamp)>) {
    for some in users.chunks(AT_ONCE) {
        for attempt in 1..=ATTEMPTS {
            match look(&context, some).await {
                Ok(()) => break,
                Err(error) => {
                    tracing::debug!(attempt, %error, "inboxes could not be looked at");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn look(context: &Context, users: &[(UserId, Stamp)]) -> Result<(), StoreError> {
    let snapshot = context.store.snapshot().await?;
    for (user, cursor) in users {
        if !queries::inbox_after(&*snapshot, *user, *cursor, 1).await?.is_empty() {
            context.router.ring_here(*user);
        }
    }
    Ok(())
}
