//! A member's delivered mark rises lazily, and nobody is told; a direct conversation's rises soon.

use std::time::Duration;

use rookery_store::PATIENCE;

use super::of;
use crate::client::{direct, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn acknowledging_a_groups_messages_costs_no_commit_of_its_own() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let cursor = node.cursor(who(2, 1)).await;
    for _ in 0..10 {
        alice.say(of(group), "x").await;
    }
    let last = loop {
        let event = bob.take_message().await;
        if event.message.seq.get() == 11 {
            break event.stamp;
        }
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(node.cursor(who(2, 1)).await, cursor, "it is put off");
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), []);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(node.cursor(who(2, 1)).await, last, "but not for long");
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(2, 11, 0)]);
    for _ in 0..11 {
        alice.take_message().await;
    }
    alice.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn many_acknowledgements_are_not_put_off() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    let begun = tokio::time::Instant::now();
    for _ in 0..70 {
        alice.say(of(group), "x").await;
        bob.take_message().await;
    }
    let [(2, delivered, 0)] = alice.receipts_of(of(group)).await.unwrap()[..] else { panic!("no mark") };
    assert!(delivered >= 60, "{delivered}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_direct_message_is_confirmed_soon_and_takes_the_groups_mark_along() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    bob.take_message().await;
    alice.take_message().await;
    let begun = tokio::time::Instant::now();
    alice.say(direct(1, 2), "x").await;
    bob.take_message().await;
    alice.take_message().await;
    alice.take_receipt().await;
    assert_eq!(begun.elapsed(), PATIENCE);
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(2, 1, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_member_acknowledged_last_counts_when_it_leaves_at_once() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    bob.take_message().await;
    drop(bob);
    node.holds(|counts| counts.connections == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(2, 1, 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_has_put_marks_off_falls_asleep_all_the_same() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    alice.take_message().await;
    bob.take_message().await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(node.actors.counts().await.sessions_awake, 0);
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(2, 1, 0)]);
}
