//! Lengths that are announced, and never meant.

use rookery_client::ErrorCode;
use rookery_tests::raw::RawPeer;
use rookery_tests::{Node, NodeConfig, Port, accounts};

use super::memory::Memory;
use crate::bystanders::Bystanders;

const EACH: usize = 50;

/// A frame's header with 4 GiB less one byte to follow.
const FRAME: [u8; 7] = [0x10, 0x00, 0x10, 0xff, 0xff, 0xff, 0xff];

/// The header of a masked binary message with 4 GiB, and one with more than there is memory anywhere.
const MESSAGES: [[u8; 14]; 2] = [
    [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4],
    [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
];

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_length_of_4_gib_is_refused_at_once_and_takes_no_memory() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let token = &mallory.devices[0].token;
    let memory = Memory::of(&node);

    for _ in 0..EACH {
        let mut early = RawPeer::connect(&node, Port::Tcp).await;
        early.write(&[&[0x10, 0x00, 0x01], &FRAME[3..]].concat()).await.unwrap();
        early.expect_error(ErrorCode::FrameTooLarge, 0).await;
        early.expect_closed().await;

        let (mut late, _) = RawPeer::welcomed(&node, Port::Tcp, token).await;
        late.write(&FRAME).await.unwrap();
        late.expect_error(ErrorCode::FrameTooLarge, 0).await;
        late.expect_closed().await;

        for message in MESSAGES {
            let mut early = RawPeer::connect(&node, Port::WebSocket).await;
            early.write_beneath(&message).await.unwrap();
            early.expect_error(ErrorCode::FrameTooLarge, 0).await;
            early.expect_closed().await;

            let (mut late, _) = RawPeer::welcomed(&node, Port::WebSocket, token).await;
            late.write_beneath(&message).await.unwrap();
            late.expect_error(ErrorCode::FrameTooLarge, 0).await;
            late.expect_closed().await;
        }
        memory.assert_flat(&node);
    }
    bystanders.go_on().await;
}
