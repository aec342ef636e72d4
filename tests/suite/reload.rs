//! SIGHUP: the log level and the certificate are read again, and nobody is disturbed.

use std::path::Path;

use rookery_client::{Event, MemoryStore, TlsOptions};
use rookery_tests::deadline::eventually;
use rookery_tests::{Node, NodeConfig, Port, TlsFiles, raw};
use rustix::process::Signal;

use crate::people::{Person, alice_and_bob, between, text};

#[tokio::test(flavor = "multi_thread")]
async fn sighup_takes_over_certificate_and_log_level_and_connections_live_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let files = TlsFiles { certificate: path("node.pem"), key: path("node.key") };
    make_certificate(&files);
    std::fs::copy(&files.certificate, path("old.pem")).unwrap();
    let mut node = Node::start(NodeConfig { tls: Some(files.clone()), ..NodeConfig::default() }).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let secure = |account| {
        let trusted = TlsOptions::Ca(path("old.pem"));
        Person::start_with(node.url(Port::TcpTls), account, MemoryStore::new(), trusted)
    };
    let (a, mut b) = (secure(&alice), secure(&bob));
    a.say(conversation, "before").await;
    assert_eq!(text(&b.message().await), "before");

    make_certificate(&files);
    node.reconfigure(|config| config.log_level = "debug".to_owned());
    assert!(!node.log().contains("DEBUG"), "{}", node.log());
    node.signal(Signal::HUP);
    let address = node.address(Port::TcpTls);
    let shakes = async |trusted: &Path| raw::tls(address, trusted).await.is_ok();
    eventually("new connections get the new certificate", async || {
        shakes(&files.certificate).await.then_some(())
    })
    .await;
    assert!(!shakes(&path("old.pem")).await, "the old certificate is gone");
    // A connection that fails is worth a word to those who want to know.
    eventually("the log says more", async || node.log().contains("DEBUG").then_some(())).await;

    a.say(conversation, "after").await;
    assert_eq!(text(&b.message().await), "after");
    while let Ok(event) = b.events.try_recv() {
        assert!(!matches!(event, Event::Disconnected { .. } | Event::Connected(_)), "{event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_with_a_configuration_that_is_wrong_changes_nothing() {
    let node = Node::start(NodeConfig::default()).await;
    let right = std::fs::read_to_string(node.config_file()).unwrap();
    std::fs::write(node.config_file(), right.replace("level = ", "lever = ")).unwrap();
    node.signal(Signal::HUP);
    eventually("it complains", async || node.log().contains("lever").then_some(())).await;
    assert_eq!(node.get("/readyz").await.unwrap().status, 200);
}

fn make_certificate(files: &TlsFiles) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
}
