//! How long frames get: what admission, windows and buffers are reckoned with.

use proptest::prelude::*;
use rookery_protocol::*;

use crate::examples::{self, chat, stamp, user};
use crate::strategies::{client_frame, server_frame};
use crate::vector_file::Value;

/// The header, the array of fields and each field at its longest.
fn bound(fields: &[usize]) -> usize {
    HEADER_BYTES + 1 + fields.iter().sum::<usize>()
}

const BOOL: usize = 1;
const U8: usize = 2;
const U16: usize = 3;
const U32: usize = 5;
const U64: usize = 9;
const STAMP: usize = 2 + 12;
const MESSAGE_ID: usize = 2 + 16;
const CONVERSATION: usize = 2 + 17;
const HANDLE: usize = 2 + 32;
const SETTINGS: usize = 1 + 4 * BOOL + U32;
const MEMBER: usize = 1 + U64 + U8 + U64;
const MARK: usize = 1 + 5 * U64;
const REFERENCE: usize = 1 + U8 + U64;
const CONVERSATION_SETTINGS: usize = 1 + U64 + 3 * BOOL;
const PRIVACY: usize = 1 + 4 * U8 + BOOL;
const PERSON: usize = 1 + U64 + 3 * BOOL;
const PRESENCE: usize = 1 + U64 + U8 + U64;

fn str_or_bin(length: usize) -> usize {
    5 + length
}

fn message_bound(message: &Message) -> usize {
    let body = message.body.as_ref().map_or(0, Body::len);
    let change = message.change.as_ref().map_or(1, change_bound);
    let head = CONVERSATION + U64 + U64 + U32 + MESSAGE_ID + U64;
    1 + head + str_or_bin(body) + change + REFERENCE + BOOL + U64 + U32
}

fn conversation_bound(conversation: &Conversation) -> usize {
    let last = conversation.last.as_ref().map_or(1, message_bound);
    1 + CONVERSATION + CONVERSATION_SETTINGS + 4 * U64 + last
}

fn profile_bound(profile: &Profile) -> usize {
    1 + [&profile.name, &profile.about, &profile.picture]
        .map(|text| str_or_bin(text.len()))
        .iter()
        .sum::<usize>()
}

fn user_profile_bound(user: &UserProfile) -> usize {
    1 + U64 + HANDLE + user.profile.as_ref().map_or(1, profile_bound) + U64
}

fn change_bound(change: &GroupChange) -> usize {
    let (users, text) = match change {
        GroupChange::Created { members, name } => (members.len(), name.len()),
        GroupChange::Added(users)
        | GroupChange::Removed(users)
        | GroupChange::Promoted(users)
        | GroupChange::Demoted(users) => (users.len(), 0),
        GroupChange::Left { successor } => (usize::from(successor.is_some()), 0),
        GroupChange::Named(text) | GroupChange::Described(text) | GroupChange::Pictured(text) => {
            (0, text.len())
        }
        GroupChange::Set(_) | GroupChange::Deleted | GroupChange::Unknown(_) => (0, 0),
    };
    1 + U8 + array(users, U64) + str_or_bin(text) + SETTINGS
}

fn array(length: usize, element: usize) -> usize {
    5 + length * element
}

fn list_bound(texts: &[String]) -> usize {
    5 + texts.iter().map(|text| str_or_bin(text.len())).sum::<usize>()
}

