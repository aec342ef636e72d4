//! Handshakes that are begun and not finished.

use std::time::Duration;

use rookery_client::ErrorCode;
use rookery_protocol::encode;
use rookery_tests::deadline::{eventually, soon};
use rookery_tests::raw::{RawPeer, hello};
use rookery_tests::{Node, NodeConfig, Port};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::memory::Memory;
use crate::bystanders::Bystanders;

const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn half_handshakes_of_every_kind_are_closed_in_time() {
    let handshake = Duration::from_millis(800);
    let node = Node::start(NodeConfig { handshake, ..NodeConfig::default() }).await;
    let secure = Node::start(NodeConfig { handshake, up_tls: true, ..NodeConfig::default() }).await;
    let bystanders = Bystanders::start(&node).await;
    let memory = Memory::of(&node);

    // On frames the reason is told.
    let hello = encode(&hello("a token that is never finished"));
    let mut told = Vec::new();
    for number in 0..EACH {
        for port in [Port::Tcp, Port::WebSocket] {
            let mut peer = RawPeer::connect(&node, port).await;
            if number % 2 == 0 && port == Port::Tcp {
                peer.write(&hello[..number + 1]).await.unwrap();
            }
            told.push(peer);
        }
    }
    // Before there are frames, nothing can be told.
    let begun: [(&Node, Port, &[u8]); 6] = [
        (&node, Port::WebSocket, b""),
        (&node, Port::WebSocket, b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: webso"),
        (&secure, Port::TcpTls, b""),
        (&secure, Port::TcpTls, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        (&secure, Port::WebSocketTls, b""),
        (&secure, Port::WebSocketTls, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ];
    let mut silent = Vec::new();
    for (node, port, bytes) in begun.iter().cycle().take(EACH * begun.len()) {
        let mut stream = TcpStream::connect(node.address(*port)).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        silent.push(stream);
    }
    memory.assert_flat(&node);

    for peer in &mut told {
        peer.expect_error(ErrorCode::HandshakeTimeout, 0).await;
        peer.expect_closed().await;
    }
    for stream in &mut silent {
        // A reset is an end too.
        let _ = soon("it is closed", stream.read_to_end(&mut Vec::new())).await;
    }
    eventually("all are gone", async || {
        (node.metrics().await.sum("rookery_connections_open") == 2.0).then_some(())
    })
    .await;
    bystanders.go_on().await;
    memory.assert_flat(&node);
}
