//! Channels: who follows them, and what comes to those.

use rookery_protocol::*;

use super::{
    Example, alice, biggest_message, edge_settings, example, group, message, message_id, request, stamp, user,
};

fn news() -> GroupId {
    group(91)
}

fn last_of_two() -> ConversationId {
    let last = user(UserId::MAX);
    ConversationId::direct(last, last)
}

fn settings() -> GroupSettings {
    GroupSettings {
        only_admins_send: true,
        only_admins_edit: true,
        is_channel: true,
        ..GroupSettings::default()
    }
}

fn post(seq: u64, id: u8, body: &[u8]) -> Message {
    Message {
        conversation: ConversationId::group(news()),
        ..message(seq, alice(), 1, message_id(id), Some(body))
    }
}

/// Opcodes `0x34` and `0x83`, and what others say of channels.
pub(crate) fn channels() -> Vec<Example> {
    vec![
        example(
            "create_group_channel",
            "alice makes a channel, in which she alone sends",
            CreateGroup {
                request: request(70),
                id: message_id(0x70),
                name: "News".into(),
                members: Vec::new(),
                settings: settings(),
            },
        ),
        example(
            "group_created_channel",
            "answers create_group_channel: it is group 91",
            GroupCreated { request: request(70), group: news(), time_ms: 1_746_789_020_000 },
        ),
        example(
            "get_group_channel",
            "bob, who is no member, asks what it is",
            GetGroup { request: request(71), group: news() },
        ),
        example(
            "group_channel",
            "answers get_group_channel: only members learn who the members are",
            Group {
                request: request(71),
                group: news(),
                name: "News".into(),
                about: "What is new in the nest".into(),
                picture: String::new(),
                settings: settings(),
                created_ms: 1_746_789_020_000,
                head: Seq::new(2),
                members: Vec::new(),
                followers: 4711,
            },
        ),
        example(
            "follow_typical",
            "bob follows it; DONE answers",
            Follow { request: request(72), group: news(), follow: true },
        ),
        example(
            "follow_no_more",
            "bob has had enough of it; DONE answers",
            Follow { request: request(73), group: news(), follow: false },
        ),
        example(
            "follow_edge",
            "the largest numbers",
            Follow { request: request(u32::MAX), group: group(GroupId::MAX), follow: true },
        ),
        example(
            "account_event_followed",
            "follows follow_typical, on all of bob's devices: ask LIST_CONVERSATIONS",
            AccountEvent { stamp: stamp(0x86), part: AccountPart::Followed, person: None },
        ),
        example(
            "list_conversations_channels",
            "groups and channels alone: those after the last conversation of two that there can be",
            ListConversations { request: request(74), after: Some(last_of_two()) },
        ),
        example(
            "conversation_list_channels",
            "answers list_conversations_channels: bob has read all that was there when he began to follow it",
            ConversationList {
                request: request(74),
                conversations: vec![Conversation {
                    conversation: ConversationId::group(news()),
                    settings: ConversationSettings::default(),
                    first: Seq::new(1),
                    head: Seq::new(3),
                    read: Seq::new(2),
                    unread: 1,
                    last: Some(post(3, 0x73, b"The eggs have hatched")),
                    is_member: false,
                    is_followed: true,
                }],
                more: false,
            },
        ),
        example(
            "channel_notice_typical",
            "alice has said something, and bob is there",
            ChannelNotice { message: post(3, 0x73, b"The eggs have hatched") },
        ),
        example(
            "channel_notice_edit",
            "alice has edited it",
            ChannelNotice {
                message: Message {
                    reference: Some(Reference { kind: ReferenceKind::Edit, seq: Seq::new(3) }),
                    ..post(4, 0x74, b"Four eggs have hatched")
                },
            },
        ),
        example(
            "channel_notice_change",
            "alice has changed the channel's settings",
            ChannelNotice {
                message: Message {
                    body: None,
                    change: Some(GroupChange::Set(edge_settings())),
                    ..post(5, 0x75, b"")
                },
            },
        ),
        example(
            "channel_notice_edge",
            "the largest numbers",
            ChannelNotice {
                message: Message {
                    conversation: ConversationId::group(group(GroupId::MAX)),
                    ..biggest_message()
                },
            },
        ),
    ]
}
