//! What is refused, and with which code.

use rookery_protocol::{ErrorCode, GroupChange, GroupId, GroupSettings, Read, UserId, limits};

use super::{code, of, seq, users};
use crate::client::{Client, id, user, who};
use crate::node::Node;

/// Alice's group with Bob in it, and Carol who is not.
async fn scene() -> (Node, Client, Client, Client, GroupId) {
    let node = Node::start().await;
    let (mut alice, bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let carol = node.join(who(3, 1)).await;
    let group = alice.create([2]).await;
    (node, alice, bob, carol, group)
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_learns_nothing_whether_the_group_exists_or_not() {
    let (_node, _alice, _bob, mut carol, group) = scene().await;
    for group in [group, GroupId::new(12_345).unwrap()] {
        let request = carol.send(of(group), id(1), "x").await;
        let sent = carol.error().await;
        assert_eq!((sent.request, code(&sent)), (request, ErrorCode::NotMember));
        let request = carol.new_request();
        carol.tell(&Read { request, conversation: of(group), seq: seq(1) }).await;
        let read = carol.error().await;
        assert_eq!((code(&read), &read.text), (ErrorCode::NotMember, &sent.text));
        let history = carol.history(of(group), 1, 2).await.unwrap_err();
        assert_eq!((code(&history), &history.text), (ErrorCode::NotMember, &sent.text));
        for change in [GroupChange::Named("mine".into()), GroupChange::Left { successor: None }] {
            assert_eq!(carol.change(group, change).await.unwrap_err(), ErrorCode::NotMember);
        }
        assert_eq!(carol.group(group).await.unwrap_err(), ErrorCode::NotMember);
        assert_eq!(carol.receipts_of(of(group)).await.unwrap_err(), ErrorCode::NotMember);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_to_admins_is_refused_to_others() {
    let (_node, mut alice, mut bob, _carol, group) = scene().await;
    let strict = GroupSettings { only_admins_send: true, only_admins_edit: true, ..Default::default() };
    for change in [
        GroupChange::Added(users([3])),
        GroupChange::Removed(users([1])),
        GroupChange::Promoted(users([2])),
        GroupChange::Set(strict.clone()),
        GroupChange::Deleted,
    ] {
        assert_eq!(bob.change(group, change).await.unwrap_err(), ErrorCode::NotAllowed);
    }
    bob.change(group, GroupChange::Named("bob's".into())).await.unwrap();
    alice.change(group, GroupChange::Set(strict)).await.unwrap();
    assert_eq!(bob.change(group, GroupChange::Named("x".into())).await, Err(ErrorCode::NotAllowed));
    let request = bob.send(of(group), id(1), "x").await;
    let refused = bob.error().await;
    assert_eq!((refused.request, code(&refused)), (request, ErrorCode::NotAllowed));
    alice.say(of(group), "an announcement").await;
    assert_eq!(alice.change(group, GroupChange::Demoted(users([1]))).await, Err(ErrorCode::NotAllowed));
}

#[tokio::test(start_paused = true)]
async fn changes_that_change_nothing_or_concern_nobody_are_refused() {
    let (_node, mut alice, _bob, _carol, group) = scene().await;
    for (change, code) in [
        (GroupChange::Added(users([2])), ErrorCode::BadRequest),
        (GroupChange::Added(users([99])), ErrorCode::NotFound),
        (GroupChange::Removed(users([1])), ErrorCode::BadRequest),
        (GroupChange::Removed(users([3])), ErrorCode::BadRequest),
        (GroupChange::Named("crows".into()), ErrorCode::BadRequest),
        (GroupChange::Set(GroupSettings::default()), ErrorCode::BadRequest),
    ] {
        assert_eq!(alice.change(group, change.clone()).await, Err(code), "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_their_limits_are_refused_before_they_reach_the_store() {
    let (_node, mut alice, _bob, _carol, group) = scene().await;
    let crowd: Vec<UserId> = (1..=limits::GROUP_USERS_AT_ONCE_MAX as u64 + 1).map(user).collect();
    let backlog = |backlog| GroupSettings { backlog, ..GroupSettings::default() };
    for change in [
        GroupChange::Added(crowd.clone()),
        GroupChange::Added(users([3, 3])),
        GroupChange::Removed(Vec::new()),
        GroupChange::Named(String::new()),
        GroupChange::Named("a\nb".into()),
        GroupChange::Described("x".repeat(limits::GROUP_ABOUT_BYTES_MAX + 1)),
        GroupChange::Pictured("x".repeat(limits::GROUP_PICTURE_BYTES_MAX + 1)),
        GroupChange::Set(backlog(limits::GROUP_BACKLOG_MAX + 1)),
        GroupChange::Left { successor: Some(user(2)) },
        GroupChange::Created { members: Vec::new(), name: "x".into() },
        GroupChange::Unknown(77),
    ] {
        assert_eq!(alice.change(group, change.clone()).await, Err(ErrorCode::BadRequest), "{change:?}");
    }
    let long = "x".repeat(limits::GROUP_NAME_BYTES_MAX + 1);
    for (name, members, settings) in [
        ("", vec![], backlog(0)),
        (&long[..], vec![], backlog(0)),
        ("x", crowd, backlog(0)),
        ("x", users([2, 2]), backlog(0)),
        ("x", users([2]), backlog(limits::GROUP_BACKLOG_MAX + 1)),
    ] {
        assert_eq!(alice.try_create(id(5), name, &members, settings).await, Err(ErrorCode::BadRequest));
    }
    let none = alice.try_create(id(6), "x", &users([2, 99]), backlog(0)).await;
    assert_eq!(none, Err(ErrorCode::NotFound));
    let body = vec![b'x'; limits::BODY_BYTES_MAX + 1];
    let request = alice.send_after(of(group), id(7), None, &body).await;
    alice.refused(request, ErrorCode::BodyTooLarge).await;
    let request = alice.send_after(of(group), id(8), Some(id(9)), b"x").await;
    alice.refused(request, ErrorCode::OutOfOrder).await;
    assert_eq!(alice.group(group).await.unwrap().head, seq(1), "nothing was written");
}
