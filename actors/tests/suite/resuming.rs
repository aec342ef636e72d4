//! Leaving and coming back: nothing is lost, and what was acknowledged does not come again.

use std::time::Duration;

use rookery_protocol::{ErrorCode, Hello, Seq, Stamp};

use crate::client::{Event, direct, user, who};
use crate::node::Node;

const MOMENT: Duration = Duration::from_secs(3);

fn seqs(events: &[Event]) -> Vec<u64> {
    let seq = |event: &Event| match event {
        Event::Message(event) => Some(event.message.seq.get()),
        _ => None,
    };
    events.iter().filter_map(seq).collect()
}

#[tokio::test(start_paused = true)]
async fn what_came_while_a_device_was_away_waits_for_it_in_order() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    for _ in 0..10 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
    }
    let mut bob = node.join(who(2, 1)).await;
    assert_eq!(seqs(&bob.events_until_quiet(MOMENT).await), (1..=10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_device_that_comes_back_gets_again_only_what_it_had_not_acknowledged() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut bob = node.join(who(2, 1)).await;
    for _ in 0..6 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
    }
    for _ in 0..4 {
        bob.take_message().await;
    }
    drop(bob);
    let mut bob = node.join(who(2, 1)).await;
    assert_eq!(seqs(&bob.events_until_quiet(MOMENT).await), [5, 6]);
    drop(bob);
    node.holds(|counts| counts.connections == 1).await;
    let mut bob = node.join(who(2, 1)).await;
    assert_eq!(seqs(&bob.events_until_quiet(MOMENT).await), [5, 6], "and again, until it does");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_a_devices_last_word_counts() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    // Her own messages, whose acknowledgements need no receipt and so may be put off.
    for _ in 0..5 {
        alice.say(direct(1, 2), "x").await;
    }
    for _ in 0..5 {
        alice.take_message().await;
    }
    drop(alice);
    node.holds(|counts| counts.connections == 0).await;
    let mut alice = node.join(who(1, 1)).await;
    alice.quiet_for(MOMENT).await;
}

#[tokio::test(start_paused = true)]
async fn hello_says_what_a_device_has_and_that_is_a_receipt() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut bob = node.join(who(2, 1)).await;
    for _ in 0..5 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
    }
    let mut third = Stamp::ZERO;
    for _ in 0..3 {
        third = bob.message().await.stamp;
    }
    drop(bob);
    let mut bob = node.join_with(Hello { resume: Some(third), ..who(2, 1).hello() }).await;
    assert_eq!(seqs(&bob.events_until_quiet(MOMENT).await), [4, 5]);
    let receipt = alice.take_receipt().await.receipt;
    assert_eq!((receipt.user, receipt.delivered), (user(2), Seq::new(3)));
    assert_eq!(node.cursor(who(2, 1)).await, third);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_claims_the_future_has_what_there_is_and_gets_what_comes() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    alice.say(direct(1, 2), "x").await;
    let mut bob = node.join_with(Hello { resume: Some(Stamp::MAX), ..who(2, 1).hello() }).await;
    bob.quiet_for(MOMENT).await;
    alice.say(direct(1, 2), "x").await;
    assert_eq!(bob.message().await.message.seq, Seq::new(2));
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_of_what_was_not_pushed_is_refused_and_changes_nothing() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut bob = node.join(who(2, 1)).await;
    bob.ack(Stamp::MAX).await;
    assert_eq!(bob.error().await.known_code(), Some(ErrorCode::BadAck));
    alice.say(direct(1, 2), "x").await;
    assert_eq!(bob.take_message().await.message.seq, Seq::new(1), "the connection goes on");
}

#[tokio::test(start_paused = true)]
async fn each_device_has_a_cursor_of_its_own_and_sees_what_the_other_sent() {
    let node = Node::start().await;
    let (mut phone, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    phone.say(direct(1, 2), "from the phone").await;
    assert_eq!(phone.take_message().await.message.body, None);
    let seen = laptop.take_message().await.message;
    assert_eq!((seen.sender, seen.device.get()), (user(1), 1));
    assert_eq!(seen.body.expect("a body").as_bytes(), &b"from the phone"[..]);
    bob.take_message().await;
    assert_eq!(phone.take_receipt().await.receipt, laptop.take_receipt().await.receipt);

    drop(laptop);
    bob.say(direct(1, 2), "while the laptop is away").await;
    bob.take_message().await;
    assert_eq!(phone.take_message().await.message.seq, Seq::new(2));
    let mut laptop = node.join(who(1, 2)).await;
    assert_eq!(laptop.take_message().await.message.seq, Seq::new(2));
    let receipt = bob.take_receipt().await.receipt;
    assert_eq!((receipt.user, receipt.delivered), (user(1), Seq::new(2)), "one device is enough");
    bob.quiet_for(MOMENT).await;
}

#[tokio::test(start_paused = true)]
async fn the_inbox_is_trimmed_once_every_device_has_acknowledged() {
    let node = Node::start().await;
    let (mut phone, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    for _ in 0..5 {
        phone.say(direct(1, 1), "x").await;
        phone.take_message().await;
    }
    tokio::time::sleep(MOMENT).await;
    assert_eq!(inbox_len(&node, 1).await, 5, "the laptop has none of it yet");
    for _ in 0..5 {
        laptop.take_message().await;
    }
    tokio::time::sleep(MOMENT).await;
    assert_eq!(inbox_len(&node, 1).await, 0);
}

async fn inbox_len(node: &Node, of: u64) -> usize {
    let snapshot = node.store.snapshot().await.expect("the store can be read");
    let inbox = rookery_store::queries::inbox_after(&*snapshot, user(of), Stamp::ZERO, 1_000).await;
    inbox.expect("and the inbox").len()
}
