//! What `cluster.toml` may say. Parsed once, into types that cannot hold nonsense; every error points at its place.
//!
//! The committed `cluster.toml` is built in, documents every setting, and is the default where there is no file.

mod admin;
mod cluster;
mod error;
mod rates;
mod several;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rookery_store::keys::node::NodeName;
use serde::Deserialize;
use toml::Spanned;

pub use admin::AdminConfig;
pub use cluster::ClusterConfig;
pub use error::ConfigError;
pub use rates::{Often, RatesConfig};
pub use several::PORTS_APART;
pub use values::{
    ClientUrl, Count, Days, Directives, HostPort, Listen, LogFormat, MapGib, NodeCount, Span, Weight,
    WindowEvents,
};

/// The committed `cluster.toml`.
pub const DEFAULT_TEXT: &str = include_str!("../../../cluster.toml");

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "cluster.toml";

/// Everything a node can be told.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who it is and where its files are.
    pub node: NodeConfig,
    /// Where messages are kept.
    pub store: StoreSection,
    /// Where it listens.
    pub listen: ListenConfig,
    /// Its certificate.
    pub tls: TlsConfig,
    /// The other nodes.
    pub cluster: ClusterConfig,
    /// The admin API.
    pub admin: AdminConfig,
    /// What it lets others use.
    pub limits: LimitsConfig,
    /// How long messages are kept.
    pub retention: RetentionConfig,
    /// What it writes about itself.
    pub log: LogConfig,
}

/// Who the node is and where its files are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeConfig {
    /// Its name; the data directory's own if there is none.
    pub id: Option<NodeName>,
    /// The data directory.
    pub data: PathBuf,
}

/// Where messages are kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSection {
    /// Which engine.
    pub engine: EngineKind,
    /// Settings of the embedded engine.
    pub lmdb: LmdbConfig,
    /// Settings of the FoundationDB engine.
    pub foundationdb: FoundationDbConfig,
}

/// An engine's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Embedded, one machine.
    #[default]
    Lmdb,
    /// A FoundationDB cluster.
    FoundationDb,
    /// Nothing survives: for tests.
    Memory,
}

impl EngineKind {
    /// As written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lmdb => "lmdb",
            Self::FoundationDb => "foundationdb",
            Self::Memory => "memory",
        }
    }
}

/// Settings of the embedded engine.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LmdbConfig {
    /// The most it may hold, in GiB.
    pub map_gib: MapGib,
}

/// Settings of the FoundationDB engine.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FoundationDbConfig {
    /// The cluster file; the client's own default if there is none.
    pub cluster_file: Option<PathBuf>,
    /// The client library; searched for if there is none.
    pub library: Option<PathBuf>,
}

/// Where the node listens.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// WebSocket.
    pub websocket: Spanned<Listen>,
    /// Plain TCP.
    pub tcp: Listen,
    /// WebSocket over TLS.
    pub websocket_tls: Spanned<Listen>,
    /// TCP over TLS.
    pub tcp_tls: Spanned<Listen>,
    /// Operators.
    pub http: Listen,
}

/// The node's certificate: both files or neither.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// The chain, PEM.
    pub certificate: Option<Spanned<PathBuf>>,
    /// The private key, PEM.
    pub key: Option<Spanned<PathBuf>>,
}

/// What the node lets others use.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// From TCP accept to WELCOME.
    pub handshake: Span,
    /// Between a client's heartbeats.
    pub heartbeat: Span,
    /// Connections in all.
    pub connections_max: Count,
    /// Unauthenticated connections from one IPv4 address or IPv6 /64.
    pub unauthenticated_per_ip_max: Count,
    /// Events a device may have unacknowledged.
    pub window_events_max: WindowEvents,
    /// After which a session hibernates.
    pub session_idle: Span,
    /// After which a connection hibernates.
    pub connection_idle: Span,
    /// How often one user may do what.
    pub rates: RatesConfig,
}

/// How long messages are kept.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Days; 0 for ever.
    pub days: Days,
}

