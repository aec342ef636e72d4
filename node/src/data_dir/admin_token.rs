//! The bearer token of the admin API.

use std::path::Path;

use rand::Rng;

use super::{DataDirError, Visibility, write_new};

/// Its length in bytes before it is text.
const BYTES: usize = 32;

/// What opens the admin API. Shows in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

impl AdminToken {
    /// The one in the file, which is made with a new one if it is not there.
    pub(super) fn read_or_make(path: &Path) -> Result<Self, DataDirError> {
        if !path.exists() {
            let mut bytes = [0; BYTES];
            rand::rng().fill_bytes(&mut bytes);
            write_new(path, format!("{}\n", base64url(&bytes)).as_bytes(), Visibility::Owner)?;
        }
        Self::read(path)
    }

    /// The one in the file.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> Result<Self, DataDirError> {
        let text = std::fs::read_to_string(path).map_err(DataDirError::refused("read", path))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let reason = "it holds no token: one line without spaces".to_owned();
            return Err(DataDirError::Damaged { path: path.to_path_buf(), reason });
        }
        Ok(Self(token.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().enumerate().fold(0, |group, (at, &byte)| group | u32::from(byte) << (16 - 8 * at));
        // A byte needs two characters, two need three, three need four.
        text.extend((0..=chunk.len()).map(|at| char::from(ALPHABET[(group >> (18 - 6 * at) & 63) as usize])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_the_standard() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff\xfe", "-__-"),
        ] {
            assert_eq!(base64url(bytes), text);
        }
    }

    #[test]
    fn it_is_made_once_long_and_shows_in_no_debug_output() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys/admin.token");
        let token = AdminToken::read_or_make(&path).unwrap();
        assert_eq!(token.as_str().len(), 43);
        assert_eq!(AdminToken::read_or_make(&path).unwrap(), token);
        assert_eq!(format!("{token:?}"), "AdminToken");
    }

    #[test]
    fn a_file_without_a_token_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(AdminToken::read(file.path()), Err(DataDirError::Damaged { .. })));
    }
}
