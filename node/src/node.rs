//! A running node: what it is made of, in which order it starts, and in which it stops.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rookery_actors::{
    Actors, ActorsConfig, Clock, ConnectionInfo, Expiring, Parts, Retention, Transport, hand_over,
};
use rookery_store::engine::Engine;
use rookery_store::keys::node::{Incarnation, NodeName};
use rookery_store::ops::Join;
use rookery_store::{Store, StoreConfig};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin;
use crate::cluster::{JoinClusterError, Joining, Member};
use crate::config::{Config, EngineKind, Listen};
use crate::data_dir::{AdminToken, DataDir, DataDirError, Listening, NodeLock};
use crate::http::{self, BoundedListener, Readiness};
use crate::link::{ClusterLinks, LinkTls, LinkTlsError};
use crate::listen::{
    Accepted, Admission, Bans, Limits, ListenError, Listener, ListenerConfig, Serve, WEBSOCKET_PATH, Wire,
    bind,
};
use crate::logging::LogControl;
use crate::metrics;
use crate::moderation::Moderation;
use crate::open_files::{self, Room};
use crate::sampled::Sampled;
use crate::store::{self, ObservedEngine, StoreHealth};
use crate::tls::{Certificate, CertificateError, CertificateFiles, self_signed_files};
use crate::token::{TokenIssuer, TokenVerifier};

/// 2020-01-01 in milliseconds since 1970. A clock before it has not been set: tokens would be judged wrongly, and
/// messages bear wrong times for ever.
const CLOCK_MS_MIN: u64 = 1_577_836_800_000;

/// How long a stopping node waits for its connections to go; what is left of [`STOP`] is the store's.
const DRAIN: Duration = Duration::from_secs(15);

/// How long a stop may take in all.
const STOP: Duration = Duration::from_secs(30);

/// Over which time the clients of a stopping node are sent to others.
const DRAIN_SPREAD: Duration = Duration::from_secs(5);

/// How often histograms are summed up, so that they do not grow while nobody asks for metrics.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// What a node is made of.
pub struct NodeParts {
    /// What it is told.
    pub config: Config,
    /// Its directory.
    pub data: DataDir,
    /// Its engine; the one that the configuration names, if there is none.
    pub engine: Option<Arc<dyn Engine>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What its randomness grows from.
    pub rng_seed: u64,
    /// Where its metrics are rendered.
    pub metrics: Option<PrometheusHandle>,
    /// Changes what it logs, if it may be changed.
    pub log: Option<LogControl>,
}

