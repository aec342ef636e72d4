//! Checking the store: nothing is found where nothing is wrong, and exactly that where something is.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rookery_protocol::{
    AccountPart, ConversationId, DeviceId, Epoch, GroupChange, GroupId, GroupSettings, Message, PrivacySettings, Profile, Receipt, Role, Seq, Stamp, UserId, encode_value,
};
use rookery_store::check::{Check, Counts, Finding};
use rookery_store::engine::{BoxFuture, Engine, EngineLimits, Snapshot};
use rookery_store::keys::channel::{Following, follower_key, following_key};
use rookery_store::keys::conversation::{Mark, SentRecord, encode_head, head_key, log_key, mark_key, sent_key};
use rookery_store::keys::inbox::{AccountChange, InboxEntry, MessagePointer};
use rookery_store::keys::node::{self, Incarnation, NodeId};
use rookery_store::keys::person::Person;
use rookery_store::keys::user::User;
use rookery_store::keys::group::{self, Member, Members, Membership};
use rookery_store::keys::{ban, cursor, device, handle, inbox, mail, person, privacy, profile, user, view};
use rookery_store::ops::{MarkRead, PostMail, TrimLog};
use rookery_store::{Batch, CommitStamp, Store, StoreConfig, StoreError, queries};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, made, say};
use crate::nodes::{commit, join, name};
use crate::people::{At, ack, acked, add, add_device, id, inbox as events, send};
use crate::probe::probe;

/// A store where much has happened: messages both ways, receipts, a trimmed log, acknowledged events, groups, nodes,
/// mail.
async fn in_use(store: &Store) -> (At, At, ConversationId) {
    let (anna, bert) = (add(store, 1).await, add(store, 2).await);
    add_device(store, anna.user, "second").await;
    let conversation = ConversationId::direct(anna.user, bert.user);
    for number in 1..=10 {
        let (from, to) = if number % 3 == 0 { (bert, anna) } else { (anna, bert) };
        send(store, from, to.user, number).await;
    }
    send(store, anna, anna.user, 11).await;
    let fifth = events(store, bert.user).await[4].0;
    acked(store, ack(bert, fifth, &[(conversation, Seq::new(5))])).await;
    let fourth = events(store, anna.user).await[3].0;
    acked(store, ack(anna, fourth, &[(conversation, Seq::new(3))])).await;
    let read = MarkRead { conversation, user: bert.user, seq: Seq::new(4), time_ms: 9 };
    store.submit(&conversation, read).await.expect("it commits");
    let sent = (1..=3).map(|number| {
        let from = if number == 3 { bert } else { anna };
        (from.user, from.device, id(number))
    });
    let trim = TrimLog { conversation, upto: Seq::new(3), sent: sent.collect() };
    store.submit(&conversation, trim).await.expect("it commits");
    let ours = made(store, anna, 21, &[bert]).await;
    accepted(store, say(bert, ours, 22)).await;
    let over = made(store, bert, 23, &[anna]).await;
    accepted(store, change(anna, over, 24, GroupChange::Left { successor: None })).await;
    accepted(store, change(bert, over, 25, GroupChange::Deleted)).await;
    join(store, "a", 100, 1).await;
    let b = join(store, "b", 100, 1).await.id;
    let post = PostMail { to: b, entries: vec!["1".into(), "2".into()], nonce: 1 };
    commit(store, post).await.expect("it is a member");
    (anna, bert, conversation)
}

pub(crate) async fn check(store: &Store, keys_max: usize) -> (Vec<Finding>, Counts) {
    let mut check = Check::new(keys_max);
    let findings = check.finish(store, 1_000).await.expect("the store can be read");
    assert_eq!(check.cursor(), None);
    (findings, check.counts())
}

/// Writes over whatever the operations would never write, and answers what was there.
pub(crate) async fn spoil(store: &Store, key: Vec<u8>, value: Option<Bytes>) -> Option<Bytes> {
    let before = crate::probe::get_key(store, key.clone()).await;
    let op = probe(&[], move |_, writes| match &value {
        Some(value) => writes.put(key.clone(), value.clone()),
        None => writes.delete(key.clone()),
    });
    store.submit(&0, op).await.expect("it commits");
    before
}

