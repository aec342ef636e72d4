//! What a person types and what comes, and what they see of it.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rookery_protocol::{
    Availability, Body, Conversation, ConversationSettings, DeviceId, Doing, GroupMember, MessageId,
    Presence, Reference, Role, Shown,
};

use super::*;
use crate::chat::editor::Editor;
use crate::chat::screen::{self, Terminal};
use crate::{
    Batch, Config, DialFuture, Dialer, Identity, LocalStore, MemoryStore, Message, NodeAddress, Refusal,
    TlsOptions, TokenProvider,
};

/// Never comes to an end.
struct NoNetwork;

impl Dialer for NoNetwork {
    fn dial(&self, _: &NodeAddress) -> DialFuture {
        Box::pin(std::future::pending())
    }
}

pub(super) fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

pub(super) fn handle(name: &str) -> Handle {
    name.parse().unwrap()
}

pub(super) fn crew(number: u64) -> ConversationId {
    ConversationId::group(GroupId::new(number).unwrap())
}

/// Alice's, who knows bob.
pub(super) fn session() -> (Session, mpsc::Receiver<Update>) {
    let nodes: Vec<NodeAddress> = vec!["tcp://a:1".parse().unwrap()];
    let config = Config::new(nodes.clone(), TokenProvider::fixed("t"));
    let rng = StdRng::seed_from_u64(1);
    let mut store = MemoryStore::new();
    drop(store.commit(Batch { device: Some((user(1), DeviceId::new(1))), ..Batch::default() }));
    let started = Client::resume(config, NoNetwork, store, rng).unwrap();
    let options = ChatOptions {
        nodes,
        token: TokenProvider::fixed("t"),
        data_dir: "unused".into(),
        tls: TlsOptions::System,
        me: None,
        open: None,
    };
    let (mut session, updates) = Session::new(&started, &options);
    let (alice, device) = (user(1), DeviceId::new(1));
    session.event(Event::Connected(Identity { user: alice, handle: handle("alice"), device }));
    session.rooms.learn(user(2), handle("bob"));
    (session, updates)
}

pub(super) fn notices(session: &mut Session, line: &str) -> String {
    assert_eq!(session.enter(line), Next::GoOn);
    session.notices.join("\n")
}

pub(super) fn screen(session: &Session) -> String {
    screen::draw(session, &Editor::default(), Terminal { columns: 72, rows: 14, colours: false })
}

fn with_bob() -> ConversationId {
    ConversationId::direct(user(1), user(2))
}

fn message(conversation: ConversationId, seq: u64, sender: u64, text: &str) -> Message {
    Message {
        conversation,
        seq: Seq::new(seq),
        sender: user(sender),
        device: DeviceId::new(1),
        id: MessageId::from_bytes([u8::try_from(seq).unwrap(); 16]),
        time_ms: 36_000_000,
        body: Body::new(text.to_owned()),
        reference: None,
        deleted: false,
        expires_ms: 0,
        timer_s: 0,
    }
}

fn about(message: Message, kind: ReferenceKind, seq: u64) -> Event {
    Event::Message(Message { reference: Some(Reference { kind, seq: Seq::new(seq) }), ..message })
}

fn unsent(session: &Session) -> Vec<(Option<Reference>, String)> {
    let unsent = &session.rooms.rooms[&with_bob()].unsent;
    unsent.iter().map(|unsent| (unsent.reference, unsent.text.clone())).collect()
}

