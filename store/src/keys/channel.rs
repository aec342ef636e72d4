//! Channels: who follows which, and how many.
//!
//! | family | key | value |
//! |---|---|---|
//! | `0x1c` following | user, group | [`Following`]; it may outlast the channel |
//! | `0x1d` followers | group, shard | how many of the followers are of this shard, 8 bytes; absent: none |
//! | `0x1e` follower | group, user | one byte |
//!
//! The count is kept in [`SHARDS`] parts, by the followers' numbers, so that those who begin to follow a channel at the
//! same moment seldom wait for one another.

use rookery_protocol::{GroupId, Seq, UserId, positional};

use super::{family, user_key};
use crate::error::StoreError;

/// Parts of a channel's count of followers.
pub const SHARDS: usize = 16;

/// What is under a follower's key.
pub const VALUE: &[u8] = &[1];

positional! {
    /// That a user follows a channel.
    pub struct Following {
        /// Since when, milliseconds since 1970.
        pub since_ms: u64,
        /// The channel's last entry then: the user has all up to here behind them, as if it were read.
        pub from: Seq,
    }
}

/// Where is that a user follows a channel.
pub fn following_key(user: UserId, group: GroupId) -> Vec<u8> {
    user_key(family::FOLLOWING, user, &group.get().to_be_bytes())
}

/// The prefix of all that a user follows.
pub fn following_prefix(user: UserId) -> Vec<u8> {
    user_key(family::FOLLOWING, user, &[])
}

/// Who follows, and what.
pub fn following_of(key: &[u8]) -> Option<(UserId, GroupId)> {
    let (user, group) = key.strip_prefix(&[family::FOLLOWING])?.split_first_chunk()?;
    let user = UserId::new(u64::from_be_bytes(*user)).ok()?;
    Some((user, GroupId::new(u64::from_be_bytes(group.try_into().ok()?)).ok()?))
}

/// Where the part of a channel's count is that a follower belongs to.
pub fn count_key(group: GroupId, user: UserId) -> Vec<u8> {
    let shard = user.get() % SHARDS as u64;
    super::key(family::FOLLOWERS, &[&group.get().to_be_bytes(), &[shard as u8]])
}

/// The prefix of all parts of a channel's count.
pub fn counts_prefix(group: GroupId) -> Vec<u8> {
    super::key(family::FOLLOWERS, &[&group.get().to_be_bytes()])
}

/// The value of a part of a count.
pub fn encode_count(count: u64) -> Vec<u8> {
    count.to_be_bytes().to_vec()
}

/// The part of a count in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_count(value: &[u8]) -> Result<u64, StoreError> {
    let bytes =
        value.try_into().map_err(|_| StoreError::Corrupt(format!("a count of followers: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Where is that a channel has a follower.
pub fn follower_key(group: GroupId, user: UserId) -> Vec<u8> {
    super::key(family::FOLLOWER, &[&group.get().to_be_bytes(), &user.get().to_be_bytes()])
}

/// The prefix of a channel's followers.
pub fn followers_prefix(group: GroupId) -> Vec<u8> {
    super::key(family::FOLLOWER, &[&group.get().to_be_bytes()])
}

/// Which channel, and who follows it.
pub fn follower_of(key: &[u8]) -> Option<(GroupId, UserId)> {
    let (group, user) = key.strip_prefix(&[family::FOLLOWER])?.split_first_chunk()?;
    let group = GroupId::new(u64::from_be_bytes(*group)).ok()?;
    Some((group, UserId::new(u64::from_be_bytes(user.try_into().ok()?)).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    fn group(number: u64) -> GroupId {
        GroupId::new(number).expect("a small number is an id")
    }

    fn groups() -> impl Strategy<Value = GroupId> {
        (1..=GroupId::MAX).prop_map(group)
    }

    #[test]
    fn the_layout_is_frozen() {
        let (user, group) = (UserId::new(0x12).expect("an id"), group(0x0304));
        assert_eq!(following_key(user, group), [0x1c, 0, 0, 0, 0, 0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 3, 4]);
        assert_eq!(count_key(group, user), [0x1d, 0, 0, 0, 0, 0, 0, 3, 4, 2]);
        assert_eq!(follower_key(group, user), [0x1e, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0x12]);
        assert_eq!(encode_count(5), [0, 0, 0, 0, 0, 0, 0, 5]);
        let following = Following { since_ms: 6, from: Seq::new(7) };
        assert_eq!(super::super::encode(&following)[..], [0x92, 6, 7]);
    }

    proptest! {
        #[test]
        fn keys_name_what_they_are_about_in_its_order(
            one in (arbitrary::user(), groups()),
            other in (arbitrary::user(), groups()),
        ) {
            let (user, channel) = one;
            let following = following_key(user, channel);
            prop_assert_eq!(following_of(&following), Some(one));
            prop_assert_eq!(following.cmp(&following_key(other.0, other.1)), one.cmp(&other));
            prop_assert!(following.starts_with(&following_prefix(user)));

            let follower = follower_key(channel, user);
            prop_assert_eq!(follower_of(&follower), Some((channel, user)));
            let turned = |(user, channel): (UserId, GroupId)| (channel, user);
            prop_assert_eq!(follower.cmp(&follower_key(other.1, other.0)), turned(one).cmp(&turned(other)));
            prop_assert!(follower.starts_with(&followers_prefix(channel)));
            prop_assert!(count_key(channel, user).starts_with(&counts_prefix(channel)));
        }

        #[test]
        fn values_read_as_written(since_ms: u64, from in arbitrary::seq(), count: u64) {
            let following = Following { since_ms, from };
            let read = super::super::decode::<Following>(&super::super::encode(&following));
            prop_assert_eq!(read.expect("it was just written"), following);
            prop_assert_eq!(decode_count(&encode_count(count)).expect("it was just written"), count);
        }

        #[test]
        fn any_bytes_are_followers_or_an_error(bytes: Vec<u8>) {
            let _ = (following_of(&bytes), follower_of(&bytes), decode_count(&bytes));
        }
    }
}
