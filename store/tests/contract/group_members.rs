//! Who comes into a group, and who goes.

use rookery_protocol::{GroupChange, GroupSettings, Role};
use rookery_store::ops::Refusal;
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::group_creation::crowd;
use crate::groups::{
    accepted, change, entry, got, log, made, members, people, refused, say, sees, sound, users,
};
use crate::people::user;

const LEFT: GroupChange = GroupChange::Left { successor: None };

pub(crate) async fn who_is_added_sees_the_group_from_then_on(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    accepted(&store, say(anna, group, 2)).await;
    // Of those named, only who is new is said to have been added, and once.
    let twice = GroupChange::Added(users(&[carl, bert, carl]));
    let added = accepted(&store, change(anna, group, 3, twice)).await;
    assert_eq!(entry(&added), GroupChange::Added(users(&[carl])));
    assert_eq!(added.told, users(&[anna, bert, carl]));
    assert_eq!(sees(&store, carl.user, group).await, Some((3, None)));
    accepted(&store, say(carl, group, 4)).await;
    assert_eq!(got(&store, carl.user, group).await, [3, 4]);
    sound(&store, group, &people).await;
}

pub(crate) async fn a_backlog_lets_new_members_see_so_much_from_before(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, dora] = people::<4>(&store).await;
    let group = made(&store, anna, 1, &[]).await;
    let set = |backlog| GroupChange::Set(GroupSettings { backlog, ..GroupSettings::default() });
    accepted(&store, change(anna, group, 2, set(2))).await;
    for number in 3..=6 {
        accepted(&store, say(anna, group, number)).await;
    }
    accepted(&store, change(anna, group, 7, GroupChange::Added(users(&[bert])))).await;
    assert_eq!(sees(&store, bert.user, group).await, Some((5, None)));
    accepted(&store, change(anna, group, 8, set(10_000))).await;
    accepted(&store, change(anna, group, 9, GroupChange::Added(users(&[carl])))).await;
    assert_eq!(sees(&store, carl.user, group).await, Some((1, None)));
    accepted(&store, change(anna, group, 10, set(0))).await;
    accepted(&store, change(anna, group, 11, GroupChange::Added(users(&[dora])))).await;
    assert_eq!(sees(&store, dora.user, group).await, Some((11, None)));
    // It may be asked for. It does not come by itself.
    assert_eq!(got(&store, carl.user, group).await, [9, 10, 11]);
    sound(&store, group, &people).await;
}

pub(crate) async fn who_is_removed_gets_that_and_nothing_after(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    accepted(&store, say(bert, group, 2)).await;
    let oneself = GroupChange::Removed(users(&[bert, anna]));
    assert_eq!(refused(&store, change(anna, group, 3, oneself)).await, Refusal::Oneself);
    let twice = GroupChange::Removed(vec![bert.user, user(9), bert.user]);
    let removed = accepted(&store, change(anna, group, 3, twice)).await;
    assert_eq!(entry(&removed), GroupChange::Removed(users(&[bert])));
    assert_eq!(removed.told, users(&[anna, bert, carl]));
    accepted(&store, say(anna, group, 4)).await;
    assert_eq!(got(&store, bert.user, group).await, [1, 2, 3]);
    assert_eq!(sees(&store, bert.user, group).await, Some((1, Some(3))));
    assert_eq!(refused(&store, change(bert, group, 5, LEFT)).await, Refusal::NotMember);
    sound(&store, group, &people).await;
}

pub(crate) async fn who_comes_back_sees_the_group_from_then_on(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    accepted(&store, change(bert, group, 2, LEFT)).await;
    accepted(&store, say(anna, group, 3)).await;
    accepted(&store, change(anna, group, 4, GroupChange::Added(users(&[bert])))).await;
    assert_eq!(sees(&store, bert.user, group).await, Some((4, None)));
    accepted(&store, say(bert, group, 5)).await;
    assert_eq!(got(&store, bert.user, group).await, [1, 2, 4, 5]);
    accepted(&store, change(anna, group, 6, GroupChange::Removed(users(&[bert])))).await;
    assert_eq!(sees(&store, bert.user, group).await, Some((4, Some(6))));
    sound(&store, group, &people).await;
}

