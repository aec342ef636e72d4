//! `report/<part>/...`: what users have reported and no moderator has dealt with yet.
//!
//! | part | key after the part | value |
//! |---|---|---|
//! | `c` count | | how many there are, 8 bytes big-endian |
//! | `d` digest | reporter, digest | one byte: a report of this digest waits |
//! | `e` evidence | stamp | a list of [`Evidence`]; absent: none |
//! | `r` report | stamp | [`Report`] |
//! | `u` reporter | user | how many of the user's there are, 8 bytes big-endian |
//!
//! The digest is of all that a report says but its time, `xxh3_128` of its value with the time 0, 16 bytes big-endian: who sends
//! a report again while it waits makes no other.
//!
//! A report's stamp comes from the commit that wrote it, and is its name. Its evidence has the same stamp, and lies apart so
//! that reports are listed without it.

use bytes::Bytes;
use rookery_protocol::{Body, ConversationId, Message, Seq, Stamp, Text, UserId, positional};
use xxhash_rust::xxh3::xxh3_128;

use super::family;
use crate::error::StoreError;

/// Reports that there may be: what moderators may find to have waited, some 20 MB of it at the most, and 650 MB of evidence.
pub const REPORTS_MAX: u64 = 10_000;

/// Reports of one user that there may be: who waits for so many to be looked at need not make more.
pub const REPORTS_OF_USER_MAX: u64 = 50;

/// Bytes of a message's body that are kept: enough to judge it by. All messages of a report fit in one value.
pub const EVIDENCE_BYTES_MAX: usize = 4096;

positional! {
    /// What a message said when it was reported: it may be edited, deleted or forgotten since.
    pub struct Evidence {
        /// Its place.
        pub seq: Seq,
        /// Who sent it.
        pub sender: UserId,
        /// When it was accepted, milliseconds since 1970.
        pub time_ms: u64,
        /// The beginning of its body, [`EVIDENCE_BYTES_MAX`] at the most; `None`: it had none.
        pub body: Option<Body>,
    }
}

impl Evidence {
    /// What of a message is kept.
    pub fn of(message: &Message) -> Self {
        let Message { seq, sender, time_ms, .. } = *message;
        let body = message.body.as_ref().map(|body| Body::new(beginning(body.as_bytes())));
        Self { seq, sender, time_ms, body }
    }
}

/// The first bytes of a body; if it is a text, it is not cut in a character.
fn beginning(body: &Bytes) -> Bytes {
    if body.len() <= EVIDENCE_BYTES_MAX {
        return body.clone();
    }
    let is_boundary = |at: &usize| body[*at] & 0xc0 != 0x80;
    let end = (EVIDENCE_BYTES_MAX - 3..=EVIDENCE_BYTES_MAX).rev().find(is_boundary);
    body.slice(..end.unwrap_or(EVIDENCE_BYTES_MAX))
}

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

impl Report {
    /// Where is that a report which says the same waits.
    pub fn digest_key(&self) -> Vec<u8> {
        let digest = xxh3_128(&super::encode(&Self { time_ms: 0, ..self.clone() }));
        super::key(family::REPORT, &[b"d", &self.reporter.get().to_be_bytes(), &digest.to_be_bytes()])
    }
}

/// What is under a digest's key.
pub const DIGEST_VALUE: &[u8] = &[1];

/// Whether a key is that of a digest.
pub(crate) fn is_digest(key: &[u8]) -> bool {
    let rest = key.strip_prefix(&[family::REPORT, b'd']).and_then(|rest| rest.split_first_chunk());
    let reporter = rest.filter(|(_, digest)| digest.len() == 16).map(|(user, _)| u64::from_be_bytes(*user));
    reporter.is_some_and(|user| UserId::new(user).is_ok())
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

/// The prefix of all evidence, to which a commit adds the stamp.
pub fn evidence_prefix() -> Vec<u8> {
    super::key(family::REPORT, &[b"e"])
}

/// Where the evidence of a report is.
pub fn evidence_key(stamp: Stamp) -> Vec<u8> {
    super::key(family::REPORT, &[b"e", stamp.as_bytes()])
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
    let stamp = stamp_after(key, b'r');
    stamp.map(Stamp::from_bytes).ok_or_else(|| StoreError::Corrupt(format!("a report's key: {key:02x?}")))
}

/// Whether a key is that of evidence.
pub(crate) fn is_evidence(key: &[u8]) -> bool {
    stamp_after(key, b'e').is_some()
}

fn stamp_after(key: &[u8], part: u8) -> Option<[u8; 12]> {
    key.strip_prefix(&[family::REPORT, part])?.try_into().ok()
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
        assert_eq!(evidence_key(Stamp::from_bytes([7; 12])), [b"\x35e".as_slice(), &[7; 12]].concat());
        let body = Some(Body::new("b"));
        let evidence = vec![Evidence { seq: Seq::new(3), sender: user(2), time_ms: 4, body }];
        assert_eq!(super::super::encode(&evidence)[..], [0x91, 0x94, 3, 2, 4, 0xc4, 1, b'b']);
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
        let digest = xxh3_128(&[0x96, 1, 2, 0xc0, 0x91, 3, 0xa1, b'a', 0]).to_be_bytes();
        let whole = [b"\x35d\0\0\0\0\0\0\0\x01".as_slice(), &digest].concat();
        assert_eq!(report.digest_key(), whole);
    }

    #[test]
    fn a_long_body_is_cut_between_characters_if_it_has_any() {
        let cut = |body: String| beginning(&Bytes::from(body)).len();
        assert_eq!(cut("x".repeat(EVIDENCE_BYTES_MAX)), EVIDENCE_BYTES_MAX);
        assert_eq!(cut("x".repeat(EVIDENCE_BYTES_MAX + 1)), EVIDENCE_BYTES_MAX);
        assert_eq!(cut("x".repeat(EVIDENCE_BYTES_MAX - 1) + "\u{1f426}"), EVIDENCE_BYTES_MAX - 1);
        assert_eq!(beginning(&Bytes::from(vec![0x80; 2 * EVIDENCE_BYTES_MAX])).len(), EVIDENCE_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn reports_are_in_the_order_of_their_stamps(one in arbitrary::stamp(), other in arbitrary::stamp()) {
            prop_assert_eq!(stamp_of(&key(one)).expect("it has one"), one);
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
            prop_assert!(key(one).starts_with(&prefix()) && count_key() < prefix());
            prop_assert!(is_evidence(&evidence_key(one)) && !is_evidence(&key(one)));
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
            prop_assert_eq!(&read.expect("it was just written"), &report);
            let key = report.digest_key();
            prop_assert!(is_digest(&key) && !is_evidence(&key) && stamp_of(&key).is_err());
            prop_assert_eq!(Report { time_ms: 0, ..report }.digest_key(), key);
            prop_assert_eq!(decode_count(&encode_count(count)).expect("it was just written"), count);
        }

        #[test]
        fn any_bytes_are_a_stamp_and_a_count_or_an_error(bytes: Vec<u8>) {
            let _ = (stamp_of(&bytes), is_evidence(&bytes), is_digest(&bytes), decode_count(&bytes));
        }
    }
}
