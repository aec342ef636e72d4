//! A node while it runs: what operators ask, signals, TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rookery_protocol::{ErrorCode, Heartbeat, ServerFrame, encode};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::ask;
use crate::program::{FREE_PORTS, Program};

pub(crate) fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A client that trusts the certificate in `pem` and nothing else.
pub(crate) fn tls_client(pem: &std::path::Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn over_tls(
    address: &str,
    client: &Arc<ClientConfig>,
) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client.clone(), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// What is answered to a frame that comes before HELLO.
pub(crate) fn answer_to_heartbeat(stream: impl Read + Write) -> ServerFrame {
    ask(stream, &Heartbeat { nonce: 1 })
}

#[test]
fn operators_see_that_it_lives_is_ready_and_what_it_counts() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start_node();
    assert!(get(&node.http, "/healthz").starts_with("HTTP/1.1 200 OK"));
    assert!(get(&node.http, "/readyz").ends_with("\r\n\r\nready\n"));
    // An answer proves that the connection has been accepted.
    answer_to_heartbeat(TcpStream::connect(node.address("tcp")).unwrap());
    assert!(get(&node.http, "/nothing").starts_with("HTTP/1.1 404"));
    let metrics = get(&node.http, "/metrics");
    assert!(metrics.contains("# TYPE rookery_connections_accepted_total counter"), "{metrics}");
    assert!(metrics.contains("# TYPE rookery_store_commit_seconds histogram"), "{metrics}");
}

#[test]
fn a_terminated_node_stops_with_success_and_sends_its_clients_away() {
    for signal in [Signal::TERM, Signal::INT] {
        let program = Program::with_config(FREE_PORTS);
        let node = program.start_node();
        let mut stream = TcpStream::connect(node.address("tcp")).unwrap();
        // An answer proves that the connection has been accepted.
        get(&node.http, "/healthz");
        node.signal(signal);
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert_eq!(node.wait(), Some(0));
    }
}

#[test]
fn what_up_prints_can_be_typed() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start(&["up", "--data", "my data"]);
    let rookery = env!("CARGO_BIN_EXE_rookery");
    assert!(
        node.said.starts_with("Rookery is up.\n\n  data     my data   (made just now)\n  clients  ws://")
    );
    let line = format!("  {rookery} user add --data 'my data' alice\n");
    assert!(node.said.contains(&line), "{}", node.said);
    let output =
        std::process::Command::new("sh").arg("-c").arg(line).current_dir(program.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn up_with_tls_serves_clients_that_trust_its_certificate_and_only_over_tls() {
    let program = Program::with_config(FREE_PORTS);
    let node = program.start(&["up", "--tls"]);
    assert!(!node.said.contains("ws://") && !node.said.contains("tcp://"), "{}", node.said);
    let client = tls_client(&program.path().join("rookery-data/tls/self-signed.pem"));
    let answer = answer_to_heartbeat(over_tls(node.address("tls"), &client));
    let ServerFrame::Error(error) = answer else { panic!("{answer:?}") };
    assert_eq!(ErrorCode::from_number(error.code), Some(ErrorCode::HelloFirst));
    let mut websocket = over_tls(node.address("wss"), &client);
    write!(websocket, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    websocket.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
}

#[test]
fn a_hangup_makes_it_take_a_new_certificate_and_log_level() {
    // The certificates are those that two other nodes have made for themselves.
    let makers = [(); 2].map(|()| Program::with_config(FREE_PORTS));
    let [first, second] = makers.each_ref().map(|maker| {
        drop(maker.start(&["up", "--tls"]));
        maker.path().join("rookery-data/tls")
    });
    let program = Program::with_config("");
    let config = format!(
        "{}tcp_tls = \"127.0.0.1:0\"\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n[log]\nlevel = \"off\"\n",
        FREE_PORTS
    );
    std::fs::write(program.path().join("cluster.toml"), &config).unwrap();
    let install = |from: &std::path::Path| {
        std::fs::copy(from.join("self-signed.pem"), program.path().join("c.pem")).unwrap();
        std::fs::copy(from.join("self-signed.key"), program.path().join("k.pem")).unwrap();
    };
    // With several nodes `up` passes the signal on to each.
    for started in [&["node"][..], &["up", "--nodes", "2"]] {
        install(&first);
        let node = program.start(started);
        let (old, new) =
            (tls_client(&first.join("self-signed.pem")), tls_client(&second.join("self-signed.pem")));
        for address in node.addresses("tls") {
            answer_to_heartbeat(over_tls(address, &old));
        }
        install(&second);
        node.signal(Signal::HUP);
        // The signal is taken in its own time: from some handshake on it is the new certificate.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        for address in node.addresses("tls") {
            while over_tls(address, &new).write_all(&encode(&Heartbeat { nonce: 1 })).is_err() {
                assert!(std::time::Instant::now() < deadline, "the new certificate was not taken over");
            }
            // A client that has been here before would resume its session and look at no certificate.
            let old = tls_client(&first.join("self-signed.pem"));
            over_tls(address, &old).write_all(b"x").unwrap_err();
        }
        node.signal(Signal::TERM);
        assert_eq!(node.wait(), Some(0));
    }
}
