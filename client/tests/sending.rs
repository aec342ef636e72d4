//! Each message once and in order, with the same id at each attempt.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::time::Duration;

use rookery_client::{
    BROADCAST_USERS_MAX, Body, BroadcastError, Client, EnqueueError, ErrorCode, Event, LmdbStore, LocalStore,
    MemoryStore, MessageId, SendError, Seq,
};
use rookery_protocol::{ClientFrame, Done};
use support::*;

#[tokio::test(start_paused = true)]
async fn a_confirmed_message_answers_its_ticket_and_raises_an_event() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let ticket = client.send(with_bob(), Body::new("hi")).unwrap();
    let id = ticket.id();
    let send = connection.sent_message().await;
    assert_eq!((send.id, send.after, text(&send.body)), (id, None, "hi"));
    connection.confirm(&send, 4).await;
    assert_eq!(ticket.await.unwrap(), (Seq::new(4), 1_004));
    assert!(
        matches!(event(&mut events).await, Event::Sent { id: sent, seq, .. } if sent == id && seq == Seq::new(4))
    );
}

#[tokio::test(start_paused = true)]
async fn several_messages_travel_in_one_write_each_naming_the_one_before() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let ids: Vec<_> =
        (0..3).map(|n| client.send(with_bob(), Body::new(format!("{n}"))).unwrap().id()).collect();
    let mut after = None;
    for id in ids {
        let send = connection.sent_message().await;
        assert_eq!((send.id, send.after), (id, after));
        after = Some(id);
    }
}

#[tokio::test(start_paused = true)]
async fn unconfirmed_messages_are_sent_again_in_order_with_their_ids_after_a_lost_connection() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for n in 0..3 {
        client.send(with_bob(), Body::new(format!("{n}"))).unwrap();
    }
    let first = connection.sent_message().await;
    let (second, third) = (connection.sent_message().await, connection.sent_message().await);
    connection.confirm(&first, 1).await;
    tokio::task::yield_now().await;
    drop(connection);
    let (_, mut connection) = server.welcome().await;
    let again = connection.sent_message().await;
    assert_eq!((again.id, again.after), (second.id, None));
    let again = connection.sent_message().await;
    assert_eq!((again.id, again.after), (third.id, Some(second.id)));
}