impl RetentionConfig {
    /// How long messages are kept, if not for ever.
    pub fn age_max(&self) -> Option<Duration> {
        let days = u64::from(self.days.get());
        (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60))
    }
}

/// What the node writes about itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// What is written.
    pub level: Directives,
    /// How.
    pub format: LogFormat,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self { id: None, data: "rookery-data".into() }
    }
}

impl Default for LmdbConfig {
    fn default() -> Self {
        Self { map_gib: MapGib::DEFAULT }
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        let off = || Spanned::new(0..0, Listen::Off);
        Self {
            websocket: Spanned::new(0..0, Listen::At(([127, 0, 0, 1], 7400).into())),
            tcp: Listen::At(([127, 0, 0, 1], 7401).into()),
            websocket_tls: off(),
            tcp_tls: off(),
            http: Listen::At(([127, 0, 0, 1], 7402).into()),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            handshake: Span::from_secs(10),
            heartbeat: Span::from_secs(30),
            connections_max: Count::new(16_000),
            unauthenticated_per_ip_max: Count::new(32),
            window_events_max: WindowEvents::DEFAULT,
            session_idle: Span::from_secs(10),
            connection_idle: Span::from_secs(10),
            rates: RatesConfig::default(),
        }
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { days: Days::new(365) }
    }
}

