//! More connections from one address than it may have before they say who they are.

use rookery_client::ErrorCode;
use rookery_protocol::ServerFrame;
use rookery_tests::deadline::{eventually, soon};
use rookery_tests::raw::RawPeer;
use rookery_tests::{Node, NodeConfig, Port};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::memory::Memory;
use crate::bystanders::Bystanders;

const UNAUTHENTICATED_MAX: u32 = 8;
const FLOOD: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_is_refused_beyond_the_limit_and_leaves_no_trace() {
    let config = NodeConfig { unauthenticated_per_ip_max: UNAUTHENTICATED_MAX, ..NodeConfig::default() };
    let node = Node::start(config).await;
    let bystanders = Bystanders::start(&node).await;
    let memory = Memory::of(&node);
    let open =
        async |count: f64| (node.metrics().await.sum("rookery_connections_open") == count).then_some(());

    let mut held = Vec::new();
    for _ in 0..UNAUTHENTICATED_MAX {
        held.push(TcpStream::connect(node.address(Port::Tcp)).await.unwrap());
    }
    eventually("they are waiting", async || open(2.0 + f64::from(UNAUTHENTICATED_MAX)).await).await;

    let mut refused = RawPeer::connect(&node, Port::Tcp).await;
    match refused.next().await {
        Some(ServerFrame::Error(error)) => {
            assert_eq!(error.known_code(), Some(ErrorCode::TooManyConnections), "{}", error.text);
            assert!(error.retry_after_ms > 0, "it says when to come back");
        }
        other => panic!("instead of TooManyConnections: {other:?}"),
    }
    refused.expect_closed().await;
    let mut refused = TcpStream::connect(node.address(Port::WebSocket)).await.unwrap();
    let mut answer = String::new();
    soon("an answer", refused.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");

    let mut flood = Vec::new();
    for _ in 0..FLOOD {
        flood.push(TcpStream::connect(node.address(Port::Tcp)).await.unwrap());
    }
    for stream in &mut flood {
        // An answer or a reset, but not a place.
        let _ = soon("it is closed", stream.read_to_end(&mut Vec::new())).await;
    }
    bystanders.go_on().await;
    memory.assert_flat(&node);

    drop(held);
    eventually("their places are free", async || open(2.0).await).await;
    let token = &bystanders.alice.devices[0].token;
    let expired = node.token_forge().unwrap().expired(token, std::time::Duration::from_secs(3600)).unwrap();
    let mut next = RawPeer::connect(&node, Port::Tcp).await;
    next.send(&rookery_tests::raw::hello(&expired)).await;
    next.expect_error(ErrorCode::TokenExpired, 0).await;
}
