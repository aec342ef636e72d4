//! `rookery up --tls`: encrypted with a certificate of its own making.

use rookery_client::{MemoryStore, TlsOptions};
use rookery_tests::{Node, NodeConfig, Port};

use crate::people::{Person, alice_and_bob, between, text};

#[tokio::test(flavor = "multi_thread")]
async fn people_who_trust_the_nodes_own_certificate_chat_over_wss_and_tls() {
    let node = Node::start(NodeConfig { up_tls: true, ..NodeConfig::default() }).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let certificate = node.data().join("tls/self-signed.pem");
    assert!(node.log().contains(&certificate.display().to_string()), "{}", node.log());
    let start = |port, account, tls| Person::start_with(node.url(port), account, MemoryStore::new(), tls);

    let mut a = start(Port::WebSocketTls, &alice, TlsOptions::Ca(certificate.clone()));
    let mut b = start(Port::TcpTls, &bob, TlsOptions::Pinned(certificate));
    a.say(conversation, "nobody else can read this").await;
    let heard = b.message().await;
    assert_eq!(text(&heard), "nobody else can read this");
    b.client.read(conversation, heard.seq);
    a.ticks(1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_trust_the_certificate_sends_no_token() {
    let node = Node::start(NodeConfig { up_tls: true, ..NodeConfig::default() }).await;
    let (alice, _) = alice_and_bob(&node).await;
    let other = tempfile::NamedTempFile::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(other.path(), made.cert.pem()).unwrap();
    let tls = TlsOptions::Ca(other.path().to_path_buf());
    let mut a = Person::start_with(node.url(Port::TcpTls), &alice, MemoryStore::new(), tls);
    let reason = a.disconnected().await;
    assert!(reason.contains("certificate"), "{reason}");
    assert_eq!(node.metrics().await.sum("rookery_connections"), 0.0);
}
