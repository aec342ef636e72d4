//! Any frame at all.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use rookery_protocol::*;

prop_compose! {
    fn user()(number in prop_oneof![1..=300_u64, 1..=UserId::MAX]) -> UserId { UserId::new(number).unwrap() }
}
prop_compose! {
    pub(crate) fn handle()(text in "[a-z0-9][a-z0-9._-]{0,31}") -> Handle { text.parse().unwrap() }
}
prop_compose! {
    fn device()(number: u32) -> DeviceId { DeviceId::new(number) }
}
prop_compose! {
    fn seq()(number in prop_oneof![0..300_u64, any::<u64>()]) -> Seq { Seq::new(number) }
}
prop_compose! {
    fn request()(number in prop_oneof![0..300_u32, any::<u32>()]) -> RequestId { RequestId::new(number) }
}
prop_compose! {
    pub(crate) fn message_id()(bytes: [u8; 16]) -> MessageId { MessageId::from_bytes(bytes) }
}
prop_compose! {
    pub(crate) fn stamp()(bytes: [u8; 12]) -> Stamp { Stamp::from_bytes(bytes) }
}
prop_compose! {
    fn body()(bytes in vec(any::<u8>(), 0..600)) -> Body { Body::new(bytes) }
}

prop_compose! {
    fn group()(number in 1..=GroupId::MAX) -> GroupId { GroupId::new(number).unwrap() }
}
prop_compose! {
    fn settings()(
        (only_admins_send, only_admins_edit, only_admins_add, is_channel) in any::<(bool, bool, bool, bool)>(),
        backlog: u32,
    ) -> GroupSettings {
        GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog, is_channel }
    }
}
prop_compose! {
    fn member()(user in user(), is_admin: bool, since in seq()) -> GroupMember {
        GroupMember { user, role: if is_admin { Role::Admin } else { Role::Member }, since }
    }
}
prop_compose! {
    fn mark()(user in user(), delivered in seq(), read in seq(), delivered_ms: u64, read_ms: u64) -> MemberMark {
        MemberMark { user, delivered, read, delivered_ms, read_ms }
    }
}
prop_compose! {
    fn reference()(kind: u8, seq in seq()) -> Reference { Reference { kind: kind.into(), seq } }
}
prop_compose! {
    fn conversation_settings()(
        muted_until_ms: u64, (archived, pinned, unread) in any::<(bool, bool, bool)>(),
    ) -> ConversationSettings {
        ConversationSettings { muted_until_ms, archived, pinned, unread }
    }
}
prop_compose! {
    fn privacy()(
        (last_seen, online, profile, groups) in any::<(u8, u8, u8, u8)>(), read_receipts: bool,
    ) -> PrivacySettings {
        PrivacySettings {
            last_seen: last_seen.into(), online: online.into(), profile: profile.into(), groups: groups.into(),
            read_receipts,
        }
    }
}
prop_compose! {
    fn profile()(name in ".{0,60}", about in ".{0,100}", picture in ".{0,100}") -> Profile {
        Profile { name, about, picture }
    }
}
prop_compose! {
    fn person()(
        user in user(), (is_contact, is_excepted, is_blocked) in any::<(bool, bool, bool)>(),
    ) -> Person {
        Person { user, is_contact, is_excepted, is_blocked }
    }
}

fn users() -> impl Strategy<Value = Vec<UserId>> {
    vec(user(), 0..20)
}

pub(crate) fn change() -> impl Strategy<Value = GroupChange> {
    prop_oneof![
        (users(), ".{0,60}").prop_map(|(members, name)| GroupChange::Created { members, name }),
        users().prop_map(GroupChange::Added),
        users().prop_map(GroupChange::Removed),
        option::of(user()).prop_map(|successor| GroupChange::Left { successor }),
        users().prop_map(GroupChange::Promoted),
        users().prop_map(GroupChange::Demoted),
        ".{0,60}".prop_map(GroupChange::Named),
        ".{0,300}".prop_map(GroupChange::Described),
        ".{0,100}".prop_map(GroupChange::Pictured),
        settings().prop_map(GroupChange::Set),
        Just(GroupChange::Deleted),
        (12..=u8::MAX).prop_map(GroupChange::Unknown),
    ]
}

pub(crate) fn conversation() -> impl Strategy<Value = ConversationId> {
    prop_oneof![
        (user(), user()).prop_map(|(a, b)| ConversationId::direct(a, b)),
        group().prop_map(ConversationId::group),
    ]
}

prop_compose! {
    fn message()(
        conversation in conversation(), seq in seq(), sender in user(), device in device(), id in message_id(),
        time_ms: u64, body in option::of(body()), change in option::of(change()), reference in option::of(reference()),
        deleted: bool, (expires_ms, timer_s) in any::<(u64, u32)>(),
    ) -> Message {
        Message {
            conversation, seq, sender, device, id, time_ms, body, change, reference, deleted, expires_ms, timer_s,
        }
    }
}

