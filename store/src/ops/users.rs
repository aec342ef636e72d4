//! Accounts, handles and devices.

use rookery_protocol::{DeviceId, Handle, UserId};

use crate::error::StoreError;
use crate::keys::channel::following_prefix;
use crate::keys::device::{self, DEVICES_MAX, Device};
use crate::keys::group::memberships_prefix;
use crate::keys::user::{Standing, Suspension, User};
use crate::keys::{self, chat, cursor, handle, hidden, inbox, last_seen, person, privacy, profile, user};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// Makes an account.
#[derive(Debug, Clone)]
pub struct AddUser {
    /// Its number, chosen at random.
    pub user: UserId,
    /// Its handle.
    pub handle: Handle,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// Why there is no new account.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddUserError {
    /// The handle belongs to another user.
    #[error("the handle belongs to user {0}")]
    HandleTaken(UserId),
    /// The number is another account's: choose another.
    #[error("the user number is taken")]
    UserTaken,
    /// Something in the store cannot be read.
    #[error(transparent)]
    Corrupt(#[from] StoreError),
}

impl Op for AddUser {
    type Answer = Result<(), AddUserError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(handle::key(&self.handle));
        reads.key(user::key(self.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        if let Some(owner) = view.get(&handle::key(&self.handle)) {
            let owner = handle::decode(&owner)?;
            // The same account again is this very operation, applied before with an unknown outcome.
            return if owner == self.user { Ok(()) } else { Err(AddUserError::HandleTaken(owner)) };
        }
        if view.get(&user::key(self.user)).is_some() {
            return Err(AddUserError::UserTaken);
        }
        let account = User {
            handle: self.handle.clone(),
            created_ms: self.time_ms,
            next_device: 1,
            suspension: None,
            standing: Standing::default(),
        };
        writes.put(user::key(self.user), keys::encode(&account));
        writes.put(handle::key(&self.handle), handle::encode(self.user));
        Ok(())
    }
}

/// Removes an account, its handle, devices and inbox, and what it shows, to whom, and who is anything to it. The other
/// sides keep their conversations, and what the user is to them.
///
/// Groups must have been left before, each by a [`Withdraw`](super::Withdraw): nobody is a member for ever who is no
/// more. And no channel may be followed any more: there is a [`Follow`](super::Follow) for each.
/// [`remove_user`](crate::remove_user) does it all. Interrupted in between, the account is there and usable, and out of
/// some of its groups; done again, it goes on from there.
#[derive(Debug, Clone)]
pub struct RemoveUser {
    /// Which.
    pub user: UserId,
}

/// What became of an account that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is no more.
    Done,
    /// There is no such account.
    NoSuchUser,
    /// The user is or was in groups, and has not been withdrawn from them, or follows channels. Nothing was removed.
    InGroups,
}

/// More than the operations of any batch, each of which deletes one membership of a user, or one channel followed: if some are left after those,
/// some are seen.
const MEMBERSHIPS_SEEN: usize = 2_048;

impl RemoveUser {
    fn memberships(&self) -> KeyRange {
        KeyRange::prefix(&memberships_prefix(self.user), MEMBERSHIPS_SEEN)
    }

    fn followed(&self) -> KeyRange {
        KeyRange::prefix(&following_prefix(self.user), MEMBERSHIPS_SEEN)
    }
}

impl Op for RemoveUser {
    type Answer = Result<Removed, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(user::key(self.user));
        reads.range(self.memberships());
        reads.range(self.followed());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let Some(account) = view.get(&user::key(self.user)) else { return Ok(Removed::NoSuchUser) };
        if !view.range(&self.memberships()).is_empty() || !view.range(&self.followed()).is_empty() {
            return Ok(Removed::InGroups);
        }
        let account: User = keys::decode(&account)?;
        writes.delete(handle::key(&account.handle));
        writes.delete(user::key(self.user));
        writes.delete(privacy::key(self.user));
        writes.delete(profile::key(self.user));
        writes.delete(last_seen::key(self.user));
        for prefix in [
            device::prefix(self.user),
            cursor::prefix(self.user),
            inbox::prefix(self.user),
            person::prefix(self.user),
            chat::prefix(self.user),
            hidden::prefix(self.user),
        ] {
            let KeyRange { begin, end, .. } = KeyRange::prefix(&prefix, 0);
            writes.clear_range(begin, end);
        }
        Ok(Removed::Done)
    }
}

/// Suspends an account, or lets it be used again.
#[derive(Debug, Clone)]
pub struct SuspendUser {
    /// Which.
    pub user: UserId,
    /// Since when and why; `None` ends a suspension.
    pub suspension: Option<Suspension>,
}