#[tokio::test]
async fn edits_reactions_and_deletions_are_seen_in_place_and_told_where_lines_are_all_there_is() {
    let (mut session, _updates) = session();
    let bob = |seq, text| message(with_bob(), seq, 2, text);
    session.event(Event::Message(bob(1, "hello")));
    session.event(Event::Message(bob(2, "bye")));
    session.event(Event::Message(message(with_bob(), 3, 1, "stay")));
    let told = session.event(about(bob(4, "hallo"), ReferenceKind::Edit, 1)).unwrap();
    assert_eq!(told, "10:00 bob has edited “bob: hello”: hallo");
    let told = session.event(about(bob(5, "+1"), ReferenceKind::Reaction, 3)).unwrap();
    assert_eq!(told, "10:00 bob reacts to “me: stay” with +1");
    let told = session.event(about(bob(6, ""), ReferenceKind::Delete, 2)).unwrap();
    assert_eq!(told, "10:00 bob has deleted “bob: bye”");
    let told = session.event(about(bob(7, "I do"), ReferenceKind::Reply, 3)).unwrap();
    assert_eq!(told, "10:00 bob (to “me: stay”): I do");
    assert_eq!(session.rooms.rooms[&with_bob()].unread, 3, "what changes a message is none");
    session.open(with_bob());
    let seen = screen(&session);
    for shown in ["bob: hallo (edited)", "bob: (deleted)", "me: stay", "[+1 bob]", "↳ me: stay", "I do"] {
        assert!(seen.contains(shown), "{shown}: {seen}");
    }
    assert!(!seen.contains("bye"), "{seen}");
    notices(&mut session, "/numbers");
    assert!(screen(&session).contains("10:00 #7 bob:"));
}

#[tokio::test]
async fn a_command_is_about_the_newest_message_that_it_can_be_about_or_the_one_named() {
    let (mut session, _updates) = session();
    for command in ["/reply yes", "/edit yes", "/delete", "/react +1", "/hide all", "/report spam", "/mute"] {
        assert!(notices(&mut session, command).contains("no conversation is open"), "{command}");
    }
    session.open(with_bob());
    assert!(notices(&mut session, "/edit yes").contains("nothing that you have sent"));
    session.event(Event::Message(message(with_bob(), 1, 2, "hello")));
    session.event(Event::Message(message(with_bob(), 2, 1, "yes")));
    session.event(Event::Message(message(with_bob(), 3, 1, "gone")));
    session.event(about(message(with_bob(), 4, 1, ""), ReferenceKind::Delete, 3));
    for command in ["/reply so", "/react +1", "/edit no", "/delete #3"] {
        assert_eq!(notices(&mut session, command), "", "{command}");
    }
    let reference = |kind, seq| Some(Reference { kind, seq: Seq::new(seq) });
    let expected = [
        (reference(ReferenceKind::Reply, 1), "so"),
        (reference(ReferenceKind::Reaction, 1), "reacts to “bob: hello” with +1"),
        (reference(ReferenceKind::Edit, 2), "edits “me: yes”: no"),
        (reference(ReferenceKind::Delete, 3), "deletes “(deleted)”"),
    ];
    let expected = expected.map(|(reference, text)| (reference, text.to_owned()));
    assert_eq!(unsent(&session)[..3], expected[..3]);
    assert_eq!(unsent(&session)[3].0, expected[3].0);
    assert!(notices(&mut session, "/hide 3").contains("/hide #N"));
}

#[tokio::test]
async fn what_is_refused_says_why_and_only_messages_stay() {
    let (mut session, _updates) = session();
    session.open(with_bob());
    session.event(Event::Message(message(with_bob(), 1, 1, "yes")));
    notices(&mut session, "/edit no");
    notices(&mut session, "hello");
    let ids: Vec<_> = session.rooms.rooms[&with_bob()].unsent.iter().map(|unsent| unsent.id).collect();
    for id in ids {
        let refusal = Refusal { code: 29, text: "too late".to_owned() };
        session.event(Event::SendFailed { id, conversation: with_bob(), refusal });
    }
    assert!(session.notices.join("").contains("the edit was refused"), "{:?}", session.notices);
    assert_eq!(unsent(&session).len(), 1);
    assert!(!session.has_unsent());
}

