//! `[admin]`: the admin API.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::{HostPort, Listen, TlsConfig};

/// The admin API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Where it listens.
    pub listen: Spanned<Listen>,
    /// How others reach it, when not by the address it listens on.
    pub advertise: Option<HostPort>,
    /// The file with the bearer token; the data directory's own if there is none.
    pub token_file: Option<PathBuf>,
    /// Its certificate, PEM; see [`certificate_files`](Self::certificate_files).
    pub certificate: Option<Spanned<PathBuf>>,
    /// Its private key, PEM.
    pub key: Option<Spanned<PathBuf>>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: Spanned::new(0..0, Listen::At(([127, 0, 0, 1], 7404).into())),
            advertise: None,
            token_file: None,
            certificate: None,
            key: None,
        }
    }
}

impl AdminConfig {
    /// The certificate it is served with, and the key; none when it is in the clear, which it only is on loopback. Where
    /// others reach it and it has none of its own, it is the one for clients.
    pub fn certificate_files<'a>(&'a self, tls: &'a TlsConfig) -> Option<(&'a PathBuf, &'a PathBuf)> {
        let own = self.certificate.as_ref().zip(self.key.as_ref());
        let shared = || tls.certificate.as_ref().zip(tls.key.as_ref()).filter(|_| self.is_remote());
        own.or_else(shared).map(|(certificate, key)| (certificate.get_ref(), key.get_ref()))
    }

    /// The URL by which others reach what listens at `url`.
    pub fn advertised(&self, url: &str) -> String {
        match (&self.advertise, url.split_once("://")) {
            (Some(advertise), Some((scheme, _))) => format!("{scheme}://{advertise}"),
            _ => url.to_owned(),
        }
    }

    fn is_remote(&self) -> bool {
        let remote = |address: SocketAddr| !address.ip().is_loopback();
        self.listen.get_ref().address().is_some_and(remote)
    }

    pub(super) fn check(&self, tls: &TlsConfig) -> Result<(), (Range<usize>, &'static str)> {
        if self.is_remote() && self.certificate_files(tls).is_none() {
            return Err((
                self.listen.span(),
                "where others reach it the admin API is encrypted: add `certificate` and `key` to [admin] or to [tls], \
                 or listen on 127.0.0.1",
            ));
        }
        let nowhere = |address: SocketAddr| address.ip().is_unspecified();
        if self.advertise.is_none() && self.listen.get_ref().address().is_some_and(nowhere) {
            return Err((
                self.listen.span(),
                "nobody can dial this address: add `advertise = \"HOST:PORT\"`, by which `rookery admin` on other machines \
                 reaches this node",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_reach_it_where_it_listens_or_where_it_says() {
        let url = "https://10.0.0.5:7404";
        assert_eq!(AdminConfig::default().advertised(url), url);
        let config: AdminConfig = toml::from_str("advertise = \"chat1.example.org:9000\"").unwrap();
        assert_eq!(config.advertised(url), "https://chat1.example.org:9000");
    }
}
