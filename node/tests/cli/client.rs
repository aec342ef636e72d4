//! The least of a client: one frame there, one frame back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rookery_protocol::{FrameDecoder, Hello, Payload, ServerFrame, encode, limits};

use crate::program::RunningNode;

/// A connection, and what the node answers to a HELLO with this token.
pub(crate) fn hello(node: &RunningNode, token: &str) -> (TcpStream, ServerFrame) {
    let stream = TcpStream::connect(node.address("tcp")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hello = Hello { token: token.to_owned(), client: "test".into(), resume: None, window_events: 0 };
    let answer = ask(&stream, &hello);
    (stream, answer)
}

/// What the node says next after this frame.
pub(crate) fn ask(mut stream: impl Read + Write, payload: &impl Payload) -> ServerFrame {
    stream.write_all(&encode(payload)).unwrap();
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    loop {
        if let Some(frame) = decoder.next_frame().unwrap() {
            return ServerFrame::decode(&frame).unwrap();
        }
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "closed without an answer");
        decoder.extend(&bytes[..read]);
    }
}
