//! `privacy/<user>`: who may see what of a user. Absent: everyone may see everything.

use rookery_protocol::UserId;

use super::{family, user_key};

/// Where a user's [`PrivacySettings`](rookery_protocol::PrivacySettings) are.
pub fn key(user: UserId) -> Vec<u8> {
    user_key(family::PRIVACY, user, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rookery_protocol::{Audience, PrivacySettings};

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(0x0102).expect("a small number is an id");
        assert_eq!(key(user), [0x16, 0, 0, 0, 0, 0, 0, 1, 2]);
        let privacy = PrivacySettings {
            last_seen: Audience::Nobody,
            online: Audience::ContactsExcept,
            profile: Audience::Contacts,
            groups: Audience::Everyone,
            read_receipts: false,
        };
        assert_eq!(super::super::encode(&privacy)[..], [0x95, 3, 2, 1, 0, 0xc2]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_users(one in arbitrary::user(), other in arbitrary::user()) {
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn settings_read_as_written(audiences: [u8; 4], read_receipts: bool) {
            let [last_seen, online, profile, groups] = audiences.map(Audience::from);
            let privacy = PrivacySettings { last_seen, online, profile, groups, read_receipts };
            let read = super::super::decode::<PrivacySettings>(&super::super::encode(&privacy));
            prop_assert_eq!(read.expect("it was just written"), privacy);
        }
    }
}
