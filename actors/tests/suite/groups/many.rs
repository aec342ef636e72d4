//! A group of hundreds over several nodes.

use std::time::Duration;

use rookery_protocol::GroupChange;
use tokio::time::Instant;

use super::{Said, of, users};
use crate::client::who;
use crate::network::World;

const MEMBERS: u64 = 240;

#[tokio::test(start_paused = true)]
async fn hundreds_of_members_hear_at_once_and_in_order() {
    let world = World::start(3, MEMBERS).await;
    let mut clients = Vec::new();
    for number in 1..=MEMBERS {
        clients.push(world.members[number as usize % 3].node.join(who(number, 1)).await);
    }
    world.settled().await;
    let group = clients[0].create(2..=200).await;
    clients[0].change(group, GroupChange::Added(users(201..=MEMBERS))).await.unwrap();
    for client in &mut clients[..200] {
        client.take_message().await;
    }
    for client in &mut clients {
        client.take_message().await;
    }
    let begun = Instant::now();
    for (author, text) in [(0, "one"), (77, "two"), (MEMBERS as usize - 1, "three")] {
        clients[author].say(of(group), text).await;
    }
    for (number, client) in clients.iter_mut().enumerate() {
        for (seq, (author, text)) in (3..).zip([(0, "one"), (77, "two"), (MEMBERS as usize - 1, "three")]) {
            let expected = if number == author { Said::Own } else { Said::Text(text.into()) };
            assert_eq!(client.take_entries(1).await, [(seq, expected)], "client {number}");
        }
    }
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let marks = clients[5].receipts_of(of(group)).await.unwrap();
    assert_eq!(marks.len(), MEMBERS as usize - 1);
    assert!(marks.iter().all(|(user, delivered, _)| *delivered >= if *user == MEMBERS { 4 } else { 5 }));
}
