//! Each message once and in order, whatever the server and the connections do; acknowledged once it is safe.

mod support;

use std::time::Duration;

use rookery_client::{ErrorCode, Event, LmdbStore, MemoryStore, Receipt, Seq};
use rookery_protocol::{HistoryPage, Message};
use support::*;

const MOMENT: Duration = Duration::from_secs(5);

fn page(request: &rookery_protocol::History, next: u64, messages: Vec<Message>) -> HistoryPage {
    HistoryPage { request: request.request, head: Seq::new(100), next: Seq::new(next), messages }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_once_the_next_event_is_asked_for_and_not_before() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (hello, mut connection) = server.welcome().await;
    assert_eq!((hello.token.as_str(), hello.resume), ("a token", None));

    connection.push(1, message(with_bob(), 5)).await;
    assert_eq!(next_message(&mut events).await, (5, "message 5".into()));
    assert!(connection.is_quiet_for(MOMENT).await);
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_reconnected_client_resumes_after_the_last_acknowledged_event_and_drops_what_it_has_handed_up() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for number in 1..=3 {
        connection.push(number, message(with_bob(), u64::from(number))).await;
    }
    assert_eq!(next_message(&mut events).await.0, 1);
    assert_eq!(next_message(&mut events).await.0, 2);
    connection.acked(1).await;
    drop(connection);

    let (hello, mut connection) = server.welcome().await;
    assert_eq!(hello.resume, Some(stamp(1)));
    for number in 2..=4 {
        connection.push(number, message(with_bob(), u64::from(number))).await;
    }
    assert_eq!(next_message(&mut events).await.0, 3);
    assert_eq!(next_message(&mut events).await.0, 4);
    assert!(nothing_happens(&mut events).await);
    connection.acked(4).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_and_restarted_client_hands_nothing_up_twice() {
    let mut server = FakeServer::new();
    let store = MemoryStore::new();
    let (client, mut events) = start(&server, store.clone());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    connection.push(2, message(with_bob(), 2)).await;
    assert_eq!(next_message(&mut events).await.0, 1);
    client.close().await;
    connection.acked(1).await;
    assert!(events.next().await.is_none());

    let (_client, mut events) = start(&server, store);
    let (hello, mut connection) = server.welcome().await;
    assert_eq!(hello.resume, Some(stamp(1)));
    connection.push(1, message(with_bob(), 1)).await;
    connection.push(2, message(with_bob(), 2)).await;
    assert_eq!(next_message(&mut events).await.0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_fetched_page_by_page_and_filled_in_order_before_anything_behind_it_is_acknowledged() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    assert_eq!(next_message(&mut events).await.0, 1);
    connection.push(2, message(with_bob(), 6)).await;
    connection.push(3, message(with(3), 1)).await;
    // The other conversation is not held up.
    assert_eq!(next_message(&mut events).await.0, 1);
    connection.acked(1).await;

    let history = connection.history().await;
    assert_eq!((history.from, history.to), (Seq::new(2), Seq::new(5)));
    connection.send(page(&history, 4, vec![message(with_bob(), 2), message(with_bob(), 3)])).await;
    let history = connection.history().await;
    assert_eq!((history.from, history.to), (Seq::new(4), Seq::new(5)));
    // 4 no longer exists.
    connection.send(page(&history, 6, vec![message(with_bob(), 5)])).await;
    for seq in [2, 3, 5, 6] {
        assert_eq!(next_message(&mut events).await.0, seq);
    }
    assert!(nothing_happens(&mut events).await);
    connection.acked(3).await;
}

#[tokio::test(start_paused = true)]
async fn a_gap_whose_history_is_refused_for_good_is_passed_over() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    connection.push(2, message(with_bob(), 4)).await;
    let history = connection.history().await;
    connection.refuse(history.request, ErrorCode::Unavailable).await;
    let history = connection.history().await;
    connection.refuse(history.request, ErrorCode::NotMember).await;
    assert_eq!(next_message(&mut events).await.0, 1);
    assert_eq!(next_message(&mut events).await.0, 4);
}

#[tokio::test(start_paused = true)]
async fn duplicates_are_dropped_and_acknowledged() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    assert_eq!(next_message(&mut events).await.0, 1);
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
    connection.push(2, message(with_bob(), 1)).await;
    connection.acked(2).await;
    assert!(nothing_happens(&mut events).await);
}

