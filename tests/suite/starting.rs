//! Two nodes that want the same thing.

use rookery_tests::deadline::SOON;
use rookery_tests::{Node, NodeConfig, Port};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_on_the_same_data_says_so_and_leaves_the_first_alone() {
    let node = Node::start(NodeConfig::default()).await;
    let output = node.output(&["up"]).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("already running") && said.contains(&node.pid().to_string()), "{said}");
    assert_eq!(node.get("/readyz").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_port_is_taken_says_which_and_ends() {
    let mut node = Node::new(NodeConfig::default());
    let taken = node.address(Port::WebSocket);
    let _listener = std::net::TcpListener::bind(taken).unwrap();
    node.spawn();
    let status = node.wait_end(SOON).await.unwrap();
    assert!(!status.success());
    assert!(node.log().contains(&taken.to_string()), "{}", node.log());
}
