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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(key(&"anna".parse().expect("it is a handle")), b"\x11anna");
        assert_eq!(encode(UserId::new(5).expect("a small number is an id")), [0, 0, 0, 0, 0, 0, 0, 5]);
    }

    proptest! {
        #[test]
        fn a_value_reads_as_written(user in arbitrary::user()) {
            prop_assert_eq!(decode(&encode(user)).expect("it was just written"), user);
        }

        #[test]
        fn keys_are_in_the_order_of_their_texts(one in "[a-z][a-z0-9]{2,20}", other in "[a-z][a-z0-9]{2,20}") {
            let key = |text: &str| key(&text.parse().expect("letters and digits are a handle"));
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }

        #[test]
        fn any_bytes_are_a_user_or_an_error(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
