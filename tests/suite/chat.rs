//! Two people chat, with every tick.

use rookery_tests::{Node, NodeConfig};

use crate::people::{Person, alice_and_bob, between, text};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_chat_both_ways_and_see_sent_delivered_and_read() {
    let node = Node::start(NodeConfig::default()).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let (mut a, mut b) = (Person::start(&node, &alice), Person::start(&node, &bob));

    assert_eq!(a.say(conversation, "hello").await.get(), 1);
    let own = a.message().await;
    assert_eq!(
        (text(&own), own.sender, own.seq.get()),
        ("hello", alice.user, 1),
        "one's own messages come too"
    );
    let heard = b.message().await;
    assert_eq!((text(&heard), heard.sender, heard.seq.get()), ("hello", alice.user, 1));
    a.ticks(1, 0).await;
    b.client.read(conversation, heard.seq);
    a.ticks(1, 1).await;

    assert_eq!(b.say(conversation, "hello yourself").await.get(), 2);
    let answer = a.message().await;
    assert_eq!((text(&answer), answer.sender, answer.seq.get()), ("hello yourself", bob.user, 2));
    a.client.read(conversation, answer.seq);
    b.ticks(2, 2).await;
}
