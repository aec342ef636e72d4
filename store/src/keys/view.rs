//! `view`: the cluster as all its nodes see it: who is a member, and whose each slot is. One key.
//!
//! The value is positional: epoch, members, slots, the epoch of the last decision about them. The slots are [`SLOTS`] indices into the members, 2 bytes big-endian
//! each; without members there are none. Members are in the order of their names.

use bytes::Bytes;
use rookery_protocol::{Epoch, positional};

use super::family;
use super::node::{Incarnation, NodeId, NodeName};
use crate::error::StoreError;
use crate::placement::{SLOTS, Slot, place};

/// Nodes a cluster may have: links are a full mesh, and the view is one value.
pub const MEMBERS_MAX: usize = 128;

/// The longest a member's description may be, encoded: so that a view of [`MEMBERS_MAX`] fits into a value.
pub const MEMBER_BYTES_MAX: usize = 640;

positional! {
    /// A node of the cluster.
    pub struct Member {
        /// Its name.
        pub name: NodeName,
        /// Which run of it.
        pub incarnation: Incarnation,
        /// Where it takes links from other nodes, `host:port`; empty: nowhere.
        pub link: String,
        /// The URL of its admin API; empty: none.
        pub admin: String,
        /// The URLs where it takes clients.
        pub clients: Vec<String>,
        /// Slots are in proportion to it.
        pub weight: u32,
        /// Whether its slots are being given to the others.
        pub draining: bool,
    }
}

impl Member {
    /// This run of the node.
    pub fn id(&self) -> NodeId {
        NodeId { name: self.name.clone(), incarnation: self.incarnation }
    }
}

/// The members of the cluster, and whose each slot is. The default is that of a cluster nobody has joined: epoch 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// Grows with every change.
    pub epoch: Epoch,
    /// When it was last decided whose the slots ought to be: members have come, gone, or weigh something else. What has
    /// changed since then are slots that have moved to where they stay.
    pub decided: Epoch,
    /// By name. To be changed by the operations alone: the slots refer to them.
    pub members: Vec<Member>,
    /// An index into the members for each slot; none without members.
    pub(crate) slots: Vec<u16>,
}

positional! {
    /// As it is written.
    struct Stored {
        /// The epoch.
        pub epoch: Epoch,
        /// The members.
        pub members: Vec<Member>,
        /// Their slots.
        pub slots: serde_bytes::ByteBuf,
        since later:
        /// When it was decided whose they ought to be; in what an older node has written, as late as can be.
        pub decided: Option<Epoch>,
    }
}

/// The view's key.
pub fn key() -> Vec<u8> {
    vec![family::VIEW]
}

impl ClusterView {
    /// The view of these members, whose names differ, each with the slots that are due to it.
    pub fn placed(epoch: Epoch, mut members: Vec<Member>) -> Self {
        members.sort_by(|one, other| one.name.cmp(&other.name));
        let mut view = Self { epoch, decided: epoch, members, slots: Vec::new() };
        view.slots = view.wanted();
        view
    }

    /// Whose the slots ought to be, by weights: an index into the members for each. Who is draining has no weight.
    pub(crate) fn wanted(&self) -> Vec<u16> {
        let weight = |member: &Member| if member.draining { 0 } else { member.weight };
        let members: Vec<_> = self.members.iter().map(|member| (&member.name, weight(member))).collect();
        place(&members)
    }

    /// Whose a slot is. Nobody's only in a cluster without members.
    pub fn owner(&self, slot: Slot) -> Option<&Member> {
        self.members.get(usize::from(*self.slots.get(usize::from(slot.number()))?))
    }

    /// The member of this name.
    pub fn member(&self, name: &NodeName) -> Option<&Member> {
        self.members.iter().find(|member| member.name == *name)
    }

    /// Whether this run of a node is a member.
    pub fn has(&self, id: &NodeId) -> bool {
        self.member(&id.name).is_some_and(|member| member.incarnation == id.incarnation)
    }

    /// How many slots a node has.
    pub fn slots_of(&self, name: &NodeName) -> usize {
        let index = self.members.iter().position(|member| member.name == *name);
        index.map_or(0, |index| self.slots.iter().filter(|owner| usize::from(**owner) == index).count())
    }

    /// How many slots are not where they ought to be by weights.
    pub fn slots_to_move(&self) -> usize {
        self.slots.iter().zip(self.wanted()).filter(|(has, wants)| **has != *wants).count()
    }

    /// The value.
    pub fn encode(&self) -> Bytes {
        let slots: Vec<u8> = self.slots.iter().flat_map(|owner| owner.to_be_bytes()).collect();
        super::encode(&Stored {
            epoch: self.epoch,
            members: self.members.clone(),
            slots: slots.into(),
            decided: Some(self.decided),
        })
    }

