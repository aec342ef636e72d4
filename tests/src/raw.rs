//! A peer that sends whatever bytes a test wants, and reads what it is answered.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use rookery_client::{ConversationId, ErrorCode, MessageId, Seq};
use rookery_protocol::{
    Ack, Body, FrameDecoder, Hello, Payload, RequestId, Send, ServerFrame, Stamp, Welcome, encode, limits,
    whole_frames,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as WebSocketMessage;

use crate::deadline::soon;
use crate::{Node, Port};

/// A byte stream.
trait Stream: AsyncRead + AsyncWrite + std::marker::Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + std::marker::Send + Unpin> Stream for T {}

/// One connection.
pub struct RawPeer {
    link: Link,
    read_ahead: VecDeque<ServerFrame>,
}

enum Link {
    Stream { stream: Box<dyn Stream>, decoder: FrameDecoder },
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

impl std::fmt::Debug for RawPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawPeer")
    }
}

impl RawPeer {
    /// Connects to a listener in the clear, up to where HELLO is due.
    ///
    /// # Panics
    /// When that fails, or `port` is another.
    pub async fn connect(node: &Node, port: Port) -> Self {
        let address = node.address(port);
        match port {
            Port::Tcp => {
                Self::over(soon("TCP connects", TcpStream::connect(address)).await.expect("it listens"))
            }
            Port::WebSocket => {
                let url = node.url(port).to_string();
                let stream = soon("TCP connects", TcpStream::connect(address)).await.expect("it listens");
                let upgraded =
                    soon("the upgrade", Box::pin(tokio_tungstenite::client_async(url, stream))).await;
                let (socket, _) = upgraded.expect("it speaks WebSocket");
                Self { link: Link::WebSocket(Box::new(socket)), read_ahead: VecDeque::new() }
            }
            other => panic!("{other:?} is not in the clear"),
        }
    }

    /// Frames on any stream.
    pub fn over(stream: impl AsyncRead + AsyncWrite + std::marker::Send + Unpin + 'static) -> Self {
        let decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        Self { link: Link::Stream { stream: Box::new(stream), decoder }, read_ahead: VecDeque::new() }
    }

    /// Connects and is welcomed.
    ///
    /// # Panics
    /// When it is not.
    pub async fn welcomed(node: &Node, port: Port, token: &str) -> (Self, Welcome) {
        let mut peer = Self::connect(node, port).await;
        peer.send(&hello(token)).await;
        match peer.next().await {
            Some(ServerFrame::Welcome(welcome)) => (peer, welcome),
            other => panic!("instead of WELCOME: {other:?}"),
        }
    }

