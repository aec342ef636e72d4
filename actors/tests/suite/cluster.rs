//! Several nodes as one: bells find their users wherever they are, whatever happens to nodes and links.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_protocol::ErrorCode;
use rookery_store::keys::node::NodeId;
use rookery_store::ops::SetDraining;
use tokio::time::Instant;

use crate::client::{Client, direct, id, user, who};
use crate::network::World;
use crate::node;

/// Long enough for everything that is to happen at once.
const MOMENT: Duration = Duration::from_secs(2);

/// Less than a heartbeat: what arrives within it was not found by one.
const PROMPT: Duration = Duration::from_secs(5);

async fn delivered(from: &mut Client, to: &mut Client, text: &str) -> Duration {
    let before = Instant::now();
    from.say(direct(1, 2), text).await;
    let message = to.take_message().await;
    assert_eq!(message.message.body.expect("it has a body").as_bytes(), text.as_bytes());
    before.elapsed()
}

async fn take_what_waits(client: &mut Client) {
    for event in client.events_until_quiet(Duration::from_millis(500)).await {
        client.ack(event.stamp()).await;
    }
}

/// Three nodes, each with a part of its own: one owns Bob's user and has no client, Alice is at another, Bob at the third.
struct Apart {
    world: World,
    owner: usize,
    alice_at: usize,
    bob_at: usize,
    alice: Client,
    bob: Client,
}

impl Apart {
    async fn start() -> Self {
        let world = World::start(3, 2).await;
        let (owner, alice_at, bob_at) = parts(&world).await;
        let alice = world.members[alice_at].node.join(who(1, 1)).await;
        let bob = world.members[bob_at].node.join(who(2, 1)).await;
        world.settled().await;
        Self { world, owner, alice_at, bob_at, alice, bob }
    }

    async fn delivered(&mut self, text: &str) -> Duration {
        delivered(&mut self.alice, &mut self.bob, text).await
    }
}

