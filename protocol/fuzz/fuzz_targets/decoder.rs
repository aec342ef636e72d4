//! Bytes of a stranger, through everything that reads them: nothing panics, and the way they arrive changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rookery_protocol::{
    ClientFrame, Error, FrameDecoder, FrameError, RawFrame, RequestId, ServerFrame, event_stamp, limits,
    whole_frames,
};

fuzz_target!(|bytes: &[u8]| {
    let (whole, ended) = in_chunks(bytes, bytes.len().max(1));
    // The first byte's low bits are flags, which are always 0: the length makes a better chunk size.
    let (parts, parts_ended) = in_chunks(bytes, bytes.len() % 13 + 1);
    assert_eq!((&whole, ended), (&parts, parts_ended));

    let mut message = whole_frames(bytes.to_vec().into(), limits::FRAME_BYTES_MAX);
    for frame in &whole {
        assert_eq!(message.next(), Some(Ok(frame.clone())));
        read(frame);
    }
    // With its header refused, the fuzzer still gets at the payloads.
    if let Some((opcode, payload)) = bytes.split_first() {
        read(&RawFrame { opcode: *opcode, payload: payload.to_vec().into() });
    }
});

fn in_chunks(bytes: &[u8], size: usize) -> (Vec<RawFrame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    for chunk in bytes.chunks(size) {
        decoder.extend(chunk);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        decoder.release_idle_memory();
    }
    (frames, None)
}

fn read(frame: &RawFrame) {
    let _ = event_stamp(frame);
    let _ = ServerFrame::decode(frame);
    match ClientFrame::decode(frame) {
        Ok(ClientFrame::Hello(hello)) => drop(hello.check_limits()),
        Ok(ClientFrame::CreateGroup(group)) => drop(group.check()),
        Ok(ClientFrame::ChangeGroup(change)) => drop(change.change.check()),
        Ok(_) => {}
        Err(error) => {
            let answer = Error::new(RequestId::new(0), error.error_code(), error.to_string());
            assert!(answer.text.len() <= limits::TEXT_BYTES_MAX);
        }
    }
}