prop_compose! {
    fn welcome()(
        (user, handle, device) in (user(), handle(), device()), connection: u64, time_ms: u64, cursor in stamp(),
        (heartbeat_ms, window_events, requests_in_flight, frame_bytes, body_bytes) in any::<(u32, u32, u32, u32, u32)>(),
        nodes in vec(".{0,60}", 0..20),
    ) -> Welcome {
        Welcome {
            user, handle, device, connection, time_ms, cursor, heartbeat_ms, window_events, requests_in_flight,
            frame_bytes, body_bytes, nodes,
        }
    }
}

/// Any frame of a client.
pub(crate) fn client_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![messaging_frame(), chats_frame(), people_frame(), looking_frame(), channels_frame()]
}

fn messaging_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        (".{0,300}", ".{0,64}", option::of(stamp()), any::<u32>()).prop_map(
            |(token, client, resume, window_events)| Hello { token, client, resume, window_events }.into()
        ),
        any::<u64>().prop_map(|nonce| Heartbeat { nonce }.into()),
        (
            request(),
            conversation(),
            message_id(),
            option::of(message_id()),
            body(),
            option::of(reference()),
            any::<u32>()
        )
            .prop_map(|(request, conversation, id, after, body, reference, expires_s)| {
                Send { request, conversation, id, after, body, reference, expires_s }.into()
            }),
        stamp().prop_map(|stamp| Ack { stamp }.into()),
        (request(), conversation(), seq()).prop_map(|(request, conversation, seq)| Read {
            request,
            conversation,
            seq
        }
        .into()),
        (request(), conversation(), seq(), seq(), any::<bool>(), any::<u64>()).prop_map(
            |(request, conversation, from, to, backwards, time_ms)| {
                History { request, conversation, from, to, backwards, time_ms }.into()
            }
        ),
        (request(), option::of(handle()), option::of(user())).prop_map(|(request, handle, user)| Lookup {
            request,
            handle,
            user
        }
        .into()),
        (request(), message_id(), ".{0,60}", users(), settings()).prop_map(
            |(request, id, name, members, settings)| {
                CreateGroup { request, id, name, members, settings }.into()
            }
        ),
        (request(), group(), message_id(), change()).prop_map(|(request, group, id, change)| ChangeGroup {
            request,
            group,
            id,
            change
        }
        .into()),
        (request(), group()).prop_map(|(request, group)| GetGroup { request, group }.into()),
        (request(), option::of(group())).prop_map(|(request, after)| ListGroups { request, after }.into()),
        (request(), conversation())
            .prop_map(|(request, conversation)| GetReceipts { request, conversation }.into()),
    ]
}

fn chats_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        (request(), option::of(conversation())).prop_map(|(request, after)| ListConversations {
            request,
            after
        }
        .into()),
        (request(), conversation(), conversation_settings()).prop_map(|(request, conversation, settings)| {
            SetConversation { request, conversation, settings }.into()
        }),
        (request(), conversation(), seq(), vec(seq(), 0..20)).prop_map(
            |(request, conversation, up_to, seqs)| Hide { request, conversation, up_to, seqs }.into()
        ),
    ]
}

fn people_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        (request(), privacy()).prop_map(|(request, privacy)| SetPrivacy { request, privacy }.into()),
        request().prop_map(|request| GetPrivacy { request }.into()),
        (request(), profile()).prop_map(|(request, profile)| SetProfile { request, profile }.into()),
        (request(), users()).prop_map(|(request, users)| GetProfiles { request, users }.into()),
        (request(), person()).prop_map(|(request, person)| SetPerson { request, person }.into()),
        (request(), option::of(user())).prop_map(|(request, after)| ListPeople { request, after }.into()),
        (request(), vec(handle(), 0..20))
            .prop_map(|(request, handles)| FindPeople { request, handles }.into()),
        (request(), user(), option::of(conversation()), vec(seq(), 0..20), ".{0,300}").prop_map(
            |(request, user, conversation, seqs, text)| {
                Report { request, user, conversation, seqs, text }.into()
            }
        ),
    ]
}

fn looking_frame() -> impl Strategy<Value = ClientFrame> {
    prop_oneof![
        (request(), users(), vec(conversation(), 0..10))
            .prop_map(|(request, users, conversations)| { Watch { request, users, conversations }.into() }),
        any::<bool>().prop_map(|active| Active { active }.into()),
        (conversation(), any::<u8>()).prop_map(|(conversation, doing)| Typing {
            conversation,
            doing: doing.into()
        }
        .into()),
    ]
}

fn channels_frame() -> impl Strategy<Value = ClientFrame> {
    (request(), group(), any::<bool>())
        .prop_map(|(request, group, follow)| Follow { request, group, follow }.into())
}

/// Any frame of a server.
pub(crate) fn server_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![answer_frame(), list_frame(), event_frame(), notice_frame()]
}

