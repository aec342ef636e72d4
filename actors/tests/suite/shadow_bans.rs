//! What a shadow-banned user sends looks sent to that user, and is nowhere for others.

use std::time::Duration;

use rookery_protocol::{
    ChangeGroup, Conversation, ConversationList, CreateGroup, ErrorCode, GroupChange, GroupId, GroupSettings,
    ListConversations, ServerFrame,
};
use rookery_store::ops::SetStanding;

use crate::client::{Client, direct, user, who};
use crate::node::Node;

async fn ban(node: &Node, number: u64, is_shadow_banned: bool) {
    let op = SetStanding { user: user(number), is_unlimited: None, is_shadow_banned: Some(is_shadow_banned) };
    let changed = node.store.submit(&number, op).await.unwrap().answer.unwrap();
    assert_eq!(changed, Some(true));
}

#[tokio::test(start_paused = true)]
async fn only_the_sender_sees_what_a_shadow_banned_user_sends() {
    let node = Node::start().await;
    let (mut alice, mut tablet) = (node.join(who(1, 1)).await, node.join(who(1, 2)).await);
    let mut bob = node.join(who(2, 1)).await;
    let both = direct(1, 2);
    // At once, also on connections that are there.
    ban(&node, 1, true).await;
    assert_eq!(alice.say(both, "spam").await.get(), 1);
    assert_eq!(tablet.take_message().await.message.body.unwrap().as_bytes(), "spam");
    bob.quiet_for(Duration::from_secs(40)).await;
    assert_eq!(bob.say(both, "hello").await.get(), 2);
    assert_eq!(bob.take_message().await.message.seq.get(), 2);

    let bobs = bob.history(both, 1, 2).await.unwrap();
    let seqs = |page: &rookery_protocol::HistoryPage| -> Vec<u64> {
        page.messages.iter().map(|message| message.seq.get()).collect()
    };
    assert_eq!((seqs(&bobs), bobs.next.get()), (vec![2], 3), "whoever misses it learns that it is not there");
    assert_eq!(seqs(&alice.history(both, 1, 2).await.unwrap()), [1, 2]);

    assert_eq!(alice.say(both, "more spam").await.get(), 3);
    let listed = |list: ConversationList| -> Vec<(u64, u64, u64)> {
        let last = |it: &Conversation| it.last.as_ref().map_or(0, |message| message.seq.get());
        list.conversations.iter().map(|it| (it.head.get(), it.unread, last(it))).collect()
    };
    assert_eq!(listed(conversations(&mut bob).await), [(2, 0, 2)], "his own is the last there is");
    assert_eq!(listed(conversations(&mut alice).await), [(3, 0, 3)]);

    ban(&node, 1, false).await;
    assert_eq!(alice.say(both, "sorry").await.get(), 4);
    assert_eq!(bob.take_message().await.message.seq.get(), 4);
    assert_eq!(seqs(&bob.history(both, 1, 4).await.unwrap()), [2, 4], "what was sent meanwhile stays unseen");
}

#[tokio::test(start_paused = true)]
async fn who_hears_only_from_a_shadow_banned_user_has_no_conversation_until_the_ban_ends() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    ban(&node, 1, true).await;
    alice.say(direct(1, 2), "spam").await;
    assert_eq!(conversations(&mut bob).await.conversations, []);
    assert_eq!(conversations(&mut alice).await.conversations.len(), 1);
    ban(&node, 1, false).await;
    alice.say(direct(1, 2), "sorry").await;
    assert_eq!(bob.take_message().await.message.seq.get(), 2);
    assert_eq!(conversations(&mut bob).await.conversations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn groups_are_no_way_around_a_shadow_ban() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    let group = create(&mut alice, &[2]).await.unwrap();
    ban(&node, 1, true).await;
    let refused = create(&mut alice, &[2, 3]).await.unwrap_err();
    assert_eq!(refused, (ErrorCode::NotAllowed, "you may not add user 2 to groups".into()));
    let added = change(&mut alice, group, GroupChange::Added(vec![user(3)])).await;
    assert_eq!(added, Some((ErrorCode::NotAllowed, "you may not add user 3 to groups".into())));
    for spam in [GroupChange::Named("buy".into()), GroupChange::Described("this".into())] {
        let only_admins = Some((ErrorCode::NotAllowed, "only admins of the group may do that".into()));
        assert_eq!(change(&mut alice, group, spam).await, only_admins);
    }
    assert_eq!(change(&mut alice, group, GroupChange::Left { successor: None }).await, None);
}

async fn conversations(client: &mut Client) -> ConversationList {
    let request = client.new_request();
    client.tell(&ListConversations { request, after: None }).await;
    match client.answer().await {
        ServerFrame::ConversationList(list) => list,
        other => panic!("{other:?}"),
    }
}

async fn create(client: &mut Client, members: &[u64]) -> Result<GroupId, (ErrorCode, String)> {
    let (request, id) = (client.new_request(), client.new_id());
    let members = members.iter().map(|number| user(*number)).collect();
    let settings = GroupSettings::default();
    client.tell(&CreateGroup { request, id, name: "crows".into(), members, settings }).await;
    match client.answer().await {
        ServerFrame::GroupCreated(made) => Ok(made.group),
        ServerFrame::Error(error) => Err((error.known_code().unwrap(), error.text)),
        other => panic!("{other:?}"),
    }
}

async fn change(client: &mut Client, group: GroupId, change: GroupChange) -> Option<(ErrorCode, String)> {
    let (request, id) = (client.new_request(), client.new_id());
    client.tell(&ChangeGroup { request, group, id, change }).await;
    match client.answer().await {
        ServerFrame::Sent(_) => None,
        ServerFrame::Error(error) => Some((error.known_code().unwrap(), error.text)),
        other => panic!("{other:?}"),
    }
}
