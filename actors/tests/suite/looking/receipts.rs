//! How far members of a group come, while somebody looks.

use std::time::Duration;

use rookery_protocol::ConversationId;

use super::SOON;
use crate::client::{direct, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn those_who_have_a_group_open_see_others_receipts_as_they_come() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    let group = alice.create([2, 3]).await;
    let conversation = ConversationId::group(group);
    alice.take_message().await;
    bob.take_message().await;
    carol.take_message().await;
    tokio::time::sleep(SOON).await;
    alice.watch(&[], &[conversation]).await;
    alice.quiet_for(SOON).await;
    alice.say(conversation, "hello").await;
    alice.take_message().await;
    bob.take_message().await;
    carol.take_message().await;
    let mut marks = alice.receipts(conversation).await;
    while marks.len() < 2 {
        marks.extend(alice.receipts(conversation).await);
    }
    marks.sort_unstable();
    assert_eq!(marks, [(2, 2, 0), (3, 2, 0)]);
    bob.read(conversation, 2).await;
    assert_eq!(alice.receipts(conversation).await, [(2, 2, 2)]);
    bob.take_receipt().await;
    bob.quiet_for(SOON).await;
    alice.watch(&[], &[]).await;
    carol.read(conversation, 2).await;
    alice.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn receipts_of_a_lively_group_come_every_other_second_with_each_member_once() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    let conversation = ConversationId::group(group);
    let mut tablet = node.join(who(1, 2)).await;
    tablet.watch(&[], &[conversation]).await;
    alice.take_message().await;
    bob.take_message().await;
    let before = tokio::time::Instant::now();
    for number in 2..=101 {
        alice.say(conversation, "x").await;
        alice.take_message().await;
        bob.take_message().await;
        bob.read(conversation, number).await;
        bob.take_receipt().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut notices = 0;
    loop {
        let marks = tablet.receipts(conversation).await;
        notices += 1;
        assert_eq!(marks.len(), 1, "{marks:?}");
        if marks == [(2, 101, 101)] {
            break;
        }
    }
    assert!(notices <= before.elapsed().as_secs() / 2 + 1, "{notices}");
}

#[tokio::test(start_paused = true)]
async fn a_direct_conversation_has_them_as_events_and_no_notices() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[], &[direct(1, 2)]).await;
    alice.say(direct(1, 2), "hello").await;
    alice.take_message().await;
    bob.take_message().await;
    bob.read(direct(1, 2), 1).await;
    alice.take_receipt().await;
    alice.take_receipt().await;
    alice.quiet_for(SOON).await;
}
