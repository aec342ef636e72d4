//! Messages about messages: how they are sent, how they come, and what is left of what has been deleted.

use rookery_protocol::*;

use super::{Example, alice, biggest_message, bob, chat, example, message, message_id, request, stamp};

const DAY_S: u32 = 24 * 3600;

fn about(kind: ReferenceKind, seq: u64) -> Option<Reference> {
    Some(Reference { kind, seq: Seq::new(seq) })
}

fn send(
    name: &'static str,
    note: &'static str,
    number: u32,
    body: &[u8],
    reference: Option<Reference>,
) -> Example {
    let id = message_id(u8::try_from(number).expect("a short story"));
    let body = Body::new(body.to_vec());
    let request = request(number);
    example(
        name,
        note,
        Send { request, conversation: chat(), id, after: None, body, reference, expires_s: 0 },
    )
}

/// The same, but it is gone after `expires_s`.
fn send_for(
    name: &'static str,
    note: &'static str,
    (number, expires_s): (u32, u32),
    body: &[u8],
    reference: Option<Reference>,
) -> Example {
    let id = message_id(u8::try_from(number).expect("a short story"));
    let (request, body) = (request(number), Body::new(body.to_vec()));
    example(name, note, Send { request, conversation: chat(), id, after: None, body, reference, expires_s })
}

/// Messages of bob's and alice's that are gone after a day, and what says so.
fn passing() -> Vec<Message> {
    let timer = Message {
        reference: about(ReferenceKind::Timer, 0),
        timer_s: DAY_S,
        ..message(7, bob(), 2, message_id(0x25), Some(b""))
    };
    let passing = message(8, alice(), 1, message_id(0x26), Some(b"The code is 1234"));
    let passing = Message { expires_ms: passing.time_ms + 1000 * u64::from(DAY_S), ..passing };
    let off = Message {
        reference: about(ReferenceKind::Timer, 0),
        ..message(9, bob(), 2, message_id(0x27), Some(b""))
    };
    vec![timer, passing, off]
}

fn event(name: &'static str, note: &'static str, message: Message) -> Example {
    example(name, note, MessageEvent { stamp: stamp(0x70 + message.seq.get()), message })
}

/// What the conversation of alice and bob goes on with.
fn story() -> Vec<Message> {
    let reply = Message {
        reference: about(ReferenceKind::Reply, 2),
        ..message(3, bob(), 2, message_id(0x20), Some(b"Yes"))
    };
    let reaction = Message {
        reference: about(ReferenceKind::Reaction, 3),
        ..message(4, alice(), 1, message_id(0x21), Some("\u{1f44d}".as_bytes()))
    };
    let edit = Message {
        reference: about(ReferenceKind::Edit, 2),
        ..message(5, alice(), 1, message_id(0x22), Some(b"Are you there, Bob?"))
    };
    let deletion = Message {
        reference: about(ReferenceKind::Delete, 2),
        ..message(6, alice(), 1, message_id(0x23), Some(b""))
    };
    vec![reply, reaction, edit, deletion]
}

/// A message as it is once it has been deleted.
pub(super) fn deleted(message: Message) -> Message {
    Message { body: None, deleted: true, ..message }
}

/// Opcodes `0x10`, `0x15` and `0x40`, with messages that disappear.
fn timers() -> Vec<Example> {
    let [timer, passing, off] = passing().try_into().expect("three messages");
    let kind = about(ReferenceKind::Timer, 0);
    vec![
        send_for("send_timer", "bob: messages are gone after a day from here on", (0x25, DAY_S), b"", kind),
        send_for(
            "send_passing",
            "alice's client has learnt that, and says so of what she writes",
            (0x26, DAY_S),
            b"The code is 1234",
            None,
        ),
        send_for("send_no_timer", "bob: messages stay again", (0x27, 0), b"", kind),
        event("message_event_timer", "bob's timer, as alice's device gets it", timer.clone()),
        event("message_event_passing", "alice's message, as bob's device gets it", passing.clone()),
        event("message_event_no_timer", "the end of it, as alice's device gets it", off.clone()),
        event(
            "message_event_of_an_expired_message",
            "alice's message, as a device gets it that comes a day later",
            deleted(passing.clone()),
        ),
        example(
            "history_page_with_an_expired_message",
            "message 8, a day later, says nothing any more; what made it so stays",
            HistoryPage {
                request: request(26),
                head: Seq::new(9),
                next: Seq::new(10),
                messages: vec![timer, deleted(passing), off],
            },
        ),
    ]
}

