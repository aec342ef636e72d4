//! What is encoded decodes to the same, whatever it holds.

use bytes::Bytes;
use proptest::prelude::*;
use rookery_protocol::*;

use crate::strategies::{client_frame, server_frame};

fn only_frame(bytes: Bytes) -> RawFrame {
    let mut frames = whole_frames(bytes, usize::MAX);
    let frame = frames.next().expect("one frame").expect("a well formed one");
    assert!(frames.next().is_none());
    frame
}

proptest! {
    #[test]
    fn a_clients_frame_survives_the_wire(frame in client_frame()) {
        let raw = only_frame(frame.encode());
        prop_assert_eq!(raw.opcode, frame.opcode() as u8);
        prop_assert_eq!(ClientFrame::decode(&raw).unwrap(), frame);
    }

    #[test]
    fn a_servers_frame_survives_the_wire(frame in server_frame()) {
        let raw = only_frame(frame.encode());
        prop_assert_eq!(raw.opcode, frame.opcode() as u8);
        prop_assert_eq!(ServerFrame::decode(&raw).unwrap(), frame);
    }

    #[test]
    fn encoding_into_a_buffer_appends_the_same_bytes(before: Vec<u8>, nonce: u64) {
        let mut out = before.clone();
        encode_into(&mut out, &Heartbeat { nonce });
        prop_assert_eq!(&out[..before.len()], &before[..]);
        prop_assert_eq!(&out[before.len()..], &encode(&Heartbeat { nonce })[..]);
    }

    #[test]
    fn an_event_built_from_stored_content_is_the_event_built_from_fields(frame in server_frame()) {
        let mut content = Vec::new();
        let (opcode, stamp) = match &frame {
            ServerFrame::MessageEvent(event) => {
                encode_value(&mut content, &event.message);
                (Opcode::MessageEvent, event.stamp)
            }
            ServerFrame::ReceiptEvent(event) => {
                encode_value(&mut content, &event.receipt);
                (Opcode::ReceiptEvent, event.stamp)
            }
            ServerFrame::ConversationEvent(event) => {
                encode_value(&mut content, &event.shown);
                (Opcode::ConversationEvent, event.stamp)
            }
            _ => return Ok(()),
        };
        let built = encode_event(opcode, stamp, &content);
        prop_assert_eq!(event_stamp(&only_frame(built.clone())).unwrap(), stamp);
        prop_assert_eq!(built, frame.encode());
    }

    #[test]
    fn the_head_of_a_message_is_that_of_its_event_and_other_frames_have_none(frame in server_frame()) {
        let head = MessageHead::of_event(&frame.encode());
        let expected = match frame {
            ServerFrame::MessageEvent(MessageEvent { message, .. }) => Some(MessageHead {
                conversation: message.conversation,
                seq: message.seq,
                sender: message.sender,
                device: message.device,
                id: message.id,
                time_ms: message.time_ms,
            }),
            _ => None,
        };
        prop_assert_eq!(head, expected);
    }
}

#[test]
fn numbers_of_opcodes_and_errors_lead_back_to_them_and_no_other_number_does() {
    for opcode in Opcode::ALL {
        assert_eq!(Opcode::from_number(opcode as u8), Some(opcode));
    }
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_number(code as u16), Some(code));
    }
    let known = (0..=u8::MAX).filter(|number| Opcode::from_number(*number).is_some()).count();
    assert_eq!(known, Opcode::ALL.len());
    let known = (0..=u16::MAX).filter(|number| ErrorCode::from_number(*number).is_some()).count();
    assert_eq!(known, ErrorCode::ALL.len());
    assert!(Opcode::ALL.is_sorted_by(|a, b| a < b));
    assert!(ErrorCode::ALL.is_sorted_by_key(|code| *code as u16));
}
