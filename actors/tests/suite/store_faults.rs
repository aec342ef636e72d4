//! A store that fails: whoever asked is told what to do, and service resumes by itself.

use std::time::Duration;

use rookery_protocol::{ErrorCode, Seq};

use crate::client::{Event, direct, id, who};
use crate::faults::Fault;
use crate::node::Node;

const MOMENT: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_full_store_is_told_to_senders_and_service_resumes_when_there_is_room() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.say(direct(1, 2), "before").await;
    node.faults.fail_commits(Fault::Full);
    let request = alice.send(direct(1, 2), id(1), "x").await;
    let error = alice.error().await;
    assert_eq!((error.request, error.known_code()), (request, Some(ErrorCode::StoreFull)));
    assert!(error.retry_after_ms > 0);
    bob.take_message().await;
    node.faults.heal();
    let request = alice.send(direct(1, 2), id(1), "x").await;
    assert_eq!(alice.sent(request).await.seq, Seq::new(2));
    bob.take_message().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_an_unknown_outcome_gets_the_first_place_and_makes_no_second_message() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for fault in [Fault::AmbiguousApplied, Fault::AmbiguousLost] {
        node.faults.fail_next_commits(1, fault);
        let number = fault as u128;
        let request = alice.send(direct(1, 2), id(number), "x").await;
        alice.refused(request, ErrorCode::Unavailable).await;
        let request = alice.send(direct(1, 2), id(number), "x").await;
        let seq = alice.sent(request).await.seq;
        assert_eq!(bob.take_message().await.message.seq, seq);
    }
    bob.quiet_for(MOMENT).await;
    assert_eq!(node.log(1, 2).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_outcome_is_unknown_reaches_its_recipient_at_once_if_it_was_written() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    node.faults.fail_next_commits(1, Fault::AmbiguousApplied);
    let request = alice.send(direct(1, 2), id(1), "x").await;
    alice.refused(request, ErrorCode::Unavailable).await;
    let begun = tokio::time::Instant::now();
    bob.take_message().await;
    assert!(begun.elapsed() < MOMENT);
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_that_could_not_be_committed_are_committed_later() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for fault in [Fault::Unavailable, Fault::Full, Fault::AmbiguousLost, Fault::AmbiguousApplied] {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
        let event = bob.message().await;
        let before = node.faults.commits();
        node.faults.fail_commits(fault);
        bob.ack(event.stamp).await;
        tokio::time::sleep(MOMENT).await;
        assert!(node.faults.commits() - before < 10, "a failing store is not asked in a loop");
        node.faults.heal();
        tokio::time::sleep(MOMENT).await;
        assert_eq!(node.cursor(who(2, 1)).await, event.stamp, "{fault:?}");
        let receipt = alice.take_receipt().await.receipt;
        assert_eq!(receipt.delivered, event.message.seq);
    }
    bob.quiet_for(MOMENT).await;
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_of_a_device_that_has_left_survive_a_failing_store() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    alice.say(direct(1, 2), "x").await;
    alice.take_message().await;
    let event = bob.message().await;
    node.faults.fail_commits(Fault::Unavailable);
    bob.ack(event.stamp).await;
    tokio::time::sleep(MOMENT).await;
    drop(bob);
    tokio::time::sleep(MOMENT).await;
    node.faults.heal();
    assert_eq!(alice.take_receipt().await.receipt.delivered, Seq::new(1));
    assert_eq!(node.cursor(who(2, 1)).await, event.stamp);
}

#[tokio::test(start_paused = true)]
async fn an_inbox_that_could_not_be_read_is_read_when_it_can_be() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    node.faults.fail_reads();
    alice.say(direct(1, 2), "x").await;
    bob.quiet_for(MOMENT).await;
    node.faults.heal();
    let begun = tokio::time::Instant::now();
    bob.take_message().await;
    assert!(begun.elapsed() <= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn slow_reads_and_commits_lose_and_repeat_nothing() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    node.faults.slow_reads(Duration::from_millis(70));
    node.faults.slow_commits(Duration::from_millis(110));
    for number in 0..50 {
        alice.send(direct(1, 2), id(number), "x").await;
        tokio::time::sleep(Duration::from_millis(u64::try_from(number).unwrap() * 7 % 50)).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 50 {
        if let Event::Message(event) = bob.take().await {
            seen.push(event.message.seq.get());
        }
    }
    assert_eq!(seen, (1..=50).collect::<Vec<_>>());
    bob.quiet_for(MOMENT).await;
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_wait_for_a_slow_store_do_not_pile_up() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    node.faults.slow_reads(Duration::from_secs(3600));
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    for _ in 0..20 {
        alice.heartbeat().await;
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    let after = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(after <= before + 1, "{before} tasks have become {after}");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_panics_is_made_again() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for takes in [Duration::ZERO, Duration::from_millis(10)] {
        // In the session itself the first time, in a task the second.
        tokio::time::sleep(MOMENT).await;
        node.faults.slow_reads(takes);
        node.faults.panic_in_next_read();
        alice.say(direct(1, 2), "x").await;
        let begun = tokio::time::Instant::now();
        alice.take_message().await;
        bob.take_message().await;
        assert!(begun.elapsed() <= Duration::from_millis(1100));
        alice.take_receipt().await;
    }
}