    /// The view in a value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is none: members are missing or out of order, or slots, or whose they are.
    pub fn decode(value: &[u8]) -> Result<Self, StoreError> {
        let corrupt = |what: &str| Err(StoreError::Corrupt(format!("the view of the cluster: {what}")));
        let Stored { epoch, members, slots, decided } = super::decode(value)?;
        let expected = if members.is_empty() { 0 } else { 2 * usize::from(SLOTS) };
        if slots.len() != expected {
            return corrupt(&format!("{} bytes of slots, not {expected}", slots.len()));
        }
        if !members.is_sorted_by(|one, other| one.name < other.name) {
            return corrupt("its members are not in the order of their names");
        }
        let slots: Vec<u16> =
            slots.as_chunks().0.iter().map(|owner: &[u8; 2]| u16::from_be_bytes(*owner)).collect();
        if slots.iter().any(|owner| usize::from(*owner) >= members.len()) {
            return corrupt("a slot is that of nobody");
        }
        Ok(Self { epoch, decided: decided.unwrap_or(epoch), members, slots })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;
    use crate::engine::VALUE_BYTES_MAX;

    fn member(name: &str, weight: u32) -> Member {
        Member {
            name: name.parse().expect("it is a name"),
            incarnation: Incarnation::new(1),
            link: "h:1".into(),
            admin: String::new(),
            clients: vec!["ws".into()],
            weight,
            draining: false,
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(key(), b"\x41");
        let view = ClusterView::placed(Epoch::new(2), vec![member("b", 100), member("a", 0)]);
        let encoded = view.encode();
        let (rest, decided) = encoded.split_at(encoded.len() - 1);
        let (start, slots) = rest.split_at(rest.len() - 2 * usize::from(SLOTS));
        let member = |name: u8, weight: u8| {
            [b"\x97\xa1", [name].as_slice(), b"\x01\xa3h:1\xa0\x91\xa2ws", &[weight, 0xc2]].concat()
        };
        let expected =
            [b"\x94\x02\x92".as_slice(), &member(b'a', 0), &member(b'b', 100), b"\xc5\x20\x00"].concat();
        assert_eq!(start, expected);
        assert!(slots.chunks(2).all(|owner| owner == [0, 1]));
        assert_eq!(decided, [2]);
        assert_eq!(ClusterView::default().encode()[..], *b"\x94\x00\x90\xc4\x00\x00");
        let older = [b"\x93".as_slice(), &rest[1..]].concat();
        assert_eq!(ClusterView::decode(&older).expect("an older node has written it"), view);
    }

    #[test]
    fn a_slot_has_one_owner_and_a_member_its_share() {
        let view = ClusterView::placed(Epoch::new(1), vec![member("a", 1), member("b", 1), member("c", 0)]);
        let names = ["a", "b", "c"].map(|name| name.parse::<NodeName>().expect("it is a name"));
        let counted = names.each_ref().map(|name| {
            Slot::all().filter(|slot| view.owner(*slot).expect("there are members").name == *name).count()
        });
        assert_eq!(counted, names.each_ref().map(|name| view.slots_of(name)));
        assert_eq!(counted.iter().sum::<usize>(), usize::from(SLOTS));
        assert_eq!(counted[2], 0);
        assert_eq!(view.slots_to_move(), 0);
        assert!(view.has(&view.members[0].id()));
        assert!(!view.has(&NodeId { incarnation: Incarnation::new(2), ..view.members[0].id() }));
    }

    #[test]
    fn nobody_owns_a_slot_of_a_cluster_without_members() {
        let view = ClusterView::default();
        assert!(Slot::all().all(|slot| view.owner(slot).is_none()));
        assert_eq!(ClusterView::decode(&view.encode()).expect("it was just written"), view);
    }

    #[test]
    fn a_view_that_refers_to_nobody_is_refused() {
        let fine = ClusterView::placed(Epoch::new(1), vec![member("a", 1), member("b", 1)]);
        let spoilt = |spoil: fn(&mut ClusterView)| {
            let mut view = fine.clone();
            spoil(&mut view);
            ClusterView::decode(&view.encode())
        };
        spoilt(|_| ()).expect("it is fine");
        spoilt(|view| view.slots[7] = 2).expect_err("there is no third member");
        spoilt(|view| view.slots.truncate(4095)).expect_err("a slot is missing");
        spoilt(|view| view.slots.push(0)).expect_err("there is a slot too many");
        spoilt(|view| view.slots.clear()).expect_err("there are no slots");
        spoilt(|view| view.members.clear()).expect_err("there are no members");
        spoilt(|view| view.members.swap(0, 1)).expect_err("they are out of order");
        spoilt(|view| view.members[1] = view.members[0].clone()).expect_err("one is there twice");
    }

    #[test]
    fn the_largest_view_fits_into_a_value() {
        let members = (0..MEMBERS_MAX).map(|number| {
            let mut member = member(&format!("n{number}"), u32::MAX);
            member.incarnation = Incarnation::new(u64::MAX);
            while super::super::encode(&member).len() < MEMBER_BYTES_MAX {
                member.link.push('x');
            }
            member
        });
        let view = ClusterView::placed(Epoch::new(u64::MAX), members.collect());
        let encoded = view.encode();
        assert!(encoded.len() <= VALUE_BYTES_MAX, "{} bytes", encoded.len());
        assert_eq!(ClusterView::decode(&encoded).expect("it was just written"), view);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_view_reads_as_written(
            epoch: u64,
            weights in prop::collection::btree_map(arbitrary::node(), (0_u32..500, any::<bool>(), any::<u64>()), 0..6),
        ) {
            let members = weights.into_iter().map(|(name, (weight, draining, incarnation))| {
                let incarnation = Incarnation::new(incarnation);
                Member { name, weight, draining, incarnation, ..member("any", 0) }
            });
            let view = ClusterView::placed(Epoch::new(epoch), members.collect());
            prop_assert_eq!(ClusterView::decode(&view.encode()).expect("it was just written"), view);
        }

        #[test]
        fn any_bytes_are_a_view_or_an_error(bytes: Vec<u8>) {
            let _ = ClusterView::decode(&bytes);
        }
    }
}
