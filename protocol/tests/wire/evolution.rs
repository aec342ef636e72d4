//! What newer peers send: fields appended, frames and codes not yet known.

use bytes::Bytes;
use rookery_protocol::*;

use crate::examples::{self, stamp};
use crate::vector_file::{Value, bless_or_compare, entries, file_text, hex, json, unhex};

const FILE: &str = "evolution.json";

/// Values of every MessagePack kind, as fields of the future.
const EXTRA: [&[u8]; 10] = [
    &[0xc0],                               // nil
    &[0xc3],                               // true
    &[0xff],                               // -1
    &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], // 1.5
    &[0xa2, b'h', b'i'],                   // str
    &[0xc4, 0x02, 0xde, 0xad],             // bin
    &[0x92, 0x01, 0x91, 0x02],             // [1, [2]]
    &[0x82, 0xa1, b'a', 0x01, 0x02, 0x90], // {"a": 1, 2: []}
    &[0xd4, 0x05, 0x2a],                   // ext 5, one byte
    &[0xc7, 0x03, 0x07, 0x01, 0x02, 0x03], // ext 7, three bytes
];

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x10, 0x00, opcode];
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// An array's bytes with elements appended.
fn appended(array: &[u8], extra: &[&[u8]]) -> Vec<u8> {
    assert_eq!(array[0] & 0xf0, 0x90, "a short array");
    let length = usize::from(array[0] & 0x0f) + extra.len();
    let mut out = match u8::try_from(length) {
        Ok(length @ 0..=15) => vec![0x90 | length],
        _ => [&[0xdc][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    out.extend_from_slice(&array[1..]);
    extra.iter().for_each(|bytes| out.extend_from_slice(bytes));
    out
}

fn with_appended(name: &str, extra: &[&[u8]]) -> Vec<u8> {
    let examples = examples::all();
    let example = examples.iter().find(|example| example.name == name).expect("an example");
    frame(example.opcode as u8, &appended(&example.frame[HEADER_BYTES..], extra))
}

fn same_as(name: &'static str, note: &str, vector: &str, bytes: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("name", json(&name)),
        ("note", json(&note)),
        ("frame", json(&hex(bytes))),
        ("reads_as", json(&vector)),
    ]
}

fn unknown_event() -> Vec<u8> {
    let mut payload = vec![0x93];
    encode_value(&mut payload, &stamp(0x60));
    payload.extend_from_slice(&[0xa3, b'n', b'e', b'w', 0x81, 0x01, 0x02]);
    frame(0x7f, &payload)
}

/// The file's text.
pub(crate) fn produced() -> String {
    let about = [
        "Frames of newer peers.",
        "reads_as: the frame must be read as the vector of that name, whose fields it has, and others after them.",
        "acknowledge: an event with an unknown opcode; nothing in it matters but the stamp, which is acknowledged.",
        "ignore: a frame to pass over in silence.",
    ];
    let mut files: Vec<_> =
        ["hello_typical", "send_pipelined", "ack_typical", "welcome_typical", "goaway_typical"]
            .into_iter()
            .map(|name| {
                let title = match name {
                    "hello_typical" => "hello_with_a_field_of_every_kind_appended",
                    "send_pipelined" => "send_with_a_field_of_every_kind_appended",
                    "ack_typical" => "ack_with_a_field_of_every_kind_appended",
                    "welcome_typical" => "welcome_with_a_field_of_every_kind_appended",
                    _ => "goaway_with_a_field_of_every_kind_appended",
                };
                same_as(
                    title,
                    "nil, true, -1, 1.5, str, bin, nested array, map and two extensions",
                    name,
                    &with_appended(name, &EXTRA),
                )
            })
            .collect();
    files.push(same_as(
        "done_with_one_field_appended",
        "",
        "done_typical",
        &with_appended("done_typical", &[&[0x07]]),
    ));

    let event = examples::all().into_iter().find(|example| example.name == "message_event_typical").unwrap();
    let payload = &event.frame[HEADER_BYTES..];
    let (event_stamp, message) = payload[1..].split_at(14);
    let nested = [&[0x93][..], event_stamp, &appended(message, &EXTRA), &[0xc2]].concat();
    files.push(same_as(
        "message_event_with_fields_appended_inside_and_outside",
        "the message has ten fields more, the event one",
        "message_event_typical",
        &frame(0x40, &nested),
    ));

    files.push(vec![
        ("name", json(&"event_with_an_unknown_opcode")),
        ("note", json(&"0x40 to 0x7f are events: the first element is the stamp")),
        ("frame", json(&hex(&unknown_event()))),
        ("acknowledge", json(&stamp(0x60))),
    ]);
    files.push(vec![
        ("name", json(&"connection_frame_with_an_unknown_opcode")),
        (
            "note",
            json(&"0x01 to 0x0f are about the connection: those a client does not know need nothing of it"),
        ),
        ("frame", json(&hex(&frame(0x0f, &[0x91, 0xa3, b'n', b'e', b'w'])))),
        ("ignore", "true".into()),
    ]);
    files.push(vec![
        ("name", json(&"notice_with_an_unknown_opcode")),
        ("note", json(&"0x80 to 0xbf are notices: never acknowledged")),
        ("frame", json(&hex(&frame(0x80, &[0x91, 0xa3, b'n', b'e', b'w'])))),
        ("ignore", "true".into()),
    ]);
    file_text(&about, &files)
}

#[test]
fn the_committed_evolution_vectors_are_what_the_code_produces() {
    bless_or_compare(FILE, &produced());
}

fn raw(vector: &Value) -> RawFrame {
    let bytes: Bytes = unhex(vector.field("frame").text()).into();
    whole_frames(bytes, limits::FRAME_BYTES_MAX).next().unwrap().unwrap()
}

fn has(vector: &Value, member: &str) -> bool {
    vector.fields().iter().any(|(name, _)| name == member)
}

#[test]
fn a_frame_with_fields_appended_reads_as_if_they_were_absent() {
    let examples = examples::all();
    for vector in entries(FILE).iter().filter(|vector| has(vector, "reads_as")) {
        let name = vector.field("reads_as").text();
        let old = examples.iter().find(|example| example.name == name).expect("an example");
        let newer = raw(vector);
        let encoded = ClientFrame::decode(&newer)
            .map(|frame| frame.encode())
            .or_else(|_| ServerFrame::decode(&newer).map(|frame| frame.encode()))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(hex(&encoded), hex(&old.frame), "{name}");
    }
}

#[test]
fn an_unknown_event_is_known_to_be_one_and_gives_its_stamp() {
    let vectors = entries(FILE);
    let vector = vectors.iter().find(|vector| has(vector, "acknowledge")).unwrap();
    let frame = raw(vector);
    assert!(matches!(ServerFrame::decode(&frame), Err(DecodeError::UnknownOpcode(0x7f))));
    assert!(Opcode::is_event(frame.opcode));
    assert_eq!(vector.field("acknowledge"), &Value::Bin(event_stamp(&frame).unwrap().as_bytes().to_vec()));
}

#[test]
fn what_is_to_be_ignored_is_unknown_and_no_event() {
    let frames: Vec<_> = entries(FILE).iter().filter(|vector| has(vector, "ignore")).map(raw).collect();
    assert_eq!(frames.iter().map(|frame| frame.opcode).collect::<Vec<_>>(), [0x0f, 0x80]);
    for frame in frames {
        assert!(matches!(ServerFrame::decode(&frame), Err(DecodeError::UnknownOpcode(_))));
        assert!(!Opcode::is_event(frame.opcode));
    }
}

#[test]
fn known_events_lie_in_the_events_range_and_nothing_else_does() {
    for opcode in Opcode::ALL {
        let event = matches!(opcode, Opcode::MessageEvent | Opcode::ReceiptEvent);
        assert_eq!(Opcode::is_event(opcode as u8), event, "{opcode:?}");
    }
}
