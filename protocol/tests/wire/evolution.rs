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

/// An event whose message is the array `message`.
fn event(number: u64, message: &[u8]) -> Vec<u8> {
    let mut payload = vec![0x92];
    encode_value(&mut payload, &stamp(number));
    payload.extend_from_slice(message);
    frame(0x40, &payload)
}

/// What a message later got, `change`, `reference`, `deleted`, `expires_ms` and `timer_s`, where they say nothing.
const LATER: [u8; 5] = [0xc0, 0xc0, 0xc2, 0, 0];

/// The first fields of a message whose later ones have to say nothing.
fn older_message(message: &[u8], fields: u8) -> Vec<u8> {
    assert_eq!(message[0], 0x9c, "twelve fields");
    let rest = message.strip_suffix(&LATER).expect("nil, nil, false, 0, 0");
    let later = &LATER[..usize::from(fields - 7)];
    [&[0x90 | fields][..], &rest[1..], later].concat()
}

/// A frame's array without its last fields, which have to be these bytes.
fn shortened(name: &str, fields: u8, later: &[u8]) -> Vec<u8> {
    let examples = examples::all();
    let example = examples.iter().find(|example| example.name == name).expect("an example");
    let payload = example.frame[HEADER_BYTES..].strip_suffix(later).expect("says nothing");
    frame(example.opcode as u8, &[&[0x90 | fields][..], &payload[1..]].concat())
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(&mut out, value);
    out
}

/// What `MESSAGE.change` was when there was none, and what it may come to be.
fn changed_messages() -> Vec<Vec<(&'static str, String)>> {
    let message = examples::message(1, examples::alice(), 1, examples::message_id(1), Some(b"Hello, Bob"));
    let older = older_message(&encoded(&message), 7);
    let page = [&[0x94, 5, 2, 51, 0x92][..], &older, &{
        let second =
            examples::message(2, examples::alice(), 1, examples::message_id(2), Some(b"Are you there?"));
        older_message(&encoded(&second), 7)
    }]
    .concat();
    let of_kind = |change: &[u8]| {
        let entry = Message { change: None, ..examples::entry(2, examples::alice(), GroupChange::Deleted) };
        let mut bytes = older_message(&encoded(&entry), 7);
        bytes[0] = 0x98;
        bytes.extend_from_slice(change);
        bytes
    };
    let added = encoded(&GroupChange::Added(vec![examples::dave()]));
    let settings = GroupSettings { only_admins_add: false, backlog: 100, ..GroupSettings::default() };
    let shorter_settings = [&[0x94][..], &encoded(&settings)[1..5]].concat();
    let setting = |settings: &[u8]| {
        let entry = examples::entry(9, examples::alice(), GroupChange::Deleted);
        let mut bytes = older_message(&encoded(&Message { change: None, ..entry }), 7);
        bytes[0] = 0x98;
        bytes.extend_from_slice(&[0x94, 10, 0x90, 0xa0]);
        bytes.extend_from_slice(settings);
        bytes
    };
    let member = |number: u64, role: u8, since: u8| {
        let mut out = vec![0x93];
        encode_value(&mut out, &number);
        out.extend_from_slice(&[role, since]);
        out
    };
    let group = [
        &[0x99, 13, 77, 0xa4][..],
        b"Team",
        &[0xa0, 0xa0],
        &encoded(&GroupSettings::default()),
        &encoded(&1_746_789_012_346_u64),
        &[3, 0x94],
        &member(1001, 1, 1),
        &member(1002, 2, 1),
        &member(1003, 0, 1),
        &appended(&member(1004, 100, 2), &EXTRA),
    ]
    .concat();
    vec![
        same_as(
            "message_event_of_an_older_writer",
            "the message ends with its body: `change` and `reference` are nil, `deleted` is false, the times are 0",
            "message_event_typical",
            &event(0x52, &older),
        ),
        same_as(
            "message_event_of_a_writer_that_knows_groups",
            "the message ends with its change: `reference` is nil, `deleted` is false, the times are 0",
            "message_event_typical",
            &event(0x52, &older_message(&encoded(&message), 8)),
        ),
        same_as(
            "message_event_of_a_writer_that_knows_references",
            "the message ends with `deleted`: it never disappears, and is no timer",
            "message_event_typical",
            &event(0x52, &older_message(&encoded(&message), 10)),
        ),
        same_as(
            "history_page_of_an_older_writer",
            "the same, twice",
            "history_page_typical",
            &frame(0x15, &page),
        ),
        same_as(
            "change_with_a_field_of_every_kind_appended",
            "the change has ten fields more",
            "message_event_added",
            &event(0x62, &of_kind(&appended(&added, &EXTRA))),
        ),
        same_as(
            "settings_with_a_field_of_every_kind_appended",
            "the settings inside the change have ten fields more",
            "message_event_set",
            &event(0x69, &setting(&appended(&encoded(&settings), &EXTRA))),
        ),
        same_as(
            "settings_of_an_older_writer",
            "the settings end with `backlog`: the group is no channel",
            "message_event_set",
            &event(0x69, &setting(&shorter_settings)),
        ),
        same_as(
            "group_with_roles_of_the_future",
            "a role that is not known is a member's; bob has role 2, dave role 100 and ten fields more; nobody is said to follow it",
            "group_typical",
            &frame(0x1c, &group),
        ),
        vec![
            ("name", json(&"message_event_with_a_change_of_an_unknown_kind")),
            (
                "note",
                json(
                    &"kind 12 with users, a text, settings and ten fields more: an entry to store, number and acknowledge; what it says is not known",
                ),
            ),
            ("frame", json(&hex(&event(0x62, &of_kind(&unknown_change()))))),
            ("acknowledge", json(&stamp(0x62))),
            ("seq", "2".into()),
            ("kind", "12".into()),
        ],
    ]
}

