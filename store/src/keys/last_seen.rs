//! `last seen/<user>`: when the last of a user's devices went, milliseconds since 1970, 8 bytes big-endian. Absent: not
//! known.
//!
//! Apart from the account, because it changes with every coming and going and that one hardly ever.

use rookery_protocol::UserId;

use super::{family, user_key};
use crate::error::StoreError;

/// The key of a user's.
pub fn key(user: UserId) -> Vec<u8> {
    user_key(family::LAST_SEEN, user, &[])
}

/// The value of a time.
pub fn encode(time_ms: u64) -> Vec<u8> {
    time_ms.to_be_bytes().to_vec()
}

/// The time in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode(value: &[u8]) -> Result<u64, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("a time: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(0x0102).expect("a small number is an id");
        assert_eq!(key(user), [0x19, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(encode(0x0304), [0, 0, 0, 0, 0, 0, 3, 4]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_users(one in arbitrary::user(), other in arbitrary::user()) {
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn eight_bytes_are_a_time_and_others_are_not(bytes: Vec<u8>, time_ms: u64) {
            prop_assert_eq!(decode(&encode(time_ms)).expect("it was just written"), time_ms);
            prop_assert_eq!(decode(&bytes).is_ok(), bytes.len() == 8);
        }
    }
}
