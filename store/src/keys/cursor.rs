//! `cursor/<user>/<device>`: the stamp up to which a device has acknowledged its inbox. The value is the 12 bytes.
//!
//! Apart from the device's record, because it changes with every acknowledgement and that one hardly ever.
//! Absent means before every event.

use rookery_protocol::{DeviceId, Stamp, UserId};

use super::{family, user_key};
use crate::error::StoreError;

/// The cursor's key.
pub fn key(user: UserId, device: DeviceId) -> Vec<u8> {
    user_key(family::CURSOR, user, &device.get().to_be_bytes())
}

/// The prefix of all of a user's cursors.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::CURSOR, user, &[])
}

/// The stamp in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 12 bytes.
pub fn decode(value: &[u8]) -> Result<Stamp, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("a cursor: {value:02x?}")))?;
    Ok(Stamp::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(1).expect("a small number is an id");
        assert_eq!(key(user, DeviceId::new(2)), [0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_user_and_device(
            one in (arbitrary::user(), arbitrary::device()),
            other in (arbitrary::user(), arbitrary::device()),
        ) {
            prop_assert!(key(one.0, one.1).starts_with(&prefix(one.0)));
            prop_assert_eq!(key(one.0, one.1).cmp(&key(other.0, other.1)), one.cmp(&other));
        }

        #[test]
        fn twelve_bytes_are_a_stamp_and_others_are_not(bytes: Vec<u8>, stamp in arbitrary::stamp()) {
            prop_assert_eq!(decode(stamp.as_bytes()).expect("it was just written"), stamp);
            prop_assert_eq!(decode(&bytes).is_ok(), bytes.len() == 12);
        }
    }
}