impl Config {
    /// What `text` says, `file` being its name for error messages and the place relative paths start from.
    ///
    /// # Errors
    /// With file, line, caret and what was expected.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::at(file, text, error.span(), error.message()))?;
        config.check().map_err(|(span, message)| ConfigError::at(file, text, Some(span), message))?;
        config.resolve_paths(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// What the file says.
    ///
    /// # Errors
    /// When it cannot be read, or as [`parse`](Self::parse).
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_path_buf(), source })?;
        Self::parse(&text, file)
    }

    /// What the named file says, else the one in the working directory, else the built-in one.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(file) => Self::load(file),
            None if Path::new(DEFAULT_FILE).exists() => Self::load(Path::new(DEFAULT_FILE)),
            None => Self::parse(DEFAULT_TEXT, Path::new(DEFAULT_FILE)),
        }
    }

    /// What no value can see by itself: settings that need each other.
    fn check(&self) -> Result<(), (std::ops::Range<usize>, &'static str)> {
        let (tls, admin) = (&self.tls, &self.admin);
        for (certificate, key) in [(&tls.certificate, &tls.key), (&admin.certificate, &admin.key)] {
            match (certificate, key) {
                (Some(certificate), None) => {
                    let expected = "a certificate needs its private key: add `key = \"FILE\"`";
                    return Err((certificate.span(), expected));
                }
                (None, Some(key)) => {
                    return Err((key.span(), "a key needs its certificate: add `certificate = \"FILE\"`"));
                }
                _ => {}
            }
        }
        let ListenConfig { websocket, tcp, websocket_tls, tcp_tls, .. } = &self.listen;
        for listener in [websocket_tls, tcp_tls] {
            if listener.get_ref().address().is_some() && self.tls.certificate.is_none() {
                return Err((
                    listener.span(),
                    "a TLS listener needs a certificate: add `certificate` and `key` to [tls]",
                ));
            }
        }
        let clients = [websocket.get_ref(), tcp, websocket_tls.get_ref(), tcp_tls.get_ref()];
        if clients.iter().all(|listen| listen.address().is_none()) {
            return Err((
                websocket.span(),
                "every listener for clients is off: give one of `websocket`, `tcp`, `websocket_tls` and `tcp_tls` an \
                 address",
            ));
        }
        self.cluster.check()?;
        admin.check(tls)
    }

    fn resolve_paths(&mut self, directory: &Path) {
        let ClusterConfig { ca, certificate, key, .. } = &mut self.cluster;
        let admin = &mut self.admin;
        let tls = &mut self.tls;
        let spanned = [
            &mut tls.certificate,
            &mut tls.key,
            ca,
            certificate,
            key,
            &mut admin.certificate,
            &mut admin.key,
        ];
        let plain = [&mut self.store.foundationdb.cluster_file, &mut admin.token_file];
        let spanned = spanned.into_iter().flatten().map(Spanned::get_mut);
        let all = spanned.chain(plain.into_iter().flatten()).chain([&mut self.node.data]);
        for path in all {
            *path = directory.join(&path);
        }
        // A library without a slash is left to the system loader's search.
        if let Some(library) = &mut self.store.foundationdb.library
            && library.components().count() > 1
        {
            *library = directory.join(&library);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_says_what_the_defaults_are() {
        let committed = Config::parse(DEFAULT_TEXT, Path::new(DEFAULT_FILE)).unwrap();
        let empty = Config::parse("", Path::new(DEFAULT_FILE)).unwrap();
        assert_eq!(committed, empty);
        assert_eq!(empty, Config::default());
    }

    #[test]
    fn settings_that_have_no_default_are_commented_out_and_valid() {
        let text = DEFAULT_TEXT
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
                    setting
                }
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let config = Config::parse(&text, Path::new(DEFAULT_FILE)).unwrap();
        assert!(config.node.id.is_some());
        assert!(config.tls.certificate.is_some() && config.tls.key.is_some());
        assert!(config.store.foundationdb.cluster_file.is_some());
        assert!(config.store.foundationdb.library.is_some());
        let ClusterConfig { link_advertise, clients_advertise, ca, certificate, key, .. } = config.cluster;
        assert!(link_advertise.is_some() && !clients_advertise.is_empty());
        assert!(ca.is_some() && certificate.is_some() && key.is_some());
        let AdminConfig { token_file, certificate, key, .. } = config.admin;
        assert!(token_file.is_some() && certificate.is_some() && key.is_some());
    }

    /// The block of the committed file that shows a cluster of several machines.
    fn production_form() -> String {
        DEFAULT_TEXT.lines().filter_map(|line| line.strip_prefix("#: ")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_production_form_parses_and_says_what_a_cluster_of_machines_needs() {
        let config = Config::parse(&production_form(), Path::new("/etc/rookery/cluster.toml")).unwrap();
        assert_eq!(config.store.engine, EngineKind::FoundationDb);
        assert!(config.node.id.is_some());
        let remote = |listen: &Listen| listen.address().is_some_and(|address| !address.ip().is_loopback());
        assert!(remote(config.listen.websocket_tls.get_ref()) && remote(config.listen.tcp_tls.get_ref()));
        assert!(remote(config.cluster.link.get_ref()) && remote(config.admin.listen.get_ref()));
        assert!(config.cluster.link_advertise.is_some() && !config.cluster.clients_advertise.is_empty());
        assert!(config.admin.certificate_files(&config.tls).is_some());
        assert_eq!(config.listen.websocket.get_ref().address(), None, "nothing in the clear");
    }

    #[test]
    fn the_admin_api_has_the_clients_certificate_only_where_others_reach_it() {
        let with = |listen: &str| {
            let text =
                format!("[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n[admin]\nlisten = \"{listen}\"\n");
            Config::parse(&text, Path::new(DEFAULT_FILE)).unwrap()
        };
        let files = |config: &Config| config.admin.certificate_files(&config.tls).is_some();
        assert!(!files(&with("127.0.0.1:7404")));
        assert!(!files(&with("")));
        assert!(files(&with("10.0.0.5:7404")));
    }

    #[test]
    fn relative_paths_start_from_the_directory_of_the_file() {
        let text = "[node]\ndata = \"d\"\n[store.foundationdb]\nlibrary = \"libfdb_c.so\"\n\
                    [tls]\ncertificate = \"c.pem\"\nkey = \"/abs/k.pem\"\n";
        let config = Config::parse(text, Path::new("/etc/rookery/cluster.toml")).unwrap();
        assert_eq!(config.node.data, Path::new("/etc/rookery/d"));
        assert_eq!(config.tls.certificate.unwrap().into_inner(), Path::new("/etc/rookery/c.pem"));
        assert_eq!(config.tls.key.unwrap().into_inner(), Path::new("/abs/k.pem"));
        assert_eq!(config.store.foundationdb.library.unwrap(), Path::new("libfdb_c.so"));
    }
}
