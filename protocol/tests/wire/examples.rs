//! The frames that the vectors show: each opcode as it usually looks, and at its edges.
//!
//! The usual ones tell one story, which `docs/protocol.md` follows: alice (device 1) writes to bob (device 2), and makes
//! a group with him and carol.

mod channels;
mod chats;
mod looking;
mod people;
mod references;

use bytes::Bytes;
use rookery_protocol::*;

pub(crate) use self::channels::channels;
pub(crate) use self::chats::chats;
pub(crate) use self::looking::looking;
pub(crate) use self::people::people;
pub(crate) use self::references::references;
use crate::vector_file::json;

/// One frame of the vectors.
#[derive(Clone)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) note: &'static str,
    pub(crate) opcode: Opcode,
    pub(crate) fields: String,
    pub(crate) frame: Bytes,
}

fn example<P: Payload>(name: &'static str, note: &'static str, payload: P) -> Example {
    Example { name, note, opcode: P::OPCODE, fields: json(&payload), frame: encode(&payload) }
}

pub(crate) fn user(number: u64) -> UserId {
    UserId::new(number).expect("an id")
}

pub(crate) fn alice() -> UserId {
    user(1001)
}

pub(crate) fn bob() -> UserId {
    user(1002)
}

pub(crate) fn carol() -> UserId {
    user(1003)
}

pub(crate) fn dave() -> UserId {
    user(1004)
}

pub(crate) fn chat() -> ConversationId {
    ConversationId::direct(alice(), bob())
}

pub(crate) fn group(number: u64) -> GroupId {
    GroupId::new(number).expect("an id")
}

pub(crate) fn team() -> ConversationId {
    ConversationId::group(group(77))
}

pub(crate) fn message_id(last: u8) -> MessageId {
    let mut bytes = *b"\x01\x96\xf0\xa1\xb2\xc3\x70\x01\x80\x01\0\0\0\0\0\0";
    bytes[15] = last;
    MessageId::from_bytes(bytes)
}

pub(crate) fn stamp(number: u64) -> Stamp {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Stamp::from_bytes(bytes)
}

fn handle(text: &str) -> Handle {
    text.parse().expect("a handle")
}

fn request(number: u32) -> RequestId {
    RequestId::new(number)
}

pub(crate) fn message(seq: u64, sender: UserId, device: u32, id: MessageId, body: Option<&[u8]>) -> Message {
    Message {
        conversation: chat(),
        seq: Seq::new(seq),
        sender,
        device: DeviceId::new(device),
        id,
        time_ms: 1_746_789_012_345 + seq,
        body: body.map(|bytes| Body::new(bytes.to_vec())),
        change: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
        reference: None,
    }
}

/// The entry of the team's log that says what has happened.
pub(crate) fn entry(seq: u64, sender: UserId, change: GroupChange) -> Message {
    let id = message_id(0x10 + u8::try_from(seq).expect("a short story"));
    Message { conversation: team(), change: Some(change), ..message(seq, sender, 1, id, None) }
}

fn mark(user: UserId, delivered: u64, read: u64, [delivered_ms, read_ms]: [u64; 2]) -> MemberMark {
    MemberMark { user, delivered: Seq::new(delivered), read: Seq::new(read), delivered_ms, read_ms }
}

fn edge_settings() -> GroupSettings {
    GroupSettings {
        only_admins_send: true,
        only_admins_edit: true,
        only_admins_add: true,
        backlog: u32::MAX,
        is_channel: true,
    }
}

/// Sixteen users, whose numbers are written in every width.
fn edge_users() -> Vec<UserId> {
    let small = (120..130).map(user);
    small.chain([255, 256, 65_535, 65_536, 1 << 32, UserId::MAX].map(user)).collect()
}

fn biggest_message() -> Message {
    Message {
        conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
        seq: Seq::new(u64::MAX),
        sender: user(UserId::MAX),
        device: DeviceId::new(u32::MAX),
        id: MessageId::from_bytes([0xff; 16]),
        time_ms: u64::MAX,
        body: Some(Body::new(vec![0xee; 300])),
        change: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
        reference: None,
    }
}

