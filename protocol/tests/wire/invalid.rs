//! What is wrong, and how it is answered, as far as the bytes alone tell.

use bytes::Bytes;
use rookery_protocol::*;

use crate::examples::{self, chat, message_id, user};
use crate::vector_file::{Value, bless_or_compare, entries, file_text, hex, json, unhex};

const FILE: &str = "invalid.json";
const BEFORE: &str = "before WELCOME";
const AFTER: &str = "after WELCOME";

struct Case {
    name: &'static str,
    note: &'static str,
    when: &'static str,
    websocket: bool,
    bytes: Vec<u8>,
    answers: Vec<Answer>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    code: ErrorCode,
    request: u32,
}

/// The answers of a server that has pushed nothing, up to the one that closes the connection.
fn answers(before_welcome: bool, websocket: bool, bytes: &[u8]) -> Vec<Answer> {
    let frame_bytes_max =
        if before_welcome { limits::HANDSHAKE_FRAME_BYTES_MAX } else { limits::FRAME_BYTES_MAX };
    let mut decoder = FrameDecoder::new(frame_bytes_max);
    decoder.extend(bytes);
    let mut frames: Box<dyn Iterator<Item = _>> = if websocket {
        Box::new(whole_frames(Bytes::copy_from_slice(bytes), frame_bytes_max))
    } else {
        Box::new(std::iter::from_fn(|| decoder.next_frame().transpose()))
    };
    let mut answers = Vec::new();
    while !answers.last().is_some_and(|answer: &Answer| answer.code.closes()) {
        let Some(frame) = frames.next() else { break };
        answers.extend(answer(before_welcome, frame));
    }
    answers
}

fn answer(before_welcome: bool, frame: Result<RawFrame, FrameError>) -> Option<Answer> {
    let of_connection = |code| Some(Answer { code, request: 0 });
    let frame = match frame {
        Ok(frame) => frame,
        Err(error) => return of_connection(error.error_code()),
    };
    if before_welcome && frame.opcode != Opcode::Hello as u8 {
        return of_connection(ErrorCode::HelloFirst);
    }
    let (code, request) = match ClientFrame::decode(&frame) {
        Err(error) => return of_connection(error.error_code()),
        Ok(ClientFrame::Hello(_)) if !before_welcome => return of_connection(ErrorCode::AlreadyWelcome),
        Ok(ClientFrame::Hello(hello)) => return of_connection(hello.check_limits().err()?.error_code()),
        Ok(ClientFrame::Ack(_)) => return of_connection(ErrorCode::BadAck),
        Ok(ClientFrame::Send(send)) if send.body.len() > limits::BODY_BYTES_MAX => {
            (ErrorCode::BodyTooLarge, send.request)
        }
        Ok(ClientFrame::History(history)) if history.from == Seq::ZERO || history.from > history.to => {
            (ErrorCode::BadRequest, history.request)
        }
        Ok(ClientFrame::Lookup(lookup)) if lookup.handle.is_some() == lookup.user.is_some() => {
            (ErrorCode::BadRequest, lookup.request)
        }
        Ok(ClientFrame::CreateGroup(group)) if group.check().is_err() => {
            (ErrorCode::BadRequest, group.request)
        }
        Ok(ClientFrame::ChangeGroup(change)) if change.change.check().is_err() => {
            (ErrorCode::BadRequest, change.request)
        }
        Ok(frame) => (ErrorCode::BadRequest, refused(&frame)?),
    };
    Some(Answer { code, request: request.get() })
}

/// The request of a frame that does not pass the check of its payload.
fn refused(frame: &ClientFrame) -> Option<RequestId> {
    let (is_refused, request) = match frame {
        ClientFrame::Send(send) => {
            let refused =
                send.reference.as_ref().is_some_and(|reference| reference.check(&send.body).is_err());
            (refused || check_expires_s(send.expires_s).is_err(), send.request)
        }
        ClientFrame::Hide(hide) => (hide.check().is_err(), hide.request),
        ClientFrame::SetProfile(set) => (set.profile.check().is_err(), set.request),
        ClientFrame::GetProfiles(get) => (get.check().is_err(), get.request),
        ClientFrame::FindPeople(find) => (find.check().is_err(), find.request),
        ClientFrame::Report(report) => (report.check().is_err(), report.request),
        ClientFrame::Watch(watch) => (watch.check().is_err(), watch.request),
        _ => return None,
    };
    is_refused.then_some(request)
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x10, 0x00, opcode];
    out.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
    out.extend_from_slice(payload);
    out
}

