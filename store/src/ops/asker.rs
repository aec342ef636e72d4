//! A device that acts for its user: whether it still may.

use rookery_protocol::{DeviceId, UserId};

use crate::error::StoreError;
use crate::keys::user::Standing;
use crate::keys::{self, device, user};
use crate::op::{Reads, View};

/// Who asks for a change of something of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Who.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// The generation of the token the device showed.
    pub generation: u32,
    /// The clock when it arrived, milliseconds since 1970.
    pub time_ms: u64,
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

    /// What operators have said of the user, or why the device may do nothing.
    pub(super) fn admitted(&self, view: &View<'_>) -> Result<Result<Standing, Objection>, StoreError> {
        let asking = view.get(&device::key(self.user, self.device));
        let asking = asking.map(|value| keys::decode::<device::Device>(&value)).transpose()?;
        if asking.is_none_or(|device| device.generation != self.generation) {
            return Ok(Err(Objection::Revoked));
        }
        let account = view.get(&user::key(self.user));
        let account = account.map(|value| keys::decode::<user::User>(&value)).transpose()?;
        Ok(match account {
            Some(user::User { suspension: Some(suspension), .. }) => {
                Err(Objection::Suspended(suspension.reason))
            }
            Some(account) => Ok(account.standing),
            None => Ok(Standing::default()),
        })
    }
}