fn edge_nodes() -> Vec<String> {
    let long = format!("tls://{}.example:7443", "n".repeat(200 - "tls://.example:7443".len()));
    (1..=15).map(|number| format!("tls://n{number}.example:7443")).chain([long]).collect()
}

/// All of them, by opcode.
pub(crate) fn all() -> Vec<Example> {
    let first = [connection(), requests(), groups(), events(), group_events()];
    let later = [references(), chats(), people(), looking(), channels()];
    first.into_iter().chain(later).flatten().collect()
}

/// Opcodes `0x01..=0x0f`.
pub(crate) fn connection() -> Vec<Example> {
    vec![
        example(
            "hello_typical",
            "a new device: nothing stored yet, window left to the server",
            Hello {
                token: "token-of-alice-device-1".into(),
                client: "example 1.0".into(),
                resume: None,
                window_events: 0,
            },
        ),
        example(
            "hello_resume",
            "the device has stored everything up to a stamp and asks for a small window",
            Hello {
                token: "token-of-bob-device-2".into(),
                client: "example 1.0".into(),
                resume: Some(stamp(0x51)),
                window_events: 16,
            },
        ),
        example(
            "hello_largest",
            "token and client name at their limits, the largest numbers: still below the frame limit before WELCOME",
            Hello {
                token: "t".repeat(limits::TOKEN_BYTES_MAX),
                client: "c".repeat(limits::CLIENT_NAME_BYTES_MAX),
                resume: Some(Stamp::MAX),
                window_events: u32::MAX,
            },
        ),
        example(
            "hello_empty",
            "every field at its smallest",
            Hello {
                token: String::new(),
                client: String::new(),
                resume: Some(Stamp::ZERO),
                window_events: 0,
            },
        ),
        example(
            "welcome_typical",
            "to alice's new device: nothing acknowledged yet, all limits as usual, two nodes to know: a owns her session",
            Welcome {
                user: alice(),
                handle: handle("alice"),
                device: DeviceId::new(1),
                connection: 42,
                time_ms: 1_746_789_012_000,
                cursor: Stamp::ZERO,
                heartbeat_ms: limits::HEARTBEAT_MS,
                window_events: limits::WINDOW_EVENTS_DEFAULT,
                requests_in_flight: limits::REQUESTS_IN_FLIGHT_MAX,
                frame_bytes: limits::FRAME_BYTES_MAX as u32,
                body_bytes: limits::BODY_BYTES_MAX as u32,
                nodes: vec!["tls://a.chat.example:7443".into(), "tls://b.chat.example:7443".into()],
            },
        ),
        example(
            "welcome_edge",
            "the largest numbers, the shortest handle, no nodes",
            Welcome {
                user: user(UserId::MAX),
                handle: handle("a"),
                device: DeviceId::new(u32::MAX),
                connection: u64::MAX,
                time_ms: u64::MAX,
                cursor: Stamp::MAX,
                heartbeat_ms: u32::MAX,
                window_events: u32::MAX,
                requests_in_flight: u32::MAX,
                frame_bytes: u32::MAX,
                body_bytes: u32::MAX,
                nodes: Vec::new(),
            },
        ),
        example("heartbeat_typical", "", Heartbeat { nonce: 7 }),
        example("heartbeat_edge", "the largest nonce", Heartbeat { nonce: u64::MAX }),
        example("heartbeat_ack_typical", "answers heartbeat_typical", HeartbeatAck { nonce: 7 }),
        example("heartbeat_ack_edge", "answers heartbeat_edge", HeartbeatAck { nonce: u64::MAX }),
        example(
            "error_of_a_request",
            "request 9 may be sent again, with the same message id, after half a second",
            Error::new(request(9), ErrorCode::Unavailable, "the store cannot be reached"),
        ),
        example(
            "error_of_the_connection",
            "request 0: about the connection; code 8 closes it",
            Error::new(request(0), ErrorCode::TokenExpired, "the token has expired"),
        ),
        example(
            "error_unknown_code",
            "a code from the future: final for the request, no retry",
            Error {
                request: request(u32::MAX),
                code: u16::MAX,
                text: "\u{e9}".repeat(limits::TEXT_BYTES_MAX / 2),
                retry_after_ms: u32::MAX,
            },
        ),
        example(
            "goaway_typical",
            "the node stops: connect to the other one within the time given",
            Goaway {
                code: ErrorCode::Shutdown as u16,
                text: "this node is stopping".into(),
                reconnect_after_ms: 800,
                nodes: vec!["tls://b.chat.example:7443".into()],
            },
        ),
        example(
            "goaway_edge",
            "a code from the future, the longest wait, nothing to say and nowhere to point",
            Goaway { code: u16::MAX, text: String::new(), reconnect_after_ms: u32::MAX, nodes: Vec::new() },
        ),
        example("done_typical", "answers read_typical", Done { request: request(4) }),
        example("done_edge", "the largest request id", Done { request: request(u32::MAX) }),
        example(
            "nodes_typical",
            "to alice's device: node a has gone, c has come, and b owns her session now",
            Nodes { nodes: vec!["tls://b.chat.example:7443".into(), "tls://c.chat.example:7443".into()] },
        ),
        example(
            "nodes_edge",
            "16 nodes take array 16; a URL of 200 bytes takes str 8",
            Nodes { nodes: edge_nodes() },
        ),
        example(
            "nodes_empty",
            "none that clients could use: those the client knows",
            Nodes { nodes: Vec::new() },
        ),
    ]
}

