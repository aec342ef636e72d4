//! `profile/<user>`: what a user shows. Absent: nothing.

use rookery_protocol::UserId;

use super::{family, user_key};

/// Where a user's [`Profile`](rookery_protocol::Profile) is.
pub fn key(user: UserId) -> Vec<u8> {
    user_key(family::PROFILE, user, &[])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rookery_protocol::Profile;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = UserId::new(0x0102).expect("a small number is an id");
        assert_eq!(key(user), [0x17, 0, 0, 0, 0, 0, 0, 1, 2]);
        let profile = Profile { name: "A".into(), about: "B".into(), picture: String::new() };
        assert_eq!(super::super::encode(&profile)[..], [0x93, 0xa1, b'A', 0xa1, b'B', 0xa0]);
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_users(one in arbitrary::user(), other in arbitrary::user()) {
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }

        #[test]
        fn a_profile_reads_as_written((name, about, picture) in any::<(String, String, String)>()) {
            let profile = Profile { name, about, picture };
            let read = super::super::decode::<Profile>(&super::super::encode(&profile));
            prop_assert_eq!(read.expect("it was just written"), profile);
        }
    }
}
