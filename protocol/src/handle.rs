//! Handles: the names people type.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Text;

/// A user's unique name: 1 to 32 of `a-z 0-9 . _ -`, beginning with a letter or digit. Upper case is folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct Handle(String);

/// Why a text is not a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Empty, or longer than 32 characters.
    #[error("a handle has 1 to 32 characters")]
    Length,
    /// A character that handles do not have.
    #[error("a handle has letters a-z, digits, '.', '_' and '-', and begins with a letter or digit")]
    Character,
}

impl Handle {
    /// The handle's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        if text.is_empty() || text.len() > 32 {
            return Err(HandleError::Length);
        }
        let folded = text.to_ascii_lowercase();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let allowed = folded.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if !allowed || !folded.bytes().next().is_some_and(plain) {
            return Err(HandleError::Character);
        }
        Ok(Self(folded))
    }
}

impl TryFrom<Text> for Handle {
    type Error = HandleError;

    fn try_from(text: Text) -> Result<Self, HandleError> {
        String::from(text).parse()
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> Self {
        handle.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
