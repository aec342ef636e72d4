//! The node or the network hangs for a while, and everything that was sent meanwhile arrives at once.

use std::time::Duration;

use rookery_client::ConversationId;
use rookery_tests::fleet::{Fleet, HowStopped};
use rookery_tests::history::What;
use rookery_tests::{Node, NodeConfig, Weather, accounts, oracle};

const ROUNDS: usize = 6;
const LIVES: usize = 3;

/// Each of its lives has said HELLO, on a connection of its own, when things go on: the last one must win.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_restarted_while_the_node_hung_is_not_replaced_by_its_own_past() {
    restarted_while(|node, _| node.pause(), |node, _| node.resume()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_restarted_while_its_network_hung_is_not_replaced_by_its_own_past() {
    let set =
        |fleet: &Fleet, weather| fleet.clients().iter().for_each(|client| client.network().set(weather));
    restarted_while(|_, fleet| set(fleet, Weather::Stalled), |_, fleet| set(fleet, Weather::Clear)).await;
}

async fn restarted_while(hang: impl Fn(&Node, &Fleet), go_on: impl Fn(&Node, &Fleet)) {
    let node = Node::start(NodeConfig::default()).await;
    let people = accounts(&node, &[("alice", 1), ("bob", 1)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let fleet = Fleet::start(&node, &people, 5).await.unwrap();

    for round in 0..ROUNDS {
        hang(&node, &fleet);
        for client in fleet.clients() {
            for _ in 0..LIVES {
                client.stop(HowStopped::Crashed).await;
                client.start().await.unwrap();
                // Long enough for a connection and a HELLO, which nobody answers.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            client.send(conversation, format!("{round}")).await.unwrap();
        }
        go_on(&node, &fleet);
        let settled = fleet.settle(Duration::from_secs(30)).await;
        let ended = fleet.recorder().progress(|history, _| {
            let ended = history.entries.iter().filter(|entry| matches!(entry.what, What::Ended { .. }));
            ended.map(|entry| format!("{}: {:?}", entry.client, entry.what)).collect::<Vec<_>>()
        });
        assert_eq!(ended, [""; 0]);
        settled.unwrap();
    }
    fleet.close().await;
    oracle::assert_right(&fleet.recorder().history());
}
