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
