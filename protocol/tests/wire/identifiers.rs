//! Identifiers: what is one, how they are written, and that their order is the order of their bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use rookery_protocol::*;

use crate::strategies::{conversation, handle, message_id, stamp};

fn carried<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, value);
    decode_value(&bytes).unwrap()
}

#[test]
fn ids_are_1_to_2_pow_53_minus_1_in_code_and_on_the_wire() {
    for number in [1, 2, UserId::MAX - 1, UserId::MAX] {
        assert_eq!(UserId::new(number).unwrap().get(), number);
        assert_eq!(GroupId::new(number).unwrap().get(), number);
    }
    for number in [0, UserId::MAX + 1, u64::MAX] {
        assert!(UserId::new(number).is_err() && GroupId::new(number).is_err());
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &number);
        assert!(decode_value::<UserId>(&bytes).is_err() && decode_value::<GroupId>(&bytes).is_err());
    }
}

#[test]
fn a_conversation_is_the_same_from_both_ends_and_knows_the_other() {
    let (a, b, c) = (UserId::new(1).unwrap(), UserId::new(2).unwrap(), UserId::new(3).unwrap());
    let chat = ConversationId::direct(b, a);
    assert_eq!(chat, ConversationId::direct(a, b));
    assert_eq!(chat.direct_users(), Some((a, b)));
    assert_eq!((chat.direct_peer(a), chat.direct_peer(b), chat.direct_peer(c)), (Some(b), Some(a), None));
    assert_eq!(ConversationId::direct(a, a).direct_peer(a), Some(a));
    let group = ConversationId::group(GroupId::new(1).unwrap());
    assert_eq!((group.direct_users(), group.direct_peer(a)), (None, None));
}

#[test]
fn a_conversation_is_not_read_from_other_bytes() {
    use ConversationIdError::{Form, Order};
    let chat = ConversationId::direct(UserId::new(1).unwrap(), UserId::new(2).unwrap()).to_bytes();
    assert_eq!(ConversationId::from_bytes(&[]), Err(Form));
    assert_eq!(ConversationId::from_bytes(&chat[..16]), Err(Form));
    assert_eq!(ConversationId::from_bytes(&[&chat[..], &[0]].concat()), Err(Form));
    let mut swapped = chat.to_vec();
    swapped[1..].rotate_left(8);
    assert_eq!(ConversationId::from_bytes(&swapped), Err(Order));
    for text in ["", "d", "d:1", "d:1:2:3", "g:", "g:-1", "g:+1", "d:+1:2", "x:1", "g:18446744073709551616"] {
        assert_eq!(text.parse::<ConversationId>(), Err(Form), "{text}");
    }
    for text in ["g:0", "d:0:1", "g:9007199254740992"] {
        assert!(matches!(text.parse::<ConversationId>(), Err(ConversationIdError::Id(_))), "{text}");
    }
}

#[test]
fn hexadecimal_ids_have_digits_only_and_the_right_number_of_them() {
    let stamp: Stamp = "000102030405060708090a0B".parse().unwrap();
    assert_eq!(stamp.as_bytes(), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for text in [
        "",
        "00",
        "+00102030405060708090a0b",
        "000102030405060708090a0b0c",
        "00010203040506070809\u{e9}\u{e9}",
    ] {
        assert_eq!(text.parse::<Stamp>(), Err(HexError), "{text}");
    }
}

#[test]
fn handles_are_folded_and_refuse_what_they_do_not_have() {
    assert_eq!("Alice.B-c_9".parse::<Handle>().unwrap().as_str(), "alice.b-c_9");
    for text in ["", &"a".repeat(33)] {
        assert_eq!(text.parse::<Handle>(), Err(HandleError::Length), "{text}");
    }
    for text in [".a", "-a", "_a", "a b", "a@b", "\u{e9}", "a\0", "\u{212a}"] {
        assert_eq!(text.parse::<Handle>(), Err(HandleError::Character), "{text}");
    }
    let mut bytes = Vec::new();
    encode_value(&mut bytes, &"Alice");
    assert_eq!(decode_value::<Handle>(&bytes).unwrap().as_str(), "alice");
}

#[test]
fn sequence_numbers_follow_one_another_from_zero() {
    assert_eq!(Seq::ZERO.next(), Seq::new(1));
    assert!(std::panic::catch_unwind(|| Seq::new(u64::MAX).next()).is_err());
}

proptest! {
    #[test]
    fn stamps_survive_text_and_wire_and_order_as_bytes(a in stamp(), b in stamp()) {
        prop_assert_eq!(a.to_string().parse::<Stamp>().unwrap(), a);
        prop_assert_eq!(carried(&a), a);
        prop_assert_eq!(a.cmp(&b), a.as_bytes().cmp(b.as_bytes()));
        prop_assert!(Stamp::ZERO <= a && a <= Stamp::MAX);
    }

    #[test]
    fn message_ids_survive_text_and_wire(id in message_id()) {
        prop_assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
        prop_assert_eq!(carried(&id), id);
    }

    #[test]
    fn conversations_survive_bytes_text_and_wire_and_order_as_bytes(a in conversation(), b in conversation()) {
        prop_assert_eq!(ConversationId::from_bytes(&a.to_bytes()).unwrap(), a);
        prop_assert_eq!(a.to_string().parse::<ConversationId>().unwrap(), a);
        prop_assert_eq!(carried(&a), a);
        prop_assert_eq!(a.cmp(&b), a.to_bytes().cmp(&b.to_bytes()));
    }

    #[test]
    fn conversations_read_from_any_bytes_are_written_as_those_bytes(bytes in vec(any::<u8>(), 0..20), kind in "[dg]") {
        let bytes = [kind.as_bytes(), &bytes].concat();
        if let Ok(read) = ConversationId::from_bytes(&bytes) {
            prop_assert_eq!(&read.to_bytes()[..], &bytes[..]);
        }
    }

    #[test]
    fn handles_survive_text_and_wire(handle in handle()) {
        prop_assert_eq!(&handle.to_string().parse::<Handle>().unwrap(), &handle);
        prop_assert_eq!(carried(&handle), handle);
    }
}
