//! How often one user may do what, and what is said to whoever does more.

use std::time::Duration;

use rookery_actors::{ActorsConfig, Rate, Rates};
use rookery_protocol::{
    Body, ChangeGroup, ConversationId, CreateGroup, Error, ErrorCode, GroupChange, GroupId, GroupSettings,
    Handle, Lookup, Payload, RequestId, Send, ServerFrame, Watch, limits,
};
use rookery_store::ops::{AddDevice, AddUser, SetStanding};

use crate::client::{Client, direct, user, who};
use crate::node::{Node, config};

const EACH: Duration = Duration::from_secs(10);

/// Two at once of one thing, and one more every ten seconds.
async fn node(set: impl FnOnce(&mut Rates, Option<Rate>)) -> Node {
    let mut rates = Rates { new_account: Duration::from_secs(24 * 3600), ..Rates::default() };
    set(&mut rates, Some(Rate { burst: 2, each: EACH }));
    Node::start_with(ActorsConfig { rates, ..config() }).await
}

/// Asks, and tells whether it was refused.
async fn ask<P: Payload>(client: &mut Client, make: impl FnOnce(RequestId) -> P) -> Option<Error> {
    let request = client.new_request();
    client.tell(&make(request)).await;
    match client.answer().await {
        ServerFrame::Error(error) => Some(error),
        _ => None,
    }
}

#[track_caller]
fn assert_too_much(refused: Option<Error>, of_what: &str, retry_after: Duration) {
    let refused = refused.expect("it is refused");
    assert_eq!(refused.known_code(), Some(ErrorCode::Busy));
    assert_eq!(refused.text, format!("too many {of_what} in a short time; retry after the time given"));
    assert_eq!(u128::from(refused.retry_after_ms), retry_after.as_millis());
}

async fn say(client: &mut Client, conversation: ConversationId) -> Option<Error> {
    let id = client.new_id();
    let (after, body, reference) = (None, Body::new("x"), None);
    ask(client, |request| Send { request, conversation, id, after, body, reference, expires_s: 0 }).await
}

async fn create(client: &mut Client, members: &[u64]) -> Result<GroupId, Error> {
    let (request, id) = (client.new_request(), client.new_id());
    let members = members.iter().map(|number| user(*number)).collect();
    let settings = GroupSettings::default();
    client.tell(&CreateGroup { request, id, name: "crows".into(), members, settings }).await;
    match client.answer().await {
        ServerFrame::GroupCreated(made) => Ok(made.group),
        ServerFrame::Error(error) => Err(error),
        other => panic!("{other:?}"),
    }
}

async fn change(client: &mut Client, group: GroupId, change: GroupChange) -> Option<Error> {
    let id = client.new_id();
    ask(client, move |request| ChangeGroup { request, group, id, change }).await
}

async fn lookup(client: &mut Client, handle: &str) -> Option<Error> {
    let handle: Handle = handle.parse().unwrap();
    ask(client, |request| Lookup { request, handle: Some(handle), user: None }).await
}

#[tokio::test(start_paused = true)]
async fn more_messages_than_a_person_sends_wait() {
    let node = node(|rates, rate| rates.messages = rate).await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    assert_eq!([say(&mut alice, direct(1, 2)).await, say(&mut alice, direct(1, 3)).await], [None, None]);
    assert_too_much(say(&mut alice, direct(1, 2)).await, "messages", EACH);
    // Another connection of the same user is no way around it; another user has nothing to do with it.
    let mut tablet = node.join(who(1, 2)).await;
    assert_too_much(say(&mut tablet, direct(1, 2)).await, "messages", EACH);
    assert_eq!(say(&mut bob, direct(1, 2)).await, None);
    drop(alice);
    let mut alice = node.join(who(1, 1)).await;
    assert_too_much(say(&mut alice, direct(1, 2)).await, "messages", EACH);
    tokio::time::sleep(EACH).await;
    assert_eq!(say(&mut alice, direct(1, 2)).await, None);
    assert_too_much(say(&mut alice, direct(1, 2)).await, "messages", EACH);
    assert_eq!(node.log(1, 2).await.len(), 3, "nothing of what was refused is written");
}

#[tokio::test(start_paused = true)]
async fn one_group_is_not_flooded_while_others_are_written_to() {
    let node = node(|rates, rate| rates.group_messages = rate).await;
    let mut alice = node.join(who(1, 1)).await;
    let (one, other) = (create(&mut alice, &[2]).await.unwrap(), create(&mut alice, &[3]).await.unwrap());
    let [one_chat, other_chat] = [one, other].map(ConversationId::group);
    assert_eq!(say(&mut alice, one_chat).await, None);
    assert_eq!(change(&mut alice, one, GroupChange::Named("rooks".into())).await, None);
    assert_too_much(say(&mut alice, one_chat).await, "messages to this group", EACH);
    let changed = change(&mut alice, one, GroupChange::Named("jays".into())).await;
    assert_too_much(changed, "messages to this group", EACH);
    assert_eq!(say(&mut alice, other_chat).await, None);
    assert_eq!(say(&mut alice, direct(1, 2)).await, None);
}

