//! What is read of groups.

use bytes::Bytes;
use rookery_protocol::{ConversationId, GroupId, UserId};

use super::get;
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::conversation::{Mark, mark_key};
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

/// How far each of several users has come in a conversation, in their order; [`Mark::NONE`] where that is not
/// known. Those of its members are asked for by name: beside them lie the marks of former ones, and of all who follow a
/// channel.
///
/// # Errors
/// When the store cannot be read.
pub async fn marks_of(
    snapshot: &dyn Snapshot,
    conversation: ConversationId,
    users: impl IntoIterator<Item = UserId>,
) -> Result<Vec<Mark>, StoreError> {
    let keys: Vec<Vec<u8>> = users.into_iter().map(|user| mark_key(conversation, user)).collect();
    let found = snapshot.get_many(&keys).await?;
    found.into_iter().map(|value| value.map_or(Ok(Mark::NONE), |value| decode(&value))).collect()
}
