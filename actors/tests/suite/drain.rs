//! Stopping a node: everyone is told, what is under way is answered, nobody new comes in.

use std::time::Duration;

use rookery_protocol::{ErrorCode, Seq, ServerFrame};

use crate::client::{direct, id, who};
use crate::node::{Node, config};

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
        async move { actors.drain(Duration::from_secs(30), || 700).await }
    });
    for client in [&mut alice, &mut idle, &mut stranger] {
        let goaway = client.goaway().await;
        assert_eq!((goaway.code, goaway.reconnect_after_ms), (ErrorCode::Shutdown as u16, 700));
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
    assert_eq!(late.goaway().await.code, ErrorCode::Shutdown as u16);
    assert_eq!(late.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn draining_gives_up_on_those_that_do_not_go_in_time() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    node.faults.slow_commits(Duration::from_secs(60));
    alice.send(direct(1, 2), id(1), "x").await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(node.actors.drain(Duration::from_secs(30), || 0).await, 1);
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
    tokio::time::sleep(Duration::from_millis(1)).await;
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
