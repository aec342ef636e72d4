//! `docs/protocol.md` says what the code does: opcodes, fields, errors, limits, and the frames of its example.

use std::collections::{BTreeMap, BTreeSet};

use rookery_protocol::{
    ClientFrame, DecodeError, ErrorCode, FrameDecoder, HEADER_BYTES, Opcode, PROTOCOL_VERSION, RawFrame,
    limits,
};

use crate::examples;
use crate::vector_file::{Value, hex, shouted};

const DOC: &str = include_str!("../../../docs/protocol.md");

/// The cells of each table row below a heading, without the table's own heading.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let mut lines = DOC.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "there is no heading {heading:?}");
    let section: Vec<_> = lines.take_while(|line| !line.starts_with('#')).collect();
    let rows = section.iter().filter(|line| line.starts_with("| "));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect()
}

fn name(opcode: Opcode) -> String {
    shouted(&format!("{opcode:?}"))
}

fn from_client(opcode: Opcode) -> bool {
    let frame = RawFrame { opcode: opcode as u8, payload: bytes::Bytes::new() };
    !matches!(ClientFrame::decode(&frame), Err(DecodeError::UnknownOpcode(_)))
}

#[test]
fn the_table_of_opcodes_is_the_codes() {
    let documented: Vec<_> = rows("## Frames")
        .into_iter()
        .filter(|row| row.len() == 4 && row[0].starts_with("0x"))
        .map(|row| (row[0].to_owned(), row[1].to_owned(), row[2]))
        .collect();
    let known: Vec<_> = Opcode::ALL
        .into_iter()
        .map(|opcode| {
            let side = if from_client(opcode) { "client" } else { "server" };
            (format!("0x{:02x}", opcode as u8), name(opcode), side)
        })
        .collect();
    assert_eq!(documented, known);
}

/// The fields of a payload as its examples have them, and everything each of them holds there.
fn fields_of(values: &[Value]) -> Vec<(String, Vec<Value>)> {
    let mut fields: Vec<(String, Vec<Value>)> = Vec::new();
    for (at, (name, _)) in values[0].fields().iter().enumerate() {
        fields.push((name.clone(), values.iter().map(|value| value.fields()[at].1.clone()).collect()));
    }
    fields
}

/// The structs inside payloads: the field they are in, and the name of their section.
const STRUCTS: [(&str, &str); 15] = [
    ("message", "MESSAGE"),
    ("messages", "MESSAGE"),
    ("last", "MESSAGE"),
    ("receipt", "RECEIPT"),
    ("change", "CHANGE"),
    ("settings", "SETTINGS"),
    ("members", "MEMBER"),
    ("marks", "MARK"),
    ("reference", "REFERENCE"),
    ("conversations", "CONVERSATION"),
    ("shown", "SHOWN"),
    ("privacy", "PRIVACY_SETTINGS"),
    ("profile", "PROFILE"),
    ("profiles", "USER_PROFILE"),
    ("person", "PERSON"),
];

/// Those whose field's name says something else elsewhere: the section that they are in, the field, and their own.
const STRUCTS_OF: [(&str, &str, &str); 5] = [
    ("CONVERSATION", "settings", "CONVERSATION_SETTINGS"),
    ("SET_CONVERSATION", "settings", "CONVERSATION_SETTINGS"),
    ("SHOWN", "settings", "CONVERSATION_SETTINGS"),
    ("PEOPLE", "people", "PERSON"),
    ("PRESENCE_NOTICE", "people", "PRESENCE"),
];

/// The section of the struct that a field holds.
fn section_of(inside: &str, field: &str) -> &'static str {
    let of = STRUCTS_OF.iter().find(|(section, name, _)| (*section, *name) == (inside, field));
    let anywhere = STRUCTS.iter().find(|(name, _)| *name == field);
    let found = of.map(|(_, _, own)| *own).or(anywhere.map(|(_, own)| *own));
    found.unwrap_or_else(|| panic!("no section for {inside}.{field}"))
}

/// The payloads of the examples and the structs in them, by the name of their section.
fn payloads() -> BTreeMap<String, Vec<Value>> {
    let mut payloads: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for example in examples::all() {
        let value: Value = serde_json::from_str(&example.fields).unwrap();
        let section = name(example.opcode);
        structs_in(&section, &value, &mut payloads);
        payloads.entry(section).or_default().push(value);
    }
    payloads
}

