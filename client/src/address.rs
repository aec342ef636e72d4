//! Where a node listens, as a URL: `tcp://host:port`, `tls://host:port`, `ws://host:port/v1`, `wss://host:port/v1`.

use std::fmt;
use std::str::FromStr;

/// How frames reach a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Frames on a TCP stream.
    Tcp,
    /// Frames on a TLS stream.
    Tls,
    /// Frames in WebSocket messages.
    Ws,
    /// Frames in WebSocket messages over TLS.
    Wss,
}

impl Scheme {
    /// Whether the connection is encrypted.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// A node's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no node address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no node address: {problem}; expected tcp://HOST:PORT, tls://…, ws://…/v1 or wss://…/v1")]
pub struct AddressError {
    text: String,
    problem: &'static str,
}

impl NodeAddress {
    /// How frames reach the node.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host name or IP address, an IPv6 one without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|problem| AddressError { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<NodeAddress, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    let scheme = match scheme {
        "tcp" => Scheme::Tcp,
        "tls" => Scheme::Tls,
        "ws" => Scheme::Ws,
        "wss" => Scheme::Wss,
        _ => return Err("the scheme is not known"),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (host, port) = authority.rsplit_once(':').ok_or("it has no port")?;
    let port = port.parse().map_err(|_| "the port is no number from 1 to 65535")?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host,
        None if host.contains(':') => return Err("an IPv6 address needs brackets"),
        None => host,
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    let path = match scheme {
        Scheme::Ws | Scheme::Wss if path.len() <= 1 => "/v1",
        Scheme::Tcp | Scheme::Tls if path.len() > 1 => return Err("this scheme has no path"),
        Scheme::Tcp | Scheme::Tls => "",
        Scheme::Ws | Scheme::Wss => path,
    };
    Ok(NodeAddress { scheme, host: host.to_owned(), port, path: path.to_owned() })
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{}{close}:{}{}", self.scheme.name(), self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_scheme_survive_printing() {
        for text in ["tcp://a:1", "tls://[::1]:7400", "ws://127.0.0.1:80/v1", "wss://chat.example:443/v1"] {
            assert_eq!(text.parse::<NodeAddress>().unwrap().to_string(), text);
        }
        assert_eq!("ws://a:1".parse::<NodeAddress>().unwrap().to_string(), "ws://a:1/v1");
    }

    #[test]
    fn a_text_that_is_no_address_says_what_is_missing() {
        for (text, problem) in [
            ("a:1", "no scheme"),
            ("http://a:1", "scheme is not known"),
            ("tcp://a", "no port"),
            ("tcp://a:99999", "port is no number"),
            ("tcp://:1", "no host"),
            ("tcp://::1:1", "brackets"),
            ("tcp://a:1/v1", "no path"),
        ] {
            let message = text.parse::<NodeAddress>().unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }
}
