//! Listeners on real sockets: what one connection does is nothing to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rookery_actors::Transport;
use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_node::listen::{Accepted, Admission, Limits, Listener, ListenerConfig, Serve, Wire, bind};
use rookery_node::tls::{Certificate, self_signed};
use rookery_protocol::{ErrorCode, FrameDecoder, Heartbeat, ServerFrame, encode, limits};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

/// Sends every frame's payload length back, as the nonce of a heartbeat.
struct Echo;

impl Serve for Echo {
    fn serve<T: Transport>(
        &self,
        mut transport: T,
        accepted: Accepted,
    ) -> impl Future<Output = ()> + Send + use<T> {
        async move {
            while let Some(Ok(frame)) = transport.next_frame().await {
                let answer = encode(&Heartbeat { nonce: frame.payload.len() as u64 });
                if transport.write(&mut vec![answer]).await.is_err() {
                    break;
                }
            }
            drop(accepted);
        }
    }
}

/// A running listener; it stops when the sender is dropped.
fn listen(wire: Wire, limits: Limits) -> (SocketAddr, Admission, watch::Sender<bool>) {
    let socket = bind("listen", "tcp", "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let admission = Admission::new(limits);
    let config = ListenerConfig { wire, handshake: Duration::from_secs(10), admission: admission.clone() };
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(Listener::new(socket, config, Arc::new(Echo)).run(stopped));
    (address, admission, stop)
}

const ROOMY: Limits = Limits { connections_max: 1_000, unauthenticated_per_ip_max: 1_000 };

fn tls() -> (tempfile::TempDir, Wire, TlsConnector) {
    let directory = tempfile::tempdir().unwrap();
    let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Memory).unwrap();
    let files = self_signed(&data).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let wire = Wire::FramesTls(Certificate::load(files).unwrap().server_config(&[]));
    (directory, wire, TlsConnector::from(Arc::new(client)))
}

async fn exchange(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let frame = encode(&Heartbeat { nonce: 1 });
    stream.write_all(&frame).await.unwrap();
    let mut answer = vec![0; frame.len()];
    stream.read_exact(&mut answer).await.unwrap();
}

#[tokio::test]
async fn stalled_tls_handshakes_do_not_hold_up_others() {
    let (_directory, wire, connector) = tls();
    let (address, _, _stop) = listen(wire, ROOMY);
    let mut stalled = Vec::new();
    for sent in 0..32 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Some say nothing at all, others begin a ClientHello.
        stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00][..sent % 6]).await.unwrap();
        stalled.push(stream);
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    exchange(connector.connect(name, stream).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_handshake_is_closed_at_its_deadline() {
    let (_directory, secure, _) = tls();
    for wire in [secure, Wire::WebSocket] {
        let (address, admission, _stop) = listen(wire, ROOMY);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /v1 HTTP/1.1\r\n").await.unwrap();
        // Time is virtual and passes when nothing else happens: only the deadline can end this.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(admission.connections(), 0);
    }
}

#[tokio::test]
async fn an_address_with_too_many_strangers_is_told_so_and_let_in_when_one_has_gone() {
    let (address, admission, _stop) = listen(Wire::Frames, Limits { unauthenticated_per_ip_max: 2, ..ROOMY });
    let mut first = TcpStream::connect(address).await.unwrap();
    exchange(&mut first).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    exchange(&mut second).await;

    let mut third = TcpStream::connect(address).await.unwrap();
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).await.unwrap();
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    decoder.extend(&answer);
    let frame = ServerFrame::decode(&decoder.next_frame().unwrap().unwrap()).unwrap();
    let ServerFrame::Error(error) = frame else { panic!("{frame:?}") };
    assert_eq!(ErrorCode::from_number(error.code), Some(ErrorCode::TooManyConnections));

    first.shutdown().await.unwrap();
    // The end of the stream says that the connection has been given up.
    first.read_to_end(&mut Vec::new()).await.unwrap();
    while admission.connections() == 2 {
        tokio::task::yield_now().await;
    }
    exchange(TcpStream::connect(address).await.unwrap()).await;
}

#[tokio::test]
async fn a_full_node_answers_a_websocket_client_in_http() {
    let (address, _, _stop) = listen(Wire::WebSocket, Limits { connections_max: 0, ..ROOMY });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nthis node has as many connections as it may\n"), "{answer}");
}

#[tokio::test]
async fn a_stopped_listener_takes_nobody_and_keeps_whom_it_has() {
    let (address, _, stop) = listen(Wire::Frames, ROOMY);
    let mut stream = TcpStream::connect(address).await.unwrap();
    exchange(&mut stream).await;
    stop.send_replace(true);
    stop.closed().await;
    TcpStream::connect(address).await.unwrap_err();
    exchange(&mut stream).await;
}
