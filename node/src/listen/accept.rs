//! The accept loop, and a connection's way from TCP to frames.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rookery_actors::StreamTransport;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::refusal::Refusals;
use super::{Accepted, Admission, Serve, upgrade};
use crate::metrics;
use crate::tcp::{Patience, prepare};

/// How long the loop rests when the system has no room for another connection: a fraction of what clients wait before
/// they try again, yet long enough to spare the processor.
const BACKOFF: Duration = Duration::from_millis(100);

/// How often such a lack is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// As long as three heartbeats may be missed. Those are sooner than the questions of TCP, which are for peers before
/// HELLO.
const PATIENCE: Patience = Patience {
    unacknowledged: Duration::from_secs(90),
    silent: Duration::from_secs(60),
    again: Duration::from_secs(15),
};

/// Refused connections that are kept until they have read why.
const LINGERING_MAX: usize = 64;

/// What runs on a connection.
#[derive(Debug, Clone)]
pub enum Wire {
    /// Frames on plain TCP.
    Frames,
    /// Frames on TLS.
    FramesTls(Arc<ServerConfig>),
    /// Frames in WebSocket messages.
    WebSocket,
    /// Frames in WebSocket messages on TLS.
    WebSocketTls(Arc<ServerConfig>),
}

impl Wire {
    /// For logs and metrics: the setting's name under `[listen]`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Frames => "tcp",
            Self::FramesTls(_) => "tcp_tls",
            Self::WebSocket => "websocket",
            Self::WebSocketTls(_) => "websocket_tls",
        }
    }
}

/// What a listener needs besides its socket.
#[derive(Debug, Clone)]
pub struct ListenerConfig {
    /// What runs on its connections.
    pub wire: Wire,
    /// From TCP accept to WELCOME.
    pub handshake: Duration,
    /// Who may have how many connections.
    pub admission: Admission,
}

/// A socket that takes connections, until told to stop.
pub struct Listener<S> {
    socket: TcpListener,
    config: ListenerConfig,
    serve: Arc<S>,
    refusals: Refusals,
}

impl<S> std::fmt::Debug for Listener<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.config.wire.label())
    }
}

impl<S: Serve> Listener<S> {
    /// Takes connections from `socket` for `serve`.
    pub fn new(socket: TcpListener, config: ListenerConfig, serve: Arc<S>) -> Self {
        Self { socket, config, serve, refusals: Refusals::new(LINGERING_MAX) }
    }

    /// Accepts until `stop` becomes true or its sender is gone. Connections live on.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut last_logged = None;
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    let now = Instant::now();
                    if last_logged.is_none_or(|last| now - last >= LOG_EVERY) {
                        tracing::warn!(listener = self.config.wire.label(), %error, "cannot accept connections");
                        last_logged = Some(now);
                    }
                    tokio::time::sleep(BACKOFF).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let label = self.config.wire.label();
        metrics::connection_accepted(label);
        let (permit, ticket) = match self.config.admission.admit(peer.ip()) {
            Ok(admitted) => admitted,
            Err(why) => {
                metrics::connection_refused(why.label());
                tracing::debug!(listener = label, %peer, reason = %why, "connection refused");
                return self.refusals.answer(stream, &self.config.wire, why);
            }
        };
        let accepted = Accepted { peer, ticket, at: Instant::now() };
        let (wire, handshake) = (self.config.wire.clone(), self.config.handshake);
        // Boxed, for an idle connection's memory: what the handshakes need is given back before the connection begins its
        // long life.
        let establishing = Box::pin(establish(stream, wire, accepted, handshake, self.serve.clone()));
        tokio::spawn(async move {
            if let Some(served) = establishing.await {
                served.await;
            }
            drop(permit);
        });
    }
}

/// Whether an error of `accept` concerns a connection that is gone already, not the listener.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// Why a connection never got as far as frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("no handshake in time")]
    Late,
    #[error("tls handshake failed")]
    Tls(#[source] io::Error),
    #[error("websocket upgrade failed: {0}")]
    Upgrade(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl HandshakeError {
    fn label(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Tls(_) => "tls",
            Self::Upgrade(_) => "upgrade",
            Self::Io(_) => "io",
        }
    }
}

/// A connection that runs.
type Served = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn establish<S: Serve>(
    stream: TcpStream,
    wire: Wire,
    accepted: Accepted,
    handshake: Duration,
    serve: Arc<S>,
) -> Option<Served> {
    let (label, peer) = (wire.label(), accepted.peer);
    match hand_over(stream, wire, accepted, handshake, &*serve).await {
        Ok(served) => Some(served),
        Err(error) => {
            metrics::handshake_failed(label, error.label());
            tracing::debug!(listener = label, %peer, error = &error as &dyn std::error::Error, "handshake failed");
            None
        }
    }
}

/// Brings the connection to frames in time, then has it served.
async fn hand_over<S: Serve>(
    stream: TcpStream,
    wire: Wire,
    accepted: Accepted,
    handshake: Duration,
    serve: &S,
) -> Result<Served, HandshakeError> {
    prepare(&stream, PATIENCE)?;
    let deadline = accepted.at + handshake;
    Ok(match wire {
        Wire::Frames => Box::pin(serve.serve(StreamTransport::new(stream), accepted)),
        Wire::FramesTls(config) => {
            let stream = in_time(deadline, secure(stream, config)).await?;
            Box::pin(serve.serve(StreamTransport::new(stream), accepted))
        }
        Wire::WebSocket => {
            let transport = in_time(deadline, upgrade::accept(stream)).await?;
            Box::pin(serve.serve(transport, accepted))
        }
        Wire::WebSocketTls(config) => {
            let upgraded = async { upgrade::accept(secure(stream, config).await?).await };
            let transport = in_time(deadline, upgraded).await?;
            Box::pin(serve.serve(transport, accepted))
        }
    })
}

async fn in_time<T>(
    deadline: Instant,
    handshake: impl Future<Output = Result<T, HandshakeError>>,
) -> Result<T, HandshakeError> {
    tokio::time::timeout_at(deadline, handshake).await.map_err(|_| HandshakeError::Late)?
}

/// Boxed: a TLS session is over a KiB, and the futures that a stream is moved through would hold room for each.
async fn secure(
    stream: TcpStream,
    config: Arc<ServerConfig>,
) -> Result<Box<TlsStream<TcpStream>>, HandshakeError> {
    TlsAcceptor::from(config).accept(stream).await.map(Box::new).map_err(HandshakeError::Tls)
}
