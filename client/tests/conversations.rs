//! What is the user's own: how conversations are listed, what is hidden, history any way, people, privacy, profile, reports.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use std::future::Future;

use rookery_client::{
    AccountPart, Audience, Client, Conversation, ConversationSettings, ErrorCode, Event, HideError,
    InvalidRequest, LmdbStore, MemoryStore, Person, PrivacySettings, Profile, ProfileError, ReportError,
    RequestError, Seq, Shown, UserProfile,
};
use rookery_protocol::{
    AccountEvent, ClientFrame, ConversationEvent, ConversationList, Done, FoundPeople, HistoryPage, People,
    Privacy, Profiles, limits,
};
use support::*;
use tokio::task::JoinHandle;

async fn connected() -> (Client, rookery_client::Events, FakeServer, Connection) {
    let mut server = FakeServer::new();
    let (client, events) = start(&server, MemoryStore::new());
    let (_, connection) = server.welcome().await;
    (client, events, server, connection)
}

fn asking<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    client: &Client,
    ask: impl FnOnce(Client) -> F,
) -> JoinHandle<T> {
    tokio::spawn(ask(client.clone()))
}

fn person(number: u64) -> Person {
    Person { user: user(number), is_contact: true, is_excepted: false, is_blocked: false }
}

#[tokio::test(start_paused = true)]
async fn conversations_are_listed_set_and_hidden() {
    let (client, _events, _server, mut connection) = connected().await;
    let settings = ConversationSettings { pinned: true, ..ConversationSettings::default() };
    let list = asking(&client, |client| async move { client.conversations(Some(with_bob())).await.unwrap() });
    let ClientFrame::ListConversations(asked) = connection.frame().await else { panic!("no list") };
    assert_eq!(asked.after, Some(with_bob()));
    let carol = Conversation {
        conversation: with(3),
        settings: settings.clone(),
        first: Seq::new(1),
        head: Seq::new(9),
        read: Seq::new(7),
        unread: 2,
        last: Some(message(with(3), 9)),
        is_member: true,
        is_followed: false,
    };
    let conversations = vec![carol];
    let answer = ConversationList { request: asked.request, conversations, more: false };
    connection.send(answer.clone()).await;
    assert_eq!(list.await.unwrap(), answer);

    let setting = asking(&client, |client| async move { client.set_conversation(with(3), settings).await });
    let ClientFrame::SetConversation(set) = connection.frame().await else { panic!("no settings") };
    assert!(set.conversation == with(3) && set.settings.pinned);
    connection.send(Done { request: set.request }).await;
    assert_eq!(setting.await.unwrap(), Ok(()));

    let hiding =
        asking(&client, |client| async move { client.hide(with(3), Seq::new(4), vec![Seq::new(8)]).await });
    let ClientFrame::Hide(hide) = connection.frame().await else { panic!("nothing is hidden") };
    assert_eq!((hide.up_to, &hide.seqs[..]), (Seq::new(4), &[Seq::new(8)][..]));
    connection.refuse(hide.request, ErrorCode::NotMember).await;
    assert!(matches!(hiding.await.unwrap(), Err(RequestError::Refused(_))));
    let nothing = client.hide(with(3), Seq::ZERO, Vec::new()).await;
    assert_eq!(nothing, Err(RequestError::Invalid(InvalidRequest::Hide(HideError))));
}