/// Opcodes `0x10..=0x3f`.
pub(crate) fn requests() -> Vec<Example> {
    vec![
        example(
            "send_typical",
            "alice to bob",
            Send {
                request: request(2),
                conversation: chat(),
                id: message_id(1),
                after: None,
                body: Body::new("Hello, Bob".as_bytes()),
                reference: None,
                expires_s: 0,
            },
        ),
        example(
            "send_pipelined",
            "sent while send_typical is unanswered: `after` names it",
            Send {
                request: request(3),
                conversation: chat(),
                id: message_id(2),
                after: Some(message_id(1)),
                body: Body::new("Are you there?".as_bytes()),
                reference: None,
                expires_s: 0,
            },
        ),
        example(
            "send_group_empty_body",
            "to a group; the smallest body",
            Send {
                request: request(1),
                conversation: team(),
                id: MessageId::from_bytes([0; 16]),
                after: None,
                body: Body::default(),
                reference: None,
                expires_s: 0,
            },
        ),
        example(
            "send_edge",
            "notes to oneself, the largest ids; a body of 300 bytes takes bin 16",
            Send {
                request: request(u32::MAX),
                conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
                id: MessageId::from_bytes([0xff; 16]),
                after: Some(MessageId::from_bytes([0xfe; 16])),
                body: Body::new(vec![0xee; 300]),
                reference: None,
                expires_s: 0,
            },
        ),
        example(
            "sent_typical",
            "answers send_typical",
            Sent { request: request(2), seq: Seq::new(1), time_ms: 1_746_789_012_346 },
        ),
        example(
            "sent_pipelined",
            "answers send_pipelined",
            Sent { request: request(3), seq: Seq::new(2), time_ms: 1_746_789_012_347 },
        ),
        example(
            "sent_edge",
            "the largest numbers",
            Sent { request: request(u32::MAX), seq: Seq::new(u64::MAX), time_ms: u64::MAX },
        ),
        example("ack_typical", "message_event_typical is stored", Ack { stamp: stamp(0x52) }),
        example(
            "ack_edge",
            "the largest stamp; as an answer to what was pushed, never right",
            Ack { stamp: Stamp::MAX },
        ),
        example(
            "read_typical",
            "bob has read alice's first message",
            Read { request: request(4), conversation: chat(), seq: Seq::new(1) },
        ),
        example(
            "read_edge",
            "beyond any head: counts as the head",
            Read { request: request(u32::MAX), conversation: team(), seq: Seq::new(u64::MAX) },
        ),
        example(
            "history_typical",
            "messages 1 to 50",
            History {
                request: request(5),
                conversation: chat(),
                from: Seq::new(1),
                to: Seq::new(50),
                backwards: false,
                time_ms: 0,
            },
        ),
        example(
            "history_edge",
            "the largest numbers: a single message that cannot exist",
            History {
                request: request(u32::MAX),
                conversation: team(),
                from: Seq::new(u64::MAX),
                to: Seq::new(u64::MAX),
                backwards: false,
                time_ms: 0,
            },
        ),
        example(
            "history_backwards",
            "the last messages up to 50, and backwards from there",
            History {
                request: request(8),
                conversation: chat(),
                from: Seq::new(1),
                to: Seq::new(50),
                backwards: true,
                time_ms: 0,
            },
        ),
        example(
            "history_by_time",
            "from the first message on that was accepted then or later",
            History {
                request: request(9),
                conversation: chat(),
                from: Seq::new(1),
                to: Seq::new(u64::MAX),
                backwards: false,
                time_ms: 1_746_789_012_347,
            },
        ),
        example(
            "history_by_time_edge",
            "backwards from the latest time",
            History {
                request: request(u32::MAX),
                conversation: team(),
                from: Seq::new(1),
                to: Seq::new(u64::MAX),
                backwards: true,
                time_ms: u64::MAX,
            },
        ),
        example(
            "history_page_backwards",
            "answers history_backwards; the log has two messages, and before them there is nothing",
            HistoryPage {
                request: request(8),
                head: Seq::new(2),
                next: Seq::ZERO,
                messages: vec![
                    message(1, alice(), 1, message_id(1), Some(b"Hello, Bob")),
                    message(2, alice(), 1, message_id(2), Some(b"Are you there?")),
                ],
            },
        ),
        example(
            "history_page_typical",
            "answers history_typical; the log has two messages",
            HistoryPage {
                request: request(5),
                head: Seq::new(2),
                next: Seq::new(51),
                messages: vec![
                    message(1, alice(), 1, message_id(1), Some(b"Hello, Bob")),
                    message(2, alice(), 1, message_id(2), Some(b"Are you there?")),
                ],
            },
        ),
        example(
            "history_page_partial",
            "a page that ends early: ask again from 8. Message 6 no longer exists",
            HistoryPage {
                request: request(6),
                head: Seq::new(900),
                next: Seq::new(8),
                messages: vec![message(7, bob(), 2, message_id(7), Some(b"seven"))],
            },
        ),
        example(
            "history_page_empty",
            "an empty conversation",
            HistoryPage {
                request: request(u32::MAX),
                head: Seq::ZERO,
                next: Seq::new(51),
                messages: Vec::new(),
            },
        ),
        example(
            "history_page_edge",
            "16 messages take array 16; the largest numbers",
            HistoryPage {
                request: request(7),
                head: Seq::new(u64::MAX),
                next: Seq::new(u64::MAX),
                messages: (1..=15)
                    .map(|seq| message(seq, bob(), 2, message_id(seq as u8), Some(b"")))
                    .chain([biggest_message()])
                    .collect(),
            },
        ),
        example(
            "lookup_handle",
            "who is bob?",
            Lookup { request: request(1), handle: Some(handle("bob")), user: None },
        ),
        example(
            "lookup_user",
            "what is user 2^53-1 called?",
            Lookup { request: request(u32::MAX), handle: None, user: Some(user(UserId::MAX)) },
        ),
        example(
            "found_typical",
            "answers lookup_handle",
            Found { request: request(1), user: bob(), handle: handle("bob") },
        ),
        example(
            "found_edge",
            "the longest handle, with every kind of character",
            Found {
                request: request(u32::MAX),
                user: user(UserId::MAX),
                handle: handle("0abcdefghijklm.nopqrstuvwxyz_-19"),
            },
        ),
    ]
}

