//! `user/<user>`: an account.

use rookery_protocol::{Handle, UserId, positional};

use super::{family, user_key};

positional! {
    /// An account.
    pub struct User {
        /// Its handle.
        pub handle: Handle,
        /// When it was made, milliseconds since 1970.
        pub created_ms: u64,
        /// The number the next device will get.
        pub next_device: u32,
    }
}

/// The account's key.
pub fn key(user: UserId) -> Vec<u8> {
    user_key(family::USER, user, &[])
}

/// The prefix of all accounts.
pub fn prefix() -> Vec<u8> {
    vec![family::USER]
}

/// The user a key is about.
pub fn user_of(key: &[u8]) -> Option<UserId> {
    UserId::new(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(0x0102).expect("a small number is an id");
        assert_eq!(key(user), [0x10, 0, 0, 0, 0, 0, 0, 1, 2]);
    }

    proptest! {
        #[test]
        fn a_key_names_its_user_in_the_users_order(one in arbitrary::user(), other in arbitrary::user()) {
            prop_assert_eq!(user_of(&key(one)), Some(one));
            prop_assert!(key(one).starts_with(&prefix()));
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn an_account_reads_as_written(handle in "[a-z][a-z0-9]{2,20}", created_ms: u64, next_device: u32) {
            let handle: Handle = handle.parse().expect("letters and digits are a handle");
            let user = User { handle, created_ms, next_device };
            prop_assert_eq!(super::super::decode::<User>(&super::super::encode(&user)).expect("it was just written"), user);
        }
    }
}