fn header(version_flags: [u8; 2], opcode: u8, length: u32) -> Vec<u8> {
    [&version_flags[..], &[opcode], &length.to_be_bytes()].concat()
}

fn heartbeat() -> Vec<u8> {
    encode(&Heartbeat { nonce: 7 }).to_vec()
}

fn hello(token: usize, client: usize) -> Vec<u8> {
    let hello =
        Hello { token: "t".repeat(token), client: "c".repeat(client), resume: None, window_events: 0 };
    encode(&hello).to_vec()
}

fn send_about(kind: u8, body: usize) -> Vec<u8> {
    let reference = Reference { kind: kind.into(), seq: Seq::new(1) };
    encode(&Send { reference: Some(reference), ..send_of(body) }).to_vec()
}

fn send_timer(seq: u64, body: usize, expires_s: u32) -> Vec<u8> {
    let reference = Reference { kind: ReferenceKind::Timer, seq: Seq::new(seq) };
    encode(&Send { reference: Some(reference), expires_s, ..send_of(body) }).to_vec()
}

fn send_for(expires_s: u32) -> Vec<u8> {
    encode(&Send { expires_s, ..send_of(1) }).to_vec()
}

fn hide(up_to: u64, count: u64) -> Vec<u8> {
    encode(&Hide {
        request: RequestId::new(9),
        conversation: chat(),
        up_to: Seq::new(up_to),
        seqs: (1..=count).map(Seq::new).collect(),
    })
    .to_vec()
}

fn set_profile(name: &str, about: usize, picture: usize) -> Vec<u8> {
    let profile = Profile { name: name.into(), about: "a".repeat(about), picture: "p".repeat(picture) };
    encode(&SetProfile { request: RequestId::new(9), profile }).to_vec()
}

fn get_profiles(count: u64) -> Vec<u8> {
    encode(&GetProfiles { request: RequestId::new(9), users: numbers(count).into_iter().map(user).collect() })
        .to_vec()
}

fn find_people(count: usize) -> Vec<u8> {
    let handles = (0..count).map(|number| format!("friend-{number}").parse().unwrap());
    encode(&FindPeople { request: RequestId::new(9), handles: handles.collect() }).to_vec()
}

fn report(conversation: Option<ConversationId>, count: u64, text: usize) -> Vec<u8> {
    encode(&Report {
        request: RequestId::new(9),
        user: user(1002),
        conversation,
        seqs: (1..=count).map(Seq::new).collect(),
        text: "t".repeat(text),
    })
    .to_vec()
}

fn watch(users: u64, conversations: usize) -> Vec<u8> {
    encode(&Watch {
        request: RequestId::new(9),
        users: numbers(users).into_iter().map(user).collect(),
        conversations: vec![chat(); conversations],
    })
    .to_vec()
}

fn send(body: usize) -> Vec<u8> {
    encode(&send_of(body)).to_vec()
}

fn send_of(body: usize) -> Send {
    Send {
        request: RequestId::new(9),
        conversation: chat(),
        id: message_id(9),
        after: None,
        body: Body::new(vec![0; body]),
        reference: None,
        expires_s: 0,
    }
}

fn create(name: &str, members: &[u64], backlog: u32) -> Vec<u8> {
    encode(&CreateGroup {
        request: RequestId::new(9),
        id: message_id(9),
        name: name.into(),
        members: members.iter().map(|number| user(*number)).collect(),
        settings: GroupSettings { backlog, ..GroupSettings::default() },
    })
    .to_vec()
}

/// TYPING, with what is done as given.
fn typing(doing: &[u8]) -> Vec<u8> {
    frame(0x33, &[&[0x92][..], &direct(1001, 1002), doing].concat())
}

fn numbers(count: u64) -> Vec<u64> {
    (1..=count).collect()
}

