//! SIGTERM under traffic.

use std::time::Duration;

use rookery_client::{ConversationId, ErrorCode};
use rookery_protocol::ServerFrame;
use rookery_tests::deadline::eventually;
use rookery_tests::fleet::Fleet;
use rookery_tests::history::What;
use rookery_tests::raw::RawPeer;
use rookery_tests::{Node, NodeConfig, Port, accounts, oracle};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_told_to_stop_sends_everybody_away_ends_with_0_and_no_message_fails() {
    let mut node = Node::start(NodeConfig::default()).await;
    let people = accounts(&node, &[("alice", 1), ("bob", 2), ("carol", 1)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let fleet = Fleet::start(&node, &people[..2], 3).await.unwrap();
    let (mut watcher, _) = RawPeer::welcomed(&node, Port::WebSocket, &people[2].devices[0].token).await;

    let traffic = async {
        for number in 0..300 {
            for client in fleet.clients() {
                // A full outbox says no while the node is away.
                let _ = client.send(conversation, format!("{number}")).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let stop = async {
        let flows = |history: &rookery_tests::history::History, _: &_| {
            history.count(|what| matches!(what, What::Accepted { .. })) > 50
        };
        eventually("messages flow", async || fleet.recorder().progress(flows).then_some(())).await;
        let status = node.terminate().await.unwrap();
        assert_eq!(status.code(), Some(0), "{}", node.log());
        match watcher.next().await {
            Some(ServerFrame::Goaway(goaway)) => assert_eq!(goaway.code, ErrorCode::Shutdown as u16),
            other => panic!("instead of GOAWAY: {other:?}"),
        }
        watcher.expect_closed().await;
        node.restart().await;
    };
    tokio::join!(traffic, stop);

    fleet.settle(Duration::from_secs(60)).await.unwrap();
    fleet.close().await;
    let history = fleet.recorder().history();
    oracle::assert_right(&history);
    assert_eq!(history.count(|what| matches!(what, What::Refused { .. } | What::Ended { .. })), 0);
}
