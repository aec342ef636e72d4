//! Whether people are there.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Victim};
use rookery_protocol::{Availability, ErrorCode, Heartbeat, Watch, limits};

use super::{SOON, idle, online};
use crate::client::{Client, direct, user, who};
use crate::node::{self, Node};

const MINUTE_MS: u64 = 60_000;

/// What keeps connections open, while users do nothing.
async fn beat(clients: &mut [&mut Client], time: Duration) {
    let step = Duration::from_secs(20);
    for _ in 0..time.as_secs().div_ceil(step.as_secs()) {
        tokio::time::sleep(step).await;
        for client in &mut *clients {
            client.heartbeat().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_learns_how_people_are_at_once_and_when_they_come_and_go() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let bob = node.join(who(2, 1)).await;
    alice.watch(&[2, 3], &[]).await;
    assert_eq!(alice.presences(2).await, [online(2), (3, Availability::Offline, 0)]);
    let carol = node.join(who(3, 1)).await;
    assert_eq!(alice.presence().await, [online(3)]);
    drop(bob);
    let gone = alice.presence().await;
    let [(2, Availability::Offline, last_seen_ms)] = gone[..] else { panic!("{gone:?}") };
    assert!(last_seen_ms >= 1_699_999_000_000 && last_seen_ms % MINUTE_MS == 0, "{last_seen_ms}");
    drop(carol);
    assert!(matches!(alice.presence().await[..], [(3, Availability::Offline, _)]));
    // It is put on record: who watches later learns it as well.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut other = node.join(who(1, 2)).await;
    other.watch(&[2], &[]).await;
    assert_eq!(other.presence().await, gone);
    alice.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn many_who_watch_somebody_are_all_told() {
    let node = Node::start().await;
    let mut bob = node.join(who(2, 1)).await;
    let mut watchers = Vec::new();
    for number in 4..104 {
        node::add_user(&node.store, number, 1).await;
        let mut watcher = node.join(who(number, 1)).await;
        watcher.watch(&[2], &[]).await;
        watchers.push(watcher);
    }
    for watcher in &mut watchers {
        assert_eq!(watcher.presence().await, [online(2)]);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    bob.active(false).await;
    let begun = tokio::time::Instant::now();
    for watcher in &mut watchers {
        assert_eq!(watcher.presence().await, [idle(2)]);
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_user_is_as_their_busiest_device_is() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    bob.active(false).await;
    assert_eq!(alice.presence().await, [idle(2)]);
    let mut laptop = node.join(who(2, 2)).await;
    assert_eq!(alice.presence().await, [online(2)]);
    laptop.active(false).await;
    assert_eq!(alice.presence().await, [idle(2)]);
    bob.active(true).await;
    assert_eq!(alice.presence().await, [online(2)]);
    drop(bob);
    assert_eq!(alice.presence().await, [idle(2)]);
}

#[tokio::test(start_paused = true)]
async fn who_does_nothing_for_long_is_idle_until_they_do_something() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let idle_after = Duration::from_millis(limits::IDLE_MS.into());
    beat(&mut [&mut alice, &mut bob], idle_after - Duration::from_secs(60)).await;
    bob.read(direct(1, 2), 1).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    // Watching is what a client does by itself, and so are heartbeats.
    for _ in 0..idle_after.as_secs() / 40 {
        bob.watch(&[], &[]).await;
        alice.watch(&[2], &[]).await;
        beat(&mut [&mut alice, &mut bob], Duration::from_secs(40)).await;
    }
    alice.watch(&[2], &[]).await;
    beat(&mut [&mut bob], Duration::from_secs(40)).await;
    assert_eq!(alice.presence().await, [idle(2)]);
    bob.read(direct(1, 2), 1).await;
    assert_eq!(alice.presence().await, [online(2)]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_at_once_was_never_away() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let bob = node.join(who(2, 1)).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    drop(bob);
    node.holds(|counts| counts.connections == 1).await;
    let mut bob = node.join(who(2, 1)).await;
    alice.quiet_for(SOON).await;
    bob.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_it_is_not_renewed_and_lasts_while_it_is() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    for active in [false, true, false] {
        beat(&mut [&mut alice, &mut bob], Duration::from_secs(40)).await;
        alice.watch(&[2], &[]).await;
        bob.active(active).await;
        let now = if active { online(2) } else { idle(2) };
        assert_eq!(alice.presence().await, [now]);
    }
    beat(&mut [&mut alice, &mut bob], Duration::from_secs(80)).await;
    bob.active(true).await;
    alice.quiet_for(SOON).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    alice.watch(&[], &[]).await;
    bob.active(false).await;
    alice.quiet_for(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_at_most_twice_a_second() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    let before = tokio::time::Instant::now();
    for number in 0..1000 {
        bob.active(number % 2 == 0).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bob.active(false).await;
    bob.heartbeat().await;
    let mut notices = 0;
    while alice.presence().await != [idle(2)] || before.elapsed() < Duration::from_secs(10) {
        notices += 1;
    }
    assert!(notices <= 24, "{notices}");
}

#[tokio::test(start_paused = true)]
async fn one_who_watches_more_than_a_screen_holds_is_refused() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let request = alice.new_request();
    let users = (1..=limits::WATCH_USERS_MAX as u64 + 1).map(user).collect();
    alice.tell(&Watch { request, users, conversations: Vec::new() }).await;
    alice.refused(request, ErrorCode::BadRequest).await;
    let request = alice.new_request();
    let conversations = vec![direct(1, 2); limits::WATCH_CONVERSATIONS_MAX + 1];
    alice.tell(&Watch { request, users: Vec::new(), conversations }).await;
    alice.refused(request, ErrorCode::BadRequest).await;
    alice.watch(&(1..=limits::WATCH_USERS_MAX as u64).collect::<Vec<_>>(), &[]).await;
    let people = alice.presences(limits::WATCH_USERS_MAX).await;
    assert_eq!(people.iter().filter(|(_, availability, _)| *availability == Availability::Online).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_made_up_for_when_watches_are_renewed() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    node.actors.crash(Victim::Looking);
    tokio::time::sleep(SOON).await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)], "told again, for what it had been told is forgotten");
    bob.active(false).await;
    assert_eq!(alice.presence().await, [idle(2)]);
}

#[tokio::test(start_paused = true)]
async fn who_was_last_seen_is_known_after_the_node_has_stopped() {
    let node = Node::start().await;
    let bob = node.join(who(2, 1)).await;
    drop(bob);
    node.holds(|counts| counts.connections == 0).await;
    node.actors.stop().await;
    let again = rookery_actors::Actors::start(node::config(), node::parts(node.store.clone())).await;
    let again = Node { actors: again.expect("the actors start"), ..node };
    let mut alice = again.join(who(1, 1)).await;
    alice.watch(&[2], &[]).await;
    let seen = alice.presence().await;
    assert!(matches!(seen[..], [(2, Availability::Offline, ms)] if ms > 0), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_told_how_people_are_when_it_does() {
    let node =
        Node::start_with(ActorsConfig { write_stall: Duration::from_secs(60), ..node::config() }).await;
    let mut bob = node.join(who(2, 1)).await;
    let (mut alice, _) = node.connect_through(256);
    alice.tell(&who(1, 1).hello()).await;
    alice.welcome().await;
    alice.watch(&[2], &[]).await;
    assert_eq!(alice.presence().await, [online(2)]);
    // More than is comfortable waits for it.
    for _ in 0..6 {
        bob.say(direct(1, 2), &"x".repeat(limits::BODY_BYTES_MAX)).await;
    }
    bob.active(false).await;
    bob.heartbeat().await;
    tokio::time::sleep(SOON).await;
    alice.tell(&Heartbeat { nonce: 9 }).await;
    loop {
        let frame = alice.answer().await;
        if matches!(&frame, rookery_protocol::ServerFrame::PresenceNotice(notice)
            if notice.people.iter().any(|it| it.availability == Availability::Idle))
        {
            break;
        }
    }
}