#[tokio::test(start_paused = true)]
async fn history_is_asked_for_from_either_end_and_by_time() {
    let (client, _events, _server, mut connection) = connected().await;
    let all = (Seq::new(1), Seq::new(u64::MAX));
    let (from, to) = (Seq::new(3), Seq::new(9));
    let asked = asking(&client, move |client| async move {
        client.history(with_bob(), from, to).await.unwrap();
        client.history_backwards(with_bob(), from, to).await.unwrap();
        client.history_since(with_bob(), 5).await.unwrap();
        client.history_before(with_bob(), 0).await.unwrap();
    });
    for (range, backwards, time_ms) in
        [((from, to), false, 0), ((from, to), true, 0), (all, false, 5), (all, true, 1)]
    {
        let history = connection.history().await;
        let ranges = ((history.from, history.to), history.backwards, history.time_ms);
        assert_eq!(ranges, (range, backwards, time_ms));
        let (request, head, next) = (history.request, Seq::new(9), Seq::new(2));
        connection.send(HistoryPage { request, head, next, messages: Vec::new() }).await;
    }
    asked.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn privacy_profiles_people_and_reports_are_asked_and_said() {
    let (client, _events, _server, mut connection) = connected().await;
    let privacy = PrivacySettings { online: Audience::Contacts, ..PrivacySettings::default() };
    let profile = Profile { name: "Alice".to_owned(), about: String::new(), picture: String::new() };
    let said = {
        let (privacy, profile) = (privacy.clone(), profile.clone());
        asking(&client, move |client| async move {
            client.set_privacy(privacy).await?;
            client.set_profile(profile).await?;
            client.set_person(person(2)).await?;
            client.report(user(2), Some(with_bob()), vec![Seq::new(7)], "spam").await
        })
    };
    let ClientFrame::SetPrivacy(set) = connection.frame().await else { panic!("no privacy") };
    assert_eq!(set.privacy, privacy);
    connection.send(Done { request: set.request }).await;
    let ClientFrame::SetProfile(set) = connection.frame().await else { panic!("no profile") };
    assert_eq!(set.profile, profile);
    connection.send(Done { request: set.request }).await;
    let ClientFrame::SetPerson(set) = connection.frame().await else { panic!("no person") };
    assert_eq!(set.person, person(2));
    connection.send(Done { request: set.request }).await;
    let ClientFrame::Report(report) = connection.frame().await else { panic!("no report") };
    assert_eq!((report.user, report.conversation, report.text.as_str()), (user(2), Some(with_bob()), "spam"));
    connection.send(Done { request: report.request }).await;
    assert_eq!(said.await.unwrap(), Ok(()));

    let asked = asking(&client, |client| async move {
        let handles = ["bob".parse().unwrap(), "nobody".parse().unwrap()];
        let many: Vec<_> = (1..=limits::PROFILES_MAX as u64 + 1).map(user).collect();
        (client.privacy().await.unwrap(), client.find_people(&handles).await, client.profiles(&many).await)
    });
    let ClientFrame::GetPrivacy(get) = connection.frame().await else { panic!("no question") };
    connection.send(Privacy { request: get.request, privacy: privacy.clone() }).await;
    let ClientFrame::FindPeople(find) = connection.frame().await else { panic!("no question") };
    assert_eq!(find.handles.len(), 2);
    connection.send(FoundPeople { request: find.request, users: vec![Some(user(2)), None] }).await;
    for asked in [limits::PROFILES_MAX, 1] {
        let ClientFrame::GetProfiles(get) = connection.frame().await else { panic!("no question") };
        assert_eq!(get.users.len(), asked);
        let handle = "somebody".parse().unwrap();
        let profile = UserProfile { user: get.users[0], handle, profile: None, last_seen_ms: 60_000 };
        connection.send(Profiles { request: get.request, profiles: vec![profile] }).await;
    }
    let (is, found, profiles) = asked.await.unwrap();
    assert_eq!((is, found), (privacy, Ok(vec![Some(user(2)), None])));
    let users: Vec<_> = profiles.unwrap().into_iter().map(|profile| profile.user.get()).collect();
    assert_eq!(users, [1, limits::PROFILES_MAX as u64 + 1]);
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_the_people_are_joined_and_a_list_without_an_end_is_left() {
    let (client, _events, _server, mut connection) = connected().await;
    let listing = asking(&client, |client| async move { client.people().await.unwrap() });
    let pages = [(None, vec![2, 3], true), (Some(3), vec![5], true), (Some(5), vec![4, 5], true)];
    for (after, page, more) in pages {
        let ClientFrame::ListPeople(list) = connection.frame().await else { panic!("no list") };
        assert_eq!(list.after, after.map(user));
        let people = page.into_iter().map(person).collect();
        connection.send(People { request: list.request, people, more }).await;
    }
    assert_eq!(listing.await.unwrap(), [person(2), person(3), person(5)]);
}

#[tokio::test(start_paused = true)]
async fn what_no_server_would_take_is_not_asked() {
    let (client, _events, _server, _connection) = connected().await;
    let profile = Profile { name: "\n".to_owned(), about: String::new(), picture: String::new() };
    let invalid = |invalid| Err(RequestError::Invalid(invalid));
    assert_eq!(client.set_profile(profile).await, invalid(InvalidRequest::Profile(ProfileError::Name)));
    let many = vec![Seq::new(1); limits::REPORT_MESSAGES_MAX + 1];
    assert_eq!(
        client.report(user(2), Some(with_bob()), many, "").await,
        invalid(InvalidRequest::Report(ReportError::Messages))
    );
    let long = "x".repeat(limits::REPORT_TEXT_BYTES_MAX + 1);
    assert_eq!(
        client.report(user(2), None, Vec::new(), long).await,
        invalid(InvalidRequest::Report(ReportError::Text))
    );
    let many = (1..=limits::WATCH_USERS_MAX as u64 + 1).map(user).collect();
    assert!(client.watch(many, Vec::new()).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_has_changed_about_the_user_is_acknowledged_once_taken() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = FakeServer::new();
    let (client, mut events) = start(&server, LmdbStore::open(directory.path()).unwrap());
    let (_, mut connection) = server.welcome().await;
    let shown = Shown { conversation: with_bob(), settings: None, up_to: Seq::new(3), seqs: Vec::new() };
    connection.send(ConversationEvent { stamp: stamp(1), shown: shown.clone() }).await;
    let (part, who) = (AccountPart::People, Some(person(2)));
    connection.send(AccountEvent { stamp: stamp(2), part, person: who.clone() }).await;
    match event(&mut events).await {
        Event::Shown(told) => assert_eq!(told, shown),
        other => panic!("{other:?}"),
    }
    match event(&mut events).await {
        Event::Account { part: told, person } => assert_eq!((told, person), (part, who)),
        other => panic!("{other:?}"),
    }
    connection.acked(1).await;
    client.close().await;
    connection.acked(2).await;
}