/// Frames without what a later edition appended to them.
fn shorter_frames() -> Vec<Vec<(&'static str, String)>> {
    let mark = |user: u64, delivered: u8, read: u8| {
        let mut out = vec![0x93];
        encode_value(&mut out, &user);
        out.extend_from_slice(&[delivered, read]);
        out
    };
    let receipts = [&[0x92, 19, 0x92][..], &mark(1002, 3, 3), &mark(1003, 3, 1)].concat();
    let list = examples::all().into_iter().find(|example| example.name == "conversation_list_left");
    let list = list.expect("an example").frame;
    let list = list[HEADER_BYTES..].strip_prefix(&[0x93, 35, 0x91, 0x99]).expect("one conversation");
    let list = list.strip_suffix(&[0xc2, 0xc2, 0xc2]).expect("neither, and no more");
    let list = [&[0x93, 35, 0x91, 0x97][..], list, &[0xc2]].concat();
    vec![
        same_as(
            "send_of_an_older_writer",
            "the frame ends with the body: `reference` is nil, and it never disappears",
            "send_typical",
            &shortened("send_typical", 5, &[0xc0, 0]),
        ),
        same_as(
            "send_of_a_writer_that_knows_references",
            "the frame ends with `reference`: it never disappears",
            "send_reply",
            &shortened("send_reply", 6, &[0]),
        ),
        same_as(
            "history_of_an_older_writer",
            "the frame ends with `to`: not backwards, and no time",
            "history_typical",
            &shortened("history_typical", 4, &[0xc2, 0x00]),
        ),
        same_as(
            "history_that_knows_its_direction_only",
            "the frame ends with `backwards`: no time",
            "history_backwards",
            &shortened("history_backwards", 5, &[0x00]),
        ),
        same_as(
            "receipts_of_an_older_writer",
            "each mark ends with `read`: the times are not known",
            "receipts_without_times",
            &frame(0x20, &receipts),
        ),
        same_as(
            "conversation_list_of_an_older_writer",
            "the conversation ends with `last`: whether the user is in it or follows it is not said",
            "conversation_list_left",
            &frame(0x22, &list),
        ),
    ]
}

