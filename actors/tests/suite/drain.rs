//! Stopping a node: everyone is told, what is under way is answered, nobody new comes in.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_protocol::{ErrorCode, Seq, ServerFrame};
use rookery_store::PATIENCE;

use crate::client::{direct, id, who};
use crate::node::{Node, add_user, config};

const SPREAD: Duration = Duration::from_secs(4);

#[tokio::test(start_paused = true)]
async fn draining_sends_everyone_away_after_answering_what_is_in_flight() {
    let nodes = vec!["rk://a".to_owned(), "rk://b".to_owned()];
    let node = Node::start_with(rookery_actors::ActorsConfig { advertise: nodes, ..config() }).await;
    let mut alice = node.join(who(1, 1)).await;
    let mut idle = node.join(who(2, 1)).await;
    let mut stranger = node.connect();
    node.faults.slow_commits(Duration::from_secs(2));
    let requests = [alice.send(direct(1, 2), id(1), "x").await, alice.send(direct(1, 2), id(2), "y").await];
    tokio::time::sleep(Duration::from_millis(10)).await;

    let drained = tokio::spawn({
        let actors = node.actors.clone();
        async move { actors.drain(SPREAD, Duration::from_secs(30), &mut StdRng::seed_from_u64(1)).await }
    });
    for client in [&mut alice, &mut idle, &mut stranger] {
        let goaway = client.goaway().await;
        assert_eq!((goaway.code, goaway.reconnect_after_ms), (ErrorCode::Shutdown as u16, 0));
        assert_eq!(goaway.nodes, ["rk://b"]);
    }
    assert_eq!((idle.next().await, stranger.next().await), (None, None));
    for (request, seq) in requests.into_iter().zip(1..) {
        assert_eq!(alice.sent(request).await.seq, Seq::new(seq));
    }
    loop {
        match alice.next().await {
            Some(ServerFrame::MessageEvent(_)) => {}
            other => break assert_eq!(other, None),
        }
    }
    assert_eq!(drained.await.expect("it ends"), 0);

    let mut late = node.connect();
    let goaway = late.goaway().await;
    assert_eq!((goaway.code, goaway.nodes), (ErrorCode::Shutdown as u16, vec!["rk://b".to_owned()]));
    assert_eq!(late.next().await, None);
}

/// Milliseconds from the drain's beginning to each client's GOAWAY, in the order in which the clients came.
async fn drained_after_ms(advertise: &[&str], count: u64, seed: u64) -> Vec<u128> {
    let advertise = advertise.iter().map(|url| (*url).to_owned()).collect();
    let node = Node::start_with(rookery_actors::ActorsConfig { advertise, ..config() }).await;
    let mut clients = Vec::new();
    for number in 0..count {
        add_user(&node.store, 100 + number, 1).await;
        clients.push(node.join(who(100 + number, 1)).await);
    }
    let begun = tokio::time::Instant::now();
    let goaways = clients.into_iter().map(|mut client| {
        tokio::spawn(async move {
            client.goaway().await;
            begun.elapsed().as_millis()
        })
    });
    let goaways: Vec<_> = goaways.collect();
    let left = node.actors.drain(SPREAD, Duration::from_secs(30), &mut StdRng::seed_from_u64(seed)).await;
    assert_eq!(left, 0);
    let mut at = Vec::new();
    for goaway in goaways {
        at.push(goaway.await.expect("it is told"));
    }
    at
}

#[tokio::test(start_paused = true)]
async fn a_drain_sends_clients_away_evenly_and_in_random_order() {
    let at = drained_after_ms(&["rk://a", "rk://b"], 80, 1).await;
    let mut sorted = at.clone();
    sorted.sort_unstable();
    assert_ne!(at, sorted, "not in the order in which they came");
    assert_ne!(at, drained_after_ms(&["rk://a", "rk://b"], 80, 2).await);
    for (place, at) in (0..).zip(sorted) {
        let due = SPREAD.as_millis() * place / 80;
        assert!(at.abs_diff(due) <= 5, "number {place} after {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_wastes_no_time_on_a_few_clients_or_on_those_that_have_nowhere_to_go() {
    assert!(drained_after_ms(&["rk://a", "rk://b"], 3, 1).await.into_iter().all(|at| at <= 205));
    assert!(drained_after_ms(&["rk://a"], 80, 1).await.into_iter().all(|at| at <= 5));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_clients_know_no_other_asks_them_to_come_back_later() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let drain = node.actors.drain(SPREAD, Duration::from_secs(30), &mut StdRng::seed_from_u64(1)).await;
    assert_eq!(drain, 0);
    let goaway = alice.goaway().await;
    assert_eq!((goaway.reconnect_after_ms, goaway.nodes), (1_000, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn draining_gives_up_on_those_that_do_not_go_in_time() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    node.faults.slow_commits(Duration::from_secs(60));
    alice.send(direct(1, 2), id(1), "x").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let begun = tokio::time::Instant::now();
    let left = node.actors.drain(SPREAD, Duration::from_secs(30), &mut StdRng::seed_from_u64(1)).await;
    assert_eq!(left, 1);
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn stopping_commits_the_acknowledgements_that_were_put_off() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    // An acknowledgement that is no receipt is put off until the next tick.
    alice.say(direct(1, 2), "x").await;
    let event = alice.take_message().await;
    alice.heartbeat().await;
    tokio::time::sleep(2 * PATIENCE).await;
    assert_ne!(node.cursor(who(1, 1)).await, event.stamp, "it has been put off");
    node.actors.stop().await;
    node.store.close().await;
    assert_eq!(node.cursor(who(1, 1)).await, event.stamp);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_node_closes_its_connections() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    node.actors.stop().await;
    alice.closed_for(ErrorCode::Internal).await;
    let mut late = node.connect();
    late.tell(&who(1, 1).hello()).await;
    late.closed_for(ErrorCode::Internal).await;
}
