//! Actors that fail under traffic: nothing is lost, it is over within a second, and nobody else notices.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Victim};
use rookery_protocol::{ErrorCode, Hello, Seq, ServerFrame};
use tokio::time::Instant;

use crate::client::{Client, Event, direct, id, user, who};
use crate::node::{Node, config};

const SECOND: Duration = Duration::from_secs(1);

/// Sends until it is accepted, and returns after how long.
async fn say_whatever_it_takes(client: &mut Client, number: u128) -> Duration {
    let begun = Instant::now();
    loop {
        let request = client.send(direct(1, 2), id(number), "x").await;
        match client.answer().await {
            ServerFrame::Sent(sent) => {
                assert_eq!(sent.request, request);
                return begun.elapsed();
            }
            ServerFrame::Error(error) => {
                assert_eq!((error.request, error.known_code()), (request, Some(ErrorCode::Internal)));
            }
            other => panic!("{other:?}"),
        }
        assert!(begun.elapsed() < SECOND, "not healed within a second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_fails_under_traffic_loses_nothing_and_is_back_within_a_second() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let (mut carol, mut dora) = (node.join(who(3, 1)).await, node.join(who(3, 2)).await);
    let mut seen = Vec::new();
    for round in 0..4_u64 {
        for number in 0..5 {
            say_whatever_it_takes(&mut alice, u128::from(round * 10 + number)).await;
        }
        node.actors.crash(Victim::Session(user(2)));
        node.actors.crash(Victim::Session(user(1)));
        carol.say(direct(3, 3), "undisturbed").await;
        say_whatever_it_takes(&mut alice, u128::from(round * 10 + 5)).await;
        let begun = Instant::now();
        while seen.iter().max() != Some(&((round + 1) * 6)) {
            if let Event::Message(event) = bob.take().await {
                seen.push(event.message.seq.get());
            }
        }
        assert!(begun.elapsed() < SECOND);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (1..=24).collect::<Vec<_>>());
    for _ in 0..4 {
        dora.take_message().await;
    }
    dora.quiet_for(SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_die_with_their_session_are_answered() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    // Both are in the session's mailbox before it runs.
    node.actors.crash(Victim::Session(user(1)));
    let request = alice.send(direct(1, 2), id(1), "x").await;
    match alice.answer().await {
        ServerFrame::Error(error) => {
            assert_eq!((error.request, error.known_code()), (request, Some(ErrorCode::Internal)));
        }
        ServerFrame::Sent(sent) => assert_eq!(sent.request, request),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_sessions_successor_does_not_push_again_what_is_on_record_as_acknowledged() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    // The other device has none of it, so that the inbox keeps it.
    for _ in 0..20 {
        alice.say(direct(1, 2), "x").await;
        bob.take_message().await;
    }
    tokio::time::sleep(3 * SECOND).await;
    node.actors.crash(Victim::Session(user(2)));
    bob.quiet_for(3 * SECOND).await;
    alice.say(direct(1, 2), "x").await;
    assert_eq!(bob.take_message().await.message.seq, Seq::new(21));
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_around_a_sessions_failure_are_believed() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for _ in 0..3 {
        alice.say(direct(1, 2), "x").await;
    }
    let _ = bob.message().await;
    let second = bob.message().await;
    node.actors.crash(Victim::Session(user(2)));
    bob.ack(second.stamp).await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(node.cursor(who(2, 1)).await, second.stamp);
    let last = bob.events_until_quiet(SECOND).await;
    assert_eq!(last.last().map(Event::stamp), last.iter().map(Event::stamp).max());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_keeps_failing_takes_only_its_own_connections_with_it() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut laptop = node.join(who(2, 2)).await;
    for _ in 0..6 {
        node.actors.crash(Victim::Session(user(2)));
        tokio::time::sleep(SECOND / 10).await;
    }
    for gone in [&mut bob, &mut laptop] {
        assert_eq!(gone.goaway().await.code, ErrorCode::Internal as u16);
        assert_eq!(gone.next().await, None);
    }
    alice.say(direct(1, 2), "x").await;
    let mut bob = node.join(who(2, 1)).await;
    assert_eq!(bob.take_message().await.message.seq, Seq::new(1));
}

#[tokio::test(start_paused = true)]
async fn a_connections_actor_that_fails_under_traffic_is_replaced_and_the_connection_lives() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut seen = Vec::new();
    for round in 0..4_u64 {
        say_whatever_it_takes(&mut alice, u128::from(round * 2)).await;
        node.actors.crash(Victim::Connections(user(1)));
        node.actors.crash(Victim::Connections(user(2)));
        say_whatever_it_takes(&mut alice, u128::from(round * 2 + 1)).await;
        while seen.iter().max() != Some(&((round + 1) * 2)) {
            if let Event::Message(event) = bob.take().await {
                seen.push(event.message.seq.get());
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (1..=8).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_lost_with_a_connections_actor_does_not_shut_the_window_for_good() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut bob = node.join_with(Hello { window_events: 1, ..who(2, 1).hello() }).await;
    for _ in 0..3 {
        alice.say(direct(1, 2), "x").await;
    }
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 3 {
        let Event::Message(event) = bob.event().await else { continue };
        node.actors.crash(Victim::Connections(user(2)));
        bob.ack(event.stamp).await;
        seen.insert(event.message.seq.get());
        tokio::time::sleep(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_actor_keeps_failing_is_closed_and_no_other() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for _ in 0..6 {
        // A frame makes an actor where there is none.
        alice.history(direct(1, 2), 1, 1).await.expect("a page");
        node.actors.crash(Victim::Connections(user(1)));
        tokio::time::sleep(SECOND / 10).await;
    }
    alice.closed_for(ErrorCode::Internal).await;
    bob.say(direct(1, 2), "x").await;
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_fails_closes_its_users_connections_and_takes_them_in_again() {
    let node = Node::start_with(ActorsConfig { shards: 1, ..config() }).await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.say(direct(1, 2), "x").await;
    node.actors.crash(Victim::Shard(user(1)));
    let begun = Instant::now();
    for gone in [&mut alice, &mut bob] {
        gone.closed_for(ErrorCode::Internal).await;
    }
    let mut alice = node.join(who(1, 1)).await;
    alice.say(direct(1, 2), "y").await;
    let mut bob = node.join(who(2, 1)).await;
    assert_eq!(bob.take_message().await.message.seq, Seq::new(1));
    assert_eq!(bob.take_message().await.message.seq, Seq::new(2));
    assert!(begun.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_connection_welcomed_while_its_shard_fails_is_not_left_deaf() {
    let node = Node::start_with(ActorsConfig { shards: 1, ..config() }).await;
    for _ in 0..20 {
        let mut bob = node.connect();
        bob.tell(&who(2, 1).hello()).await;
        node.actors.crash(Victim::Shard(user(2)));
        tokio::time::sleep(6 * SECOND).await;
        let mut alice = node.join(who(1, 1)).await;
        alice.say(direct(1, 2), "x").await;
        // Either it is closed, or it hears.
        loop {
            match bob.next().await {
                Some(ServerFrame::Welcome(_)) => {}
                Some(ServerFrame::MessageEvent(_)) | None => break,
                Some(ServerFrame::Error(error)) => {
                    assert_eq!(error.known_code(), Some(ErrorCode::Internal));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
