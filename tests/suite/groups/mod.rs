//! Groups on three nodes that act as one.

mod coming_and_going;
mod life;
mod of_300;
mod offline;

use std::time::Duration;

use rookery_client::{ConversationId, GroupId};
use rookery_tests::cluster::{Cluster, ClusterConfig};
use rookery_tests::fleet::{Fleet, GroupAnswer};
use rookery_tests::{Account, accounts, oracle};

/// How long everybody may take to have everything.
const REST: Duration = Duration::from_secs(90);

async fn three_nodes() -> Cluster {
    Cluster::start(ClusterConfig::new(3)).await.unwrap()
}

/// Users with so many devices each.
async fn people(cluster: &Cluster, devices: &[usize]) -> Vec<Account> {
    let names: Vec<String> = (0..devices.len()).map(|number| format!("user-{number}")).collect();
    let wanted: Vec<_> = names.iter().map(String::as_str).zip(devices.iter().copied()).collect();
    accounts(cluster, &wanted).await.unwrap()
}

/// The group that an answer is about.
fn done(answer: &GroupAnswer) -> GroupId {
    answer.group().unwrap_or_else(|| panic!("{answer:?}"))
}

/// Says something, all clients of these in turn.
async fn say(fleet: &Fleet, clients: &[usize], group: GroupId, text: &str) {
    for client in clients {
        let said = fleet.clients()[*client].send(ConversationId::group(group), text.to_owned()).await;
        assert!(said.unwrap().is_some(), "client {client} runs");
    }
}

/// Waits until everybody has everything, and finds nothing wrong with it.
async fn all_right(fleet: &Fleet) {
    fleet.settle(REST).await.unwrap();
    fleet.close().await;
    oracle::assert_right(&fleet.recorder().history());
}
