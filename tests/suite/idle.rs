//! Connections and sessions without traffic hibernate, and a message wakes them.

use std::time::Duration;

use rookery_tests::deadline::eventually;
use rookery_tests::{Node, NodeConfig};

use crate::people::{Person, alice_and_bob, between, text};

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_and_sessions_hibernate_and_a_message_wakes_them() {
    let idle = Duration::from_millis(300);
    let config = NodeConfig { connection_idle: idle, session_idle: idle, ..NodeConfig::default() };
    let node = Node::start(config).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let (mut a, mut b) = (Person::start(&node, &alice), Person::start(&node, &bob));
    a.connected().await;
    b.connected().await;

    for round in 1..=3 {
        eventually("everything hibernates", async || {
            let metrics = node.metrics().await;
            assert_eq!(metrics.sum("rookery_connections"), 2.0);
            let awake = metrics.sum("rookery_connection_actors") + metrics.sum("rookery_session_actors");
            (awake == 0.0).then_some(())
        })
        .await;
        a.say(conversation, &round.to_string()).await;
        assert_eq!(text(&b.message().await), round.to_string());
        a.ticks(round, 0).await;
    }
}
