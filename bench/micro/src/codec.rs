//! Frames into bytes, and bytes into frames: those of a direct message's way.

use std::hint::black_box;

use bytes::Bytes;
use rookery_protocol::{
    Ack, Body, ClientFrame, ConversationId, DeviceId, FrameDecoder, Message, MessageId, Opcode, RequestId,
    Send, Seq, ServerFrame, Stamp, UserId, encode, encode_event, encode_value, limits,
};

use crate::{Case, Work, repeated};

/// So often that the loop around it does not count.
const TIMES: u64 = 64;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        repeated("codec: SEND encoded, 128 B", TIMES, || encoding(128)),
        repeated("codec: SEND encoded, 4 KiB", TIMES, || encoding(4096)),
        repeated("codec: SEND decoded, 128 B", TIMES, || decoding(encode(&send(128)))),
        repeated("codec: SEND decoded, 4 KiB", TIMES, || decoding(encode(&send(4096)))),
        repeated("codec: message event of the log, 128 B", TIMES, || event_encoding(128)),
        repeated("codec: message event of the log, 4 KiB", TIMES, || event_encoding(4096)),
        repeated("codec: message event decoded, 128 B", TIMES, || event_decoding(128)),
        repeated("codec: message event decoded, 4 KiB", TIMES, || event_decoding(4096)),
        repeated("codec: ACK encoded", TIMES, || {
            Box::new(|| {
                for number in 0..TIMES {
                    black_box(encode(&Ack { stamp: black_box(stamp(number)) }));
                }
            })
        }),
        repeated("codec: ACK decoded", TIMES, || decoding(encode(&Ack { stamp: stamp(1) }))),
    ]
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("small numbers are ids")
}

pub(crate) fn pair() -> ConversationId {
    ConversationId::direct(user(1), user(2))
}

pub(crate) fn stamp(number: u64) -> Stamp {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Stamp::from_bytes(bytes)
}

pub(crate) fn send(body_bytes: usize) -> Send {
    Send {
        request: RequestId::new(1),
        conversation: pair(),
        id: MessageId::from_bytes([7; 16]),
        after: None,
        body: Body::new(vec![b'x'; body_bytes]),
        reference: None,
        expires_s: 0,
    }
}

/// A message as the log holds it.
pub(crate) fn logged(body_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let message = Message {
        conversation: pair(),
        seq: Seq::new(1_000),
        sender: user(1),
        device: DeviceId::new(1),
        id: MessageId::from_bytes([7; 16]),
        time_ms: 1_767_225_600_000,
        body: Some(Body::new(vec![b'x'; body_bytes])),
        change: None,
        reference: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
    };
    encode_value(&mut bytes, &message);
    bytes
}

fn encoding(body_bytes: usize) -> Work {
    let send = send(body_bytes);
    Box::new(move || {
        for _ in 0..TIMES {
            black_box(encode(black_box(&send)));
        }
    })
}

/// As the node takes frames off a stream: several in what was read at once.
fn decoding(frame: Bytes) -> Work {
    let stream = frame.repeat(TIMES as usize);
    Box::new(move || {
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        decoder.extend(black_box(&stream));
        while let Some(frame) = decoder.next_frame().expect("the frames are whole") {
            black_box(ClientFrame::decode(&frame).expect("the frames are well formed"));
        }
    })
}

/// As the node makes what it pushes: around the bytes of the log.
fn event_encoding(body_bytes: usize) -> Work {
    let logged = logged(body_bytes);
    Box::new(move || {
        for number in 0..TIMES {
            black_box(encode_event(Opcode::MessageEvent, stamp(number), black_box(&logged)));
        }
    })
}

/// As a client reads it.
fn event_decoding(body_bytes: usize) -> Work {
    let stream = encode_event(Opcode::MessageEvent, stamp(1), &logged(body_bytes)).repeat(TIMES as usize);
    Box::new(move || {
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        decoder.extend(black_box(&stream));
        while let Some(frame) = decoder.next_frame().expect("the frames are whole") {
            black_box(ServerFrame::decode(&frame).expect("the frames are well formed"));
        }
    })
}
