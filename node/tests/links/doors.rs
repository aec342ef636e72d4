//! Those who have no business at the port for links are turned away, and hinder nobody.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rookery_actors::{LinkEvent, Links};
use rookery_node::link::{CertificatePem, dns_name, issue, make_ca};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing_subscriber::layer::SubscriberExt;

use crate::node::{Cluster, DEADLINE, Node, id, peer};

/// Two linked nodes, with strangers at the door of the first.
struct House {
    cluster: Cluster,
    node: Node,
    guest: Node,
}

async fn house() -> House {
    let cluster = Cluster::of(&["a", "b"]);
    let mut node = Node::start(cluster.directory.path(), &id("a-1")).await;
    let mut guest = Node::start(cluster.directory.path(), &id("b-1")).await;
    node.links.keep(vec![peer(&id("b-1"), &guest.address), peer(&id("c-1"), "")]);
    guest.links.keep(vec![peer(&id("a-1"), &node.address)]);
    node.until(&LinkEvent::Up(id("b-1"))).await;
    guest.until(&LinkEvent::Up(id("a-1"))).await;
    House { cluster, node, guest }
}

impl House {
    /// Nobody has noticed anything, and the link works.
    async fn is_undisturbed(&mut self) {
        self.guest.send(&id("a-1"), Bytes::from_static(b"hello")).await;
        assert_eq!(self.node.batch().await, (id("b-1"), Bytes::from_static(b"hello")));
        self.node.send(&id("b-1"), Bytes::from_static(b"hello")).await;
        assert_eq!(self.guest.batch().await, (id("a-1"), Bytes::from_static(b"hello")));
    }

    /// Connects as whoever has this certificate.
    async fn tls(&self, own: Option<&CertificatePem>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.cluster.ca.certificate.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(own) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap(),
                )
                .unwrap(),
        };
        config.alpn_protocols = vec![b"rookery-link".to_vec()];
        let name = ServerName::try_from(dns_name(&"a".parse().unwrap())).unwrap();
        let stream = TcpStream::connect(&self.node.address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// The first words of a node that says it is `from`, as `hello.rs` has them.
fn hello(version: u16, from: &str, to: &str) -> Vec<u8> {
    let mut words = b"RKLK".to_vec();
    words.extend(version.to_be_bytes());
    words.extend([7; 16]);
    for id in [from, to] {
        words.push(id.len() as u8);
        words.extend(id.as_bytes());
    }
    let mut framed = (words.len() as u16).to_be_bytes().to_vec();
    framed.extend(words);
    framed
}

/// The verdict that stands in the answer; an error when there is none.
async fn answer(stream: &mut TlsStream<TcpStream>, words: &[u8]) -> std::io::Result<u8> {
    stream.write_all(words).await?;
    let mut answer = [0; 19];
    timeout(DEADLINE, stream.read_exact(&mut answer)).await.expect("an answer in time")?;
    Ok(answer[2])
}

/// What is logged on this thread while it lives.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Logged {
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let logged = Self::default();
        let writer = logged.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let filter = tracing_subscriber::EnvFilter::new("off,rookery_node=warn");
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(filter).with(lines));
        (logged, guard)
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// How often something was said.
    fn count(&self, what: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(what)).count()
    }
}

async fn closed(mut stream: TcpStream) -> Duration {
    let began = Instant::now();
    let mut rest = Vec::new();
    // A reset says it as well as an end.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("it is closed in time");
    began.elapsed()
}

