//! `user/<user>`: an account.

use rookery_protocol::{Handle, Text, UserId, positional};

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
        since later:
        /// Since when and why it may not be used.
        pub suspension: Option<Suspension>,
        /// What operators have said of it.
        pub standing: Standing,
    }
}

positional! {
    /// Since when and why an account may not be used.
    pub struct Suspension {
        /// Since when, milliseconds since 1970.
        pub since_ms: u64,
        /// The operators' words, for the user.
        pub reason: String as Text,
    }
}

positional! {
    /// What operators have said of an account.
    #[derive(Default)]
    pub struct Standing {
        /// It may do everything as often as it likes: a program of theirs.
        pub is_unlimited: bool,
        /// Nobody but the user sees what it sends, and the user is not told.
        pub is_shadow_banned: bool,
    }
}

/// Bytes of a reason at the most: a sentence or two, in a frame on every connection it closes.
pub const REASON_BYTES_MAX: usize = 400;

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

    #[test]
    fn an_account_written_before_there_were_suspensions_is_not_suspended() {
        let mut old = vec![0x93, 0xa4];
        old.extend_from_slice(b"anna");
        old.extend_from_slice(&[7, 2]);
        let user: User = super::super::decode(&old).expect("three fields are an account");
        assert_eq!((user.handle.as_str(), user.next_device, user.suspension), ("anna", 2, None));
    }

    proptest! {
        #[test]
        fn a_key_names_its_user_in_the_users_order(one in arbitrary::user(), other in arbitrary::user()) {
            prop_assert_eq!(user_of(&key(one)), Some(one));
            prop_assert!(key(one).starts_with(&prefix()));
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn an_account_reads_as_written(
            handle in "[a-z][a-z0-9]{2,20}",
            created_ms: u64,
            next_device: u32,
            suspended: Option<(u64, String)>,
        ) {
            let handle: Handle = handle.parse().expect("letters and digits are a handle");
            let suspension = suspended.map(|(since_ms, reason)| Suspension { since_ms, reason });
            let standing = Standing { is_unlimited: created_ms % 2 == 0, is_shadow_banned: next_device % 2 == 0 };
            let user = User { handle, created_ms, next_device, suspension, standing };
            prop_assert_eq!(super::super::decode::<User>(&super::super::encode(&user)).expect("it was just written"), user);
        }
    }
}
