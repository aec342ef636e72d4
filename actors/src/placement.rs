//! Where an entity lives: one of 4,096 slots, and the slot on a node and in one of its shards.

use rookery_protocol::UserId;
use xxhash_rust::xxh3::xxh3_64;

/// How many slots there are, in every cluster and for ever: what is placed by slot would move if it changed.
pub const SLOTS: u16 = 4096;

/// One of the slots that entities hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// A user's slot: `xxh3(number, 8 bytes big-endian) % 4096`.
    pub fn of_user(user: UserId) -> Self {
        Self((xxh3_64(&user.get().to_be_bytes()) % u64::from(SLOTS)) as u16)
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Which of a node's `shards` it belongs to.
    pub(crate) fn shard(self, shards: usize) -> usize {
        usize::from(self.0) % shards
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_slot_never_changes() {
        let slot = |number| Slot::of_user(UserId::new(number).expect("an id")).number();
        assert_eq!([slot(1), slot(2), slot(UserId::MAX)], [3059, 284, 2346]);
    }

    #[test]
    fn users_spread_evenly_over_shards() {
        let mut count = [0_u32; 64];
        for number in 1..=64_000 {
            count[Slot::of_user(UserId::new(number).expect("an id")).shard(64)] += 1;
        }
        assert!(count.iter().all(|users| (800..1200).contains(users)), "{count:?}");
    }
}
