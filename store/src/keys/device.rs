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
        since later:
        /// The newest connection of the device that has changed something of the user's own, or was refused an entry: the
        /// store's version at which it was admitted; 0: there is none.
        pub settled: u64,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(1).expect("a small number is an id");
        assert_eq!(key(user, DeviceId::new(0x0203)), [0x13, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 3]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_user_and_device(
            one in (arbitrary::user(), arbitrary::device()),
            other in (arbitrary::user(), arbitrary::device()),
        ) {
            prop_assert_eq!(device_of(&key(one.0, one.1)), Some(one.1));
            prop_assert!(key(one.0, one.1).starts_with(&prefix(one.0)));
            prop_assert_eq!(key(one.0, one.1).cmp(&key(other.0, other.1)), one.cmp(&other));
        }

        #[test]
        fn a_device_reads_as_written(name: String, created_ms: u64, generation: u32, settled: u64) {
            let device = Device { name, created_ms, generation, settled };
            let read = super::super::decode::<Device>(&super::super::encode(&device));
            prop_assert_eq!(read.expect("it was just written"), device);
        }
    }
}