/// CHANGE_GROUP of group 77, with the change as given.
fn change(change: &[u8]) -> Vec<u8> {
    frame(0x1a, &[&[0x94, 9, 77, 0xc4, 16][..], &[1; 16], change].concat())
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, when, bytes: Vec<u8>, answers: &[(ErrorCode, u32)], note| {
        let answers = answers.iter().map(|&(code, request)| Answer { code, request }).collect();
        cases.push(Case { name, note, when, websocket: false, bytes, answers });
    };
    use ErrorCode::*;
    let malformed = &[(Malformed, 0)];

    add("version_0", BEFORE, header([0x00, 0x00], 0x01, 0), &[(UnsupportedVersion, 0)], "");
    add(
        "version_2",
        BEFORE,
        header([0x20, 0x00], 0x01, 0),
        &[(UnsupportedVersion, 0)],
        "the answer is a frame of version 1",
    );
    add("version_15", AFTER, header([0xf0, 0x00], 0x03, 0), &[(UnsupportedVersion, 0)], "");
    add(
        "an_http_request",
        BEFORE,
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        &[(UnsupportedVersion, 0)],
        "the top four bits of 'G' are 4",
    );
    add(
        "lowest_flag",
        AFTER,
        [&header([0x10, 0x01], 0x03, 2)[..], &[0x91, 0x07]].concat(),
        malformed,
        "flags are 0 in version 1",
    );
    add("highest_flag", AFTER, [&header([0x18, 0x00], 0x03, 2)[..], &[0x91, 0x07]].concat(), malformed, "");
    add(
        "half_a_header",
        AFTER,
        vec![0x10, 0x00, 0x03],
        &[],
        "on a stream the rest may follow: no answer yet",
    );
    add("half_a_payload", AFTER, heartbeat()[..8].to_vec(), &[], "the same");
    add(
        "frame_over_the_limit_before_welcome",
        BEFORE,
        header([0x10, 0x00], 0x01, 4096 - 6),
        &[(FrameTooLarge, 0)],
        "one byte over 4096 with the header; refused by the header alone",
    );
    add(
        "frame_at_the_limit_before_welcome",
        BEFORE,
        header([0x10, 0x00], 0x01, 4096 - 7),
        &[],
        "the payload may follow",
    );
    add(
        "frame_over_the_limit",
        AFTER,
        header([0x10, 0x00], 0x10, 262_144 - 6),
        &[(FrameTooLarge, 0)],
        "one byte over 262144 with the header",
    );
    add("frame_at_the_limit", AFTER, header([0x10, 0x00], 0x10, 262_144 - 7), &[], "the payload may follow");
    add("frame_of_4_gib", AFTER, header([0x10, 0x00], 0x10, u32::MAX), &[(FrameTooLarge, 0)], "");

    add("heartbeat_first", BEFORE, heartbeat(), &[(HelloFirst, 0)], "");
    add("unknown_opcode_first", BEFORE, frame(0x3f, &[0x90]), &[(HelloFirst, 0)], "");
    add("token_over_the_limit", BEFORE, hello(2049, 4), malformed, "");
    add("client_name_over_the_limit", BEFORE, hello(4, 65), malformed, "");
    add(
        "hello_missing_a_field",
        BEFORE,
        frame(0x01, &[0x93, 0xa1, b't', 0xa1, b'c', 0xc0]),
        malformed,
        "three of four fields",
    );
    add(
        "hello_with_a_stamp_of_11_bytes",
        BEFORE,
        frame(0x01, &[&[0x94, 0xa1, b't', 0xa1, b'c', 0xc4, 11][..], &[0; 11], &[0]].concat()),
        malformed,
        "a stamp has 12",
    );
    add(
        "token_that_is_not_utf8",
        BEFORE,
        frame(0x01, &[0x94, 0xa2, 0xc3, 0x28, 0xa1, b'c', 0xc0, 0x00]),
        malformed,
        "",
    );
    add(
        "token_that_is_bin",
        BEFORE,
        frame(0x01, &[0x94, 0xc4, 1, b't', 0xa1, b'c', 0xc0, 0]),
        malformed,
        "a token is str, not bin",
    );
    add("hello_twice", AFTER, hello(4, 4), &[(AlreadyWelcome, 0)], "");

    add(
        "unknown_opcode",
        AFTER,
        [frame(0x3f, &[0x90]), heartbeat()].concat(),
        &[(UnknownOpcode, 0)],
        "the connection goes on: the heartbeat after it is answered as usual",
    );
    add(
        "unknown_opcode_with_garbage",
        AFTER,
        frame(0x3f, &[0xc1, 0xff]),
        &[(UnknownOpcode, 0)],
        "the payload is not looked into",
    );
    add(
        "a_servers_opcode",
        AFTER,
        frame(0x07, &[0x91, 0x01]),
        &[(UnknownOpcode, 0)],
        "DONE is not for clients to send",
    );
    add("an_events_opcode", AFTER, frame(0x40, &[0x90]), &[(UnknownOpcode, 0)], "");
    add(
        "reserved_opcodes",
        AFTER,
        [frame(0x00, &[0x90]), frame(0xff, &[0x90])].concat(),
        &[(UnknownOpcode, 0), (UnknownOpcode, 0)],
        "",
    );

    add("empty_payload", AFTER, frame(0x03, &[]), malformed, "");
    add(
        "bytes_after_the_payload",
        AFTER,
        frame(0x03, &[0x91, 0x07, 0x00]),
        malformed,
        "one value fills the payload",
    );
    add("beginning_of_an_array_after_the_payload", AFTER, frame(0x03, &[0x91, 0x07, 0x91]), malformed, "");
    add("payload_cut_short", AFTER, frame(0x12, &[0x91, 0xc4, 12, 0, 0]), malformed, "");
    add(
        "payload_that_is_a_map",
        AFTER,
        frame(0x03, &[0x81, 0xa5, b'n', b'o', b'n', b'c', b'e', 0x07]),
        malformed,
        "payloads are arrays",
    );
    add("payload_that_is_bin", AFTER, frame(0x03, &[0xc4, 0x01, 0x07]), malformed, "payloads are arrays");
    add("empty_array", AFTER, frame(0x03, &[0x90]), malformed, "a field is missing");
    add("text_for_a_number", AFTER, frame(0x03, &[0x91, 0xa1, b'7']), malformed, "");
    add("negative_number", AFTER, frame(0x03, &[0x91, 0xff]), malformed, "");
    add("float_for_a_number", AFTER, frame(0x03, &[0x91, 0xca, 0x40, 0xe0, 0, 0]), malformed, "");
    add("nil_for_a_number", AFTER, frame(0x03, &[0x91, 0xc0]), malformed, "");
    add("array_of_4_g_elements", AFTER, frame(0x03, &[0xdd, 0xff, 0xff, 0xff, 0xff, 0x07]), malformed, "");
    add("bin_of_4_gib", AFTER, frame(0x12, &[0x91, 0xc6, 0xff, 0xff, 0xff, 0xff, 0x00]), malformed, "");
    add(
        "appended_field_17_deep",
        AFTER,
        frame(0x03, &[&[0x92, 0x07][..], &[0x91; 16], &[0xc0]].concat()),
        malformed,
        "values nest 16 deep at most",
    );
    add(
        "request_over_32_bits",
        AFTER,
        frame(0x13, &[&[0x93, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0][..], &direct(1, 2), &[1]].concat()),
        malformed,
        "",
    );
    add(
        "conversation_of_unknown_kind",
        AFTER,
        frame(0x13, &[0x93, 1, 0xc4, 9, b'x', 0, 0, 0, 0, 0, 0, 0, 1, 1]),
        malformed,
        "neither 'd' nor 'g'",
    );
    add(
        "conversation_too_short",
        AFTER,
        frame(0x13, &[0x93, 1, 0xc4, 8, b'g', 0, 0, 0, 0, 0, 0, 1, 1]),
        malformed,
        "",
    );
    add(
        "conversation_in_descending_order",
        AFTER,
        frame(0x13, &[&[0x93, 1][..], &direct(2, 1), &[1]].concat()),
        malformed,
        "the lower user comes first",
    );
    add(
        "conversation_with_user_0",
        AFTER,
        frame(0x13, &[&[0x93, 1][..], &direct(0, 1), &[1]].concat()),
        malformed,
        "ids begin at 1",
    );
    add(
        "conversation_with_user_2_pow_53",
        AFTER,
        frame(0x13, &[&[0x93, 1][..], &direct(1, 1 << 53), &[1]].concat()),
        malformed,
        "ids end at 2^53-1",
    );
    add(
        "text_for_a_body",
        AFTER,
        frame(
            0x10,
            &[&[0x95, 9][..], &direct(1001, 1002), &[0xc4, 16], &[1; 16], &[0xc0, 0xa2, b'h', b'i']].concat(),
        ),
        malformed,
        "a body is bin, not str",
    );
    add(
        "handle_that_is_bin",
        AFTER,
        frame(0x16, &[0x93, 1, 0xc4, 3, b'b', b'o', b'b', 0xc0]),
        malformed,
        "a handle is str, not bin",
    );
    add(
        "handle_with_a_space",
        AFTER,
        frame(0x16, &[0x93, 1, 0xa3, b'a', b' ', b'b', 0xc0]),
        malformed,
        "check what people type before asking",
    );
    add(
        "handle_of_33_characters",
        AFTER,
        frame(0x16, &[&[0x93, 1, 0xd9, 33][..], &[b'a'; 33], &[0xc0]].concat()),
        malformed,
        "",
    );

    add(
        "body_over_the_limit",
        AFTER,
        send(65_537),
        &[(BodyTooLarge, 9)],
        "one byte over; the body takes bin 32",
    );
    add("body_at_the_limit", AFTER, send(65_536), &[], "accepted");
    add("ack_of_what_was_not_pushed", AFTER, encode(&Ack { stamp: Stamp::MAX }).to_vec(), &[(BadAck, 0)], "");
    add("history_backwards", AFTER, history(2, 1), &[(BadRequest, 9)], "from is above to");
    add("history_from_0", AFTER, history(0, 1), &[(BadRequest, 9)], "sequence numbers begin at 1");
    add(
        "lookup_of_nothing",
        AFTER,
        frame(0x16, &[0x93, 9, 0xc0, 0xc0]),
        &[(BadRequest, 9)],
        "one of the two is given",
    );
    add(
        "lookup_of_both",
        AFTER,
        frame(0x16, &[0x93, 9, 0xa1, b'a', 0x01]),
        &[(BadRequest, 9)],
        "one of the two is given",
    );

    let bad = &[(BadRequest, 9)];
    add("group_without_a_name", AFTER, create("", &[2], 0), bad, "a name has 1 byte at least");
    add("group_named_with_spaces_only", AFTER, create("  ", &[2], 0), bad, "there must be something to see");
    add(
        "group_named_with_a_line_break",
        AFTER,
        create("a\nb", &[2], 0),
        bad,
        "a name has no control characters",
    );
    add("group_name_over_the_limit", AFTER, create(&"n".repeat(257), &[2], 0), bad, "one byte over 256");
    add(
        "group_name_at_the_limit",
        AFTER,
        create(&"n".repeat(256), &[2], 0),
        &[],
        "accepted, if there is a user 2",
    );
    add("group_with_a_member_twice", AFTER, create("n", &[2, 3, 2], 0), bad, "each is named once");
    add("group_of_one", AFTER, create("n", &[], 0), &[], "accepted: others can be added");
    add("group_with_257_members_at_once", AFTER, create("n", &numbers(257), 0), bad, "256 at once");
    add(
        "group_with_256_members_at_once",
        AFTER,
        create("n", &numbers(256), 0),
        &[],
        "accepted, if they exist",
    );
    add("group_backlog_over_the_limit", AFTER, create("n", &[2], 10_001), bad, "10000 at most");
    add(
        "group_members_that_are_bin",
        AFTER,
        frame(
            0x18,
            &[&[0x95, 9, 0xc4, 16][..], &[1; 16], &[0xa1, b'n', 0xc4, 2, 2, 3, 0x94, 0xc2, 0xc2, 0xc2, 0]]
                .concat(),
        ),
        malformed,
        "an array of numbers, not bytes",
    );
    add(
        "group_with_user_0",
        AFTER,
        frame(
            0x18,
            &[&[0x95, 9, 0xc4, 16][..], &[1; 16], &[0xa1, b'n', 0x91, 0, 0x94, 0xc2, 0xc2, 0xc2, 0]].concat(),
        ),
        malformed,
        "ids begin at 1",
    );
    add(
        "group_settings_with_a_number_for_a_bool",
        AFTER,
        frame(
            0x18,
            &[&[0x95, 9, 0xc4, 16][..], &[1; 16], &[0xa1, b'n', 0x90, 0x94, 0xc2, 0x01, 0xc2, 0]].concat(),
        ),
        malformed,
        "",
    );
    add("group_0", AFTER, frame(0x1b, &[0x92, 9, 0]), malformed, "ids begin at 1");
    add(
        "change_of_an_unknown_kind",
        AFTER,
        change(&[0x94, 12, 0x90, 0xa0, 0xc0]),
        bad,
        "nor what comes after 11",
    );
    add(
        "change_of_kind_256",
        AFTER,
        change(&[0x94, 0xcd, 1, 0, 0x90, 0xa0, 0xc0]),
        malformed,
        "a kind has 8 bits",
    );
    add(
        "change_that_creates",
        AFTER,
        change(&[0x94, 1, 0x91, 2, 0xa1, b'n', 0xc0]),
        bad,
        "only the server writes a group's first entry",
    );
    add("change_adding_nobody", AFTER, change(&[0x94, 2, 0x90, 0xa0, 0xc0]), bad, "somebody is named");
    add("change_removing_somebody_twice", AFTER, change(&[0x94, 3, 0x92, 2, 2, 0xa0, 0xc0]), bad, "");
    add(
        "change_leaving_to_somebody",
        AFTER,
        change(&[0x94, 4, 0x91, 2, 0xa0, 0xc0]),
        bad,
        "the server names the heir",
    );
    add("change_to_no_name", AFTER, change(&[0x94, 7, 0x90, 0xa0, 0xc0]), bad, "");
    add("change_to_no_description", AFTER, change(&[0x94, 8, 0x90, 0xa0, 0xc0]), &[], "accepted");
    add(
        "description_over_the_limit",
        AFTER,
        change(&[&[0x94, 8, 0x90, 0xda, 0x08, 0x01][..], &[b'a'; 2049], &[0xc0]].concat()),
        bad,
        "one byte over 2048",
    );
    add(
        "picture_over_the_limit",
        AFTER,
        change(&[&[0x94, 9, 0x90, 0xda, 0x02, 0x01][..], &[b'p'; 513], &[0xc0]].concat()),
        bad,
        "one byte over 512",
    );
    add(
        "change_to_no_settings",
        AFTER,
        change(&[0x94, 10, 0x90, 0xa0, 0xc0]),
        malformed,
        "kind 10 has settings",
    );
    add("change_without_its_last_field", AFTER, change(&[0x93, 11, 0x90, 0xa0]), malformed, "nil, but there");

    add("reference_of_an_unknown_kind", AFTER, send_about(6, 1), bad, "nor what comes after 5");
    add("reference_of_kind_0", AFTER, send_about(0, 1), bad, "kinds begin at 1");
    add("reaction_over_the_limit", AFTER, send_about(2, 513), bad, "one byte over 512");
    add("deletion_that_says_something", AFTER, send_about(4, 1), bad, "its body is empty");
    add("timer_that_says_something", AFTER, send_timer(0, 1, 5), bad, "its body is empty");
    add("timer_about_a_message", AFTER, send_timer(1, 0, 5), bad, "it names none: 0");
    add("timer_of_four_seconds", AFTER, send_timer(0, 0, 4), bad, "0 or 5 to 7776000");
    add("message_for_one_second", AFTER, send_for(1), bad, "0 or 5 to 7776000");
    add("message_for_over_ninety_days", AFTER, send_for(7_776_001), bad, "one second over 7776000");
    add(
        "edit_over_the_limit",
        AFTER,
        send_about(3, 65_537),
        &[(BodyTooLarge, 9)],
        "an edit has the body of any message",
    );
    add(
        "reference_of_kind_256",
        AFTER,
        frame(
            0x10,
            &[
                &[0x96, 9][..],
                &direct(1001, 1002),
                &[0xc4, 16],
                &[1; 16],
                &[0xc0, 0xc4, 1, 0, 0x92, 0xcd, 1, 0, 1],
            ]
            .concat(),
        ),
        malformed,
        "a kind has 8 bits",
    );
    add(
        "reference_that_is_a_number",
        AFTER,
        frame(
            0x10,
            &[&[0x96, 9][..], &direct(1001, 1002), &[0xc4, 16], &[1; 16], &[0xc0, 0xc4, 1, 0, 1]].concat(),
        ),
        malformed,
        "an array of kind and sequence number, or nil",
    );
    add(
        "history_with_a_number_for_a_bool",
        AFTER,
        frame(0x14, &[&[0x96, 9][..], &direct(1001, 1002), &[1, 2, 1, 0]].concat()),
        malformed,
        "`backwards` is true or false",
    );
    add("hide_nothing", AFTER, hide(0, 0), bad, "all up to a number, or some by theirs");
    add("hide_257_messages", AFTER, hide(0, 257), bad, "256 by their numbers at most");
    add("profile_name_over_the_limit", AFTER, set_profile(&"n".repeat(129), 0, 0), bad, "one byte over 128");
    add("profile_name_with_a_line_break", AFTER, set_profile("a\nb", 0, 0), bad, "no control characters");
    add("profile_about_over_the_limit", AFTER, set_profile("n", 513, 0), bad, "one byte over 512");
    add("profile_picture_over_the_limit", AFTER, set_profile("n", 0, 513), bad, "one byte over 512");
    add("profiles_of_65_users", AFTER, get_profiles(65), bad, "64 at once");
    add("find_257_people", AFTER, find_people(257), bad, "256 at once");
    add(
        "find_people_with_a_space",
        AFTER,
        frame(0x2e, &[0x92, 9, 0x92, 0xa1, b'a', 0xa3, b'a', b' ', b'b']),
        malformed,
        "check what an address book has before asking",
    );
    add("report_of_17_messages", AFTER, report(Some(chat()), 17, 0), bad, "16 at most");
    add("report_of_messages_of_nowhere", AFTER, report(None, 1, 0), bad, "messages are in a conversation");
    add("report_text_over_the_limit", AFTER, report(None, 0, 2049), bad, "one byte over 2048");
    add("watch_65_users", AFTER, watch(65, 0), bad, "64 at most");
    add("watch_9_conversations", AFTER, watch(0, 9), bad, "8 at most");
    add(
        "privacy_without_a_field",
        AFTER,
        frame(0x25, &[0x92, 9, 0x94, 0, 0, 0, 0]),
        malformed,
        "four audiences, and whether others learn what has been read",
    );
    add(
        "active_with_a_number",
        AFTER,
        frame(0x32, &[0x91, 1]),
        malformed,
        "true or false, also where there is no answer",
    );
    add("typing_of_kind_256", AFTER, typing(&[0xcd, 1, 0]), malformed, "what somebody does has 8 bits");
    add("a_notices_opcode", AFTER, frame(0x81, &[0x90]), &[(UnknownOpcode, 0)], "only servers send these");

    let mut message = |name, bytes, answers: &[(ErrorCode, u32)], note| {
        let answers = answers.iter().map(|&(code, request)| Answer { code, request }).collect();
        cases.push(Case { name, note, when: AFTER, websocket: true, bytes, answers });
    };
    message(
        "message_with_half_a_header",
        vec![0x10, 0x00, 0x03],
        malformed,
        "a WebSocket message holds whole frames",
    );
    message(
        "message_that_ends_inside_its_second_frame",
        [&heartbeat()[..], &heartbeat()[..8]].concat(),
        malformed,
        "the first frame is answered as usual",
    );
    message(
        "message_with_an_unknown_opcode_between",
        [heartbeat(), frame(0x3f, &[0x90]), heartbeat()].concat(),
        &[(UnknownOpcode, 0)],
        "both heartbeats are answered",
    );
    cases
}

