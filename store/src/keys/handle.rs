//! `handle/<text>`: whose a handle is. The value is the user's number, 8 bytes big-endian.

use rookery_protocol::{Handle, UserId};

use super::family;
use crate::error::StoreError;

/// The handle's key.
pub fn key(handle: &Handle) -> Vec<u8> {
    super::key(family::HANDLE, &[handle.as_str().as_bytes()])
}

/// The value for a user.
pub fn encode(user: UserId) -> Vec<u8> {
    user.get().to_be_bytes().to_vec()
}

/// The user in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when there is none.
pub fn decode(value: &[u8]) -> Result<UserId, StoreError> {
    let number = value.try_into().map(u64::from_be_bytes).ok();
    number
        .and_then(|number| UserId::new(number).ok())
        .ok_or_else(|| StoreError::Corrupt(format!("a handle's user: {value:02x?}")))
}
