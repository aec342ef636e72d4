//! What is read can be written, and reads the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rookery_protocol::{ClientFrame, RawFrame, ServerFrame, limits, whole_frames};

fuzz_target!(|bytes: &[u8]| {
    for frame in whole_frames(bytes.to_vec().into(), limits::FRAME_BYTES_MAX).flatten() {
        read_write_read(&frame);
    }
    if let Some((opcode, payload)) = bytes.split_first() {
        read_write_read(&RawFrame { opcode: *opcode, payload: payload.to_vec().into() });
    }
});

fn read_write_read(frame: &RawFrame) {
    if let Ok(read) = ClientFrame::decode(frame) {
        let written = read.encode();
        let again = only_frame(written.clone());
        assert_eq!(again.opcode, frame.opcode);
        let read_again = ClientFrame::decode(&again).expect("what was written reads");
        assert_eq!(read_again, read);
        assert_eq!(read_again.encode(), written);
    }
    if let Ok(read) = ServerFrame::decode(frame) {
        let written = read.encode();
        let again = only_frame(written.clone());
        assert_eq!(again.opcode, frame.opcode);
        let read_again = ServerFrame::decode(&again).expect("what was written reads");
        assert_eq!(read_again, read);
        assert_eq!(read_again.encode(), written);
    }
}

fn only_frame(written: bytes::Bytes) -> RawFrame {
    let mut frames = whole_frames(written, usize::MAX);
    let frame = frames.next().expect("a frame").expect("whole");
    assert!(frames.next().is_none());
    frame
}
