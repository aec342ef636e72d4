//! Coming in, and being thrown out: each way has its documented answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rookery_actors::{Actors, Authenticator, DeviceToken, Parts, TokenError};
use rookery_protocol::{
    ErrorCode, Heartbeat, Hello, Lookup, Opcode, RequestId, Seq, ServerFrame, Stamp, encode, limits,
};

use crate::client::{Who, direct, id, who};
use crate::node::{self, Node};

#[tokio::test(start_paused = true)]
async fn welcome_states_the_terms() {
    let node = Node::start().await;
    let mut client = node.connect();
    client.tell(&Hello { window_events: 1_000_000, ..who(1, 2).hello() }).await;
    let welcome = client.welcome().await;
    assert_eq!((welcome.user.get(), welcome.device.get(), welcome.handle.as_str()), (1, 2, "user1"));
    assert_eq!(welcome.window_events, limits::WINDOW_EVENTS_MAX);
    assert_eq!(welcome.heartbeat_ms, limits::HEARTBEAT_MS);
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_forged_expired_revoked_or_of_nobody_are_refused() {
    let node = Node::start().await;
    for (token, code) in [
        ("garbage".into(), ErrorCode::TokenInvalid),
        ("expired".into(), ErrorCode::TokenExpired),
        (Who { generation: 2, ..who(1, 1) }.token(), ErrorCode::TokenRevoked),
        (who(1, 9).token(), ErrorCode::TokenRevoked),
        (who(99, 1).token(), ErrorCode::TokenRevoked),
    ] {
        let mut client = node.connect();
        client.tell(&Hello { token, ..who(1, 1).hello() }).await;
        client.closed_for(code).await;
    }
    node.holds(|counts| counts.connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_or_half_a_hello_is_closed_in_time() {
    let node = Node::start().await;
    let mut silent = node.connect();
    let mut half = node.connect();
    half.tell_bytes(&encode(&who(1, 1).hello())[..9]).await;
    let begun = tokio::time::Instant::now();
    silent.closed_for(ErrorCode::HandshakeTimeout).await;
    half.closed_for(ErrorCode::HandshakeTimeout).await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_the_store_holds_up_ends_in_time_and_leaves_nothing_behind() {
    let node = Node::start().await;
    node.faults.slow_reads(Duration::from_secs(15));
    let mut client = node.connect();
    client.tell(&who(1, 1).hello()).await;
    client.closed_for(ErrorCode::HandshakeTimeout).await;
    drop(client);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.actors.counts().await, rookery_actors::Counts::default());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_during_its_handshake_leaves_nothing_behind() {
    let node = Node::start().await;
    node.faults.slow_reads(Duration::from_secs(1));
    for wait_ms in [1001, 1000, 999, 500, 0] {
        let mut client = node.connect();
        client.tell(&who(1, 1).hello()).await;
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        drop(client);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.actors.counts().await, rookery_actors::Counts::default());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_be_read_sends_newcomers_away_for_a_while() {
    let node = Node::start().await;
    node.faults.fail_reads();
    let mut client = node.connect();
    client.tell(&who(1, 1).hello()).await;
    let goaway = client.goaway().await;
    assert_eq!(goaway.code, ErrorCode::Unavailable as u16);
    assert!(goaway.reconnect_after_ms > 0);
    assert_eq!(client.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn frames_before_hello_and_a_second_hello_close() {
    let node = Node::start().await;
    let lookup = Lookup { request: RequestId::new(1), handle: None, user: None };
    for frame in [encode(&lookup), encode(&Heartbeat { nonce: 1 })] {
        let mut client = node.connect();
        client.tell_bytes(&frame).await;
        client.closed_for(ErrorCode::HelloFirst).await;
    }
    let mut client = node.join(who(1, 1)).await;
    client.tell(&who(1, 1).hello()).await;
    client.closed_for(ErrorCode::AlreadyWelcome).await;
    // Before the first is answered.
    let hello = encode(&who(1, 1).hello());
    let mut client = node.connect();
    client.tell_bytes(&[&hello[..], &hello[..]].concat()).await;
    loop {
        match client.answer().await {
            ServerFrame::Welcome(_) => {}
            ServerFrame::Error(error) => {
                break assert_eq!(error.known_code(), Some(ErrorCode::AlreadyWelcome));
            }
            other => panic!("{other:?}"),
        }
    }
    node.holds(|counts| counts.connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_frame_get_their_answer_and_close() {
    let node = Node::start().await;
    let header = |version: u8, flags: u8, length: u32| {
        let mut bytes = vec![version << 4, flags, Opcode::Hello as u8];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes
    };
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), ErrorCode::UnsupportedVersion),
        (header(2, 0, 1), ErrorCode::UnsupportedVersion),
        (header(1, 1, 1), ErrorCode::Malformed),
        (header(1, 0, u32::MAX), ErrorCode::FrameTooLarge),
        (header(1, 0, limits::HANDSHAKE_FRAME_BYTES_MAX as u32), ErrorCode::FrameTooLarge),
        ([header(1, 0, 4), b"\x93\x01\x02\x03".to_vec()].concat(), ErrorCode::Malformed),
        ([header(1, 0, 1), b"\xc1".to_vec()].concat(), ErrorCode::Malformed),
    ] {
        let mut client = node.connect();
        client.tell_bytes(&bytes).await;
        client.closed_for(code).await;
    }
    for (length, code) in
        [(u32::MAX, ErrorCode::FrameTooLarge), (limits::FRAME_BYTES_MAX as u32, ErrorCode::FrameTooLarge)]
    {
        let mut client = node.join(who(1, 1)).await;
        client.tell_bytes(&header(1, 0, length)).await;
        client.closed_for(code).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_comes_byte_by_byte_is_understood() {
    let node = Node::start().await;
    let mut client = node.connect();
    for byte in &encode(&who(1, 1).hello())[..] {
        client.tell_bytes(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    client.welcome().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_opcode_is_refused_and_the_connection_goes_on() {
    let node = Node::start().await;
    let mut client = node.join(who(1, 1)).await;
    client.tell_bytes(&[0x10, 0, 0xee, 0, 0, 0, 1, 0x90]).await;
    client.refused(RequestId::default(), ErrorCode::UnknownOpcode).await;
    assert_eq!(client.say(direct(1, 2), "x").await, Seq::new(1));
    client.take_message().await;
    client.tell_bytes(&[0x10, 0, Opcode::Send as u8, 0, 0, 0, 1, 0x90]).await;
    client.closed_for(ErrorCode::Malformed).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_device_again_replaces_its_earlier_connection_and_misses_nothing() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut first = node.join(who(2, 1)).await;
    alice.say(direct(1, 2), "x").await;
    first.message().await;
    let mut second = node.join(who(2, 1)).await;
    first.closed_for(ErrorCode::Replaced).await;
    assert_eq!(second.take_message().await.message.seq, Seq::new(1));
    alice.say(direct(1, 2), "x").await;
    assert_eq!(second.take_message().await.message.seq, Seq::new(2));
    node.holds(|counts| counts.connections == 2).await;
}

#[tokio::test(start_paused = true)]
async fn three_heartbeats_missed_close_and_one_in_time_does_not() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    for _ in 0..3 {
        alice.quiet_for(Duration::from_secs(85)).await;
        alice.heartbeat().await;
    }
    let begun = tokio::time::Instant::now();
    alice.closed_for(ErrorCode::HeartbeatTimeout).await;
    assert_eq!(begun.elapsed().as_secs(), 90);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(node.actors.counts().await, rookery_actors::Counts::default());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_device_is_found_out_when_it_sends() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    node.revoke(who(1, 1)).await;
    // The message itself is not refused: a client would take it out of its outbox.
    alice.send(direct(1, 2), id(1), "x").await;
    alice.closed_for(ErrorCode::TokenRevoked).await;
    assert!(node.log(1, 2).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_device_is_found_out_at_its_next_heartbeat() {
    let node = Node::start().await;
    for wait in [6, 20] {
        // Awake the first time, asleep the second.
        let device = who(1, if wait == 6 { 1 } else { 2 });
        let mut alice = node.join(device).await;
        tokio::time::sleep(Duration::from_secs(wait)).await;
        node.revoke(device).await;
        alice.heartbeat().await;
        alice.closed_for(ErrorCode::TokenRevoked).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_device_that_only_acknowledges_is_found_out_too() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    node.revoke(who(1, 1)).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    alice.ack(Stamp::ZERO).await;
    alice.closed_for(ErrorCode::TokenRevoked).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_during_its_handshake_does_not_replace_the_one_that_came_after() {
    let node = Node::start().await;
    node.faults.slow_reads(Duration::from_secs(1));
    let mut left = node.connect();
    left.tell(&who(1, 1).hello()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(left);
    node.faults.slow_reads(Duration::ZERO);
    let mut alice = node.join(who(1, 1)).await;
    alice.quiet_for(Duration::from_secs(5)).await;
    alice.say(direct(1, 2), "x").await;
}

/// Counts whom it is asked about.
#[derive(Default)]
struct Counting(AtomicU64);

impl Authenticator for Counting {
    fn verify(&self, token: &str, now_ms: u64) -> Result<DeviceToken, TokenError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        node::TokenText.verify(token, now_ms)
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_had_left_before_its_hello_was_read_is_not_let_in_to_replace_its_newer_connection() {
    let Node { store, faults, .. } = Node::start().await;
    let counting = Arc::new(Counting::default());
    let parts = Parts { authenticator: counting.clone(), ..node::parts(store.clone()) };
    let actors = Actors::start(node::config(), parts).await.unwrap();
    let node = Node { actors, store, faults, clock: Default::default() };
    let mut alice = node.join(who(1, 1)).await;
    let mut ghost = node.connect();
    ghost.tell(&who(1, 1).hello()).await;
    drop(ghost);
    alice.quiet_for(Duration::from_secs(5)).await;
    assert_eq!(counting.0.load(Ordering::Relaxed), 1);
    let mut eager = node.connect();
    eager.tell_bytes(&[encode(&who(1, 2).hello()), encode(&Heartbeat { nonce: 7 })].concat()).await;
    assert!(
        matches!(eager.next().await, Some(ServerFrame::Error(_))),
        "what comes with HELLO is read, and too early"
    );
}

#[tokio::test(start_paused = true)]
async fn a_suspended_user_neither_comes_in_nor_sends_nor_stays_until_the_suspension_ends() {
    let node = Node::start().await;
    let (mut sending, mut reading) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    node.suspend(1, Some("spam")).await;
    sending.send(direct(1, 2), id(1), "x").await;
    sending.closed_for(ErrorCode::Suspended).await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    reading.ack(Stamp::ZERO).await;
    reading.closed_for(ErrorCode::Suspended).await;
    let mut client = node.connect();
    client.tell(&who(1, 1).hello()).await;
    client.closed_for(ErrorCode::Suspended).await;
    assert!(node.log(1, 2).await.is_empty());

    node.suspend(1, None).await;
    node.join(who(1, 1)).await.say(direct(1, 2), "x").await;
}
