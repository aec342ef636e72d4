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
