//! `conversation/<conversation>/<part>/...`: everything one message touches in its conversation lies together.
//!
//! | part | key after the part | value |
//! |---|---|---|
//! | `e` edits | seq of the message, seq of the edit | the edit's [`MessageHead`](rookery_protocol::MessageHead) |
//! | `h` head | | the last message's seq, 8 bytes big-endian; absent: none yet |
//! | `l` log | seq | the [`Message`](rookery_protocol::Message) as on the wire |
//! | `m` mark | user | [`Mark`] |
//! | `s` sent | user, device, message id | [`SentRecord`] |
//! | `w` withheld | seq | one byte: only its sender sees the message |

use rookery_protocol::{ConversationId, DeviceId, MessageId, Seq, UserId, positional};

use super::family;
use crate::error::StoreError;

positional! {
    /// How far a member has come. All only grow; `shown <= read <= delivered`.
    pub struct Mark {
        /// All up to here have reached one of the user's devices.
        pub delivered: Seq,
        /// All up to here have been read.
        pub read: Seq,
        since later:
        /// When `delivered` came to be that, milliseconds since 1970; 0: not known.
        pub delivered_ms: u64,
        /// When `read` came to be that.
        pub read_ms: u64,
        /// Others are told of all up to here that it has been read; `None`: of all that has been.
        pub shown: Option<Seq>,
    }
}

positional! {
    /// What became of a message id: the first, and only, answer to it.
    pub struct SentRecord {
        /// The message's place.
        pub seq: Seq,
        /// When it was accepted, milliseconds since 1970.
        pub time_ms: u64,
    }
}

impl Mark {
    /// Nothing has arrived.
    pub const NONE: Self =
        Self { delivered: Seq::ZERO, read: Seq::ZERO, delivered_ms: 0, read_ms: 0, shown: None };

    /// All up to here have been read, as far as others are told.
    pub fn shown(&self) -> Seq {
        self.shown.unwrap_or(self.read)
    }

    /// The mark as others are told of it: they do not learn when something was read that they are not told of either.
    pub fn as_shown(&self) -> Self {
        let read_ms = if self.shown.is_some() { 0 } else { self.read_ms };
        Self { read: self.shown(), read_ms, shown: None, ..*self }
    }

    /// With all up to `delivered` and `read` at that time, and whether others are told what is read now.
    pub fn raised(&self, (delivered, read): (Seq, Seq), time_ms: u64, is_shown: bool) -> Self {
        let mut raised = self.clone();
        if read > self.read {
            (raised.read, raised.read_ms) = (read, time_ms);
            let shown = if is_shown { read } else { self.shown() };
            raised.shown = (shown != read).then_some(shown);
        }
        if delivered.max(read) > self.delivered {
            (raised.delivered, raised.delivered_ms) = (delivered.max(read), time_ms);
        }
        raised
    }
}

fn part(conversation: ConversationId, part: u8, rest: &[&[u8]]) -> Vec<u8> {
    let conversation = conversation.to_bytes();
    let mut parts: Vec<&[u8]> = vec![&conversation, std::slice::from_ref(&part)];
    parts.extend_from_slice(rest);
    super::key(family::CONVERSATION, &parts)
}

/// The prefix of all conversations.
pub fn family_prefix() -> Vec<u8> {
    vec![family::CONVERSATION]
}

/// The prefix of everything in a conversation.
pub fn prefix(conversation: ConversationId) -> Vec<u8> {
    super::key(family::CONVERSATION, &[&conversation.to_bytes()])
}

/// The conversation a key is about.
pub fn conversation_of(key: &[u8]) -> Option<ConversationId> {
    let bytes = match key.get(1)? {
        b'd' => key.get(1..18)?,
        _ => key.get(1..10)?,
    };
    ConversationId::from_bytes(bytes).ok()
}

/// Where an edit of a message is noted.
pub fn edit_key(conversation: ConversationId, of: Seq, edit: Seq) -> Vec<u8> {
    part(conversation, b'e', &[&of.get().to_be_bytes(), &edit.get().to_be_bytes()])
}

/// The prefix of the edits of a message, and where those of all messages before it end.
pub fn edits_prefix(conversation: ConversationId, of: Seq) -> Vec<u8> {
    part(conversation, b'e', &[&of.get().to_be_bytes()])
}

/// Where it says that only its sender sees a message.
pub fn withheld_key(conversation: ConversationId, seq: Seq) -> Vec<u8> {
    part(conversation, b'w', &[&seq.get().to_be_bytes()])
}

/// Where the head is.
pub fn head_key(conversation: ConversationId) -> Vec<u8> {
    part(conversation, b'h', &[])
}

/// Where a message is.
pub fn log_key(conversation: ConversationId, seq: Seq) -> Vec<u8> {
    part(conversation, b'l', &[&seq.get().to_be_bytes()])
}

/// Where a member's mark is.
pub fn mark_key(conversation: ConversationId, user: UserId) -> Vec<u8> {
    part(conversation, b'm', &[&user.get().to_be_bytes()])
}

/// Where the answer to a message id is.
pub fn sent_key(conversation: ConversationId, user: UserId, device: DeviceId, id: MessageId) -> Vec<u8> {
    part(conversation, b's', &[&user.get().to_be_bytes(), &device.get().to_be_bytes(), id.as_bytes()])
}

/// A head's value.
pub fn encode_head(head: Seq) -> Vec<u8> {
    head.get().to_be_bytes().to_vec()
}