pub(crate) async fn when_the_last_admin_leaves_the_oldest_member_becomes_one(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, dora] = people::<4>(&store).await;
    let group = made(&store, dora, 1, &[carl]).await;
    accepted(&store, change(dora, group, 2, GroupChange::Added(users(&[anna, bert])))).await;
    accepted(&store, change(dora, group, 3, GroupChange::Promoted(users(&[bert])))).await;
    let left = accepted(&store, change(dora, group, 4, LEFT)).await;
    assert_eq!(entry(&left), LEFT, "there is another admin");
    let left = accepted(&store, change(bert, group, 5, LEFT)).await;
    assert_eq!(entry(&left), GroupChange::Left { successor: Some(carl.user) });
    assert_eq!(members(&store, group).await, [(anna.user, Role::Member), (carl.user, Role::Admin)]);
    // Whoever is asked for as a successor is not listened to.
    let wanted = GroupChange::Left { successor: Some(carl.user) };
    assert_eq!(entry(&accepted(&store, change(anna, group, 6, wanted)).await), LEFT);
    sound(&store, group, &people).await;
}

pub(crate) async fn when_the_last_member_leaves_the_group_is_no_more(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    accepted(&store, change(anna, group, 2, LEFT)).await;
    let left = accepted(&store, change(bert, group, 3, LEFT)).await;
    assert_eq!((entry(&left), left.told), (LEFT, users(&[bert])));
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::members(&*snapshot, group).await.expect("read"), None);
    assert!(queries::group(&*snapshot, group).await.expect("read").is_some(), "its number is not used again");
    assert_eq!(refused(&store, say(bert, group, 4)).await, Refusal::NotMember);
    assert_eq!(sees(&store, bert.user, group).await, Some((1, Some(3))));
    sound(&store, group, &people).await;
}

pub(crate) async fn a_deleted_group_ends_for_everybody_at_once(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    let deleted = accepted(&store, change(anna, group, 2, GroupChange::Deleted)).await;
    assert_eq!(deleted.told, users(&people));
    assert_eq!(members(&store, group).await, []);
    for at in people {
        assert_eq!(sees(&store, at.user, group).await, Some((1, Some(2))));
        assert_eq!(refused(&store, say(at, group, 3)).await, Refusal::NotMember);
        assert_eq!(refused(&store, change(at, group, 4, LEFT)).await, Refusal::NotMember);
    }
    assert_eq!(log(&store, group).await.len(), 2);
    sound(&store, group, &people).await;
}

pub(crate) async fn nobody_adds_somebody_who_is_not_there(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[]).await;
    let wanted = GroupChange::Added(vec![bert.user, user(9)]);
    assert_eq!(refused(&store, change(anna, group, 2, wanted)).await, Refusal::NoSuchUser(user(9)));
    assert_eq!(members(&store, group).await, [(anna.user, Role::Admin)]);
    sound(&store, group, &people).await;
}

pub(crate) async fn a_full_group_takes_nobody_until_somebody_goes(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let crowd = crowd(&store, 1_023).await;
    let group = made(&store, anna, 1, &[]).await;
    for (number, some) in (2..).zip(crowd.chunks(256)) {
        accepted(&store, change(anna, group, number, GroupChange::Added(some.to_vec()))).await;
    }
    assert_eq!(members(&store, group).await.len(), 1_024);
    let add = |number| change(anna, group, number, GroupChange::Added(users(&[bert])));
    assert_eq!(refused(&store, add(10)).await, Refusal::Full);
    assert_eq!(accepted(&store, say(anna, group, 11)).await.told.len(), 1_024);
    let last = vec![*crowd.last().expect("they are many")];
    accepted(&store, change(anna, group, 12, GroupChange::Removed(last))).await;
    accepted(&store, add(13)).await;
    assert_eq!(got(&store, crowd[0], group).await.len(), 7);
    let deleted = accepted(&store, change(anna, group, 14, GroupChange::Deleted)).await;
    assert_eq!(deleted.told.len(), 1_024);
    sound(&store, group, &[anna, bert]).await;
}
