//! The least of a client: one frame there, one frame back.

use std::io::{Read, Write};

use rookery_protocol::{FrameDecoder, Payload, ServerFrame, encode, limits};

/// What the node answers to this frame, the first on its connection.
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
