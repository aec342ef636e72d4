//! `node/<name>`: what a node of the cluster has said of itself, and that it is alive.
//! `incarnation/<name>`: the last incarnation of that name, 8 bytes big-endian. It outlives the node, so that no two
//! runs of a node are ever the same.

use std::fmt;
use std::str::FromStr;

use rookery_protocol::{Text, positional};
use serde::{Deserialize, Serialize};

use super::{family, key as family_key};
use crate::error::StoreError;

/// A node's name: 1 to 64 of `a-z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct NodeName(String);

/// Why a text is not a node's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeNameError {
    /// Empty, or too long.
    #[error("a node's name has 1 to {} characters", NodeName::BYTES_MAX)]
    Length,
    /// A character that names do not have.
    #[error("a node's name has letters a-z, digits, '.', '_' and '-', and begins with a letter or digit")]
    Character,
}

impl NodeName {
    /// The longest, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NodeNameError;

    fn from_str(text: &str) -> Result<Self, NodeNameError> {
        if text.is_empty() || text.len() > Self::BYTES_MAX {
            return Err(NodeNameError::Length);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let allowed = text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if !allowed || !text.bytes().next().is_some_and(plain) {
            return Err(NodeNameError::Character);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<Text> for NodeName {
    type Error = NodeNameError;

    fn try_from(text: Text) -> Result<Self, NodeNameError> {
        String::from(text).parse()
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which run of a node: 1, 2, ... as it joined. Never repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(u64);

impl Incarnation {
    /// Before the first: it has never joined.
    pub const NONE: Self = Self(0);

    /// The incarnation of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

positional! {
    /// One run of a node. As text: `name-incarnation`.
    #[derive(Hash, PartialOrd, Ord)]
    pub struct NodeId {
        /// Of which node.
        pub name: NodeName,
        /// Which run.
        pub incarnation: Incarnation,
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.incarnation)
    }
}

/// Why a text is not a node's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeIdError {
    /// There is no `-` and number at its end.
    #[error("a node's id is its name, '-' and the number of its incarnation")]
    Incarnation,
    /// What is before that is no name.
    #[error(transparent)]
    Name(#[from] NodeNameError),
}

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, NodeIdError> {
        let (name, number) = text.rsplit_once('-').ok_or(NodeIdError::Incarnation)?;
        let incarnation: u64 = number.parse().map_err(|_| NodeIdError::Incarnation)?;
        // One text an id: neither a sign nor zeros before it.
        if incarnation.to_string() != number {
            return Err(NodeIdError::Incarnation);
        }
        Ok(Self { name: name.parse()?, incarnation: Incarnation(incarnation) })
    }
}

positional! {
    /// What a node has said of itself on joining, renewed for as long as it lives.
    pub struct Lease {
        /// Which run of the node holds it.
        pub incarnation: Incarnation,
        /// How often it has been renewed. Who sees it unchanged for long enough, by a clock of its own, takes the node for
        /// dead.
        pub renewed: u64,
        /// Where it takes links from other nodes, `host:port`; empty: nowhere.
        pub link: String,
        /// The URL of its admin API; empty: none.
        pub admin: String,
        /// The URLs where it takes clients.
        pub clients: Vec<String>,
        /// The weight it joined with.
        pub weight: u32,
        /// The version of Rookery that it runs.
        pub version: String,
        /// Its process.
        pub pid: u32,
        /// Tells its joining from any other.
        pub nonce: u64,
    }
}

/// The key of a node's lease.
pub fn key(name: &NodeName) -> Vec<u8> {
    family_key(family::NODE, &[name.as_str().as_bytes()])
}

/// The prefix of all leases.
pub fn prefix() -> Vec<u8> {
    vec![family::NODE]
}

/// The node a lease's key is about.
pub fn name_of(key: &[u8]) -> Option<NodeName> {
    std::str::from_utf8(key.get(1..)?).ok()?.parse().ok()
}

/// Where the last incarnation of a name is kept.
pub fn incarnation_key(name: &NodeName) -> Vec<u8> {
    family_key(family::INCARNATION, &[name.as_str().as_bytes()])
}

/// The last incarnation's value.
pub fn encode_incarnation(incarnation: Incarnation) -> Vec<u8> {
    incarnation.0.to_be_bytes().to_vec()
}

/// The last incarnation in a value.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is not 8 bytes.
pub fn decode_incarnation(value: &[u8]) -> Result<Incarnation, StoreError> {
    let bytes = value.try_into().map_err(|_| StoreError::Corrupt(format!("an incarnation: {value:02x?}")))?;
    Ok(Incarnation(u64::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    fn lease() -> Lease {
        Lease {
            incarnation: Incarnation::new(2),
            renewed: 3,
            link: "h:4".into(),
            admin: String::new(),
            clients: vec!["ws".into()],
            weight: 5,
            version: "6".into(),
            pid: 7,
            nonce: 8,
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        let name: NodeName = "n1".parse().expect("it is a name");
        assert_eq!(key(&name), b"\x40n1");
        assert_eq!(incarnation_key(&name), b"\x44n1");
        assert_eq!(encode_incarnation(Incarnation::new(9)), [0, 0, 0, 0, 0, 0, 0, 9]);
        let lease = super::super::encode(&lease());
        assert_eq!(lease[..], b"\x99\x02\x03\xa3h:4\xa0\x91\xa2ws\x05\xa16\x07\x08"[..]);
        let id = NodeId { name, incarnation: Incarnation::new(2) };
        assert_eq!(super::super::encode(&id)[..], b"\x92\xa2n1\x02"[..]);
    }

    #[test]
    fn names_are_plain_and_short() {
        let long = "a".repeat(64);
        for fine in ["a", "1", "n1", "eu-west_1.a", &long] {
            assert_eq!(fine.parse::<NodeName>().expect("it is a name").to_string(), *fine);
        }
        let too_long = "a".repeat(65);
        for wrong in ["", "-a", ".a", "A", "a b", "ä", "a\0", "a/b", &too_long] {
            wrong.parse::<NodeName>().expect_err("it is no name");
            let encoded = super::super::encode(&wrong.to_owned());
            super::super::decode::<NodeName>(&encoded).expect_err("it is no name");
        }
    }

    #[test]
    fn an_id_is_one_text_and_back() {
        for text in ["n1-1", "a-b-18446744073709551615", "a-1-2"] {
            assert_eq!(text.parse::<NodeId>().expect("it is an id").to_string(), text);
        }
        for wrong in ["", "n1", "-1", "n1-", "n1-+1", "n1-01", "n1-18446744073709551616", "N-1"] {
            wrong.parse::<NodeId>().expect_err("it is no id");
        }
    }

    proptest! {
        #[test]
        fn keys_are_in_the_order_of_names_and_name_them(one in arbitrary::node(), other in arbitrary::node()) {
            prop_assert_eq!(name_of(&key(&one)), Some(one.clone()));
            prop_assert!(key(&one).starts_with(&prefix()));
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }

        #[test]
        fn values_read_as_written(
            (incarnation, renewed, nonce) in any::<(u64, u64, u64)>(),
            (link, admin, version) in any::<(String, String, String)>(),
            (clients, weight, pid) in any::<(Vec<String>, u32, u32)>(),
        ) {
            let incarnation = Incarnation::new(incarnation);
            let lease = Lease { incarnation, renewed, link, admin, clients, weight, version, pid, nonce };
            let read = super::super::decode::<Lease>(&super::super::encode(&lease));
            prop_assert_eq!(read.expect("it was just written"), lease);
            let read = decode_incarnation(&encode_incarnation(incarnation));
            prop_assert_eq!(read.expect("it was just written"), incarnation);
        }

        #[test]
        fn any_bytes_are_a_lease_or_an_error(bytes: Vec<u8>) {
            let _ = (name_of(&bytes), super::super::decode::<Lease>(&bytes), decode_incarnation(&bytes));
        }
    }
}
