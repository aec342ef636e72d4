//! One user, several devices.

use std::time::Duration;

use rookery_client::ConversationId;
use rookery_tests::fleet::{Fleet, HowStopped};
use rookery_tests::history::Client;
use rookery_tests::{Node, NodeConfig, accounts, oracle};

#[tokio::test(flavor = "multi_thread")]
async fn every_device_sees_everything_what_its_user_sent_elsewhere_and_while_it_was_away_included() {
    let node = Node::start(NodeConfig::default()).await;
    let people = accounts(&node, &[("alice", 3), ("bob", 2)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let notes = ConversationId::direct(people[0].user, people[0].user);
    let fleet = Fleet::start(&node, &people, 2).await.unwrap();
    let clients = fleet.clients();

    for number in 0..10 {
        // Alice's last device is away in between.
        match number {
            3 => clients[2].stop(HowStopped::Closed).await,
            7 => clients[2].start().await.unwrap(),
            _ => {}
        }
        for client in clients {
            client.send(conversation, format!("{number}")).await.unwrap();
        }
        clients[0].send(notes, format!("note to self {number}")).await.unwrap();
    }

    fleet.settle(Duration::from_secs(60)).await.unwrap();
    fleet.close().await;
    let history = fleet.recorder().history();
    oracle::assert_right(&history);
    let handed = |client| {
        let to = |to| {
            move |(who, message): &(Client, &rookery_tests::history::Handed)| {
                *who == Client(client) && message.conversation == to
            }
        };
        (history.handed().filter(to(conversation)).count(), history.handed().filter(to(notes)).count())
    };
    let away = 4;
    for client in 0..3 {
        assert_eq!(handed(client), (50 - away, 10));
    }
    for client in 3..5 {
        assert_eq!(handed(client), (50 - away, 0));
    }
}
