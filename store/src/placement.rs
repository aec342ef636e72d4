//! Where an entity lives: one of 4,096 slots, and the slot on a member of the cluster.
//!
//! Members get slots by weighted rendezvous hashing: each member has a score for each slot, and the greatest wins. So a
//! member that comes takes slots from all others in proportion, one that goes leaves its own to them, and no other slot
//! moves. The table that holds is the one in the [`view`](crate::keys::view), which is computed once, in the transaction
//! that changes it, and then read: a machine whose logarithm differs in its last digit would not place elsewhere.

use rookery_protocol::{ConversationId, UserId};
use xxhash_rust::xxh3::xxh3_64;

use crate::keys::node::NodeName;

/// How many slots there are, in every cluster and for ever: what is placed by slot would move if it changed.
pub const SLOTS: u16 = 4096;

/// One of the slots that entities hash to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

impl Slot {
    /// The slot of this number, if there is one.
    pub const fn new(number: u16) -> Option<Self> {
        if number < SLOTS { Some(Self(number)) } else { None }
    }

    /// A user's slot: `xxh3(number, 8 bytes big-endian) % 4096`.
    pub fn of_user(user: UserId) -> Self {
        Self((xxh3_64(&user.get().to_be_bytes()) % u64::from(SLOTS)) as u16)
    }

    /// A conversation's slot: `xxh3(its bytes) % 4096`.
    pub fn of_conversation(conversation: ConversationId) -> Self {
        Self((xxh3_64(&conversation.to_bytes()) % u64::from(SLOTS)) as u16)
    }

    /// All of them, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Which of a node's `shards` it belongs to.
    pub fn shard(self, shards: usize) -> usize {
        usize::from(self.0) % shards
    }
}

/// Who gets each slot: its index in `members`, whose names differ, slot by slot. Nothing when there are no members.
///
/// A member gets slots in proportion to its weight, and with weight 0 none; unless all have 0, and then all count the
/// same. Weighted rendezvous hashing: the score is `-weight / ln(h)`, where `h`, in (0, 1), is made of
/// `xxh3(slot, 2 bytes big-endian ‖ name)`. The order of the members does not matter.
pub fn place(members: &[(&NodeName, u32)]) -> Vec<u16> {
    if members.is_empty() {
        return Vec::new();
    }
    let nobody_weighs = members.iter().all(|(_, weight)| *weight == 0);
    let weighed = |weight: u32| if nobody_weighs { 1.0 } else { f64::from(weight) };
    let mut bytes = Vec::with_capacity(2 + NodeName::BYTES_MAX);
    Slot::all()
        .map(|slot| {
            let scored = members.iter().zip(0_u16..).map(|((name, weight), index)| {
                bytes.clear();
                bytes.extend_from_slice(&slot.0.to_be_bytes());
                bytes.extend_from_slice(name.as_str().as_bytes());
                (score(weighed(*weight), xxh3_64(&bytes)), *name, index)
            });
            let best = scored.max_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(other.1)));
            best.expect("there are members").2
        })
        .collect()
}

fn score(weight: f64, hash: u64) -> f64 {
    // 52 of its bits and a half, so that it is exact, and neither 0 nor 1.
    let h = ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64;
    -weight / h.ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(count: usize) -> Vec<NodeName> {
        (1..=count).map(|number| format!("n{number}").parse().expect("it is a name")).collect()
    }

    fn weighted<'a>(names: &'a [NodeName], weights: &[u32]) -> Vec<(&'a NodeName, u32)> {
        names.iter().zip(weights.iter().copied()).collect()
    }

    fn count(placed: &[u16], member: u16) -> usize {
        placed.iter().filter(|owner| **owner == member).count()
    }

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

    #[test]
    fn only_numbers_below_the_count_are_slots() {
        assert_eq!(Slot::all().count(), 4096);
        assert_eq!(Slot::new(4095).map(Slot::number), Some(4095));
        assert_eq!(Slot::new(4096), None);
    }

    #[test]
    fn a_members_slots_never_change() {
        let placed = place(&weighted(&names(3), &[100, 100, 100]));
        assert_eq!(placed[..12], [0, 1, 2, 1, 0, 2, 1, 2, 2, 0, 1, 2]);
        assert_eq!([count(&placed, 0), count(&placed, 1), count(&placed, 2)], [1375, 1375, 1346]);
    }

    #[test]
    fn slots_are_in_proportion_to_weights_within_a_few_percent() {
        for weights in [vec![100, 100, 100], vec![1, 2, 3, 4], vec![100, 50], vec![7; 16], vec![300, 100, 0]]
        {
            let placed = place(&weighted(&names(weights.len()), &weights));
            let whole: u32 = weights.iter().sum();
            for (member, weight) in (0..).zip(&weights) {
                let due = f64::from(SLOTS) * f64::from(*weight) / f64::from(whole);
                let has = count(&placed, member) as f64;
                assert!(
                    (has - due).abs() <= f64::from(SLOTS) * 0.02,
                    "{weights:?}: {member} has {has} of {due}"
                );
            }
        }
    }

    #[test]
    fn without_any_weight_all_count_the_same() {
        let names = names(3);
        assert_eq!(place(&weighted(&names, &[0, 0, 0])), place(&weighted(&names, &[5, 5, 5])));
        assert_eq!(place(&[]), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn who_comes_or_goes_moves_only_its_own_slots(
            weights in prop::collection::vec(1_u32..500, 2..9),
            gone in any::<prop::sample::Index>(),
        ) {
            let names = names(weights.len());
            let all = weighted(&names, &weights);
            let gone = gone.index(all.len());
            let mut rest = all.clone();
            rest.remove(gone);
            let owner = |members: &[(&NodeName, u32)], placed: &[u16], slot: usize| {
                members[usize::from(placed[slot])].0.clone()
            };
            let (with, without) = (place(&all), place(&rest));
            for slot in 0..usize::from(SLOTS) {
                let before = owner(&all, &with, slot);
                prop_assert!(before == names[gone] || before == owner(&rest, &without, slot));
            }
        }

        #[test]
        fn the_order_of_members_does_not_matter(weights in prop::collection::vec(0_u32..500, 1..9)) {
            let names = names(weights.len());
            let members = weighted(&names, &weights);
            let reversed: Vec<_> = members.iter().rev().copied().collect();
            let last = members.len() as u16 - 1;
            let turned: Vec<u16> = place(&reversed).into_iter().map(|index| last - index).collect();
            prop_assert_eq!(place(&members), turned);
        }
    }
}
