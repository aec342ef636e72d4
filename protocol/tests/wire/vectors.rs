//! The golden vectors: what the code produces, and what the committed files say.

use std::collections::BTreeMap;

use rookery_protocol::{ClientFrame, FrameDecoder, HEADER_BYTES, Opcode, ServerFrame, limits};

use crate::examples::{self, Example};
use crate::msgpack;
use crate::vector_file::{Value, bless_or_compare, entries, file_text, hex, json, shouted, unhex};

const FILES: [&str; 9] = [
    "connection.json",
    "requests.json",
    "groups.json",
    "events.json",
    "references.json",
    "chats.json",
    "people.json",
    "looking.json",
    "channels.json",
];

#[test]
fn the_committed_vectors_are_what_the_code_produces() {
    let events = [examples::events(), examples::group_events()].concat();
    let first = [examples::connection(), examples::requests(), examples::groups(), events];
    let later = [
        examples::references(),
        examples::chats(),
        examples::people(),
        examples::looking(),
        examples::channels(),
    ];
    for (name, examples) in FILES.into_iter().zip(first.into_iter().chain(later)) {
        let about = [
            "Frames as hex, and their payloads' fields in the order they travel in.",
            "JSON null is nil, a number an unsigned integer, a string str, an array array; {\"bin\": hex} is bin,",
            "{\"uint\": decimal} an integer above 2^53-1, and any other object an array of fields in this order.",
        ];
        let entries: Vec<_> = examples.iter().map(entry).collect();
        bless_or_compare(name, &file_text(&about, &entries));
    }
}

fn entry(example: &Example) -> Vec<(&str, String)> {
    let mut members = vec![
        ("name", json(&example.name)),
        ("opcode", json(&shouted(&format!("{:?}", example.opcode)))),
        ("number", json(&(example.opcode as u8))),
        ("from", json(&sender(example.opcode))),
    ];
    if !example.note.is_empty() {
        members.push(("note", json(&example.note)));
    }
    members.push(("fields", example.fields.clone()));
    members.push(("frame", json(&hex(&example.frame))));
    members
}

fn sender(opcode: Opcode) -> &'static str {
    use Opcode::*;
    match opcode {
        Hello | Heartbeat | Send | Ack | Read | History | Lookup | CreateGroup | ChangeGroup | GetGroup
        | ListGroups | GetReceipts | ListConversations | SetConversation | Hide | SetPrivacy | GetPrivacy
        | SetProfile | GetProfiles | SetPerson | ListPeople | FindPeople | Report | Watch | Active
        | Typing | Follow => "client",
        _ => "server",
    }
}

#[test]
fn every_vector_decodes_to_its_fields_and_encodes_to_its_bytes() {
    for vector in FILES.into_iter().flat_map(entries) {
        let name = vector.field("name").text();
        let bytes = unhex(vector.field("frame").text());
        let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
        decoder.extend(&bytes);
        let frame = decoder.next_frame().unwrap().expect("a whole frame");
        assert_eq!(decoder.pending_bytes(), 0, "{name}");
        assert_eq!(&Value::Uint(frame.opcode.into()), vector.field("number"), "{name}");

        let (encoded, opcode, fields) = if vector.field("from").text() == "client" {
            let decoded = ClientFrame::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(ServerFrame::decode(&frame).is_err(), "{name} goes one way only");
            (decoded.encode(), decoded.opcode(), client_fields(&decoded))
        } else {
            let decoded = ServerFrame::decode(&frame).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(ClientFrame::decode(&frame).is_err(), "{name} goes one way only");
            (decoded.encode(), decoded.opcode(), server_fields(&decoded))
        };
        assert_eq!(&fields, vector.field("fields"), "{name}");
        assert_eq!(shouted(&format!("{opcode:?}")), vector.field("opcode").text(), "{name}");
        assert_eq!(hex(&encoded), hex(&bytes), "{name}");
    }
}

#[test]
fn every_vector_reads_the_same_with_a_messagepack_reader_of_another_hand() {
    for vector in FILES.into_iter().flat_map(entries) {
        let name = vector.field("name").text();
        let bytes = unhex(vector.field("frame").text());
        let (header, payload) = bytes.split_at(HEADER_BYTES);
        assert_eq!(header[..2], [0x10, 0x00], "{name}");
        assert_eq!(header[3..], u32::try_from(payload.len()).unwrap().to_be_bytes(), "{name}");
        assert_eq!(&Value::Uint(header[2].into()), vector.field("number"), "{name}");
        let (value, rest) = msgpack::read(payload);
        assert_eq!(value, vector.field("fields").unnamed(), "{name}");
        assert!(rest.is_empty(), "{name}");
    }
}

#[test]
fn every_opcode_is_shown_at_least_twice() {
    let mut shown = BTreeMap::new();
    let vectors: Vec<Value> = FILES.into_iter().flat_map(entries).collect();
    for vector in &vectors {
        *shown.entry(vector.field("opcode").text()).or_insert(0) += 1;
    }
    for opcode in Opcode::ALL {
        let times = shown.get(&*shouted(&format!("{opcode:?}"))).copied().unwrap_or(0);
        assert!(times >= 2, "{opcode:?} is shown {times} times");
    }
}

#[test]
fn names_of_vectors_are_unique() {
    let vectors: Vec<Value> = FILES.into_iter().flat_map(entries).collect();
    let mut names: Vec<&str> = vectors.iter().map(|vector| vector.field("name").text()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

macro_rules! fields_by_variant {
    ($name:ident, $frame:ident { $($variant:ident),* $(,)? }) => {
        fn $name(frame: &$frame) -> Value {
            match frame { $( $frame::$variant(payload) => Value::of(payload), )* }
        }
    };
}

fields_by_variant!(
    client_fields,
    ClientFrame {
        Hello,
        Heartbeat,
        Send,
        Ack,
        Read,
        History,
        Lookup,
        CreateGroup,
        ChangeGroup,
        GetGroup,
        ListGroups,
        GetReceipts,
        ListConversations,
        SetConversation,
        Hide,
        SetPrivacy,
        GetPrivacy,
        SetProfile,
        GetProfiles,
        SetPerson,
        ListPeople,
        FindPeople,
        Report,
        Watch,
        Active,
        Typing,
        Follow,
    }
);
fields_by_variant!(
    server_fields,
    ServerFrame {
        Welcome,
        HeartbeatAck,
        Error,
        Goaway,
        Done,
        Nodes,
        Sent,
        HistoryPage,
        Found,
        GroupCreated,
        Group,
        GroupList,
        Receipts,
        ConversationList,
        Privacy,
        Profiles,
        People,
        FoundPeople,
        MessageEvent,
        ReceiptEvent,
        ConversationEvent,
        AccountEvent,
        PresenceNotice,
        TypingNotice,
        ReceiptsNotice,
        ChannelNotice,
    }
);
