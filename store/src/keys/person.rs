//! `person/<user>/<other user>`: what somebody is to a user. Absent: nothing.
//!
//! Beside them, with no other user in its key, is how many there are, 8 bytes big-endian, so that there are never too
//! many.

use rookery_protocol::{UserId, positional};

use super::{family, user_key};
use crate::error::StoreError;

positional! {
    /// What somebody is to a user. Of those who are nothing to the user there is none.
    #[derive(Copy, Default)]
    pub struct Person {
        /// One of the contacts.
        pub is_contact: bool,
        /// Excepted from what only contacts may see, where the audience says so.
        pub is_excepted: bool,
        /// Neither side sends the other anything, or sees anything of the other.
        pub is_blocked: bool,
    }
}

impl Person {
    /// Nothing to the user, like most people.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// As it travels.
    pub fn of(self, user: UserId) -> rookery_protocol::Person {
        let Self { is_contact, is_excepted, is_blocked } = self;
        rookery_protocol::Person { user, is_contact, is_excepted, is_blocked }
    }
}

impl From<&rookery_protocol::Person> for Person {
    fn from(person: &rookery_protocol::Person) -> Self {
        let rookery_protocol::Person { is_contact, is_excepted, is_blocked, .. } = *person;
        Self { is_contact, is_excepted, is_blocked }
    }
}

/// Where is what `other` is to `user`.
pub fn key(user: UserId, other: UserId) -> Vec<u8> {
    user_key(family::PERSON, user, &other.get().to_be_bytes())
}

/// Where is how many people are anything to a user.
pub fn count_key(user: UserId) -> Vec<u8> {
    user_key(family::PERSON, user, &[])
}

/// The prefix of all that is known of a user's people, their count included.
pub fn prefix(user: UserId) -> Vec<u8> {
    user_key(family::PERSON, user, &[])
}

/// The first key after the count that a user's people may have.
pub fn first_key(user: UserId) -> Vec<u8> {
    user_key(family::PERSON, user, &[0])
}

/// Whose people these are, and who it is.
pub fn people_of(key: &[u8]) -> Option<(UserId, UserId)> {
    let (user, other) = key.strip_prefix(&[family::PERSON])?.split_first_chunk()?;
    let user = UserId::new(u64::from_be_bytes(*user)).ok()?;
    Some((user, UserId::new(u64::from_be_bytes(other.try_into().ok()?)).ok()?))
}

/// The value of a count.
pub fn encode_count(count: u64) -> Vec<u8> {
    count.to_be_bytes().to_vec()
}

/// The count in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_count(value: &[u8]) -> Result<u64, StoreError> {
    let bytes =
        value.try_into().map_err(|_| StoreError::Corrupt(format!("a count of people: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;
    use crate::op::KeyRange;

    #[test]
    fn the_layout_is_frozen() {
        let (anna, bert) = (UserId::new(1).expect("an id"), UserId::new(2).expect("an id"));
        assert_eq!(key(anna, bert), [0x18, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(count_key(anna), [0x18, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(encode_count(3), [0, 0, 0, 0, 0, 0, 0, 3]);
        let person = Person { is_contact: true, is_excepted: false, is_blocked: true };
        assert_eq!(super::super::encode(&person)[..], [0x93, 0xc3, 0xc2, 0xc3]);
    }

    proptest! {
        #[test]
        fn a_key_names_both_in_their_order(
            one in (arbitrary::user(), arbitrary::user()),
            other in (arbitrary::user(), arbitrary::user()),
        ) {
            let (user, somebody) = one;
            prop_assert_eq!(people_of(&key(user, somebody)), Some(one));
            prop_assert_eq!(key(user, somebody).cmp(&key(other.0, other.1)), one.cmp(&other));
            prop_assert!(count_key(user) < first_key(user) && first_key(user) < key(user, somebody));
            let all = KeyRange::prefix(&prefix(user), 0);
            prop_assert!(all.begin <= count_key(user) && key(user, somebody) < all.end);
        }

        #[test]
        fn values_read_as_written((is_contact, is_excepted, is_blocked) in any::<(bool, bool, bool)>(), count: u64) {
            let person = Person { is_contact, is_excepted, is_blocked };
            let read = super::super::decode::<Person>(&super::super::encode(&person));
            prop_assert_eq!(read.expect("it was just written"), person);
            prop_assert_eq!(decode_count(&encode_count(count)).expect("it was just written"), count);
        }

        #[test]
        fn any_bytes_are_people_or_an_error(bytes: Vec<u8>) {
            let _ = (people_of(&bytes), decode_count(&bytes));
        }
    }
}
