//! Messages about messages: through the outbox in order with the others, and handed up for what they are.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rookery_client::{
    Body, Client, EnqueueError, Entry, ErrorCode, Event, LmdbStore, MemoryStore, Reference, ReferenceError,
    ReferenceKind, SendError, Seq,
};
use rookery_protocol::{HistoryPage, Message, limits};
use support::*;

fn about(kind: ReferenceKind, seq: u64) -> Option<Reference> {
    Some(Reference { kind, seq: Seq::new(seq) })
}

/// An own message.
fn own(seq: u64) -> Message {
    Message { sender: user(1), ..message(with_bob(), seq) }
}

#[tokio::test(start_paused = true)]
async fn what_refers_to_a_message_is_sent_in_order_with_the_others_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    server.set_down(true);
    let (client, events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let expected = [
        ("hello", None),
        ("yes", about(ReferenceKind::Reply, 3)),
        ("+1", about(ReferenceKind::Reaction, 3)),
        ("hello!", about(ReferenceKind::Edit, 4)),
        ("", about(ReferenceKind::Delete, 4)),
    ];
    client.send(with_bob(), Body::new("hello")).unwrap();
    client.reply(with_bob(), Seq::new(3), Body::new("yes")).unwrap();
    client.react(with_bob(), Seq::new(3), Body::new("+1")).unwrap();
    client.edit(with_bob(), Seq::new(4), Body::new("hello!")).unwrap();
    client.delete(with_bob(), Seq::new(4)).unwrap();
    client.close().await;
    drop((client, events));

    server.set_down(false);
    let (_client, _events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    let mut before = None;
    for (said, reference) in expected {
        let send = connection.sent_message().await;
        assert_eq!((text(&send.body), &send.reference, send.after), (said, &reference, before));
        before = Some(send.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_is_refused_for_good_leaves_the_outbox_and_no_impossible_one_gets_in() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for code in [ErrorCode::TooLate, ErrorCode::NotFound, ErrorCode::NotAllowed, ErrorCode::Blocked] {
        let ticket = client.edit(with_bob(), Seq::new(1), Body::new("better")).unwrap();
        let send = connection.sent_message().await;
        connection.refuse(send.request, code).await;
        match ticket.await {
            Err(SendError::Refused(refusal)) => assert_eq!(refusal.known_code(), Some(code)),
            other => panic!("{other:?}"),
        }
    }
    let refused = |ticket: Result<_, EnqueueError>| ticket.map(drop).unwrap_err();
    let long = "x".repeat(limits::REACTION_BYTES_MAX + 1);
    let error = refused(client.react(with_bob(), Seq::new(1), Body::new(long)));
    assert_eq!(error, EnqueueError::Reference(ReferenceError::Reaction));
    let kind = Reference { kind: ReferenceKind::Unknown(9), seq: Seq::new(1) };
    let error = refused(client.refer(with_bob(), kind, Body::new("x")));
    assert_eq!(error, EnqueueError::Reference(ReferenceError::Kind));
    let deletion = Reference { kind: ReferenceKind::Delete, seq: Seq::new(1) };
    let error = refused(client.refer(with_bob(), deletion, Body::new("x")));
    assert_eq!(error, EnqueueError::Reference(ReferenceError::Deletion));
}

/// Sends `said` and lets it be confirmed as number `seq`.
async fn say(client: &Client, connection: &mut Connection, said: &str, seq: u64) -> Message {
    client.send(with_bob(), Body::new(said.to_owned())).unwrap();
    let send = connection.sent_message().await;
    connection.confirm(&send, seq).await;
    Message { id: send.id, body: None, ..own(seq) }
}

async fn handed(events: &mut rookery_client::Events) -> rookery_client::Message {
    loop {
        match event(events).await {
            Event::Message(message) => return message,
            Event::Sent { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_message_that_comes_deleted_says_nothing_though_the_client_has_its_body() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let kept = say(&client, &mut connection, "kept", 1).await;
    let gone = say(&client, &mut connection, "gone", 2).await;
    connection.push(1, kept).await;
    connection.push(2, Message { deleted: true, ..gone }).await;
    let message = handed(&mut events).await;
    assert_eq!((text(&message.body), message.deleted), ("kept", false));
    let message = handed(&mut events).await;
    assert_eq!((text(&message.body), message.deleted), ("", true));
    // A deleted message is no message whose body is still to come: nothing is asked for.
    let deletion =
        Message { reference: about(ReferenceKind::Delete, 2), body: Some(Body::default()), ..own(3) };
    connection.push(3, deletion).await;
    let message = handed(&mut events).await;
    assert_eq!((message.seq, message.reference), (Seq::new(3), about(ReferenceKind::Delete, 2)));
    assert!(nothing_happens(&mut events).await);
    connection.acked(3).await;
}

#[tokio::test(start_paused = true)]
async fn deleted_messages_of_others_come_in_their_place_from_events_and_from_history() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let deleted = |seq| Message { body: None, deleted: true, ..message(with_bob(), seq) };
    connection.push(1, deleted(1)).await;
    assert!(handed(&mut events).await.deleted);
    connection.push(2, message(with_bob(), 4)).await;
    let history = connection.history().await;
    assert_eq!(
        (history.from, history.to, history.backwards, history.time_ms),
        (Seq::new(2), Seq::new(3), false, 0)
    );
    // Number 3 is hidden from this user: it is not there.
    let page = HistoryPage {
        request: history.request,
        head: Seq::new(4),
        next: Seq::new(4),
        messages: vec![deleted(2)],
    };
    connection.send(page).await;
    for (seq, is_deleted) in [(2, true), (4, false)] {
        let message = handed(&mut events).await;
        assert_eq!((message.seq.get(), message.deleted), (seq, is_deleted));
    }
    match Entry::of_history(deleted(5)) {
        Entry::Message(message) => assert!(message.deleted && message.body.is_empty()),
        other => panic!("{other:?}"),
    }
}
