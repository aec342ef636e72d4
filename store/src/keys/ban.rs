//! `ban/<network>`: an address or network from which nobody may connect. The key is the network's text, such as
//! `192.0.2.7` or `2001:db8::/32`, in the one form it has when written by [`Network`].
//!
//! Beside them, under a byte that no text begins with, is [`BanList`]: it changes with each ban, so that nodes watch one
//! key, and counts them, so that there are never too many.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use rookery_protocol::{Text, positional};

use super::family;
use crate::error::StoreError;

/// Bans there may be: every node has them all in memory.
pub const BANS_MAX: u64 = 10_000;

positional! {
    /// A ban.
    pub struct Ban {
        /// Why.
        pub reason: String as Text,
        /// Since when, milliseconds since 1970.
        pub since_ms: u64,
        /// Until when; `None` for ever.
        pub until_ms: Option<u64>,
    }
}

positional! {
    /// What is known of all bans together.
    pub struct BanList {
        /// How often a ban was made or taken away.
        pub changes: u64,
        /// How many there are, expired ones included.
        pub count: u64,
    }
}

impl BanList {
    /// Before the first ban.
    pub const NONE: Self = Self { changes: 0, count: 0 };
}

/// An address, or all addresses that begin with the same bits. The bits after those are zero, and an IPv4 address is one
/// whichever way it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address, with or without a number of bits.
    #[error("neither an address such as 192.0.2.7 nor a network such as 192.0.2.0/24 or 2001:db8::/32")]
    Form,
    /// More bits than addresses have.
    #[error("an address of this kind has {0} bits")]
    Bits(u8),
    /// Bits beyond those that count are set.
    #[error("it has bits beyond /{bits}: was {meant} meant?")]
    HostBits {
        /// How many count.
        bits: u8,
        /// The network with these bits.
        meant: Network,
    },
}

impl Network {
    /// One address.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, bits: width(address) }
    }

    /// The network of `address` that has so many bits in common; `None` when addresses have not as many.
    pub fn around(address: IpAddr, bits: u8) -> Option<Self> {
        let address = address.to_canonical();
        let dropped = u32::from(width(address).checked_sub(bits)?);
        let address = match address {
            IpAddr::V4(v4) => {
                let kept = u32::MAX.checked_shl(dropped).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & kept))
            }
            IpAddr::V6(v6) => {
                let kept = u128::MAX.checked_shl(dropped).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & kept))
            }
        };
        Some(Self { address, bits })
    }

    /// How many bits count.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && Self::around(address, self.bits) == Some(*self)
    }
}

/// Bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.bits == width(self.address) { Ok(()) } else { write!(f, "/{}", self.bits) }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        // An IPv4 address written as an IPv6 one has the bits of the latter, which is not worth guessing at.
        let canonical = address.to_canonical();
        let bits = match bits {
            None => width(canonical),
            Some(_) if canonical != address => return Err(NetworkError::Form),
            Some(bits) if bits.is_empty() || !bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(NetworkError::Form);
            }
            Some(bits) => bits.parse().map_err(|_| NetworkError::Bits(width(canonical)))?,
        };
        let network = Self::around(canonical, bits).ok_or(NetworkError::Bits(width(canonical)))?;
        if network.address != canonical {
            return Err(NetworkError::HostBits { bits, meant: network });
        }
        Ok(network)
    }
}

/// The key of a ban.
pub fn key(network: Network) -> Vec<u8> {
    super::key(family::BAN, &[network.to_string().as_bytes()])
}

/// The key of the [`BanList`].
pub fn list_key() -> Vec<u8> {
    super::key(family::BAN, &[&[0]])
}

/// The first key that a ban may have.
pub fn first_key() -> Vec<u8> {
    super::key(family::BAN, &[&[1]])
}

/// The first key after all bans.
pub fn end() -> Vec<u8> {
    vec![family::BAN + 1]
}

/// The network of a key.
///
/// # Errors
/// [`StoreError::Corrupt`] when it has none.
pub fn network_of(key: &[u8]) -> Result<Network, StoreError> {
    let text = key.get(1..).and_then(|text| std::str::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| StoreError::Corrupt(format!("a ban's key: {key:02x?}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect(text)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(key(network("10.0.0.0/8")), b"\x4310.0.0.0/8");
        assert_eq!(key(network("2001:db8::1")), b"\x432001:db8::1");
        assert_eq!(list_key(), [0x43, 0]);
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let lan = network("192.0.2.0/24");
        assert!(lan.contains(ip("192.0.2.0")) && lan.contains(ip("192.0.2.255")));
        assert!(lan.contains(ip("::ffff:192.0.2.9")), "the same address through an IPv6 socket");
        assert!(!lan.contains(ip("192.0.3.0")) && !lan.contains(ip("2001:db8::1")));
        assert!(network("2001:db8::/32").contains(ip("2001:db8:ffff::1")));
        assert!(!network("::/0").contains(ip("192.0.2.1")) && network("0.0.0.0/0").contains(ip("192.0.2.1")));
        assert_eq!(Network::of(ip("::ffff:192.0.2.9")), network("192.0.2.9"));
        assert_eq!(network("192.0.2.9/32"), network("192.0.2.9"));
    }

    #[test]
    fn what_is_no_network_is_refused_and_says_what_was_meant() {
        for text in
            ["", "/", "192.0.2", "192.0.2.1/", "192.0.2.1/+8", "a/8", "192.0.2.1 ", "::ffff:192.0.2.1/8"]
        {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Form), "{text}");
        }
        assert_eq!("192.0.2.0/33".parse::<Network>(), Err(NetworkError::Bits(32)));
        assert_eq!("::/129".parse::<Network>(), Err(NetworkError::Bits(128)));
        assert_eq!("::/999".parse::<Network>(), Err(NetworkError::Bits(128)));
        let error = "192.0.2.7/24".parse::<Network>().expect_err("it has bits beyond 24");
        assert_eq!(error.to_string(), "it has bits beyond /24: was 192.0.2.0/24 meant?");
    }

    proptest! {
        #[test]
        fn a_network_reads_as_written(address: IpAddr, bits in 0_u8..=128) {
            let address = address.to_canonical();
            let network = Network::around(address, bits.min(width(address))).expect("it has as many bits");
            prop_assert_eq!(network_of(&key(network)).expect("it was just written"), network);
            prop_assert!(network.contains(address));
            prop_assert!(first_key() <= key(network) && key(network) < end());
        }

        #[test]
        fn any_bytes_are_a_network_or_an_error(bytes: Vec<u8>) {
            let _ = network_of(&bytes);
        }

        #[test]
        fn a_ban_reads_as_written(reason: String, since_ms: u64, until_ms: Option<u64>) {
            let ban = Ban { reason, since_ms, until_ms };
            let read = super::super::decode::<Ban>(&super::super::encode(&ban));
            prop_assert_eq!(read.expect("it was just written"), ban);
        }
    }
}
