//! What is read of reports.

use bytes::Bytes;
use rookery_protocol::Stamp;

use super::get;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::decode;
use crate::keys::report::{self, Evidence, Report, decode_count};
use crate::op::KeyRange;

/// Reports after `after` that nobody has dealt with yet, as they came, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn reports(
    snapshot: &dyn Snapshot,
    after: Option<Stamp>,
    limit: usize,
) -> Result<Vec<(Stamp, Report)>, StoreError> {
    let mut range = KeyRange::prefix(&report::prefix(), limit);
    if let Some(after) = after {
        range.begin = report::key(after);
        range.begin.push(0);
    }
    let entry = |(key, value): (Bytes, Bytes)| Ok((report::stamp_of(&key)?, decode(&value)?));
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// How many reports there are.
///
/// # Errors
/// When the store cannot be read.
pub async fn reports_waiting(snapshot: &dyn Snapshot) -> Result<u64, StoreError> {
    let value = get(snapshot, report::count_key()).await?;
    Ok(value.map(|value| decode_count(&value)).transpose()?.unwrap_or(0))
}

/// A report.
///
/// # Errors
/// When the store cannot be read.
pub async fn report(snapshot: &dyn Snapshot, stamp: Stamp) -> Result<Option<Report>, StoreError> {
    get(snapshot, report::key(stamp)).await?.map(|value| decode(&value)).transpose()
}

/// What the messages that a report names said when it was made: those that were there then, in their order.
///
/// # Errors
/// When the store cannot be read.
pub async fn evidence(snapshot: &dyn Snapshot, stamp: Stamp) -> Result<Vec<Evidence>, StoreError> {
    let value = get(snapshot, report::evidence_key(stamp)).await?;
    Ok(value.map(|value| decode(&value)).transpose()?.unwrap_or_default())
}
