//! The disk fills up, and there is room again.

use bytes::Bytes;
use rookery_client::{Body, ErrorCode, Event};
use rookery_protocol::{ServerFrame, limits};
use rookery_tests::deadline::eventually;
use rookery_tests::raw::{RawPeer, message_id};
use rookery_tests::{Node, NodeConfig, Place, Port};

use crate::people::{Person, alice_and_bob, between, text};

const DISK_BYTES: u64 = 12 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_messages_for_a_while_and_loses_none_that_was_accepted() {
    if !Place::OwnFileSystem.is_possible() {
        println!(
            "skipped: a_full_disk_refuses_messages_for_a_while_and_loses_none_that_was_accepted (no own mounts)"
        );
        return;
    }
    let mut node = Node::start(NodeConfig { disk_bytes: Some(DISK_BYTES), ..NodeConfig::default() }).await;
    let (alice, bob) = alice_and_bob(&node).await;
    let conversation = between(&alice, &bob);
    let (mut filler, _) = RawPeer::welcomed(&node, Port::Tcp, &alice.devices[0].token).await;

    let mut accepted = 0;
    let full = loop {
        let body = Bytes::from(vec![b'x'; limits::BODY_BYTES_MAX]);
        filler.send_message(1, conversation, message_id(accepted), body).await;
        match answer(&mut filler).await {
            Ok(seq) => {
                accepted += 1;
                assert_eq!(seq, accepted);
                assert!(
                    accepted * limits::BODY_BYTES_MAX as u64 <= DISK_BYTES,
                    "more than there is room for"
                );
            }
            Err(error) => break error,
        }
    };
    assert_eq!(full.known_code(), Some(ErrorCode::StoreFull), "{}", full.text);
    assert!(full.retry_after_ms > 0, "it says when to try again");
    eventually("the node says that it is not ready", async || {
        let ready = node.get("/readyz").await.ok()?;
        (ready.status == 503 && ready.body.contains("no room")).then_some(())
    })
    .await;
    drop(filler);

    // A message of the library's waits until there is room.
    let mut a = Person::start(&node, &alice);
    a.connected().await;
    let waiting = a.client.send(conversation, Body::new(vec![b'y'; limits::BODY_BYTES_MAX])).unwrap();
    assert_eq!(node.get("/healthz").await.unwrap().status, 200);
    node.resize_disk(4 * DISK_BYTES).unwrap();
    let (seq, _) = rookery_tests::deadline::soon("service resumes", waiting).await.unwrap();
    assert_eq!(seq.get(), accepted + 1);
    eventually("the node is ready again", async || {
        (node.get("/readyz").await.ok()?.status == 200).then_some(())
    })
    .await;

    // All that was accepted is there, for bob, who was away.
    let mut b = Person::start(&node, &bob);
    for seq in 1..=accepted + 1 {
        let message = b.message().await;
        assert_eq!(message.seq.get(), seq);
        let sent = if seq <= accepted { 'x' } else { 'y' };
        assert!(text(&message).len() == limits::BODY_BYTES_MAX && text(&message).starts_with(sent));
    }
    a.ticks(accepted + 1, 0).await;
    while let Ok(event) = b.events.try_recv() {
        assert!(!matches!(event, Event::Message(_)), "nothing more was sent: {event:?}");
    }
    assert!(node.terminate().await.unwrap().success());
}

/// The place of the message, or why it has none.
async fn answer(peer: &mut RawPeer) -> Result<u64, rookery_protocol::Error> {
    loop {
        match peer.next().await {
            Some(ServerFrame::Sent(sent)) => return Ok(sent.seq.get()),
            Some(ServerFrame::Error(error)) => return Err(error),
            Some(ServerFrame::MessageEvent(event)) => peer.ack(event.stamp).await,
            Some(_) => {}
            None => panic!("closed"),
        }
    }
}