fn change_group(name: &'static str, note: &'static str, change: GroupChange) -> Example {
    example(name, note, ChangeGroup { request: request(12), group: group(77), id: message_id(0x12), change })
}

/// Opcodes `0x18..=0x20`.
pub(crate) fn groups() -> Vec<Example> {
    let relaxed = GroupSettings { only_admins_add: false, backlog: 100, ..GroupSettings::default() };
    vec![
        example(
            "create_group_typical",
            "alice makes a group with bob and carol; the settings are the usual ones",
            CreateGroup {
                request: request(10),
                id: message_id(0x11),
                name: "Team".into(),
                members: vec![bob(), carol()],
                settings: GroupSettings::default(),
            },
        ),
        example(
            "create_group_alone",
            "nobody else yet",
            CreateGroup {
                request: request(11),
                id: message_id(0x40),
                name: "\u{1f426}".into(),
                members: Vec::new(),
                settings: relaxed.clone(),
            },
        ),
        example(
            "create_group_edge",
            "the longest name, 16 members in every width, every setting",
            CreateGroup {
                request: request(u32::MAX),
                id: MessageId::from_bytes([0xff; 16]),
                name: "n".repeat(limits::GROUP_NAME_BYTES_MAX),
                members: edge_users(),
                settings: GroupSettings { backlog: limits::GROUP_BACKLOG_MAX, ..edge_settings() },
            },
        ),
        example(
            "group_created_typical",
            "answers create_group_typical: it is group 77",
            GroupCreated { request: request(10), group: group(77), time_ms: 1_746_789_012_346 },
        ),
        example(
            "group_created_edge",
            "the largest numbers",
            GroupCreated { request: request(u32::MAX), group: group(GroupId::MAX), time_ms: u64::MAX },
        ),
        change_group(
            "change_group_add",
            "alice, who is an admin, adds dave",
            GroupChange::Added(vec![dave()]),
        ),
        change_group("change_group_add_16", "16 users take array 16", GroupChange::Added(edge_users())),
        change_group(
            "change_group_remove",
            "bob and carol have to go",
            GroupChange::Removed(vec![bob(), carol()]),
        ),
        change_group("change_group_leave", "whoever asks", GroupChange::Left { successor: None }),
        change_group("change_group_promote", "bob becomes an admin", GroupChange::Promoted(vec![bob()])),
        change_group("change_group_demote", "bob is an admin no more", GroupChange::Demoted(vec![bob()])),
        change_group("change_group_name", "", GroupChange::Named("The team".into())),
        change_group("change_group_about", "", GroupChange::Described("Who builds the nest".into())),
        change_group(
            "change_group_picture",
            "a text that means something to clients",
            GroupChange::Pictured("https://media.example/nest.webp".into()),
        ),
        change_group("change_group_no_picture", "an empty text: none", GroupChange::Pictured(String::new())),
        change_group(
            "change_group_settings",
            "all of them, with whatever changes: everybody adds, and who is new sees 100 messages",
            GroupChange::Set(relaxed),
        ),
        change_group("change_group_delete", "", GroupChange::Deleted),
        example(
            "change_group_edge",
            "the largest numbers; a description of 2048 bytes takes str 16",
            ChangeGroup {
                request: request(u32::MAX),
                group: group(GroupId::MAX),
                id: MessageId::from_bytes([0xff; 16]),
                change: GroupChange::Described("a".repeat(limits::GROUP_ABOUT_BYTES_MAX)),
            },
        ),
        example(
            "sent_change",
            "answers change_group_add: it is the second entry",
            Sent { request: request(12), seq: Seq::new(2), time_ms: 1_746_789_012_347 },
        ),
        example("get_group_typical", "", GetGroup { request: request(13), group: group(77) }),
        example(
            "get_group_edge",
            "the largest numbers",
            GetGroup { request: request(u32::MAX), group: group(GroupId::MAX) },
        ),
        example(
            "group_typical",
            "answers get_group_typical: made with bob and carol, dave has been added",
            Group {
                request: request(13),
                group: group(77),
                name: "Team".into(),
                about: String::new(),
                picture: String::new(),
                settings: GroupSettings::default(),
                created_ms: 1_746_789_012_346,
                head: Seq::new(3),
                members: [(alice(), Role::Admin, 1), (bob(), Role::Member, 1), (carol(), Role::Member, 1)]
                    .into_iter()
                    .chain([(dave(), Role::Member, 2)])
                    .map(|(user, role, since)| GroupMember { user, role, since: Seq::new(since) })
                    .collect(),
                followers: 0,
            },
        ),
        example(
            "group_edge",
            "the longest texts, the largest numbers, 16 members",
            Group {
                request: request(u32::MAX),
                group: group(GroupId::MAX),
                name: "n".repeat(limits::GROUP_NAME_BYTES_MAX),
                about: "a".repeat(limits::GROUP_ABOUT_BYTES_MAX),
                picture: "p".repeat(limits::GROUP_PICTURE_BYTES_MAX),
                settings: edge_settings(),
                created_ms: u64::MAX,
                head: Seq::new(u64::MAX),
                members: edge_users()
                    .into_iter()
                    .map(|user| GroupMember { user, role: Role::Admin, since: Seq::new(u64::MAX) })
                    .collect(),
                followers: u64::MAX,
            },
        ),
        example("list_groups_typical", "from the first on", ListGroups { request: request(14), after: None }),
        example(
            "list_groups_edge",
            "after the largest: none",
            ListGroups { request: request(u32::MAX), after: Some(group(GroupId::MAX)) },
        ),
        example(
            "group_list_typical",
            "answers list_groups_typical",
            GroupList { request: request(14), groups: vec![group(77), group(4_000_000_000)], more: false },
        ),
        example(
            "group_list_empty",
            "answers list_groups_edge",
            GroupList { request: request(u32::MAX), groups: Vec::new(), more: false },
        ),
        example(
            "group_list_edge",
            "16 groups take array 16; there are more: ask for those after the last",
            GroupList {
                request: request(15),
                groups: (1..=15).chain([GroupId::MAX]).map(group).collect(),
                more: true,
            },
        ),
        example("get_receipts_typical", "", GetReceipts { request: request(16), conversation: team() }),
        example(
            "get_receipts_edge",
            "of two users as well; the largest numbers",
            GetReceipts {
                request: request(u32::MAX),
                conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
            },
        ),
        example(
            "receipts_typical",
            "answers get_receipts_typical: entry 3 has reached bob and carol, and bob has read it; when carol read entry 1 is not known, and nothing is of dave",
            Receipts {
                request: request(16),
                marks: vec![
                    mark(bob(), 3, 3, [1_746_789_012_500, 1_746_789_015_000]),
                    mark(carol(), 3, 1, [1_746_789_013_000, 0]),
                ],
            },
        ),
        example(
            "receipts_without_times",
            "the same, of a server that does not know when that was",
            Receipts {
                request: request(19),
                marks: vec![mark(bob(), 3, 3, [0; 2]), mark(carol(), 3, 1, [0; 2])],
            },
        ),
        example(
            "receipts_empty",
            "nothing is known of anybody else",
            Receipts { request: request(u32::MAX), marks: Vec::new() },
        ),
        example(
            "receipts_edge",
            "16 marks take array 16; the largest numbers",
            Receipts {
                request: request(17),
                marks: edge_users()
                    .into_iter()
                    .map(|user| mark(user, u64::MAX, u64::MAX, [u64::MAX; 2]))
                    .collect(),
            },
        ),
        example(
            "history_page_of_a_group",
            "dave, who was added by entry 2 and may see nothing from before, asks for 1 to 50",
            HistoryPage {
                request: request(18),
                head: Seq::new(3),
                next: Seq::new(51),
                messages: vec![
                    entry(2, alice(), GroupChange::Added(vec![dave()])),
                    Message {
                        conversation: team(),
                        ..message(3, alice(), 1, message_id(0x13), Some(b"Hello, all"))
                    },
                ],
            },
        ),
    ]
}

