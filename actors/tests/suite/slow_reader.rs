//! Who reads slowly, or not at all, holds its window and nothing else.

use std::time::Duration;

use rookery_protocol::{Hello, History, RequestId, Seq, encode_into, limits};

use crate::client::{Event, direct, id, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_acknowledge_gets_its_window_and_no_more() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let mut slow = node.join_with(Hello { window_events: 8, ..who(2, 1).hello() }).await;
    let mut quick = node.join(who(2, 2)).await;
    for seq in 1..=50 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
        assert_eq!(quick.take_message().await.message.seq, Seq::new(seq));
        alice.take_receipt().await;
    }
    let moment = Duration::from_secs(3);
    let first = slow.events_until_quiet(moment).await;
    assert_eq!(first.len(), 8);
    slow.ack(first[7].stamp()).await;
    assert_eq!(slow.events_until_quiet(moment).await.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_bounded_in_bytes_and_so_is_what_is_read_for_it() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let body = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 0..100 {
        let request = alice.send_after(direct(1, 2), id(number), None, &body).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    let mut slow = node.join(who(2, 1)).await;
    let events = slow.events_until_quiet(Duration::from_secs(3)).await;
    assert_eq!(events.len(), limits::WINDOW_BYTES_MAX / limits::BODY_BYTES_MAX);
    let bytes = node.faults.bytes_in_one_read_max();
    assert!(bytes <= 4 * limits::WINDOW_BYTES_MAX, "{bytes} bytes were read at once");
    let mut seen = events.len();
    slow.ack(events.last().map(Event::stamp).expect("events")).await;
    while seen < 100 {
        slow.take().await;
        seen += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_closed_and_others_go_on() {
    let node = Node::start().await;
    let (mut alice, mut carol) = (node.join(who(1, 1)).await, node.join(who(3, 1)).await);
    let (mut deaf, task) = node.connect_through(1024);
    deaf.tell(&who(2, 1).hello()).await;
    deaf.welcome().await;
    let begun = tokio::time::Instant::now();
    for _ in 0..100 {
        alice.say(direct(1, 2), "a text of some length, so that the pipe is full soon").await;
        alice.take_message().await;
        alice.say(direct(1, 3), "hello").await;
        carol.take_message().await;
        alice.events_until_quiet(Duration::from_millis(30)).await;
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody waited for it");
    tokio::time::timeout(Duration::from_secs(40), task).await.expect("it is closed").expect("in peace");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_and_steadily_is_not_closed() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let body = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 0..8 {
        let request = alice.send_after(direct(1, 2), id(number), None, &body).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    let (mut slow, task) = node.connect_through(4 * 1024);
    slow.tell(&who(2, 1).hello()).await;
    // 4 KiB a second: the window takes two minutes.
    let mut bytes = 0;
    let mut buffer = vec![0; 4 * 1024];
    while bytes < 8 * limits::BODY_BYTES_MAX {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let read = tokio::io::AsyncReadExt::read(&mut slow.stream, &mut buffer).await.expect("it is open");
        assert_ne!(read, 0, "closed after {bytes} bytes");
        bytes += read;
        if bytes % (64 * 1024) < read {
            slow.tell(&rookery_protocol::Heartbeat { nonce: 1 }).await;
        }
    }
    assert!(!task.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_while_long_answers_wait_leaves_nothing_behind() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let body = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 0..3 {
        let request = alice.send_after(direct(1, 2), id(number), None, &body).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    let (mut bob, _task) = node.connect_through(4 * 1024);
    bob.tell(&who(2, 1).hello()).await;
    bob.welcome().await;
    let mut requests = Vec::new();
    for number in 1..=60 {
        let (from, to) = (Seq::new(1), Seq::new(3));
        let request = RequestId::new(number);
        encode_into(
            &mut requests,
            &History { request, conversation: direct(1, 2), from, to, backwards: false, time_ms: 0 },
        );
    }
    bob.tell_bytes(&requests).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop((alice, bob));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.actors.counts().await, rookery_actors::Counts::default());
}
