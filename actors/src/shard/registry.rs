//! The owner's side: which other nodes have devices of this shard's users.
//!
//! It is soft state. A host that is not in it registers again until it is; one that is in it wrongly says so at the next
//! bell. Of two connections of one device the one let in by the later store is the newer, and the older is closed.

use std::collections::HashMap;
use std::sync::Arc;

use rookery_protocol::UserId;

use crate::cluster::{HostedDevice, Peer};
use crate::metrics::{Counted, USERS_HOSTED_ELSEWHERE};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Registry {
    users: HashMap<UserId, Vec<Host>>,
}

/// A node that has devices of a user.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) node: Arc<Peer>,
    number: u64,
    /// The view in which it said so, or a later one.
    epoch: u64,
    devices: Vec<HostedDevice>,
    _counted: Counted,
}

/// A device has a newer connection than the one at this node.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) node: Arc<Peer>,
    pub(super) newer: HostedDevice,
}

/// Whether `one`, which has just become known, takes the place of `other`, which was known before.
pub(super) fn takes_over(one: HostedDevice, other: HostedDevice) -> bool {
    one.device == other.device && one.admitted >= other.admitted
}

impl Registry {
    /// Takes a registration. `None` if it is older than what is known; else whose connections it replaces, which may be
    /// its own where another is newer.
    pub(super) fn put(
        &mut self,
        user: UserId,
        node: Arc<Peer>,
        number: u64,
        epoch: u64,
        devices: Vec<HostedDevice>,
    ) -> Option<Vec<Replaced>> {
        let hosts = self.users.entry(user).or_default();
        let at = hosts.iter().position(|host| host.node.id == node.id);
        if at.is_some_and(|at| hosts[at].number > number) {
            return None;
        }
        let mut known = Vec::new();
        if let Some(at) = at {
            known = hosts.swap_remove(at).devices;
        }
        let mut replaced = Vec::new();
        let mut kept = Vec::with_capacity(devices.len());
        for device in devices {
            // What this host said before says nothing new about the others.
            let is_new = !known.iter().any(|known| known.is_same(&device));
            let newer = hosts.iter().flat_map(|host| &host.devices).find(|other| {
                other.device == device.device
                    && if is_new { !takes_over(device, **other) } else { takes_over(**other, device) }
            });
            if let Some(newer) = newer {
                replaced.push(Replaced { node: node.clone(), newer: *newer });
                continue;
            }
            replaced.extend(replace(hosts, device));
            kept.push(device);
        }
        hosts.retain(|host| !host.devices.is_empty());
        if !kept.is_empty() {
            let counted = Counted::new(USERS_HOSTED_ELSEWHERE);
            hosts.push(Host { node, number, epoch, devices: kept, _counted: counted });
        }
        if hosts.is_empty() {
            self.users.remove(&user);
        }
        Some(replaced)
    }

    /// A device has connected to the owner itself: which hosts' connections that replaces. Or, where one of theirs is
    /// newer, that one.
    pub(super) fn connected_here(
        &mut self,
        user: UserId,
        device: HostedDevice,
    ) -> Result<Vec<Replaced>, HostedDevice> {
        let Some(hosts) = self.users.get_mut(&user) else { return Ok(Vec::new()) };
        let same = |other: &&HostedDevice| other.device == device.device;
        if let Some(newer) = hosts.iter().flat_map(|host| &host.devices).find(same)
            && !takes_over(device, *newer)
        {
            return Err(*newer);
        }
        let replaced = replace(hosts, device).collect();
        hosts.retain(|host| !host.devices.is_empty());
        if hosts.is_empty() {
            self.users.remove(&user);
        }
        Ok(replaced)
    }

    /// The hosts of a user.
    pub(super) fn hosts(&self, user: UserId) -> &[Host] {
        self.users.get(&user).map_or(&[], Vec::as_slice)
    }

    /// Whether one of these devices elsewhere is in use; none if there are no devices.
    pub(super) fn is_active(&self, user: UserId) -> Option<bool> {
        self.hosts(user).iter().flat_map(|host| &host.devices).map(|device| device.active).max()
    }

    /// Forgets users whose owner this node is not any more in the view of this epoch, and hosts that are no more. Who has
    /// registered in a later view knows better, and has been told that this node knows. Returns whom that leaves with fewer
    /// hosts.
    pub(super) fn keep(
        &mut self,
        epoch: u64,
        is_mine: impl Fn(UserId) -> bool,
        is_member: impl Fn(&Peer) -> bool,
    ) -> Vec<UserId> {
        let mut fewer = Vec::new();
        self.users.retain(|user, hosts| {
            let before = hosts.len();
            hosts.retain(|host| host.epoch > epoch || is_mine(*user) && is_member(&host.node));
            fewer.extend((hosts.len() < before).then_some(*user));
            !hosts.is_empty()
        });
        fewer
    }

    /// How many users it knows hosts of.
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }
}

/// Takes a device from all of these hosts that have it, for its newer connection.
fn replace(hosts: &mut [Host], newer: HostedDevice) -> impl Iterator<Item = Replaced> {
    hosts.iter_mut().filter_map(move |host| {
        let at = host.devices.iter().position(|other| other.device == newer.device)?;
        host.devices.swap_remove(at);
        Some(Replaced { node: host.node.clone(), newer })
    })
}

#[cfg(test)]
mod tests {
    use rookery_protocol::DeviceId;
    use rookery_store::keys::node::{Incarnation, NodeId};

    use super::*;

    #[test]
    fn a_registration_in_a_later_view_outlasts_the_views_before_it() {
        let mut registry = Registry::default();
        let user = UserId::new(1).expect("an id");
        let host = NodeId { name: "host".parse().expect("a name"), incarnation: Incarnation::new(1) };
        let devices = vec![HostedDevice { device: DeviceId::new(1), admitted: 1, active: true }];
        let put = registry.put(user, Peer::new(host, 1), 1, 7, devices);
        assert!(put.is_some_and(|replaced| replaced.is_empty()));
        // The slot is another's in the view before, in which the host may be no member yet.
        registry.keep(6, |_| false, |_| false);
        assert_eq!(registry.hosts(user).len(), 1);
        registry.keep(7, |_| true, |_| true);
        assert_eq!(registry.hosts(user).len(), 1);
        registry.keep(8, |_| false, |_| true);
        assert_eq!((registry.hosts(user).len(), registry.len()), (0, 0));
    }
}