pub(crate) fn bytes<T: serde::Serialize>(value: &T) -> Bytes {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, value);
    bytes.into()
}

pub(crate) async fn a_store_in_use_has_nothing_wrong_and_all_of_it_is_counted(mut test: UnderTest) {
    let store = test.store().await;
    let (nothing, counts) = check(&store, 7).await;
    assert_eq!((nothing, counts.users), (vec![], 0));
    let (anna, bert, _) = in_use(&store).await;
    let expected = Counts {
        users: 2,
        handles: 2,
        devices: 3,
        cursors: 2,
        events: (events(&store, anna.user).await.len() + events(&store, bert.user).await.len()) as u64,
        conversations: 4,
        messages: 13,
        answers: 13,
        marks: 2,
        chats: 3,
        groups: 2,
        memberships: 4,
        leases: 2,
        mail: 2,
        ..Counts::default()
    };
    for keys_max in [1, 2, 7, 1_000] {
        let (findings, counts) = check(&store, keys_max).await;
        assert_eq!(findings, [], "{keys_max} keys a step");
        assert!(counts.keys > 30 && counts.bytes > 1_000, "{counts:?}");
        assert_eq!(Counts { keys: 0, bytes: 0, ..counts }, expected, "{keys_max} keys a step");
    }
}

pub(crate) async fn a_check_goes_on_where_another_has_come(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, ..) = in_use(&store).await;
    spoil(&store, cursor::key(anna.user, DeviceId::new(9)), Some(Stamp::ZERO.as_bytes().to_vec().into())).await;
    let mut whole = Check::new(1_000);
    whole.finish(&store, 1).await.expect("it is read");
    let (mut cursor, mut keys, mut findings, mut steps) = (Some(vec![1]), 0, Vec::new(), 0);
    while let Some(at) = cursor {
        let mut check = Check::resume(at, 4);
        findings.extend(check.step(&store).await.expect("it is read").expect("it is not at its end"));
        assert!(check.counts().keys <= 4);
        keys += check.counts().keys;
        steps += 1;
        cursor = check.cursor().map(<[u8]>::to_vec);
    }
    assert_eq!(keys, whole.counts().keys);
    assert!(steps > 8);
    assert_eq!(findings, [Finding::CursorOfNobody { user: anna.user, device: DeviceId::new(9) }]);
    assert_eq!(whole.step(&store).await.expect("it is read"), None);
}

pub(crate) async fn a_check_finds_nothing_while_others_write(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    let (anna, bert, conversation) = in_use(&store).await;
    let writer = tokio::spawn(async move {
        for number in 100..160 {
            let seq = send(&other, anna, bert.user, number).await;
            let last = events(&other, bert.user).await.pop().expect("it was just sent").0;
            acked(&other, ack(bert, last, &[(conversation, seq)])).await;
            let sent = vec![(anna.user, anna.device, id(number))];
            if number % 2 == 0 {
                let trim = TrimLog { conversation, upto: seq, sent };
                other.submit(&conversation, trim).await.expect("it commits");
            }
        }
    });
    // The trims leave answers of messages that went without being named: those were trimmed, and fine.
    while !writer.is_finished() {
        assert_eq!(check(&store, 5).await.0, []);
    }
    writer.await.expect("everything was accepted");
}