/// Opcodes `0x10`, `0x15` and `0x40`, with references.
pub(crate) fn references() -> Vec<Example> {
    let mut examples = about_messages();
    examples.extend(timers());
    examples
}

fn about_messages() -> Vec<Example> {
    let [reply, reaction, edit, deletion] = story().try_into().expect("four messages");
    vec![
        send(
            "send_reply",
            "bob answers alice's second message",
            0x20,
            b"Yes",
            about(ReferenceKind::Reply, 2),
        ),
        send(
            "send_reaction",
            "alice reacts to his; in the place of any earlier reaction of hers",
            0x21,
            "\u{1f44d}".as_bytes(),
            about(ReferenceKind::Reaction, 3),
        ),
        send(
            "send_no_reaction",
            "an empty body: alice takes her reaction back",
            0x24,
            b"",
            about(ReferenceKind::Reaction, 3),
        ),
        send(
            "send_edit",
            "alice's second message says something else from now on",
            0x22,
            b"Are you there, Bob?",
            about(ReferenceKind::Edit, 2),
        ),
        send("send_delete", "and now nothing, for anyone", 0x23, b"", about(ReferenceKind::Delete, 2)),
        example(
            "send_reference_edge",
            "the longest reaction, for the longest time, to a message that cannot exist",
            Send {
                request: request(u32::MAX),
                conversation: chat(),
                id: MessageId::from_bytes([0xff; 16]),
                after: Some(MessageId::from_bytes([0xfe; 16])),
                body: Body::new(vec![0xee; limits::REACTION_BYTES_MAX]),
                reference: about(ReferenceKind::Reaction, u64::MAX),
                expires_s: limits::EXPIRES_S_MAX,
            },
        ),
        event("message_event_reply", "bob's answer, as alice's device gets it", reply.clone()),
        event("message_event_reaction", "alice's reaction, as bob's device gets it", reaction.clone()),
        event(
            "message_event_own_reaction",
            "the same, as the connection that sent it gets it: the body is in the outbox",
            Message { body: None, ..reaction.clone() },
        ),
        event("message_event_edit", "alice's edit, as bob's device gets it", edit.clone()),
        event("message_event_delete", "alice's deletion, as bob's device gets it", deletion.clone()),
        event(
            "message_event_of_a_deleted_message",
            "alice's second message, as a device gets it that comes after the deletion",
            deleted(message(2, alice(), 1, message_id(2), Some(b"Are you there?"))),
        ),
        example(
            "message_event_reference_edge",
            "a kind from the future, and the largest numbers",
            MessageEvent {
                stamp: Stamp::MAX,
                message: Message {
                    reference: about(ReferenceKind::Unknown(u8::MAX), u64::MAX),
                    expires_ms: u64::MAX,
                    timer_s: u32::MAX,
                    ..biggest_message()
                },
            },
        ),
        example(
            "history_page_with_a_deleted_message",
            "message 2, deleted by entry 6, says nothing any more, nor does its edit, entry 5",
            HistoryPage {
                request: request(25),
                head: Seq::new(6),
                next: Seq::new(7),
                messages: vec![
                    message(1, alice(), 1, message_id(1), Some(b"Hello, Bob")),
                    deleted(message(2, alice(), 1, message_id(2), Some(b"Are you there?"))),
                    reply,
                    reaction,
                    deleted(edit),
                    deletion,
                ],
            },
        ),
    ]
}