#[tokio::test]
async fn who_shows_no_certificate_is_refused_and_logged_once() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    for _ in 0..3 {
        let refused = async { answer(&mut house.tls(None).await?, &hello(1, "c-1", "a-1")).await };
        assert!(refused.await.is_err());
    }
    house.is_undisturbed().await;
    assert_eq!(logged.count("the other side has shown no certificate"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn who_has_a_certificate_of_another_ca_is_refused_and_logged_once() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    let other = issue(&make_ca().unwrap(), &"c".parse().unwrap()).unwrap();
    for _ in 0..3 {
        let refused = async { answer(&mut house.tls(Some(&other)).await?, &hello(1, "c-1", "a-1")).await };
        assert!(refused.await.is_err());
    }
    house.is_undisturbed().await;
    assert_eq!(logged.count("is not of this cluster's CA"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn who_has_the_certificate_of_another_node_is_refused_and_logged_once() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    let d = issue(&house.cluster.ca, &"d".parse().unwrap()).unwrap();
    // It says it is one that is kept, and then one that is linked.
    for from in ["c-1", "b-1", "b-1"] {
        let mut stream = house.tls(Some(&d)).await.unwrap();
        assert_eq!(answer(&mut stream, &hello(1, from, "a-1")).await.unwrap(), 5, "{from}");
    }
    house.is_undisturbed().await;
    assert_eq!(logged.count("the certificate is of another node"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn who_is_not_kept_or_means_another_or_speaks_another_version_is_told_so() {
    let house = house().await;
    let d = issue(&house.cluster.ca, &"d".parse().unwrap()).unwrap();
    for (words, verdict) in [
        (hello(1, "d-1", "a-1"), 1),
        (hello(1, "d-1", "a-2"), 3),
        (hello(1, "d-1", "x-1"), 3),
        (hello(2, "d-1", "a-1"), 4),
    ] {
        let mut stream = house.tls(Some(&d)).await.unwrap();
        assert_eq!(answer(&mut stream, &words).await.unwrap(), verdict);
    }
    // An older run of a node that is kept is nobody.
    let c = issue(&house.cluster.ca, &"c".parse().unwrap()).unwrap();
    let mut stream = house.tls(Some(&c)).await.unwrap();
    assert_eq!(answer(&mut stream, &hello(1, "c-0", "a-1")).await.unwrap(), 1);
}

#[tokio::test]
async fn who_is_linked_already_and_should_wait_is_told_so() {
    let mut house = house().await;
    let b = issue(&house.cluster.ca, &"b".parse().unwrap()).unwrap();
    let mut stream = house.tls(Some(&b)).await.unwrap();
    assert_eq!(answer(&mut stream, &hello(1, "b-1", "a-1")).await.unwrap(), 2);
    house.is_undisturbed().await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 5000], &[0xff; 5000], &[22, 3, 1, 0xff, 0xff, 1]] {
        let mut stream = TcpStream::connect(&house.node.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        closed(stream).await;
    }
    let b = issue(&house.cluster.ca, &"c".parse().unwrap()).unwrap();
    for words in [&[0xff; 3][..], &[0, 3, 1, 2, 3], &[0, 0], &hello(1, "c-1", "a-1")[..20]] {
        let mut stream = house.tls(Some(&b)).await.unwrap();
        stream.write_all(words).await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(timeout(DEADLINE, stream.read(&mut [0; 8])).await.unwrap().unwrap_or(0), 0);
    }
    house.is_undisturbed().await;
    assert_eq!(logged.count("the other side does not speak TLS"), 1, "{:?}", logged.lines());
    assert_eq!(logged.count("not the first words of a link"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn who_says_nothing_is_dropped_after_a_while_and_hinders_nobody() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(&house.node.address).await.unwrap());
    }
    // Who knocks meanwhile is heard: as many as that are in nobody's way.
    house.guest.links.reset(&id("a-1"));
    house.node.until(&LinkEvent::Up(id("b-1"))).await;
    house.guest.until(&LinkEvent::Up(id("a-1"))).await;
    house.is_undisturbed().await;
    let last = closed(silent.pop().unwrap()).await;
    assert!(last > Duration::from_secs(2) && last < Duration::from_secs(10), "{last:?}");
    for stream in silent {
        closed(stream).await;
    }
    assert_eq!(logged.count("the handshake took too long"), 1, "{:?}", logged.lines());
    assert_eq!(logged.count("the oldest of too many"), 1, "{:?}", logged.lines());
}

#[tokio::test]
async fn who_only_looks_whether_anybody_listens_is_not_worth_a_word() {
    let (logged, _guard) = Logged::start();
    let mut house = house().await;
    for _ in 0..10 {
        drop(TcpStream::connect(&house.node.address).await.unwrap());
    }
    house.is_undisturbed().await;
    assert_eq!(logged.lines(), [""; 0]);
}
