//! JSON mode, line by line.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rookery_client::{
    ConversationId, ErrorCode, GroupChange, GroupId, GroupMember, GroupSettings, MemberMark, Receipt, Role,
    Seq,
};
use rookery_protocol::{
    ClientFrame, GetGroup, Group, GroupCreated, GroupList, HistoryPage, Message, Receipts, Sent,
};
use support::json::{Chat, find};
use support::*;
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn a_conversation_in_json_lines_reads_as_documented() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.expect(r#"{"event":"ready","version":"0.1.0","unsent":0}"#).await;
    let (_, mut connection) = server.welcome().await;
    chat.expect(r#"{"event":"connected","user":1,"handle":"alice","device":1}"#).await;

    chat.say(r#"{"op":"send","to":"bob","text":"hello","tag":7}"#).await;
    find(&mut connection, 2, "bob").await;
    let send = connection.sent_message().await;
    assert_eq!(text(&send.body), "hello");
    let id = send.id;
    chat.expect(&format!(r#"{{"event":"queued","id":"{id}","conversation":"d:1:2","tag":7}}"#)).await;
    connection.confirm(&send, 1).await;
    chat.expect(&format!(
        r#"{{"event":"sent","id":"{id}","conversation":"d:1:2","seq":1,"time_ms":1001,"tag":7}}"#
    ))
    .await;

    let receipt =
        Receipt { conversation: with_bob(), user: user(2), delivered: Seq::new(1), read: Seq::new(1) };
    connection.push_receipt(1, receipt).await;
    chat.expect(r#"{"event":"delivered","conversation":"d:1:2","user":2,"handle":"bob","seq":1}"#).await;
    chat.expect(r#"{"event":"read","conversation":"d:1:2","user":2,"handle":"bob","seq":1}"#).await;

    connection.push(2, message(with_bob(), 2)).await;
    chat.expect(
        r#"{"event":"message","conversation":"d:1:2","seq":2,"id":"00000000000000000000000000000002","from":"bob","user":2,"device":1,"time_ms":1002,"text":"message 2"}"#,
    )
    .await;
    connection.acked(2).await;

    chat.say(r#"{"op":"read","to":"bob"}"#).await;
    assert!(matches!(connection.frame().await, ClientFrame::Read(read) if read.seq == Seq::new(2)));
    chat.say(r#"{"op":"state"}"#).await;
    chat.expect(
        r#"{"event":"state","connected":true,"user":1,"handle":"alice","device":1,"outbox":0,"conversations":[{"conversation":"d:1:2","seq":2}]}"#,
    )
    .await;
    chat.say(r#"{"op":"quit"}"#).await;
    chat.expect(r#"{"event":"bye","unsent":0}"#).await;
    chat.running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bad_lines_are_answered_with_their_number_and_hurt_nothing() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.line().await;
    let (_, mut connection) = server.welcome().await;
    chat.line().await;
    for (number, line) in [
        "no json",
        "[]",
        r#"{"op":"fly"}"#,
        r#"{"op":"send","text":"to nobody"}"#,
        r#"{"op":"send","to":"Not A Handle","text":""}"#,
        r#"{"op":"send","to":"bob","txet":""}"#,
        r#"{"op":"read","conversation":"x:1"}"#,
        r#"{"op":"lookup"}"#,
    ]
    .iter()
    .enumerate()
    {
        chat.say(line).await;
        let answer = chat.line().await;
        let expected = format!(r#"{{"event":"error","line":{},"code":"bad_command","text":""#, number + 1);
        assert!(answer.starts_with(&expected), "{line}: {answer}");
    }
    chat.say(r#"{"op":"fly","tag":[1]}"#).await;
    assert!(chat.line().await.ends_with(r#""tag":[1]}"#));
    chat.say(r#"{"op":"lookup","handle":"nobody","tag":"t"}"#).await;
    let ClientFrame::Lookup(lookup) = connection.frame().await else { panic!("no lookup") };
    connection.refuse(lookup.request, ErrorCode::NotFound).await;
    chat.expect(r#"{"event":"error","line":10,"code":"not_found","text":"because","tag":"t"}"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_input_waits_for_messages_on_the_way_but_not_for_ever() {
    for confirmed in [true, false] {
        let mut server = FakeServer::new();
        let mut chat = Chat::start(&server);
        chat.line().await;
        let (_, mut connection) = server.welcome().await;
        chat.line().await;
        chat.say(r#"{"op":"send","conversation":"d:1:2","text":"last words"}"#).await;
        chat.input.shutdown().await.unwrap();
        let send = connection.sent_message().await;
        chat.line().await;
        if confirmed {
            connection.confirm(&send, 1).await;
            assert!(chat.line().await.starts_with(r#"{"event":"sent""#));
        }
        tokio::spawn(connection.answers_heartbeats_only());
        let unsent = u8::from(!confirmed);
        chat.expect(&format!(r#"{{"event":"bye","unsent":{unsent}}}"#)).await;
        chat.running.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn groups_in_json_lines_read_as_documented() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.line().await;
    let (_, mut connection) = server.welcome().await;
    chat.line().await;
    let group = GroupId::new(9).unwrap();
    let crew = ConversationId::group(group);

    chat.say(r#"{"op":"create_group","name":"crew","members":["bob"],"settings":{"backlog":5},"tag":1}"#)
        .await;
    find(&mut connection, 2, "bob").await;
    let ClientFrame::CreateGroup(create) = connection.frame().await else { panic!("no group") };
    assert_eq!((create.name.as_str(), &create.members[..]), ("crew", &[user(2)][..]));
    assert_eq!(create.settings, GroupSettings { backlog: 5, ..GroupSettings::default() });
    connection.send(GroupCreated { request: create.request, group, time_ms: 1_001 }).await;
    chat.expect(r#"{"event":"group_created","conversation":"g:9","tag":1}"#).await;
    let made = GroupChange::Created { members: vec![user(2)], name: "crew".to_owned() };
    let entry = |seq, change| Message { body: None, change: Some(change), ..message(crew, seq) };
    connection.push(1, Message { sender: user(1), ..entry(1, made) }).await;
    chat.expect(
        r#"{"event":"change","conversation":"g:9","seq":1,"id":"00000000000000000000000000000001","from":"alice","user":1,"device":1,"time_ms":1001,"change":"created","users":[{"user":2,"handle":"bob"}],"text":"crew"}"#,
    )
    .await;
    connection.push(2, entry(2, GroupChange::Set(GroupSettings::default()))).await;
    chat.expect(
        r#"{"event":"change","conversation":"g:9","seq":2,"id":"00000000000000000000000000000002","from":"bob","user":2,"device":1,"time_ms":1002,"change":"set","settings":{"only_admins_send":false,"only_admins_edit":false,"only_admins_add":true,"backlog":0,"is_channel":false}}"#,
    )
    .await;
    connection.acked(2).await;

    let id = "000000000000000000000000000000aa";
    chat.say(&format!(
        r#"{{"op":"change_group","conversation":"g:9","change":"promote","users":["bob"],"id":"{id}","tag":2}}"#
    ))
    .await;
    let ClientFrame::ChangeGroup(change) = connection.frame().await else { panic!("no change") };
    assert_eq!((change.id.to_string().as_str(), change.change), (id, GroupChange::Promoted(vec![user(2)])));
    connection.send(Sent { request: change.request, seq: Seq::new(3), time_ms: 1_003 }).await;
    chat.expect(r#"{"event":"group_changed","conversation":"g:9","seq":3,"time_ms":1003,"tag":2}"#).await;

    chat.say(r#"{"op":"groups"}"#).await;
    let ClientFrame::ListGroups(list) = connection.frame().await else { panic!("no list") };
    connection.send(GroupList { request: list.request, groups: vec![group], more: false }).await;
    chat.expect(r#"{"event":"groups","groups":["g:9"]}"#).await;

    chat.say(r#"{"op":"group","conversation":"g:9"}"#).await;
    let ClientFrame::GetGroup(GetGroup { request, .. }) = connection.frame().await else {
        panic!("no group")
    };
    let members = vec![
        GroupMember { user: user(1), role: Role::Admin, since: Seq::new(1) },
        GroupMember { user: user(2), role: Role::Member, since: Seq::new(1) },
    ];
    let (name, about, picture) = ("crew".to_owned(), "we sail".to_owned(), String::new());
    let (settings, head) = (GroupSettings::default(), Seq::new(3));
    connection
        .send(Group {
            request,
            group,
            name,
            about,
            picture,
            settings,
            created_ms: 1_001,
            head,
            members,
            followers: 0,
        })
        .await;
    chat.expect(
        r#"{"event":"group","conversation":"g:9","name":"crew","about":"we sail","picture":"","settings":{"only_admins_send":false,"only_admins_edit":false,"only_admins_add":true,"backlog":0,"is_channel":false},"created_ms":1001,"head":3,"members":[{"user":1,"handle":"alice","role":"admin","since":1},{"user":2,"handle":"bob","role":"member","since":1}],"followers":0}"#,
    )
    .await;

    chat.say(r#"{"op":"receipts","conversation":"g:9"}"#).await;
    let ClientFrame::GetReceipts(receipts) = connection.frame().await else { panic!("no receipts") };
    let marks = vec![MemberMark {
        user: user(2),
        delivered: Seq::new(3),
        read: Seq::new(2),
        delivered_ms: 0,
        read_ms: 0,
    }];
    connection.send(Receipts { request: receipts.request, marks }).await;
    chat.expect(
        r#"{"event":"receipts","conversation":"g:9","members":[{"user":2,"handle":"bob","delivered":3,"read":2}]}"#,
    )
    .await;

    chat.say(r#"{"op":"history","conversation":"g:9","from":2,"upto":2}"#).await;
    let history = connection.history().await;
    let (request, head, next) = (history.request, Seq::new(3), Seq::new(3));
    let messages = vec![entry(2, GroupChange::Deleted)];
    connection.send(HistoryPage { request, head, next, messages }).await;
    let line = chat.line().await;
    assert!(
        line.starts_with(r#"{"event":"history","conversation":"g:9","head":3,"next":3,"messages":[{"#),
        "{line}"
    );
    assert!(line.ends_with(r#""change":"deleted"}]}"#), "{line}");
}

#[tokio::test(start_paused = true)]
async fn wrong_commands_about_groups_are_told_so_and_lost_answers_have_an_id() {
    let mut server = FakeServer::new();
    let mut chat = Chat::start(&server);
    chat.line().await;
    let (_, mut connection) = server.welcome().await;
    chat.line().await;
    for line in [
        r#"{"op":"create_group"}"#,
        r#"{"op":"create_group","name":"crew","id":"7"}"#,
        r#"{"op":"create_group","name":"crew","settings":{"fly":true}}"#,
        r#"{"op":"change_group","conversation":"g:9","change":"fly"}"#,
        r#"{"op":"change_group","conversation":"g:9","change":"add"}"#,
        r#"{"op":"change_group","conversation":"g:9","change":"rename","users":["bob"]}"#,
        r#"{"op":"change_group","conversation":"g:9","change":"leave","text":"bye"}"#,
        r#"{"op":"change_group","conversation":"d:1:2","change":"leave"}"#,
        r#"{"op":"group","conversation":"d:1:2"}"#,
        r#"{"op":"receipts"}"#,
    ] {
        chat.say(line).await;
        let answer = chat.line().await;
        assert!(answer.contains(r#""code":"bad_command""#), "{line}: {answer}");
    }
    chat.say(r#"{"op":"change_group","conversation":"g:9","change":"rename","text":""}"#).await;
    let answer = chat.line().await;
    assert!(answer.contains(r#""code":"bad_request""#), "{answer}");
    chat.say(r#"{"op":"change_group","conversation":"g:9","change":"delete"}"#).await;
    let ClientFrame::ChangeGroup(change) = connection.frame().await else { panic!("no change") };
    connection.refuse(change.request, ErrorCode::NotAllowed).await;
    chat.expect(r#"{"event":"error","line":12,"code":"not_allowed","text":"because"}"#).await;
    chat.say(r#"{"op":"create_group","name":"crew","tag":3}"#).await;
    let ClientFrame::CreateGroup(create) = connection.frame().await else { panic!("no group") };
    tokio::spawn(connection.answers_heartbeats_only());
    let id = create.id;
    chat.expect(&format!(
        r#"{{"event":"error","line":13,"code":"outcome_unknown","text":"no answer in time: it may have been done","id":"{id}","tag":3}}"#
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_in_json_lines_reads_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    let many: Vec<_> = (0..257).map(|number| format!("\"u{number:03}\"")).collect();
    for (users, text) in [
        ("", "a broadcast goes to at least one user"),
        (r#""bob","carol","bob""#, "bob is named twice"),
        (&many.join(","), "a broadcast goes to at most 256 users, not to 257"),
    ] {
        chat.say(&format!(r#"{{"op":"broadcast","users":[{users}],"text":"hi"}}"#)).await;
        let answer = chat.line().await;
        assert!(answer.contains(&format!(r#""code":"bad_command","text":"{text}""#)), "{answer}");
    }
    chat.say(r#"{"op":"broadcast","users":["bob","carol"],"text":"hi","tag":7}"#).await;
    find(&mut connection, 2, "bob").await;
    find(&mut connection, 3, "carol").await;
    let (bob, carol) = (connection.sent_message().await, connection.sent_message().await);
    for (send, conversation) in [(&bob, "d:1:2"), (&carol, "d:1:3")] {
        let id = send.id;
        chat.expect(&format!(r#"{{"event":"queued","id":"{id}","conversation":"{conversation}","tag":7}}"#))
            .await;
    }
    connection.refuse(bob.request, ErrorCode::NotAllowed).await;
    let failed = chat.line().await;
    let id = bob.id;
    assert!(
        failed.starts_with(&format!(r#"{{"event":"failed","id":"{id}","conversation":"d:1:2""#)),
        "{failed}"
    );
    connection.confirm(&carol, 1).await;
    assert!(chat.line().await.starts_with(r#"{"event":"sent""#));
}
