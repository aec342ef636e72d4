//! A device that acts for its user: whether it still may, and whether it is its newest connection that does.
//!
//! A request may lie at a node that hangs, while its client has gone elsewhere, has been answered there, and has asked for
//! the contrary since. So the first change of something of the user's own that comes from a connection is noted with the
//! device, and the first refusal of an entry, and nothing that comes from an older one is done after it.

use rookery_protocol::{DeviceId, UserId};

use crate::error::StoreError;
use crate::keys::user::Standing;
use crate::keys::{self, device, user};
use crate::op::{Reads, View, Writes};

/// Who asks for a change of something of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The generation of the token the device showed.
    pub generation: u32,
    /// The version of the store at which its connection was admitted. Of two connections that no commit lies between
    /// neither is older.
    pub admitted: u64,
    /// The clock when it arrived, milliseconds since 1970.
    pub time_ms: u64,
}

/// A device that may act for its user.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    /// What operators have said of the user.
    pub(super) standing: Standing,
    /// A newer connection of the device has settled something.
    pub(super) is_superseded: bool,
}

/// Why a device may do nothing for its user any more, whatever it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Objection {
    /// Its token has been revoked, or the device removed.
    Revoked,
    /// The user's account has been suspended, for this reason.
    Suspended(String),
}

impl Asker {
    /// Declares what [`admitted`](Self::admitted) looks at.
    pub(super) fn reads(&self, reads: &mut Reads) {
        reads.key(device::key(self.user, self.device));
        reads.key(user::key(self.user));
    }

    fn device(&self, view: &View<'_>) -> Result<Option<device::Device>, StoreError> {
        let device = view.get(&device::key(self.user, self.device));
        device.map(|value| keys::decode(&value)).transpose()
    }

    /// Notes that this connection has settled something. `false`: a newer one of the device has, and this one may not any
    /// more. Reads what [`reads`](Self::reads) declares.
    pub(super) fn supersede(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<bool, StoreError> {
        let Some(device) = self.device(view)? else { return Ok(true) };
        if self.admitted > device.settled {
            let device = device::Device { settled: self.admitted, ..device };
            writes.put(device::key(self.user, self.device), keys::encode(&device));
            return Ok(true);
        }
        Ok(self.admitted == device.settled)
    }

    /// How the device may act for its user, or why it may do nothing.
    pub(super) fn admitted(&self, view: &View<'_>) -> Result<Result<Admitted, Objection>, StoreError> {
        let device = self.device(view)?.filter(|device| device.generation == self.generation);
        let Some(device) = device else { return Ok(Err(Objection::Revoked)) };
        let account = view.get(&user::key(self.user));
        let account = account.map(|value| keys::decode::<user::User>(&value)).transpose()?;
        let standing = match account {
            Some(user::User { suspension: Some(suspension), .. }) => {
                return Ok(Err(Objection::Suspended(suspension.reason)));
            }
            Some(account) => account.standing,
            None => Standing::default(),
        };
        Ok(Ok(Admitted { standing, is_superseded: self.admitted < device.settled }))
    }
}
