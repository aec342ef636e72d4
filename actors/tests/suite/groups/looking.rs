//! Asking what a group is, and in which one is.

use rookery_protocol::{ErrorCode, GroupChange, GroupId, GroupSettings, Role, limits};

use super::{of, users};
use crate::client::{user, who};
use crate::node::Node;

#[tokio::test(start_paused = true)]
async fn a_member_learns_what_the_group_is_and_nobody_else_does() {
    let node = Node::start().await;
    let (mut alice, mut bob) = (node.join(who(1, 1)).await, node.join(who(2, 1)).await);
    let settings = GroupSettings { only_admins_edit: true, backlog: 7, ..GroupSettings::default() };
    let group = alice.create_with([2], settings.clone()).await;
    alice.change(group, GroupChange::Named("rooks".into())).await.unwrap();
    alice.change(group, GroupChange::Described("about rooks".into())).await.unwrap();
    alice.change(group, GroupChange::Pictured("picture".into())).await.unwrap();
    alice.change(group, GroupChange::Promoted(users([2]))).await.unwrap();
    alice.change(group, GroupChange::Added(users([3]))).await.unwrap();
    let seen = bob.group(group).await.unwrap();
    assert_eq!((seen.group, seen.settings, seen.head.get()), (group, settings, 6));
    assert_eq!((&seen.name[..], &seen.about[..], &seen.picture[..]), ("rooks", "about rooks", "picture"));
    assert!(seen.created_ms >= 1_700_000_000_000);
    let members: Vec<_> =
        seen.members.iter().map(|member| (member.user, member.role, member.since.get())).collect();
    let expected = [(user(1), Role::Admin, 1), (user(2), Role::Admin, 1), (user(3), Role::Member, 6)];
    assert_eq!(members, expected);
    bob.change(group, GroupChange::Removed(users([3]))).await.unwrap();
    let mut carol = node.join(who(3, 1)).await;
    assert_eq!(carol.group(group).await.unwrap_err(), ErrorCode::NotMember);
    let none = GroupId::new(5).expect("a number");
    assert_eq!(alice.group(none).await.unwrap_err(), ErrorCode::NotMember);
    alice.change(group, GroupChange::Deleted).await.unwrap();
    assert_eq!(alice.group(group).await.unwrap_err(), ErrorCode::NotMember);
}

#[tokio::test(start_paused = true)]
async fn the_groups_one_is_in_come_in_pages_and_others_are_left_out() {
    let node = Node::start().await;
    let mut alice = node.join(who(1, 1)).await;
    assert_eq!((alice.groups(None).await.groups.len(), alice.groups(None).await.more), (0, false));
    let mut groups = Vec::new();
    for number in 0..limits::GROUP_LIST_MAX + 6 {
        let group = alice.create([]).await;
        if number % 500 == 3 {
            alice.change(group, GroupChange::Left { successor: None }).await.unwrap();
            alice.take_message().await;
        } else {
            groups.push(group);
        }
        alice.take_message().await;
    }
    groups.sort_unstable();
    assert_eq!(groups.len(), limits::GROUP_LIST_MAX + 3);
    let first = alice.groups(None).await;
    assert_eq!((&first.groups[..], first.more), (&groups[..limits::GROUP_LIST_MAX], true));
    let rest = alice.groups(first.groups.last().copied()).await;
    assert_eq!((&rest.groups[..], rest.more), (&groups[limits::GROUP_LIST_MAX..], false));
    assert!(!rest.groups.is_empty() && alice.history(of(rest.groups[0]), 1, 1).await.is_ok());
}
