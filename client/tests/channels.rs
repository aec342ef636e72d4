//! Channels: followed as simply as groups are joined, and each entry once whatever becomes of the connection and the process.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rookery_client::{
    AccountPart, Client, Conversation, ConversationId, ConversationSettings, ErrorCode, Event, Events,
    GroupId, LmdbStore, MemoryStore, RequestError, Seq,
};
use rookery_protocol::{
    AccountEvent, ChannelNotice, ClientFrame, ConversationList, Done, Follow, History, HistoryPage,
};
use support::*;

fn id() -> GroupId {
    GroupId::new(7).unwrap()
}

fn news() -> ConversationId {
    ConversationId::group(id())
}

fn standing(read: u64, head: u64) -> Conversation {
    Conversation {
        conversation: news(),
        settings: ConversationSettings::default(),
        first: Seq::new(1),
        head: Seq::new(head),
        read: Seq::new(read),
        unread: head - read,
        last: None,
        is_member: false,
        is_followed: true,
    }
}

/// Answers the next question which channels are followed.
async fn list(connection: &mut Connection, conversations: Vec<Conversation>) {
    loop {
        match connection.next().await.expect("the client hung up") {
            ClientFrame::ListConversations(list) => {
                assert!(asks_what_is_followed(&list));
                let answer = ConversationList { request: list.request, conversations, more: false };
                return connection.send(answer).await;
            }
            ClientFrame::Ack(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn page(connection: &mut Connection, from: u64, seqs: &[u64], head: u64) {
    let History { request, conversation, from: asked, .. } = connection.history().await;
    assert_eq!((conversation, asked), (news(), Seq::new(from)));
    let messages = seqs.iter().map(|seq| message(news(), *seq)).collect();
    let next = Seq::new(seqs.last().copied().unwrap_or(head) + 1);
    connection.send(HistoryPage { request, head: Seq::new(head), next, messages }).await;
}

async fn next_place(events: &mut Events) -> u64 {
    match event(events).await {
        Event::Message(message) if message.conversation == news() => message.seq.get(),
        other => panic!("{other:?}"),
    }
}

async fn told_to_follow(events: &mut Events, groups: &[GroupId]) {
    match event(events).await {
        Event::Followed(followed) => assert_eq!(followed, groups),
        other => panic!("{other:?}"),
    }
}

async fn asked_to_follow(connection: &mut Connection, follow: bool) -> Follow {
    loop {
        match connection.frame().await {
            ClientFrame::Follow(asked) => {
                assert_eq!((asked.group, asked.follow), (id(), follow));
                return asked;
            }
            ClientFrame::Ack(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn following(client: &Client, follow: bool) -> tokio::task::JoinHandle<Result<(), RequestError>> {
    let client = client.clone();
    tokio::spawn(async move { if follow { client.follow(id()).await } else { client.unfollow(id()).await } })
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_followed_heard_and_left() {
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    let asking = following(&client, true);
    let asked = asked_to_follow(&mut connection, true).await;
    connection.send(Done { request: asked.request }).await;
    asking.await.unwrap().unwrap();
    let (part, person) = (AccountPart::Followed, None);
    connection.send(AccountEvent { stamp: stamp(1), part, person }).await;
    assert!(matches!(event(&mut events).await, Event::Account { part: AccountPart::Followed, .. }));
    list(&mut connection, vec![standing(4, 5)]).await;
    page(&mut connection, 5, &[5], 5).await;
    told_to_follow(&mut events, &[id()]).await;
    assert_eq!(client.followed(), [id()]);
    assert_eq!(next_place(&mut events).await, 5);
    connection.send(ChannelNotice { message: message(news(), 6) }).await;
    assert_eq!(next_place(&mut events).await, 6);
    // One is lost.
    connection.send(ChannelNotice { message: message(news(), 8) }).await;
    let History { request, .. } = loop {
        match connection.frame().await {
            ClientFrame::History(history) => break history,
            ClientFrame::Ack(_) => {}
            other => panic!("{other:?}"),
        }
    };
    let messages = vec![message(news(), 7)];
    connection.send(HistoryPage { request, head: Seq::new(8), next: Seq::new(8), messages }).await;
    for seq in [7, 8] {
        assert_eq!(next_place(&mut events).await, seq);
    }

    let asking = following(&client, false);
    let asked = asked_to_follow(&mut connection, false).await;
    connection.send(Done { request: asked.request }).await;
    asking.await.unwrap().unwrap();
    told_to_follow(&mut events, &[]).await;
    connection.send(ChannelNotice { message: message(news(), 9) }).await;
    assert!(nothing_happens(&mut events).await);
    assert!(client.followed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_channel_is_not_followed_and_the_application_hears_why() {
    let mut server = FakeServer::new();
    let (client, _events) = start(&server, MemoryStore::new());
    let (_, mut connection) = server.welcome().await;
    for code in [ErrorCode::NotFound, ErrorCode::NotAllowed, ErrorCode::Full] {
        let asking = following(&client, true);
        let asked = asked_to_follow(&mut connection, true).await;
        connection.refuse(asked.request, code).await;
        match asking.await.unwrap() {
            Err(RequestError::Refused(refusal)) => assert_eq!(refusal.known_code(), Some(code)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_while_the_process_was_down_is_handed_up_once_wherever_the_user_has_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    // Nothing is handed up in the first run, and 6 is handed up and not taken in the second.
    for (read, seqs, head) in [(4, vec![], 4), (6, vec![5, 6], 6), (8, vec![6, 7, 8], 8)] {
        let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
        let (_, mut connection) = server.welcome().await;
        list(&mut connection, vec![standing(read, head)]).await;
        told_to_follow(&mut events, &[id()]).await;
        if seqs.is_empty() {
            assert!(connection.is_quiet_for(std::time::Duration::from_secs(1)).await);
            client.close().await;
            continue;
        }
        page(&mut connection, seqs[0], &seqs, head).await;
        for seq in seqs {
            assert_eq!(next_place(&mut events).await, seq);
        }
        // As if the process had died.
        drop((client, events));
        assert!(connection.is_closed().await);
    }
}
