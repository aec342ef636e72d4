//! How a user's conversations stand, are listed, and are shown.

use rookery_protocol::*;

use super::{
    Example, alice, biggest_message, bob, chat, dave, entry, example, group, message, message_id, request,
    stamp, team, user,
};

fn seqs(numbers: impl IntoIterator<Item = u64>) -> Vec<Seq> {
    numbers.into_iter().map(Seq::new).collect()
}

/// Sixteen sequence numbers, written in every width.
fn edge_seqs() -> Vec<Seq> {
    seqs((120..130).chain([255, 256, 65_535, 65_536, 1 << 32, u64::MAX]))
}

fn edge_settings() -> ConversationSettings {
    ConversationSettings { muted_until_ms: u64::MAX, archived: true, pinned: true, unread: true }
}

fn edge_conversation(number: u64) -> Conversation {
    Conversation {
        conversation: ConversationId::group(group(number)),
        settings: edge_settings(),
        first: Seq::new(u64::MAX),
        head: Seq::new(u64::MAX),
        read: Seq::new(u64::MAX),
        unread: u64::MAX,
        last: None,
        is_member: true,
        is_followed: true,
    }
}

/// Opcodes `0x21..=0x24` and `0x42`.
pub(crate) fn chats() -> Vec<Example> {
    let pinned = ConversationSettings { pinned: true, ..ConversationSettings::default() };
    let muted = ConversationSettings { muted_until_ms: 1_746_817_812_000, ..pinned };
    vec![
        example(
            "list_conversations_typical",
            "from the first on",
            ListConversations { request: request(30), after: None },
        ),
        example(
            "list_conversations_edge",
            "after the last that there can be: none",
            ListConversations {
                request: request(u32::MAX),
                after: Some(ConversationId::group(group(GroupId::MAX))),
            },
        ),
        example(
            "conversation_list_typical",
            "answers list_conversations_typical for dave: bob has written to him twice, and he is in the team since entry 2",
            ConversationList {
                request: request(30),
                conversations: vec![
                    Conversation {
                        conversation: ConversationId::direct(bob(), dave()),
                        settings: ConversationSettings::default(),
                        first: Seq::new(1),
                        head: Seq::new(2),
                        read: Seq::ZERO,
                        unread: 2,
                        last: Some(Message {
                            conversation: ConversationId::direct(bob(), dave()),
                            ..message(2, bob(), 2, message_id(0x31), Some(b"Welcome to the team"))
                        }),
                        is_member: true,
                        is_followed: false,
                    },
                    Conversation {
                        conversation: team(),
                        settings: pinned,
                        first: Seq::new(2),
                        head: Seq::new(4),
                        read: Seq::new(4),
                        unread: 0,
                        last: Some(entry(4, alice(), GroupChange::Promoted(vec![bob()]))),
                        is_member: true,
                        is_followed: false,
                    },
                ],
                more: false,
            },
        ),
        example(
            "conversation_list_left",
            "a group that the user has left with entry 3, of which nothing is kept any more",
            ConversationList {
                request: request(35),
                conversations: vec![Conversation {
                    conversation: team(),
                    settings: ConversationSettings::default(),
                    first: Seq::new(2),
                    head: Seq::new(3),
                    read: Seq::new(3),
                    unread: 0,
                    last: None,
                    is_member: false,
                    is_followed: false,
                }],
                more: false,
            },
        ),
        example(
            "conversation_list_empty",
            "answers list_conversations_edge",
            ConversationList { request: request(u32::MAX), conversations: Vec::new(), more: false },
        ),
        example(
            "conversation_list_edge",
            "16 conversations take array 16; the largest numbers; a last message that is hidden is nil; there are more",
            ConversationList {
                request: request(31),
                conversations: (1..=15)
                    .map(|number| Conversation {
                        settings: ConversationSettings::default(),
                        ..edge_conversation(number)
                    })
                    .chain([Conversation {
                        last: Some(biggest_message()),
                        ..edge_conversation(GroupId::MAX)
                    }])
                    .collect(),
                more: true,
            },
        ),
        example(
            "set_conversation_typical",
            "at the top, and no sound for eight hours",
            SetConversation { request: request(32), conversation: team(), settings: muted.clone() },
        ),
        example(
            "set_conversation_back",
            "as every conversation begins",
            SetConversation {
                request: request(33),
                conversation: chat(),
                settings: ConversationSettings::default(),
            },
        ),
        example(
            "set_conversation_edge",
            "everything, and no sound for good",
            SetConversation {
                request: request(u32::MAX),
                conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
                settings: edge_settings(),
            },
        ),
        example(
            "hide_some",
            "two messages, for alice only",
            Hide { request: request(34), conversation: chat(), up_to: Seq::ZERO, seqs: seqs([2, 5]) },
        ),
        example(
            "hide_all_so_far",
            "the conversation is cleared, for alice only",
            Hide { request: request(35), conversation: chat(), up_to: Seq::new(6), seqs: Vec::new() },
        ),
        example(
            "hide_edge",
            "16 numbers take array 16; beyond any head",
            Hide {
                request: request(u32::MAX),
                conversation: ConversationId::group(group(GroupId::MAX)),
                up_to: Seq::new(u64::MAX),
                seqs: edge_seqs(),
            },
        ),
        example(
            "conversation_event_listed",
            "follows set_conversation_typical, on all of the user's devices",
            ConversationEvent {
                stamp: stamp(0x80),
                shown: Shown {
                    conversation: team(),
                    settings: Some(muted),
                    up_to: Seq::ZERO,
                    seqs: Vec::new(),
                },
            },
        ),
        example(
            "conversation_event_hidden",
            "follows hide_some",
            ConversationEvent {
                stamp: stamp(0x81),
                shown: Shown { conversation: chat(), settings: None, up_to: Seq::ZERO, seqs: seqs([2, 5]) },
            },
        ),
        example(
            "conversation_event_cleared",
            "follows hide_all_so_far",
            ConversationEvent {
                stamp: stamp(0x82),
                shown: Shown { conversation: chat(), settings: None, up_to: Seq::new(6), seqs: Vec::new() },
            },
        ),
        example(
            "conversation_event_edge",
            "the largest numbers, and everything at once",
            ConversationEvent {
                stamp: Stamp::MAX,
                shown: Shown {
                    conversation: ConversationId::group(group(GroupId::MAX)),
                    settings: Some(edge_settings()),
                    up_to: Seq::new(u64::MAX),
                    seqs: edge_seqs(),
                },
            },
        ),
    ]
}