proptest! {
    #[test]
    fn a_clients_frame_is_no_longer_than_its_fields_allow(frame in client_frame()) {
        let most = match &frame {
            ClientFrame::Hello(hello) => {
                bound(&[str_or_bin(hello.token.len()), str_or_bin(hello.client.len()), STAMP, U32])
            }
            ClientFrame::Heartbeat(_) => bound(&[U64]),
            ClientFrame::Send(send) => {
                let body = str_or_bin(send.body.len());
                bound(&[U32, CONVERSATION, MESSAGE_ID, MESSAGE_ID, body, REFERENCE, U32])
            }
            ClientFrame::Ack(_) => bound(&[STAMP]),
            ClientFrame::Read(_) => bound(&[U32, CONVERSATION, U64]),
            ClientFrame::History(_) => bound(&[U32, CONVERSATION, U64, U64, BOOL, U64]),
            ClientFrame::Lookup(_) => bound(&[U32, HANDLE, U64]),
            ClientFrame::CreateGroup(group) => {
                let members = array(group.members.len(), U64);
                bound(&[U32, MESSAGE_ID, str_or_bin(group.name.len()), members, SETTINGS])
            }
            ClientFrame::ChangeGroup(change) => bound(&[U32, U64, MESSAGE_ID, change_bound(&change.change)]),
            ClientFrame::GetGroup(_) | ClientFrame::ListGroups(_) => bound(&[U32, U64]),
            ClientFrame::GetReceipts(_) | ClientFrame::ListConversations(_) => bound(&[U32, CONVERSATION]),
            ClientFrame::SetConversation(_) => bound(&[U32, CONVERSATION, CONVERSATION_SETTINGS]),
            ClientFrame::Hide(hide) => bound(&[U32, CONVERSATION, U64, array(hide.seqs.len(), U64)]),
            ClientFrame::SetPrivacy(_) => bound(&[U32, PRIVACY]),
            ClientFrame::GetPrivacy(_) => bound(&[U32]),
            ClientFrame::SetProfile(set) => bound(&[U32, profile_bound(&set.profile)]),
            ClientFrame::GetProfiles(get) => bound(&[U32, array(get.users.len(), U64)]),
            ClientFrame::SetPerson(_) => bound(&[U32, PERSON]),
            ClientFrame::ListPeople(_) => bound(&[U32, U64]),
            ClientFrame::FindPeople(find) => bound(&[U32, array(find.handles.len(), HANDLE)]),
            ClientFrame::Report(report) => {
                let (seqs, text) = (array(report.seqs.len(), U64), str_or_bin(report.text.len()));
                bound(&[U32, U64, CONVERSATION, seqs, text])
            }
            ClientFrame::Watch(watch) => {
                let conversations = array(watch.conversations.len(), CONVERSATION);
                bound(&[U32, array(watch.users.len(), U64), conversations])
            }
            ClientFrame::Active(_) => bound(&[BOOL]),
            ClientFrame::Typing(_) => bound(&[CONVERSATION, U8]),
            ClientFrame::Follow(_) => bound(&[U32, U64, BOOL]),
        };
        prop_assert!(frame.encode().len() <= most);
    }

    #[test]
    fn a_servers_frame_is_no_longer_than_its_fields_allow(frame in server_frame()) {
        let most = match &frame {
            ServerFrame::Welcome(welcome) => {
                bound(&[U64, HANDLE, U32, U64, U64, STAMP, U32, U32, U32, U32, U32, list_bound(&welcome.nodes)])
            }
            ServerFrame::HeartbeatAck(_) => bound(&[U64]),
            ServerFrame::Error(error) => bound(&[U32, U16, str_or_bin(error.text.len()), U32]),
            ServerFrame::Goaway(goaway) => {
                bound(&[U16, str_or_bin(goaway.text.len()), U32, list_bound(&goaway.nodes)])
            }
            ServerFrame::Done(_) => bound(&[U32]),
            ServerFrame::Nodes(nodes) => bound(&[list_bound(&nodes.nodes)]),
            ServerFrame::Sent(_) => bound(&[U32, U64, U64]),
            ServerFrame::HistoryPage(page) => {
                bound(&[U32, U64, U64, 5 + page.messages.iter().map(message_bound).sum::<usize>()])
            }
            ServerFrame::Found(_) => bound(&[U32, U64, HANDLE]),
            ServerFrame::GroupCreated(_) => bound(&[U32, U64, U64]),
            ServerFrame::Group(group) => {
                let texts = [&group.name, &group.about, &group.picture].map(|text| str_or_bin(text.len()));
                let members = array(group.members.len(), MEMBER);
                bound(&[U32, U64, texts.iter().sum(), SETTINGS, U64, U64, members, U64])
            }
            ServerFrame::GroupList(list) => bound(&[U32, array(list.groups.len(), U64), BOOL]),
            ServerFrame::Receipts(receipts) => bound(&[U32, array(receipts.marks.len(), MARK)]),
            ServerFrame::ConversationList(list) => {
                let conversations = list.conversations.iter().map(conversation_bound).sum::<usize>();
                bound(&[U32, 5 + conversations, BOOL])
            }
            ServerFrame::Privacy(_) => bound(&[U32, PRIVACY]),
            ServerFrame::Profiles(profiles) => {
                bound(&[U32, 5 + profiles.profiles.iter().map(user_profile_bound).sum::<usize>()])
            }
            ServerFrame::People(people) => bound(&[U32, array(people.people.len(), PERSON), BOOL]),
            ServerFrame::FoundPeople(found) => bound(&[U32, array(found.users.len(), U64)]),
            ServerFrame::ConversationEvent(event) => {
                let seqs = array(event.shown.seqs.len(), U64);
                bound(&[STAMP, 1 + CONVERSATION + CONVERSATION_SETTINGS + U64 + seqs])
            }
            ServerFrame::AccountEvent(_) => bound(&[STAMP, U8, PERSON]),
            ServerFrame::PresenceNotice(notice) => bound(&[array(notice.people.len(), PRESENCE)]),
            ServerFrame::TypingNotice(_) => bound(&[CONVERSATION, U64, U8]),
            ServerFrame::ReceiptsNotice(notice) => {
                bound(&[CONVERSATION, array(notice.marks.len(), MARK)])
            }
            ServerFrame::ChannelNotice(notice) => bound(&[message_bound(&notice.message)]),
            ServerFrame::MessageEvent(event) => bound(&[STAMP, message_bound(&event.message)]),
            ServerFrame::ReceiptEvent(_) => bound(&[STAMP, 1 + CONVERSATION + U64 + U64 + U64]),
        };
        prop_assert!(frame.encode().len() <= most);
    }
}

