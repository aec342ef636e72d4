//! Messages about messages: how they are sent, how they come, and what is left of what has been deleted.

use rookery_protocol::*;

use super::{Example, alice, biggest_message, bob, chat, example, message, message_id, request, stamp};

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
    example(name, note, Send { request, conversation: chat(), id, after: None, body, reference })
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

/// Opcodes `0x10`, `0x15` and `0x40`, with references.
pub(crate) fn references() -> Vec<Example> {
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
            "the longest reaction, to a message that cannot exist",
            Send {
                request: request(u32::MAX),
                conversation: chat(),
                id: MessageId::from_bytes([0xff; 16]),
                after: Some(MessageId::from_bytes([0xfe; 16])),
                body: Body::new(vec![0xee; limits::REACTION_BYTES_MAX]),
                reference: about(ReferenceKind::Reaction, u64::MAX),
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