/// The head in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_head(value: &[u8]) -> Result<Seq, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("a head: {value:02x?}")))?;
    Ok(Seq::new(u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let (anna, bert) = (UserId::new(1).expect("an id"), UserId::new(2).expect("an id"));
        let conversation = ConversationId::direct(anna, bert);
        let whole = [[0x20, b'd'].as_slice(), &1_u64.to_be_bytes(), &2_u64.to_be_bytes()].concat();
        assert_eq!(prefix(conversation), whole);
        let with = |rest: &[u8]| [whole.as_slice(), rest].concat();
        let edit = edit_key(conversation, Seq::new(3), Seq::new(5));
        assert_eq!(edit, with(b"e\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x05"));
        assert_eq!(head_key(conversation), with(b"h"));
        assert_eq!(log_key(conversation, Seq::new(3)), with(b"l\0\0\0\0\0\0\0\x03"));
        assert_eq!(mark_key(conversation, bert), with(b"m\0\0\0\0\0\0\0\x02"));
        let sent = sent_key(conversation, anna, DeviceId::new(4), MessageId::from_bytes([9; 16]));
        assert_eq!(withheld_key(conversation, Seq::new(3)), with(b"w\0\0\0\0\0\0\0\x03"));
        assert_eq!(sent, with(&[b"s\0\0\0\0\0\0\0\x01\0\0\0\x04".as_slice(), &[9; 16]].concat()));
    }

    #[test]
    fn a_mark_written_before_there_was_privacy_shows_all_that_was_read() {
        let mark: Mark = super::super::decode(&[0x92, 7, 5]).expect("two fields are a mark");
        assert_eq!((mark.delivered, mark.read, mark.shown()), (Seq::new(7), Seq::new(5), Seq::new(5)));
    }

    #[test]
    fn what_is_read_unseen_is_shown_with_what_is_read_in_sight_later() {
        let raised = |mark: &Mark, delivered, read, is_shown| {
            let mark = mark.raised((Seq::new(delivered), Seq::new(read)), 10 + read, is_shown);
            let numbers = (mark.delivered.get(), mark.read.get(), mark.shown().get());
            (mark, numbers)
        };
        let (mark, numbers) = raised(&Mark::NONE, 0, 3, true);
        assert_eq!(numbers, (3, 3, 3));
        let (mark, numbers) = raised(&mark, 9, 5, false);
        assert_eq!(numbers, (9, 5, 3));
        let others = mark.as_shown();
        assert_eq!((mark.read_ms, others.read_ms, others.read.get(), others.shown), (15, 0, 3, None));
        let (mark, numbers) = raised(&mark, 1, 4, true);
        assert_eq!(numbers, (9, 5, 3), "nothing is read by that");
        let (mark, numbers) = raised(&mark, 0, 6, true);
        assert_eq!((numbers, mark.as_shown()), ((9, 6, 6), mark));
    }

    proptest! {
        #[test]
        fn everything_in_a_conversation_lies_under_its_prefix_and_names_it(
            conversation in arbitrary::conversation(),
            other in arbitrary::conversation(),
            (user, device) in (arbitrary::user(), arbitrary::device()),
            (seq, id) in (arbitrary::seq(), arbitrary::message_id()),
        ) {
            for key in [
                edit_key(conversation, seq, seq.min(Seq::new(7))),
                head_key(conversation),
                log_key(conversation, seq),
                mark_key(conversation, user),
                sent_key(conversation, user, device, id),
                withheld_key(conversation, seq),
            ] {
                prop_assert!(key.starts_with(&family_prefix()) && key.starts_with(&prefix(conversation)));
                prop_assert_eq!(conversation_of(&key), Some(conversation));
                prop_assert!(other == conversation || !key.starts_with(&prefix(other)));
            }
        }

        #[test]
        fn a_log_is_in_the_order_of_its_seqs(
            conversation in arbitrary::conversation(),
            (one, other) in (arbitrary::seq(), arbitrary::seq()),
        ) {
            let (one_key, other_key) = (log_key(conversation, one), log_key(conversation, other));
            prop_assert_eq!(one_key.cmp(&other_key), one.cmp(&other));
            prop_assert!(head_key(conversation) < one_key);
            let (edits, edit) = (edits_prefix(conversation, one), edit_key(conversation, one, other));
            prop_assert!(edit.starts_with(&edits) && edit < head_key(conversation));
            prop_assert_eq!(edits.cmp(&edits_prefix(conversation, other)), one.cmp(&other));
            prop_assert!(one_key < prefix_end_of_log(conversation));
        }

        #[test]
        fn values_read_as_written(seq in arbitrary::seq(), delivered in arbitrary::seq(), shown in prop::option::of(arbitrary::seq()), time_ms: u64) {
            prop_assert_eq!(decode_head(&encode_head(seq)).expect("it was just written"), seq);
            let mark = Mark { delivered, read: seq, delivered_ms: time_ms, read_ms: 7, shown };
            prop_assert_eq!(super::super::decode::<Mark>(&super::super::encode(&mark)).expect("as written"), mark);
            let sent = SentRecord { seq, time_ms };
            let read = super::super::decode::<SentRecord>(&super::super::encode(&sent));
            prop_assert_eq!(read.expect("it was just written"), sent);
        }

        #[test]
        fn a_mark_written_before_marks_had_times_has_none(seq in 0..128_u8) {
            let mark = super::super::decode::<Mark>(&[0x92, seq, 0]).expect("two fields are a mark");
            prop_assert_eq!(mark, Mark { delivered: Seq::new(seq.into()), ..Mark::NONE });
        }

        #[test]
        fn any_bytes_are_a_conversation_or_an_error(bytes: Vec<u8>) {
            let _ = (conversation_of(&bytes), decode_head(&bytes));
        }
    }

    fn prefix_end_of_log(conversation: ConversationId) -> Vec<u8> {
        part(conversation, b'm', &[])
    }
}
