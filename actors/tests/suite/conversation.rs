//! Two people, and one with herself: messages, receipts, history, look-ups.

use std::time::Duration;

use rookery_protocol::{
    Body, ErrorCode, Found, Handle, HistoryPage, Lookup, Read, Send, Seq, ServerFrame, encode_into, limits,
};
use rookery_store::PATIENCE;

use crate::client::{direct, id, user, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn a_message_is_answered_pushed_delivered_and_read() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);

    let begun = tokio::time::Instant::now();
    let request = alice.send(direct(1, 2), id(7), "hello").await;
    assert_eq!(alice.sent(request).await.seq, Seq::new(1));
    let own = alice.take_message().await;
    assert_eq!((own.message.id, own.message.body), (id(7), None), "the sender has the body");

    let pushed = bob.message().await;
    assert_eq!((pushed.message.sender, pushed.message.seq), (user(1), Seq::new(1)));
    assert_eq!(pushed.message.body.expect("a body").as_bytes(), &b"hello"[..]);
    bob.ack(pushed.stamp).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "nothing waits for a timer");

    let delivered = alice.take_receipt().await.receipt;
    assert_eq!((delivered.user, delivered.delivered, delivered.read), (user(2), Seq::new(1), Seq::ZERO));
    assert_eq!(begun.elapsed(), PATIENCE, "what arrived waits a moment for something to be committed with");

    bob.read(direct(1, 2), 1).await;
    let read = alice.take_receipt().await.receipt;
    assert_eq!((read.user, read.delivered, read.read), (user(2), Seq::new(1), Seq::new(1)));
    assert_eq!(bob.take_receipt().await.receipt, read, "his other devices learn it like this");
    assert_eq!(begun.elapsed(), PATIENCE, "what is read waits for nothing");
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_committed_together_come_back_to_their_sender_without_bodies() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let mut frames = Vec::new();
    for number in 0..8 {
        let (request, body) = (alice.new_request(), Body::new("from alice"));
        let (conversation, id) = (direct(1, 2), id(number));
        let send = Send { request, conversation, id, after: None, body, reference: None, expires_s: 0 };
        encode_into(&mut frames, &send);
    }
    alice.tell_bytes(&frames).await;
    for number in 0..8 {
        let (own, pushed) = (alice.take_message().await.message, bob.take_message().await.message);
        assert_eq!((own.id, pushed.id), (id(number), id(number)));
        assert_eq!(own.body, None, "the sender has the body: none is read from the log, message {number}");
        assert!(pushed.body.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_see_one_order() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for round in 0..20 {
        alice.send(direct(1, 2), id(100 + round), "from alice").await;
        bob.send(direct(1, 2), id(200 + round), "from bob").await;
    }
    let (mut hers, mut his) = (Vec::new(), Vec::new());
    while hers.len() < 40 || his.len() < 40 {
        for (client, seen) in [(&mut alice, &mut hers), (&mut bob, &mut his)] {
            if seen.len() < 40
                && let crate::client::Event::Message(event) = client.take().await
            {
                seen.push((event.message.seq, event.message.id));
            }
        }
    }
    assert_eq!(hers, his);
    assert!(hers.iter().map(|(seq, _)| seq.get()).eq(1..=40));
}

#[tokio::test(start_paused = true)]
async fn notes_to_oneself_are_pushed_once_to_each_device_and_make_no_receipt() {
    let node = Node::start().await;
    let (mut phone, mut laptop) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    phone.say(direct(1, 1), "milk").await;
    assert_eq!(phone.take_message().await.message.body, None);
    assert_eq!(laptop.take_message().await.message.body.expect("a body").as_bytes(), &b"milk"[..]);
    phone.quiet_for(Duration::from_secs(5)).await;
    laptop.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn reading_beyond_the_head_reads_up_to_it_and_marks_never_go_back() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    for _ in 0..3 {
        alice.say(direct(1, 2), "x").await;
        alice.take_message().await;
    }
    bob.read(direct(1, 2), 1_000).await;
    let receipt = alice.take_receipt().await.receipt;
    assert_eq!((receipt.delivered, receipt.read), (Seq::new(3), Seq::new(3)));
    bob.read(direct(1, 2), 1).await;
    alice.quiet_for(Duration::from_secs(5)).await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_of_others_can_be_neither_written_nor_read() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let request = alice.send(direct(2, 3), id(1), "x").await;
    alice.refused(request, ErrorCode::NotMember).await;
    let request = alice.new_request();
    alice.tell(&Read { request, conversation: direct(2, 3), seq: Seq::new(1) }).await;
    alice.refused(request, ErrorCode::NotMember).await;
    let refused = alice.history(direct(2, 3), 1, 2).await.expect_err("not hers");
    assert_eq!(refused.known_code(), Some(ErrorCode::NotMember));
    let request = alice.send(direct(1, 99), id(1), "x").await;
    alice.refused(request, ErrorCode::NotFound).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_limit_is_refused_and_one_at_it_is_not() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let body = vec![b'x'; limits::BODY_BYTES_MAX + 1];
    let request = alice.send_after(direct(1, 2), id(1), None, &body).await;
    alice.refused(request, ErrorCode::BodyTooLarge).await;
    let request = alice.send_after(direct(1, 2), id(1), None, &body[1..]).await;
    assert_eq!(alice.sent(request).await.seq, Seq::new(1));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_the_one_before_it_and_a_retry_gets_the_first_answer() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let early = alice.send_after(direct(1, 2), id(2), Some(id(1)), b"second").await;
    alice.refused(early, ErrorCode::OutOfOrder).await;
    let first = alice.send(direct(1, 2), id(1), "first").await;
    let first = alice.sent(first).await;
    let second = alice.send_after(direct(1, 2), id(2), Some(id(1)), b"second").await;
    assert_eq!(alice.sent(second).await.seq, Seq::new(2));
    let again = alice.send(direct(1, 2), id(1), "first").await;
    let again = alice.sent(again).await;
    assert_eq!((again.seq, again.time_ms), (first.seq, first.time_ms));
    assert_eq!(node.log(1, 2).await, ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn history_comes_in_pages_bounded_in_messages_and_bytes() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let empty = alice.history(direct(1, 2), 1, 10).await.expect("a page");
    assert_eq!((empty.head, empty.next, empty.messages.len()), (Seq::ZERO, Seq::new(1), 0));

    for number in 0..300 {
        alice.send(direct(1, 2), id(number), "x").await;
        if number % 50 == 49 {
            for _ in 0..50 {
                alice.answer().await;
                alice.take().await;
            }
        }
    }
    let page = alice.history(direct(1, 2), 1, 1_000).await.expect("a page");
    assert_eq!(seqs(&page), (1..=u64::from(limits::HISTORY_MESSAGES_MAX)).collect::<Vec<_>>());
    assert_eq!((page.head, page.next), (Seq::new(300), Seq::new(257)));
    let rest = alice.history(direct(1, 2), 257, 1_000).await.expect("a page");
    assert_eq!((seqs(&rest).len(), rest.next), (44, Seq::new(301)));
    let beyond = alice.history(direct(1, 2), 301, 1_000).await.expect("a page");
    assert_eq!((seqs(&beyond).len(), beyond.next), (0, Seq::new(301)));
    let one = alice.history(direct(1, 2), 5, 5).await.expect("a page");
    assert_eq!((seqs(&one), one.next), (vec![5], Seq::new(6)));

    for (from, to) in [(0, 5), (5, 4)] {
        let refused = alice.history(direct(1, 2), from, to).await.expect_err("no range");
        assert_eq!(refused.known_code(), Some(ErrorCode::BadRequest));
    }

    let large = vec![b'x'; limits::BODY_BYTES_MAX];
    for number in 1000..1004 {
        let request = alice.send_after(direct(1, 3), id(number), None, &large).await;
        alice.sent(request).await;
        alice.take_message().await;
    }
    let page = alice.history(direct(1, 3), 1, 4).await.expect("a page");
    assert_eq!((seqs(&page), page.next), (vec![1], Seq::new(2)));
}

fn seqs(page: &HistoryPage) -> Vec<u64> {
    page.messages.iter().map(|message| message.seq.get()).collect()
}

#[tokio::test(start_paused = true)]
async fn users_are_found_by_handle_and_by_number() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let handle: Handle = "user2".parse().expect("a handle");
    for (by_handle, by_user) in [(Some("user2"), None), (None, Some(user(2)))] {
        let request = alice.new_request();
        let by_handle = by_handle.map(|handle| handle.parse().expect("a handle"));
        alice.tell(&Lookup { request, handle: by_handle, user: by_user }).await;
        let found = Found { request, user: user(2), handle: Handle::clone(&handle) };
        assert_eq!(alice.answer().await, ServerFrame::Found(found));
    }
    for (by_handle, by_user, code) in [
        (Some("nobody"), None, ErrorCode::NotFound),
        (None, Some(user(99)), ErrorCode::NotFound),
        (None, None, ErrorCode::BadRequest),
        (Some("user2"), Some(user(2)), ErrorCode::BadRequest),
    ] {
        let request = alice.new_request();
        let by_handle = by_handle.map(|handle: &str| handle.parse().expect("a handle"));
        alice.tell(&Lookup { request, handle: by_handle, user: by_user }).await;
        alice.refused(request, code).await;
    }
}
