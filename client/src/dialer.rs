//! How a client reaches a node: over the network, or however a simulation likes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rustls::CertificateError;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::link::Counted;
use crate::tls::Tls;
use crate::{ByteStream, Link, NodeAddress, Scheme, TlsOptions, link};

/// A connection attempt. Dropping it gives it up.
pub type DialFuture = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// Makes connections.
pub trait Dialer: Send + Sync + 'static {
    /// Connects to a node, up to the point where HELLO can be sent. The client sees to the deadline.
    fn dial(&self, node: &NodeAddress) -> DialFuture;
}

impl<D: Dialer + ?Sized> Dialer for Arc<D> {
    fn dial(&self, node: &NodeAddress) -> DialFuture {
        (**self).dial(node)
    }
}

/// Connects over the network: TCP, TLS, WebSocket.
#[derive(Debug, Clone)]
pub struct NetworkDialer {
    tls: TlsOptions,
}

impl NetworkDialer {
    /// A dialer that trusts what `tls` says, where an address asks for encryption.
    pub fn new(tls: TlsOptions) -> Self {
        Self { tls }
    }
}

impl Dialer for NetworkDialer {
    fn dial(&self, node: &NodeAddress) -> DialFuture {
        let (node, tls) = (node.clone(), self.tls.clone());
        Box::pin(async move {
            let socket = TcpStream::connect((node.host(), node.port())).await?;
            socket.set_nodelay(true)?;
            let stream: Box<dyn ByteStream> = if node.scheme().is_encrypted() {
                let tls = Tls::new(&tls).map_err(io::Error::other)?;
                Box::new(tls.connect(&node, socket).await.map_err(not_tls)?)
            } else {
                Box::new(socket)
            };
            match node.scheme() {
                Scheme::Tcp | Scheme::Tls => Ok(Link::from_stream(stream)),
                Scheme::Ws | Scheme::Wss => open_websocket(&node, stream).await,
            }
        })
    }
}

async fn open_websocket(node: &NodeAddress, stream: Box<dyn ByteStream>) -> io::Result<Link> {
    let config = Some(Link::websocket_config());
    let handshake =
        tokio_tungstenite::client_async_with_config(node.to_string(), Counted::new(stream), config);
    let (socket, _) = Box::pin(handshake).await.map_err(not_websocket)?;
    Ok(Link::from_websocket(socket))
}

/// The usual mistakes in an address, in words for whoever has typed it.
fn not_websocket(error: tungstenite::Error) -> io::Error {
    match error {
        tungstenite::Error::Http(answer) => {
            io::Error::other(format!("the server answers {}", answer.status()))
        }
        tungstenite::Error::Protocol(ProtocolError::HttparseError(_)) => {
            io::Error::other("the server does not speak WebSocket at this port")
        }
        error => link::websocket_error(error),
    }
}

fn not_tls(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => {
            io::Error::other("the server does not speak TLS at this port")
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            io::Error::other("nobody who is trusted vouches for the server's certificate")
        }
        _ => error,
    }
}
