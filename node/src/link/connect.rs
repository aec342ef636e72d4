//! A connection's way from TCP to a link, on both sides: TLS, the first words, and what may go wrong.

use std::io;
use std::time::Duration;

use rookery_store::keys::node::NodeId;
use rustls::{CertificateError, Error as TlsError};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::hello::{Answer, End, Hello, VERSION, Verdict, read_answer, read_hello, write_hello};
use super::tls::{LinkTls, is_of, server_name};
use crate::tcp::{Patience, prepare};

/// From TCP's first word to its last.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// What a node that is dialled may take for TLS and the first words. One that is stopped takes connections all the same.
const DIAL_MAX: Duration = Duration::from_millis(2500);

/// Sent bytes that nobody acknowledges for so long end the connection, as does the silence that the pump notices.
const PATIENCE: Patience = Patience {
    unacknowledged: Duration::from_secs(3),
    silent: Duration::from_secs(10),
    again: Duration::from_secs(3),
};

/// A connection that has become a link.
pub(super) struct Established {
    pub(super) stream: Box<TlsStream<TcpStream>>,
    /// The token of batches that come.
    pub(super) token: u64,
    /// How batches that go are addressed.
    pub(super) theirs: End,
    /// Whether the other side has dialled.
    pub(super) is_server: bool,
}

/// A connection whose dialler has proved who it is and waits for an answer.
pub(super) struct Offer {
    pub(super) stream: Box<TlsStream<TcpStream>>,
    pub(super) hello: Hello,
}

/// Why a connection did not become a link.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("nobody listens there")]
    Refused,
    #[error("cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the handshake took too long")]
    Late,
    #[error("{}", tls_reason(.0))]
    Tls(#[source] io::Error),
    #[error("it was closed")]
    Closed,
    #[error("these are not the first words of a link")]
    Words,
    #[error("{}", verdict_reason(*.0))]
    Verdict(Verdict),
    #[error("it was the oldest of too many handshakes")]
    Crowded,
}

impl ConnectError {
    /// For metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable(_) => "unreachable",
            Self::Late => "late",
            Self::Tls(error) => tls_label(error),
            Self::Closed => "closed",
            Self::Words => "words",
            Self::Verdict(verdict) => verdict.label(),
            Self::Crowded => "crowded",
        }
    }

    /// Whether it happens to nodes that are as they should be, while others start, stop or learn of each other.
    pub(super) fn is_ordinary(&self) -> bool {
        matches!(
            self,
            Self::Refused | Self::Closed | Self::Verdict(Verdict::Unknown | Verdict::Busy | Verdict::Another)
        )
    }

    /// Whether time alone will not mend it.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::Words | Self::Verdict(Verdict::Version | Verdict::Name))
    }

    /// Whether it shows that this run of the node takes no links: nobody does there, or another run of it.
    pub(super) fn shows_absence(&self) -> bool {
        matches!(self, Self::Refused | Self::Verdict(Verdict::Another))
    }
}

/// Connects, and says no more: somebody listens there.
pub(super) async fn probe(address: &str) -> Result<TcpStream, ConnectError> {
    match timeout(CONNECT_MAX, TcpStream::connect(address)).await {
        Err(_) => Err(ConnectError::Late),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(ConnectError::Refused),
        Ok(Err(error)) => Err(ConnectError::Unreachable(error)),
        Ok(Ok(stream)) => Ok(stream),
    }
}

/// Dials `to` for `own`, whose router has the process id `router`.
pub(super) async fn dial(
    tls: &LinkTls,
    own: NodeId,
    to: &NodeId,
    address: &str,
    router: u64,
) -> Result<Established, ConnectError> {
    let stream = probe(address).await?;
    prepare(&stream, PATIENCE).map_err(ConnectError::Unreachable)?;
    let greet = async {
        let name = server_name(&to.name).map_err(|_| ConnectError::Verdict(Verdict::Name))?;
        let connector = TlsConnector::from(tls.client.clone());
        let stream = connector.connect(name, stream).await.map_err(tls_failed)?;
        let mut stream = Box::new(TlsStream::from(stream));
        let token = rand::random();
        let hello = Hello { version: VERSION, from: own, to: to.clone(), end: End { token, router } };
        write_hello(&mut stream, &hello).await.map_err(tls_failed)?;
        match read_answer(&mut stream).await.map_err(tls_failed)? {
            Answer::Welcome(theirs) => Ok(Established { stream, token, theirs, is_server: false }),
            Answer::Refused(verdict) => Err(ConnectError::Verdict(verdict)),
        }
    };
    timeout(DIAL_MAX, greet).await.map_err(|_| ConnectError::Late)?
}

/// Listens to the first words of somebody who has connected; none of who only looked whether anybody listens. No deadline
/// of its own.
pub(super) async fn receive(tls: &LinkTls, stream: TcpStream) -> Result<Option<Offer>, ConnectError> {
    prepare(&stream, PATIENCE).map_err(|_| ConnectError::Closed)?;
    if !matches!(stream.peek(&mut [0]).await, Ok(1..)) {
        return Ok(None);
    }
    let stream = TlsAcceptor::from(tls.server.clone()).accept(stream).await.map_err(tls_failed)?;
    let mut stream = Box::new(TlsStream::from(stream));
    let hello = read_hello(&mut stream).await.map_err(tls_failed)?;
    Ok(Some(Offer { stream, hello }))
}

impl Offer {
    /// What is wrong with it, but for whether it is wanted.
    pub(super) fn objection(&self, own: &NodeId) -> Option<Verdict> {
        let certificates = self.stream.get_ref().1.peer_certificates();
        let shown = certificates.and_then(|chain| chain.first());
        if self.hello.version != VERSION {
            Some(Verdict::Version)
        } else if !shown.is_some_and(|shown| is_of(shown, &self.hello.from.name)) {
            Some(Verdict::Name)
        } else if self.hello.to != *own {
            Some(Verdict::Another)
        } else {
            None
        }
    }
}

fn tls_failed(error: io::Error) -> ConnectError {
    match error.kind() {
        _ if tls_error(&error).is_some() => ConnectError::Tls(error),
        io::ErrorKind::InvalidData => ConnectError::Words,
        _ => ConnectError::Closed,
    }
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn tls_label(error: &io::Error) -> &'static str {
    match tls_error(error) {
        Some(TlsError::NoCertificatesPresented) => "no_certificate",
        Some(TlsError::InvalidCertificate(why)) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "other_ca",
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "other_name"
            }
            _ => "certificate",
        },
        Some(TlsError::AlertReceived(_)) => "refused_by_peer",
        Some(TlsError::InvalidMessage(_)) => "garbage",
        _ => "tls",
    }
}

fn tls_reason(error: &io::Error) -> &'static str {
    match tls_label(error) {
        "no_certificate" => "the other side has shown no certificate",
        "other_ca" => "the other side's certificate is not of this cluster's CA",
        "expired" => "the other side's certificate has expired",
        "other_name" => "the other side's certificate is of another node",
        "certificate" => "the other side's certificate cannot be used",
        "refused_by_peer" => "the other side has refused TLS with this node",
        "garbage" => "the other side does not speak TLS",
        _ => "the TLS handshake failed",
    }
}

fn verdict_reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Unknown => "who dials is no member as far as is known",
        Verdict::Busy => "there is a link already",
        Verdict::Another => "another node, or another run of it, was meant",
        Verdict::Version => "the versions of the links differ",
        Verdict::Name => "the certificate is of another node",
    }
}
