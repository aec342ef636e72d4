//! Which messages are to disappear, in the order in which they are.

use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::expiry::{self, Expiry};
use crate::op::KeyRange;

/// Messages after `after` whose time has come by `now_ms` and that have not been emptied, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn due_messages(
    snapshot: &dyn Snapshot,
    after: Option<Expiry>,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<Expiry>, StoreError> {
    let mut begin = after.map_or_else(expiry::family_prefix, |after| after.key());
    if after.is_some() {
        begin.push(0);
    }
    let range = KeyRange { begin, end: expiry::end(now_ms), limit, reverse: false };
    if range.begin >= range.end {
        return Ok(Vec::new());
    }
    let due = snapshot.range(&range).await?.into_iter().map(|(key, _)| {
        Expiry::of(&key).ok_or_else(|| StoreError::Corrupt(format!("an expiry's key: {key:02x?}")))
    });
    due.collect()
}