fn direct(low: u64, high: u64) -> Vec<u8> {
    [&[0xc4, 17, b'd'][..], &low.to_be_bytes(), &high.to_be_bytes()].concat()
}

fn history(from: u64, to: u64) -> Vec<u8> {
    let history = History {
        request: RequestId::new(9),
        conversation: chat(),
        from: Seq::new(from),
        to: Seq::new(to),
        backwards: false,
        time_ms: 0,
    };
    encode(&history).to_vec()
}

/// Hex, where more than 64 equal bytes are written as their number.
fn bytes_json(bytes: &[u8]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut plain = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        if run.len() <= 64 {
            plain.extend_from_slice(run);
            continue;
        }
        parts.push(json(&hex(&plain)));
        plain.clear();
        parts.push(format!("{{\"repeat\": {}, \"times\": {}}}", json(&hex(&run[..1])), run.len()));
    }
    if !plain.is_empty() {
        parts.push(json(&hex(&plain)));
    }
    format!("[{}]", parts.join(", "))
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let part = |part: &Value| match part {
        Value::Text(text) => unhex(text),
        repeat => match repeat.field("times") {
            Value::Uint(times) => {
                unhex(repeat.field("repeat").text()).repeat(usize::try_from(*times).unwrap())
            }
            other => panic!("{other:?} times"),
        },
    };
    value.list().iter().flat_map(part).collect()
}

