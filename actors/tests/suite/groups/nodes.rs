//! Members on several nodes: each hears at once, and no node that dies takes a message with it.

use std::time::Duration;

use rookery_protocol::{GroupChange, GroupId};
use tokio::time::Instant;

use super::{Said, of};
use crate::client::{Client, who};
use crate::network::World;

const AT_ONCE: Duration = Duration::from_millis(100);

/// Less than a heartbeat.
const PROMPT: Duration = Duration::from_secs(5);

/// Three nodes, and a group of nine users, three at each node, whoever owns them.
struct Scene {
    world: World,
    clients: Vec<Client>,
    group: GroupId,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start(3, 9).await;
        let mut clients = Vec::new();
        for number in 1..=9 {
            clients.push(world.members[at(number as usize - 1)].node.join(who(number, 1)).await);
        }
        world.settled().await;
        let group = clients[0].create(2..=9).await;
        for client in &mut clients {
            client.take_message().await;
        }
        Self { world, clients, group }
    }

    /// The next entry is this for all of them, within this time.
    async fn all_take(&mut self, clients: impl Fn(usize) -> bool, expected: &Said, time: Duration) {
        let begun = Instant::now();
        for (number, client) in self.clients.iter_mut().enumerate().filter(|(number, _)| clients(*number)) {
            let (_, said) = client.take_entries(1).await.remove(0);
            assert!(said == *expected || said == Said::Own, "{number}: {said:?} for {expected:?}");
        }
        assert!(begun.elapsed() < time, "{:?}", begun.elapsed());
    }
}

/// At which node a client is.
fn at(client: usize) -> usize {
    client % 3
}

#[tokio::test(start_paused = true)]
async fn whoever_writes_at_whichever_node_everybody_hears_at_once() {
    let mut scene = Scene::start().await;
    for author in 0..9 {
        scene.clients[author].say(of(scene.group), "hello").await;
        scene.all_take(|_| true, &Said::Text("hello".into()), AT_ONCE).await;
        let change = GroupChange::Named(format!("group {author}"));
        scene.clients[author].change(scene.group, change.clone()).await.unwrap();
        scene.all_take(|_| true, &Said::Change(change), AT_ONCE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_in_between_takes_no_message_with_it() {
    for delay_ms in [0, 1, 50, 299, 350] {
        let mut scene = Scene::start().await;
        scene.world.members[1].kill();
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        for author in [0, 2, 3] {
            scene.clients[author].say(of(scene.group), "hello").await;
            scene.all_take(|client| at(client) != 1, &Said::Text("hello".into()), PROMPT).await;
        }
        // Those who were there find everything at another node.
        for client in (0..9).filter(|client| at(*client) == 1) {
            let mut client = scene.world.members[2].node.join(who(client as u64 + 1, 1)).await;
            let mut entries = client.take_entries(3).await;
            // The beginning's acknowledgement may have died with the node.
            if entries[0].0 == 1 {
                entries.remove(0);
                entries.extend(client.take_entries(1).await);
            }
            assert!(entries.iter().map(|(seq, _)| *seq).eq(2..=4), "{entries:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bells_that_no_link_takes_go_by_mail() {
    let mut scene = Scene::start().await;
    let name = |at: usize| scene.world.members[at].id.name.clone();
    for (one, other) in [(0, 1), (1, 2), (0, 2)] {
        scene.world.network.cut(&name(one), &name(other));
    }
    for _ in 0..3 {
        scene.clients[0].say(of(scene.group), "hello").await;
        scene.all_take(|_| true, &Said::Text("hello".into()), Duration::from_secs(2)).await;
    }
    assert_eq!(scene.world.view().await.members.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn members_whose_slots_move_meanwhile_hear_on() {
    let mut scene = Scene::start().await;
    scene.world.join("d").await;
    for _ in 0..10 {
        scene.clients[0].say(of(scene.group), "hello").await;
        scene.all_take(|_| true, &Said::Text("hello".into()), PROMPT).await;
    }
    scene.world.settled().await;
    scene.clients[4].say(of(scene.group), "settled").await;
    scene.all_take(|_| true, &Said::Text("settled".into()), AT_ONCE).await;
}
