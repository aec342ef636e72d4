//! What a shard keeps for a user: who is connected, and where each device stands while the session sleeps.

use std::sync::Arc;

use ractor::ActorRef;
use rookery_protocol::{DeviceId, ErrorCode, Stamp};

use crate::cluster::HostedDevice;
use crate::connection::{Connection, ConnectionId};
use crate::metrics::{Counted, SESSIONS};
use crate::session::SessionMessage;
use crate::supervision::RestartBudget;

/// A connected device.
#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) connection: Arc<Connection>,
    pub(crate) device: DeviceId,
    pub(crate) generation: u32,
    pub(crate) window_events: u32,
    /// The store's version when it was let in: of two connections of a device, the lower is the older.
    pub(crate) admitted: u64,
    /// What it said it has, until its session has first fallen asleep.
    pub(crate) resume: Stamp,
}

impl Attachment {
    /// What other nodes are told of it.
    pub(super) fn hosted(&self) -> HostedDevice {
        HostedDevice { device: self.device, admitted: self.admitted, active: self.connection.is_active() }
    }
}

/// A device on its way to its shard. If it gets lost with a shard that fails, its connection is closed, so that its
/// client comes back.
#[derive(Debug)]
pub(crate) struct Arriving(Option<Attachment>);

impl Arriving {
    pub(crate) fn new(attachment: Attachment) -> Self {
        Self(Some(attachment))
    }

    /// It has arrived.
    pub(super) fn attachment(mut self) -> Attachment {
        self.0.take().expect("it is taken only here, once")
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(lost) = &self.0 {
            lost.connection.close_with(ErrorCode::Internal, LOST);
        }
    }
}

const LOST: &str = "the node lost this session; connect again";

/// What a user costs a shard, beside the devices attached.
#[cfg(test)]
pub(crate) const ENTRY_BYTES: usize = size_of::<rookery_protocol::UserId>() + size_of::<Entry>();

/// A user.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) attached: Vec<Attachment>,
    pub(super) session: Option<Alive>,
    pub(super) restarts: RestartBudget,
    _counted: Counted,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            attached: Vec::new(),
            session: None,
            restarts: RestartBudget::default(),
            _counted: Counted::new(SESSIONS),
        }
    }
}

/// A session that is awake.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) actor: ActorRef<SessionMessage>,
    pub(super) incarnation: u64,
    /// Messages passed on to it.
    pub(super) passed_on: u64,
}

impl Alive {
    pub(super) fn pass_on(&mut self, message: SessionMessage) {
        self.passed_on += 1;
        // One that has just failed drops it: requests answer for themselves, and its successor sweeps.
        let _ = self.actor.cast(message);
    }
}

impl Entry {
    /// Puts a device in, in place of what it had before. A session, when awake, ends the older connection.
    pub(super) fn attach(&mut self, attachment: Attachment) {
        let at = self.attached.iter().position(|attached| attached.device == attachment.device);
        match at {
            Some(at) => {
                let before = std::mem::replace(&mut self.attached[at], attachment);
                before.connection.close_with(ErrorCode::Replaced, "this device has connected again");
            }
            None => self.attached.push(attachment),
        }
    }

    /// Whether one of the devices is in use; none if there are no devices.
    pub(super) fn is_active(&self) -> Option<bool> {
        self.attached.iter().map(|attached| attached.connection.is_active()).max()
    }

    pub(super) fn detach(&mut self, connection: ConnectionId) {
        self.attached.retain(|attached| attached.connection.id != connection);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        for attached in &self.attached {
            attached.connection.close_with(ErrorCode::Internal, LOST);
        }
    }
}
