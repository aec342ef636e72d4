//! What is read of channels: who follows them, and what somebody follows.

use bytes::Bytes;
use rookery_protocol::{GroupId, UserId, limits};

use super::{get, members};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::channel::{
    self, Following, counts_prefix, follower_key, follower_of, followers_prefix, following_key, following_of,
    following_prefix,
};
use crate::keys::decode;
use crate::keys::group::{Members, members_family_prefix, members_key, members_of};
use crate::op::KeyRange;

/// Groups read at a time: each may have 25 KB of members.
const GROUPS: usize = 64;

/// A channel, as all of them are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub group: GroupId,
    /// How many are in it.
    pub members: usize,
}

/// Channels after `after`, by number, up to `limit`, and after which number there may be more. Nothing but the groups
/// themselves says which of them are channels, so it looks at `groups_max` of them, about, and may find none among those.
///
/// # Errors
/// When the store cannot be read.
pub async fn channels(
    snapshot: &dyn Snapshot,
    after: Option<GroupId>,
    limit: usize,
    groups_max: usize,
) -> Result<(Vec<Channel>, Option<GroupId>), StoreError> {
    let (mut channels, mut after, mut groups) = (Vec::new(), after, 0);
    loop {
        let mut range = KeyRange::prefix(&members_family_prefix(), GROUPS);
        if let Some(after) = after {
            range.begin = members_key(after);
            range.begin.push(0);
        }
        let some = snapshot.range(&range).await?;
        for (key, value) in &some {
            let group = members_of(key)
                .ok_or_else(|| StoreError::Corrupt(format!("a key of a group's members: {key:02x?}")))?;
            let members = Members::decode(value)?;
            after = Some(group);
            if members.settings.is_channel {
                channels.push(Channel { group, members: members.list().len() });
                if channels.len() >= limit {
                    return Ok((channels, after));
                }
            }
        }
        groups += some.len();
        if some.len() < GROUPS {
            return Ok((channels, None));
        }
        if groups >= groups_max {
            return Ok((channels, after));
        }
    }
}

/// That a user follows a channel, if so. The group may be no channel any more, or no more at all.
///
/// # Errors
/// When the store cannot be read.
pub async fn following(
    snapshot: &dyn Snapshot,
    user: UserId,
    group: GroupId,
) -> Result<Option<Following>, StoreError> {
    get(snapshot, following_key(user, group)).await?.map(|value| decode(&value)).transpose()
}

/// Whether a user follows a channel that is one: then the user may see all of its log.
///
/// # Errors
/// When the store cannot be read.
pub async fn follows(snapshot: &dyn Snapshot, user: UserId, group: GroupId) -> Result<bool, StoreError> {
    if following(snapshot, user, group).await?.is_none() {
        return Ok(false);
    }
    Ok(members(snapshot, group).await?.is_some_and(|members| members.settings.is_channel))
}

/// All that a user follows, by number; at most [`limits::FOLLOWED_MAX`]. Some may be no channels any more.
///
/// # Errors
/// When the store cannot be read.
pub async fn followed(
    snapshot: &dyn Snapshot,
    user: UserId,
) -> Result<Vec<(GroupId, Following)>, StoreError> {
    let range = KeyRange::prefix(&following_prefix(user), limits::FOLLOWED_MAX);
    let entry = |(key, value): (Bytes, Bytes)| {
        let (_, group) = following_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a followed channel's key: {key:02x?}")))?;
        Ok((group, decode(&value)?))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// The channels after `after` that a user follows and that are still some, by number, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn followed_channels(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<GroupId>,
    limit: usize,
) -> Result<Vec<(GroupId, Following)>, StoreError> {
    let mut followed = followed(snapshot, user).await?;
    followed.retain(|(group, _)| after.is_none_or(|after| *group > after));
    let mut channels = Vec::new();
    for some in followed.chunks(limit.max(1)) {
        let keys: Vec<Vec<u8>> = some.iter().map(|(group, _)| members_key(*group)).collect();
        for (it, members) in some.iter().zip(snapshot.get_many(&keys).await?) {
            let members = members.map(|value| Members::decode(&value)).transpose()?;
            if members.is_some_and(|members| members.settings.is_channel) {
                channels.push(it.clone());
            }
        }
        if channels.len() >= limit {
            channels.truncate(limit);
            break;
        }
    }
    Ok(channels)
}

/// How many follow a channel.
///
/// # Errors
/// When the store cannot be read.
pub async fn followers_count(snapshot: &dyn Snapshot, group: GroupId) -> Result<u64, StoreError> {
    let range = KeyRange::prefix(&counts_prefix(group), channel::SHARDS);
    let parts = snapshot.range(&range).await?;
    parts.into_iter().map(|(_, value)| channel::decode_count(&value)).sum()
}

/// Who follows a channel, after `after`, by number, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn followers(
    snapshot: &dyn Snapshot,
    group: GroupId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<UserId>, StoreError> {
    let mut range = KeyRange::prefix(&followers_prefix(group), limit);
    if let Some(after) = after {
        range.begin = follower_key(group, after);
        range.begin.push(0);
    }
    let entry = |(key, _): (Bytes, Bytes)| {
        let follower = follower_of(&key).map(|(_, user)| user);
        follower.ok_or_else(|| StoreError::Corrupt(format!("a follower's key: {key:02x?}")))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}