fn structs_in(inside: &str, value: &Value, found: &mut BTreeMap<String, Vec<Value>>) {
    for (field, value) in value.fields() {
        let items = if let Value::List(items) = value { &items[..] } else { std::slice::from_ref(value) };
        for value in items.iter().filter(|value| matches!(value, Value::Fields(_))) {
            let section = section_of(inside, field);
            found.entry(section.into()).or_default().push(value.clone());
            structs_in(section, value, found);
        }
    }
}

#[test]
fn the_tables_of_fields_have_the_codes_names_and_order() {
    let payloads = payloads();
    let structs: BTreeSet<_> =
        STRUCTS.iter().map(|(_, own)| *own).chain(STRUCTS_OF.iter().map(|(_, _, own)| *own)).collect();
    assert_eq!(payloads.len(), Opcode::ALL.len() + structs.len());
    for (section, values) in payloads {
        let rows = rows(&format!("### {section}"));
        assert_eq!(rows[0], ["position", "field", "type", "meaning"], "{section}");
        let documented: Vec<_> = rows[1..].iter().map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
        let fields = fields_of(&values).into_iter().enumerate();
        let known: Vec<_> = fields.map(|(at, (name, _))| (at.to_string(), name)).collect();
        assert_eq!(documented, known, "{section}");
    }
}

#[test]
fn the_tables_of_fields_have_types_that_fit_every_example() {
    for (section, values) in payloads() {
        let rows = rows(&format!("### {section}"));
        for (row, (field, values)) in rows[1..].iter().zip(fields_of(&values)) {
            for value in &values {
                assert!(
                    fits((&section, &field), value, row[2]),
                    "{section}.{field}: {value:?} is no {}",
                    row[2]
                );
            }
            let may_be_nil = row[2].ends_with("or nil");
            assert_eq!(values.contains(&Value::Nil), may_be_nil, "{section}.{field}: nil in the examples");
        }
    }
}

fn fits(at: (&str, &str), value: &Value, documented: &str) -> bool {
    match (value, documented) {
        (Value::Nil, _) => documented.ends_with(" or nil"),
        (_, "bin 9 or 17" | "bin 9 or 17 or nil") => {
            matches!(value, Value::Bin(bytes) if [9, 17].contains(&bytes.len()))
        }
        (Value::List(items), _) if documented.starts_with("array of ") => {
            let element = documented["array of ".len()..].trim_matches(['(', ')']);
            items.iter().all(|item| fits(at, item, element))
        }
        (Value::Fields(_), _) => section_of(at.0, at.1) == documented.trim_end_matches(" or nil"),
        _ => {
            let mut words = documented.trim_end_matches(" or nil").split(' ');
            let (kind, size) = (words.next().unwrap(), words.next().map(|size| size.parse::<u32>().unwrap()));
            match (value, kind, size) {
                (Value::Uint(number), "uint", Some(bits)) => number.checked_shr(bits).unwrap_or(0) == 0,
                (Value::Text(_), "str", None)
                | (Value::Bin(_), "bin", None)
                | (Value::Bool(_), "bool", None) => true,
                (Value::Bin(bytes), "bin", Some(length)) => bytes.len() == usize::try_from(length).unwrap(),
                _ => false,
            }
        }
    }
}

#[test]
fn numbers_are_as_wide_as_documented() {
    // The examples at the edge hold the largest number of each field, so a width too small would not fit, and one too
    // large would not be reached.
    for (section, values) in payloads() {
        let rows = rows(&format!("### {section}"));
        for (row, (field, values)) in rows[1..].iter().zip(fields_of(&values)) {
            let Some(bits) = row[2].strip_prefix("uint ").map(|rest| rest.trim_end_matches(" or nil")) else {
                continue;
            };
            let bits: u32 = bits.parse().unwrap();
            let largest = u64::MAX >> (64 - bits);
            let most = values
                .iter()
                .filter_map(|value| if let Value::Uint(number) = value { Some(*number) } else { None });
            let most = most.max().unwrap();
            let is_id = most == rookery_protocol::UserId::MAX;
            // Of these there are only a few so far, and others are read as one of them.
            let is_one_of_few =
                section == "PRIVACY_SETTINGS" || ["role", "availability", "doing"].contains(&field.as_str());
            let is_limited = field == "expires_s" && most == u64::from(limits::EXPIRES_S_MAX);
            assert!(most == largest || is_id || is_one_of_few || is_limited, "{section}.{field}: {most}");
        }
    }
}

