//! Nodes that do not know of bells for many get them one by one.

use std::time::Duration;

use super::{Said, of};
use crate::client::who;
use crate::network::World;
use crate::node;

#[tokio::test(start_paused = true)]
async fn nodes_of_every_format_have_members_who_hear_at_once() {
    let mut world = World::start(0, 12).await;
    for (name, speaks_max) in [("a", Some(1)), ("b", Some(2)), ("c", None), ("d", None)] {
        world.join_with(name, node::config(), speaks_max).await;
    }
    world.settled().await;
    let mut clients = Vec::new();
    for number in 1..=12 {
        clients.push(world.members[number as usize % 4].node.join(who(number, 1)).await);
    }
    world.settled().await;
    let group = clients[0].create(2..=12).await;
    for client in &mut clients {
        client.take_message().await;
    }
    for author in 0..4 {
        clients[author].say(of(group), "hello").await;
        let begun = tokio::time::Instant::now();
        for (number, client) in clients.iter_mut().enumerate() {
            let expected = if number == author { Said::Own } else { Said::Text("hello".into()) };
            assert_eq!(client.take_entries(1).await, [(author as u64 + 2, expected)]);
        }
        assert!(begun.elapsed() < Duration::from_millis(100), "{author}: {:?}", begun.elapsed());
    }
}