#[tokio::test(start_paused = true)]
async fn events_of_an_unknown_kind_are_acknowledged() {
    let mut server = FakeServer::new();
    let (_client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let mut event = rookery_protocol::encode(&rookery_protocol::MessageEvent {
        stamp: stamp(9),
        message: message(with_bob(), 1),
    })
    .to_vec();
    event[2] = 0x7f;
    connection.send_bytes(&event).await;
    connection.acked(9).await;
    // A notice of an unknown kind is nothing to acknowledge, and no reason to hang up.
    event[2] = 0x90;
    connection.send_bytes(&event).await;
    assert!(connection.is_quiet_for(MOMENT).await);
}

#[tokio::test(start_paused = true)]
async fn the_reorder_buffer_is_bounded_and_a_server_that_overfills_it_is_left() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    let (mut number, mut history) = (1_u8, None);
    for seq in 3..=253 {
        number += 1;
        connection.push(number, message(with_bob(), seq)).await;
        if history.is_none() {
            history = Some(connection.history().await);
        }
    }
    assert_eq!(next_message(&mut events).await.0, 1);
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
    // All of them wait; none is acknowledged.
    assert!(connection.is_quiet_for(MOMENT).await);
    connection.send(page(&history.unwrap(), 3, vec![message(with_bob(), 2)])).await;
    for seq in 2..=253 {
        assert_eq!(next_message(&mut events).await.0, seq);
    }
    assert!(nothing_happens(&mut events).await);
    connection.acked(number).await;

    for seq in 300..600 {
        connection.push(255, message(with_bob(), seq)).await;
    }
    assert!(connection.is_closed().await);
}

#[tokio::test(start_paused = true)]
async fn an_own_message_comes_with_its_body_although_its_event_has_none() {
    for confirm_first in [true, false] {
        let mut server = FakeServer::new();
        let (client, mut events) = start(&server, MemoryStore::new());
        let (_, mut connection) = server.welcome().await;
        client.send(with_bob(), rookery_client::Body::new("mine")).unwrap();
        let send = connection.sent_message().await;
        let own = Message { sender: user(1), id: send.id, body: None, ..message(with_bob(), 1) };
        if confirm_first {
            connection.confirm(&send, 1).await;
            connection.push(1, own).await;
        } else {
            connection.push(1, own).await;
            connection.confirm(&send, 1).await;
        }
        let both = [event(&mut events).await, event(&mut events).await];
        let message = both.iter().find_map(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        });
        assert_eq!(text(&message.unwrap().body), "mine");
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_message_without_a_body_that_is_not_at_hand_is_fetched() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.push(1, Message { sender: user(1), body: None, ..message(with_bob(), 7) }).await;
    let history = connection.history().await;
    assert_eq!((history.from, history.to), (Seq::new(7), Seq::new(7)));
    connection.send(page(&history, 8, vec![message(with_bob(), 7)])).await;
    assert_eq!(next_message(&mut events).await, (7, "message 7".into()));
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
}

#[tokio::test(start_paused = true)]
async fn receipts_are_handed_up_in_their_place_and_acknowledged() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let receipt =
        Receipt { conversation: with_bob(), user: user(2), delivered: Seq::new(3), read: Seq::new(2) };
    connection.push_receipt(1, receipt.clone()).await;
    match event(&mut events).await {
        Event::Receipt(came) => assert_eq!(came, receipt),
        other => panic!("{other:?}"),
    }
    assert!(nothing_happens(&mut events).await);
    connection.acked(1).await;
}

#[tokio::test(start_paused = true)]
async fn receipts_pushed_again_after_a_lost_connection_take_nothing_back() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let receipt = |delivered, read| Receipt {
        conversation: with_bob(),
        user: user(2),
        delivered: Seq::new(delivered),
        read: Seq::new(read),
    };
    let (_, mut connection) = server.welcome().await;
    connection.push_receipt(1, receipt(1, 0)).await;
    connection.push_receipt(2, receipt(3, 2)).await;
    for expected in [receipt(1, 0), receipt(3, 2)] {
        assert!(matches!(event(&mut events).await, Event::Receipt(came) if came == expected));
    }
    drop(connection);
    let (_, mut connection) = server.welcome().await;
    connection.push_receipt(1, receipt(1, 0)).await;
    connection.push_receipt(2, receipt(3, 2)).await;
    connection.push_receipt(3, receipt(4, 2)).await;
    assert!(matches!(event(&mut events).await, Event::Receipt(came) if came == receipt(4, 2)));
    assert!(nothing_happens(&mut events).await);
    connection.acked(3).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_at_most_the_last_delivery_repeats_and_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    {
        let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
        let (_, mut connection) = server.welcome().await;
        for number in 1..=3 {
            connection.push(number, message(with_bob(), u64::from(number))).await;
        }
        assert_eq!(next_message(&mut events).await.0, 1);
        assert_eq!(next_message(&mut events).await.0, 2);
        // The process dies here: nobody closes anything.
        drop((client, events));
        assert!(connection.is_closed().await);
    }
    let (_client, mut events) = start(&server, reopened(directory.path()).await);
    let (_, mut connection) = server.welcome().await;
    for number in 1..=3 {
        connection.push(number, message(with_bob(), u64::from(number))).await;
    }
    assert_eq!(next_message(&mut events).await.0, 2);
    assert_eq!(next_message(&mut events).await.0, 3);
    assert!(nothing_happens(&mut events).await);
    connection.acked(3).await;
}

/// The crashed client's task may hold the store for a moment longer, as a dying process does.
async fn reopened(directory: &std::path::Path) -> LmdbStore {
    loop {
        match LmdbStore::open(directory) {
            Ok(store) => return store,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}
