//! What a shard has to do with other nodes: as the owner of its users it passes bells on to their hosts, as a host it
//! tells the owners who is here.

use std::sync::Arc;

use rookery_protocol::{ErrorCode, Goaway, MessageId, UserId};
use rookery_store::keys::node::NodeId;
use rookery_store::placement::Slot;
use tokio::time::Instant;

use super::actor::{PassOn, State};
use super::entry::{Attachment, Entry};
use super::hosting::Answered;
use super::look::look_for_waiting;
use super::registry::Replaced;
use crate::cluster::{Bell, Bells, HostedDevice, LinkMessage, Owner, Peer, Placed};
use crate::connection::Connection;
use crate::session::{Hint, SessionMessage};

/// Registrations a shard sends at once when many are due; the rest follows by and by.
const REGISTERED_AT_ONCE_MAX: usize = 512;

/// After which a client comes back that was sent away although it may have been the newer one.
const RECONNECT_MS: u32 = 1_000;

impl State {
    fn owner(&self, user: UserId) -> Owner {
        self.placed.as_ref().map_or(Owner::Here, |placed| placed.owner(Slot::of_user(user)))
    }

    /// Tells a user's owner, if that is another node, which of the user's devices are here.
    pub(super) fn register(&mut self, user: UserId) {
        let (Some(cluster), Some(placed)) = (&self.context.cluster, self.placed.clone()) else { return };
        let Owner::Elsewhere(owner) = placed.owner(Slot::of_user(user)) else {
            return self.hosting.forget(user);
        };
        let entry = self.entries.get(&user);
        let attached = entry.map_or(&[][..], |entry| entry.attached.as_slice());
        let devices: Vec<HostedDevice> = attached.iter().map(Attachment::hosted).collect();
        let number = cluster.next_number();
        if devices.is_empty() {
            // If this gets lost, the next bell from there is answered with it again.
            self.hosting.left(user, number, Instant::now());
        } else {
            self.hosting.sent(user, number, Instant::now());
        }
        owner.send(LinkMessage::Host { host: placed.me.clone(), user, number, devices });
    }

    /// Whether a device that arrives is not older than its connection elsewhere. Tells those it replaces.
    pub(super) fn is_newest(&mut self, user: UserId, attachment: &Attachment) -> bool {
        match self.registry.connected_here(user, attachment.hosted()) {
            Ok(replaced) => {
                tell_replaced(user, replaced);
                true
            }
            Err(newer) => {
                close_older(&attachment.connection, attachment.admitted, newer);
                false
            }
        }
    }

    /// A host has told who is there.
    pub(super) fn host(
        &mut self,
        host: &Arc<Peer>,
        user: UserId,
        number: u64,
        epoch: u64,
        mut devices: Vec<HostedDevice>,
    ) {
        // Of a device that is here too, the one let in earlier goes. Here may be the later.
        let attached = self.entries.get(&user).map_or(&[][..], |entry| entry.attached.as_slice());
        devices.retain(|there| {
            let Some(here) = attached.iter().find(|here| here.device == there.device) else { return true };
            let here_is_newer = here.admitted > there.admitted;
            if here_is_newer {
                let newer = here.hosted();
                tell_replaced(user, vec![Replaced { node: host.clone(), newer }]);
            } else {
                close_older(&here.connection, here.admitted, *there);
            }
            !here_is_newer
        });
        if let Some(replaced) = self.registry.put(user, host.clone(), number, epoch, devices) {
            tell_replaced(user, replaced);
            host.send(LinkMessage::Hosted { user, number });
            self.presence_changed(user);
        }
    }

    /// A user's owner knows what this node has said.
    pub(super) fn hosted(&mut self, user: UserId, number: u64) {
        match self.hosting.answered(user, number) {
            Answered::Latest => self.sweep([user]),
            Answered::Earlier => {}
            Answered::Late => {
                let is_here = |entry: &Entry| !entry.attached.is_empty();
                if !self.entries.get(&user).is_some_and(is_here) {
                    // That nobody is came first, and was forgotten: to the owner, the user is here now.
                    self.register(user);
                }
            }
        }
    }

