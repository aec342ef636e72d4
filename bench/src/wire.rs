//! A connection that costs the load generator little: frames over TCP or TLS, no more client than the measurement needs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use rookery_client::trust;
use rookery_protocol::{FrameDecoder, Hello, Payload, ServerFrame, Stamp, Welcome, encode_into, limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;

use crate::users::BenchUser;

/// Where a node takes connections, and how.
#[derive(Clone)]
pub(crate) struct Address {
    host_port: String,
    tls: Option<TlsConnector>,
}

impl Address {
    /// Plain TCP, at `HOST:PORT`.
    pub(crate) fn plain(host_port: String) -> Self {
        Self { host_port, tls: None }
    }

    /// TLS on a port of this machine, to who has the certificate in this PEM file. Every connection makes a handshake of its
    /// own: none resumes what another began, as users who are not one another do not.
    pub(crate) fn tls(host_port: String, certificate: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("no certificate can be read from {}", certificate.display());
        let pinned = trust::certificates(certificate).with_context(unreadable)?.into_iter().next();
        let mut config = trust::client_config(None, Some(pinned.with_context(unreadable)?))?;
        config.resumption = Resumption::disabled();
        Ok(Self { host_port, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// A connection to it: on this machine, from one of the machine's addresses after the other, since each has only so many
    /// ports to come from.
    async fn connect(&self) -> io::Result<TcpStream> {
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        let address = lookup_host(&self.host_port).await?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        if address.ip() != Ipv4Addr::LOCALHOST {
            return TcpStream::connect(address).await;
        }
        let source = source(CONNECTIONS.fetch_add(1, Ordering::Relaxed));
        // Who asks for a port keeps it from others that listen at the same address: the system's choice does not.
        if source == Ipv4Addr::LOCALHOST {
            return TcpStream::connect(address).await;
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((source, 0)))?;
        socket.connect(address).await
    }
}

/// Connections that come from one address of this machine, of the 28,232 ports that Linux gives. It looks for a free one among
/// every second of them, for a minute after their end too: where 14,000 of an address were taken, that alone was a processor's work.
const CONNECTIONS_PER_ADDRESS: u64 = 2_000;

/// Where the connection of this number comes from.
fn source(number: u64) -> Ipv4Addr {
    // 250 addresses in turn: once around, those that were first have long been free again, or memory has run out.
    Ipv4Addr::new(127, 0, 0, (1 + number / CONNECTIONS_PER_ADDRESS % 250) as u8)
}

/// Bytes of frames, before encryption, on all connections of this process: those written, and those read.
static EXCHANGED_BYTES: AtomicU64 = AtomicU64::new(0);

/// Bytes of frames that all connections of this process have written and read so far, before encryption.
pub(crate) fn exchanged_bytes() -> u64 {
    EXCHANGED_BYTES.load(Ordering::Relaxed)
}

/// A welcomed connection.
pub(crate) struct Wire {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// Its reading half.
pub(crate) struct Reader {
    stream: Box<dyn AsyncRead + Send + Unpin>,
    decoder: FrameDecoder,
    received_bytes: u64,
}

/// Its writing half: frames gather until flushed.
pub(crate) struct Writer {
    stream: Box<dyn AsyncWrite + Send + Unpin>,
    frames: Vec<u8>,
}

impl Wire {
    /// Connects and says hello.
    pub(crate) async fn connect(address: &Address, user: &BenchUser) -> anyhow::Result<(Self, Welcome)> {
        Self::resume(address, user, None).await
    }

    /// Connects and says hello, and up to where events have been stored.
    pub(crate) async fn resume(
        address: &Address,
        user: &BenchUser,
        resume: Option<Stamp>,
    ) -> anyhow::Result<(Self, Welcome)> {
        let stream = address.connect().await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let mut wire = match &address.tls {
            None => {
                let (read, write) = stream.into_split();
                Self::new(read, write)
            }
            Some(tls) => {
                let name = Ipv4Addr::LOCALHOST.into();
                let stream = tls.connect(name, stream).await.context("no TLS with the node")?;
                let (read, write) = tokio::io::split(stream);
                Self::new(read, write)
            }
        };
        wire.writer.push(&Hello {
            token: user.token.clone(),
            client: "rookery-bench".into(),
            resume,
            window_events: limits::WINDOW_EVENTS_MAX,
        });
        wire.writer.flush().await?;
        match wire.reader.next().await? {
            ServerFrame::Welcome(welcome) => Ok((wire, welcome)),
            other => bail!("instead of WELCOME came {other:?}"),
        }
    }

    fn new(
        read: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        Self {
            reader: Reader { stream: Box::new(read), decoder, received_bytes: 0 },
            writer: Writer { stream: Box::new(write), frames: Vec::new() },
        }
    }
}

impl Reader {
    /// The next frame, waiting for it.
    pub(crate) async fn next(&mut self) -> anyhow::Result<ServerFrame> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            let buffer: &mut BytesMut = self.decoder.buffer_mut();
            buffer.reserve(16 * 1024);
            let read = self.stream.read_buf(buffer).await?;
            anyhow::ensure!(read > 0, "the node closed the connection");
            self.received_bytes += read as u64;
            EXCHANGED_BYTES.fetch_add(read as u64, Ordering::Relaxed);
        }
    }

    /// Bytes of frames that have arrived, before they were encrypted.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The next frame that has already arrived.
    pub(crate) fn buffered(&mut self) -> anyhow::Result<Option<ServerFrame>> {
        Ok(self.decoder.next_frame()?.map(|frame| ServerFrame::decode(&frame)).transpose()?)
    }
}

impl Writer {
    /// Adds a frame to what will be written.
    pub(crate) fn push<P: Payload>(&mut self, payload: &P) {
        encode_into(&mut self.frames, payload);
    }

    /// Writes what has gathered.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.frames.is_empty() {
            self.stream.write_all(&self.frames).await?;
            self.stream.flush().await?;
            EXCHANGED_BYTES.fetch_add(self.frames.len() as u64, Ordering::Relaxed);
            self.frames.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_come_from_one_address_after_the_other() {
        assert_eq!([0, 1_999].map(source), [Ipv4Addr::new(127, 0, 0, 1); 2]);
        assert_eq!(source(2_000), Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!([499_999, 500_000].map(source), [Ipv4Addr::new(127, 0, 0, 250), Ipv4Addr::LOCALHOST]);
    }
}
