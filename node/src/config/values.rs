//! The values settings have. Each says what it expects when it is given something else.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rookery_client::NodeAddress;
use rookery_protocol::limits::WINDOW_EVENTS_MAX;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// A value that is written as a string and parsed.
pub(super) fn from_text<'de, D, T>(
    deserializer: D,
    expecting: &'static str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Text<F>(&'static str, F);
    impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(|reason| E::custom(format_args!("{reason}, expected {}", self.0)))
        }
    }
    deserializer.deserialize_str(Text(expecting, parse))
}

/// Where to listen, if at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

impl Listen {
    /// The address, if it is to listen.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "an address and port such as \"127.0.0.1:7400\" or \"[::]:7400\", or \"\" for none";
        from_text(deserializer, expecting, |text| {
            if text.is_empty() {
                return Ok(Self::Off);
            }
            text.parse().map(Self::At).map_err(|_| format!("`{text}` is no address"))
        })
    }
}

/// A duration above zero, at most a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(Duration);

impl Span {
    const MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    pub(super) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a duration such as \"500ms\", \"10s\" or \"5m\", above zero and at most a year";
        from_text(deserializer, expecting, |text| {
            let span = humantime::parse_duration(text).map_err(|_| format!("`{text}` is no duration"))?;
            if span.is_zero() || span > Self::MAX {
                return Err(format!("`{text}` is out of range"));
            }
            Ok(Self(span))
        })
    }
}

/// A whole number within bounds.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D, (min, max): (u32, u32)) -> Result<u32, D::Error> {
    struct Bounds(u32, u32);
    impl Visitor<'_> for Bounds {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from {} to {}", self.0, self.1)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
            let within = u32::try_from(number).ok().filter(|number| (self.0..=self.1).contains(number));
            let expected: &dyn de::Expected = &self;
            within.ok_or_else(|| E::custom(format_args!("{number} is out of range, expected {expected}")))
        }
    }
    deserializer.deserialize_i64(Bounds(min, max))
}

macro_rules! bounded_number {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name(u32);

        impl $name {
            /// The largest there may be.
            pub const MAX: u32 = $max;

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                bounded(deserializer, ($min, $max)).map(Self)
            }
        }
    };
}

bounded_number! {
    /// How many of something.
    Count, 1, 100_000_000
}
bounded_number! {
    /// A store's size in GiB; 16 TiB is more than a process can map with certainty.
    MapGib, 1, 16 * 1024
}
bounded_number! {
    /// Events a device may have unacknowledged: up to the protocol's own limit.
    WindowEvents, 1, WINDOW_EVENTS_MAX
}

bounded_number! {
    /// How many nodes one `rookery up` runs.
    NodeCount, 1, 64
}
bounded_number! {
    /// A node's share of the users in relation to other nodes' shares; 0 for none.
    Weight, 0, 10_000
}
bounded_number! {
    /// How many days; 0 for ever.
    Days, 0, 36_500
}

impl Days {
    pub(super) const fn new(days: u32) -> Self {
        Self(days)
    }
}

impl NodeCount {
    pub(super) const DEFAULT: Self = Self(3);
}

impl Weight {
    pub(super) const DEFAULT: Self = Self(100);
}

impl Count {
    pub(super) const fn new(count: u32) -> Self {
        Self(count)
    }
}

impl MapGib {
    pub(super) const DEFAULT: Self = Self(64);

    /// The size in bytes.
    pub fn bytes(self) -> u64 {
        u64::from(self.0) << 30
    }
}

impl WindowEvents {
    pub(super) const DEFAULT: Self = Self(WINDOW_EVENTS_MAX);
}

/// Where others reach a listener: a host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    pub(super) fn port_mut(&mut self) -> &mut u16 {
        &mut self.port
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The client's addresses know what a host is.
        let plausible = |_: &NodeAddress| !text.contains(|c: char| c == '/' || c.is_whitespace());
        let address: Option<NodeAddress> = format!("tcp://{text}").parse().ok().filter(plausible);
        match address {
            Some(address) if address.port() != 0 => {
                Ok(Self { host: address.host().to_owned(), port: address.port() })
            }
            _ => Err(format!("`{text}` is no host and port")),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ipv6 if ipv6.contains(':') => write!(f, "[{ipv6}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a host and port by which others reach this node, such as \"10.0.0.5:7403\"";
        from_text(deserializer, expecting, str::parse)
    }
}

/// Where clients reach a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientUrl(NodeAddress);

impl ClientUrl {
    /// The address.
    pub fn address(&self) -> &NodeAddress {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ClientUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting =
            "an address for clients such as \"wss://chat1.example.org:443/v1\" or \"tls://10.0.0.5:7443\"";
        from_text(deserializer, expecting, |text| {
            text.parse().map(Self).map_err(|_| format!("`{text}` is no address for clients"))
        })
    }
}

/// What is logged: a level, or directives as `tracing` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives(String);

impl Directives {
    /// The text, known to parse.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Directives {
    fn default() -> Self {
        Self("info".into())
    }
}

impl FromStr for Directives {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A lone word that is no level would be taken for the name of a target.
        let plausible =
            text.contains(['=', ',', '[']) || text.parse::<tracing::Level>().is_ok() || text == "off";
        let parsed = tracing_subscriber::filter::EnvFilter::builder().parse(text);
        if plausible && parsed.is_ok() {
            Ok(Self(text.into()))
        } else {
            Err(format!("`{text}` is no log level"))
        }
    }
}

impl<'de> Deserialize<'de> for Directives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting =
            "error, warn, info, debug, trace, off, or directives such as \"info,rookery_store=debug\"";
        from_text(deserializer, expecting, str::parse)
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}