fn answer_json(answer: &Answer) -> String {
    format!(
        r#"{{"code": {}, "name": {}, "request": {}, "closes": {}}}"#,
        answer.code as u16,
        json(&format!("{:?}", answer.code)),
        answer.request,
        answer.code.closes()
    )
}

fn entry(case: &Case) -> Vec<(&'static str, String)> {
    let answers: Vec<String> = case.answers.iter().map(answer_json).collect();
    let mut members = vec![("name", json(&case.name))];
    if !case.note.is_empty() {
        members.push(("note", json(&case.note)));
    }
    members.push(("when", json(&case.when)));
    members.push(("transport", json(if case.websocket { &"websocket message" } else { &"stream" })));
    members.push(("bytes", bytes_json(&case.bytes)));
    members.push(("errors", format!("[{}]", answers.join(", "))));
    members
}

#[test]
fn the_committed_invalid_vectors_are_what_the_code_produces() {
    let about = [
        "Bytes a client must not send (a few beside them are at the limit), and the ERROR frames that answer them.",
        "bytes: parts to put together, hex or a byte repeated. when: before or after WELCOME.",
        "errors: in order; after one that closes nothing more is read. Answers other than ERROR are not shown.",
        "The server has pushed no event, and alice (user 1001) is connected.",
    ];
    let entries: Vec<_> = cases().iter().map(entry).collect();
    bless_or_compare(FILE, &file_text(&about, &entries));
}