#[test]
fn the_longest_permitted_hello_fits_before_welcome() {
    let hello = Hello {
        token: "t".repeat(limits::TOKEN_BYTES_MAX),
        client: "c".repeat(limits::CLIENT_NAME_BYTES_MAX),
        resume: Some(Stamp::MAX),
        window_events: u32::MAX,
    };
    hello.check_limits().unwrap();
    assert!(encode(&hello).len() <= limits::HANDSHAKE_FRAME_BYTES_MAX);
}

#[test]
fn a_hello_over_a_limit_names_the_field() {
    let over = |token: usize, client: usize| {
        let hello =
            Hello { token: "t".repeat(token), client: "c".repeat(client), resume: None, window_events: 0 };
        let error = hello.check_limits().unwrap_err();
        assert_eq!(error.error_code(), ErrorCode::Malformed);
        error.to_string()
    };
    assert!(over(limits::TOKEN_BYTES_MAX + 1, 0).contains("token"));
    assert!(over(0, limits::CLIENT_NAME_BYTES_MAX + 1).contains("client"));
}

fn largest_reference() -> Reference {
    Reference { kind: ReferenceKind::Unknown(u8::MAX), seq: Seq::new(u64::MAX) }
}

fn largest_message() -> Message {
    Message {
        conversation: ConversationId::direct(user(UserId::MAX), user(UserId::MAX)),
        seq: Seq::new(u64::MAX),
        sender: user(UserId::MAX),
        device: DeviceId::new(u32::MAX),
        id: MessageId::from_bytes([0xff; 16]),
        time_ms: u64::MAX,
        body: Some(Body::new(vec![0xff; limits::BODY_BYTES_MAX])),
        change: None,
        reference: Some(largest_reference()),
        deleted: true,
        expires_ms: u64::MAX,
        timer_s: u32::MAX,
    }
}

#[test]
fn the_largest_body_fits_a_frame_both_ways_and_a_window() {
    let send = Send {
        request: RequestId::new(u32::MAX),
        conversation: chat(),
        id: MessageId::from_bytes([0xff; 16]),
        after: Some(MessageId::from_bytes([0xff; 16])),
        body: Body::new(vec![0xff; limits::BODY_BYTES_MAX]),
        reference: Some(largest_reference()),
        expires_s: u32::MAX,
    };
    assert!(encode(&send).len() <= limits::FRAME_BYTES_MAX);
    let event = encode(&MessageEvent { stamp: stamp(1), message: largest_message() });
    assert!(event.len() <= limits::FRAME_BYTES_MAX);
    assert!(event.len() <= limits::WINDOW_BYTES_MAX);
}

#[test]
fn a_history_page_at_its_limits_fits_a_frame() {
    // A page ends before the message that would pass the limit, but has one at least.
    let mut one = Vec::new();
    encode_value(&mut one, &largest_message());
    let fixed = encode(&HistoryPage {
        request: RequestId::new(u32::MAX),
        head: Seq::new(u64::MAX),
        next: Seq::new(u64::MAX),
        messages: Vec::new(),
    });
    let longest = limits::HISTORY_BYTES_MAX.max(one.len());
    assert!(fixed.len() + 4 + longest <= limits::FRAME_BYTES_MAX);
}

