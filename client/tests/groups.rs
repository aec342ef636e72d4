//! Groups: made and changed once whatever becomes of the connection, and what happens in them in its place.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::time::Duration;

use rookery_client::{
    Body, ConversationId, ErrorCode, Event, GroupChange, GroupChangeError, GroupError, GroupId,
    GroupSettings, LmdbStore, MemberMark, MemoryStore, RequestError, Seq,
};
use rookery_protocol::{
    ClientFrame, CreateGroup, GetGroup, GetReceipts, Group, GroupCreated, GroupList, ListGroups, Message,
    Receipts, Sent,
};
use support::*;

fn id(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

fn crew() -> ConversationId {
    ConversationId::group(id(9))
}

fn changed(seq: u64, change: GroupChange) -> Message {
    Message { body: None, change: Some(change), ..message(crew(), seq) }
}

/// The next event's place, and whether it is a change.
async fn next_entry(events: &mut rookery_client::Events) -> (u64, bool) {
    match event(events).await {
        Event::Message(message) => (message.seq.get(), false),
        Event::Change(change) => (change.seq.get(), true),
        other => panic!("{other:?}"),
    }
}

async fn create_request(connection: &mut Connection) -> CreateGroup {
    match connection.frame().await {
        ClientFrame::CreateGroup(create) => create,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_made_spoken_in_changed_and_left() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let making = tokio::spawn({
        let client = client.clone();
        async move { client.create_group("crew", vec![user(2)], GroupSettings::default()).await }
    });
    let create = create_request(&mut connection).await;
    assert_eq!((create.name.as_str(), &create.members[..]), ("crew", &[user(2)][..]));
    connection.send(GroupCreated { request: create.request, group: id(9), time_ms: 1_001 }).await;
    assert_eq!(making.await.unwrap(), Ok(id(9)));
    let made = GroupChange::Created { members: vec![user(2)], name: "crew".to_owned() };
    connection.push(1, Message { sender: user(1), id: create.id, ..changed(1, made.clone()) }).await;
    match event(&mut events).await {
        Event::Change(change) => {
            assert_eq!((change.conversation, change.seq, change.sender), (crew(), Seq::new(1), user(1)));
            assert_eq!((change.id, change.change), (create.id, made));
        }
        other => panic!("{other:?}"),
    }

    let ticket = client.send(crew(), Body::new("ahoy")).unwrap();
    let send = connection.sent_message().await;
    connection.confirm(&send, 2).await;
    assert_eq!(ticket.await.unwrap(), (Seq::new(2), 1_002));
    connection.push(2, Message { sender: user(1), id: send.id, body: None, ..message(crew(), 2) }).await;
    assert!(matches!(event(&mut events).await, Event::Sent { seq, .. } if seq == Seq::new(2)));
    assert_eq!(next_entry(&mut events).await, (2, false));

    let leaving = tokio::spawn(async move { client.leave_group(id(9)).await });
    let leave = loop {
        match connection.frame().await {
            ClientFrame::ChangeGroup(change) => break change,
            ClientFrame::Ack(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((leave.group, leave.change), (id(9), GroupChange::Left { successor: None }));
    connection.send(Sent { request: leave.request, seq: Seq::new(3), time_ms: 1_003 }).await;
    assert_eq!(leaving.await.unwrap(), Ok((Seq::new(3), 1_003)));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_repeated_with_its_id_on_the_next_connection() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let making =
        tokio::spawn(async move { client.create_group("crew", Vec::new(), GroupSettings::default()).await });
    let first = create_request(&mut connection).await;
    drop(connection);
    let (_, mut connection) = server.welcome().await;
    let second = create_request(&mut connection).await;
    assert_eq!(first.id, second.id);
    connection.send(GroupCreated { request: second.request, group: id(9), time_ms: 1 }).await;
    assert_eq!(making.await.unwrap(), Ok(id(9)));
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_in_time_can_be_made_again_with_its_id() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let made = |client: rookery_client::Client, again| async move {
        match again {
            None => client.create_group("crew", Vec::new(), GroupSettings::default()).await,
            Some(again) => client.create_group_as(again, "crew", Vec::new(), GroupSettings::default()).await,
        }
    };
    let making = tokio::spawn(made(client.clone(), None));
    let asked = create_request(&mut connection).await.id;
    let serving = tokio::spawn(connection.answers_heartbeats_only());
    assert_eq!(making.await.unwrap(), Err(GroupError::Unknown { id: asked }));
    serving.abort();
    let (_, mut connection) = server.welcome().await;
    let making = tokio::spawn(made(client, Some(asked)));
    let again = create_request(&mut connection).await;
    assert_eq!(again.id, asked);
    connection.send(GroupCreated { request: again.request, group: id(9), time_ms: 1 }).await;
    assert_eq!(making.await.unwrap(), Ok(id(9)));
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_servers_code_and_what_no_server_would_do_is_not_asked() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for code in [ErrorCode::NotMember, ErrorCode::NotAllowed, ErrorCode::Full, ErrorCode::IdTaken] {
        let changing = tokio::spawn({
            let client = client.clone();
            async move { client.add_members(id(9), vec![user(3)]).await }
        });
        let ClientFrame::ChangeGroup(change) = connection.frame().await else { panic!("no change") };
        connection.refuse(change.request, code).await;
        match changing.await.unwrap() {
            Err(GroupError::Refused(refusal)) => assert_eq!(refusal.known_code(), Some(code)),
            other => panic!("{other:?}"),
        }
    }
    let wrong = |error| Err(GroupError::Invalid(error));
    assert_eq!(client.rename_group(id(9), "\n").await, wrong(GroupChangeError::Name));
    assert_eq!(client.add_members(id(9), Vec::new()).await, wrong(GroupChangeError::Users));
    assert_eq!(client.remove_members(id(9), vec![user(3), user(3)]).await, wrong(GroupChangeError::Users));
    let settings = GroupSettings { backlog: u32::MAX, ..GroupSettings::default() };
    let made = client.create_group("crew", Vec::new(), settings).await;
    assert_eq!(made, Err(GroupError::Invalid(GroupChangeError::Backlog)));
    client.close().await;
    assert_eq!(client.leave_group(id(9)).await, Err(GroupError::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_a_list_of_groups_are_joined_and_one_without_an_end_is_left() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let pages: [(&[u64], &[u64]); 2] = [(&[1, 2], &[5]), (&[3, 7], &[7])];
    for (first, second) in pages {
        let listing = tokio::spawn({
            let client = client.clone();
            async move { client.groups().await }
        });
        let mut after = None;
        for (page, more) in [(first, true), (second, second == [7])] {
            let ClientFrame::ListGroups(list) = connection.frame().await else { panic!("no list") };
            let request = list.request;
            assert_eq!(list, ListGroups { request, after });
            let groups: Vec<_> = page.iter().map(|group| id(*group)).collect();
            after = groups.last().copied();
            connection.send(GroupList { request, groups, more }).await;
        }
        let mut joined: Vec<_> = first.iter().chain(second).map(|group| id(*group)).collect();
        joined.dedup();
        assert_eq!(listing.await.unwrap(), Ok(joined));
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_and_how_far_its_members_have_come_can_be_asked_for() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let asking = tokio::spawn(async move { (client.group(id(9)).await, client.receipts(crew()).await) });
    let ClientFrame::GetGroup(GetGroup { request, group }) = connection.frame().await else {
        panic!("no question")
    };
    let group = Group {
        request,
        group,
        name: "crew".to_owned(),
        about: String::new(),
        picture: String::new(),
        settings: GroupSettings::default(),
        created_ms: 1,
        head: Seq::new(4),
        members: Vec::new(),
        followers: 0,
    };
    connection.send(group.clone()).await;
    let ClientFrame::GetReceipts(GetReceipts { request, conversation }) = connection.frame().await else {
        panic!("no question")
    };
    assert_eq!(conversation, crew());
    let marks = vec![MemberMark {
        user: user(2),
        delivered: Seq::new(4),
        read: Seq::new(3),
        delivered_ms: 0,
        read_ms: 0,
    }];
    connection.send(Receipts { request, marks: marks.clone() }).await;
    assert_eq!(asking.await.unwrap(), (Ok(group), Ok::<_, RequestError>(marks)));
}

#[tokio::test(start_paused = true)]
async fn who_was_removed_comes_back_after_a_restart_and_misses_nothing_that_is_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    let me = || vec![user(1)];
    {
        let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
        let (_, mut connection) = server.welcome().await;
        connection.push(1, changed(41, GroupChange::Added(me()))).await;
        connection.push(2, message(crew(), 42)).await;
        connection.push(3, changed(43, GroupChange::Removed(me()))).await;
        for expected in [(41, true), (42, false), (43, true)] {
            assert_eq!(next_entry(&mut events).await, expected);
        }
        client.close().await;
        connection.acked(3).await;
    }
    let (_client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    connection.push(3, changed(43, GroupChange::Removed(me()))).await;
    connection.push(4, changed(60, GroupChange::Added(me()))).await;
    connection.push(5, message(crew(), 61)).await;
    assert_eq!(next_entry(&mut events).await, (60, true));
    assert_eq!(next_entry(&mut events).await, (61, false));
    assert!(nothing_happens(&mut events).await);
    connection.acked(5).await;
    assert!(connection.is_quiet_for(Duration::from_secs(5)).await);
}
