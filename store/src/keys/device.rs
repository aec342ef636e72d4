//! `device/<user>/<device>`: a user's device.

use rookery_protocol::{DeviceId, UserId, positional};

use super::{family, user_key};

/// Devices a user may have: what a person owns, with room, and what one read fetches at once.
pub const DEVICES_MAX: usize = 16;

positional! {
    /// A device.
    pub struct Device {
        /// What the user calls it; unique among the user's devices.
        pub name: String,
        /// When it was added, milliseconds since 1970.
        pub created_ms: u64,
        /// Tokens of another generation are revoked.
        pub generation: u32,
    }
}

/// The device's key.
pub fn key(user: UserId, device: DeviceId) -> Vec<u8> {
    user_key(family::DEVICE, user, &device.get().to_be_bytes())
}

/// The prefix of a user's devices.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::DEVICE, user, &[])
}

/// The device a key is about.
pub fn device_of(key: &[u8]) -> Option<DeviceId> {
    Some(DeviceId::new(u32::from_be_bytes(key.get(9..13)?.try_into().ok()?)))
}
