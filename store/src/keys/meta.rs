//! `meta/<name>`: facts about the store as a whole.
//!
//! | name | value |
//! |---|---|
//! | `format` | the layout's version, 4 bytes big-endian |
//! | `commit` | LMDB only: the last commit's number, 8 bytes big-endian |

use super::{family, key};
use crate::error::StoreError;

/// The layout this version reads and writes.
pub const FORMAT: u32 = 1;

/// Where the layout's version is.
pub fn format_key() -> Vec<u8> {
    key(family::META, &[b"format"])
}

/// Where an engine without commit versions of its own counts its commits.
pub fn commit_key() -> Vec<u8> {
    key(family::META, &[b"commit"])
}

/// The number of the last commit, in its value; 0 before the first.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_commit(value: Option<&[u8]>) -> Result<u64, StoreError> {
    let Some(value) = value else { return Ok(0) };
    let bytes =
        value.try_into().map_err(|_| StoreError::Corrupt(format!("a commit number: {value:02x?}")))?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(format_key(), b"\x01format");
        assert_eq!(commit_key(), b"\x01commit");
    }
}
