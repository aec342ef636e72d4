//! One byte at a time.

use std::time::Duration;

use rookery_client::{ConversationId, ErrorCode};
use rookery_protocol::{Body, RequestId, Send, ServerFrame, encode};
use rookery_tests::raw::{RawPeer, hello, message_id};
use rookery_tests::{Node, NodeConfig, Port, accounts};
use tokio::time::{sleep, timeout};

use crate::bystanders::Bystanders;

const PACE: Duration = Duration::from_millis(40);

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_of_one_byte_at_a_time_is_too_late() {
    let handshake = Duration::from_millis(800);
    let node = Node::start(NodeConfig { handshake, ..NodeConfig::default() }).await;
    let bystanders = Bystanders::start(&node).await;
    let token = &bystanders.alice.devices[0].token;
    let mut peer = RawPeer::connect(&node, Port::Tcp).await;
    let answer = dribble(&mut peer, &encode(&hello(token))).await;
    assert_closing(answer, ErrorCode::HandshakeTimeout);
    peer.expect_closed().await;
    bystanders.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_is_never_whole_counts_as_silence() {
    let heartbeat = Duration::from_millis(500);
    let node = Node::start(NodeConfig { heartbeat, ..NodeConfig::default() }).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let (mut peer, _) = RawPeer::welcomed(&node, Port::Tcp, &mallory.devices[0].token).await;
    let conversation = ConversationId::direct(mallory.user, mallory.user);
    let (request, id, body) = (RequestId::new(1), message_id(1), Body::new(vec![0; 1000]));
    let send = encode(&Send { request, conversation, id, after: None, body, reference: None, expires_s: 0 });
    let answer = dribble(&mut peer, &send).await;
    assert_closing(answer, ErrorCode::HeartbeatTimeout);
    peer.expect_closed().await;
}

/// Sends slowly until there is an answer.
async fn dribble(peer: &mut RawPeer, bytes: &[u8]) -> Option<ServerFrame> {
    for byte in bytes {
        // What the server no longer reads does not matter: its answer does.
        let _ = peer.write(std::slice::from_ref(byte)).await;
        if let Ok(answer) = timeout(PACE, peer.next_ever()).await {
            return answer;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("all was taken");
}

fn assert_closing(answer: Option<ServerFrame>, code: ErrorCode) {
    match answer {
        Some(ServerFrame::Error(error)) => assert_eq!(error.known_code(), Some(code), "{}", error.text),
        other => panic!("instead of {code:?}: {other:?}"),
    }
}
