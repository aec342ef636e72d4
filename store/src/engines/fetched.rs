//! What a batch declared to read, fetched beforehand: for engines that fetch rather than read while applying.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;

use crate::op::{Base, KeyRange};

/// What a batch declared to read. Looking at anything else panics.
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    /// The declared keys' values.
    pub(crate) values: HashMap<Vec<u8>, Option<Bytes>>,
    /// The declared ranges' entries.
    pub(crate) ranges: HashMap<KeyRange, Vec<(Vec<u8>, Bytes)>>,
}

impl Base for Fetched {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let value = self.values.get(key).unwrap_or_else(|| panic!("key {key:02x?} was not declared"));
        value.as_ref().map(|value| Cow::Borrowed(&value[..]))
    }

    fn range(&self, range: &KeyRange) -> Vec<(Vec<u8>, Bytes)> {
        self.ranges.get(range).unwrap_or_else(|| panic!("{range:02x?} was not declared")).clone()
    }
}
