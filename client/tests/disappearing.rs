//! Messages that disappear: handed up for what is left of them, told when their time comes, sent by the timer.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::time::Duration;

use rookery_client::{
    Body, EnqueueError, Event, ExpiresError, LmdbStore, MemoryStore, Reference, ReferenceKind, Seq,
};
use rookery_protocol::Message;
use support::*;

fn timer(seq: u64, timer_s: u32) -> Message {
    let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
    Message { reference, timer_s, body: Some(Body::default()), ..message(with_bob(), seq) }
}

#[tokio::test(start_paused = true)]
async fn a_timer_is_sent_from_the_outbox_and_kept_across_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    assert_eq!(client.timer(with_bob()), None);
    connection.push(1, timer(1, 60)).await;
    let Event::Message(message) = event(&mut events).await else { panic!("the timer") };
    assert_eq!((message.timer_s, message.expires_ms), (60, 0));
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
    assert_eq!(client.timer(with_bob()), Some(Duration::from_secs(60)));
    client.send(with_bob(), Body::new("gone in a minute")).unwrap();
    assert_eq!(connection.sent_message().await.expires_s, 60);
    client.set_timer(with_bob(), Some(Duration::from_secs(10))).unwrap();
    let set = connection.sent_message().await;
    let reference = Some(Reference { kind: ReferenceKind::Timer, seq: Seq::ZERO });
    assert_eq!((set.expires_s, set.reference, set.body.len()), (10, reference, 0));
    connection.confirm(&set, 3).await;
    while !matches!(event(&mut events).await, Event::Sent { seq, .. } if seq == Seq::new(3)) {}
    client.close().await;
    drop((client, events));

    let (client, _events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    assert_eq!(connection.sent_message().await.expires_s, 60, "as it was when it was written");
    assert_eq!(client.timer(with_bob()), Some(Duration::from_secs(10)));
    client.send(with_bob(), Body::new("gone sooner")).unwrap();
    assert_eq!(connection.sent_message().await.expires_s, 10);
}

#[tokio::test(start_paused = true)]
async fn no_impossible_timer_gets_into_the_outbox() {
    let server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    for seconds in [0, 1, 4, 90 * 24 * 3600 + 1, u64::MAX] {
        let refused = client.set_timer(with_bob(), Some(Duration::from_secs(seconds))).map(drop);
        assert_eq!(refused.unwrap_err(), EnqueueError::Expires(ExpiresError), "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waited_beyond_its_time_says_nothing_and_the_end_of_others_is_told() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let began_ms = welcome().time_ms;
    let message = |seq, expires_ms| Message { expires_ms, ..message(with_bob(), seq) };
    connection.push(1, message(1, began_ms + 20_000)).await;
    connection.push(2, message(2, began_ms + 100_000)).await;
    connection.push(3, message(3, 0)).await;
    tokio::time::sleep(Duration::from_secs(21)).await;
    let mut handed = Vec::new();
    while handed.len() < 3 {
        if let Event::Message(message) = event(&mut events).await {
            handed.push((message.seq.get(), message.deleted, message.body.is_empty()));
        }
    }
    assert_eq!(handed, [(1, true, true), (2, false, false), (3, false, false)]);
    let mut expired = Vec::new();
    while expired.len() < 2 {
        if let Event::Expired { seq, .. } = event(&mut events).await {
            expired.push(seq.get());
        }
    }
    assert_eq!(expired, [1, 2]);
}
