//! A node's configuration, written for each node a test starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Port, free_port};

/// A certificate and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What makes a node one of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its name.
    pub name: String,
    /// The port on loopback by which the others reach it, when they are to go through a proxy.
    pub link_advertise: Option<u16>,
}

/// What a test may want to be different from the defaults.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Between a client's heartbeats.
    pub heartbeat: Duration,
    /// From accepting a connection to WELCOME.
    pub handshake: Duration,
    /// After which a connection hibernates.
    pub connection_idle: Duration,
    /// After which a session hibernates.
    pub session_idle: Duration,
    /// Unauthenticated connections from one address: all clients of a test have the same one.
    pub unauthenticated_per_ip_max: u32,
    /// The lines of `[limits.rates]`: none, unless a test is about them.
    pub rates: String,
    /// What is logged.
    pub log_level: String,
    /// Besides the listeners in the clear, those with TLS, with this certificate.
    pub tls: Option<TlsFiles>,
    /// Start with `rookery up --tls` instead of `rookery node`.
    pub up_tls: bool,
    /// Put the data directory on a file system of its own with so many bytes. See
    /// [`Place::is_possible`](crate::Place::is_possible).
    pub disk_bytes: Option<u64>,
    /// In a cluster. Else it is one node alone.
    pub membership: Option<Membership>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            connection_idle: Duration::from_secs(10),
            session_idle: Duration::from_secs(10),
            unauthenticated_per_ip_max: 10_000,
            rates: NO_RATES.to_owned(),
            log_level: "info".to_owned(),
            tls: None,
            up_tls: false,
            disk_bytes: None,
            membership: None,
        }
    }
}

/// As often as one likes: load is no person.
const NO_RATES: &str = "messages = \"off\"\ngroup_messages = \"off\"\ngroups = \"off\"\nmembers = \"off\"\n\
                        lookups = \"off\"\nreports = \"off\"\nsettings = \"off\"\nwatches = \"off\"\n";

/// The most a test's store may hold.
const MAP_GIB: usize = 4;

/// The ports of a node, the same for its whole life, restarts included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) tcp: u16,
    pub(crate) websocket: u16,
    pub(crate) tcp_tls: u16,
    pub(crate) websocket_tls: u16,
    pub(crate) http: u16,
    pub(crate) link: u16,
    pub(crate) admin: u16,
}

impl Ports {
    pub(crate) fn reserve() -> Self {
        Self {
            tcp: free_port(),
            websocket: free_port(),
            tcp_tls: free_port(),
            websocket_tls: free_port(),
            http: free_port(),
            link: free_port(),
            admin: free_port(),
        }
    }

    pub(crate) fn of(&self, port: Port) -> u16 {
        match port {
            Port::Tcp => self.tcp,
            Port::WebSocket => self.websocket,
            Port::TcpTls => self.tcp_tls,
            Port::WebSocketTls => self.websocket_tls,
            Port::Http => self.http,
        }
    }
}

impl NodeConfig {
    /// The text of `cluster.toml`.
    pub(crate) fn text(&self, data: &Path, ports: Ports) -> String {
        let at = |port: u16| format!("\"127.0.0.1:{port}\"");
        let secure = |port: u16| if self.tls.is_some() { at(port) } else { "\"\"".to_owned() };
        let duration = |duration: Duration| format!("\"{}\"", humantime::format_duration(duration));
        let mut text = format!("[node]\ndata = {data:?}\n");
        match &self.membership {
            None => {
                text +=
                    "\n[cluster]\nnodes = 1\nlink = \"127.0.0.1:0\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n";
            }
            Some(Membership { name, link_advertise }) => {
                text += &format!("id = {name:?}\n\n[cluster]\nlink = {}\n", at(ports.link));
                if let Some(port) = link_advertise {
                    text += &format!("link_advertise = {}\n", at(*port));
                }
                text += &format!("\n[admin]\nlisten = {}\n\n", at(ports.admin));
            }
        }
        text += &format!(
            "[store]\nengine = \"lmdb\"\n\n[store.lmdb]\nmap_gib = {MAP_GIB}\n\n\
             [listen]\nwebsocket = {}\ntcp = {}\nwebsocket_tls = {}\ntcp_tls = {}\nhttp = {}\n\n",
            at(ports.websocket),
            at(ports.tcp),
            secure(ports.websocket_tls),
            secure(ports.tcp_tls),
            at(ports.http),
        );
        if let Some(TlsFiles { certificate, key }) = &self.tls {
            text += &format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n\n");
        }
        text += &format!(
            "[limits]\nhandshake = {}\nheartbeat = {}\nunauthenticated_per_ip_max = {}\nsession_idle = {}\n\
             connection_idle = {}\n\n[limits.rates]\n{}\n[log]\nlevel = {:?}\n",
            duration(self.handshake),
            duration(self.heartbeat),
            self.unauthenticated_per_ip_max,
            duration(self.session_idle),
            duration(self.connection_idle),
            self.rates,
            self.log_level,
        );
        text
    }
}
