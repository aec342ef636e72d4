//! `report/<part>/...`: what users have reported and no moderator has dealt with yet.
//!
//! | part | key after the part | value |
//! |---|---|---|
//! | `c` count | | how many there are, 8 bytes big-endian |
//! | `r` report | stamp | [`Report`] |
//! | `u` reporter | user | how many of the user's there are, 8 bytes big-endian |
//!
//! A report's stamp comes from the commit that wrote it, and is its name.

use rookery_protocol::{ConversationId, Seq, Stamp, Text, UserId, positional};

use super::family;
use crate::error::StoreError;

/// Reports that there may be: what moderators may find to have waited, some 20 MB of it at the most.
pub const REPORTS_MAX: u64 = 10_000;

/// Reports of one user that there may be: who waits for so many to be looked at need not make more.
pub const REPORTS_OF_USER_MAX: u64 = 50;

positional! {
    /// What a user has reported.
    pub struct Report {
        /// Who has.
        pub reporter: UserId,
        /// Who is reported.
        pub user: UserId,
        /// Where it happened, if in a conversation of the reporter's.
        pub conversation: Option<ConversationId>,
        /// The messages in question.
        pub seqs: Vec<Seq>,
        /// What happened, in the reporter's words.
        pub text: String as Text,
        /// When it was reported, milliseconds since 1970.
        pub time_ms: u64,
    }
}

/// Where is how many reports there are.
pub fn count_key() -> Vec<u8> {
    super::key(family::REPORT, &[b"c"])
}

/// The prefix of all reports, to which a commit adds the stamp.
pub fn prefix() -> Vec<u8> {
    super::key(family::REPORT, &[b"r"])
}

/// Where a report is.
pub fn key(stamp: Stamp) -> Vec<u8> {
    super::key(family::REPORT, &[b"r", stamp.as_bytes()])
}

/// Where is how many reports of a user's there are.
pub fn reporter_key(reporter: UserId) -> Vec<u8> {
    super::key(family::REPORT, &[b"u", &reporter.get().to_be_bytes()])
}

/// The stamp of a report's key.
///
/// # Errors
/// [`StoreError::Corrupt`] when it has none.
pub fn stamp_of(key: &[u8]) -> Result<Stamp, StoreError> {
    let stamp = key.strip_prefix(&[family::REPORT, b'r']).and_then(|bytes| bytes.try_into().ok());
    stamp.map(Stamp::from_bytes).ok_or_else(|| StoreError::Corrupt(format!("a report's key: {key:02x?}")))
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
        value.try_into().map_err(|_| StoreError::Corrupt(format!("a count of reports: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let user = |number| UserId::new(number).expect("a small number is an id");
        assert_eq!(count_key(), *b"\x35c");
        assert_eq!(key(Stamp::from_bytes([7; 12])), [b"\x35r".as_slice(), &[7; 12]].concat());
        assert_eq!(reporter_key(user(0x0102)), *b"\x35u\0\0\0\0\0\0\x01\x02");
        assert_eq!(encode_count(3), [0, 0, 0, 0, 0, 0, 0, 3]);
        let report = Report {
            reporter: user(1),
            user: user(2),
            conversation: None,
            seqs: vec![Seq::new(3)],
            text: "a".into(),
            time_ms: 4,
        };
        assert_eq!(super::super::encode(&report)[..], [0x96, 1, 2, 0xc0, 0x91, 3, 0xa1, b'a', 4]);
    }

    proptest! {
        #[test]
        fn reports_are_in_the_order_of_their_stamps(one in arbitrary::stamp(), other in arbitrary::stamp()) {
            prop_assert_eq!(stamp_of(&key(one)).expect("it has one"), one);
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
            prop_assert!(key(one).starts_with(&prefix()) && count_key() < prefix());
        }

        #[test]
        fn values_read_as_written(
            (reporter, user) in (arbitrary::user(), arbitrary::user()),
            conversation in prop::option::of(arbitrary::conversation()),
            seqs in prop::collection::vec(arbitrary::seq(), 0..20),
            (text, time_ms, count) in any::<(String, u64, u64)>(),
        ) {
            let report = Report { reporter, user, conversation, seqs, text, time_ms };
            let read = super::super::decode::<Report>(&super::super::encode(&report));
            prop_assert_eq!(read.expect("it was just written"), report);
            prop_assert_eq!(decode_count(&encode_count(count)).expect("it was just written"), count);
        }

        #[test]
        fn any_bytes_are_a_stamp_and_a_count_or_an_error(bytes: Vec<u8>) {
            let _ = (stamp_of(&bytes), decode_count(&bytes));
        }
    }
}
