//! Floods: what one client asks for at once is bounded, and all of it is answered.

use std::collections::BTreeSet;

use rookery_protocol::{Body, Heartbeat, RequestId, Send, ServerFrame, encode, encode_into};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{direct, id, who};
use crate::node::Node;

const FLOOD: u32 = 10_000;

#[tokio::test(start_paused = true)]
async fn ten_thousand_pipelined_messages_are_all_answered_in_order() {
    let node = Node::start().await;
    let alice = node.join(who(1, 1)).await;
    let mut flood = Vec::new();
    for number in 1..=FLOOD {
        let body = Body::new("x");
        let request = RequestId::new(number);
        let id = id(number.into());
        encode_into(
            &mut flood,
            &Send {
                request,
                conversation: direct(1, 2),
                id,
                after: None,
                body,
                reference: None,
                expires_s: 0,
            },
        );
    }
    let (mut reading, mut writing) = tokio::io::split(alice.stream);
    let writer = tokio::spawn(async move { writing.write_all(&flood).await.expect("it is all taken") });
    let mut decoder = rookery_protocol::FrameDecoder::new(1 << 20);
    let mut unanswered: BTreeSet<u32> = (1..=FLOOD).collect();
    let mut expected = 1;
    while !unanswered.is_empty() {
        while let Some(frame) = decoder.next_frame().expect("frames") {
            match ServerFrame::decode(&frame).expect("known") {
                ServerFrame::Sent(sent) => {
                    assert!(unanswered.remove(&sent.request.get()));
                    assert_eq!(sent.seq.get(), expected);
                    expected += 1;
                }
                ServerFrame::MessageEvent(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_ne!(reading.read_buf(decoder.buffer_mut()).await.expect("it is open"), 0);
    }
    writer.await.expect("it ends");
    assert_eq!(node.log(1, 2).await.len(), FLOOD as usize);
}

#[tokio::test(start_paused = true)]
async fn a_flood_without_reading_the_answers_is_not_read_on() {
    let node = Node::start().await;
    let (mut alice, _task) = node.connect_through(2 * 1024);
    alice.tell(&who(1, 1).hello()).await;
    alice.welcome().await;
    let heartbeat = encode(&Heartbeat { nonce: 1 });
    let flood = async {
        loop {
            if alice.stream.write_all(&heartbeat).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    // The pipe fills in one direction, then in the other; then nothing moves, and the node closes.
    let ended = tokio::time::timeout(std::time::Duration::from_secs(100), flood).await;
    assert!(ended.is_ok(), "the node reads on");
}
