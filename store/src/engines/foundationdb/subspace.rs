//! Where the store's keys lie in the database: all under one prefix, so that a database can hold several stores.
//!
//! Under the prefix come the store's keys as they are. The ordinal `0x00`, which no key family has, is the engine's own:
//!
//! | key | |
//! |---|---|
//! | `0x00 'f'`, instance, call, 8 bytes each | a fence: never written, only named in conflict ranges |
//! | `0x00 'v'` | the cluster's version at the last open, 8 bytes big-endian |

use super::cluster::PageRequest;
use crate::op::KeyRange;
use crate::stamp::StampSlot;

/// Bytes of a prefix at most: it is repeated in every key.
pub(super) const PREFIX_BYTES_MAX: usize = 64;

/// The keys under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Subspace {
    prefix: Vec<u8>,
}

impl Subspace {
    pub(super) fn new(prefix: Vec<u8>) -> Self {
        Self { prefix }
    }

    /// A key in the database.
    pub(super) fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.prefix, key].concat()
    }

    /// A range in the database, without its limit.
    pub(super) fn request(&self, range: &KeyRange) -> PageRequest {
        PageRequest {
            begin: self.key(&range.begin),
            end: self.key(&range.end),
            limit: range.limit,
            reverse: range.reverse,
        }
    }

    /// A key of the store, from one of the database that is under the prefix.
    pub(super) fn strip(&self, mut key: Vec<u8>) -> Vec<u8> {
        debug_assert!(key.starts_with(&self.prefix), "ranges begin and end under the prefix");
        key.drain(..self.prefix.len());
        key
    }

    /// The operand of `SetVersionstampedKey` for the key made of `prefix`, 10 bytes that the commit fills in, and the
    /// slot: what [`CommitStamp::stamp`](crate::CommitStamp::stamp) makes of the same slot.
    pub(super) fn stamped_key(&self, prefix: &[u8], slot: StampSlot) -> Vec<u8> {
        let mut operand = self.key(prefix);
        let offset = u32::try_from(operand.len()).expect("a key is shorter than 4 GiB");
        operand.extend_from_slice(&[0xff; 10]);
        operand.extend_from_slice(&slot.number().to_be_bytes());
        operand.extend_from_slice(&offset.to_le_bytes());
        operand
    }

    /// The fence of one call of one engine.
    pub(super) fn fence(&self, instance: u64, call: u64) -> Vec<u8> {
        self.key(&[b"\0f", &instance.to_be_bytes()[..], &call.to_be_bytes()].concat())
    }
}

/// Where the cluster's version at the last open is, as a key of the store.
pub(super) fn version_key() -> Vec<u8> {
    b"\0v".to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamped_key_has_ten_bytes_for_the_commit_then_the_slot_then_their_offset() {
        let operand = Subspace::new(b"pp".to_vec()).stamped_key(b"key", StampSlot(0x0102));
        let expected = [b"ppkey".as_slice(), &[0xff; 10], &[1, 2], &[5, 0, 0, 0]].concat();
        assert_eq!(operand, expected);
    }
}
