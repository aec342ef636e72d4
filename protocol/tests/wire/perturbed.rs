//! Bytes that are nearly right, or not at all, are refused or read: nothing panics.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use rookery_protocol::*;

use crate::strategies::{client_frame, server_frame};

fn read_every_way(bytes: &[u8]) {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    decoder.extend(bytes);
    while let Ok(Some(frame)) = decoder.next_frame() {
        read_frame(&frame);
    }
    whole_frames(bytes.to_vec().into(), limits::FRAME_BYTES_MAX)
        .flatten()
        .for_each(|frame| read_frame(&frame));
    for opcode in Opcode::ALL {
        read_frame(&RawFrame { opcode: opcode as u8, payload: bytes.to_vec().into() });
    }
}

/// What is read must also be writable, and read the same.
fn read_frame(frame: &RawFrame) {
    if let Ok(read) = ClientFrame::decode(frame) {
        let again = whole_frames(read.encode(), usize::MAX).next().unwrap().unwrap();
        assert_eq!(ClientFrame::decode(&again).unwrap(), read);
    }
    if let Ok(read) = ServerFrame::decode(frame) {
        let again = whole_frames(read.encode(), usize::MAX).next().unwrap().unwrap();
        assert_eq!(ServerFrame::decode(&again).unwrap(), read);
    }
    if let Err(error) = ClientFrame::decode(frame) {
        Error::new(RequestId::new(0), error.error_code(), error.to_string());
    }
    let _ = event_stamp(frame);
}

proptest! {
    #[test]
    fn a_frame_with_a_few_bytes_changed_never_panics(
        client in client_frame(), server in server_frame(), changes in vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        for frame in [client.encode(), server.encode()] {
            let mut bytes = frame.to_vec();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            read_every_way(&bytes);
            // The header is spared, so that the payload is always looked into.
            let mut frame = frame.to_vec();
            for (at, byte) in &changes {
                let at = HEADER_BYTES + at.index(frame.len() - HEADER_BYTES);
                frame[at] = *byte;
            }
            read_every_way(&frame);
        }
    }

    #[test]
    fn a_frame_cut_short_never_decodes_as_another(client in client_frame(), at: Index) {
        let bytes = client.encode();
        let payload = bytes.slice(HEADER_BYTES..HEADER_BYTES + at.index(bytes.len() - HEADER_BYTES));
        let refused = ClientFrame::decode(&RawFrame { opcode: client.opcode() as u8, payload });
        prop_assert!(refused.is_err());
    }

    #[test]
    fn a_payload_with_bytes_behind_it_never_decodes(client in client_frame(), behind in vec(any::<u8>(), 1..9)) {
        let payload = [&client.encode()[HEADER_BYTES..], &behind].concat().into();
        let refused = ClientFrame::decode(&RawFrame { opcode: client.opcode() as u8, payload });
        prop_assert!(refused.is_err());
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        read_every_way(&bytes);
    }
}
