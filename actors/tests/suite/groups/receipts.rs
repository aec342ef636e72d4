//! How far the members have come: told to those who ask.

use std::time::Duration;

use rookery_protocol::{ErrorCode, GetReceipts, GroupChange, ServerFrame};

use super::{of, seq, users};
use crate::client::{direct, user, who};
use crate::network::World;
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn from_receipts_follows_how_many_have_and_have_read_each_message() {
    let world = World::start(3, 6).await;
    let mut clients = Vec::new();
    for number in 1..=5 {
        clients.push(world.members[number as usize % 3].node.join(who(number, 1)).await);
    }
    world.settled().await;
    let group = clients[0].create(2..=6).await;
    for _ in 0..9 {
        clients[0].say(of(group), "x").await;
    }
    // The second takes 2, the third 3, and so on; the sixth is not there.
    for (client, count) in clients[1..].iter_mut().zip(2..) {
        client.take_entries(count).await;
    }
    clients[4].read(of(group), 4).await;
    clients[3].read(of(group), 7).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let marks = clients[0].receipts_of(of(group)).await.unwrap();
    assert_eq!(marks, [(2, 2, 0), (3, 3, 0), (4, 7, 7), (5, 5, 4)]);
    let had = |seq: u64| marks.iter().filter(|(_, delivered, _)| *delivered >= seq).count();
    assert_eq!([had(1), had(3), had(5), had(8)], [4, 3, 2, 0]);
    // Another member sees the same, but for itself.
    let seen = clients[2].receipts_of(of(group)).await.unwrap();
    assert_eq!(seen, [(2, 2, 0), (4, 7, 7), (5, 5, 4)]);
}

#[tokio::test(start_paused = true)]
async fn reading_is_told_to_the_readers_own_devices_and_to_nobody_else() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut laptop = node.join(who(2, 2)).await;
    let group = alice.create([2]).await;
    for client in [&mut alice, &mut bob, &mut laptop] {
        client.take_message().await;
    }
    bob.read(of(group), 1).await;
    for device in [&mut bob, &mut laptop] {
        let receipt = device.take_receipt().await.receipt;
        assert_eq!((receipt.conversation, receipt.user, receipt.read), (of(group), user(2), seq(1)));
    }
    alice.quiet_for(Duration::from_secs(5)).await;
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(2, 1, 1)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_neither_asks_nor_is_told_of() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    let group = alice.create([2, 3]).await;
    for client in [&mut bob, &mut carol] {
        client.take_message().await;
        client.read(of(group), 1).await;
    }
    alice.change(group, GroupChange::Removed(users([2]))).await.unwrap();
    assert_eq!(alice.receipts_of(of(group)).await.unwrap(), [(3, 1, 1)]);
    assert_eq!(bob.receipts_of(of(group)).await.unwrap_err(), ErrorCode::NotMember);
    assert_eq!(bob.receipts_of(direct(1, 3)).await.unwrap_err(), ErrorCode::NotMember);
}

#[tokio::test(start_paused = true)]
async fn direct_conversations_have_receipts_to_ask_for_too() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    assert_eq!(alice.receipts_of(direct(1, 2)).await.unwrap(), []);
    alice.say(direct(1, 2), "x").await;
    alice.say(direct(1, 2), "y").await;
    bob.read(direct(1, 2), 1).await;
    assert_eq!(alice.receipts_of(direct(1, 2)).await.unwrap(), [(2, 1, 1)]);
    assert_eq!(bob.receipts_of(direct(1, 2)).await.unwrap(), []);
    assert_eq!(alice.receipts_of(direct(1, 1)).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn who_asks_learns_when_a_message_was_delivered_and_read() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    bob.take_message().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    bob.read(of(group), 1).await;
    let request = alice.new_request();
    alice.tell(&GetReceipts { request, conversation: of(group) }).await;
    let ServerFrame::Receipts(receipts) = alice.answer().await else { panic!("no receipts") };
    let [mark] = &receipts.marks[..] else { panic!("{receipts:?}") };
    assert!(mark.delivered_ms >= 1_700_000_000_000, "{mark:?}");
    assert!(mark.read_ms > mark.delivered_ms, "{mark:?}");
}
