//! `[cluster]`: what makes several nodes one.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{ClientUrl, HostPort, Listen, NodeCount, Weight};

/// What makes several nodes one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterConfig {
    /// How many nodes `rookery up` starts.
    pub nodes: NodeCount,
    /// Where this node takes links from others; off for a node alone.
    pub link: Spanned<Listen>,
    /// Where others reach `link`, when that is elsewhere than where it listens.
    pub link_advertise: Option<HostPort>,
    /// Where clients reach this node, when that is elsewhere than where it listens.
    pub clients_advertise: Vec<ClientUrl>,
    /// Its share of the users, in relation to the other nodes' weights.
    pub weight: Weight,
    /// The authority that nodes trust, PEM; the data directory's own if there is none.
    pub ca: Option<Spanned<PathBuf>>,
    /// This node's certificate for links, PEM.
    pub certificate: Option<Spanned<PathBuf>>,
    /// Its private key, PEM.
    pub key: Option<Spanned<PathBuf>>,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            nodes: NodeCount::DEFAULT,
            link: Spanned::new(0..0, Listen::At(([127, 0, 0, 1], 7403).into())),
            link_advertise: None,
            clients_advertise: Vec::new(),
            weight: Weight::DEFAULT,
            ca: None,
            certificate: None,
            key: None,
        }
    }
}

impl ClusterConfig {
    /// Where other nodes reach the link listener that is bound to `bound`.
    pub fn link_advertised(&self, bound: SocketAddr) -> String {
        self.link_advertise.as_ref().map_or_else(|| bound.to_string(), HostPort::to_string)
    }

    /// Where clients reach this node: what the configuration says, else the URLs of the listeners that are bound to an
    /// address that others can dial.
    pub fn clients_advertised(&self, bound: &[(SocketAddr, String)]) -> Vec<String> {
        if !self.clients_advertise.is_empty() {
            return self.clients_advertise.iter().map(|url| url.address().to_string()).collect();
        }
        let dialled = bound.iter().filter(|(address, _)| !address.ip().is_unspecified());
        dialled.map(|(_, url)| url.clone()).collect()
    }

    pub(super) fn check(&self) -> Result<(), (Range<usize>, &'static str)> {
        let files = [&self.ca, &self.certificate, &self.key];
        if let Some(given) = files.into_iter().flatten().next()
            && files.iter().any(|file| file.is_none())
        {
            return Err((
                given.span(),
                "`ca`, `certificate` and `key` of [cluster] go together: give all three, or none of them",
            ));
        }
        let nowhere = |address: SocketAddr| address.ip().is_unspecified();
        if self.link_advertise.is_none() && self.link.get_ref().address().is_some_and(nowhere) {
            return Err((
                self.link.span(),
                "nobody can dial this address: add `link_advertise = \"HOST:PORT\"`, by which the other nodes reach this \
                 one",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_of_addresses_that_lead_here() {
        let at = |address: &str| address.parse().unwrap();
        let bound = [
            (at("0.0.0.0:1"), "ws://127.0.0.1:1/v1".to_owned()),
            (at("10.0.0.5:2"), "tcp://10.0.0.5:2".to_owned()),
        ];
        let mut config = ClusterConfig::default();
        assert_eq!(config.clients_advertised(&bound), ["tcp://10.0.0.5:2"]);
        let text = "clients_advertise = [\"wss://chat1.example.org:443/v1\"]";
        config = toml::from_str(text).unwrap();
        assert_eq!(config.clients_advertised(&bound), ["wss://chat1.example.org:443/v1"]);
    }

    #[test]
    fn other_nodes_are_told_the_address_they_can_dial() {
        let bound = ([10, 0, 0, 5], 7403).into();
        assert_eq!(ClusterConfig::default().link_advertised(bound), "10.0.0.5:7403");
        let config: ClusterConfig = toml::from_str("link_advertise = \"[fd00::1]:9000\"").unwrap();
        assert_eq!(config.link_advertised(bound), "[fd00::1]:9000");
    }
}
