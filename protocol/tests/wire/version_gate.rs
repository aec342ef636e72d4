//! A header this side does not speak is refused before anything else is believed.

use bytes::Bytes;
use proptest::prelude::*;
use rookery_protocol::{FrameDecoder, FrameError, PROTOCOL_VERSION, limits, whole_frames};

use crate::strategies::{client_frame, server_frame};

fn both_refuse(bytes: &[u8], refused: FrameError) {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    decoder.extend(bytes);
    assert_eq!(decoder.next_frame(), Err(refused));
    assert_eq!(decoder.next_frame(), Err(refused), "a refused stream stays refused");
    let mut frames = whole_frames(Bytes::copy_from_slice(bytes), limits::FRAME_BYTES_MAX);
    assert_eq!(frames.next(), Some(Err(refused)));
    assert_eq!(frames.next(), None);
}

proptest! {
    #[test]
    fn any_frame_of_any_other_version_is_refused(
        client in client_frame(), server in server_frame(), version in 0..16_u8, low: u8,
    ) {
        prop_assume!(version != PROTOCOL_VERSION);
        for frame in [client.encode(), server.encode()] {
            let mut bytes = frame.to_vec();
            bytes[0] = version << 4 | low & 0x0f;
            both_refuse(&bytes, FrameError::Version(version));
        }
    }

    #[test]
    fn any_frame_with_any_flag_is_refused(frame in client_frame(), flags in 1..0x1000_u16) {
        let mut bytes = frame.encode().to_vec();
        bytes[..2].copy_from_slice(&(u16::from(PROTOCOL_VERSION) << 12 | flags).to_be_bytes());
        both_refuse(&bytes, FrameError::Flags(flags));
    }
}
