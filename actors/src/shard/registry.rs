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
            let is_new = !known.contains(&device);
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
            hosts.push(Host { node, number, devices: kept, _counted: counted });
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

    /// Forgets users whose owner this node is not any more, and hosts that are no more.
    pub(super) fn keep(&mut self, is_mine: impl Fn(UserId) -> bool, is_member: impl Fn(&Peer) -> bool) {
        self.users.retain(|user, hosts| {
            hosts.retain(|host| is_member(&host.node));
            !hosts.is_empty() && is_mine(*user)
        });
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
