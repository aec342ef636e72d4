//! What is only for those who are looking.

use rookery_protocol::*;

use super::{Example, bob, carol, chat, dave, edge_users, example, group, mark, request, team, user};

/// Opcodes `0x31..=0x33` and `0x80..=0x82`.
pub(crate) fn looking() -> Vec<Example> {
    vec![
        example(
            "watch_typical",
            "alice has two people on her screen, and the team open",
            Watch { request: request(60), users: vec![bob(), carol()], conversations: vec![team()] },
        ),
        example(
            "watch_nothing",
            "the app is put away",
            Watch { request: request(61), users: Vec::new(), conversations: Vec::new() },
        ),
        example(
            "watch_edge",
            "16 users take array 16; as many conversations as may be open",
            Watch {
                request: request(u32::MAX),
                users: edge_users(),
                conversations: [chat(), ConversationId::direct(user(UserId::MAX), user(UserId::MAX))]
                    .into_iter()
                    .chain((0..6).map(|below| ConversationId::group(group(GroupId::MAX - below))))
                    .collect(),
            },
        ),
        example("active_there", "somebody is at this device", Active { active: true }),
        example("active_away", "nobody is", Active { active: false }),
        example(
            "typing_typical",
            "bob writes to the team",
            Typing { conversation: team(), doing: Doing::Typing },
        ),
        example(
            "typing_stopped",
            "he has thought better of it",
            Typing { conversation: team(), doing: Doing::Nothing },
        ),
        example(
            "typing_edge",
            "recording; the largest conversation id",
            Typing {
                conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
                doing: Doing::Recording,
            },
        ),
        example(
            "presence_notice_typical",
            "follows watch_typical at once: bob is there, carol has not been since then",
            PresenceNotice {
                people: vec![
                    Presence { user: bob(), availability: Availability::Online, last_seen_ms: 0 },
                    Presence {
                        user: carol(),
                        availability: Availability::Offline,
                        last_seen_ms: 1_746_788_940_000,
                    },
                ],
            },
        ),
        example(
            "presence_notice_idle",
            "bob has done nothing for a while",
            PresenceNotice {
                people: vec![Presence { user: bob(), availability: Availability::Idle, last_seen_ms: 0 }],
            },
        ),
        example(
            "presence_notice_offline",
            "bob has gone, or wants nobody to know; when that was is not known, or hidden",
            PresenceNotice {
                people: vec![Presence { user: bob(), availability: Availability::Offline, last_seen_ms: 0 }],
            },
        ),
        example(
            "presence_notice_edge",
            "16 people take array 16; the largest numbers",
            PresenceNotice {
                people: edge_users()
                    .into_iter()
                    .map(|user| Presence { user, availability: Availability::Online, last_seen_ms: u64::MAX })
                    .collect(),
            },
        ),
        example(
            "typing_notice_typical",
            "follows typing_typical, at alice's device",
            TypingNotice { conversation: team(), user: bob(), doing: Doing::Typing },
        ),
        example(
            "typing_notice_stopped",
            "follows typing_stopped",
            TypingNotice { conversation: team(), user: bob(), doing: Doing::Nothing },
        ),
        example(
            "typing_notice_edge",
            "recording; the largest numbers",
            TypingNotice {
                conversation: ConversationId::group(group(GroupId::MAX)),
                user: user(UserId::MAX),
                doing: Doing::Recording,
            },
        ),
        example(
            "receipts_notice_typical",
            "carol has read entry 3 now, and it has reached dave",
            ReceiptsNotice {
                conversation: team(),
                marks: vec![
                    mark(carol(), 3, 3, [1_746_789_013_000, 1_746_789_020_000]),
                    mark(dave(), 3, 0, [1_746_789_021_000, 0]),
                ],
            },
        ),
        example(
            "receipts_notice_edge",
            "16 marks take array 16; the largest numbers",
            ReceiptsNotice {
                conversation: ConversationId::group(group(GroupId::MAX)),
                marks: edge_users()
                    .into_iter()
                    .map(|user| mark(user, u64::MAX, u64::MAX, [u64::MAX; 2]))
                    .collect(),
            },
        ),
    ]
}