/// The owner of Bob's user, and the two others.
async fn parts(world: &World) -> (usize, usize, usize) {
    let owner = world.owner(2).await;
    let one = world.other_than(&[owner]);
    (owner, one, world.other_than(&[owner, one]))
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_to_whichever_node_has_its_reader() {
    let world = World::start(3, 2).await;
    for alice_at in 0..3 {
        for bob_at in 0..3 {
            let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
            let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
            take_what_waits(&mut bob).await;
            world.settled().await;
            let took = delivered(&mut alice, &mut bob, "hello").await;
            assert!(took < Duration::from_millis(100), "{alice_at} to {bob_at} took {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn devices_of_one_user_on_several_nodes_all_hear() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut phone = world.members[1].node.join(who(2, 1)).await;
    let mut laptop = world.members[2].node.join(who(2, 2)).await;
    world.settled().await;
    let before = Instant::now();
    alice.say(direct(1, 2), "hello").await;
    phone.take_message().await;
    laptop.take_message().await;
    assert!(before.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_connects_to_another_node_replaces_its_older_connection() {
    let world = World::start(3, 2).await;
    for (first, second) in [(0, 1), (1, 2), (2, 0), (0, 2)] {
        let mut older = world.members[first].node.join(who(1, 1)).await;
        world.settled().await;
        // Something is committed in between, as in any cluster that lives: then there is no doubt which is older.
        node::add_user(&world.members[0].node.store, 100 + 10 * first as u64 + second as u64, 1).await;
        let newer = world.members[second].node.join(who(1, 1)).await;
        older.closed_for(ErrorCode::Replaced).await;
        world.settled().await;
        drop(newer);
        world.members[second].node.holds(|counts| counts.connections == 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_node_is_removed_in_well_under_a_second_and_its_users_go_on_elsewhere() {
    let mut scene = Apart::start().await;
    scene.delivered("before").await;
    let before = Instant::now();
    scene.world.members[scene.owner].kill();
    while scene.world.view().await.members.len() == 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(before.elapsed() < PROMPT, "it is still a member");
    }
    assert!(before.elapsed() < Duration::from_millis(600), "{:?}", before.elapsed());
    // Without waiting for anything to settle.
    let took = scene.delivered("after").await;
    assert!(took < MOMENT, "{took:?}");
    scene.world.settled().await;
    let took = scene.delivered("and again").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_at_the_moment_its_readers_owner_dies_is_not_late_by_much() {
    for delay_ms in [0, 1, 50, 200, 299, 350, 500] {
        let mut scene = Apart::start().await;
        scene.world.members[scene.owner].kill();
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        let took = scene.delivered("hello").await;
        assert!(took < MOMENT, "{delay_ms} ms after: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bell_that_dies_with_its_node_is_made_up_for_when_the_node_is_removed() {
    for draining in [false, true] {
        let Apart { world, owner, alice_at, bob_at, mut alice, mut bob } = Apart::start().await;
        world.set_draining(alice_at, draining).await;
        world.settled().await;
        // What its node has to say is taken by the wires and gets lost, then it dies.
        world.network.stick(&world.members[owner].id.name);
        world.network.stick(&world.members[bob_at].id.name);
        alice.say(direct(1, 2), "hello").await;
        world.members[alice_at].kill();
        world.network.heal();
        let before = Instant::now();
        bob.take_message().await;
        assert!(before.elapsed() < PROMPT, "draining: {draining}, {:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_link_between_living_nodes_slows_delivery_and_removes_nobody() {
    let Apart { world, owner, alice_at, bob_at, mut alice, mut bob } = Apart::start().await;
    let name = |at: usize| world.members[at].id.name.clone();
    world.network.cut(&name(alice_at), &name(owner));
    world.network.cut(&name(bob_at), &name(owner));
    world.network.cut(&name(alice_at), &name(bob_at));
    for number in 0..20 {
        let took = delivered(&mut alice, &mut bob, &number.to_string()).await;
        assert!(took < MOMENT, "{took:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(world.view().await.members.len(), 3);
    world.network.heal();
    tokio::time::sleep(MOMENT).await;
    let took = delivered(&mut alice, &mut bob, "whole again").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_that_connects_while_its_owners_links_are_cut_is_registered_by_mail() {
    let world = World::start(3, 2).await;
    let (owner, alice_at, bob_at) = parts(&world).await;
    let name = |at: usize| world.members[at].id.name.clone();
    world.network.cut(&name(bob_at), &name(owner));
    let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
    let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
    world.settled().await;
    let took = delivered(&mut alice, &mut bob, "hello").await;
    assert!(took < MOMENT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_batches_and_answers_nothing_is_gone_around() {
    let mut scene = Apart::start().await;
    scene.world.network.stick(&scene.world.members[scene.owner].id.name);
    let took = scene.delivered("hello").await;
    assert!(took < PROMPT, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_without_its_store_takes_no_messages_and_is_removed() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    world.settled().await;
    let before = Instant::now();
    world.members[0].lose_store();
    while !world.members[0].node.actors.is_isolated() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(before.elapsed() < PROMPT);
    }
    // It stops before the others give it up.
    assert_eq!(world.view().await.members.len(), 3);
    let request = alice.send(direct(1, 2), id(1), "hello").await;
    alice.refused(request, ErrorCode::Unavailable).await;
    while world.view().await.members.len() == 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(before.elapsed() < Duration::from_secs(4), "it is still a member");
    }
    // It hears of that from its peers, cannot join again, and sends its clients to them.
    let goaway = alice.goaway().await;
    assert_eq!(goaway.nodes.len(), 2);
    world.members[0].find_store();
    let again = world.join_again(0).await;
    assert!(again.incarnation > world.members[0].id.incarnation);
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut bob = world.members[1].node.join(who(2, 1)).await;
    world.settled().await;
    let took = delivered(&mut alice, &mut bob, "hello").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_cut_off_from_its_store_and_its_peers_sends_its_clients_to_them() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    world.settled().await;
    let name = |at: usize| world.members[at].id.name.clone();
    world.network.cut(&name(0), &name(1));
    world.network.cut(&name(0), &name(2));
    world.members[0].lose_store();
    let before = Instant::now();
    assert_eq!(alice.goaway().await.nodes.len(), 2);
    assert!(before.elapsed() < PROMPT, "{:?}", before.elapsed());
    world.members[0].find_store();
    world.network.heal();
    world.join_again(0).await;
    world.settled().await;
    world.members[0].node.join(who(1, 1)).await.quiet_for(PROMPT).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stalls_for_all_removes_nobody_and_sends_nobody_away() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    for member in &world.members {
        member.lose_store();
    }
    alice.quiet_for(Duration::from_secs(20)).await;
    for member in &world.members {
        member.find_store();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.view().await.members.len(), 3);
    assert!(world.members.iter().all(|member| !member.node.actors.is_isolated()));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_removed_while_it_lives_joins_again_and_its_clients_notice_nothing() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut bob = world.members[1].node.join(who(2, 1)).await;
    world.settled().await;
    for removed in [0, 1] {
        world.members[2].remove(&world.members[removed].id).await;
        world.join_again(removed).await;
        world.settled().await;
        for _ in 0..3 {
            let took = delivered(&mut alice, &mut bob, "hello").await;
            assert!(took < Duration::from_millis(100), "{took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_name_another_process_takes_says_so() {
    let mut world = World::start(2, 2).await;
    world.join("a").await;
    let superseded = world.members[0].node.actors.superseded();
    assert_eq!(tokio::time::timeout(PROMPT, superseded).await, Ok(()));
}

/// Three nodes, of which the first has been removed, knows it, and could not join again yet when its name was taken.
async fn overtaken() -> (World, NodeId) {
    let mut world = World::start(3, 2).await;
    world.members[0].lose_store();
    let begun = Instant::now();
    while world.view().await.members.len() == 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(begun.elapsed() < Duration::from_secs(4), "it is still a member");
    }
    // Its peers tell it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.join("a").await;
    let successor = world.members[3].id.clone();
    (world, successor)
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_does_not_take_the_place_of_its_successor() {
    let (world, successor) = overtaken().await;
    world.members[0].find_store();
    let superseded = world.members[0].node.actors.superseded();
    assert_eq!(tokio::time::timeout(PROMPT, superseded).await, Ok(()));
    assert!(world.view().await.has(&successor));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_removed_joins_again_after_a_successor_that_is_gone() {
    let (world, successor) = overtaken().await;
    world.members[3].kill();
    world.members[1].remove(&successor).await;
    world.members[0].find_store();
    assert!(world.join_again(0).await.incarnation > successor.incarnation);
}

#[tokio::test(start_paused = true)]
async fn users_of_slots_that_move_to_a_node_that_joins_hear_on() {
    let mut world = World::start(2, 40).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut others = Vec::new();
    for number in 2..=40 {
        others.push(world.members[1].node.join(who(number, 1)).await);
    }
    world.settled().await;
    world.join("c").await;
    world.settled().await;
    for (number, other) in (2..=40).zip(&mut others) {
        let before = Instant::now();
        alice.say(direct(1, number), "hello").await;
        other.take_message().await;
        assert!(before.elapsed() < Duration::from_millis(100), "user {number}: {:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bell_for_a_former_owner_is_heard_there_too() {
    let world = World::start(3, 2).await;
    let owner = world.owner(2).await;
    let alice_at = world.other_than(&[owner]);
    let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
    let mut bob = world.members[owner].node.join(who(2, 1)).await;
    world.settled().await;
    world.members[alice_at].set_blind(true);
    world.set_draining(owner, true).await;
    world.settled().await;
    let took = delivered(&mut alice, &mut bob, "hello").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_a_removal_overtakes_is_answered_with_a_sweep() {
    let world = World::start(3, 2).await;
    let (owner, bob_at, third) = parts(&world).await;
    let mut alice = world.members[owner].node.join(who(1, 1)).await;
    world.settled().await;
    world.network.hold(&world.members[owner].id.name);
    let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
    world.members[third].kill();
    while world.members[bob_at].node.actors.counts().await.epoch < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    alice.say(direct(1, 2), "hello").await;
    let before = Instant::now();
    world.network.release(&world.members[owner].id.name);
    bob.take_message().await;
    assert!(before.elapsed() < Duration::from_millis(100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn users_whose_slots_moved_away_and_back_unseen_are_registered_anew() {
    let Apart { world, owner, bob_at, mut alice, mut bob, .. } = Apart::start().await;
    world.members[bob_at].set_blind(true);
    for draining in [true, false] {
        world.set_draining(owner, draining).await;
        world.settled().await;
    }
    assert_eq!(world.owner(2).await, owner);
    world.members[bob_at].set_blind(false);
    world.settled().await;
    let took = delivered(&mut alice, &mut bob, "hello").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_of_an_owner_that_fails_learns_its_hosts_anew() {
    let world = World::start(3, 2).await;
    let owner = world.owner(2).await;
    let one = world.other_than(&[owner]);
    let mut alice = world.members[one].node.join(who(1, 1)).await;
    let mut bob = world.members[one].node.join(who(2, 1)).await;
    let mut tablet = world.members[world.other_than(&[owner, one])].node.join(who(2, 2)).await;
    world.settled().await;
    world.members[owner].node.actors.crash(rookery_actors::Victim::Shard(user(2)));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = Instant::now();
    alice.say(direct(1, 2), "hello").await;
    bob.take_message().await;
    tablet.take_message().await;
    assert!(before.elapsed() < Duration::from_millis(100), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nodes_that_speak_different_formats_understand_each_other() {
    let mut world = World::start(0, 2).await;
    world.join_with("a", node::config(), Some(1)).await;
    world.join_with("b", node::config(), None).await;
    world.settled().await;
    for (from, to) in [(0, 1), (1, 0)] {
        let mut alice = world.members[from].node.join(who(1, 1)).await;
        let mut bob = world.members[to].node.join(who(2, 1)).await;
        take_what_waits(&mut bob).await;
        world.settled().await;
        let took = delivered(&mut alice, &mut bob, "hello").await;
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn clients_are_told_the_owner_of_their_user_first_and_of_changes() {
    let mut world = World::start(2, 2).await;
    let mut client = world.members[0].node.connect();
    client.tell(&who(1, 1).hello()).await;
    let welcome = client.welcome().await;
    let owner = world.members[world.owner(1).await].id.name.clone();
    assert_eq!(welcome.nodes.len(), 2);
    assert_eq!(welcome.nodes[0], format!("tcp://{owner}:2"));
    world.join("c").await;
    assert_eq!(client.nodes().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_leaves_does_not_come_back() {
    let world = World::start(3, 2).await;
    let mut alice = world.members[1].node.join(who(1, 1)).await;
    let mut bob = world.members[2].node.join(who(2, 1)).await;
    world.settled().await;
    world.members[0].node.actors.leave().await.unwrap();
    tokio::time::sleep(PROMPT).await;
    assert_eq!(world.view().await.members.len(), 2);
    let took = delivered(&mut alice, &mut bob, "hello").await;
    assert!(took < Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_drained_node_that_is_removed_stays_out() {
    let world = World::start(3, 2).await;
    let moment = Duration::from_secs(1);
    let left = world.members[0].node.actors.drain(moment, moment, &mut StdRng::seed_from_u64(1)).await;
    assert_eq!(left, 0);
    world.members[1].remove(&world.members[0].id).await;
    tokio::time::sleep(PROMPT).await;
    assert_eq!(world.view().await.members.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn clients_are_not_told_that_there_are_no_nodes_when_all_are_draining() {
    let world = World::start(1, 2).await;
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let name = world.members[0].id.name.clone();
    let op = SetDraining { name: name.clone(), draining: true };
    world.members[0].node.store.submit(&name, op).await.unwrap().answer.unwrap();
    alice.quiet_for(PROMPT).await;
    world.settled().await;
}
