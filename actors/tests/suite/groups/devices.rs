//! A member's devices: each gets everything, the connection that sent a message without the body.

use rookery_protocol::GroupChange;

use super::{Said, beginning, of, texts};
use crate::client::who;
use crate::network::World;
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn only_the_connection_that_sent_a_message_gets_it_without_its_body() {
    let node = Node::start().await;
    let (mut phone, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    let group = phone.create([2, 3]).await;
    phone.say(of(group), "hello").await;
    let named = GroupChange::Named("rooks".into());
    laptop.change(group, named.clone()).await.unwrap();
    let mut all = vec![beginning([2, 3])];
    all.extend(texts(2, &["hello"]));
    all.push((3, Said::Change(named)));
    assert_eq!(laptop.take_entries(3).await, all);
    assert_eq!(bob.take_entries(3).await, all);
    all[1].1 = Said::Own;
    assert_eq!(phone.take_entries(3).await, all);
}

#[tokio::test(start_paused = true)]
async fn devices_on_several_nodes_get_everything() {
    let world = World::start(3, 3).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut tablet = world.members[1].node.join(who(1, 2)).await;
    let mut phone = world.members[1].node.join(who(2, 1)).await;
    let mut laptop = world.members[2].node.join(who(2, 2)).await;
    world.settled().await;
    let group = alice.create([2, 3]).await;
    alice.say(of(group), "hello").await;
    let mut all = vec![beginning([2, 3])];
    all.extend(texts(2, &["hello"]));
    for client in [&mut tablet, &mut phone, &mut laptop] {
        assert_eq!(client.take_entries(2).await, all);
    }
}
