//! Bytes that mean nothing, and frames that end too soon.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rookery_client::ConversationId;
use rookery_protocol::{Body, HEADER_BYTES, Opcode, RequestId, Send, ServerFrame, encode};
use rookery_tests::deadline::soon;
use rookery_tests::raw::{RawPeer, hello, message_id};
use rookery_tests::seed::seed;
use rookery_tests::{Node, NodeConfig, Port, accounts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::memory::Memory;
use crate::bystanders::Bystanders;

const BLOBS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_answered_with_an_error_or_a_close_on_every_listener() {
    let config = NodeConfig { up_tls: true, ..NodeConfig::default() };
    let secure = Node::start(config).await;
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let memory = Memory::of(&node);
    let mut rng = StdRng::seed_from_u64(seed(7));

    for number in 0..BLOBS {
        let mut blob = vec![0; rng.random_range(1..4000)];
        rng.fill_bytes(&mut blob);
        if rng.random() && blob.len() > HEADER_BYTES {
            // Under a header that is right, the payload is looked into.
            let opcode = Opcode::ALL[rng.random_range(0..Opcode::ALL.len())] as u8;
            let length = u32::try_from(blob.len() - HEADER_BYTES).unwrap().to_be_bytes();
            blob[..HEADER_BYTES].copy_from_slice(&[&[0x10, 0x00, opcode], &length[..]].concat());
        }
        let mut peer = if number % 2 == 0 {
            RawPeer::connect(&node, Port::Tcp).await
        } else {
            RawPeer::welcomed(&node, Port::Tcp, &mallory.devices[0].token).await.0
        };
        // It may close before it has read all.
        let _ = peer.write(&blob).await;
        let _ = peer.finish().await;
        while let Some(frame) = peer.next().await {
            assert!(matches!(frame, ServerFrame::Error(_)), "garbage was taken for a request: {frame:?}");
        }
        for port in [Port::WebSocket, Port::TcpTls, Port::WebSocketTls] {
            let at = if port == Port::WebSocket { node.address(port) } else { secure.address(port) };
            let mut stream = TcpStream::connect(at).await.unwrap();
            let _ = stream.write_all(&blob).await;
            let _ = stream.shutdown().await;
            // It ends, one way or the other.
            let _ = soon("it closes", stream.read_to_end(&mut Vec::new())).await;
        }
    }
    assert_eq!(secure.get("/readyz").await.unwrap().status, 200);
    bystanders.go_on().await;
    memory.assert_flat(&node);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_cut_off_anywhere_is_not_sent() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let token = &mallory.devices[0].token;
    let notes = ConversationId::direct(mallory.user, mallory.user);
    let send = |number| {
        let (request, id) = (RequestId::new(1), message_id(number));
        encode(&Send {
            request,
            conversation: notes,
            id,
            after: None,
            body: Body::new("x"),
            reference: None,
            expires_s: 0,
        })
    };
    for cut in 0..send(0).len() {
        let (mut peer, _) = RawPeer::welcomed(&node, Port::Tcp, token).await;
        peer.write(&send(cut as u64)[..cut]).await.unwrap();
        peer.finish().await.unwrap();
        peer.expect_closed().await;
    }
    let (mut peer, _) = RawPeer::welcomed(&node, Port::Tcp, token).await;
    peer.send_message(1, notes, message_id(99), Bytes::from_static(b"whole")).await;
    assert_eq!(peer.expect_sent(1).await.get(), 1, "the first that was sent");
    bystanders.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_messages_on_a_websocket_are_malformed() {
    let node = Node::start(NodeConfig::default()).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let (mut peer, _) = RawPeer::welcomed(&node, Port::WebSocket, &mallory.devices[0].token).await;
    peer.write_message(tokio_tungstenite::tungstenite::Message::text("hello?")).await.unwrap();
    peer.expect_error(rookery_client::ErrorCode::Malformed, 0).await;
    peer.expect_closed().await;

    let mut peer = RawPeer::connect(&node, Port::WebSocket).await;
    peer.write_message(tokio_tungstenite::tungstenite::Message::Binary(Bytes::new())).await.unwrap();
    peer.send(&hello(&mallory.devices[0].token)).await;
    assert!(matches!(peer.next().await, Some(ServerFrame::Welcome(_))), "an empty message is ignored");
}
