//! Groups, and what is done in them.

use std::collections::BTreeMap;

use rookery_protocol::{
    Body, ConversationId, GroupChange, GroupId, GroupSettings, Message, Role, Seq, UserId, decode_value,
};
use rookery_store::check::Check;
use rookery_store::keys::group::Membership;
use rookery_store::keys::inbox::InboxEntry;
use rookery_store::ops::{Accepted, ChangeGroup, CreateGroup, Outcome, Refusal, SendMessage};
use rookery_store::{Op, Store, queries};

use crate::people::{At, add, inbox};

/// Users 1 to `N`, each with a device.
pub(crate) async fn people<const N: usize>(store: &Store) -> [At; N] {
    let mut people = Vec::new();
    for number in 1..=N {
        people.push(add(store, number as u64).await);
    }
    people.try_into().expect("so many were added")
}

pub(crate) fn users(people: &[At]) -> Vec<UserId> {
    people.iter().map(|at| at.user).collect()
}

pub(crate) fn create(by: At, number: u128, others: &[At]) -> CreateGroup {
    CreateGroup {
        author: by.author(number),
        name: format!("group {number}"),
        members: users(others),
        settings: GroupSettings::default(),
    }
}

pub(crate) fn change(by: At, group: GroupId, number: u128, change: GroupChange) -> ChangeGroup {
    ChangeGroup { group, author: by.author(number), change }
}

pub(crate) fn say(by: At, group: GroupId, number: u128) -> SendMessage {
    SendMessage {
        conversation: ConversationId::group(group),
        author: by.author(number),
        after: None,
        body: Body::new(format!("message {number}").into_bytes()),
        reference: None,
        expires_s: 0,
    }
}

pub(crate) async fn outcome(store: &Store, op: impl Op<Answer = Outcome>) -> Outcome {
    store.submit(&0, op).await.expect("it commits").answer
}

pub(crate) async fn accepted(store: &Store, op: impl Op<Answer = Outcome>) -> Accepted {
    match outcome(store, op).await {
        Outcome::Accepted(accepted) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) async fn refused(store: &Store, op: impl Op<Answer = Outcome>) -> Refusal {
    match outcome(store, op).await {
        Outcome::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Makes a group, and answers its number.
pub(crate) async fn made(store: &Store, by: At, number: u128, others: &[At]) -> GroupId {
    let op = create(by, number, others);
    let group = op.group();
    accepted(store, op).await;
    group
}

/// The entry by which a change was made.
pub(crate) fn entry(accepted: &Accepted) -> GroupChange {
    let message: Message = decode_value(&accepted.logged).expect("it was just written");
    message.change.expect("it is a change")
}

/// Everything in a group's log, which must be dense.
pub(crate) async fn log(store: &Store, group: GroupId) -> Vec<Message> {
    let conversation = ConversationId::group(group);
    let snapshot = store.snapshot().await.expect("the store can be read");
    let head = queries::head(&*snapshot, conversation).await.expect("read");
    let whole = (Seq::new(1), head);
    let log = queries::log(&*snapshot, conversation, whole, 100_000).await.expect("read");
    let log: Vec<Message> = log.iter().map(|logged| decode_value(logged).expect("it is a message")).collect();
    assert!(log.iter().map(|message| message.seq.get()).eq(1..=head.get()));
    log
}

/// Who is in a group, and as what. Nobody: it is no more.
pub(crate) async fn members(store: &Store, group: GroupId) -> Vec<(UserId, Role)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let members = queries::members(&*snapshot, group).await.expect("read");
    members.iter().flat_map(|members| members.list()).map(|member| (member.user, member.role)).collect()
}

/// What a user may see of a group: from where, and until when.
pub(crate) async fn sees(store: &Store, user: UserId, group: GroupId) -> Option<(u64, Option<u64>)> {
    let snapshot = store.snapshot().await.expect("the store can be read");
    let Membership { from, until } = queries::membership(&*snapshot, user, group).await.expect("read")?;
    Some((from.get(), until.map(Seq::get)))
}

/// The places of a group's entries in a user's inbox.
pub(crate) async fn got(store: &Store, user: UserId, group: GroupId) -> Vec<u64> {
    let place = |entry| match entry {
        InboxEntry::Message(pointer) if pointer.conversation == ConversationId::group(group) => {
            Some(pointer.seq.get())
        }
        _ => None,
    };
    inbox(store, user).await.into_iter().filter_map(|(_, entry)| place(entry)).collect()
}

/// Nothing is wrong with the store; and who is in a group, and what each has in the inbox, is what its log tells.
pub(crate) async fn sound(store: &Store, group: GroupId, everybody: &[At]) {
    let findings = Check::new(16).finish(store, 100).await.expect("the store can be read");
    assert_eq!(findings, []);
    let mut told = BTreeMap::new();
    let mut expected: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
    for message in log(store, group).await {
        let before: Vec<UserId> = told.keys().copied().collect();
        replay(&mut told, &message);
        let mut gets: Vec<UserId> = told.keys().copied().chain(before).collect();
        gets.sort_unstable();
        gets.dedup();
        gets.into_iter().for_each(|user| expected.entry(user).or_default().push(message.seq.get()));
    }
    assert_eq!(members(store, group).await, told.clone().into_iter().collect::<Vec<_>>());
    assert!(told.is_empty() || told.values().any(|role| *role == Role::Admin));
    for at in everybody {
        let expected = expected.remove(&at.user).unwrap_or_default();
        assert_eq!(got(store, at.user, group).await, expected, "user {}", at.user);
        let is_member = sees(store, at.user, group).await.is_some_and(|(_, until)| until.is_none());
        assert_eq!(is_member, told.contains_key(&at.user), "user {}", at.user);
    }
}

/// What a client makes of an entry.
fn replay(members: &mut BTreeMap<UserId, Role>, message: &Message) {
    let is_admin = members.get(&message.sender) == Some(&Role::Admin);
    match message.change.as_ref() {
        None => assert!(members.contains_key(&message.sender)),
        Some(GroupChange::Created { members: others, .. }) => {
            assert!(members.is_empty() && message.seq == Seq::new(1));
            members.insert(message.sender, Role::Admin);
            members.extend(others.iter().map(|user| (*user, Role::Member)));
        }
        Some(GroupChange::Added(users)) => {
            for user in users {
                assert_eq!(members.insert(*user, Role::Member), None);
            }
        }
        Some(GroupChange::Removed(users)) => {
            assert!(is_admin);
            users.iter().for_each(|user| assert!(members.remove(user).is_some()));
        }
        Some(GroupChange::Left { successor }) => {
            members.remove(&message.sender).expect("whoever leaves was a member");
            successor
                .iter()
                .for_each(|user| assert_eq!(members.insert(*user, Role::Admin), Some(Role::Member)));
        }
        Some(GroupChange::Promoted(users)) => {
            assert!(is_admin);
            users.iter().for_each(|user| assert_eq!(members.insert(*user, Role::Admin), Some(Role::Member)));
        }
        Some(GroupChange::Demoted(users)) => {
            assert!(is_admin);
            users.iter().for_each(|user| assert_eq!(members.insert(*user, Role::Member), Some(Role::Admin)));
        }
        Some(GroupChange::Deleted) => {
            assert!(is_admin);
            members.clear();
        }
        Some(_) => assert!(members.contains_key(&message.sender)),
    }
}
