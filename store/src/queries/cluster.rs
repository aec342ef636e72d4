//! What nodes know of each other: the view, leases, mail.

use bytes::Bytes;
use rookery_protocol::Stamp;

use super::get;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::decode;
use crate::keys::mail::{self, Entry};
use crate::keys::node::{self, Lease, NodeName};
use crate::keys::view::{self, ClusterView, MEMBERS_MAX};
use crate::op::KeyRange;

/// The cluster's view; that of epoch 0 when nobody has ever joined.
///
/// # Errors
/// When the store cannot be read.
pub async fn view(snapshot: &dyn Snapshot) -> Result<ClusterView, StoreError> {
    get(snapshot, view::key())
        .await?
        .map_or_else(|| Ok(ClusterView::default()), |value| ClusterView::decode(&value))
}

/// The leases of all members, by name.
///
/// # Errors
/// When the store cannot be read.
pub async fn leases(snapshot: &dyn Snapshot) -> Result<Vec<(NodeName, Lease)>, StoreError> {
    let entry = |(key, value): (Bytes, Bytes)| {
        let name =
            node::name_of(&key).ok_or_else(|| StoreError::Corrupt(format!("a lease's key: {key:02x?}")))?;
        Ok((name, decode(&value)?))
    };
    snapshot.range(&KeyRange::prefix(&node::prefix(), MEMBERS_MAX)).await?.into_iter().map(entry).collect()
}

/// A node's mail, in order, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn mail(
    snapshot: &dyn Snapshot,
    name: &NodeName,
    limit: usize,
) -> Result<Vec<(Stamp, Bytes)>, StoreError> {
    let entry = |(key, value): (Bytes, Bytes)| Ok((mail::stamp_of(&key)?, Entry::decode(&value)?.says));
    snapshot
        .range(&KeyRange::prefix(&mail::entry_prefix(name), limit))
        .await?
        .into_iter()
        .map(entry)
        .collect()
}
