//! What operators do to groups.

use rookery_protocol::{DeviceId, GroupChange, GroupId, Role, UserId};
use rookery_store::Store;
use rookery_store::ops::{DeleteGroup, RemoveMember};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, entry, got, log, made, members, people, refused, say, sees, sound, users};

/// The entry by which somebody was taken out, and who was told.
async fn remove(store: &Store, user: UserId, group: GroupId) -> Option<(GroupChange, Vec<UserId>)> {
    let op = RemoveMember { group, user, time_ms: 9 };
    let left = store.submit(&0, op).await.expect("it commits").answer.expect("read");
    left.map(|accepted| (entry(&accepted), accepted.told))
}

async fn delete(store: &Store, group: GroupId) -> Option<(GroupChange, Vec<UserId>)> {
    let op = DeleteGroup { group, time_ms: 9 };
    let ended = store.submit(&0, op).await.expect("it commits").answer.expect("read");
    ended.map(|accepted| (entry(&accepted), accepted.told))
}

pub(crate) async fn who_is_taken_out_has_left_and_keeps_what_was_seen(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    let left = GroupChange::Left { successor: Some(bert.user) };
    assert_eq!(remove(&store, anna.user, group).await, Some((left, users(&people))));
    assert_eq!(remove(&store, anna.user, group).await, None, "applied again it does nothing");
    assert_eq!(members(&store, group).await, [(bert.user, Role::Admin), (carl.user, Role::Member)]);
    let last = log(&store, group).await.pop().expect("there is a log");
    assert_eq!((last.sender, last.device, last.time_ms), (anna.user, DeviceId::new(0), 9));
    accepted(&store, say(carl, group, 2)).await;
    assert_eq!((sees(&store, anna.user, group).await, got(&store, anna.user, group).await), (Some((1, Some(2))), vec![1, 2]));
    sound(&store, group, &people).await;
    accepted(&store, change(bert, group, 3, GroupChange::Added(users(&[anna])))).await;
    sound(&store, group, &people).await;
}

pub(crate) async fn when_the_last_member_is_taken_out_the_group_is_no_more(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna] = people::<1>(&store).await;
    let group = made(&store, anna, 1, &[]).await;
    assert_eq!(remove(&store, anna.user, group).await.map(|(left, _)| left), Some(GroupChange::Left { successor: None }));
    assert_eq!((members(&store, group).await, delete(&store, group).await), (vec![], None));
    sound(&store, group, &people).await;
}

pub(crate) async fn a_group_that_is_ended_ends_for_everybody_in_an_admins_name(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, carl, 1, &[anna, bert]).await;
    accepted(&store, change(carl, group, 2, GroupChange::Promoted(users(&[bert])))).await;
    accepted(&store, change(carl, group, 3, GroupChange::Left { successor: None })).await;
    assert_eq!(delete(&store, group).await, Some((GroupChange::Deleted, users(&[anna, bert]))));
    assert_eq!(delete(&store, group).await, None, "applied again it does nothing");
    assert_eq!(delete(&store, GroupId::new(77).expect("a number")).await, None);
    let last = log(&store, group).await.pop().expect("there is a log");
    assert_eq!((last.sender, last.device), (bert.user, DeviceId::new(0)));
    assert_eq!(sees(&store, anna.user, group).await, Some((1, Some(4))));
    assert_eq!(refused(&store, say(bert, group, 4)).await, rookery_store::ops::Refusal::NotMember);
    sound(&store, group, &people).await;
}