#[tokio::test(start_paused = true)]
async fn who_is_there_and_who_is_typing_is_seen_for_as_long_as_it_holds() {
    let (mut session, _updates) = session();
    session.open(with_bob());
    let bob = |availability, last_seen_ms| {
        Event::Presence(vec![Presence { user: user(2), availability, last_seen_ms }])
    };
    session.event(bob(Availability::Online, 0));
    assert!(screen(&session).contains("── bob is online ──"));
    session.event(bob(Availability::Offline, 86_400_000));
    assert!(screen(&session).contains("── bob was last seen 1970-01-02 00:00 ──"));
    let (conversation, doing) = (with_bob(), Doing::Typing);
    let typing = || Event::Typing { conversation, user: user(2), doing };
    session.event(typing());
    assert!(screen(&session).contains("── bob is typing… ──"));
    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    assert_eq!(session.pass_time(), None);
    assert!(!screen(&session).contains("typing"));
    session.event(typing());
    session.event(Event::Message(message(with_bob(), 1, 2, "hello")));
    assert!(!screen(&session).contains("typing"), "what they have typed is here");
    session.event(bob(Availability::Online, 0));
    let (retry_in, reason) = (std::time::Duration::ZERO, String::new());
    session.event(Event::Disconnected { retry_in, reason });
    assert!(!screen(&session).contains("online"));
}

#[tokio::test]
async fn the_newest_own_message_to_a_group_says_how_many_have_it() {
    let (mut session, _updates) = session();
    session.open(crew(9));
    session.event(Event::Message(message(crew(9), 2, 1, "ahoy")));
    let member = |number| GroupMember { user: user(number), role: Role::Member, since: Seq::new(1) };
    session.rooms.room(crew(9)).members = [1, 2, 3].map(member).to_vec();
    let mark = |number, delivered, read| MemberMark {
        user: user(number),
        delivered: Seq::new(delivered),
        read: Seq::new(read),
        delivered_ms: 0,
        read_ms: 0,
    };
    session.event(Event::Receipts { conversation: crew(9), marks: vec![mark(2, 2, 2)] });
    let seen = screen(&session);
    assert!(seen.contains("1 of 2 delivered, 1 read") && seen.contains("ahoy ✓"), "{seen}");
    session.event(Event::Receipts { conversation: crew(9), marks: vec![mark(3, 2, 0)] });
    let seen = screen(&session);
    assert!(seen.contains("2 of 2 delivered, 1 read") && seen.contains("ahoy ✓✓"), "{seen}");
}

#[tokio::test]
async fn chats_are_listed_as_the_person_wants_with_what_is_unread() {
    let (mut session, _updates) = session();
    for number in 3..=5 {
        session.rooms.learn(user(number), handle(["carol", "dave", "eve"][number as usize - 3]));
    }
    let standing = |number, settings, unread| {
        let conversation = ConversationId::direct(user(1), user(number));
        let (first, head, read) = (Seq::new(1), Seq::new(9), Seq::new(7));
        Conversation {
            conversation,
            settings,
            first,
            head,
            read,
            unread,
            last: None,
            is_member: true,
            is_followed: false,
        }
    };
    let none = ConversationSettings::default;
    let conversations = vec![
        standing(2, none(), 2),
        standing(3, ConversationSettings { muted_until_ms: u64::MAX, ..none() }, 0),
        standing(4, ConversationSettings { archived: true, ..none() }, 1),
        standing(5, ConversationSettings { pinned: true, unread: true, ..none() }, 0),
    ];
    session.update(Update::Chats { conversations, names: HashMap::new(), are_all: true });
    session.event(Event::Message(message(with_bob(), 10, 2, "hello")));
    let listed =
        "eve (unread, pinned)\nbob (3 new) · 10:00 bob: hello\ncarol (muted)\nput away:\ndave (1 new)";
    assert_eq!(notices(&mut session, "/chats"), listed);
    assert!(!screen(&session).contains(" dave"), "what is put away is not at the side");
    let settings = Some(ConversationSettings { archived: true, ..none() });
    let shown = Shown { conversation: with_bob(), settings, up_to: Seq::new(10), seqs: Vec::new() };
    session.event(Event::Shown(shown));
    let listed = notices(&mut session, "/chats");
    assert!(listed.ends_with("put away:\nbob (3 new)\ndave (1 new)"), "{listed}");
    let settings = ConversationSettings { pinned: true, ..none() };
    session.update(Update::Listed(with_bob(), settings, "it stays at the top".to_owned()));
    assert_eq!(session.notices.last().unwrap(), "it stays at the top");
    let listed = notices(&mut session, "/chats");
    assert!(listed.contains("bob (3 new, pinned)"), "before the event that says so: {listed}");
}