#[test]
fn an_error_text_is_cut_at_its_limit_between_characters() {
    for text in ["x".repeat(10_000), "\u{e9}".repeat(10_000), format!("x{}", "\u{1f426}".repeat(10_000))] {
        let error = Error::new(RequestId::new(0), ErrorCode::Malformed, text.clone());
        assert!(error.text.len() <= limits::TEXT_BYTES_MAX && error.text.len() > limits::TEXT_BYTES_MAX - 4);
        assert!(text.starts_with(&error.text));
    }
    let short = Error::new(RequestId::new(0), ErrorCode::Malformed, "x".repeat(limits::TEXT_BYTES_MAX));
    assert_eq!(short.text.len(), limits::TEXT_BYTES_MAX);
}

fn largest_settings() -> GroupSettings {
    let backlog = limits::GROUP_BACKLOG_MAX;
    GroupSettings {
        only_admins_send: true,
        only_admins_edit: true,
        only_admins_add: true,
        backlog,
        is_channel: true,
    }
}

/// The users with the largest numbers.
fn largest_users(count: usize) -> impl Iterator<Item = UserId> {
    (0..count as u64).rev().map(|below| user(UserId::MAX - below))
}

#[test]
fn the_largest_group_and_the_receipts_of_all_its_members_fit_a_frame_each() {
    let members = largest_users(limits::GROUP_MEMBERS_MAX);
    let group = Group {
        request: RequestId::new(u32::MAX),
        group: GroupId::new(GroupId::MAX).unwrap(),
        name: "n".repeat(limits::GROUP_NAME_BYTES_MAX),
        about: "a".repeat(limits::GROUP_ABOUT_BYTES_MAX),
        picture: "p".repeat(limits::GROUP_PICTURE_BYTES_MAX),
        settings: largest_settings(),
        created_ms: u64::MAX,
        head: Seq::new(u64::MAX),
        members: members
            .map(|user| GroupMember { user, role: Role::Admin, since: Seq::new(u64::MAX) })
            .collect(),
        followers: u64::MAX,
    };
    assert!(10 * encode(&group).len() <= limits::FRAME_BYTES_MAX);
    let most = Seq::new(u64::MAX);
    let mark =
        |user| MemberMark { user, delivered: most, read: most, delivered_ms: u64::MAX, read_ms: u64::MAX };
    let marks: Vec<MemberMark> = largest_users(limits::GROUP_MEMBERS_MAX).map(mark).collect();
    let receipts = Receipts { request: RequestId::new(u32::MAX), marks: marks.clone() };
    assert!(encode(&receipts).len() <= limits::FRAME_BYTES_MAX);
    let notice = ReceiptsNotice { conversation: largest_message().conversation, marks };
    assert!(encode(&notice).len() <= limits::FRAME_BYTES_MAX);
}

#[test]
fn the_largest_page_of_groups_fits_a_frame() {
    let groups =
        (0..limits::GROUP_LIST_MAX as u64).rev().map(|below| GroupId::new(GroupId::MAX - below).unwrap());
    let list = GroupList { request: RequestId::new(u32::MAX), groups: groups.collect(), more: true };
    assert!(encode(&list).len() <= limits::FRAME_BYTES_MAX);
}

#[test]
fn the_largest_change_is_smaller_than_the_largest_body() {
    let users: Vec<UserId> = largest_users(limits::GROUP_USERS_AT_ONCE_MAX).collect();
    let changes = [
        GroupChange::Created { members: users.clone(), name: "n".repeat(limits::GROUP_NAME_BYTES_MAX) },
        GroupChange::Added(users),
        GroupChange::Described("a".repeat(limits::GROUP_ABOUT_BYTES_MAX)),
        GroupChange::Set(largest_settings()),
    ];
    for change in changes {
        let entry = Message { body: None, change: Some(change), ..largest_message() };
        let mut bytes = Vec::new();
        encode_value(&mut bytes, &entry);
        assert!(bytes.len() < limits::BODY_BYTES_MAX, "{entry:?}");
    }
}

