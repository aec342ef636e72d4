//! One side is gone while the other writes.

use rookery_client::{MemoryStore, TlsOptions};
use rookery_tests::{Node, NodeConfig, Port};

use crate::people::{Person, alice_and_bob, between, text};

#[tokio::test(flavor = "multi_thread")]
async fn ten_messages_sent_to_somebody_who_is_away_come_once_and_in_order_on_return() {
    let node = Node::start(NodeConfig::default()).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let mut a = Person::start(&node, &alice);
    let kept = MemoryStore::new();
    let bobs = || Person::start_with(node.url(Port::WebSocket), &bob, kept.clone(), TlsOptions::System);

    let mut b = bobs();
    a.say(conversation, "are you there?").await;
    assert_eq!(text(&b.message().await), "are you there?");
    b.client.close().await;
    drop(b);

    for number in 1..=10 {
        a.say(conversation, &number.to_string()).await;
    }
    let mut b = bobs();
    for number in 1..=10 {
        assert_eq!(text(&b.message().await), number.to_string());
    }
    a.ticks(11, 0).await;
    // Whatever came twice would come before the next one.
    a.say(conversation, "that was all").await;
    assert_eq!(text(&b.message().await), "that was all");
}
