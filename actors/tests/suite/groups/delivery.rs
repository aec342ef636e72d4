//! Each message and each change comes to every member, once and in order.

use std::time::Duration;

use rookery_protocol::GroupChange;

use super::{Said, beginning, of, texts, users};
use crate::client::{user, who};
use crate::node::Node;

const MOMENT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_message_comes_to_every_member_and_to_nobody_else() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    let group = alice.create([2]).await;
    assert_eq!(alice.say(of(group), "hello").await.get(), 2);
    assert_eq!(alice.take_entries(2).await, [beginning([2]), (2, Said::Own)]);
    let mut all = vec![beginning([2])];
    all.extend(texts(2, &["hello"]));
    assert_eq!(bob.take_entries(2).await, all);
    for client in [&mut alice, &mut bob, &mut carol] {
        client.quiet_for(MOMENT).await;
    }
}

#[tokio::test(start_paused = true)]
async fn changes_and_messages_of_all_have_one_order_for_all() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    let group = alice.create([2, 3]).await;
    for round in 0..20 {
        alice.say(of(group), &format!("alice {round}")).await;
        bob.change(group, GroupChange::Described(format!("bob {round}"))).await.unwrap();
        carol.say(of(group), &format!("carol {round}")).await;
    }
    let carols = carol.take_entries(61).await;
    let (alices, bobs) = (alice.take_entries(61).await, bob.take_entries(61).await);
    assert!(carols.iter().map(|(seq, _)| *seq).eq(1..=61));
    for at in 0..61 {
        for (one, other) in [(&carols[at], &bobs[at]), (&bobs[at], &alices[at])] {
            assert!(one == other || one.1 == Said::Own || other.1 == Said::Own, "{one:?} {other:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_makes_a_change_gets_what_the_log_says_of_it() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let group = alice.create([2]).await;
    // Bob is in it already, so only Carol is added.
    alice.change(group, GroupChange::Added(users([2, 3]))).await.unwrap();
    alice.change(group, GroupChange::Left { successor: None }).await.unwrap();
    let left = Said::Change(GroupChange::Left { successor: Some(user(2)) });
    let added = Said::Change(GroupChange::Added(users([3])));
    assert_eq!(alice.take_entries(3).await, [beginning([2]), (2, added), (3, left)]);
}

#[tokio::test(start_paused = true)]
async fn what_came_while_a_member_was_away_waits() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let group = alice.create([2]).await;
    let said: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    for text in &said {
        alice.say(of(group), text).await;
    }
    let mut bob = node.join(who(2, 1)).await;
    let mut all = vec![beginning([2])];
    all.extend(texts(2, &said.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(bob.take_entries(41).await, all);
    bob.quiet_for(MOMENT).await;
}