/// What later frames may come to be: fields appended, numbers of which nobody has heard.
fn of_the_future() -> Vec<Vec<(&'static str, String)>> {
    let reply = examples::references().into_iter().find(|example| example.name == "message_event_reply");
    let reply = reply.expect("an example").frame;
    // After the reference, [1, 2], come `deleted` and the times.
    let head = reply[HEADER_BYTES..].strip_suffix(&[0x92, 1, 2, 0xc2, 0, 0]).expect("a reply to message 2");
    let of_reference = |reference: &[u8]| frame(0x40, &[head, reference, &LATER[2..]].concat());
    let kind_9 = appended(&[0x92, 9, 2], &EXTRA);
    let doing = |number: u8| {
        let mut payload = vec![0x93];
        encode_value(&mut payload, &examples::team());
        encode_value(&mut payload, &examples::bob());
        payload.push(number);
        payload
    };
    let bob = appended(&[0x93, 0xcd, 0x03, 0xea, 100, 0], &EXTRA);
    let person = appended(&[0x94, 0xcd, 0x03, 0xec, 0xc2, 0xc2, 0xc3], &EXTRA);
    let account = |part: u8, person: &[u8]| {
        let mut payload = vec![0x93];
        encode_value(&mut payload, &stamp(0x85));
        frame(0x43, &[&payload[..], &[part], person].concat())
    };
    vec![
        same_as(
            "reference_with_a_field_of_every_kind_appended",
            "the reference has ten fields more",
            "message_event_reply",
            &of_reference(&appended(&[0x92, 1, 2], &EXTRA)),
        ),
        vec![
            ("name", json(&"message_event_with_a_reference_of_an_unknown_kind")),
            (
                "note",
                json(
                    &"kind 9 with ten fields more: a message to store, number, acknowledge and show like a reply",
                ),
            ),
            ("frame", json(&hex(&of_reference(&kind_9)))),
            ("acknowledge", json(&stamp(0x73))),
            ("seq", "3".into()),
            ("reference_kind", "9".into()),
        ],
        same_as(
            "privacy_with_audiences_of_the_future",
            "an audience that is not known is nobody: 4, 127, 128 and 255; the settings have a field more",
            "privacy_edge",
            &frame(
                0x27,
                &[
                    &[0x92, 0xce, 0xff, 0xff, 0xff, 0xff][..],
                    &appended(&[0x95, 4, 127, 0xcc, 128, 0xcc, 255, 0xc2], &[&[0xc3]]),
                ]
                .concat(),
            ),
        ),
        same_as(
            "presence_notice_of_the_future",
            "an availability that is not known is offline; the presence has ten fields more",
            "presence_notice_offline",
            &frame(0x80, &[&[0x91, 0x91][..], &bob].concat()),
        ),
        same_as(
            "typing_notice_of_the_future",
            "something that is not known is nothing; the notice has ten fields more",
            "typing_notice_stopped",
            &frame(0x81, &appended(&doing(100), &EXTRA)),
        ),
        same_as(
            "account_event_with_fields_appended",
            "the person has ten fields more",
            "account_event_person",
            &account(3, &person),
        ),
        vec![
            ("name", json(&"account_event_of_an_unknown_part")),
            ("note", json(&"part 9: something about the account has changed that this client does not know")),
            ("frame", json(&hex(&account(9, &[0xc0])))),
            ("acknowledge", json(&stamp(0x85))),
            ("part", "9".into()),
        ],
    ]
}

fn unknown_change() -> Vec<u8> {
    let plain = [&[0x94, 12, 0x92, 1, 2, 0xa2, b'h', b'i'][..], &encoded(&GroupSettings::default())].concat();
    appended(&plain, &EXTRA)
}

