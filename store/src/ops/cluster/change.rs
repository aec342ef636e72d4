//! What a change of members does to the slots: only those move that must. Where a change of weights was not carried out
//! in full, the rest of it is not carried out here either: that is `MoveSlots`'s.

use rookery_protocol::Epoch;

use crate::keys::node::NodeName;
use crate::keys::view::{ClusterView, Member};

/// The next epoch begins, with another decision about whose the slots ought to be.
pub(super) fn decide(view: &mut ClusterView) {
    step(view);
    view.decided = view.epoch;
}

/// The next epoch begins.
pub(super) fn step(view: &mut ClusterView) {
    let next = view.epoch.get().checked_add(1).expect("no cluster changes 2^64 times");
    view.epoch = Epoch::new(next);
}

/// Puts a member in, or another run of it in its place: it gets the slots due to it, and keeps no other.
pub(super) fn put(view: &mut ClusterView, member: Member) {
    let found = view.members.binary_search_by(|other| other.name.cmp(&member.name));
    let at = match found {
        Ok(at) => {
            view.members[at] = member;
            at
        }
        Err(at) => {
            view.members.insert(at, member);
            view.slots.iter_mut().filter(|owner| usize::from(**owner) >= at).for_each(|owner| *owner += 1);
            at
        }
    };
    let wanted = view.wanted();
    if view.slots.is_empty() {
        view.slots = wanted;
        return;
    }
    for (has, wants) in view.slots.iter_mut().zip(wanted) {
        if usize::from(*has) == at || usize::from(wants) == at {
            *has = wants;
        }
    }
}

/// Takes a member out: its slots go to those they are due to.
pub(super) fn remove(view: &mut ClusterView, name: &NodeName) {
    let Some(at) = view.members.iter().position(|member| member.name == *name) else { return };
    view.members.remove(at);
    let wanted = view.wanted();
    if view.members.is_empty() {
        view.slots.clear();
    }
    for (has, wants) in view.slots.iter_mut().zip(wanted) {
        match usize::from(*has) {
            owner if owner == at => *has = wants,
            owner if owner > at => *has -= 1,
            _ => {}
        }
    }
}

/// Moves up to `at_most` slots to where they ought to be, and says how many it has moved and how many are left.
pub(super) fn move_slots(view: &mut ClusterView, at_most: u16) -> (u16, u16) {
    let (mut moved, mut left) = (0, 0);
    let wanted = view.wanted();
    for (has, wants) in view.slots.iter_mut().zip(wanted).filter(|(has, wants)| **has != *wants) {
        if moved < at_most {
            *has = wants;
            moved += 1;
        } else {
            left += 1;
        }
    }
    (moved, left)
}
