//! Several nodes: what is looked at may be anywhere, and so may be who looks.

use std::time::Duration;

use rookery_actors::{Clock as _, Victim};
use rookery_protocol::{Availability, ConversationId, Doing};
use tokio::time::Instant;

use super::{SOON, idle, online};
use crate::client::{Client, direct, who};
use crate::network::World;
use crate::node;

const OFFLINE: Availability = Availability::Offline;

/// Alice and Bob at two of three nodes, and the third, which owns Bob's user.
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
        let world = World::start(3, 3).await;
        let owner = world.owner(2).await;
        let alice_at = world.other_than(&[owner]);
        let bob_at = world.other_than(&[owner, alice_at]);
        let alice = world.members[alice_at].node.join(who(1, 1)).await;
        let bob = world.members[bob_at].node.join(who(2, 1)).await;
        world.settled().await;
        Self { world, owner, alice_at, bob_at, alice, bob }
    }

    /// The same, with Alice watching Bob.
    async fn watching() -> Self {
        let mut scene = Self::start().await;
        scene.alice.watch(&[2], &[]).await;
        assert_eq!(scene.alice.presence().await, [online(2)]);
        scene
    }
}

#[tokio::test(start_paused = true)]
async fn people_are_seen_from_whichever_node_they_and_who_looks_are_at() {
    let world = World::start(3, 2).await;
    for alice_at in 0..3 {
        for bob_at in 0..3 {
            let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
            let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
            world.settled().await;
            let before = Instant::now();
            alice.watch(&[2], &[direct(1, 2)]).await;
            while alice.presence().await != [online(2)] {}
            // The owner of their conversation may not have heard yet that it is open.
            tokio::time::sleep(Duration::from_millis(10)).await;
            bob.typing(direct(1, 2), Doing::Typing).await;
            assert_eq!(alice.typed(direct(1, 2)).await, (2, Doing::Typing));
            assert!(
                before.elapsed() < Duration::from_secs(1),
                "{alice_at}, {bob_at}: {:?}",
                before.elapsed()
            );
            bob.active(false).await;
            while alice.presence().await != [idle(2)] {}
            drop(bob);
            assert!(matches!(alice.presence().await[..], [(2, OFFLINE, ms)] if ms > 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn devices_on_several_nodes_are_one_user() {
    let Apart { world, owner, mut alice, mut bob, .. } = Apart::watching().await;
    let mut laptop = world.members[owner].node.join(who(2, 2)).await;
    world.settled().await;
    bob.active(false).await;
    alice.quiet_for(SOON).await;
    laptop.active(false).await;
    assert_eq!(alice.presence().await, [idle(2)]);
    drop(laptop);
    alice.quiet_for(SOON).await;
    drop(bob);
    assert!(matches!(alice.presence().await[..], [(2, OFFLINE, _)]));
}

#[tokio::test(start_paused = true)]
async fn receipts_of_members_anywhere_come_to_those_who_look() {
    let world = World::start(3, 6).await;
    let mut clients = Vec::new();
    for number in 1..=6 {
        clients.push(world.members[number as usize % 3].node.join(who(number, 1)).await);
    }
    world.settled().await;
    let group = clients[0].create(2..=6).await;
    let conversation = ConversationId::group(group);
    clients[0].watch(&[], &[conversation]).await;
    clients[0].say(conversation, "hello").await;
    for client in &mut clients[1..] {
        client.take_message().await;
        client.take_message().await;
    }
    let mut known = std::collections::BTreeMap::new();
    while known.values().filter(|delivered| **delivered == 2).count() < 5 {
        let marks = clients[0].receipts(conversation).await;
        known.extend(marks.into_iter().map(|(user, delivered, _)| (user, delivered)));
    }
    assert_eq!(known.keys().copied().collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_dies_is_followed_by_another_and_nobody_seems_to_go() {
    let Apart { world, owner, mut alice, mut bob, .. } = Apart::watching().await;
    world.members[owner].kill();
    alice.sees_nothing_for(Duration::from_secs(10), |_| false).await;
    bob.active(false).await;
    assert_eq!(alice.presence().await, [idle(2)]);
}

#[tokio::test(start_paused = true)]
async fn slots_that_move_take_their_watchers_along() {
    let Apart { world, owner, mut alice, mut bob, .. } = Apart::watching().await;
    alice.watch(&[2], &[direct(1, 2)]).await;
    for draining in [true, false, true] {
        world.set_draining(owner, draining).await;
        world.settled().await;
        bob.active(false).await;
        assert_eq!(alice.presence().await, [idle(2)]);
        bob.active(true).await;
        assert_eq!(alice.presence().await, [online(2)]);
        bob.typing(direct(1, 2), Doing::Typing).await;
        assert_eq!(alice.typed(direct(1, 2)).await, (2, Doing::Typing));
        alice.sees_nothing_for(Duration::from_secs(8), |_| false).await;
        bob.heartbeat().await;
        alice.watch(&[2], &[direct(1, 2)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn people_at_a_node_that_dies_have_gone() {
    let Apart { world, bob_at, mut alice, bob, .. } = Apart::watching().await;
    world.members[bob_at].kill();
    let gone = alice.presence().await;
    assert!(matches!(gone[..], [(2, OFFLINE, ms)] if ms > 0), "{gone:?}");
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn people_whose_own_node_dies_with_them_were_seen_not_long_before() {
    let Apart { world, owner, mut alice, bob, .. } = Apart::start().await;
    drop(bob);
    let mut bob = world.members[owner].node.join(who(2, 1)).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1_500) {
        tokio::time::sleep(Duration::from_secs(20)).await;
        alice.heartbeat().await;
        bob.heartbeat().await;
        world.members[owner].node.clock.pass(20_000);
    }
    let there_ms = world.members[owner].node.clock.now_ms();
    world.members[owner].kill();
    drop(bob);
    tokio::time::sleep(Duration::from_secs(10)).await;
    alice.heartbeat().await;
    alice.watch(&[2], &[]).await;
    let gone = alice.presence().await;
    let [(2, OFFLINE, last_seen_ms)] = gone[..] else { panic!("{gone:?}") };
    assert!((there_ms - 660_000..=there_ms).contains(&last_seen_ms), "{last_seen_ms}, {there_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_device_registered_by_mail_is_as_it_is_once_there_is_a_link() {
    let world = World::start(3, 2).await;
    let owner = world.owner(2).await;
    let alice_at = world.other_than(&[owner]);
    let bob_at = world.other_than(&[owner, alice_at]);
    let name = |at: usize| world.members[at].id.name.clone();
    world.network.cut(&name(bob_at), &name(owner));
    let mut alice = world.members[alice_at].node.join(who(1, 1)).await;
    let mut bob = world.members[bob_at].node.join(who(2, 1)).await;
    bob.active(false).await;
    world.settled().await;
    tokio::time::sleep(SOON).await;
    world.network.heal();
    tokio::time::sleep(SOON).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [idle(2)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_link_did_not_bring_is_known_when_it_is_whole_again() {
    let Apart { world, owner, alice_at, mut alice, mut bob, .. } = Apart::watching().await;
    let name = |at: usize| world.members[at].id.name.clone();
    world.network.cut(&name(alice_at), &name(owner));
    tokio::time::sleep(SOON).await;
    bob.active(false).await;
    alice.quiet_for(SOON).await;
    world.network.heal();
    let before = Instant::now();
    assert_eq!(alice.presence().await, [idle(2)]);
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_actors_fail_learns_anew_who_watches_and_who_is_there() {
    let Apart { world, owner, mut alice, mut bob, .. } = Apart::watching().await;
    world.members[owner].node.actors.crash(Victim::Shard(crate::client::user(2)));
    world.members[owner].node.actors.crash(Victim::Looking);
    let mut is_active = true;
    for _ in 0..2 {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            bob.heartbeat().await;
            alice.watch(&[2], &[]).await;
        }
        is_active = !is_active;
        bob.active(is_active).await;
        assert_eq!(alice.presence().await, [if is_active { online(2) } else { idle(2) }]);
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_of_an_older_version_hear_nothing_of_it_and_do_their_work() {
    let mut world = World::start(1, 3).await;
    world.join_with("old", node::config(), Some(3)).await;
    world.join("new").await;
    world.settled().await;
    assert_eq!(world.view().await.members.len(), 3);
    let mut alice = world.members[0].node.join(who(1, 1)).await;
    let mut bob = world.members[2].node.join(who(2, 1)).await;
    let mut carol = world.members[1].node.join(who(3, 1)).await;
    world.settled().await;
    alice.watch(&[1, 2, 3], &[direct(1, 2)]).await;
    alice.say(direct(1, 2), "hello").await;
    bob.take_message().await;
    carol.say(direct(2, 3), "hello").await;
    bob.take_message().await;
    bob.active(false).await;
    bob.heartbeat().await;
    tokio::time::sleep(SOON).await;
    alice.heartbeat_among_notices().await;
}
