//! The admin API's socket: TCP or TLS, a bounded number of connections. Each is given up when no request with the token has
//! come in time, so that nobody without it keeps operators out for long, and then when nothing moves on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Connections at a time; others wait to be accepted.
const CONNECTIONS_MAX: usize = 64;

/// A connection on which nothing has moved for so long is given up. Streams have something to say more often.
const IDLE: Duration = Duration::from_secs(60);

/// From accept until a request has shown the token, TLS' handshake included, whatever moves meanwhile.
const STRANGER_MAX: Duration = Duration::from_secs(10);

/// How long the loop rests when the system has no room for another connection.
const BACKOFF: Duration = Duration::from_millis(100);

/// Accepts operators' connections.
#[derive(Debug)]
pub(super) struct AdminListener {
    ready: mpsc::Receiver<(AdminStream, SocketAddr)>,
    address: io::Result<SocketAddr>,
    accepting: JoinHandle<()>,
}

impl AdminListener {
    /// On a bound socket; in the clear without `tls`.
    pub(super) fn new(socket: TcpListener, tls: Option<Arc<ServerConfig>>) -> Self {
        let (tell, ready) = mpsc::channel(1);
        let address = socket.local_addr();
        let accepting = tokio::spawn(accept(socket, tls.map(TlsAcceptor::from), tell));
        Self { ready, address, accepting }
    }
}

impl Drop for AdminListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Each handshake in a task of its own, so that nobody is held up by another's.
async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    ready: mpsc::Sender<(AdminStream, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                sleep(BACKOFF).await;
                continue;
            }
        };
        let (tls, ready, until) = (tls.clone(), ready.clone(), Instant::now() + STRANGER_MAX);
        tokio::spawn(async move {
            match timeout_at(until, AdminStream::begin(stream, tls, until, place)).await {
                // When the node stops, nobody takes it.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no admin connection"),
                Err(_) => tracing::debug!(%peer, "no admin connection in time"),
            }
        });
    }
}

impl Listener for AdminListener {
    type Io = AdminStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AdminStream, SocketAddr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The loop does not end before this does.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.address {
            Ok(address) => Ok(*address),
            Err(error) => Err(error.kind().into()),
        }
    }
}

/// Whether a request on a connection has shown the token.
#[derive(Debug, Clone, Default)]
pub(super) struct Trusted(Arc<AtomicBool>);

impl Trusted {
    pub(super) fn trust(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, AdminListener>> for Trusted {
    fn connect_info(stream: IncomingStream<'_, AdminListener>) -> Self {
        stream.io().trusted.clone()
    }
}

/// A connection that ends when it is not trusted in time, and when nothing moves.
#[derive(Debug)]
pub(super) struct AdminStream {
    wire: Wire,
    trusted: Trusted,
    late: Pin<Box<Sleep>>,
    idle: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AdminStream {
    async fn begin(
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        until: Instant,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let wire = match tls {
            Some(tls) => Wire::Tls(Box::new(tls.accept(stream).await?)),
            None => Wire::Plain(stream),
        };
        let (late, idle) = (Box::pin(sleep_until(until)), Box::pin(sleep(IDLE)));
        Ok(Self { wire, trusted: Trusted::default(), late, idle, _place: place })
    }

    fn check_late(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if !self.trusted.0.load(Ordering::Relaxed) && self.late.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// Runs `poll`; if nothing moves, the time does.
    fn poll_moving<T>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut dyn Both>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.check_late(context)?;
        let wire: Pin<&mut dyn Both> = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream),
            Wire::Tls(stream) => Pin::new(&mut **stream),
        };
        match poll(wire, context) {
            Poll::Ready(moved) => {
                self.idle.as_mut().reset(Instant::now() + IDLE);
                Poll::Ready(moved)
            }
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

impl AsyncRead for AdminStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_moving(context, |wire, context| wire.poll_read(context, buffer))
    }
}

impl AsyncWrite for AdminStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_moving(context, |wire, context| wire.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_late(context)?;
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_late(context)?;
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(context),
        }
    }
}