#[tokio::test(start_paused = true)]
async fn after_out_of_order_everything_from_the_refused_message_on_is_sent_again() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for n in 0..3 {
        client.send(with_bob(), Body::new(format!("{n}"))).unwrap();
    }
    let mut sends = Vec::new();
    for _ in 0..3 {
        sends.push(connection.sent_message().await);
    }
    connection.refuse(sends[0].request, ErrorCode::StoreFull).await;
    connection.refuse(sends[1].request, ErrorCode::OutOfOrder).await;
    connection.refuse(sends[2].request, ErrorCode::OutOfOrder).await;
    // The time that the server asked for.
    assert!(connection.is_quiet_for(Duration::from_millis(4_900)).await);
    for (n, first) in sends.iter().enumerate() {
        let again = connection.sent_message().await;
        assert_eq!((again.id, again.after), (first.id, first.after), "{n}");
        connection.confirm(&again, n as u64 + 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_refused_for_good_fails_alone_and_the_next_one_names_its_predecessor() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let tickets: Vec<_> =
        (0..3).map(|n| client.send(with_bob(), Body::new(format!("{n}"))).unwrap()).collect();
    let (first, second) = (connection.sent_message().await, connection.sent_message().await);
    let third = connection.sent_message().await;
    connection.refuse(second.request, ErrorCode::NotMember).await;
    connection.refuse(third.request, ErrorCode::OutOfOrder).await;
    let again = connection.sent_message().await;
    assert_eq!((again.id, again.after), (third.id, Some(first.id)));
    connection.confirm(&first, 1).await;
    connection.confirm(&again, 2).await;
    let outcomes = futures_util::future::join_all(tickets).await;
    assert!(
        matches!(&outcomes[1], Err(SendError::Refused(refusal)) if refusal.known_code() == Some(ErrorCode::NotMember))
    );
    assert_eq!((&outcomes[0], &outcomes[2]), (&Ok((Seq::new(1), 1_001)), &Ok((Seq::new(2), 1_002))));
    assert!(matches!(event(&mut events).await, Event::SendFailed { id, .. } if id == second.id));
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_in_flight_than_the_server_takes() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.accept().await;
    connection.hello().await;
    connection.send(rookery_protocol::Welcome { requests_in_flight: 2, ..welcome() }).await;
    for n in 0..3 {
        client.send(with(2 + n), Body::new("x")).unwrap();
    }
    let first = connection.sent_message().await;
    connection.sent_message().await;
    assert!(connection.is_quiet_for(Duration::from_secs(5)).await);
    connection.confirm(&first, 1).await;
    connection.sent_message().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_and_an_oversized_body_are_refused_at_once() {
    let server = FakeServer::new();
    server.set_down(true);
    let mut config = config();
    config.outbox_messages_max = 2;
    let (client, _events) = start_with(&server, MemoryStore::new(), config);
    let oversized = client.send(with_bob(), Body::new(vec![0; 64 * 1024 + 1])).unwrap_err();
    assert_eq!(oversized, EnqueueError::BodyTooLarge { bytes: 65_537, limit: 65_536 });
    client.send(with_bob(), Body::new("1")).unwrap();
    client.send(with_bob(), Body::new("2")).unwrap();
    assert_eq!(client.send(with_bob(), Body::new("3")).unwrap_err(), EnqueueError::Full(2));
}

#[tokio::test(start_paused = true)]
async fn unsent_messages_survive_the_process_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    server.set_down(true);
    let (client, _events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let ids: Vec<_> =
        (0..3).map(|n| client.send(with_bob(), Body::new(format!("{n}"))).unwrap().id()).collect();
    client.close().await;

    server.set_down(false);
    let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    for id in ids {
        let send = connection.sent_message().await;
        assert_eq!(send.id, id);
        connection.confirm(&send, 1).await;
        assert!(matches!(event(&mut events).await, Event::Sent { .. }));
    }
    client.close().await;
    let saved = LmdbStore::open(directory.path()).unwrap().load().unwrap();
    assert!(saved.outbox.is_empty());
}

#[tokio::test(start_paused = true)]
async fn read_marks_and_lookups_made_without_a_connection_are_made_good_by_the_next() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    client.read(with_bob(), Seq::new(3));
    client.read(with_bob(), Seq::new(5));
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.lookup("bob".parse().unwrap()).await }
    });
    tokio::task::yield_now().await;
    let (_, mut connection) = server.welcome().await;
    for _ in 0..2 {
        match connection.frame().await {
            ClientFrame::Read(read) => {
                assert_eq!(read.seq, Seq::new(5));
                connection.send(Done { request: read.request }).await;
            }
            ClientFrame::Lookup(lookup) => {
                let (user, handle) = (user(2), "bob".parse().unwrap());
                connection.send(rookery_protocol::Found { request: lookup.request, user, handle }).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(asking.await.unwrap().unwrap().user, user(2));
}

#[test]
fn a_second_opener_of_a_local_store_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let _held = LmdbStore::open(directory.path()).unwrap();
    let error = LmdbStore::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("in use by another client"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_local_store_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("clients/alice-terminal");
    let _held = LmdbStore::open(&path).unwrap();
    for made in [path.parent().unwrap(), &path] {
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// Sends a message that is refused for good, and closes the client once it has heard of that.
async fn fail_and_close(server: &mut FakeServer, client: Client) -> MessageId {
    let (_, mut connection) = server.welcome().await;
    let ticket = client.send(with_bob(), Body::new("hi")).unwrap();
    let id = ticket.id();
    let send = connection.sent_message().await;
    connection.refuse(send.request, ErrorCode::NotAllowed).await;
    assert!(matches!(ticket.await, Err(SendError::Refused(_))));
    client.close().await;
    id
}

/// A client with this store has nothing to send.
async fn sends_nothing(server: &mut FakeServer, store: MemoryStore) {
    let (client, _events) = start(server, store);
    let (_, mut connection) = server.welcome().await;
    assert!(connection.is_quiet_for(Duration::from_secs(1)).await);
    assert_eq!(client.status().outbox_messages, 0);
}

#[tokio::test(start_paused = true)]
async fn who_has_not_taken_that_a_message_failed_is_told_in_the_next_run_and_then_no_more() {
    let (mut server, store) = (FakeServer::new(), MemoryStore::new());
    let (client, events) = start(&server, store.clone());
    let id = fail_and_close(&mut server, client).await;
    drop(events);

    let (client, mut events) = start(&server, store.clone());
    let (_, mut connection) = server.welcome().await;
    let again = connection.sent_message().await;
    assert_eq!(again.id, id);
    connection.refuse(again.request, ErrorCode::NotAllowed).await;
    assert!(matches!(event(&mut events).await, Event::SendFailed { id: failed, .. } if failed == id));
    // Closing takes what was handed up.
    client.close().await;
    drop((events, connection));

    sends_nothing(&mut server, store).await;
}

#[tokio::test(start_paused = true)]
async fn where_nobody_takes_events_a_message_that_failed_is_not_sent_again() {
    let (mut server, store) = (FakeServer::new(), MemoryStore::new());
    let (client, events) = start(&server, store.clone());
    drop(events);
    fail_and_close(&mut server, client).await;
    sends_nothing(&mut server, store).await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_is_a_message_to_each_with_its_own_id_and_its_own_outcome() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let early = client.broadcast(&[user(2)], Body::new("hi")).unwrap_err();
    assert_eq!(early, BroadcastError::NotConnected);
    let (_, mut connection) = server.welcome().await;
    assert!(matches!(events.next().await, Some(Event::Connected(_))));
    let users = [user(4), user(2), user(3)];
    let tickets = client.broadcast(&users, Body::new("hi")).unwrap();
    for _ in &users {
        let send = connection.sent_message().await;
        let place = users.iter().position(|other| with(other.get()) == send.conversation).unwrap();
        assert_eq!((send.id, send.after, text(&send.body)), (tickets[place].id(), None, "hi"));
        if place == 1 {
            connection.refuse(send.request, ErrorCode::NotAllowed).await;
        } else {
            connection.confirm(&send, 7).await;
        }
    }
    let (mut sent, mut failed) = (0, Vec::new());
    for _ in &users {
        match event(&mut events).await {
            Event::Sent { .. } => sent += 1,
            Event::SendFailed { id, conversation, .. } => failed.push((id, conversation)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sent, failed), (2, vec![(tickets[1].id(), with_bob())]));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_to_nobody_too_many_somebody_twice_or_a_full_outbox_is_refused_as_a_whole() {
    let mut server = FakeServer::new();
    let mut config = config();
    config.outbox_messages_max = BROADCAST_USERS_MAX;
    let (client, mut events) = start_with(&server, MemoryStore::new(), config);
    let (_, mut connection) = server.welcome().await;
    assert!(matches!(events.next().await, Some(Event::Connected(_))));
    let users: Vec<_> = (2..=258).map(user).collect();
    let refused = |users: &[_]| client.broadcast(users, Body::new("hi")).unwrap_err();
    assert_eq!(refused(&[]), BroadcastError::Nobody);
    assert_eq!(refused(&users), BroadcastError::TooMany { users: 257 });
    assert_eq!(refused(&[user(2), user(3), user(2)]), BroadcastError::Twice(user(2)));
    client.send(with_bob(), Body::new("first")).unwrap();
    assert_eq!(refused(&users[1..]), BroadcastError::Enqueue(EnqueueError::Full(1)));
    assert_eq!(client.status().outbox_messages, 1);
    assert_eq!(client.broadcast(&users[2..], Body::new("hi")).unwrap().len(), 255);
    assert_eq!(text(&connection.sent_message().await.body), "first");
}