#[test]
fn the_table_of_errors_is_the_codes() {
    let yes_no = |yes: bool| if yes { "yes" } else { "no" };
    let documented: Vec<_> = rows("## Reference: errors")
        .into_iter()
        .skip(1)
        .map(|row| (row[0].to_owned(), row[1].to_owned(), row[2], row[3]))
        .collect();
    let known: Vec<_> = ErrorCode::ALL
        .into_iter()
        .map(|code| {
            let number = (code as u16).to_string();
            (number, format!("{code:?}"), yes_no(code.closes()), yes_no(code.is_retryable()))
        })
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn errors_named_anywhere_exist() {
    let codes: Vec<String> = ErrorCode::ALL.iter().map(|code| format!("{code:?}")).collect();
    for word in DOC.split('`').skip(1).step_by(2) {
        let camel = word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.contains(|letter: char| letter.is_ascii_lowercase())
            && word.chars().all(|letter| letter.is_ascii_alphabetic());
        assert!(!camel || codes.iter().any(|code| code == word), "{word} is no error");
    }
}

macro_rules! limits {
    ($($name:ident),* $(,)?) => { [ $( (stringify!($name), limits::$name.to_string()), )* ] };
}

#[test]
fn the_table_of_limits_is_the_codes() {
    let known = limits![
        FRAME_BYTES_MAX,
        HANDSHAKE_FRAME_BYTES_MAX,
        HANDSHAKE_MS,
        BODY_BYTES_MAX,
        TOKEN_BYTES_MAX,
        CLIENT_NAME_BYTES_MAX,
        WINDOW_EVENTS_MAX,
        WINDOW_EVENTS_DEFAULT,
        WINDOW_BYTES_MAX,
        REQUESTS_IN_FLIGHT_MAX,
        HISTORY_MESSAGES_MAX,
        HISTORY_BYTES_MAX,
        HEARTBEAT_MS,
        HEARTBEATS_MISSED_MAX,
        TEXT_BYTES_MAX,
        GROUP_MEMBERS_MAX,
        GROUP_USERS_AT_ONCE_MAX,
        GROUP_LIST_MAX,
        GROUP_NAME_BYTES_MAX,
        GROUP_ABOUT_BYTES_MAX,
        GROUP_PICTURE_BYTES_MAX,
        GROUP_BACKLOG_MAX,
        EDIT_MS,
        DELETE_MS,
        EDITS_MAX,
        REACTION_BYTES_MAX,
        EXPIRES_S_MIN,
        EXPIRES_S_MAX,
        CONVERSATIONS_MAX,
        HIDE_MAX,
        PEOPLE_MAX,
        PEOPLE_PER_USER_MAX,
        FIND_PEOPLE_MAX,
        PROFILES_MAX,
        PROFILE_NAME_BYTES_MAX,
        PROFILE_ABOUT_BYTES_MAX,
        PROFILE_PICTURE_BYTES_MAX,
        REPORT_MESSAGES_MAX,
        REPORT_TEXT_BYTES_MAX,
        WATCH_USERS_MAX,
        WATCH_CONVERSATIONS_MAX,
        WATCH_MS,
        TYPING_MS,
        TYPING_EVERY_MS,
        IDLE_MS,
        FOLLOWED_MAX,
        DEPTH_MAX,
    ];
    let documented: BTreeMap<_, _> =
        rows("## Reference: limits").into_iter().skip(1).map(|row| (row[0], row[1].to_owned())).collect();
    assert_eq!(documented, BTreeMap::from(known.clone()));
    let constants =
        include_str!("../../src/limits.rs").lines().filter_map(|line| line.strip_prefix("pub const "));
    let mut declared: Vec<_> = constants.filter_map(|rest| rest.split(':').next()).collect();
    let mut listed: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    declared.sort_unstable();
    listed.sort_unstable();
    assert_eq!(declared, listed);
}

const DISAPPEARING: &str = "### Messages that disappear";

fn grouped_twice(number: u32) -> String {
    format!("{},{:03},{:03}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
}

const LOOKING: &str = "## Presence, typing and receipts as they come";

#[test]
fn numbers_in_the_text_are_the_limits() {
    let grouped = |number: usize| format!("{},{:03}", number / 1000, number % 1000);
    let heartbeats =
        format!("3 times `heartbeat_ms`{}", if limits::HEARTBEATS_MISSED_MAX == 3 { "" } else { "?" });
    for (section, text) in [
        (
            "## Frames",
            format!("The limit is {} bytes before WELCOME", grouped(limits::HANDSHAKE_FRAME_BYTES_MAX)),
        ),
        ("## Frames", format!("a header of {HEADER_BYTES} bytes")),
        ("## Frames", format!("- **version**: {PROTOCOL_VERSION}.")),
        ("## Payloads", format!("at most {} deep", limits::DEPTH_MAX)),
        ("## Handshake", format!("It has {} s from", limits::HANDSHAKE_MS / 1000)),
        ("## Receiving events", format!("{} bytes of event frames", grouped(limits::WINDOW_BYTES_MAX))),
        ("## Staying connected", heartbeats),
        ("### HELLO", format!("at most {} bytes, else", grouped(limits::TOKEN_BYTES_MAX))),
        ("### HELLO", format!("at most {} bytes, else", limits::CLIENT_NAME_BYTES_MAX)),
        ("### HELLO", format!("server's choice ({})", limits::WINDOW_EVENTS_DEFAULT)),
        ("### HELLO", format!("More than {0} counts as {0}", limits::WINDOW_EVENTS_MAX)),
        ("### ERROR", format!("at most {} bytes", limits::TEXT_BYTES_MAX)),
        ("### GOAWAY", format!("at most {} bytes", limits::TEXT_BYTES_MAX)),
        ("## Groups", format!("at most {} members", grouped(limits::GROUP_MEMBERS_MAX))),
        ("## Groups", format!("1 to {} users", limits::GROUP_USERS_AT_ONCE_MAX)),
        ("## Groups", format!("1 to {} bytes", limits::GROUP_NAME_BYTES_MAX)),
        ("## Groups", format!("at most {} bytes", grouped(limits::GROUP_ABOUT_BYTES_MAX))),
        ("## Groups", format!("at most {} bytes", limits::GROUP_PICTURE_BYTES_MAX)),
        ("### SETTINGS", format!("at most {}", grouped(limits::GROUP_BACKLOG_MAX as usize))),
        ("### GROUP_LIST", format!("at most {}", grouped(limits::GROUP_LIST_MAX))),
        (
            "## Messages about messages",
            format!("within {} minutes of the message", limits::EDIT_MS / (60 * 1000)),
        ),
        (
            "## Messages about messages",
            format!("within {} days of the message", limits::DELETE_MS / (24 * 3600 * 1000)),
        ),
        ("## Messages about messages", format!("at most {} edits", limits::EDITS_MAX)),
        ("## Messages about messages", format!("at most {} bytes", limits::REACTION_BYTES_MAX)),
        (DISAPPEARING, format!("{} seconds to", limits::EXPIRES_S_MIN)),
        (DISAPPEARING, format!("to {} days", limits::EXPIRES_S_MAX / (24 * 3600))),
        ("### SEND", format!("{} to {}", limits::EXPIRES_S_MIN, grouped_twice(limits::EXPIRES_S_MAX))),
        ("### SEND", format!("a reaction at most {} bytes", limits::REACTION_BYTES_MAX)),
        ("## Channels", format!("at most {} channels", limits::FOLLOWED_MAX)),
        ("## Conversations", format!("at most {} conversations", limits::CONVERSATIONS_MAX)),
        ("## Conversations", format!("about {} bytes", grouped(limits::HISTORY_BYTES_MAX))),
        ("## Conversations", format!("at most {} messages", limits::HIDE_MAX)),
        ("### CONVERSATION_LIST", format!("at most {} conversations", limits::CONVERSATIONS_MAX)),
        ("### HIDE", format!("at most {}", limits::HIDE_MAX)),
        ("## People and privacy", format!("at most {} bytes without", limits::PROFILE_NAME_BYTES_MAX)),
        (
            "## People and privacy",
            format!("description of at most {} bytes", limits::PROFILE_ABOUT_BYTES_MAX),
        ),
        ("## People and privacy", format!("picture) of at most {} bytes", limits::PROFILE_PICTURE_BYTES_MAX)),
        ("## People and privacy", format!("at most {} users at once", limits::PROFILES_MAX)),
        ("## People and privacy", format!("At most {} people", grouped(limits::PEOPLE_PER_USER_MAX))),
        ("## People and privacy", format!("at most {} in a page", grouped(limits::PEOPLE_MAX))),
        ("## People and privacy", format!("at most {} handles", limits::FIND_PEOPLE_MAX)),
        ("## People and privacy", format!("at most {} messages", limits::REPORT_MESSAGES_MAX)),
        ("## People and privacy", format!("at most {} bytes. DONE", grouped(limits::REPORT_TEXT_BYTES_MAX))),
        ("### GET_PROFILES", format!("at most {}", limits::PROFILES_MAX)),
        ("### PEOPLE", format!("at most {} people", grouped(limits::PEOPLE_MAX))),
        ("### FIND_PEOPLE", format!("at most {}", limits::FIND_PEOPLE_MAX)),
        ("### REPORT", format!("at most {} bytes", grouped(limits::REPORT_TEXT_BYTES_MAX))),
        ("### REPORT", format!("at most {}, and none", limits::REPORT_MESSAGES_MAX)),
        ("### PROFILE", format!("at most {} bytes, no control", limits::PROFILE_NAME_BYTES_MAX)),
        (LOOKING, format!("at most {} users", limits::WATCH_USERS_MAX)),
        (LOOKING, format!("at most {} conversations", limits::WATCH_CONVERSATIONS_MAX)),
        (LOOKING, format!("lasts for {} s", limits::WATCH_MS / 1000)),
        (LOOKING, format!("again every {} s while it is shown", limits::WATCH_MS / 2000)),
        (LOOKING, format!("when {} s have passed", limits::TYPING_MS / 1000)),
        (LOOKING, format!("passes on one in {} s", limits::TYPING_EVERY_MS / 1000)),
        (LOOKING, format!("for {} minutes", limits::IDLE_MS / (60 * 1000))),
        ("### WATCH", format!("for {} s", limits::WATCH_MS / 1000)),
        ("### WATCH", format!("at most {} |", limits::WATCH_USERS_MAX)),
        ("### WATCH", format!("at most {} |", limits::WATCH_CONVERSATIONS_MAX)),
        (
            "### HISTORY_PAGE",
            format!(
                "at most {}, and about {} bytes",
                limits::HISTORY_MESSAGES_MAX,
                grouped(limits::HISTORY_BYTES_MAX)
            ),
        ),
    ] {
        let from = DOC.find(&format!("\n{section}\n")).unwrap() + section.len() + 2;
        let level = section.split(' ').next().unwrap();
        let to = DOC[from..].find(&format!("\n{level} ")).map_or(DOC.len(), |length| from + length);
        let said: Vec<_> = DOC[from..to].split_whitespace().collect();
        assert!(said.join(" ").contains(&text), "{section} does not say {text:?}");
    }
}

#[test]
fn frames_of_the_example_session_are_the_vectors() {
    let examples = examples::all();
    let mut shown = 0;
    for block in DOC.split("```session\n").skip(1) {
        let lines: Vec<_> = block.split("```").next().unwrap().lines().collect();
        for pair in lines.chunks(2) {
            let words: Vec<_> = pair[0].split(' ').collect();
            let example = examples.iter().find(|example| example.name == words[2]);
            let example = example.unwrap_or_else(|| panic!("no example {}", words[2]));
            assert_eq!(pair[1], hex(&example.frame), "{}", words[2]);
            assert_eq!(words[1], if from_client(example.opcode) { "->" } else { "<-" }, "{}", words[2]);
            shown += 1;
        }
    }
    assert!(shown > 20);
}

#[test]
fn the_frame_taken_apart_is_a_whole_one() {
    let block = DOC.split("One frame taken apart").nth(1).unwrap().split("```").nth(1).unwrap();
    let digits = |line: &str| -> String {
        let cell = line.trim().split("  ").next().unwrap();
        cell.split(' ').filter(|word| word.chars().all(|digit| digit.is_ascii_hexdigit())).collect()
    };
    let bytes = crate::vector_file::unhex(&block.lines().skip(1).map(digits).collect::<String>());
    let example = examples::all().into_iter().find(|example| example.name == "ack_typical").unwrap();
    assert_eq!(hex(&bytes), hex(&example.frame));
    let mut decoder = FrameDecoder::new(limits::FRAME_BYTES_MAX);
    decoder.extend(&bytes);
    assert!(decoder.next_frame().unwrap().is_some());
}

#[test]
fn every_link_inside_the_page_leads_somewhere() {
    let anchors: Vec<String> = DOC
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches(['#', ' ']).to_lowercase().replace([',', ':'], "").replace(' ', "-")
        })
        .collect();
    for link in DOC.split("](#").skip(1) {
        let link = link.split(')').next().unwrap();
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link}");
    }
    for path in [
        "connection.json",
        "requests.json",
        "groups.json",
        "references.json",
        "chats.json",
        "people.json",
        "looking.json",
        "events.json",
        "streams.json",
        "evolution.json",
        "invalid.json",
    ] {
        assert!(DOC.contains(path), "{path} is not mentioned");
    }
}
