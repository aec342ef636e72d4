//! The positional macro: old and new versions of a struct read each other, and nothing else passes for one.

use proptest::prelude::*;
use rookery_protocol::{Body, Stamp, ValueError, decode_value, encode_value, limits, positional};

mod first {
    rookery_protocol::positional! {
        /// As first released.
        pub struct Note {
            /// A field.
            pub number: u32,
            /// Another.
            pub text: String,
        }
    }
}

mod second {
    rookery_protocol::positional! {
        /// Two releases later.
        pub struct Note {
            /// A field.
            pub number: u32,
            /// Another.
            pub text: String,
            since later:
            /// Added first.
            pub colour: u8,
            /// Added next.
            pub tags: Vec<Option<String>>,
        }
    }
}

positional! {
    /// A struct of structs.
    struct Book {
        /// The notes, in whichever version the reader knows.
        pub notes: Vec<second::Note>,
        /// Something after them.
        pub last: Option<Body>,
    }
}

fn bytes_of<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, value);
    bytes
}

proptest! {
    #[test]
    fn old_reads_new_without_what_it_does_not_know(number: u32, text: String, colour: u8, tags: Vec<Option<String>>) {
        let bytes = bytes_of(&second::Note { number, text: text.clone(), colour, tags });
        prop_assert_eq!(decode_value::<first::Note>(&bytes).unwrap(), first::Note { number, text });
    }

    #[test]
    fn new_reads_old_with_defaults(number: u32, text: String) {
        let bytes = bytes_of(&first::Note { number, text: text.clone() });
        let expected = second::Note { number, text, colour: 0, tags: Vec::new() };
        prop_assert_eq!(decode_value::<second::Note>(&bytes).unwrap(), expected);
    }

    #[test]
    fn structs_inside_structs_evolve_the_same_way(numbers: Vec<u32>, last: Option<Vec<u8>>) {
        let last = last.map(Body::new);
        let old: Vec<_> = numbers.iter().map(|number| first::Note { number: *number, text: String::new() }).collect();
        let new = numbers.iter().map(|number| second::Note {
            number: *number, text: String::new(), colour: 0, tags: Vec::new(),
        }).collect();
        let bytes = bytes_of(&(old, &last));
        prop_assert_eq!(decode_value::<Book>(&bytes).unwrap(), Book { notes: new, last });
    }
}

#[test]
fn a_version_between_the_two_is_read_with_the_fields_it_has() {
    let note = decode_value::<second::Note>(&[0x93, 1, 0xa1, b'a', 7]).unwrap();
    assert_eq!(note, second::Note { number: 1, text: "a".into(), colour: 7, tags: Vec::new() });
}

#[test]
fn a_field_of_the_first_release_must_be_there() {
    let error = decode_value::<second::Note>(&[0x91, 1]).unwrap_err();
    assert!(error.to_string().contains("text"), "{error}");
    assert!(decode_value::<second::Note>(&[0x90]).is_err());
}

#[test]
fn a_later_field_of_the_wrong_kind_is_refused() {
    assert!(decode_value::<second::Note>(&[0x93, 1, 0xa1, b'a', 0xa1, b'b']).is_err());
}

#[test]
fn maps_binary_text_and_numbers_are_no_structs() {
    positional! {
        /// Two small numbers, which two bytes might pass for.
        struct Pair {
            /// One.
            pub one: u8,
            /// Two.
            pub two: u8,
        }
    }
    assert_eq!(decode_value::<Pair>(&[0x92, 1, 2]).unwrap(), Pair { one: 1, two: 2 });
    let impostors: [&[u8]; 6] =
        [&[0xc4, 2, 1, 2], &[0x82, 1, 2, 3, 4], &[0xa2, 1, 2], &[7], &[0xc0], &[0xd5, 1, 2, 3]];
    for bytes in impostors {
        assert!(decode_value::<Pair>(bytes).is_err(), "{bytes:02x?}");
    }
}

#[test]
fn anything_behind_a_value_is_noticed() {
    // Every possible marker, alone and followed by more: among them beginnings of arrays, maps, texts, and 0xc1.
    for marker in 0..=u8::MAX {
        for behind in [&[marker][..], &[marker, 0], &[marker, marker, marker, marker, marker, marker]] {
            let bytes = [&[0x07][..], behind].concat();
            assert!(matches!(decode_value::<u64>(&bytes), Err(ValueError::Trailing)), "{bytes:02x?}");
            let bytes = [&[0x92, 1, 0xa0][..], behind].concat();
            assert!(matches!(decode_value::<first::Note>(&bytes), Err(ValueError::Trailing)), "{bytes:02x?}");
        }
    }
    assert_eq!(decode_value::<u64>(&[0x07]).unwrap(), 7);
    assert_eq!(decode_value::<Option<u64>>(&[0xc0]).unwrap(), None);
    assert!(decode_value::<Option<u64>>(&[0xc0, 0xc0]).is_err());
    assert!(decode_value::<u64>(&[]).is_err());
}

#[test]
fn depth_has_an_end_well_before_the_stack_has() {
    let nested =
        |opening: &[u8], depth: usize| [&[0x93, 1, 0xa0][..], &opening.repeat(depth), &[0xc0]].concat();
    // The struct itself is one level.
    assert!(decode_value::<first::Note>(&nested(&[0x91], limits::DEPTH_MAX - 1)).is_ok());
    for depth in [limits::DEPTH_MAX, 1_000, 1_000_000] {
        assert!(decode_value::<first::Note>(&nested(&[0x91], depth)).is_err());
        assert!(decode_value::<first::Note>(&nested(&[0x81, 0x00], depth)).is_err());
    }
}

#[test]
fn text_that_is_not_utf8_is_no_text() {
    assert!(decode_value::<first::Note>(&[0x92, 1, 0xa2, 0xc3, 0x28]).is_err());
    assert!(decode_value::<first::Note>(&[0x92, 1, 0xd9, 1, 0xff]).is_err());
    // In a field that is passed over it does no harm.
    assert!(decode_value::<first::Note>(&[0x93, 1, 0xa0, 0xa1, 0xff]).is_ok());
}

#[test]
fn an_error_about_a_body_does_not_quote_it() {
    let error = decode_value::<Body>(b"\xa6secret").unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[test]
fn bytes_of_another_length_are_no_stamp() {
    for length in [0, 11, 13] {
        let bytes = [&[0xc4, length][..], &vec![0; usize::from(length)]].concat();
        assert!(decode_value::<Stamp>(&bytes).is_err(), "{length}");
    }
}