/// What became of a suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspended {
    /// It is as was asked, and was not before.
    Changed,
    /// It was so already.
    Unchanged,
    /// There is no such account.
    NoSuchUser,
}

impl Op for SuspendUser {
    type Answer = Result<Suspended, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(user::key(self.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let Some(account) = view.get(&user::key(self.user)) else { return Ok(Suspended::NoSuchUser) };
        let mut account: User = keys::decode(&account)?;
        if account.suspension == self.suspension {
            return Ok(Suspended::Unchanged);
        }
        account.suspension.clone_from(&self.suspension);
        writes.put(user::key(self.user), keys::encode(&account));
        Ok(Suspended::Changed)
    }
}

/// Says something of an account.
#[derive(Debug, Clone)]
pub struct SetStanding {
    /// Which.
    pub user: UserId,
    /// Whether it may do everything as often as it likes, if that is said.
    pub is_unlimited: Option<bool>,
    /// Whether nobody but the user sees what it sends, if that is said.
    pub is_shadow_banned: Option<bool>,
}

impl Op for SetStanding {
    /// Whether something has changed; `None` if there is no such account.
    type Answer = Result<Option<bool>, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(user::key(self.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let Some(account) = view.get(&user::key(self.user)) else { return Ok(None) };
        let mut account: User = keys::decode(&account)?;
        let standing = Standing {
            is_unlimited: self.is_unlimited.unwrap_or(account.standing.is_unlimited),
            is_shadow_banned: self.is_shadow_banned.unwrap_or(account.standing.is_shadow_banned),
        };
        if account.standing == standing {
            return Ok(Some(false));
        }
        account.standing = standing;
        writes.put(user::key(self.user), keys::encode(&account));
        Ok(Some(true))
    }
}

/// Adds a device, or finds the one of that name.
#[derive(Debug, Clone)]
pub struct AddDevice {
    /// Whose.
    pub user: UserId,
    /// What the user calls it.
    pub name: String,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// A device, and the generation its tokens must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceAdded {
    /// Its number.
    pub device: DeviceId,
    /// Its tokens' generation.
    pub generation: u32,
}

/// Why there is no device.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddDeviceError {
    /// No such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// The user has as many as there may be.
    #[error("the user already has {DEVICES_MAX} devices")]
    TooMany,
    /// Something in the store cannot be read.
    #[error(transparent)]
    Corrupt(#[from] StoreError),
}

impl AddDevice {
    fn devices(&self) -> KeyRange {
        KeyRange::prefix(&device::prefix(self.user), DEVICES_MAX)
    }
}

impl Op for AddDevice {
    type Answer = Result<DeviceAdded, AddDeviceError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(user::key(self.user));
        reads.range(self.devices());
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let account = view.get(&user::key(self.user)).ok_or(AddDeviceError::NoSuchUser)?;
        let mut account: User = keys::decode(&account)?;
        let devices = view.range(&self.devices());
        for (key, value) in &devices {
            let found: Device = keys::decode(value)?;
            if found.name == self.name {
                let device = device_of(key)?;
                return Ok(DeviceAdded { device, generation: found.generation });
            }
        }
        if devices.len() == DEVICES_MAX {
            return Err(AddDeviceError::TooMany);
        }
        let device = DeviceId::new(account.next_device);
        account.next_device += 1;
        let added = Device { name: self.name.clone(), created_ms: self.time_ms, generation: 1, settled: 0 };
        writes.put(user::key(self.user), keys::encode(&account));
        writes.put(device::key(self.user, device), keys::encode(&added));
        Ok(DeviceAdded { device, generation: added.generation })
    }
}

/// Revokes every token a device has been given.
#[derive(Debug, Clone)]
pub struct RevokeDevice {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub device: DeviceId,
    /// The generation to be revoked: a second application revokes nothing more.
    pub generation: u32,
}

impl Op for RevokeDevice {
    /// Whether there is such a device.
    type Answer = Result<bool, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(device::key(self.user, self.device));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let key = device::key(self.user, self.device);
        let Some(value) = view.get(&key) else { return Ok(false) };
        let mut found: Device = keys::decode(&value)?;
        if found.generation == self.generation {
            found.generation += 1;
            writes.put(key, keys::encode(&found));
        }
        Ok(true)
    }
}

fn device_of(key: &[u8]) -> Result<DeviceId, StoreError> {
    device::device_of(key).ok_or_else(|| StoreError::Corrupt(format!("a device's key: {key:02x?}")))
}