/// What is done, the key that is written, its value or that it is removed, and what is found then.
type Case = (&'static str, Vec<u8>, Option<Bytes>, Vec<Finding>);

pub(crate) async fn what_is_spoilt_is_found_and_nothing_else(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert, conversation) = in_use(&store).await;
    let first = events(&store, bert.user).await[0].0;
    let snapshot = store.snapshot().await.expect("the store can be read");
    let ahead = CommitStamp::from_number(1 << 62);
    let ahead = Stamp::from_bytes({
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&(1_u64 << 62).to_be_bytes());
        assert!(ahead > CommitStamp::from_number(snapshot.version().await.expect("it has one")));
        bytes
    });
    drop(snapshot);
    let logged = |seq: u64| log_key(conversation, Seq::new(seq));
    let fourth: Message = {
        let value = crate::probe::get_key(&store, logged(4)).await.expect("it was not trimmed");
        rookery_protocol::decode_value(&value).expect("it is a message")
    };
    let (user, handle) = (anna.user, crate::people::handle("user1"));
    let other_handle = crate::people::handle("other");
    let account: User = {
        let value = crate::probe::get_key(&store, user::key(user)).await.expect("it is there");
        rookery_protocol::decode_value(&value).expect("it is an account")
    };
    let nobody = UserId::new(77).expect("a small number is an id");
    let pointer = |seq, sender| InboxEntry::Message(MessagePointer {
        conversation,
        seq: Seq::new(seq),
        sender,
        expires_ms: 0,
    });
    let event = |seq| Finding::EventOfNothing { user: bert.user, stamp: first, conversation, seq: Seq::new(seq) };
    let receipt = |delivered, read| {
        let (delivered, read) = (Seq::new(delivered), Seq::new(read));
        InboxEntry::Receipt(Receipt { conversation, user: bert.user, delivered, read })
    };
    let receipt_ahead = |delivered, read| {
        let (delivered, read) = (Seq::new(delivered), Seq::new(read));
        let stamp = first;
        Finding::ReceiptAhead { user: bert.user, stamp, conversation, of: bert.user, delivered, read }
    };
    let mark = |delivered, read| bytes(&Mark { delivered: Seq::new(delivered), read: Seq::new(read), ..Mark::NONE });
    let shown = bytes(&Mark { delivered: Seq::new(3), read: Seq::new(2), shown: Some(Seq::new(3)), ..Mark::NONE });
    let answer_key = |number| sent_key(conversation, anna.user, anna.device, id(number));
    let answer = |seq| bytes(&SentRecord { seq: Seq::new(seq), time_ms: 1 });
    let of_nothing = |number, seq| Finding::AnswerOfNothing {
        conversation,
        user,
        device: anna.device,
        id: id(number),
        seq: Seq::new(seq),
    };
    let without_answer = |seq: u64| Finding::MessageWithoutAnswer {
        conversation,
        seq: Seq::new(seq),
        id: id(seq.into()),
    };
    let node = |text, incarnation| NodeId { name: name(text), incarnation: Incarnation::new(incarnation) };
    let mut pointers = Vec::new();
    for user in [anna.user, bert.user] {
        pointers.extend(events(&store, user).await.into_iter().map(|(stamp, entry)| (user, stamp, entry)));
    }
    let and_its_events = |mut findings: Vec<Finding>, seq| {
        let seq = Seq::new(seq);
        let points = |entry: &InboxEntry| {
            matches!(entry, InboxEntry::Message(pointer) if (pointer.conversation, pointer.seq) == (conversation, seq))
        };
        let events = pointers.iter().filter(|(.., entry)| points(entry));
        findings.extend(events.map(|(user, stamp, _)| {
            Finding::EventOfNothing { user: *user, stamp: *stamp, conversation, seq }
        }));
        assert!(findings.len() > 2, "both have an event about {seq}");
        findings
    };
    let groups = {
        let snapshot = store.snapshot().await.expect("the store can be read");
        queries::groups(&*snapshot, user, None, 10).await.expect("the store can be read")
    };
    let nowhere = GroupId::new(1).expect("a small number is an id");
    let following = Following { since_ms: 1, from: Seq::new(1) };
    let which = |is_current| {
        groups.iter().find(|(_, membership)| membership.is_current() == is_current).expect("there is one").0
    };
    let (ours, over) = (which(true), which(false));
    let members = |list: &[(UserId, Role, u64, u64)]| {
        let mut members = Members::new(GroupSettings::default());
        for (user, role, since, from) in list {
            let (since, from) = (Seq::new(*since), Seq::new(*from));
            members.add(Member { user: *user, role: *role, since, from });
        }
        members.encode()
    };
    let membership = |from, until: Option<u64>| {
        bytes(&Membership { from: Seq::new(from), until: until.map(Seq::new) })
    };
    let member_ahead = |user, since, from, head| {
        let [since, from, head] = [since, from, head].map(Seq::new);
        Finding::MemberAhead { group: ours, user, since, from, head }
    };
    let beyond_no_head = |seq| {
        let conversation = ConversationId::group(ours);
        Finding::MessageBeyondHead { conversation, seq: Seq::new(seq), head: Seq::ZERO }
    };
    let membership_ahead = |from, until| {
        let [from, until, head] = [from, until, 3].map(Seq::new);
        Finding::MembershipAhead { user, group: over, from, until, head }
    };
    let ban = ban::Ban { reason: "why".into(), since_ms: 1, until_ms: None };
    let profile = Profile { name: "n".into(), about: String::new(), picture: String::new() };
    let account_change = InboxEntry::Account(AccountChange { part: AccountPart::Privacy, person: None, time_ms: 1 });
    let event_key = inbox::key(bert.user, first);

    let mut cases: Vec<Case> = vec![
        ("an account is lost", user::key(user), None, vec![
            Finding::HandleOfNobody { handle: handle.clone(), user },
            Finding::DeviceOfNobody { user, device: DeviceId::new(1) },
            Finding::DeviceOfNobody { user, device: DeviceId::new(2) },
            Finding::MembershipOfNobody { user, group: ours },
            Finding::MembershipOfNobody { user, group: over },
            Finding::KeptForNobody { user, what: "chat" },
            Finding::KeptForNobody { user, what: "chat" },
        ]),
        ("a handle is lost", handle::key(&handle), None, vec![
            Finding::UserWithoutHandle { user, handle: handle.clone(), owner: None },
        ]),
        ("a handle leads to another", handle::key(&handle), Some(handle::encode(bert.user).into()), vec![
            Finding::UserWithoutHandle { user, handle: handle.clone(), owner: Some(bert.user) },
            Finding::HandleOfNobody { handle: handle.clone(), user: bert.user },
        ]),
        ("a handle too many", handle::key(&other_handle), Some(handle::encode(user).into()), vec![
            Finding::HandleOfNobody { handle: other_handle.clone(), user },
        ]),
        ("a number to be given again", user::key(user), Some(bytes(&User { next_device: 2, ..account })), vec![
            Finding::DeviceNotCounted { user, device: DeviceId::new(2), next: 2 },
        ]),
        ("a device is lost", device::key(bert.user, bert.device), None, vec![
            Finding::CursorOfNobody { user: bert.user, device: bert.device },
        ]),
        ("a device too many", device::key(nobody, DeviceId::new(1)),
            crate::probe::get_key(&store, device::key(user, anna.device)).await, vec![
            Finding::DeviceOfNobody { user: nobody, device: DeviceId::new(1) },
        ]),
        ("a message is lost", logged(7), None, and_its_events(vec![
            Finding::Gap { conversation, after: Seq::new(6), head: Seq::new(10) },
            Finding::AnswerOfNothing { conversation, user, device: anna.device, id: id(7), seq: Seq::new(7) },
        ], 7)),
        ("the last message is lost", logged(10), None, and_its_events(vec![
            Finding::Gap { conversation, after: Seq::new(9), head: Seq::new(10) },
            of_nothing(10, 10),
        ], 10)),
        ("a message lies elsewhere", logged(5), Some(bytes(&fourth)), vec![
            Finding::MessageOfAnother { conversation, seq: Seq::new(5) },
            Finding::AnswerOfAnother { conversation, user, device: anna.device, id: id(5), seq: Seq::new(5) },
        ]),
        ("the head goes back", head_key(conversation), Some(encode_head(Seq::new(9)).into()), vec![
            Finding::MessageBeyondHead { conversation, seq: Seq::new(10), head: Seq::new(9) },
        ]),
        ("the head goes ahead", head_key(conversation), Some(encode_head(Seq::new(12)).into()), vec![
            Finding::Gap { conversation, after: Seq::new(10), head: Seq::new(12) },
        ]),
        ("an answer is lost", answer_key(5), None, vec![without_answer(5)]),
        ("an answer names another", answer_key(5), Some(answer(4)), vec![
            without_answer(5),
            Finding::AnswerOfAnother { conversation, user, device: anna.device, id: id(5), seq: Seq::new(4) },
        ]),
        ("an answer names one yet to come", answer_key(99), Some(answer(11)), vec![of_nothing(99, 11)]),
        ("an answer names one trimmed", answer_key(99), Some(answer(3)), vec![]),
        ("an answer names none", answer_key(99), Some(answer(0)), vec![of_nothing(99, 0)]),
        ("a mark beyond the head", mark_key(conversation, anna.user), Some(mark(11, 2)), vec![
            Finding::MarkBeyondHead { conversation, user, delivered: Seq::new(11), head: Seq::new(10) },
        ]),
        ("read and not delivered", mark_key(conversation, anna.user), Some(mark(3, 4)), vec![
            Finding::ReadBeyondDelivered { conversation, user, delivered: Seq::new(3), read: Seq::new(4) },
        ]),
        ("shown and not read", mark_key(conversation, anna.user), Some(shown.clone()), vec![
            Finding::ShownBeyondRead { conversation, user, read: Seq::new(2), shown: Seq::new(3) },
        ]),
        ("an event points ahead", event_key.clone(), Some(pointer(11, user).encode()), vec![event(11)]),
        ("an event points nowhere", event_key.clone(), Some(pointer(0, user).encode()), vec![event(0)]),
        ("an event points to what was trimmed", event_key.clone(), Some(pointer(2, user).encode()), vec![]),
        ("an event names another", event_key.clone(), Some(pointer(5, nobody).encode()), vec![
            Finding::EventOfAnother {
                user: bert.user, stamp: first, conversation, seq: Seq::new(5), sender: nobody,
            },
        ]),
        ("an event about the account", event_key.clone(), Some(account_change.encode()), vec![]),
        ("settings of nobody", privacy::key(nobody), Some(bytes(&PrivacySettings::default())), vec![
            Finding::KeptForNobody { user: nobody, what: "privacy" },
        ]),
        ("a profile of nobody", profile::key(nobody), Some(bytes(&profile)), vec![
            Finding::KeptForNobody { user: nobody, what: "profile" },
        ]),
        ("a contact of nobody", person::key(nobody, user), Some(bytes(&Person::default())), vec![
            Finding::KeptForNobody { user: nobody, what: "person" },
        ]),
        ("a contact who is nobody", person::key(user, nobody), Some(bytes(&Person::default())), vec![]),
        ("a count of nobody's people", person::count_key(nobody), Some(person::encode_count(1).into()), vec![
            Finding::KeptForNobody { user: nobody, what: "count of people" },
        ]),
        ("a channel that nobody follows", following_key(nobody, ours), Some(bytes(&following)), vec![
            Finding::KeptForNobody { user: nobody, what: "followed channel" },
            Finding::FollowingWithoutFollower { user: nobody, group: ours },
        ]),
        ("a follower of what is no group", following_key(user, nowhere), Some(bytes(&following)), vec![
            Finding::FollowingOfNothing { user, group: nowhere },
            Finding::FollowingWithoutFollower { user, group: nowhere },
        ]),
        ("a follower who does not follow", follower_key(ours, user), Some(Bytes::from_static(&[1])), vec![
            Finding::FollowerWithoutFollowing { user, group: ours },
            Finding::FollowerNotCounted { user, group: ours },
        ]),
        ("an event of a newer kind", event_key.clone(), Some(InboxEntry::Unknown(200).encode()), vec![]),
        ("a receipt of less", event_key.clone(), Some(receipt(4, 4).encode()), vec![]),
        ("a receipt of more", event_key.clone(), Some(receipt(6, 4).encode()), vec![receipt_ahead(6, 4)]),
        ("a receipt of more read", event_key.clone(), Some(receipt(5, 5).encode()), vec![receipt_ahead(5, 5)]),
        ("a group is lost", group::key(ours), None, vec![
            Finding::MembersOfNothing { group: ours },
            Finding::MembershipOfNothing { user, group: ours },
            Finding::MembershipOfNothing { user: bert.user, group: ours },
        ]),
        ("a group's head is lost", head_key(ConversationId::group(ours)), None, vec![
            Finding::GroupWithoutLog { group: ours },
            member_ahead(user, 1, 1, 0),
            member_ahead(bert.user, 1, 1, 0),
            beyond_no_head(1),
            beyond_no_head(2),
        ]),
        ("members are lost", group::members_key(ours), None, vec![
            Finding::MembershipWithoutMember { user, group: ours },
            Finding::MembershipWithoutMember { user: bert.user, group: ours },
        ]),
        ("a member is lost", group::members_key(ours), Some(members(&[(user, Role::Admin, 1, 1)])), vec![
            Finding::MembershipWithoutMember { user: bert.user, group: ours },
        ]),
        ("a member too many", group::members_key(ours), Some(members(&[
            (user, Role::Admin, 1, 1), (bert.user, Role::Member, 1, 1), (nobody, Role::Member, 1, 1),
        ])), vec![Finding::MemberWithoutMembership { group: ours, user: nobody }]),
        ("no admin", group::members_key(ours), Some(members(&[
            (user, Role::Member, 1, 1), (bert.user, Role::Member, 1, 1),
        ])), vec![Finding::NoAdmin { group: ours }]),
        ("a member since later", group::members_key(ours), Some(members(&[
            (user, Role::Admin, 3, 1), (bert.user, Role::Member, 1, 1),
        ])), vec![member_ahead(user, 3, 1, 2)]),
        ("a member sees less than what made them one", group::members_key(ours), Some(members(&[
            (user, Role::Admin, 1, 2), (bert.user, Role::Member, 1, 1),
        ])), vec![
            member_ahead(user, 1, 2, 2),
            Finding::MemberWithoutMembership { group: ours, user },
        ]),
        ("members of a deleted group", group::members_key(over), Some(members(&[(user, Role::Admin, 1, 1)])), vec![
            Finding::MembershipEndedTooSoon { user, group: over },
        ]),
        ("a membership is lost", group::membership_key(user, ours), None, vec![
            Finding::MemberWithoutMembership { group: ours, user },
        ]),
        ("a membership from later", group::membership_key(user, ours), Some(membership(2, None)), vec![
            Finding::MemberWithoutMembership { group: ours, user },
        ]),
        ("a membership has ended", group::membership_key(user, ours), Some(membership(1, Some(2))), vec![
            Finding::MembershipEndedTooSoon { user, group: ours },
        ]),
        ("a membership goes on", group::membership_key(user, over), Some(membership(1, None)), vec![
            Finding::MembershipWithoutMember { user, group: over },
        ]),
        ("a membership ends later", group::membership_key(user, over), Some(membership(1, Some(4))), vec![
            membership_ahead(1, 4),
        ]),
        ("a membership ends first", group::membership_key(user, over), Some(membership(2, Some(1))), vec![
            membership_ahead(2, 1),
        ]),
        ("a former membership is forgotten", group::membership_key(user, over), None, vec![]),
        ("a lease is lost", node::key(&name("b")), None, vec![
            Finding::MemberWithoutLease { id: node("b", 1) },
            Finding::MailOfNobody { name: name("b") },
        ]),
        ("the view is lost", view::key(), None, vec![
            Finding::LeaseOfNobody { id: node("a", 1) },
            Finding::LeaseOfNobody { id: node("b", 1) },
        ]),
        ("an incarnation is forgotten", node::incarnation_key(&name("a")), None, vec![
            Finding::IncarnationNotCounted { id: node("a", 1), last: Incarnation::NONE },
        ]),
        ("mail for nobody", mail::taken_key(&name("nobody")), Some(mail::encode_taken(1).into()), vec![
            Finding::MailOfNobody { name: name("nobody") },
        ]),
        ("a ban", ban::key("192.0.2.0/24".parse().expect("it is a network")), Some(bytes(&ban)), vec![]),
        ("a family of a newer version", vec![0x7f, 1], Some("something".into()), vec![]),
    ];
    for key in [
        user::key(user), handle::key(&handle), device::key(user, anna.device), cursor::key(bert.user, bert.device),
        event_key.clone(), head_key(conversation), logged(8), mark_key(conversation, user), answer_key(8),
        node::key(&name("a")), view::key(), node::incarnation_key(&name("a")), mail::bell_key(&name("b")),
        group::key(ours), group::members_key(ours), group::membership_key(user, ours), group::membership_key(user, over),
        head_key(ConversationId::group(ours)),
        rookery_store::keys::meta::format_key(), ban::list_key(),
    ] {
        cases.push(("unreadable", key, Some(Bytes::new()), vec![]));
    }
    for family in [0x10, 0x11, 0x13, 0x14, 0x15, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x20, 0x30, 0x31, 0x32, 0x40, 0x42, 0x43, 0x44] {
        cases.push(("unreadable", vec![family, 0xfe], Some(Bytes::new()), vec![]));
    }
    for (key, what) in [(event_key.clone(), "event"), (cursor::key(user, anna.device), "cursor")] {
        cases.push((what, [key, vec![1]].concat(), Some(Bytes::from(vec![2; 12])), vec![]));
    }

    for (what, key, value, expected) in cases {
        let before = spoil(&store, key.clone(), value).await;
        for keys_max in [1, 3, 1_000] {
            let (mut findings, _) = check(&store, keys_max).await;
            let context = format!("{what} ({key:02x?}), {keys_max} keys a step: {findings:#?}");
            if expected.is_empty() && ["unreadable", "event", "cursor"].contains(&what) {
                // A value that cannot be read is found where it lies, and blamed on nobody else.
                assert!(
                    matches!(findings.as_slice(), [Finding::Unreadable { key: found, .. }] if *found == key),
                    "{context}"
                );
            } else {
                assert_eq!(findings.len(), expected.len(), "{context}");
                findings.retain(|finding| !expected.contains(finding));
                assert_eq!(findings, [], "{context}");
            }
        }
        spoil(&store, key, before).await;
        assert_eq!(check(&store, 1_000).await.0, [], "after {what}");
    }

    // What is ahead of the store's version, which grows while this goes on.
    spoil(&store, cursor::key(bert.user, bert.device), Some(ahead.as_bytes().to_vec().into())).await;
    spoil(&store, inbox::key(bert.user, ahead), Some(pointer(5, user).encode())).await;
    let (findings, _) = check(&store, 3).await;
    assert!(
        matches!(findings.as_slice(), [
            Finding::CursorAhead { stamp: cursor, .. },
            Finding::EventAhead { stamp: event, .. },
        ] if [*cursor, *event] == [ahead; 2]),
        "{findings:#?}"
    );
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("cursor of device 1 of user 2: 4000000000000000"), "{said:?}");
    assert_eq!(Epoch::new(2), crate::nodes::view(&store).await.epoch);
}