    /// A device of a user has connected elsewhere.
    pub(super) fn replace(&mut self, user: UserId, newer: HostedDevice) {
        let Some(entry) = self.entries.get(&user) else { return };
        if let Some(here) = entry.attached.iter().find(|here| here.device == newer.device)
            && here.admitted <= newer.admitted
        {
            close_older(&here.connection, here.admitted, newer);
        }
    }

    /// Passes a bell on to those who are to hear it too.
    pub(super) fn pass_bell_on(
        &mut self,
        user: UserId,
        id: Option<MessageId>,
        hint: Option<&Hint>,
        pass_on: &PassOn,
    ) {
        let but = match pass_on {
            PassOn::No => return,
            PassOn::AsHost => {
                if !self.entries.contains_key(&user) {
                    // The owner thinks that the user is here.
                    self.register(user);
                }
                return;
            }
            PassOn::ToAll => None,
            PassOn::ToAllBut(node) => Some(node),
        };
        for host in self.registry.hosts(user).iter().filter(|host| Some(&host.node.id) != but) {
            let event = hint.map(|hint| (hint.stamp, hint.frame.clone()));
            let frame = event.as_ref().map(|(_, frame)| frame);
            self.context.steps.rung(user, frame, Some(&host.node.id.name));
            host.node.send(LinkMessage::Bell(Bell { user, id, event }));
        }
    }

    /// As [`pass_bell_on`](Self::pass_bell_on), for many: one message for each host.
    pub(super) fn pass_bells_on(
        &mut self,
        users: &[UserId],
        id: Option<MessageId>,
        hint: Option<&Hint>,
        pass_on: &PassOn,
    ) {
        let but = match pass_on {
            PassOn::No | PassOn::AsHost => {
                return users.iter().for_each(|user| self.pass_bell_on(*user, id, hint, pass_on));
            }
            PassOn::ToAll => None,
            PassOn::ToAllBut(node) => Some(node),
        };
        let mut hosts: Vec<(&Arc<Peer>, Vec<UserId>)> = Vec::new();
        for user in users {
            for host in self.registry.hosts(*user).iter().filter(|host| Some(&host.node.id) != but) {
                match hosts.iter_mut().find(|(node, _)| node.id == host.node.id) {
                    Some((_, users)) => users.push(*user),
                    None => hosts.push((&host.node, vec![*user])),
                }
            }
        }
        for (host, users) in hosts {
            let event = hint.map(|hint| (hint.stamp, hint.frame.clone()));
            let frame = event.as_ref().map(|(_, frame)| frame);
            users.iter().for_each(|user| self.context.steps.rung(*user, frame, Some(&host.id.name)));
            host.send(LinkMessage::BellMany(Bells { users, id, event }));
        }
    }

    /// An owner has lost what was registered with one of its shards.
    pub(super) fn forgotten(&mut self, owner: &NodeId, shard: u16, shards: u16) {
        let is_concerned = |user: &UserId| {
            Slot::of_user(*user).number() % shards == shard
                && matches!(self.owner(*user), Owner::Elsewhere(peer) if peer.id == *owner)
        };
        let concerned: Vec<UserId> = self.entries.keys().copied().filter(is_concerned).collect();
        for user in concerned {
            self.register(user);
        }
    }

    /// From now on an owner understands whether devices are in use: it has taken all that was registered with it before, such
    /// as by mail, to be in use. Those that are not are registered again, by and by.
    pub(super) fn understood(&mut self, owner: &Peer) {
        let is_concerned = |user: UserId, entry: &Entry| {
            entry.attached.iter().any(|attached| !attached.connection.is_active())
                && matches!(self.owner(user), Owner::Elsewhere(peer) if peer.id == owner.id)
        };
        let concerned: Vec<UserId> = self
            .entries
            .iter()
            .filter(|(user, entry)| is_concerned(**user, entry))
            .map(|(user, _)| *user)
            .collect();
        self.register_many(concerned);
    }