fn change_event(name: &'static str, note: &'static str, message: Message) -> Example {
    example(name, note, MessageEvent { stamp: stamp(0x60 + message.seq.get()), message })
}

/// Opcode `0x40`, with each kind of change.
pub(crate) fn group_events() -> Vec<Example> {
    let made = GroupChange::Created { members: vec![bob(), carol()], name: "Team".into() };
    let settings = GroupSettings { only_admins_add: false, backlog: 100, ..GroupSettings::default() };
    vec![
        change_event(
            "message_event_created",
            "alice has made the group: its first entry, the same for her, bob and carol",
            entry(1, alice(), made),
        ),
        change_event(
            "message_event_added",
            "alice has added dave, who gets this as his first",
            entry(2, alice(), GroupChange::Added(vec![dave()])),
        ),
        change_event(
            "message_event_in_a_group",
            "a message to the group, as bob's device gets it",
            Message { conversation: team(), ..message(3, alice(), 1, message_id(0x13), Some(b"Hello, all")) },
        ),
        change_event(
            "message_event_promoted",
            "",
            entry(4, alice(), GroupChange::Promoted(vec![bob(), carol()])),
        ),
        change_event("message_event_demoted", "", entry(5, bob(), GroupChange::Demoted(vec![carol()]))),
        change_event("message_event_named", "", entry(6, dave(), GroupChange::Named("The team".into()))),
        change_event(
            "message_event_described",
            "",
            entry(7, dave(), GroupChange::Described("Who builds the nest".into())),
        ),
        change_event(
            "message_event_pictured",
            "",
            entry(8, dave(), GroupChange::Pictured("https://media.example/nest.webp".into())),
        ),
        change_event("message_event_set", "", entry(9, alice(), GroupChange::Set(settings))),
        change_event(
            "message_event_removed",
            "bob has removed dave, who gets this as his last",
            entry(10, bob(), GroupChange::Removed(vec![dave()])),
        ),
        change_event(
            "message_event_left",
            "bob has left; alice is still an admin",
            entry(11, bob(), GroupChange::Left { successor: None }),
        ),
        change_event(
            "message_event_left_by_the_last_admin",
            "alice has left, and carol is the admin now",
            entry(12, alice(), GroupChange::Left { successor: Some(carol()) }),
        ),
        change_event("message_event_deleted", "the last entry", entry(13, carol(), GroupChange::Deleted)),
        example(
            "message_event_change_edge",
            "a kind from the future, and the largest numbers",
            MessageEvent {
                stamp: Stamp::MAX,
                message: Message {
                    body: None,
                    change: Some(GroupChange::Unknown(u8::MAX)),
                    conversation: ConversationId::group(group(GroupId::MAX)),
                    ..biggest_message()
                },
            },
        ),
        example(
            "message_event_set_edge",
            "the largest backlog that a number can say",
            MessageEvent {
                stamp: Stamp::MAX,
                message: entry(14, alice(), GroupChange::Set(edge_settings())),
            },
        ),
    ]
}

