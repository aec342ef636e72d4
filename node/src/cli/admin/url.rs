//! The URL of an admin API.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

/// Where nodes have it, unless they are told otherwise.
const PORT: u16 = 7404;

/// `http://HOST[:PORT]` on loopback, `https://HOST[:PORT]` anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AdminUrl {
    pub(super) is_secure: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl AdminUrl {
    /// Whether it can only be meant for this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// `HOST:PORT`.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_secure { "https" } else { "http" }, self.authority())
    }
}

impl FromStr for AdminUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a URL such as https://chat1.example.org:7404".to_owned();
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(expected()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if uri.path() != "/" || uri.query().is_some() {
            return Err("expected nothing after host and port".into());
        }
        let url = Self { is_secure, host, port: uri.port_u16().unwrap_or(PORT) };
        if !is_secure && !url.is_loopback() {
            return Err("http:// would show the admin token to the network: expected https://".into());
        }
        Ok(url)
    }
}

/// A path's part, with everything escaped that means something in a URL.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_a_host_and_perhaps_a_port() {
        for (text, shown) in [
            ("https://chat1.example.org", "https://chat1.example.org:7404"),
            ("https://10.0.0.5:9/", "https://10.0.0.5:9"),
            ("http://127.0.0.1:1", "http://127.0.0.1:1"),
            ("http://[::1]:2", "http://[::1]:2"),
            ("http://localhost", "http://localhost:7404"),
        ] {
            assert_eq!(text.parse::<AdminUrl>().unwrap().to_string(), shown);
        }
        for wrong in
            ["", "chat1", "chat1:7404", "ftp://x", "https://", "https://x/v1", "http://10.0.0.5:7404"]
        {
            wrong.parse::<AdminUrl>().unwrap_err();
        }
    }

    #[test]
    fn what_means_something_in_a_url_is_escaped() {
        assert_eq!(segment("192.0.2.0/24"), "192.0.2.0%2F24");
        assert_eq!(segment("my phone?"), "my%20phone%3F");
        assert_eq!(segment("é"), "%C3%A9");
    }
}