pub(crate) async fn what_was_right_again_at_the_second_look_is_not_said(mut test: UnderTest) {
    let engine = test.engine().await;
    let store = test.store().await;
    let (anna, ..) = in_use(&store).await;
    let key = device::key(anna.user, DeviceId::new(1));
    let before = spoil(&store, key.clone(), Some("broken".into())).await;
    assert_eq!(check(&store, 1_000).await.0.len(), 1);
    let late = engine.snapshot().await.expect("the store can be read");
    spoil(&store, key, before).await;
    let late = Store::start(Arc::new(Late { engine, first: Mutex::new(Some(late)) }), StoreConfig::default());
    assert_eq!(check(&late, 1_000).await.0, []);
}

/// An engine whose first snapshot is an old one.
struct Late {
    engine: Arc<dyn Engine>,
    first: Mutex<Option<Box<dyn Snapshot>>>,
}

impl Engine for Late {
    fn snapshot(&self) -> BoxFuture<'_, Result<Box<dyn Snapshot>, StoreError>> {
        let first = self.first.lock().expect("not poisoned").take();
        Box::pin(async move {
            match first {
                Some(first) => Ok(first),
                None => self.engine.snapshot().await,
            }
        })
    }

    fn transact(&self, batch: Batch) -> BoxFuture<'_, (Batch, Result<CommitStamp, StoreError>)> {
        self.engine.transact(batch)
    }

    fn watch(&self, key: Vec<u8>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.engine.watch(key)
    }

    fn limits(&self) -> EngineLimits {
        self.engine.limits()
    }
}
