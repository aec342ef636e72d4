//! Very many very small frames.

use std::time::Duration;

use rookery_protocol::{FrameDecoder, Heartbeat, ServerFrame, encode, limits};
use rookery_tests::deadline::soon;
use rookery_tests::raw::hello;
use rookery_tests::{Node, NodeConfig, Port, accounts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::memory::Memory;
use crate::bystanders::Bystanders;

const FRAMES: usize = 1_000_000;
const AT_ONCE: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_million_tiny_frames_are_answered_one_by_one_in_flat_memory() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let memory = Memory::of(&node);
    let (reading, mut writing) = welcomed(&node).await;
    let answers = tokio::spawn(count_frames(reading, FRAMES));
    let frames = encode(&Heartbeat { nonce: 1 }).repeat(AT_ONCE);
    for written in 0..FRAMES / AT_ONCE {
        writing.write_all(&frames).await.unwrap();
        if written % 100 == 0 {
            memory.assert_flat(&node);
        }
    }
    soon("all are answered", answers).await.unwrap();
    memory.assert_flat(&node);
    bystanders.go_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_without_listening_is_not_listened_to_and_costs_no_memory() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let memory = Memory::of(&node);
    let (_never_read, mut writing) = welcomed(&node).await;
    let frames = encode(&Heartbeat { nonce: 1 }).repeat(AT_ONCE);
    let stuck = async {
        loop {
            // As long as anything goes through the node is still reading.
            match timeout(Duration::from_secs(1), writing.write_all(&frames)).await {
                Ok(written) => written.unwrap(),
                Err(_) => return,
            }
            memory.assert_flat(&node);
        }
    };
    soon("the node reads no more", stuck).await;
    memory.assert_flat(&node);
    bystanders.go_on().await;
}

/// A connection of mallory's, past WELCOME.
async fn welcomed(node: &Node) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mallory = accounts(node, &[("mallory", 1)]).await.unwrap().remove(0);
    let stream = TcpStream::connect(node.address(Port::Tcp)).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    writing.write_all(&encode(&hello(&mallory.devices[0].token))).await.unwrap();
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    let welcome = loop {
        if let Some(frame) = decoder.next_frame().unwrap() {
            break ServerFrame::decode(&frame).unwrap();
        }
        let mut bytes = [0; 1024];
        let read = soon("WELCOME", reading.read(&mut bytes)).await.unwrap();
        decoder.extend(&bytes[..read]);
    };
    assert!(matches!(welcome, ServerFrame::Welcome(_)), "{welcome:?}");
    (reading, writing)
}

async fn count_frames(mut reading: OwnedReadHalf, of: usize) {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    let mut bytes = vec![0; 64 * 1024];
    let mut count = 0;
    while count < of {
        let read = reading.read(&mut bytes).await.unwrap();
        assert!(read > 0, "closed after {count} answers");
        decoder.extend(&bytes[..read]);
        while decoder.next_frame().unwrap().is_some() {
            count += 1;
        }
    }
}
