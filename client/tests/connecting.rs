//! Heartbeats, silence, GOAWAY, and the errors after which a client stays away.

mod support;

use std::time::Duration;

use rookery_client::{Body, ErrorCode, Event, MemoryStore, TerminalError};
use rookery_protocol::{ClientFrame, Error, Goaway, HeartbeatAck, RequestId, Welcome};
use support::*;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_when_nothing_else_was_and_one_without_an_answer_ends_the_connection() {
    let mut server = FakeServer::new();
    let (_client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection.is_asked_what_is_followed().await;
    let welcomed = Instant::now();
    let Some(ClientFrame::Heartbeat(heartbeat)) = connection.next().await else { panic!("no heartbeat") };
    assert_eq!(welcomed.elapsed().as_secs(), HEARTBEAT.as_secs());
    connection.send(HeartbeatAck { nonce: heartbeat.nonce }).await;
    let answered = Instant::now();
    assert!(connection.is_closed().await);
    assert_eq!(answered.elapsed().as_secs(), HEARTBEAT.as_secs() + 5);
    server.welcome().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_of_a_node_that_hangs_goes_to_another_with_what_it_wanted_to_say() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut hangs) = server.accept().await;
    hangs.hello().await;
    let nodes = vec!["tcp://node-a:1".to_owned(), "tcp://node-b:1".to_owned()];
    hangs.send(Welcome { nodes, ..welcome() }).await;
    while !client.status().connected {
        tokio::task::yield_now().await;
    }
    let ticket = client.send(with_bob(), Body::new("hello?")).unwrap();
    let asked = Instant::now();
    let (node, mut connection) = server.accept().await;
    assert_eq!(node.to_string(), "tcp://node-b:1");
    let waited = asked.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited <= Duration::from_millis(5_250), "{waited:?}");
    connection.hello().await;
    connection.send(welcome()).await;
    let send = connection.sent_message().await;
    connection.confirm(&send, 1).await;
    ticket.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_long_is_waited_for_while_heartbeats_are_answered() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let ticket = client.send(with_bob(), Body::new("slow disk?")).unwrap();
    let send = connection.sent_message().await;
    assert!(connection.is_quiet_for(Duration::from_secs(60)).await);
    connection.confirm(&send, 1).await;
    ticket.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_goaway_is_obeyed_in_time_and_place() {
    let mut server = FakeServer::new();
    let (_client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    connection
        .send(Goaway {
            code: ErrorCode::Shutdown as u16,
            text: "stopping".into(),
            reconnect_after_ms: 7_000,
            nodes: vec!["tcp://node-b:1".into()],
        })
        .await;
    assert!(connection.is_closed().await);
    let left = Instant::now();
    let (node, _connection) = server.accept().await;
    assert_eq!(node.to_string(), "tcp://node-b:1");
    assert!(left.elapsed() >= Duration::from_secs(7) && left.elapsed() <= Duration::from_millis(7_250));
}

#[tokio::test(start_paused = true)]
async fn a_goaway_leaves_time_for_answers_on_the_way() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let ticket = client.send(with_bob(), Body::new("x")).unwrap();
    let send = connection.sent_message().await;
    connection.send(Goaway { code: 15, text: String::new(), reconnect_after_ms: 0, nodes: Vec::new() }).await;
    connection.confirm(&send, 1).await;
    ticket.await.unwrap();
    assert!(connection.is_closed().await);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_a_suspension_or_a_replaced_device_ends_the_client() {
    for code in [
        ErrorCode::TokenInvalid,
        ErrorCode::TokenExpired,
        ErrorCode::TokenRevoked,
        ErrorCode::Suspended,
        ErrorCode::Replaced,
    ] {
        let mut server = FakeServer::new();
        let (client, mut events) = start(&server, MemoryStore::new());
        let ticket = client.send(with_bob(), Body::new("x")).unwrap();
        let (_, mut connection) = server.accept().await;
        connection.hello().await;
        if code == ErrorCode::Replaced {
            connection.send(welcome()).await;
            connection.sent_message().await;
        }
        connection.send(Error::new(RequestId::new(0), code, "no")).await;
        match event(&mut events).await {
            Event::Terminal(TerminalError::Refused(refusal)) => assert_eq!(refusal.known_code(), Some(code)),
            other => panic!("{other:?}"),
        }
        assert!(events.next().await.is_none());
        assert!(ticket.await.is_err());
        assert!(server.is_left_alone_for(Duration::from_secs(200)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_store_of_another_device_is_not_used() {
    let mut server = FakeServer::new();
    let store = MemoryStore::new();
    let (client, _events) = start(&server, store.clone());
    let _connection = server.welcome().await;
    while !client.status().connected {
        tokio::task::yield_now().await;
    }
    client.close().await;
    let (_client, mut events) = start(&server, store);
    let (_, mut connection) = server.accept().await;
    connection.hello().await;
    connection.send(Welcome { user: user(9), ..welcome() }).await;
    assert!(matches!(event(&mut events).await, Event::Terminal(TerminalError::OtherDevice { user: 9, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_after_hello_is_left_at_the_deadline() {
    let mut server = FakeServer::new();
    let (_client, _events) = start(&server, MemoryStore::new());
    let (_, mut silent) = server.accept().await;
    let connected = Instant::now();
    silent.hello().await;
    assert!(silent.is_closed().await);
    assert_eq!(connected.elapsed().as_secs(), 10);
    server.welcome().await;
}

#[tokio::test(start_paused = true)]
async fn garbage_from_the_server_ends_the_connection_and_not_the_client() {
    let mut server = FakeServer::new();
    let (_client, mut events) = start(&server, MemoryStore::new());
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0x10, 0, 0x40, 0, 0, 0, 1, 0xc1],
        &[0x10, 0, 2, 0xff, 0, 0, 0],
    ] {
        let (_, mut connection) = server.welcome().await;
        connection.send_bytes(garbage).await;
        assert!(connection.is_closed().await);
    }
    let (_, mut connection) = server.welcome().await;
    connection.push(1, message(with_bob(), 1)).await;
    assert_eq!(next_message(&mut events).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_server_says_so_and_tries_every_node_ever_slower() {
    let mut server = FakeServer::new();
    server.set_down(true);
    let (_client, mut events) = start(&server, MemoryStore::new());
    let mut waits = Vec::new();
    while waits.len() < 8 {
        if let Some(Event::Disconnected { retry_in, .. }) = events.next().await {
            waits.push(retry_in.as_secs());
        }
    }
    assert!(waits[0] < 1 && waits[7] >= 30 && waits[7] < 60, "{waits:?}");
    server.set_down(false);
    let _connection = server.welcome().await;
    assert!(matches!(events.next().await, Some(Event::Connected(_))));
}