#[test]
fn every_invalid_vector_is_answered_as_it_says() {
    for vector in entries(FILE) {
        let before = vector.field("when").text() == BEFORE;
        let websocket = vector.field("transport").text() == "websocket message";
        let given = answers(before, websocket, &bytes_of(vector.field("bytes")));
        let given: Vec<Value> =
            given.iter().map(|answer| serde_json::from_str(&answer_json(answer)).unwrap()).collect();
        assert_eq!(vector.field("errors"), &Value::List(given), "{}", vector.field("name").text());
    }
}

#[test]
fn a_clients_frames_in_the_vectors_are_all_valid() {
    let acks = |example: &examples::Example| example.opcode == Opcode::Ack;
    for example in examples::all().iter().filter(|example| !acks(example)) {
        let given = answers(example.opcode == Opcode::Hello, false, &example.frame);
        let of_server = [Answer { code: ErrorCode::UnknownOpcode, request: 0 }];
        assert!(given.is_empty() || given == of_server, "{}: {given:?}", example.name);
    }
}

#[test]
fn only_what_is_about_the_connection_closes_it() {
    for code in ErrorCode::ALL {
        assert_eq!(code.closes(), (code as u16) < 20 && code != ErrorCode::UnknownOpcode, "{code:?}");
        assert!(!(code.closes() && code.is_retryable()), "{code:?}");
    }
}
