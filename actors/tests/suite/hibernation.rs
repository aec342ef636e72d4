//! What is idle costs next to nothing, and wakes for whatever comes.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Counts};
use rookery_protocol::{Body, DeviceId, Seq};
use rookery_store::ops::{Author, SendMessage};

use crate::client::{direct, id, user, who};
use crate::node::{Node, config};

const IDLE: Duration = Duration::from_secs(15);

const ASLEEP: Counts = Counts {
    connections: 1,
    connections_awake: 0,
    sessions: 1,
    sessions_awake: 0,
    hosted_elsewhere: 0,
    unregistered: 0,
    epoch: 0,
};

#[tokio::test(start_paused = true)]
async fn an_idle_connection_and_its_session_give_their_actors_back() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let awake = Counts { connections_awake: 1, sessions_awake: 1, ..ASLEEP };
    assert_eq!(node.actors.counts().await, awake);
    tokio::time::sleep(IDLE).await;
    assert_eq!(node.actors.counts().await, ASLEEP);
    alice.say(direct(1, 2), "x").await;
    alice.take_message().await;
    assert_eq!(node.actors.counts().await, awake, "a frame wakes both");
    drop(alice);
    tokio::time::sleep(IDLE).await;
    assert_eq!(node.actors.counts().await, Counts::default(), "and nothing is left of one that has gone");
}

#[tokio::test(start_paused = true)]
async fn a_doorbell_wakes_a_session_and_leaves_the_connections_actor_asleep() {
    let node = Node::start().await;
    let mut bob = node.join(who(2, 1)).await;
    tokio::time::sleep(IDLE).await;
    let mut alice = node.join(who(1, 1)).await;
    alice.say(direct(1, 2), "x").await;
    let event = bob.message().await;
    let counts = node.actors.counts().await;
    assert_eq!((counts.sessions_awake, counts.connections_awake), (2, 1));
    bob.ack(event.stamp).await;
    assert_eq!(alice.take_message().await.message.seq, Seq::new(1));
    assert_eq!(alice.take_receipt().await.receipt.delivered, Seq::new(1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_slept_goes_on_where_it_was() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for seq in 1..=5 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
        alice.heartbeat().await;
        assert_eq!(bob.take_message().await.message.seq, Seq::new(seq), "and nothing twice");
        alice.take_receipt().await;
        bob.heartbeat().await;
        tokio::time::sleep(IDLE).await;
        assert_eq!(node.actors.counts().await.sessions_awake, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_finds_what_a_lost_doorbell_announced() {
    let node = Node::start().await;
    let mut bob = node.join(who(2, 1)).await;
    for (number, wait) in [(1, IDLE), (2, Duration::from_secs(6))] {
        // Asleep the first time, awake the second.
        tokio::time::sleep(wait).await;
        let author = Author {
            user: user(1),
            device: DeviceId::new(1),
            generation: 1,
            admitted: 0,
            id: id(number),
            time_ms: 0,
        };
        let sent = SendMessage {
            conversation: direct(1, 2),
            author,
            after: None,
            body: Body::default(),
            reference: None,
            expires_s: 0,
        };
        node.store.submit(&direct(1, 2), sent).await.expect("the store takes it");
        bob.quiet_for(Duration::from_millis(100)).await;
        bob.heartbeat().await;
        assert_eq!(bob.take_message().await.message.seq, Seq::new(number as u64));
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_alone_wake_no_actor() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    tokio::time::sleep(IDLE).await;
    for _ in 0..5 {
        alice.heartbeat().await;
        assert_eq!(node.actors.counts().await, ASLEEP);
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_with_something_unacknowledged_stays_awake() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.say(direct(1, 2), "x").await;
    alice.take_message().await;
    let event = bob.message().await;
    tokio::time::sleep(IDLE).await;
    assert_eq!(node.actors.counts().await.sessions_awake, 1);
    bob.ack(event.stamp).await;
    alice.take_receipt().await;
    tokio::time::sleep(IDLE).await;
    assert_eq!(node.actors.counts().await.sessions_awake, 0);
}

#[tokio::test(start_paused = true)]
async fn traffic_at_the_moment_of_falling_asleep_is_not_lost() {
    let node = Node::start_with(ActorsConfig {
        session_idle: Duration::from_millis(1),
        connection_idle: Duration::from_millis(1),
        ..config()
    })
    .await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for seq in 1..=200 {
        alice.say(direct(1, 2), "x").await;
        assert_eq!(bob.take_message().await.message.seq, Seq::new(seq));
        // Around the shard's tick, a second after the other.
        tokio::time::sleep(Duration::from_millis(999 + seq % 3)).await;
        let events = alice.events_until_quiet(Duration::from_millis(1)).await;
        if let Some(last) = events.last() {
            alice.ack(last.stamp()).await;
        }
        bob.heartbeat().await;
    }
}
