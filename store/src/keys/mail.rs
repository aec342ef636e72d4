//! `mail/<name>/<part>/...`: what nodes tell a node through the store, while they have no link to it.
//!
//! | part | key after the part | value |
//! |---|---|---|
//! | `0x00` entry | stamp | [`Entry`]: its number, 8 bytes big-endian, and what it says |
//! | `0x01` bell | | [`Bell`]: another with each post, so it is what to watch |
//! | `0x02` taken | | the number of the last entry dealt with, 8 bytes big-endian; absent: 0 |
//!
//! Entries are numbered from 1 for each run of a node, so how many there are is a difference of two numbers.

use bytes::Bytes;
use rookery_protocol::{Stamp, positional};

use super::family;
use super::node::NodeName;
use crate::error::StoreError;
use crate::op::KeyRange;

/// The longest an entry may be, in bytes.
pub const ENTRY_BYTES_MAX: usize = 60_000;

/// Entries that may wait for one node. One that does not deal with so many has worse troubles.
pub const ENTRIES_MAX: u64 = 10_000;

positional! {
    /// The last post.
    pub struct Bell {
        /// Tells it from any other.
        pub nonce: u64,
        /// The number of the last entry posted.
        pub posted: u64,
    }
}

/// One message to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number among all that have been posted to this run of the node, from 1.
    pub number: u64,
    /// What it says.
    pub says: Bytes,
}

fn part(name: &NodeName, part: u8, rest: &[u8]) -> Vec<u8> {
    super::key(family::MAIL, &[name.as_str().as_bytes(), &[part], rest])
}

/// Everything about a node's mail.
pub fn all(name: &NodeName) -> KeyRange {
    KeyRange { end: part(name, 0x03, &[]), ..KeyRange::prefix(&entry_prefix(name), usize::MAX) }
}

/// The prefix of a node's entries, to which a commit adds the stamp.
pub fn entry_prefix(name: &NodeName) -> Vec<u8> {
    part(name, 0x00, &[])
}

/// The key of an entry.
pub fn entry_key(name: &NodeName, stamp: Stamp) -> Vec<u8> {
    part(name, 0x00, stamp.as_bytes())
}

/// The stamp of an entry's key.
///
/// # Errors
/// [`StoreError::Corrupt`] when the key has none.
pub fn stamp_of(key: &[u8]) -> Result<Stamp, StoreError> {
    let bytes = key.last_chunk().filter(|_| key.len() > 14);
    bytes
        .map(|bytes| Stamp::from_bytes(*bytes))
        .ok_or_else(|| StoreError::Corrupt(format!("a mail key: {key:02x?}")))
}

/// Where a node's bell is. Its value changes with each post.
pub fn bell_key(name: &NodeName) -> Vec<u8> {
    part(name, 0x01, &[])
}

/// Where the number of the last entry dealt with is.
pub fn taken_key(name: &NodeName) -> Vec<u8> {
    part(name, 0x02, &[])
}

/// The value for a number of the last entry dealt with.
pub fn encode_taken(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// The number of the last entry dealt with, in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_taken(value: &[u8]) -> Result<u64, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("mail taken: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

impl Entry {
    /// The value.
    pub fn encode(&self) -> Bytes {
        [&self.number.to_be_bytes(), &self.says[..]].concat().into()
    }

    /// The entry in a value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it has no number.
    pub fn decode(value: &Bytes) -> Result<Self, StoreError> {
        let number = value.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
        let number = number.ok_or_else(|| StoreError::Corrupt(format!("mail: {value:02x?}")))?;
        Ok(Self { number, says: value.slice(8..) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        let name: NodeName = "n1".parse().expect("it is a name");
        let key = entry_key(&name, Stamp::from_bytes([7; 12]));
        assert_eq!(key, [b"\x42n1\x00".as_slice(), &[7; 12]].concat());
        assert_eq!(bell_key(&name), b"\x42n1\x01");
        assert_eq!(taken_key(&name), b"\x42n1\x02");
        let entry = Entry { number: 2, says: "hi".into() };
        assert_eq!(entry.encode()[..], *b"\0\0\0\0\0\0\0\x02hi");
        assert_eq!(super::super::encode(&Bell { nonce: 1, posted: 2 })[..], *b"\x92\x01\x02");
        assert_eq!(encode_taken(3), [0, 0, 0, 0, 0, 0, 0, 3]);
    }

    proptest! {
        #[test]
        fn a_nodes_mail_is_in_the_order_of_stamps_and_apart_from_others(
            (one, other) in (arbitrary::node(), arbitrary::node()),
            (stamp, later) in (arbitrary::stamp(), arbitrary::stamp()),
        ) {
            prop_assert_eq!(stamp_of(&entry_key(&one, stamp)).expect("it has one"), stamp);
            prop_assert_eq!(entry_key(&one, stamp).cmp(&entry_key(&one, later)), stamp.cmp(&later));
            let KeyRange { begin, end, .. } = all(&one);
            for key in [entry_key(&one, stamp), bell_key(&one), taken_key(&one)] {
                prop_assert!(begin <= key && key < end);
            }
            for key in [entry_key(&other, stamp), bell_key(&other), taken_key(&other)] {
                prop_assert_eq!(begin <= key && key < end, one == other);
            }
        }

        #[test]
        fn values_read_as_written(number: u64, nonce: u64, says: Vec<u8>) {
            let entry = Entry { number, says: says.into() };
            prop_assert_eq!(Entry::decode(&entry.encode()).expect("it was just written"), entry);
            prop_assert_eq!(decode_taken(&encode_taken(number)).expect("it was just written"), number);
            let bell = Bell { nonce, posted: number };
            let read = super::super::decode::<Bell>(&super::super::encode(&bell));
            prop_assert_eq!(read.expect("it was just written"), bell);
        }

        #[test]
        fn any_bytes_are_mail_or_an_error(bytes: Vec<u8>) {
            let _ = (stamp_of(&bytes), decode_taken(&bytes), Entry::decode(&bytes.into()));
        }
    }
}