impl std::fmt::Debug for NodeParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeParts")
            .field("config", &self.config)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The clock has not been set.
    #[error("the clock says {now}, before 2020: set it, messages and tokens depend on it")]
    Clock {
        /// What it says.
        now: String,
    },
    /// Not enough files may be open.
    #[error(
        "this process may open {files} files and needs {needed} at the very least: raise the limit (ulimit -n, or \
         LimitNOFILE= of the service)"
    )]
    OpenFiles {
        /// How many it may.
        files: u64,
        /// How many it needs.
        needed: u64,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The certificate for links cannot be used.
    #[error(transparent)]
    LinkTls(#[from] LinkTlsError),
    /// It is not let into its cluster.
    #[error(transparent)]
    Join(#[from] JoinClusterError),
    /// The actors do not start.
    #[error(transparent)]
    Actors(#[from] rookery_actors::StartError),
}

/// A running node.
pub struct Node {
    name: NodeName,
    actors: Actors,
    links: Option<Arc<ClusterLinks>>,
    store: Store,
    readiness: Arc<Readiness>,
    certificate: Option<Arc<Certificate>>,
    /// The admin API's, if it has one of its own.
    admin_certificate: Option<Arc<Certificate>>,
    listening: Listening,
    stop_accepting: watch::Sender<bool>,
    stop_http: watch::Sender<bool>,
    tasks: JoinSet<()>,
    rng: StdRng,
    /// Last, so that nobody takes the directory before everything else is gone.
    _lock: NodeLock,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("listening", &self.listening).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node. When this returns it listens.
    ///
    /// # Errors
    /// When anything it needs is missing; nothing of it is left running then. One that has joined its cluster before is
    /// removed by the others, as if it had died.
    pub async fn start(parts: NodeParts) -> Result<Self, StartError> {
        let NodeParts { config, data, engine, clock, rng_seed, metrics, log } = parts;
        check_clock(&*clock)?;
        let name = config.node.id.clone().unwrap_or_else(|| data.marker().node.clone());
        let mut lock = data.lock(&name)?;
        let connections_max = raise_open_files(config.limits.connections_max.get() as usize)?;
        let keys = data.token_keys()?;
        let files = certificate_files(&config);
        // Clients of this machine must be given a certificate that no authority vouches for.
        let ca = files
            .as_ref()
            .filter(|files| **files == self_signed_files(&data))
            .map(|it| it.certificate.clone());
        let admin_files = admin_certificate_files(&config);
        let is_shared = admin_files.is_some() && admin_files == files;
        let certificate = files.map(Certificate::load).transpose()?;
        let admin_certificate = match admin_files {
            Some(_) if is_shared => certificate.clone(),
            files => files.map(Certificate::load).transpose()?,
        };
        let admin_token = match &config.admin.token_file {
            Some(file) => AdminToken::read(file)?,
            None => data.admin_token()?,
        };
        let link_tls = match config.cluster.link.get_ref().address() {
            Some(_) => Some(link_tls(&config, &data, &name)?),
            None => None,
        };
        let link_expires_at = link_tls.as_ref().map(LinkTls::expires_at);
        // Sockets first: an occupied port is found before anything is opened.
        let mut sockets = Sockets::bind(&config, certificate.as_ref())?;
        let listening = sockets
            .listening(ca.and_then(|path| std::path::absolute(path).ok()), admin_certificate.is_some());
        lock.announce(&listening)?;
        let engine = match engine {
            Some(engine) => engine,
            None => store::open(&config.store, &data).await?,
        };
        let health = Arc::new(StoreHealth::default());
        let engine = Arc::new(ObservedEngine::new(engine, health.clone()));
        let store = Store::start_observed(engine, StoreConfig::default(), metrics::committed);
        let authenticator = Arc::new(TokenVerifier::new(&data.marker().cluster, keys.public()));
        let mut rng = StdRng::seed_from_u64(rng_seed);
        let joining = Joining {
            op: join(&config, &name, &sockets, &listening, rng.next_u64()),
            link: sockets.link.take().zip(link_tls),
        };
        let Member { parts: cluster, links } = joining.join(&store).await?;
        let parts =
            Parts { store: store.clone(), authenticator, clock: clock.clone(), cluster: Some(cluster) };
        let actors = match Actors::start(actors_config(&config), parts).await {
            Ok(actors) => actors,
            Err(error) => {
                if let Some(links) = &links {
                    links.stop().await;
                }
                return Err(error.into());
            }
        };

        let readiness = Arc::new(Readiness::new(store.clone(), health, actors.clone()));
        let limits = Limits {
            connections_max,
            unauthenticated_per_ip_max: config.limits.unauthenticated_per_ip_max.get() as usize,
        };
        let bans = Bans::new(clock.clone());
        // Before anybody is let in. A store that cannot be read yet is asked again soon.
        if let Err(error) = bans.refresh(&store, &actors).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "bans could not be read yet");
        }
        let admission = Admission::with_bans(limits, bans.clone());
        let (stop_accepting, accepting) = watch::channel(false);
        let (stop_http, serving_http) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let serve = Arc::new(Service { actors: actors.clone() });
        for (wire, socket) in sockets.clients {
            let listener = ListenerConfig {
                wire,
                handshake: config.limits.handshake.get(),
                admission: admission.clone(),
            };
            tasks.spawn(Listener::new(socket, listener, serve.clone()).run(accepting.clone()));
        }
        tasks.spawn(bans.clone().keep(store.clone(), actors.clone(), accepting.clone()));
        tasks.spawn(Expiring { store: store.clone(), clock: clock.clone() }.run(accepting.clone()));
        if let Some(age_max) = config.retention.age_max() {
            tasks.spawn(
                Retention { store: store.clone(), clock: clock.clone(), age_max }.run(accepting.clone()),
            );
        }
        if let Some(handle) = &metrics {
            tasks.spawn(Moderation { store: store.clone(), clock: clock.clone() }.run(accepting.clone()));
            tasks.spawn(keep_up(handle.clone(), accepting.clone()));
        }
        let render = metrics.map(|handle| {
            metrics::started(&name, clock.now_ms(), connections_max);
            if let Some(at) = link_expires_at {
                metrics::link_certificate_expires(at);
            }
            let sampled = Sampled::new(actors.clone(), store.clone(), admission, store_file(&config, &data));
            http::render_with(handle, move || sampled.sample())
        });
        if let Some(socket) = sockets.http {
            let router = http::router(readiness.clone(), render.clone());
            tasks.spawn(serve_http(socket, router, serving_http.clone()));
        }
        if let Some(socket) = sockets.admin {
            let shared = admin::Shared::new(admin::SharedParts {
                about: admin::About {
                    cluster: data.marker().cluster.clone(),
                    node: name.clone(),
                    engine: config.store.engine.name(),
                    clients: listening.clients.clone(),
                },
                token: admin_token,
                store: store.clone(),
                actors: actors.clone(),
                clock,
                readiness: readiness.clone(),
                bans,
                issuer: TokenIssuer::new(&data.marker().cluster, &keys),
                log,
                metrics: render,
                rng_seed: rng.next_u64(),
                stopping: accepting,
            });
            let tls = admin_certificate.as_ref().map(|it| it.server_config(&["http/1.1"]));
            tasks.spawn(admin::serve(socket, tls, shared, serving_http));
        }
        Ok(Self {
            name,
            actors,
            links,
            store,
            readiness,
            certificate,
            admin_certificate: admin_certificate.filter(|_| !is_shared),
            listening,
            stop_accepting,
            stop_http,
            tasks,
            rng,
            _lock: lock,
        })
    }

    /// Where it listens.
    pub fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Its store, for tests that are another node.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its actors, for tests that make them fail.
    pub fn actors(&self) -> &Actors {
        &self.actors
    }

    /// Reads the certificates again. Whether there is one.
    ///
    /// # Errors
    /// When it cannot be used; the old one stays.
    pub fn reload_certificate(&self) -> Result<bool, CertificateError> {
        let all = [&self.certificate, &self.admin_certificate];
        let mut read = false;
        for certificate in all.into_iter().flatten() {
            certificate.reload()?;
            read = true;
        }
        Ok(read)
    }

    /// Stops: accepts nothing more, sends clients away and waits for them, commits what is queued. Takes 30 s at most;
    /// whether it took less.
    pub async fn stop(self) -> bool {
        tokio::time::timeout(STOP, self.stop_in_order()).await.is_ok()
    }

    async fn stop_in_order(mut self) {
        self.readiness.drain();
        self.stop_accepting.send_replace(true);
        // Clients are told of the others only once these have the slots: so they go to where they are owned.
        if let Err(error) = hand_over(&self.store, &self.name).await {
            tracing::warn!(%error, "slots could not be handed over: the others take them");
        }
        let left = self.actors.drain(DRAIN_SPREAD, DRAIN, &mut self.rng).await;
        if left > 0 {
            tracing::warn!(connections = left, "these did not go in time and are closed");
        }
        self.actors.stop().await;
        // When it leaves the others sweep: so what is left unsaid with the actors is made up for.
        if let Err(error) = self.actors.leave().await {
            tracing::warn!(%error, "the node could not leave its cluster: the others will remove it");
        }
        if let Some(links) = &self.links {
            links.stop().await;
        }
        self.store.close().await;
        self.stop_http.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    /// Completes when another process has joined the cluster under this node's name: there must be one.
    pub async fn superseded(&self) {
        self.actors.superseded().await;
    }
}

/// What a node says of itself when it joins its cluster.
fn join(config: &Config, name: &NodeName, sockets: &Sockets, listening: &Listening, nonce: u64) -> Join {
    let link = sockets.link.as_ref();
    let bound = sockets.clients.iter().map(|(_, socket)| bound_to(socket));
    let bound: Vec<_> = bound.zip(listening.clients.iter().cloned()).collect();
    Join {
        name: name.clone(),
        after: Incarnation::NONE,
        link: link.map(|socket| config.cluster.link_advertised(reachable(socket))).unwrap_or_default(),
        admin: listening.admin.as_ref().map(|url| config.admin.advertised(url)).unwrap_or_default(),
        clients: config.cluster.clients_advertised(&bound),
        weight: config.cluster.weight.get(),
        version: env!("CARGO_PKG_VERSION").into(),
        pid: std::process::id(),
        nonce,
    }
}

/// What listeners hand connections to.
struct Service {
    actors: Actors,
}

impl Serve for Service {
    fn serve<T: Transport>(
        &self,
        transport: T,
        accepted: Accepted,
    ) -> impl Future<Output = ()> + Send + use<T> {
        let Accepted { peer, ticket, at } = accepted;
        self.actors.serve(transport, ConnectionInfo { peer, accepted: at, admission: Some(Box::new(ticket)) })
    }
}

fn check_clock(clock: &dyn Clock) -> Result<(), StartError> {
    let now_ms = clock.now_ms();
    if now_ms >= CLOCK_MS_MIN {
        return Ok(());
    }
    let now = std::time::UNIX_EPOCH + Duration::from_millis(now_ms);
    Err(StartError::Clock { now: humantime::format_rfc3339_seconds(now).to_string() })
}

fn raise_open_files(connections_max: usize) -> Result<usize, StartError> {
    match open_files::raise(connections_max) {
        Room::Enough => Ok(connections_max),
        Room::For { connections, files } => {
            tracing::warn!(
                open_files_max = files,
                connections_max = connections,
                configured = connections_max,
                "taking fewer connections than configured: this process may not open more files (LimitNOFILE)"
            );
            Ok(connections)
        }
        Room::None { files, needed } => Err(StartError::OpenFiles { files, needed }),
    }
}

/// The embedded store's file, and how long it may get.
fn store_file(config: &Config, data: &DataDir) -> Option<(PathBuf, u64)> {
    let is_embedded = config.store.engine == EngineKind::Lmdb;
    is_embedded.then(|| (data.lmdb().join("data.mdb"), config.store.lmdb.map_gib.bytes()))
}

fn certificate_files(config: &Config) -> Option<CertificateFiles> {
    let path = |file: &Option<toml::Spanned<PathBuf>>| file.as_ref().map(|path| path.get_ref().clone());
    Some(CertificateFiles { certificate: path(&config.tls.certificate)?, key: path(&config.tls.key)? })
}

/// The admin API's certificate; none where it is in the clear.
fn admin_certificate_files(config: &Config) -> Option<CertificateFiles> {
    config.admin.listen.get_ref().address()?;
    let (certificate, key) = config.admin.certificate_files(&config.tls)?;
    Some(CertificateFiles { certificate: certificate.clone(), key: key.clone() })
}

/// How the node proves on links who it is. Whoever reads the log is told when that will soon have an end.
fn link_tls(config: &Config, data: &DataDir, name: &NodeName) -> Result<LinkTls, StartError> {
    let tls = LinkTls::load(&data.link_files(&config.cluster, name)?, name)?;
    if tls.expires_soon() {
        let at = std::time::UNIX_EPOCH + Duration::from_secs(tls.expires_at());
        tracing::warn!(
            expires = %humantime::format_rfc3339_seconds(at),
            "the certificate for links expires soon, and there are no links after that: issue another"
        );
    }
    Ok(tls)
}

fn actors_config(config: &Config) -> ActorsConfig {
    ActorsConfig {
        handshake: config.limits.handshake.get(),
        heartbeat: config.limits.heartbeat.get(),
        connection_idle: config.limits.connection_idle.get(),
        session_idle: config.limits.session_idle.get(),
        window_events_max: config.limits.window_events_max.get(),
        rates: (&config.limits.rates).into(),
        ..ActorsConfig::default()
    }
}

/// What the node listens on, before it accepts.
struct Sockets {
    clients: Vec<(Wire, TcpListener)>,
    http: Option<TcpListener>,
    admin: Option<TcpListener>,
    link: Option<TcpListener>,
}

impl Sockets {
    fn bind(config: &Config, certificate: Option<&Arc<Certificate>>) -> Result<Self, ListenError> {
        let secure = |listen: &Listen, alpn: &[&str]| {
            certificate.filter(|_| listen.address().is_some()).map(|it| it.server_config(alpn))
        };
        let (websocket_tls, tcp_tls) =
            (config.listen.websocket_tls.get_ref(), config.listen.tcp_tls.get_ref());
        let wanted = [
            (Some(Wire::WebSocket), *config.listen.websocket.get_ref()),
            (secure(websocket_tls, &["http/1.1"]).map(Wire::WebSocketTls), *websocket_tls),
            (Some(Wire::Frames), config.listen.tcp),
            (secure(tcp_tls, &[]).map(Wire::FramesTls), *tcp_tls),
        ];
        let mut clients = Vec::new();
        for (wire, listen) in wanted {
            if let (Some(wire), Some(address)) = (wire, listen.address()) {
                let socket = bind("listen", wire.label(), address)?;
                clients.push((wire, socket));
            }
        }
        let http = config.listen.http.address().map(|address| bind("listen", "http", address)).transpose()?;
        let admin = config.admin.listen.get_ref().address();
        let admin = admin.map(|address| bind("admin", "listen", address)).transpose()?;
        let link = config.cluster.link.get_ref().address();
        let link = link.map(|address| bind("cluster", "link", address)).transpose()?;
        Ok(Self { clients, http, admin, link })
    }

    fn listening(&self, ca: Option<PathBuf>, is_admin_secure: bool) -> Listening {
        let url = |(wire, socket): &(Wire, TcpListener)| {
            let address = reachable(socket);
            match wire {
                Wire::WebSocket => format!("ws://{address}{WEBSOCKET_PATH}"),
                Wire::WebSocketTls(_) => format!("wss://{address}{WEBSOCKET_PATH}"),
                Wire::Frames => format!("tcp://{address}"),
                Wire::FramesTls(_) => format!("tls://{address}"),
            }
        };
        Listening {
            clients: self.clients.iter().map(url).collect(),
            http: self.http.as_ref().map(|socket| format!("http://{}", reachable(socket))),
            admin: self.admin.as_ref().map(|socket| {
                let scheme = if is_admin_secure { "https" } else { "http" };
                format!("{scheme}://{}", reachable(socket))
            }),
            link: self.link.as_ref().map(|socket| reachable(socket).to_string()),
            ca,
        }
    }
}

fn bound_to(socket: &TcpListener) -> SocketAddr {
    socket.local_addr().expect("a bound socket has an address")
}

/// Where this machine's own programs reach a socket.
fn reachable(socket: &TcpListener) -> SocketAddr {
    let mut address = bound_to(socket);
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn keep_up(handle: PrometheusHandle, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    loop {
        tokio::select! {
            _ = ticks.tick() => handle.run_upkeep(),
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn serve_http(socket: TcpListener, router: axum::Router, mut stop: watch::Receiver<bool>) {
    // Ends without waiting for connections that are kept open: nobody depends on them.
    tokio::select! {
        ended = axum::serve(BoundedListener::new(socket), router) => {
            if let Err(error) = ended {
                tracing::error!(%error, "the operators' listener has failed");
            }
        }
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
