//! Who joins gets what comes from then on, who goes gets nothing any more.

use std::time::Duration;

use rookery_protocol::{ErrorCode, GroupChange};

use super::{Said, of, users};
use crate::client::{user, who};
use crate::network::World;
use crate::node::Node;

const MOMENT: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn who_is_removed_gets_that_as_the_last_entry_on_every_node() {
    let world = World::start(3, 4).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut bob = world.members[1].node.join(who(2, 1)).await;
    let mut carol = world.members[2].node.join(who(3, 1)).await;
    world.settled().await;
    let group = alice.create([2, 3]).await;
    alice.change(group, GroupChange::Removed(users([2]))).await.unwrap();
    for _ in 0..5 {
        alice.say(of(group), "without bob").await;
    }
    let last = bob.take_entries(2).await.pop();
    assert_eq!(last, Some((2, Said::Change(GroupChange::Removed(users([2]))))));
    bob.quiet_for(MOMENT).await;
    assert_eq!(carol.take_entries(7).await.len(), 7);
    let id = bob.new_id();
    let request = bob.send(of(group), id, "still here").await;
    bob.refused(request, ErrorCode::NotMember).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_added_gets_that_first_and_then_everything() {
    let world = World::start(3, 4).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut dave = world.members[1].node.join(who(4, 1)).await;
    world.settled().await;
    let group = alice.create([2, 3]).await;
    alice.say(of(group), "before").await;
    alice.change(group, GroupChange::Added(users([4]))).await.unwrap();
    alice.say(of(group), "after").await;
    let first = (3, Said::Change(GroupChange::Added(users([4]))));
    assert_eq!(dave.take_entries(2).await, [first, (4, Said::Text("after".into()))]);
    dave.say(of(group), "hello").await;
    assert_eq!(alice.take_entries(5).await.pop(), Some((5, Said::Text("hello".into()))));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_is_gone_and_the_oldest_member_takes_the_last_admins_place() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2, 3]).await;
    assert_eq!(alice.change(group, GroupChange::Left { successor: None }).await.unwrap().seq.get(), 2);
    let left = (2, Said::Change(GroupChange::Left { successor: Some(user(2)) }));
    assert_eq!(bob.take_entries(2).await.pop(), Some(left.clone()));
    assert_eq!(alice.take_entries(2).await.pop(), Some(left));
    bob.change(group, GroupChange::Named("without alice".into())).await.unwrap();
    bob.change(group, GroupChange::Added(users([1]))).await.unwrap();
    bob.say(of(group), "welcome back").await;
    let again = [(4, Said::Change(GroupChange::Added(users([1])))), (5, Said::Text("welcome back".into()))];
    assert_eq!(alice.take_entries(2).await, again);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_group_ends_with_that_entry_for_all() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2]).await;
    alice.change(group, GroupChange::Deleted).await.unwrap();
    let last = Some((2, Said::Change(GroupChange::Deleted)));
    assert_eq!(alice.take_entries(2).await.pop(), last);
    assert_eq!(bob.take_entries(2).await.pop(), last);
    for client in [&mut alice, &mut bob] {
        let id = client.new_id();
        let request = client.send(of(group), id, "x").await;
        client.refused(request, ErrorCode::NotMember).await;
        client.quiet_for(MOMENT).await;
    }
}