    /// Sends bytes; on WebSocket as one message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.link {
            Link::Stream { stream, .. } => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Link::WebSocket(socket) => {
                let message = WebSocketMessage::Binary(Bytes::copy_from_slice(bytes));
                socket.send(message).await.map_err(io::Error::other)
            }
        }
    }

    /// Says that nothing more will come; answers may.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        match &mut self.link {
            Link::Stream { stream, .. } => stream.shutdown().await,
            // By name: `Sink::close` may be in the way, depending on other crates' features.
            Link::WebSocket(socket) => WebSocketStream::close(socket, None).await.map_err(io::Error::other),
        }
    }

    /// Sends a WebSocket message of any kind.
    ///
    /// # Errors
    /// When the connection is gone.
    ///
    /// # Panics
    /// When it is no WebSocket.
    pub async fn write_message(&mut self, message: WebSocketMessage) -> io::Result<()> {
        match &mut self.link {
            Link::Stream { .. } => panic!("frames on a stream have no messages"),
            Link::WebSocket(socket) => socket.send(message).await.map_err(io::Error::other),
        }
    }

    /// Sends bytes beneath WebSocket's own framing.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn write_beneath(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.link {
            Link::Stream { stream, .. } => stream.write_all(bytes).await,
            Link::WebSocket(socket) => socket.get_mut().write_all(bytes).await,
        }
    }

    /// Sends a frame. That the other side is gone is seen when the answer does not come.
    pub async fn send(&mut self, payload: &impl Payload) {
        // A peer that has been closed on is allowed to notice later.
        let _ = self.write(&encode(payload)).await;
    }

    /// The next frame; `None` when the server has closed.
    ///
    /// # Panics
    /// When neither comes, or what comes is no frame.
    pub async fn next(&mut self) -> Option<ServerFrame> {
        soon("the server answers or closes", self.next_ever()).await
    }

    /// As [`next`](Self::next), without a deadline.
    ///
    /// # Panics
    /// When what comes is no frame.
    pub async fn next_ever(&mut self) -> Option<ServerFrame> {
        loop {
            if let Some(frame) = self.read_ahead.pop_front() {
                return Some(frame);
            }
            match &mut self.link {
                Link::Stream { stream, decoder } => {
                    if let Some(frame) = decoder.next_frame().expect("the server sends whole frames") {
                        return Some(ServerFrame::decode(&frame).expect("a frame of the server's"));
                    }
                    match stream.read_buf(decoder.buffer_mut()).await {
                        Ok(0) | Err(_) => return None,
                        Ok(_) => {}
                    }
                }
                Link::WebSocket(socket) => match socket.next().await {
                    Some(Ok(WebSocketMessage::Binary(message))) => {
                        for frame in whole_frames(message, limits::FRAME_BYTES_MAX) {
                            let frame = frame.expect("the server sends whole frames");
                            self.read_ahead.push_back(ServerFrame::decode(&frame).expect("a server's frame"));
                        }
                    }
                    Some(Ok(WebSocketMessage::Close(_)) | Err(_)) | None => return None,
                    Some(Ok(_)) => {}
                },
            }
        }
    }

    /// The next frame is an ERROR with this code, about this request.
    ///
    /// # Panics
    /// When it is not.
    pub async fn expect_error(&mut self, code: ErrorCode, request: u32) {
        match self.next().await {
            Some(ServerFrame::Error(error)) => {
                assert_eq!(error.known_code(), Some(code), "{}", error.text);
                assert_eq!(error.request.get(), request, "{}", error.text);
            }
            other => panic!("instead of ERROR {code:?}: {other:?}"),
        }
    }

    /// The server has closed.
    ///
    /// # Panics
    /// When it sends something instead, or nothing.
    pub async fn expect_closed(&mut self) {
        let next = self.next().await;
        assert!(next.is_none(), "instead of closing: {next:?}");
    }

    /// The connection works: a heartbeat is answered. What comes before is passed over.
    ///
    /// # Panics
    /// When it is not.
    pub async fn expect_alive(&mut self) {
        let nonce = 0x00c0_ffee;
        self.send(&rookery_protocol::Heartbeat { nonce }).await;
        loop {
            match self.next().await {
                Some(ServerFrame::HeartbeatAck(ack)) if ack.nonce == nonce => return,
                Some(_) => {}
                None => panic!("the server closed instead of answering a heartbeat"),
            }
        }
    }

    /// Sends a message; the answer is still to be read.
    pub async fn send_message(&mut self, request: u32, to: ConversationId, id: MessageId, body: Bytes) {
        let request = RequestId::new(request);
        self.send(&Send {
            request,
            conversation: to,
            id,
            after: None,
            body: Body::new(body),
            reference: None,
            expires_s: 0,
        })
        .await;
    }

    /// Acknowledges an event.
    pub async fn ack(&mut self, stamp: Stamp) {
        self.send(&Ack { stamp }).await;
    }

    /// The place of a message, as SENT says; events are passed over.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn expect_sent(&mut self, request: u32) -> Seq {
        loop {
            match self.next().await {
                Some(ServerFrame::Sent(sent)) if sent.request.get() == request => return sent.seq,
                Some(ServerFrame::MessageEvent(_) | ServerFrame::ReceiptEvent(_)) => {}
                other => panic!("instead of SENT: {other:?}"),
            }
        }
    }
}

/// HELLO with this token.
pub fn hello(token: &str) -> Hello {
    Hello { token: token.to_owned(), client: "raw".to_owned(), resume: None, window_events: 0 }
}

/// A message id made of a number.
pub fn message_id(number: u64) -> MessageId {
    let mut id = [0x52; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::from_bytes(id)
}

/// A TLS connection that trusts the certificates in a PEM file.
///
/// # Errors
/// When the handshake fails.
///
/// # Panics
/// When the file holds no certificate.
pub async fn tls(address: SocketAddr, trusted: &Path) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a PEM file") {
        roots.add(certificate.expect("a certificate")).expect("a usable certificate");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    soon("the TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}
