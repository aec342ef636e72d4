//! A retry makes nothing a second time, and whatever became of the first try, everybody hears of it.

use std::time::Duration;

use rookery_protocol::{ErrorCode, GroupChange, GroupSettings};

use super::{Said, of, users};
use crate::client::{id, who};
use crate::faults::Fault;
use crate::node::Node;

const MOMENT: Duration = Duration::from_secs(3);

/// Less than a heartbeat, and no time at all for a bell.
const AT_ONCE: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn a_retry_gets_the_first_answer_and_makes_nothing_a_second_time() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let settings = GroupSettings::default();
    let created = alice.try_create(id(1), "crows", &users([2, 3]), settings.clone()).await.unwrap();
    let again = alice.try_create(id(1), "crows", &users([2, 3]), settings).await.unwrap();
    assert_eq!((again.group, again.time_ms), (created.group, created.time_ms));
    let group = created.group;
    let (mut sent, mut changed) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let request = alice.send(of(group), id(2), "hello").await;
        let answer = alice.sent(request).await;
        sent.push((answer.seq.get(), answer.time_ms));
        let answer = alice.change_as(group, id(3), GroupChange::Removed(users([3]))).await.unwrap();
        changed.push((answer.seq.get(), answer.time_ms));
    }
    assert_eq!((sent[0], changed[0]), (sent[1], changed[1]));
    assert_eq!(bob.take_entries(3).await.len(), 3);
    bob.quiet_for(MOMENT).await;
    assert_eq!(bob.group(group).await.unwrap().head.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_with_an_unknown_outcome_reaches_every_member_at_once() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut carol = node.join(who(3, 1)).await;
    node.faults.fail_next_commits(1, Fault::AmbiguousApplied);
    let settings = GroupSettings::default();
    let unknown = alice.try_create(id(1), "crows", &users([2, 3]), settings.clone()).await;
    assert_eq!(unknown, Err(ErrorCode::Unavailable));
    let begun = tokio::time::Instant::now();
    for client in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(client.take_message().await.message.seq.get(), 1);
    }
    assert!(begun.elapsed() < AT_ONCE);
    let group = alice.try_create(id(1), "crows", &users([2, 3]), settings).await.unwrap().group;
    // Marks are committed lazily: let them, so that the next commit is the message's.
    tokio::time::sleep(MOMENT).await;

    node.faults.fail_next_commits(1, Fault::AmbiguousApplied);
    let request = alice.send(of(group), id(2), "hello").await;
    alice.refused(request, ErrorCode::Unavailable).await;
    let begun = tokio::time::Instant::now();
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.take_entries(1).await, [(2, Said::Text("hello".into()))]);
    }
    assert!(begun.elapsed() < AT_ONCE);
    tokio::time::sleep(MOMENT).await;

    node.faults.fail_next_commits(1, Fault::AmbiguousApplied);
    let removed = GroupChange::Removed(users([3]));
    let unknown = alice.change_as(group, id(3), removed.clone()).await;
    assert_eq!(unknown, Err(ErrorCode::Unavailable));
    let begun = tokio::time::Instant::now();
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.take_entries(1).await, [(3, Said::Change(removed.clone()))]);
    }
    assert!(begun.elapsed() < AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_what_was_lost_is_written_once() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let group = alice.create([2, 3]).await;
    bob.take_message().await;
    tokio::time::sleep(MOMENT).await;
    node.faults.fail_next_commits(1, Fault::AmbiguousLost);
    let request = alice.send(of(group), id(2), "hello").await;
    alice.refused(request, ErrorCode::Unavailable).await;
    let request = alice.send(of(group), id(2), "hello").await;
    assert_eq!(alice.sent(request).await.seq.get(), 2);
    assert_eq!(bob.take_entries(1).await, [(2, Said::Text("hello".into()))]);
    bob.quiet_for(MOMENT).await;
}
