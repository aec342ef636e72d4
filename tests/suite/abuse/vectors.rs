//! Every frame of the protocol's collection of what must not be sent, to a real node.

use std::path::Path;
use std::time::Duration;

use rookery_client::{ConversationId, ErrorCode, UserId};
use rookery_protocol::ServerFrame;
use rookery_tests::raw::RawPeer;
use rookery_tests::{Node, NodeConfig, Port, accounts};
use serde::Deserialize;

use super::memory::Memory;
use crate::bystanders::Bystanders;

/// How long silence is listened to where silence is the answer.
const SILENCE: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    when: String,
    transport: String,
    bytes: Vec<Part>,
    errors: Vec<Refusal>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Hex(String),
    Repeated { repeat: String, times: usize },
}

#[derive(Deserialize)]
struct Refusal {
    code: u16,
    request: u32,
    closes: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_that_must_not_be_sent_gets_its_documented_answer() {
    let node = Node::start(NodeConfig::default()).await;
    let bystanders = Bystanders::start(&node).await;
    let mallory = accounts(&node, &[("mallory", 1)]).await.unwrap().remove(0);
    let memory = Memory::of(&node);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/vectors/invalid.json");
    let file: File = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert!(file.vectors.len() > 50, "the collection is there");

    for vector in &file.vectors {
        println!("{}", vector.name);
        let port = if vector.transport == "stream" { Port::Tcp } else { Port::WebSocket };
        let mut peer = match vector.when.as_str() {
            "before WELCOME" => RawPeer::connect(&node, port).await,
            _ => RawPeer::welcomed(&node, port, &mallory.devices[0].token).await.0,
        };
        let bytes = addressed(vector.bytes(), ConversationId::direct(mallory.user, bystanders.bob.user));
        // A server that has read enough may close before it has all.
        let _ = peer.write(&bytes).await;
        for refusal in &vector.errors {
            expect_refusal(&mut peer, refusal).await;
        }
        match vector.errors.last() {
            Some(Refusal { closes: true, .. }) => peer.expect_closed().await,
            Some(_) => peer.expect_alive().await,
            None => match tokio::time::timeout(SILENCE, peer.next_ever()).await {
                Err(_) | Ok(Some(ServerFrame::Sent(_) | ServerFrame::MessageEvent(_))) => {}
                Ok(answer) => panic!("{} was answered: {answer:?}", vector.name),
            },
        }
    }
    bystanders.go_on().await;
    memory.assert_flat(&node);
}

/// The next ERROR is this one; answers to what was right are passed over.
async fn expect_refusal(peer: &mut RawPeer, refusal: &Refusal) {
    loop {
        match peer.next().await {
            Some(ServerFrame::Error(error)) => {
                assert_eq!(
                    (error.code, error.request.get()),
                    (refusal.code, refusal.request),
                    "{}",
                    error.text
                );
                let known = ErrorCode::from_number(error.code).expect("a code of this version");
                assert_eq!(known.closes(), refusal.closes);
                return;
            }
            Some(_) => {}
            None => panic!("closed without ERROR {}", refusal.code),
        }
    }
}

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        let decode = |hex: &str| -> Vec<u8> {
            let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex");
            (0..hex.len()).step_by(2).map(digits).collect()
        };
        let part = |part: &Part| match part {
            Part::Hex(hex) => decode(hex),
            Part::Repeated { repeat, times } => decode(repeat).repeat(*times),
        };
        self.bytes.iter().flat_map(part).collect()
    }
}

/// The collection's conversation is that of users 1001 and 1002; ours have other numbers.
fn addressed(mut bytes: Vec<u8>, conversation: ConversationId) -> Vec<u8> {
    let user = |number| UserId::new(number).unwrap();
    let theirs = ConversationId::direct(user(1001), user(1002)).to_bytes();
    if let Some(at) = bytes.windows(theirs.len()).position(|window| window == &theirs[..]) {
        bytes[at..at + theirs.len()].copy_from_slice(&conversation.to_bytes());
    }
    bytes
}
