//! Frames as transports deliver them: several in one WebSocket message, cut anywhere on a stream.

use bytes::Bytes;
use rookery_protocol::{FrameDecoder, RawFrame, encode, encode_value, limits, whole_frames};

use crate::examples::{self, Example};
use crate::vector_file::{Value, bless_or_compare, entries, file_text, hex, json, unhex};

const FILE: &str = "streams.json";

fn named(name: &str) -> Bytes {
    let found = examples::all().into_iter().find(|example: &Example| example.name == name);
    found.unwrap_or_else(|| panic!("no example {name}")).frame
}

fn joined(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| named(name)).collect()
}

fn message(name: &'static str, note: &str, frames: &[&str]) -> Vec<(&'static str, String)> {
    vec![
        ("name", json(&name)),
        ("note", json(&note)),
        ("websocket_message", json(&hex(&joined(frames)))),
        ("frames", json(&frames)),
    ]
}

fn stream(name: &'static str, note: &str, frames: &[&str], sizes: &[usize]) -> Vec<(&'static str, String)> {
    let bytes = joined(frames);
    let mut rest = &bytes[..];
    let mut chunks = Vec::new();
    for size in sizes.iter().copied().cycle() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let mut frames_left = frames.iter().map(|name| (*name, named(name).len())).peekable();
    let (mut arrived, mut used) = (0, 0);
    let steps: Vec<String> = chunks
        .into_iter()
        .map(|chunk| {
            arrived += chunk.len();
            let mut complete = Vec::new();
            while let Some((name, length)) = frames_left.next_if(|(_, length)| used + length <= arrived) {
                used += length;
                complete.push(name);
            }
            format!("{{\"bytes\": {}, \"frames\": {}}}", json(&hex(chunk)), json(&complete))
        })
        .collect();
    vec![
        ("name", json(&name)),
        ("note", json(&note)),
        ("chunks", format!("[\n        {}\n      ]", steps.join(",\n        "))),
    ]
}

fn produced() -> String {
    let about = [
        "Frames are named as in the other files.",
        "websocket_message: one binary message, and the frames in it.",
        "chunks: what reads from a tcp or tls connection return one after another, and the frames complete with each.",
    ];
    file_text(
        &about,
        &[
            message("one_frame_in_a_message", "the usual case", &["heartbeat_typical"]),
            message(
                "three_frames_in_a_message",
                "each frame is whole; a frame never spans two messages",
                &["welcome_typical", "message_event_typical", "receipt_event_delivered"],
            ),
            message("an_empty_message", "holds no frame; nothing answers it", &[]),
            stream("a_stream_byte_by_byte", "", &["ack_typical"], &[1]),
            stream(
                "a_stream_cut_inside_headers_and_payloads",
                "",
                &["welcome_typical", "heartbeat_ack_typical", "message_event_typical", "done_typical"],
                &[5, 60, 80, 3, 31],
            ),
            stream(
                "a_stream_with_several_frames_in_one_read",
                "",
                &["send_typical", "send_pipelined", "heartbeat_typical"],
                &[4096],
            ),
        ],
    )
}

#[test]
fn the_committed_streams_are_what_the_code_produces() {
    bless_or_compare(FILE, &produced());
}

fn names(frames: &[RawFrame]) -> Value {
    let examples = examples::all();
    let name = |frame: &RawFrame| {
        let found = examples.iter().find(|example| {
            example.opcode as u8 == frame.opcode
                && example.frame[rookery_protocol::HEADER_BYTES..] == frame.payload[..]
        });
        Value::Text(found.expect("a frame of the vectors").name.to_owned())
    };
    Value::List(frames.iter().map(name).collect())
}

#[test]
fn every_message_holds_the_frames_it_names() {
    for vector in entries(FILE) {
        let Some((_, message)) = vector.fields().iter().find(|(name, _)| name == "websocket_message") else {
            continue;
        };
        let frames: Result<Vec<_>, _> =
            whole_frames(unhex(message.text()).into(), limits::FRAME_BYTES_MAX).collect();
        assert_eq!(&names(&frames.unwrap()), vector.field("frames"), "{}", vector.field("name").text());
    }
}

#[test]
fn every_chunk_completes_the_frames_it_names() {
    for vector in entries(FILE) {
        let Some((_, chunks)) = vector.fields().iter().find(|(name, _)| name == "chunks") else { continue };
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        for chunk in chunks.list() {
            decoder.extend(&unhex(chunk.field("bytes").text()));
            let mut frames = Vec::new();
            while let Some(frame) = decoder.next_frame().unwrap() {
                frames.push(frame);
            }
            assert_eq!(&names(&frames), chunk.field("frames"), "{}", vector.field("name").text());
        }
        assert_eq!(decoder.pending_bytes(), 0);
    }
}

#[test]
fn a_message_that_ends_inside_a_frame_gives_the_whole_ones_then_an_error_then_nothing() {
    let mut bytes = encode(&rookery_protocol::Heartbeat { nonce: 1 }).to_vec();
    encode_value(&mut bytes, &1_u64);
    let mut frames = whole_frames(bytes.into(), limits::FRAME_BYTES_MAX);
    assert!(frames.next().unwrap().is_ok());
    assert_eq!(frames.next().unwrap().unwrap_err(), rookery_protocol::FrameError::Truncated);
    assert!(frames.next().is_none());
}