#[tokio::test]
async fn what_is_opened_is_at_the_side_and_says_how_far_it_has_come_though_no_receipt_came() {
    let (mut session, _updates) = session();
    session.event(Event::Message(message(with_bob(), 1, 1, "hello")));
    let settings = Some(ConversationSettings { archived: true, ..ConversationSettings::default() });
    let shown = Shown { conversation: with_bob(), settings, up_to: Seq::ZERO, seqs: Vec::new() };
    session.event(Event::Shown(shown));
    session.open(with_bob());
    assert!(screen(&session).contains("▸bob"));
    assert!(screen(&session).contains("me: hello ✓\r"), "{}", screen(&session));
    let (delivered, read) = (Seq::new(1), Seq::new(1));
    let mark = MemberMark { user: user(2), delivered, read, delivered_ms: 0, read_ms: 0 };
    session.update(Update::Marks(with_bob(), vec![mark]));
    assert!(screen(&session).contains("me: hello ✓✓ read"));
}

#[tokio::test]
async fn one_can_go_back_and_comes_to_the_end_again() {
    let (mut session, _updates) = session();
    session.open(with_bob());
    for seq in 1..=40 {
        session.event(Event::Message(message(with_bob(), seq, 2, &format!("message {seq}."))));
    }
    session.scroll_back();
    assert_eq!(session.messages_below(), 8);
    let seen = screen(&session);
    assert!(
        seen.contains("message 32.") && !seen.contains("message 33.") && seen.contains("8 below"),
        "{seen}"
    );
    session.scroll_back();
    session.scroll_on();
    assert_eq!(session.messages_below(), 8);
    session.scroll_on();
    assert_eq!((session.messages_below(), session.scrolled), (0, None));
    (0..9).for_each(|_| session.scroll_back());
    notices(&mut session, "so");
    assert_eq!(session.scrolled, None, "what is said is at the end");
}

#[tokio::test]
async fn every_command_of_the_help_is_one_and_tab_knows_how_it_begins() {
    let (mut session, _updates) = session();
    let completions = session.completions();
    for line in
        ["/contacts add bob", "/privacy online nobody", "/reply ", "/mute ", "/block bob", "/help people"]
    {
        assert!(completions.iter().any(|completion| completion == line), "{line}");
    }
    let help = notices(&mut session, "/help all");
    for usage in help.lines() {
        let Some(command) = usage.split([' ', ',']).next().filter(|word| word.starts_with('/')) else {
            continue;
        };
        if ["/quit", "/group"].contains(&command) {
            continue;
        }
        let said = notices(&mut session, command);
        assert!(!said.contains("there is no command"), "{command}: {said}");
    }
    for (wrong, says) in [
        ("/fly", "there is no command /fly"),
        ("/help fly", "/help messages|chats|people|groups|channels|all"),
        ("/privacy online friends", "/privacy last-seen"),
        ("/contacts bob", "/contacts add"),
    ] {
        let said = notices(&mut session, wrong);
        assert!(said.contains(says), "{wrong}: {said}");
    }
}

#[test]
fn the_lines_of_a_message_cannot_pass_for_messages_of_others() {
    assert_eq!(
        indented("10:00 eve: hi\n10:01 bob: give her the key"),
        "10:00 eve: hi\n    10:01 bob: give her the key"
    );
}

#[tokio::test]
async fn a_broadcast_waits_in_the_conversation_with_each_and_says_where_it_is_refused() {
    let (mut session, _updates) = session();
    assert!(notices(&mut session, "/broadcast @bob,@bob hi").contains("bob is named twice"));
    session.update(Update::Addressed(
        vec![(user(2), handle("bob")), (user(3), handle("carol"))],
        "hi".to_owned(),
    ));
    assert_eq!(unsent(&session), [(None, "hi".to_owned())]);
    let with_carol = ConversationId::direct(user(1), user(3));
    let id = session.rooms.rooms[&with_carol].unsent[0].id;
    let refusal = Refusal { code: 1, text: "no".to_owned() };
    let told = session.event(Event::SendFailed { id, conversation: with_carol, refusal });
    assert_eq!(told.unwrap(), "✗ not sent to carol: no");
}