#[test]
fn a_page_of_conversations_at_its_limits_fits_a_frame() {
    // A page ends before the conversation that would pass the limit, but has one at least.
    let conversation = Conversation {
        conversation: largest_message().conversation,
        settings: ConversationSettings {
            muted_until_ms: u64::MAX,
            archived: true,
            pinned: true,
            unread: true,
        },
        first: Seq::new(u64::MAX),
        head: Seq::new(u64::MAX),
        read: Seq::new(u64::MAX),
        unread: u64::MAX,
        last: Some(largest_message()),
        is_member: true,
        is_followed: true,
    };
    let mut one = Vec::new();
    encode_value(&mut one, &conversation);
    let fixed = encode(&ConversationList {
        request: RequestId::new(u32::MAX),
        conversations: Vec::new(),
        more: true,
    });
    let longest = limits::HISTORY_BYTES_MAX.max(one.len());
    assert!(fixed.len() + 4 + longest <= limits::FRAME_BYTES_MAX);
}

fn largest_profile() -> Profile {
    Profile {
        name: "n".repeat(limits::PROFILE_NAME_BYTES_MAX),
        about: "a".repeat(limits::PROFILE_ABOUT_BYTES_MAX),
        picture: "p".repeat(limits::PROFILE_PICTURE_BYTES_MAX),
    }
}

#[test]
fn the_largest_answers_about_people_fit_a_frame_each() {
    let request = RequestId::new(u32::MAX);
    let profiles = largest_users(limits::PROFILES_MAX).map(|user| UserProfile {
        user,
        handle: "h".repeat(32).parse().unwrap(),
        profile: Some(largest_profile()),
        last_seen_ms: u64::MAX,
    });
    let person = |user| Person { user, is_contact: true, is_excepted: true, is_blocked: true };
    let people = largest_users(limits::PEOPLE_MAX).map(person);
    let found = largest_users(limits::FIND_PEOPLE_MAX).map(Some);
    let presence = |user| Presence { user, availability: Availability::Online, last_seen_ms: u64::MAX };
    let watched = largest_users(limits::WATCH_USERS_MAX).map(presence);
    for frame in [
        encode(&Profiles { request, profiles: profiles.collect() }),
        encode(&People { request, people: people.collect(), more: true }),
        encode(&FoundPeople { request, users: found.collect() }),
        encode(&PresenceNotice { people: watched.collect() }),
    ] {
        assert!(frame.len() <= limits::FRAME_BYTES_MAX);
    }
}

#[test]
fn the_largest_requests_that_pass_their_checks_fit_a_frame_each() {
    let request = RequestId::new(u32::MAX);
    let most = Seq::new(u64::MAX);
    let conversation = largest_message().conversation;
    let hide = Hide { request, conversation, up_to: most, seqs: vec![most; limits::HIDE_MAX] };
    let set = SetProfile { request, profile: largest_profile() };
    let get = GetProfiles { request, users: largest_users(limits::PROFILES_MAX).collect() };
    let handle: Handle = "h".repeat(32).parse().unwrap();
    let find = FindPeople { request, handles: vec![handle; limits::FIND_PEOPLE_MAX] };
    let report = Report {
        request,
        user: user(UserId::MAX),
        conversation: Some(conversation),
        seqs: vec![most; limits::REPORT_MESSAGES_MAX],
        text: "t".repeat(limits::REPORT_TEXT_BYTES_MAX),
    };
    let watch = Watch {
        request,
        users: largest_users(limits::WATCH_USERS_MAX).collect(),
        conversations: vec![conversation; limits::WATCH_CONVERSATIONS_MAX],
    };
    assert_eq!((hide.check(), set.profile.check(), get.check()), (Ok(()), Ok(()), Ok(())));
    assert_eq!((find.check(), report.check(), watch.check()), (Ok(()), Ok(()), Ok(())));
    for frame in [encode(&hide), encode(&set), encode(&get), encode(&find), encode(&report), encode(&watch)] {
        assert!(frame.len() <= limits::FRAME_BYTES_MAX);
    }
    let shown = Shown {
        conversation,
        settings: Some(ConversationSettings { muted_until_ms: u64::MAX, ..ConversationSettings::default() }),
        up_to: most,
        seqs: hide.seqs,
    };
    let event = encode(&ConversationEvent { stamp: Stamp::MAX, shown });
    assert!(event.len() <= limits::FRAME_BYTES_MAX);
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Fields(fields) => 1 + fields.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn payloads_nest_six_deep_so_there_is_room_for_fields_to_come() {
    let examples = examples::all();
    let values = examples.iter().map(|example| serde_json::from_str(&example.fields).unwrap());
    assert_eq!(values.map(|value: Value| depth(&value)).max(), Some(6));
    const { assert!(6 < limits::DEPTH_MAX / 2) };
}