fn answer_frame() -> impl Strategy<Value = ServerFrame> {
    prop_oneof![
        welcome().prop_map_into(),
        any::<u64>().prop_map(|nonce| HeartbeatAck { nonce }.into()),
        (request(), any::<u16>(), ".{0,128}", any::<u32>()).prop_map(
            |(request, code, text, retry_after_ms)| Error { request, code, text, retry_after_ms }.into()
        ),
        (any::<u16>(), ".{0,128}", any::<u32>(), vec(".{0,60}", 0..20)).prop_map(
            |(code, text, reconnect_after_ms, nodes)| Goaway { code, text, reconnect_after_ms, nodes }.into()
        ),
        request().prop_map(|request| Done { request }.into()),
        vec(".{0,60}", 0..20).prop_map(|nodes| Nodes { nodes }.into()),
        (request(), seq(), any::<u64>())
            .prop_map(|(request, seq, time_ms)| Sent { request, seq, time_ms }.into()),
        (request(), seq(), seq(), vec(message(), 0..20))
            .prop_map(|(request, head, next, messages)| HistoryPage { request, head, next, messages }.into()),
        (request(), user(), handle())
            .prop_map(|(request, user, handle)| Found { request, user, handle }.into()),
        (request(), group(), any::<u64>()).prop_map(|(request, group, time_ms)| GroupCreated {
            request,
            group,
            time_ms
        }
        .into()),
        (
            (request(), group(), ".{0,60}", ".{0,300}", ".{0,100}"),
            (settings(), any::<u64>(), seq(), vec(member(), 0..20), any::<u64>())
        )
            .prop_map(
                |(
                    (request, group, name, about, picture),
                    (settings, created_ms, head, members, followers),
                )| {
                    Group {
                        request,
                        group,
                        name,
                        about,
                        picture,
                        settings,
                        created_ms,
                        head,
                        members,
                        followers,
                    }
                    .into()
                }
            ),
        (request(), vec(group(), 0..20), any::<bool>()).prop_map(|(request, groups, more)| GroupList {
            request,
            groups,
            more
        }
        .into()),
        (request(), vec(mark(), 0..20)).prop_map(|(request, marks)| Receipts { request, marks }.into()),
    ]
}

fn list_frame() -> impl Strategy<Value = ServerFrame> {
    let conversation = (
        (conversation(), conversation_settings(), seq(), seq(), seq()),
        (any::<u64>(), option::of(message()), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |((conversation, settings, first, head, read), (unread, last, is_member, is_followed))| {
                Conversation {
                    conversation,
                    settings,
                    first,
                    head,
                    read,
                    unread,
                    last,
                    is_member,
                    is_followed,
                }
            },
        );
    let profile = (user(), handle(), option::of(profile()), any::<u64>()).prop_map(
        |(user, handle, profile, last_seen_ms)| UserProfile { user, handle, profile, last_seen_ms },
    );
    prop_oneof![
        (request(), vec(conversation, 0..10), any::<bool>()).prop_map(|(request, conversations, more)| {
            ConversationList { request, conversations, more }.into()
        }),
        (request(), privacy()).prop_map(|(request, privacy)| Privacy { request, privacy }.into()),
        (request(), vec(profile, 0..20))
            .prop_map(|(request, profiles)| Profiles { request, profiles }.into()),
        (request(), vec(person(), 0..20), any::<bool>()).prop_map(|(request, people, more)| People {
            request,
            people,
            more
        }
        .into()),
        (request(), vec(option::of(user()), 0..20)).prop_map(|(request, users)| FoundPeople {
            request,
            users
        }
        .into()),
    ]
}

fn event_frame() -> impl Strategy<Value = ServerFrame> {
    let shown = (conversation(), option::of(conversation_settings()), seq(), vec(seq(), 0..20))
        .prop_map(|(conversation, settings, up_to, seqs)| Shown { conversation, settings, up_to, seqs });
    prop_oneof![
        (stamp(), message()).prop_map(|(stamp, message)| MessageEvent { stamp, message }.into()),
        (stamp(), conversation(), user(), seq(), seq()).prop_map(
            |(stamp, conversation, user, delivered, read)| {
                ReceiptEvent { stamp, receipt: Receipt { conversation, user, delivered, read } }.into()
            }
        ),
        (stamp(), shown).prop_map(|(stamp, shown)| ConversationEvent { stamp, shown }.into()),
        (stamp(), any::<u8>(), option::of(person())).prop_map(|(stamp, part, person)| AccountEvent {
            stamp,
            part: part.into(),
            person
        }
        .into()),
    ]
}

fn notice_frame() -> impl Strategy<Value = ServerFrame> {
    let presence = (user(), any::<u8>(), any::<u64>()).prop_map(|(user, availability, last_seen_ms)| {
        Presence { user, availability: availability.into(), last_seen_ms }
    });
    prop_oneof![
        vec(presence, 0..20).prop_map(|people| PresenceNotice { people }.into()),
        (conversation(), user(), any::<u8>()).prop_map(|(conversation, user, doing)| TypingNotice {
            conversation,
            user,
            doing: doing.into()
        }
        .into()),
        message().prop_map(|message| ChannelNotice { message }.into()),
        (conversation(), vec(mark(), 0..20)).prop_map(|(conversation, marks)| ReceiptsNotice {
            conversation,
            marks
        }
        .into()),
    ]
}
