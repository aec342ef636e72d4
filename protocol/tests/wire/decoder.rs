//! The stream decoder: the same frames however the bytes arrive, within its limit, and no memory on a peer's word.

use proptest::collection::vec;
use proptest::prelude::*;
use rookery_protocol::*;

use crate::strategies::client_frame;

proptest! {
    #[test]
    fn chunks_of_any_size_give_the_frames_of_the_whole(
        frames in vec(client_frame(), 1..12), sizes in vec(1..40_usize, 1..20), into_buffer: bool,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.encode()).collect();
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        let mut decoded = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.into_iter().cycle() {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            if into_buffer { decoder.buffer_mut().extend_from_slice(chunk) } else { decoder.extend(chunk) }
            while let Some(raw) = decoder.next_frame().unwrap() {
                decoded.push(ClientFrame::decode(&raw).unwrap());
            }
            decoder.release_idle_memory();
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decoded, frames);
        prop_assert_eq!(decoder.pending_bytes(), 0);
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_by_its_header_alone(limit in HEADER_BYTES..100_000, length: u32) {
        let mut decoder = FrameDecoder::new(limit);
        decoder.extend(&[0x10, 0x00, 0x03]);
        prop_assert_eq!(decoder.next_frame(), Ok(None));
        decoder.extend(&length.to_be_bytes());
        let announced = u64::from(length) + HEADER_BYTES as u64;
        if announced > limit as u64 {
            prop_assert_eq!(decoder.next_frame(), Err(FrameError::TooLarge { announced, limit }));
        } else if length > 0 {
            prop_assert_eq!(decoder.next_frame(), Ok(None));
        }
    }
}

#[test]
fn a_header_that_declares_4_gib_reserves_nothing() {
    let mut decoder = FrameDecoder::new(usize::MAX);
    decoder.extend(&[0x10, 0x00, 0x03, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decoder.next_frame(), Ok(None));
    assert!(decoder.buffer_mut().capacity() < 1024);
}

#[test]
fn a_limit_raised_after_the_handshake_holds_for_the_next_frame() {
    let mut decoder = FrameDecoder::new(limits::HANDSHAKE_FRAME_BYTES_MAX);
    let large =
        encode(&Hello { token: "t".repeat(8_000), client: String::new(), resume: None, window_events: 0 });
    decoder.set_frame_bytes_max(limits::FRAME_BYTES_MAX);
    decoder.extend(&large);
    assert!(decoder.next_frame().unwrap().is_some());
    decoder.set_frame_bytes_max(limits::HANDSHAKE_FRAME_BYTES_MAX);
    decoder.extend(&large);
    assert!(decoder.next_frame().is_err());
}

#[test]
fn idle_memory_is_given_back_only_when_nothing_is_pending() {
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    let bytes = encode(&Heartbeat { nonce: 1 });
    decoder.extend(&bytes[..4]);
    decoder.release_idle_memory();
    assert_eq!(decoder.pending_bytes(), 4);
    decoder.extend(&bytes[4..]);
    assert!(decoder.next_frame().unwrap().is_some());
    decoder.release_idle_memory();
    assert_eq!(decoder.buffer_mut().capacity(), 0);
}
