//! The same frames over TCP, TLS, WebSocket and both, on real sockets.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rand::{SeedableRng, rngs::StdRng};
use rookery_client::{
    ByteStream, Client, Config, Dialer, Event, Events, MemoryStore, NetworkDialer, TlsOptions, TokenProvider,
};
use rookery_protocol::{ClientFrame, FrameDecoder, MessageEvent, limits};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use support::{message, next_message, stamp, welcome, with_bob};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message as WebSocketMessage;

struct Certificate {
    directory: tempfile::TempDir,
    acceptor: TlsAcceptor,
}

impl Certificate {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self { directory, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }
}

/// Why a client at `scheme` gets no link to a server that answers the first byte with this.
async fn failure(scheme: &str, answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let node = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_u8().await.unwrap();
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket
    };
    let certificate = Certificate::new();
    let dialer = NetworkDialer::new(TlsOptions::Ca(certificate.path()));
    let (dialed, _socket) = tokio::join!(dialer.dial(&node), serving);
    dialed.unwrap_err().to_string()
}

#[tokio::test]
async fn an_address_of_something_else_is_told_in_words() {
    let http = "HTTP/1.1 400 Bad Request\r\n\r\n";
    assert_eq!(failure("tls", http).await, "the server does not speak TLS at this port");
    assert_eq!(
        failure("ws", "\u{1}\u{0}\u{0}\u{0}\r\n\r\n").await,
        "the server does not speak WebSocket at this port"
    );
    assert_eq!(failure("ws", "HTTP/1.1 404 Not Found\r\n\r\n").await, "the server answers 404 Not Found");
}

/// Takes one connection, welcomes it and pushes two messages at once.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, websocket: bool) {
    let (socket, _) = listener.accept().await.unwrap();
    let mut stream: Box<dyn ByteStream> = match tls {
        Some(tls) => match tls.accept(socket).await {
            Ok(stream) => Box::new(stream),
            // The client does not trust this server.
            Err(_) => return,
        },
        None => Box::new(socket),
    };
    let mut answer = rookery_protocol::encode(&welcome()).to_vec();
    for number in [1, 2] {
        let message = message(with_bob(), number.into());
        rookery_protocol::encode_into(&mut answer, &MessageEvent { stamp: stamp(number), message });
    }
    if websocket {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(WebSocketMessage::Binary(_)))));
        socket.send(WebSocketMessage::Binary(answer.into())).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    } else {
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        let hello = loop {
            if let Some(frame) = decoder.next_frame().unwrap() {
                break frame;
            }
            stream.read_buf(decoder.buffer_mut()).await.unwrap();
        };
        assert!(matches!(ClientFrame::decode(&hello), Ok(ClientFrame::Hello(_))));
        stream.write_all(&answer).await.unwrap();
        stream.flush().await.unwrap();
        while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
    }
}

async fn connect(scheme: &str, certificate: &Certificate, trusted: TlsOptions) -> (Client, Events) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
    let tls = matches!(scheme, "tls" | "wss").then(|| certificate.acceptor.clone());
    tokio::spawn(serve(listener, tls, scheme.starts_with("ws")));
    let config = Config::new(vec![address.parse().unwrap()], TokenProvider::fixed("t"));
    Client::start(config, NetworkDialer::new(trusted), MemoryStore::new(), StdRng::seed_from_u64(1)).unwrap()
}

#[tokio::test]
async fn messages_come_over_every_transport() {
    let certificate = Certificate::new();
    for scheme in ["tcp", "ws", "tls", "wss"] {
        for trusted in [TlsOptions::Ca(certificate.path()), TlsOptions::Pinned(certificate.path())] {
            let (client, mut events) = connect(scheme, &certificate, trusted).await;
            let both = async { (next_message(&mut events).await.0, next_message(&mut events).await.0) };
            assert_eq!(timeout(Duration::from_secs(20), both).await.expect(scheme), (1, 2));
            client.close().await;
        }
    }
}

#[tokio::test]
async fn a_server_with_another_certificate_is_not_trusted() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    for trusted in [TlsOptions::Ca(other.path()), TlsOptions::Pinned(other.path())] {
        let (_client, mut events) = connect("tls", &certificate, trusted).await;
        match timeout(Duration::from_secs(20), events.next()).await.unwrap() {
            Some(Event::Disconnected { reason, .. }) => assert!(reason.contains("certificate"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}
