//! What Rookery reads outside of transactions, as functions over a snapshot.

mod channels;
mod chats;
mod cluster;
mod expiry;
mod group;
mod log;
mod people;
mod report;
mod retention;

use bytes::Bytes;
use rookery_protocol::{ConversationId, DeviceId, Handle, Stamp, UserId};

pub use crate::audience::Aspect;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::ban::{self, Ban, Network};
use crate::keys::conversation::{Mark, mark_key};
use crate::keys::device::{DEVICES_MAX, Device};
use crate::keys::inbox::InboxEntry;
use crate::keys::user::User;
use crate::keys::{cursor, decode, device, handle, inbox, last_seen, user};
use crate::op::KeyRange;

pub use channels::{Channel, channels, followed, followers, followers_count, following, follows};
pub use chats::{Listed, Standing, chat, conversations, hidden, standings};
pub use cluster::{leases, mail, view};
pub use expiry::due_messages;
pub use group::{group, groups, marks_of, members, membership};
pub use log::{first_seq, first_since, head, log, log_backwards, messages, withheld};
pub use people::{is_blocked, may_see, may_see_each, people, person, privacy, profiles};
pub use report::{evidence, report, reports, reports_waiting};
pub use retention::{
    Step, StepLimits, expired_events, expired_hidden, expired_memberships, expired_messages,
};

async fn get(snapshot: &dyn Snapshot, key: Vec<u8>) -> Result<Option<Bytes>, StoreError> {
    Ok(snapshot.get_many(&[key]).await?.pop().flatten())
}

/// An account.
///
/// # Errors
/// When the store cannot be read.
pub async fn user(snapshot: &dyn Snapshot, user: UserId) -> Result<Option<User>, StoreError> {
    get(snapshot, user::key(user)).await?.map(|value| decode(&value)).transpose()
}

/// Several accounts, `None` where there is none.
///
/// # Errors
/// When the store cannot be read.
pub async fn accounts(
    snapshot: &dyn Snapshot,
    users: impl IntoIterator<Item = UserId>,
) -> Result<Vec<Option<User>>, StoreError> {
    let keys: Vec<Vec<u8>> = users.into_iter().map(user::key).collect();
    let found = snapshot.get_many(&keys).await?;
    found.into_iter().map(|value| value.map(|value| decode(&value)).transpose()).collect()
}

/// Whose a handle is.
///
/// # Errors
/// When the store cannot be read.
pub async fn user_by_handle(snapshot: &dyn Snapshot, handle: &Handle) -> Result<Option<UserId>, StoreError> {
    get(snapshot, handle::key(handle)).await?.map(|value| handle::decode(&value)).transpose()
}

/// Whose some handles are, `None` where there is no such user.
///
/// # Errors
/// When the store cannot be read.
pub async fn users_by_handles(
    snapshot: &dyn Snapshot,
    handles: &[Handle],
) -> Result<Vec<Option<UserId>>, StoreError> {
    let keys: Vec<Vec<u8>> = handles.iter().map(handle::key).collect();
    let found = snapshot.get_many(&keys).await?;
    found.into_iter().map(|value| value.map(|value| handle::decode(&value)).transpose()).collect()
}

/// Accounts after `after`, by number, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn users(
    snapshot: &dyn Snapshot,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, User)>, StoreError> {
    let mut range = KeyRange::prefix(&user::prefix(), limit);
    if let Some(after) = after {
        range.begin = user::key(after);
        range.begin.push(0);
    }
    let entry = |(key, value): (Bytes, Bytes)| {
        let user =
            user::user_of(&key).ok_or_else(|| StoreError::Corrupt(format!("a user's key: {key:02x?}")))?;
        Ok((user, decode(&value)?))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// When each of several users was last seen, milliseconds since 1970; 0 where that is not known.
///
/// # Errors
/// When the store cannot be read.
pub async fn last_seen(snapshot: &dyn Snapshot, users: &[UserId]) -> Result<Vec<u64>, StoreError> {
    let keys: Vec<Vec<u8>> = users.iter().map(|user| last_seen::key(*user)).collect();
    let found = snapshot.get_many(&keys).await?;
    found.into_iter().map(|value| value.map_or(Ok(0), |value| last_seen::decode(&value))).collect()
}

/// A device.
///
/// # Errors
/// When the store cannot be read.
pub async fn device(
    snapshot: &dyn Snapshot,
    user: UserId,
    device: DeviceId,
) -> Result<Option<Device>, StoreError> {
    get(snapshot, device::key(user, device)).await?.map(|value| decode(&value)).transpose()
}

/// A user's devices, by number.
///
/// # Errors
/// When the store cannot be read.
pub async fn devices(snapshot: &dyn Snapshot, user: UserId) -> Result<Vec<(DeviceId, Device)>, StoreError> {
    let entry = |(key, value): (Bytes, Bytes)| {
        let device = device::device_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a device's key: {key:02x?}")))?;
        Ok((device, decode(&value)?))
    };
    snapshot
        .range(&KeyRange::prefix(&device::prefix(user), DEVICES_MAX))
        .await?
        .into_iter()
        .map(entry)
        .collect()
}

/// Up to where a device has acknowledged.
///
/// # Errors
/// When the store cannot be read.
pub async fn cursor(snapshot: &dyn Snapshot, user: UserId, device: DeviceId) -> Result<Stamp, StoreError> {
    let value = get(snapshot, cursor::key(user, device)).await?;
    Ok(value.map(|value| cursor::decode(&value)).transpose()?.unwrap_or(Stamp::ZERO))
}

/// A user's events after `after`, in order, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn inbox_after(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Stamp,
    limit: usize,
) -> Result<Vec<(Stamp, InboxEntry)>, StoreError> {
    let range =
        KeyRange { begin: inbox::key_after(user, after), end: inbox::end(user), limit, reverse: false };
    let entry = |(key, value): (Bytes, Bytes)| Ok((inbox::stamp_of(&key)?, InboxEntry::decode(&value)?));
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// Bans after `after`, in the order of their texts, up to `limit`. Expired ones may be among them.
///
/// # Errors
/// When the store cannot be read.
pub async fn bans(
    snapshot: &dyn Snapshot,
    after: Option<Network>,
    limit: usize,
) -> Result<Vec<(Network, Ban)>, StoreError> {
    let mut begin = ban::first_key();
    if let Some(after) = after {
        begin = ban::key(after);
        begin.push(0);
    }
    let range = KeyRange { begin, end: ban::end(), limit, reverse: false };
    let entry = |(key, value): (Bytes, Bytes)| Ok((ban::network_of(&key)?, decode(&value)?));
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// How far a member has come.
///
/// # Errors
/// When the store cannot be read.
pub async fn mark(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    user: UserId,
) -> Result<Mark, StoreError> {
    let value = get(snapshot, mark_key(conversation, user)).await?;
    Ok(value.map(|value| decode(&value)).transpose()?.unwrap_or(Mark::NONE))
}
