//! JSON mode: messages about messages, what is the user's own, and what is only for those who look.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod support;

use rookery_client::{
    AccountPart, Audience, Availability, Conversation, ConversationId, ConversationSettings, Doing,
    ErrorCode, GroupId, MemberMark, Person, Presence, PrivacySettings, Profile, Reference, ReferenceKind,
    Seq, Shown, UserProfile,
};
use rookery_protocol::{
    AccountEvent, ChannelNotice, ClientFrame, ConversationEvent, ConversationList, Done, FoundPeople,
    HistoryPage, Message, People, PresenceNotice, Privacy, Profiles, ReceiptsNotice, TypingNotice,
};
use support::json::{Chat, find};
use support::*;

#[tokio::test(start_paused = true)]
async fn messages_about_messages_in_json_lines_read_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    for (line, kind, said) in [
        (r#"{"op":"send","conversation":"d:1:2","text":"yes","reply_to":3}"#, ReferenceKind::Reply, "yes"),
        (r#"{"op":"react","conversation":"d:1:2","seq":3,"text":"+1"}"#, ReferenceKind::Reaction, "+1"),
        (r#"{"op":"edit","conversation":"d:1:2","seq":3,"text":"no"}"#, ReferenceKind::Edit, "no"),
        (r#"{"op":"delete","conversation":"d:1:2","seq":3,"tag":1}"#, ReferenceKind::Delete, ""),
    ] {
        chat.say(line).await;
        let send = connection.sent_message().await;
        let reference = Some(Reference { kind, seq: Seq::new(3) });
        assert_eq!((text(&send.body), send.reference), (said, reference));
        assert!(chat.line().await.starts_with(r#"{"event":"queued""#));
        connection.refuse(send.request, ErrorCode::TooLate).await;
        assert!(chat.line().await.contains(r#""code":"too_late""#));
    }
    chat.say(&format!(r#"{{"op":"react","conversation":"d:1:2","seq":3,"text":"{:600}"}}"#, "x")).await;
    assert!(chat.line().await.contains(r#""code":"bad_request""#));

    let reference = Some(Reference { kind: ReferenceKind::Reply, seq: Seq::new(1) });
    connection.push(1, Message { reference, sender: user(1), ..message(with_bob(), 2) }).await;
    chat.expect(
        r#"{"event":"message","conversation":"d:1:2","seq":2,"id":"00000000000000000000000000000002","from":"alice","user":1,"device":1,"time_ms":1002,"text":"message 2","reference":{"kind":"reply","seq":1}}"#,
    )
    .await;
    let gone = Message { body: None, deleted: true, sender: user(1), ..message(with_bob(), 3) };
    connection.push(2, gone).await;
    assert!(chat.line().await.ends_with(r#""text":"","deleted":true}"#));
}

#[tokio::test(start_paused = true)]
async fn conversations_in_json_lines_read_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    chat.say(r#"{"op":"conversations","after":"d:1:2","tag":1}"#).await;
    let ClientFrame::ListConversations(list) = connection.frame().await else { panic!("no list") };
    assert_eq!(list.after, Some(with_bob()));
    let carol = Conversation {
        conversation: with(3),
        settings: ConversationSettings { pinned: true, ..ConversationSettings::default() },
        first: Seq::new(1),
        head: Seq::new(9),
        read: Seq::new(7),
        unread: 2,
        last: None,
        is_member: true,
        is_followed: false,
    };
    let list = ConversationList { request: list.request, conversations: vec![carol], more: true };
    connection.send(list).await;
    chat.expect(
        r#"{"event":"conversations","conversations":[{"conversation":"d:1:3","settings":{"muted_until_ms":0,"archived":false,"pinned":true,"unread":false},"first":1,"head":9,"read":7,"unread":2,"last":null,"is_member":true,"is_followed":false}],"more":true,"tag":1}"#,
    )
    .await;

    chat.say(r#"{"op":"set_conversation","conversation":"d:1:3","settings":{"archived":true},"tag":2}"#)
        .await;
    let ClientFrame::SetConversation(set) = connection.frame().await else { panic!("no settings") };
    assert!(set.settings.archived && !set.settings.pinned);
    connection.send(Done { request: set.request }).await;
    chat.expect(r#"{"event":"done","line":2,"tag":2}"#).await;
    let (settings, seqs) = (Some(set.settings), vec![Seq::new(4)]);
    let shown = Shown { conversation: with(3), settings, up_to: Seq::new(2), seqs };
    connection.send(ConversationEvent { stamp: stamp(1), shown }).await;
    chat.expect(
        r#"{"event":"shown","conversation":"d:1:3","settings":{"muted_until_ms":0,"archived":true,"pinned":false,"unread":false},"hidden_up_to":2,"hidden":[4]}"#,
    )
    .await;
    connection.acked(1).await;

    chat.say(r#"{"op":"hide","conversation":"d:1:3","seqs":[4,5]}"#).await;
    let ClientFrame::Hide(hide) = connection.frame().await else { panic!("nothing is hidden") };
    assert_eq!((hide.up_to, hide.seqs), (Seq::ZERO, vec![Seq::new(4), Seq::new(5)]));
    connection.send(Done { request: hide.request }).await;
    chat.expect(r#"{"event":"done","line":3}"#).await;
    chat.say(r#"{"op":"hide","conversation":"d:1:3"}"#).await;
    assert!(chat.line().await.contains(r#""code":"bad_request""#));

    for (line, backwards, time_ms) in [
        (r#"{"op":"history","conversation":"d:1:3","backwards":true,"upto":7}"#, true, 0),
        (r#"{"op":"history","conversation":"d:1:3","since_ms":5}"#, false, 5),
        (r#"{"op":"history","conversation":"d:1:3","before_ms":6}"#, true, 6),
    ] {
        chat.say(line).await;
        let history = connection.history().await;
        assert_eq!((history.backwards, history.time_ms), (backwards, time_ms));
        let (request, head, next) = (history.request, Seq::new(9), Seq::ZERO);
        connection.send(HistoryPage { request, head, next, messages: Vec::new() }).await;
        assert!(
            chat.line().await.starts_with(r#"{"event":"history","conversation":"d:1:3","head":9,"next":0"#)
        );
    }
    chat.say(r#"{"op":"history","conversation":"d:1:3","since_ms":5,"from":1}"#).await;
    assert!(chat.line().await.contains(r#""code":"bad_command""#));
}

#[tokio::test(start_paused = true)]
async fn people_in_json_lines_read_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    chat.say(r#"{"op":"set_privacy","online":"contacts_except","read_receipts":false}"#).await;
    let ClientFrame::GetPrivacy(get) = connection.frame().await else { panic!("no question") };
    let privacy = PrivacySettings { groups: Audience::Contacts, ..PrivacySettings::default() };
    connection.send(Privacy { request: get.request, privacy }).await;
    let ClientFrame::SetPrivacy(set) = connection.frame().await else { panic!("no privacy") };
    let privacy = PrivacySettings {
        online: Audience::ContactsExcept,
        groups: Audience::Contacts,
        read_receipts: false,
        ..PrivacySettings::default()
    };
    assert_eq!(set.privacy, privacy);
    connection.send(Done { request: set.request }).await;
    chat.expect(r#"{"event":"done","line":1}"#).await;
    chat.say(r#"{"op":"privacy"}"#).await;
    let ClientFrame::GetPrivacy(get) = connection.frame().await else { panic!("no question") };
    connection.send(Privacy { request: get.request, privacy }).await;
    chat.expect(
        r#"{"event":"privacy","last_seen":"everyone","online":"contacts_except","profile":"everyone","groups":"contacts","read_receipts":false}"#,
    )
    .await;

    let profile = |user_number, name: &str| UserProfile {
        user: user(user_number),
        handle: "alice".parse().unwrap(),
        profile: Some(Profile { name: name.to_owned(), about: "sails".to_owned(), picture: String::new() }),
        last_seen_ms: 60_000,
    };
    chat.say(r#"{"op":"set_profile","name":"Alice"}"#).await;
    let ClientFrame::GetProfiles(get) = connection.frame().await else { panic!("no question") };
    connection.send(Profiles { request: get.request, profiles: vec![profile(1, "Al")] }).await;
    let ClientFrame::SetProfile(set) = connection.frame().await else { panic!("no profile") };
    assert_eq!((set.profile.name.as_str(), set.profile.about.as_str()), ("Alice", "sails"));
    connection.send(Done { request: set.request }).await;
    chat.expect(r#"{"event":"done","line":3}"#).await;
    chat.say(r#"{"op":"profiles","users":["alice"]}"#).await;
    let ClientFrame::GetProfiles(get) = connection.frame().await else { panic!("no question") };
    connection.send(Profiles { request: get.request, profiles: vec![profile(1, "Alice")] }).await;
    chat.expect(
        r#"{"event":"profiles","profiles":[{"user":1,"handle":"alice","name":"Alice","about":"sails","picture":"","last_seen_ms":60000}]}"#,
    )
    .await;

    chat.say(r#"{"op":"set_person","handle":"bob","contact":true}"#).await;
    find(&mut connection, 2, "bob").await;
    let ClientFrame::SetPerson(set) = connection.frame().await else { panic!("no person") };
    let bob = Person { user: user(2), is_contact: true, is_excepted: false, is_blocked: false };
    assert_eq!(set.person, bob);
    connection.send(Done { request: set.request }).await;
    chat.expect(r#"{"event":"done","line":5}"#).await;
    let (part, person) = (AccountPart::People, Some(bob.clone()));
    connection.send(AccountEvent { stamp: stamp(1), part, person }).await;
    let told = r#"{"user":2,"handle":"bob","contact":true,"excepted":false,"blocked":false}"#;
    chat.expect(&format!(r#"{{"event":"account","part":"people","person":{told}}}"#)).await;
    connection.acked(1).await;
    chat.say(r#"{"op":"people"}"#).await;
    let ClientFrame::ListPeople(list) = connection.frame().await else { panic!("no question") };
    connection.send(People { request: list.request, people: vec![bob], more: false }).await;
    chat.expect(&format!(r#"{{"event":"people","people":[{told}]}}"#)).await;
    chat.say(r#"{"op":"find_people","handles":["bob","nobody"]}"#).await;
    let ClientFrame::FindPeople(find) = connection.frame().await else { panic!("no question") };
    connection.send(FoundPeople { request: find.request, users: vec![Some(user(2)), None] }).await;
    chat.expect(
        r#"{"event":"found_people","people":[{"handle":"bob","user":2},{"handle":"nobody","user":null}]}"#,
    )
    .await;
    chat.say(r#"{"op":"report","handle":"bob","conversation":"d:1:2","seqs":[7],"text":"spam"}"#).await;
    let ClientFrame::Report(report) = connection.frame().await else { panic!("no report") };
    assert_eq!((report.user, report.conversation), (user(2), Some(with_bob())));
    connection.refuse(report.request, ErrorCode::NotMember).await;
    assert!(chat.line().await.contains(r#""code":"not_member""#));
}

#[tokio::test(start_paused = true)]
async fn what_is_only_for_those_who_look_reads_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    chat.say(r#"{"op":"watch","users":["bob"],"conversations":["d:1:2"]}"#).await;
    find(&mut connection, 2, "bob").await;
    let ClientFrame::Watch(watch) = connection.frame().await else { panic!("nothing is watched") };
    chat.expect(r#"{"event":"done","line":1}"#).await;
    connection.send(Done { request: watch.request }).await;
    chat.expect(r#"{"event":"watching"}"#).await;
    let seen = |availability, last_seen_ms| Presence { user: user(2), availability, last_seen_ms };
    let people = vec![seen(Availability::Online, 0)];
    connection.send(PresenceNotice { people }).await;
    chat.expect(r#"{"event":"presence","people":[{"user":2,"handle":"bob","availability":"online"}]}"#).await;
    let people = vec![seen(Availability::Offline, 60_000)];
    connection.send(PresenceNotice { people }).await;
    assert!(chat.line().await.ends_with(r#""availability":"offline","last_seen_ms":60000}]}"#));
    let (conversation, doing) = (with_bob(), Doing::Typing);
    connection.send(TypingNotice { conversation, user: user(2), doing }).await;
    chat.expect(r#"{"event":"typing","conversation":"d:1:2","user":2,"handle":"bob","doing":"typing"}"#)
        .await;
    let (delivered, read) = (Seq::new(3), Seq::new(2));
    let mark = MemberMark { user: user(2), delivered, read, delivered_ms: 5, read_ms: 0 };
    connection.send(ReceiptsNotice { conversation, marks: vec![mark.clone()] }).await;
    chat.expect(
        r#"{"event":"receipts_changed","conversation":"d:1:2","members":[{"user":2,"handle":"bob","delivered":3,"read":2,"delivered_ms":5}]}"#,
    )
    .await;
    // How things are, which the client asks now and then, is no news.
    connection.send(ReceiptsNotice { conversation, marks: vec![mark.clone()] }).await;
    let further = MemberMark { user: user(1), ..mark.clone() };
    connection.send(ReceiptsNotice { conversation, marks: vec![mark, further] }).await;
    chat.expect(
        r#"{"event":"receipts_changed","conversation":"d:1:2","members":[{"user":1,"handle":"alice","delivered":3,"read":2,"delivered_ms":5}]}"#,
    )
    .await;
    chat.say(r#"{"op":"typing","to":"bob","doing":"typing"}"#).await;
    assert!(matches!(connection.frame().await, ClientFrame::Typing(typing) if typing.doing == Doing::Typing));
    chat.expect(r#"{"event":"done","line":2}"#).await;
    chat.say(r#"{"op":"active","active":false}"#).await;
    assert!(matches!(connection.frame().await, ClientFrame::Active(active) if !active.active));
    chat.expect(r#"{"event":"done","line":3}"#).await;
}

#[tokio::test(start_paused = true)]
async fn channels_in_json_lines_read_as_documented() {
    let mut server = FakeServer::new();
    let (mut chat, mut connection) = Chat::connected(&mut server).await;
    let news = ConversationId::group(GroupId::new(7).unwrap());
    chat.say(r#"{"op":"follow","conversation":"g:7","tag":1}"#).await;
    let ClientFrame::Follow(follow) = connection.frame().await else { panic!("nothing is followed") };
    assert!(follow.group.get() == 7 && follow.follow);
    connection.send(Done { request: follow.request }).await;
    chat.expect(r#"{"event":"done","line":1,"tag":1}"#).await;
    let (part, person) = (AccountPart::Followed, None);
    connection.send(AccountEvent { stamp: stamp(1), part, person }).await;
    chat.expect(r#"{"event":"account","part":"followed"}"#).await;
    let Some(ClientFrame::ListConversations(list)) = connection.next().await else { panic!("no list") };
    let (first, head, read) = (Seq::new(1), Seq::new(4), Seq::new(4));
    let settings = ConversationSettings::default();
    let standing = Conversation {
        conversation: news,
        settings,
        first,
        head,
        read,
        unread: 0,
        last: None,
        is_member: false,
        is_followed: true,
    };
    let conversations = vec![standing];
    connection.send(ConversationList { request: list.request, conversations, more: false }).await;
    chat.expect(r#"{"event":"followed","conversations":["g:7"]}"#).await;
    connection.acked(1).await;
    connection.send(ChannelNotice { message: message(news, 5) }).await;
    find(&mut connection, 2, "bob").await;
    chat.expect(
        r#"{"event":"message","conversation":"g:7","seq":5,"id":"00000000000000000000000000000005","from":"bob","user":2,"device":1,"time_ms":1005,"text":"message 5"}"#,
    )
    .await;
    chat.say(r#"{"op":"unfollow","conversation":"g:7"}"#).await;
    let ClientFrame::Follow(follow) = connection.frame().await else { panic!("it is followed still") };
    assert!(!follow.follow);
    connection.send(Done { request: follow.request }).await;
    // Of these two either may be the first.
    let mut lines = [chat.line().await, chat.line().await];
    lines.sort();
    assert_eq!(lines, [r#"{"event":"done","line":2}"#, r#"{"event":"followed","conversations":[]}"#]);
    chat.say(r#"{"op":"follow","conversation":"d:1:2"}"#).await;
    chat.expect(r#"{"event":"error","line":3,"code":"bad_command","text":"the conversation is no group's"}"#)
        .await;
}
