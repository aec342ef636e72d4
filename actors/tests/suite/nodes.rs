//! Clients are told which nodes there are, and again when that has changed.

use std::time::Duration;

use crate::client::{Client, user, who};
use crate::node::{Node, config};
use rookery_actors::{ActorsConfig, ClientNodes, Slot};

/// Nodes of these names, this one first, of which the one at `owner` has every slot.
fn nodes(names: &[&str], owner: u16) -> ClientNodes {
    ClientNodes {
        epoch: 0,
        urls: names.iter().map(|name| vec![format!("rk://{name}")]).collect(),
        this: Some(0),
        owners: vec![owner; 4096],
    }
}

async fn welcomed_with(node: &Node) -> (Client, Vec<String>) {
    let mut client = node.connect();
    client.tell(&who(1, 1).hello()).await;
    let nodes = client.welcome().await.nodes;
    (client, nodes)
}

#[tokio::test(start_paused = true)]
async fn welcome_names_the_nodes_with_the_owner_of_the_session_first() {
    let advertise = vec!["rk://a".to_owned(), "rk://b".to_owned()];
    let node = Node::start_with(ActorsConfig { advertise: advertise.clone(), ..config() }).await;
    assert_eq!(welcomed_with(&node).await.1, advertise);
    node.actors.set_client_nodes(&nodes(&["a", "b", "c"], 2)).await;
    assert_eq!(welcomed_with(&node).await.1, ["rk://c", "rk://a", "rk://b"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_of_other_nodes_once_and_not_of_what_it_knows() {
    let node = Node::start().await;
    node.actors.set_client_nodes(&nodes(&["a", "b"], 0)).await;
    let (mut alice, known) = welcomed_with(&node).await;
    assert_eq!(known, ["rk://a", "rk://b"]);
    let mut stranger = node.connect();
    node.actors.set_client_nodes(&nodes(&["a", "b"], 0)).await;
    alice.quiet_for(Duration::from_millis(100)).await;
    node.actors.set_client_nodes(&nodes(&["a", "b", "c"], 0)).await;
    assert_eq!(alice.nodes().await, ["rk://a", "rk://b", "rk://c"]);
    node.actors.set_client_nodes(&nodes(&["a", "b", "c"], 1)).await;
    assert_eq!(alice.nodes().await, ["rk://b", "rk://c", "rk://a"]);
    alice.quiet_for(Duration::from_millis(100)).await;
    stranger.quiet_for(Duration::from_millis(100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_moves_is_news_for_its_users_only() {
    let node = Node::start().await;
    node.actors.set_client_nodes(&nodes(&["a", "b"], 0)).await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut moved = nodes(&["a", "b"], 0);
    moved.owners[usize::from(Slot::of_user(user(2)).number())] = 1;
    node.actors.set_client_nodes(&moved).await;
    assert_eq!(bob.nodes().await, ["rk://b", "rk://a"]);
    alice.quiet_for(Duration::from_millis(100)).await;
}
