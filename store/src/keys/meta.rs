//! `meta/<name>`: facts about the store as a whole.
//!
//! | name | value |
//! |---|---|
//! | `format` | the layout's version, 4 bytes big-endian |
//! | `commit` | LMDB only: the last commit's number, 8 bytes big-endian |

use super::{family, key};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(format_key(), b"\x01format");
        assert_eq!(commit_key(), b"\x01commit");
    }
}
