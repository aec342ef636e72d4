//! What is read of people: what they are to one another, and what they show to whom.

use bytes::Bytes;
use rookery_protocol::{PrivacySettings, Profile, UserId};

use super::get;
use crate::audience::{Aspect, KEYS, Pair};
use crate::engine::Snapshot;
use crate::error::StoreError;
use crate::keys::person::{self, Person};
use crate::keys::{decode, privacy, profile};
use crate::op::KeyRange;

/// What may be seen of a user, and by whom.
///
/// # Errors
/// When the store cannot be read.
pub async fn privacy(snapshot: &dyn Snapshot, user: UserId) -> Result<PrivacySettings, StoreError> {
    let value = get(snapshot, privacy::key(user)).await?;
    Ok(value.map(|value| decode(&value)).transpose()?.unwrap_or_default())
}

/// What users show, `None` of those who show nothing. Whether somebody may see it is for [`may_see_each`] to say.
///
/// # Errors
/// When the store cannot be read.
pub async fn profiles(snapshot: &dyn Snapshot, users: &[UserId]) -> Result<Vec<Option<Profile>>, StoreError> {
    let keys: Vec<Vec<u8>> = users.iter().map(|user| profile::key(*user)).collect();
    let found = snapshot.get_many(&keys).await?;
    found.into_iter().map(|value| value.map(|value| decode(&value)).transpose()).collect()
}

/// What `other` is to `user`.
///
/// # Errors
/// When the store cannot be read.
pub async fn person(snapshot: &dyn Snapshot, user: UserId, other: UserId) -> Result<Person, StoreError> {
    let value = get(snapshot, person::key(user, other)).await?;
    Ok(value.map(|value| decode(&value)).transpose()?.unwrap_or_default())
}

/// Those after `after` who are anything to a user, by user, up to `limit`.
///
/// # Errors
/// When the store cannot be read.
pub async fn people(
    snapshot: &dyn Snapshot,
    user: UserId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, Person)>, StoreError> {
    let mut range = KeyRange::prefix(&person::prefix(user), limit);
    range.begin = match after {
        Some(after) => [person::key(user, after), vec![0]].concat(),
        None => person::first_key(user),
    };
    let entry = |(key, value): (Bytes, Bytes)| {
        let (_, other) = person::people_of(&key)
            .ok_or_else(|| StoreError::Corrupt(format!("a person's key: {key:02x?}")))?;
        Ok((other, decode(&value)?))
    };
    snapshot.range(&range).await?.into_iter().map(entry).collect()
}

/// Whether a user may see something of another. Of a user who has been removed there is nothing to see, which is not
/// looked at here.
///
/// # Errors
/// When the store cannot be read.
pub async fn may_see(
    snapshot: &dyn Snapshot,
    viewer: UserId,
    owner: UserId,
    aspect: Aspect,
) -> Result<bool, StoreError> {
    let [may] = may_see_each(snapshot, viewer, &[owner], [aspect]).await?[..] else {
        unreachable!("one answer for each owner");
    };
    Ok(may == [true])
}

/// Which of the aspects a user may see of each of the owners, in their order.
///
/// # Errors
/// When the store cannot be read.
pub async fn may_see_each<const N: usize>(
    snapshot: &dyn Snapshot,
    viewer: UserId,
    owners: &[UserId],
    aspects: [Aspect; N],
) -> Result<Vec<[bool; N]>, StoreError> {
    let pairs = pairs(snapshot, viewer, owners).await?;
    Ok(pairs.into_iter().map(|pair| aspects.map(|aspect| pair.may_see(aspect))).collect())
}

/// Whether one of two users has blocked the other.
///
/// # Errors
/// When the store cannot be read.
pub async fn is_blocked(snapshot: &dyn Snapshot, one: UserId, other: UserId) -> Result<bool, StoreError> {
    Ok(pairs(snapshot, one, &[other]).await?.iter().any(Pair::is_blocked))
}

async fn pairs(snapshot: &dyn Snapshot, viewer: UserId, owners: &[UserId]) -> Result<Vec<Pair>, StoreError> {
    let keys: Vec<Vec<u8>> = owners.iter().flat_map(|owner| Pair::keys(viewer, *owner)).collect();
    let found = snapshot.get_many(&keys).await?;
    let pairs = owners.iter().zip(found.chunks_exact(KEYS)).map(|(owner, values)| {
        let values = std::array::from_fn(|at| values[at].as_ref());
        Pair::parse((viewer, *owner), values)
    });
    pairs.collect()
}
