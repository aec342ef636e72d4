//! What is read of groups.

use bytes::Bytes;
use rookery_protocol::{ConversationId, GroupId, UserId};

use super::get;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::conversation::{Mark, mark_key, marks_prefix};
use crate::keys::decode;
use crate::keys::group::{
    self, Group, Members, Membership, members_key, membership_key, membership_of, memberships_prefix,
};
use crate::op::KeyRange;

/// A group. One that has been deleted is still there, without members.
///
/// # Errors
/// When the store cannot be read.
pub async fn group(snapshot: &dyn Snapshot, group: GroupId) -> Result<Option<Group>, StoreError> {
    get(snapshot, group::key(group)).await?.map(|value| decode(&value)).transpose()
}

/// Who is in a group; `None` if there is none, or none any more.
///
/// # Errors
/// When the store cannot be read.
pub async fn members(snapshot: &dyn Snapshot, group: GroupId) -> Result<Option<Members>, StoreError> {
    get(snapshot, members_key(group)).await?.map(|value| Members::decode(&value)).transpose()
}

/// What a user may see of a group, if the user is or was a member.
///
/// # Errors
/// When the store cannot be read.
pub async fn membership(
    snapshot: &dyn Snapshot,
    user: UserId,
    group: GroupId,
) -> Result<Option<Membership>, StoreError> {
    get(snapshot, membership_key(user, group)).await?.map(|value| decode(&value)).transpose()
}

/// The groups after `after` that a user is or was in, by number, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn groups(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<GroupId>,
    limit: usize,
) -> Result<Vec<(GroupId, Membership)>, StoreError> {
    let mut range = KeyRange::prefix(&memberships_prefix(user), limit);
    if let Some(after) = after {
        range.begin = membership_key(user, after);
        range.begin.push(0);
    }
    let entry = |(key, value): (Bytes, Bytes)| {
        let (_, group) = membership_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a membership's key: {key:02x?}")))?;
        Ok((group, decode(&value)?))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// How far the members of a conversation have come, by user, up to `limit`. Former members may be among them.
///
/// # Errors
/// When the store cannot be read.
pub async fn marks(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Mark)>, StoreError> {
    let prefix = marks_prefix(conversation);
    let mut range = KeyRange::prefix(&prefix, limit);
    if let Some(after) = after {
        range.begin = mark_key(conversation, after);
        range.begin.push(0);
    }
    let entry = |(key, value): (Bytes, Bytes)| {
        let user = key.get(prefix.len()..).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        let user = user.and_then(|number| UserId::new(number).ok());
        let user = user.ok_or_else(|| StoreError::Corrupt(format!("a mark's key: {key:02x?}")))?;
        Ok((user, decode(&value)?))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}
