//! A second reader of MessagePack, written from its specification: what agrees with the vectors here does not do so
//! because the crate's own reader and writer share a mistake.

use crate::vector_file::Value;

/// Reads one value and says what is left.
pub(crate) fn read(bytes: &[u8]) -> (Value, &[u8]) {
    let (marker, rest) = bytes.split_first().expect("a value begins here");
    match *marker {
        0x00..=0x7f => (Value::Uint(u64::from(*marker)), rest),
        0x80..=0x8f | 0xde | 0xdf => panic!("no payload has a map"),
        0x90..=0x9f => items(rest, u64::from(marker & 0x0f)),
        0xa0..=0xbf => text(rest, u64::from(marker & 0x1f)),
        0xc0 => (Value::Nil, rest),
        0xc2 => (Value::Bool(false), rest),
        0xc3 => (Value::Bool(true), rest),
        0xc4..=0xc6 => {
            let (length, rest) = uint(rest, 1 << (marker - 0xc4));
            let (data, rest) = rest.split_at(usize::try_from(length).expect("64 bits"));
            (Value::Bin(data.to_vec()), rest)
        }
        0xcc..=0xcf => {
            let (number, rest) = uint(rest, 1 << (marker - 0xcc));
            (Value::Uint(number), rest)
        }
        0xd9..=0xdb => {
            let (length, rest) = uint(rest, 1 << (marker - 0xd9));
            text(rest, length)
        }
        0xdc..=0xdd => {
            let (length, rest) = uint(rest, 2 << (marker - 0xdc));
            items(rest, length)
        }
        _ => panic!("no payload has {marker:#04x}"),
    }
}

fn uint(bytes: &[u8], width: usize) -> (u64, &[u8]) {
    let (digits, rest) = bytes.split_at(width);
    (digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)), rest)
}

fn text(bytes: &[u8], length: u64) -> (Value, &[u8]) {
    let (data, rest) = bytes.split_at(usize::try_from(length).expect("64 bits"));
    (Value::Text(String::from_utf8(data.to_vec()).expect("str is UTF-8")), rest)
}

fn items(mut bytes: &[u8], length: u64) -> (Value, &[u8]) {
    let mut list = Vec::new();
    for _ in 0..length {
        let (value, rest) = read(bytes);
        list.push(value);
        bytes = rest;
    }
    (Value::List(list), bytes)
}
