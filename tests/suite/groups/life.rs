//! A group from its beginning to its end, its members at different nodes: who is told what, and who may not do what.

use rookery_client::{
    Body, Change, Client, ConversationId, Entry, ErrorCode, Event, GroupChange, GroupError, GroupId,
    GroupSettings, MemoryStore, RequestError, Role, SendError, Seq, TlsOptions, UserId,
};
use rookery_tests::cluster::Cluster;
use rookery_tests::deadline::{eventually, soon};
use rookery_tests::{Account, Port};

use super::{people, three_nodes};
use crate::people::{Person, text};

fn start(cluster: &Cluster, node: usize, account: &Account) -> Person {
    let address = cluster.member(node).url(Port::Tcp);
    Person::start_with(address, account, MemoryStore::new(), TlsOptions::System)
}

async fn change(person: &mut Person) -> Change {
    let is_change = |event: &Event| match event {
        Event::Change(change) => Some(change.clone()),
        _ => None,
    };
    person.next("a change", is_change).await
}

/// Each of these is handed the same change, and its place is this.
async fn all_see(people: &mut [&mut Person], seq: u64, expected: &GroupChange) {
    for person in people {
        let seen = change(person).await;
        assert_eq!((seen.seq, &seen.change), (Seq::new(seq), expected));
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, GroupError>) -> Option<ErrorCode> {
    match result {
        Err(GroupError::Refused(refusal)) => refusal.known_code(),
        other => panic!("{other:?}"),
    }
}

fn request_code<T: std::fmt::Debug>(result: Result<T, RequestError>) -> Option<ErrorCode> {
    match result {
        Err(RequestError::Refused(refusal)) => refusal.known_code(),
        other => panic!("{other:?}"),
    }
}

async fn send_code(client: &Client, group: GroupId) -> Option<ErrorCode> {
    let ticket = client.send(ConversationId::group(group), Body::new("let me in")).unwrap();
    match soon("an answer", ticket).await {
        Err(SendError::Refused(refusal)) => refusal.known_code(),
        other => panic!("{other:?}"),
    }
}

async fn visible(client: &Client, group: GroupId) -> (Vec<u64>, u64) {
    let conversation = ConversationId::group(group);
    let page = client.history(conversation, Seq::new(1), Seq::new(100)).await.unwrap();
    let seqs = page.messages.into_iter().map(|it| Entry::of_history(it).place().1.get()).collect();
    (seqs, page.head.get())
}

/// Whoever is no member is told the same of a group that there is and of one that there is not.
async fn is_a_stranger(client: &Client, group: GroupId) {
    for group in [group, GroupId::new(1).unwrap()] {
        let not_member = Some(ErrorCode::NotMember);
        assert_eq!(send_code(client, group).await, not_member);
        assert_eq!(request_code(client.group(group).await), not_member);
        assert_eq!(request_code(client.receipts(ConversationId::group(group)).await), not_member);
        assert_eq!(code(client.rename_group(group, "mine").await), not_member);
        assert_eq!(code(client.leave_group(group).await), not_member);
        assert_eq!(code(client.delete_group(group).await), not_member);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_made_spoken_in_changed_left_and_ended_and_each_is_told_what_is_for_them() {
    let cluster = three_nodes().await;
    let mut accounts = people(&cluster, &[1, 1, 1, 1]).await;
    // Entries name users in the order of their numbers, which are random.
    accounts.sort_by_key(|account| account.user);
    let [alice, bob, carol, dave] = [0, 1, 2, 3].map(|at| accounts[at].user);
    let mut people: Vec<Person> =
        accounts.iter().enumerate().map(|(at, account)| start(&cluster, at % 3, account)).collect();
    let [a, b, c, d] = &mut people[..] else { panic!("four people") };
    let nobody = UserId::new(999_999).unwrap();
    let defaults = GroupSettings::default;

    // Made once, however often it is asked for.
    assert_eq!(
        code(a.client.create_group("birds", vec![bob, nobody], defaults()).await),
        Some(ErrorCode::NotFound)
    );
    let id = a.client.new_id();
    let group = a.client.create_group_as(id, "birds", vec![bob, carol], defaults()).await.unwrap();
    assert_eq!(a.client.create_group_as(id, "birds", vec![bob, carol], defaults()).await, Ok(group));
    let conversation = ConversationId::group(group);
    let created = GroupChange::Created { members: vec![bob, carol], name: "birds".to_owned() };
    all_see(&mut [a, b, c], 1, &created).await;
    assert_eq!(b.say(conversation, "hello").await, Seq::new(2));
    for person in [&mut *a, b, c] {
        assert_eq!(text(&person.message().await), "hello");
    }
    assert_eq!(
        request_code(d.client.history(conversation, Seq::new(1), Seq::new(9)).await),
        Some(ErrorCode::NotMember)
    );
    is_a_stranger(&d.client, group).await;

    // What a member may not, what nobody may, and what would change nothing.
    let not_allowed = Some(ErrorCode::NotAllowed);
    assert_eq!(code(b.client.add_members(group, vec![dave]).await), not_allowed);
    assert_eq!(code(b.client.remove_members(group, vec![carol]).await), not_allowed);
    assert_eq!(code(b.client.promote_members(group, vec![bob]).await), not_allowed);
    assert_eq!(code(b.client.set_group(group, defaults()).await), not_allowed);
    assert_eq!(code(b.client.delete_group(group).await), not_allowed);
    assert_eq!(code(a.client.demote_members(group, vec![alice]).await), not_allowed);
    assert_eq!(code(a.client.add_members(group, vec![nobody]).await), Some(ErrorCode::NotFound));
    let bad_request = Some(ErrorCode::BadRequest);
    assert_eq!(code(a.client.add_members(group, vec![bob]).await), bad_request);
    assert_eq!(code(a.client.remove_members(group, vec![alice]).await), bad_request);
    assert_eq!(code(a.client.remove_members(group, vec![dave]).await), bad_request);
    assert_eq!(code(b.client.rename_group(group, "birds").await), bad_request);

    // Changed once, too.
    let id = b.client.new_id();
    let named = GroupChange::Named("fish".to_owned());
    let (seq, time) = b.client.change_group_as(id, group, named.clone()).await.unwrap();
    assert_eq!(seq, Seq::new(3));
    assert_eq!(b.client.change_group_as(id, group, named.clone()).await, Ok((seq, time)));
    all_see(&mut [a, b, c], 3, &named).await;

    // Whoever is added sees nothing from before; of whom is in it already nothing is said.
    a.client.add_members(group, vec![carol, dave]).await.unwrap();
    all_see(&mut [a, b, c, d], 4, &GroupChange::Added(vec![dave])).await;
    assert_eq!(visible(&d.client, group).await, (vec![4], 4));
    assert_eq!(d.client.groups().await, Ok(vec![group]));

    // An announcement group.
    let settings = GroupSettings { only_admins_send: true, ..defaults() };
    a.client.set_group(group, settings.clone()).await.unwrap();
    all_see(&mut [a, b, c, d], 5, &GroupChange::Set(settings)).await;
    assert_eq!(send_code(&b.client, group).await, not_allowed);
    a.client.promote_members(group, vec![bob]).await.unwrap();
    all_see(&mut [a, b, c, d], 6, &GroupChange::Promoted(vec![bob])).await;
    assert_eq!(b.say(conversation, "listen").await, Seq::new(7));
    assert_eq!(text(&d.message().await), "listen");
    d.client.read(conversation, Seq::new(7));
    eventually("dave's mark is raised", async || {
        let marks = b.client.receipts(conversation).await.ok()?;
        marks.iter().find(|mark| mark.user == dave && mark.read == Seq::new(7)).map(|_| ())
    })
    .await;

    // Who goes has the entry that says so as the last one.
    a.client.leave_group(group).await.unwrap();
    all_see(&mut [a, b, c, d], 8, &GroupChange::Left { successor: None }).await;
    b.client.remove_members(group, vec![carol]).await.unwrap();
    all_see(&mut [b, c, d], 9, &GroupChange::Removed(vec![carol])).await;
    assert_eq!(b.say(conversation, "just us").await, Seq::new(10));
    assert_eq!(visible(&a.client, group).await, ((1..=8).collect(), 8));
    assert_eq!(visible(&c.client, group).await, ((1..=9).collect(), 9));
    is_a_stranger(&a.client, group).await;
    is_a_stranger(&c.client, group).await;
    assert_eq!(a.client.groups().await, Ok(Vec::new()));
    let known = b.client.group(group).await.unwrap();
    let members: Vec<_> = known.members.iter().map(|it| (it.user, it.role, it.since.get())).collect();
    assert_eq!(
        (known.name.as_str(), members),
        ("fish", vec![(bob, Role::Admin, 1), (dave, Role::Member, 4)])
    );

    // The last admin's successor, and the end.
    b.client.leave_group(group).await.unwrap();
    all_see(&mut [b, d], 11, &GroupChange::Left { successor: Some(dave) }).await;
    d.client.delete_group(group).await.unwrap();
    all_see(&mut [d], 12, &GroupChange::Deleted).await;
    is_a_stranger(&d.client, group).await;

    // Nobody has been handed anything else.
    for person in &mut people {
        person.client.close().await;
        while let Some(event) = person.events.recv().await {
            assert!(!matches!(event, Event::Change(_)), "{event:?}");
        }
    }
    cluster.stop().await.unwrap();
}