    /// Registers users, some of them at once.
    fn register_many(&mut self, users: Vec<UserId>) {
        let long_ago = Instant::now().checked_sub(std::time::Duration::from_secs(60));
        for (done, user) in users.into_iter().enumerate() {
            if done < REGISTERED_AT_ONCE_MAX {
                self.register(user);
            } else {
                self.hosting.sent(user, 0, long_ago.unwrap_or_else(Instant::now));
            }
        }
    }

    /// Slots have new owners: users of those that moved are registered anew, and then swept; users whose owner is this
    /// node now are swept at once. So are all when bells may have been lost with a node. Where a slot may have moved away
    /// and back between two views, what its owner knew is lost, and all are registered anew.
    pub(super) fn view_changed(&mut self, placed: Arc<Placed>, lost: bool) {
        if self.placed.as_ref().is_some_and(|current| current.epoch() > placed.epoch()) {
            return;
        }
        // To others, another run of this node is another node: nothing it had registered holds.
        let before = self.placed.replace(placed.clone()).filter(|before| placed.follows(before));
        let is_mine = |user| placed.owner(Slot::of_user(user)).is_here();
        let fewer = self.registry.keep(placed.epoch(), is_mine, |host| placed.view.has(&host.id));
        let has_gained = Slot::all().any(|slot| {
            placed.owner(slot).is_here() && before.as_ref().is_none_or(|before| !before.owner(slot).is_here())
        });
        self.presences_placed(fewer, has_gained);
        let (mut to_register, mut to_sweep) = (Vec::new(), Vec::new());
        for user in self.entries.keys() {
            let slot = Slot::of_user(*user);
            let owner = placed.owner(slot);
            let has_moved = before.as_ref().is_none_or(|before| !before.owner(slot).is_same(&owner));
            match owner {
                Owner::Elsewhere(_) if has_moved => to_register.push(*user),
                Owner::Here if has_moved => {
                    self.hosting.forget(*user);
                    to_sweep.push(*user);
                }
                _ if lost => to_sweep.push(*user),
                _ => {}
            }
        }
        self.register_many(to_register);
        self.sweep(to_sweep);
    }

    /// Makes sure that nothing waits for these users.
    pub(super) fn sweep(&mut self, users: impl IntoIterator<Item = UserId>) {
        let mut asleep = Vec::new();
        for user in users {
            let Some(entry) = self.entries.get_mut(&user) else { continue };
            match &mut entry.session {
                Some(alive) => alive.pass_on(SessionMessage::Doorbell(None)),
                None => {
                    let cursors = entry.attached.iter().map(|attached| attached.connection.cursor());
                    asleep.extend(cursors.min().map(|cursor| (user, cursor)));
                }
            }
        }
        if !asleep.is_empty() {
            tokio::spawn(look_for_waiting(self.context.clone(), asleep));
        }
    }
}

fn tell_replaced(user: UserId, replaced: Vec<Replaced>) {
    for Replaced { node, newer } in replaced {
        node.send(LinkMessage::Replace { user, newer });
    }
}

/// Closes a connection of a device that has connected elsewhere. Where it cannot be told which came later, the client is
/// to come back: it must not take its own other connection for a stranger's.
fn close_older(older: &Connection, admitted: u64, newer: HostedDevice) {
    if admitted < newer.admitted {
        older.close_with(ErrorCode::Replaced, "this device has connected again");
    } else {
        older.go_away(&Goaway {
            code: ErrorCode::Internal as u16,
            text: "this device has connected again at the same moment".into(),
            reconnect_after_ms: RECONNECT_MS,
            nodes: Vec::new(),
        });
    }
}