/// The file's text.
pub(crate) fn produced() -> String {
    let about = [
        "Frames of newer peers, and of older ones.",
        "reads_as: the frame must be read as the vector of that name: it has its fields, and others after them, or lacks the last ones.",
        "acknowledge: an event with an unknown opcode; nothing in it matters but the stamp, which is acknowledged.",
        "kind: the event is known, and is the entry `seq` of a group, but what it says is a change of this unknown kind.",
        "reference_kind: the event is known, and is the message `seq`, which is about another in a way of this unknown kind.",
        "part: the event is known, and says that this unknown part of the account has changed.",
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

    files.extend(changed_messages());
    files.extend(shorter_frames());
    files.extend(of_the_future());

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
        ("frame", json(&hex(&frame(0xbf, &[0x91, 0xa3, b'n', b'e', b'w'])))),
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
    let known = ["kind", "reference_kind", "part"];
    let unknown =
        |vector: &&Value| has(vector, "acknowledge") && !known.iter().any(|member| has(vector, member));
    let vector = vectors.iter().find(unknown).unwrap();
    let frame = raw(vector);
    assert!(matches!(ServerFrame::decode(&frame), Err(DecodeError::UnknownOpcode(0x7f))));
    assert!(Opcode::is_event(frame.opcode));
    assert_eq!(vector.field("acknowledge"), &Value::Bin(event_stamp(&frame).unwrap().as_bytes().to_vec()));
}

#[test]
fn a_change_of_an_unknown_kind_is_an_entry_like_any_other() {
    let vectors = entries(FILE);
    let vector = vectors.iter().find(|vector| has(vector, "kind")).unwrap();
    let ServerFrame::MessageEvent(event) = ServerFrame::decode(&raw(vector)).unwrap() else {
        panic!("a message")
    };
    assert_eq!(vector.field("acknowledge"), &Value::Bin(event.stamp.as_bytes().to_vec()));
    assert_eq!(vector.field("seq"), &Value::Uint(event.message.seq.get()));
    assert_eq!(event.message.body, None);
    assert_eq!(event.message.change, Some(GroupChange::Unknown(12)));
}

#[test]
fn a_reference_of_an_unknown_kind_is_a_message_like_any_other() {
    let vectors = entries(FILE);
    let vector = vectors.iter().find(|vector| has(vector, "reference_kind")).unwrap();
    let ServerFrame::MessageEvent(event) = ServerFrame::decode(&raw(vector)).unwrap() else {
        panic!("a message")
    };
    assert_eq!(vector.field("acknowledge"), &Value::Bin(event.stamp.as_bytes().to_vec()));
    assert_eq!(vector.field("seq"), &Value::Uint(event.message.seq.get()));
    let reference = Reference { kind: ReferenceKind::Unknown(9), seq: Seq::new(2) };
    assert_eq!(event.message.reference, Some(reference));
    assert!(event.message.body.is_some());
}

#[test]
fn an_unknown_part_of_the_account_is_told_as_such() {
    let vectors = entries(FILE);
    let vector = vectors.iter().find(|vector| has(vector, "part")).unwrap();
    let ServerFrame::AccountEvent(event) = ServerFrame::decode(&raw(vector)).unwrap() else {
        panic!("an event")
    };
    assert_eq!(vector.field("acknowledge"), &Value::Bin(event.stamp.as_bytes().to_vec()));
    assert_eq!((event.part, event.person), (AccountPart::Unknown(9), None));
}

#[test]
fn the_head_of_a_message_reads_whatever_its_change_is() {
    for vector in entries(FILE) {
        let bytes = unhex(vector.field("frame").text());
        if let Ok(ServerFrame::MessageEvent(event)) = ServerFrame::decode(&raw(&vector)) {
            let head = MessageHead::of_event(&bytes).unwrap();
            assert_eq!((head.seq, head.id), (event.message.seq, event.message.id));
        }
    }
}

#[test]
fn a_reader_that_knows_no_change_reads_the_rest() {
    positional! {
        struct Older {
            pub conversation: ConversationId,
            pub seq: Seq,
            pub sender: UserId,
            pub device: DeviceId,
            pub id: MessageId,
            pub time_ms: u64,
            pub body: Option<Body>,
        }
    }
    let entry = examples::entry(2, examples::alice(), GroupChange::Added(vec![examples::dave()]));
    let older: Older = decode_value(&encoded(&entry)).unwrap();
    assert_eq!((older.seq, older.body), (entry.seq, None));
}

#[test]
fn what_is_to_be_ignored_is_unknown_and_no_event() {
    let frames: Vec<_> = entries(FILE).iter().filter(|vector| has(vector, "ignore")).map(raw).collect();
    assert_eq!(frames.iter().map(|frame| frame.opcode).collect::<Vec<_>>(), [0x0f, 0xbf]);
    for frame in frames {
        assert!(matches!(ServerFrame::decode(&frame), Err(DecodeError::UnknownOpcode(_))));
        assert!(!Opcode::is_event(frame.opcode));
    }
}

#[test]
fn known_events_lie_in_the_events_range_and_nothing_else_does() {
    for opcode in Opcode::ALL {
        let event = matches!(
            opcode,
            Opcode::MessageEvent | Opcode::ReceiptEvent | Opcode::ConversationEvent | Opcode::AccountEvent
        );
        assert_eq!(Opcode::is_event(opcode as u8), event, "{opcode:?}");
    }
}