#[tokio::test(start_paused = true)]
async fn groups_are_not_made_by_the_dozen() {
    let node = node(|rates, rate| rates.groups = rate).await;
    let mut alice = node.join(who(1, 1)).await;
    for _ in 0..2 {
        create(&mut alice, &[]).await.unwrap();
    }
    assert_too_much(create(&mut alice, &[]).await.err(), "new groups", EACH);
}

#[tokio::test(start_paused = true)]
async fn members_are_counted_whether_a_group_begins_with_them_or_they_are_added() {
    let node = node(|rates, rate| rates.members = rate).await;
    let mut alice = node.join(who(1, 1)).await;
    let group = create(&mut alice, &[2]).await.unwrap();
    assert_eq!(change(&mut alice, group, GroupChange::Added(vec![user(3)])).await, None);
    let removed = GroupChange::Removed(vec![user(3)]);
    assert_eq!(change(&mut alice, group, removed).await, None, "only adding is counted");
    let added = change(&mut alice, group, GroupChange::Added(vec![user(3)])).await;
    assert_too_much(added, "members added to groups", EACH);
    assert_too_much(create(&mut alice, &[2, 3]).await.err(), "members added to groups", 2 * EACH);
    assert!(create(&mut alice, &[]).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn handles_are_not_tried_one_by_one() {
    let node = node(|rates, rate| rates.lookups = rate).await;
    let mut alice = node.join(who(1, 1)).await;
    assert_eq!(lookup(&mut alice, "user2").await, None);
    let nobody = lookup(&mut alice, "nobody").await.unwrap();
    assert_eq!(nobody.known_code(), Some(ErrorCode::NotFound));
    assert_too_much(lookup(&mut alice, "user3").await, "lookups of handles", EACH);
    // Whose number one has, one has met.
    let found = ask(&mut alice, |request| Lookup { request, handle: None, user: Some(user(2)) }).await;
    assert_eq!(found, None);
}

#[tokio::test(start_paused = true)]
async fn nobody_looks_here_and_there_all_the_time() {
    let node = node(|rates, rate| rates.watches = rate).await;
    let mut alice = node.join(who(1, 1)).await;
    let mut tablet = node.join(who(1, 2)).await;
    let watch = |request| Watch { request, users: vec![], conversations: vec![direct(1, 2)] };
    assert_eq!([ask(&mut alice, watch).await, ask(&mut tablet, watch).await], [None, None]);
    assert_too_much(ask(&mut alice, watch).await, "watches", EACH);
    tokio::time::sleep(EACH).await;
    assert_eq!(ask(&mut alice, watch).await, None);
    // Of what is refused for what it says, nothing is read.
    let users = vec![user(2); limits::WATCH_USERS_MAX + 1];
    let refused = ask(&mut alice, |request| Watch { request, users, conversations: vec![] }).await;
    assert_eq!(refused.unwrap().known_code(), Some(ErrorCode::BadRequest));
}

#[tokio::test(start_paused = true)]
async fn a_new_account_may_do_a_quarter_and_one_without_limits_everything() {
    let mut rates = Rates { new_account: Duration::from_secs(24 * 3600), ..Rates::default() };
    rates.messages = Some(Rate { burst: 8, each: EACH });
    let node = Node::start_with(ActorsConfig { rates, ..config() }).await;
    let made = AddUser { user: user(4), handle: "user4".parse().unwrap(), time_ms: 1_700_000_000_000 };
    node.store.submit(&4_u64, made).await.unwrap().answer.unwrap();
    let device = AddDevice { user: user(4), name: "device1".into(), time_ms: 0 };
    node.store.submit(&4_u64, device).await.unwrap().answer.unwrap();
    let mut new = node.join(who(4, 1)).await;
    for _ in 0..2 {
        assert_eq!(say(&mut new, direct(1, 4)).await, None);
    }
    assert_too_much(say(&mut new, direct(1, 4)).await, "messages", 4 * EACH);

    let standing = SetStanding { user: user(4), is_unlimited: Some(true), is_shadow_banned: None };
    assert_eq!(node.store.submit(&4_u64, standing).await.unwrap().answer.unwrap(), Some(true));
    let mut free = node.join(who(4, 1)).await;
    for _ in 0..100 {
        assert_eq!(say(&mut free, direct(1, 4)).await, None);
    }
}
