//! The node dies under traffic and comes back.

use std::time::Duration;

use rookery_client::ConversationId;
use rookery_tests::deadline::eventually;
use rookery_tests::fleet::Fleet;
use rookery_tests::history::What;
use rookery_tests::{Node, NodeConfig, accounts, oracle};

const KILLS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn after_kill_9_under_traffic_everything_is_there_once_and_both_come_back_by_themselves() {
    let mut node = Node::start(NodeConfig::default()).await;
    let people = accounts(&node, &[("alice", 1), ("bob", 1)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let fleet = Fleet::start(&node, &people, 1).await.unwrap();

    for kill in 0..KILLS {
        let goal = accepted(&fleet) + 40;
        let traffic = async {
            let mut number = 0;
            while accepted(&fleet) < goal {
                for client in fleet.clients() {
                    // A full outbox says no while the node is away.
                    let _ = client.send(conversation, format!("{kill}: {number}")).await;
                    number += 1;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let mishap = async {
            let half = goal - 20;
            eventually("messages flow", async || (accepted(&fleet) >= half).then_some(())).await;
            fleet.connected(Duration::from_secs(60)).await.unwrap();
            node.kill();
            node.restart().await;
        };
        tokio::join!(traffic, mishap);
    }

    fleet.settle(Duration::from_secs(60)).await.unwrap();
    fleet.close().await;
    let history = fleet.recorder().history();
    oracle::assert_right(&history);
    assert_eq!(history.count(|what| *what == What::Started), 2, "nobody was started again");
    assert!(
        history.count(|what| *what == What::Connected) >= 2 * (1 + KILLS),
        "both came back by themselves"
    );
}

fn accepted(fleet: &Fleet) -> usize {
    fleet.recorder().progress(|history, _| history.count(|what| matches!(what, What::Accepted { .. })))
}
