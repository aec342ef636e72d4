//! The oracle itself, on a real fleet: a node whose store is swapped for an older copy must not get away with it.

use std::path::Path;
use std::time::Duration;

use rookery_client::ConversationId;
use rookery_tests::deadline::eventually;
use rookery_tests::fleet::Fleet;
use rookery_tests::history::What;
use rookery_tests::{Node, NodeConfig, accounts, oracle};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_went_back_in_time_is_found_out() {
    let mut node = Node::start(NodeConfig::default()).await;
    let people = accounts(&node, &[("alice", 1), ("bob", 1)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let fleet = Fleet::start(&node, &people, 4).await.unwrap();
    let say = async |text: &str| {
        let before = accepted(&fleet);
        for client in fleet.clients() {
            client.send(conversation, text.to_owned()).await.unwrap();
        }
        eventually("both are accepted", async || (accepted(&fleet) >= before + 2).then_some(())).await;
    };

    say("one").await;
    fleet.settle(Duration::from_secs(30)).await.unwrap();
    let (store, copy) = (node.data().join("lmdb"), node.directory().join("copy"));
    node.kill();
    copy_files(&store, &copy);
    node.restart().await;
    say("two").await;
    fleet.settle(Duration::from_secs(30)).await.unwrap();
    oracle::assert_right(&fleet.recorder().history());

    node.kill();
    copy_files(&copy, &store);
    node.restart().await;
    say("three").await;
    fleet.close().await;
    let violations = oracle::judge(&fleet.recorder().history());
    assert!(violations.iter().any(|violation| violation.invariant.starts_with("I3")), "{violations:?}");
}

fn accepted(fleet: &Fleet) -> usize {
    fleet.recorder().progress(|history, _| history.count(|what| matches!(what, What::Accepted { .. })))
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}
