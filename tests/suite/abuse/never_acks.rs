//! A device that takes events and acknowledges none.

use std::time::Duration;

use bytes::Bytes;
use rookery_client::{ConversationId, Stamp};
use rookery_protocol::{Hello, ServerFrame};
use rookery_tests::raw::{RawPeer, hello, message_id};
use rookery_tests::{Node, NodeConfig, Port, accounts};
use tokio::time::timeout;

use super::memory::Memory;
use crate::bystanders::Bystanders;

const WINDOW: u32 = 8;
const MESSAGES: u64 = 400;
const BODY_BYTES: usize = 32 * 1024;

/// How long is listened for an event that must not come.
const SILENCE: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_acknowledges_nothing_gets_its_window_and_no_more_and_costs_no_memory() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let people = accounts(&node, &[("mallory", 1), ("sloth", 1)]).await.unwrap();
    let conversation = ConversationId::direct(people[0].user, people[1].user);
    let mut sloth = RawPeer::connect(&node, Port::Tcp).await;
    sloth.send(&Hello { window_events: WINDOW, ..hello(&people[1].devices[0].token) }).await;
    match sloth.next().await {
        Some(ServerFrame::Welcome(welcome)) => assert_eq!(welcome.window_events, WINDOW),
        other => panic!("instead of WELCOME: {other:?}"),
    }
    let memory = Memory::of(&node);

    let (mut mallory, _) = RawPeer::welcomed(&node, Port::Tcp, &people[0].devices[0].token).await;
    for number in 1..=MESSAGES {
        mallory.send_message(1, conversation, message_id(number), Bytes::from(vec![0; BODY_BYTES])).await;
        loop {
            match mallory.next().await {
                Some(ServerFrame::Sent(sent)) => {
                    assert_eq!(sent.seq.get(), number);
                    break;
                }
                Some(ServerFrame::MessageEvent(event)) => mallory.ack(event.stamp).await,
                Some(_) => {}
                None => panic!("closed"),
            }
        }
    }
    memory.assert_flat(&node);

    // What was pushed, and then nothing.
    let mut seen = 0;
    let mut last = None;
    while let Ok(frame) = timeout(SILENCE, sloth.next_ever()).await {
        last = Some(expect_message(frame, &mut seen));
    }
    assert!((1..=u64::from(WINDOW)).contains(&seen), "{seen} events in a window of {WINDOW}");
    sloth.ack(last.unwrap()).await;
    // Acknowledgements let the others through, down to the last.
    while seen < MESSAGES {
        let stamp = expect_message(sloth.next().await, &mut seen);
        if seen.is_multiple_of(u64::from(WINDOW / 2)) {
            sloth.ack(stamp).await;
        }
    }
    bystanders.go_on().await;
    memory.assert_flat(&node);
}

/// The event of the next message.
fn expect_message(frame: Option<ServerFrame>, seen: &mut u64) -> Stamp {
    match frame {
        Some(ServerFrame::MessageEvent(event)) => {
            *seen += 1;
            assert_eq!(event.message.seq.get(), *seen);
            event.stamp
        }
        other => panic!("instead of an event: {other:?}"),
    }
}
