//! Presence, typing and receipts as they come: for who looks, and no more of it than somebody could want.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rookery_client::{
    Availability, ConversationId, Doing, Event, GroupId, MemberMark, MemoryStore, Presence, Seq,
};
use rookery_protocol::{ClientFrame, Done, PresenceNotice, ReceiptsNotice, TypingNotice};
use support::*;

fn crew() -> ConversationId {
    ConversationId::group(GroupId::new(9).unwrap())
}

fn presence(number: u64, last_seen_ms: u64) -> Presence {
    Presence { user: user(number), availability: Availability::Offline, last_seen_ms }
}

#[tokio::test(start_paused = true)]
async fn what_is_watched_is_handed_up_and_watched_again_on_the_next_connection() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    client.watch(vec![user(2)], vec![crew()]).unwrap();
    for _ in 0..2 {
        let (_, mut connection) = server.welcome().await;
        let ClientFrame::Watch(watch) = connection.frame().await else { panic!("nothing is watched") };
        assert_eq!((&watch.users[..], &watch.conversations[..]), (&[user(2)][..], &[crew()][..]));
        connection.send(Done { request: watch.request }).await;
        connection.send(PresenceNotice { people: vec![presence(2, 60_000)] }).await;
        let (conversation, doing) = (crew(), Doing::Typing);
        connection.send(TypingNotice { conversation, user: user(3), doing }).await;
        let (delivered, read) = (Seq::new(3), Seq::new(2));
        let mark = MemberMark { user: user(3), delivered, read, delivered_ms: 5, read_ms: 4 };
        connection.send(ReceiptsNotice { conversation, marks: vec![mark.clone()] }).await;
        assert!(matches!(event(&mut events).await, Event::Watching));
        assert!(matches!(event(&mut events).await, Event::Presence(seen) if seen == [presence(2, 60_000)]));
        assert!(matches!(event(&mut events).await, Event::Typing { user: who, .. } if who == user(3)));
        assert!(matches!(event(&mut events).await, Event::Receipts { marks, .. } if marks == [mark]));
    }
}

#[tokio::test(start_paused = true)]
async fn of_notices_that_nobody_takes_the_oldest_are_dropped_and_no_message_is() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    client.watch(vec![user(2)], Vec::new()).unwrap();
    let ClientFrame::Watch(_) = connection.frame().await else { panic!("nothing is watched") };
    connection.push(1, message(with_bob(), 1)).await;
    for number in 1..=300 {
        connection.send(PresenceNotice { people: vec![presence(2, number * 60_000)] }).await;
    }
    connection.push(2, message(with_bob(), 2)).await;
    // The answer to a call says that all before it has come.
    let asking = tokio::spawn(async move { client.privacy().await });
    let ClientFrame::GetPrivacy(get) = connection.frame().await else { panic!("no question") };
    let privacy = rookery_client::PrivacySettings::default();
    connection.send(rookery_protocol::Privacy { request: get.request, privacy }).await;
    asking.await.unwrap().unwrap();
    assert_eq!(next_message(&mut events).await.0, 1);
    for number in 45..=300 {
        let Event::Presence(seen) = event(&mut events).await else { panic!("no presence") };
        assert_eq!(seen, [presence(2, number * 60_000)]);
    }
    assert_eq!(next_message(&mut events).await.0, 2);
}