/// Opcodes `0x40..=0x7f`.
pub(crate) fn events() -> Vec<Example> {
    vec![
        example(
            "message_event_typical",
            "alice's first message, as bob's device gets it",
            MessageEvent {
                stamp: stamp(0x52),
                message: message(1, alice(), 1, message_id(1), Some(b"Hello, Bob")),
            },
        ),
        example(
            "message_event_own",
            "alice's first message, as the connection that sent it gets it: no body; her other devices get it with one",
            MessageEvent { stamp: stamp(0x52), message: message(1, alice(), 1, message_id(1), None) },
        ),
        example(
            "message_event_empty_body",
            "an empty body is not an absent one",
            MessageEvent { stamp: Stamp::ZERO, message: message(3, bob(), 2, message_id(3), Some(b"")) },
        ),
        example(
            "message_event_edge",
            "the largest numbers; 300 bytes of body take bin 16",
            MessageEvent { stamp: Stamp::MAX, message: biggest_message() },
        ),
        example(
            "receipt_event_delivered",
            "alice learns: bob's device has stored message 1",
            ReceiptEvent {
                stamp: stamp(0x53),
                receipt: Receipt {
                    conversation: chat(),
                    user: bob(),
                    delivered: Seq::new(1),
                    read: Seq::ZERO,
                },
            },
        ),
        example(
            "receipt_event_read",
            "alice learns: bob has read message 1",
            ReceiptEvent {
                stamp: stamp(0x54),
                receipt: Receipt {
                    conversation: chat(),
                    user: bob(),
                    delivered: Seq::new(1),
                    read: Seq::new(1),
                },
            },
        ),
        example(
            "receipt_event_edge",
            "the largest numbers",
            ReceiptEvent {
                stamp: Stamp::MAX,
                receipt: Receipt {
                    conversation: team(),
                    user: user(UserId::MAX),
                    delivered: Seq::new(u64::MAX),
                    read: Seq::new(u64::MAX),
                },
            },
        ),
    ]
}
