//! Members whose accounts are removed.

use rookery_protocol::{GroupChange, GroupId, Role, UserId};
use rookery_store::check::Check;
use rookery_store::ops::{Removed, RemoveUser, Withdraw};
use rookery_store::{Store, queries, remove_user};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, entry, got, log, made, members, people, refused, say, sees, sound, users};
use crate::one_batch::OneBatch;

async fn withdraw(store: &Store, user: UserId, group: GroupId) -> Option<GroupChange> {
    let op = Withdraw { group, user, time_ms: 9 };
    let left = store.submit(&0, op).await.expect("it commits").answer.expect("read");
    left.as_ref().map(entry)
}

pub(crate) async fn a_removed_account_leaves_its_groups_as_if_its_user_had(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert, carl] = people::<3>(&store).await;
    let ours = made(&store, anna, 1, &[bert, carl]).await;
    let alone = made(&store, anna, 2, &[]).await;
    let former = made(&store, carl, 3, &[anna]).await;
    accepted(&store, change(anna, former, 4, GroupChange::Left { successor: None })).await;

    assert!(remove_user(&store, anna.user, 9).await.expect("it commits"));
    assert!(!remove_user(&store, anna.user, 9).await.expect("it commits"));
    assert_eq!(members(&store, ours).await, [(bert.user, Role::Admin), (carl.user, Role::Member)]);
    let last = log(&store, ours).await.pop().expect("there is a log");
    assert_eq!(last.change, Some(GroupChange::Left { successor: Some(bert.user) }));
    assert_eq!((last.sender, last.time_ms), (anna.user, 9));
    assert_eq!(got(&store, bert.user, ours).await, [1, 2]);
    assert_eq!(members(&store, alone).await, []);
    for group in [ours, alone, former] {
        assert_eq!(sees(&store, anna.user, group).await, None);
    }
    let wanted = GroupChange::Added(users(&[anna]));
    let refused = refused(&store, change(bert, ours, 5, wanted)).await;
    assert_eq!(refused, rookery_store::ops::Refusal::NoSuchUser(anna.user));
    accepted(&store, say(carl, ours, 6)).await;
    assert_eq!(crate::people::inbox(&store, anna.user).await, []);
    assert_eq!(Check::new(9).finish(&store, 9).await.expect("read"), []);
}

pub(crate) async fn a_removal_that_was_interrupted_goes_on_and_leaves_once(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let (one, other) = (made(&store, anna, 1, &[bert]).await, made(&store, anna, 2, &[bert]).await);
    let successor = Some(bert.user);
    assert_eq!(withdraw(&store, anna.user, one).await, Some(GroupChange::Left { successor }));
    assert_eq!(withdraw(&store, anna.user, one).await, None, "applied again it does nothing");
    let remove = store.submit(&0, RemoveUser { user: anna.user }).await.expect("it commits").answer;
    assert_eq!(remove.expect("read"), Removed::InGroups);
    // The account can be used as before, and its user be added again.
    accepted(&store, say(anna, other, 3)).await;
    sound(&store, one, &people[1..]).await;
    sound(&store, other, &people).await;
    accepted(&store, change(bert, one, 4, GroupChange::Added(users(&[anna])))).await;
    assert!(remove_user(&store, anna.user, 9).await.expect("it commits"));
    assert_eq!(log(&store, one).await.len(), 4);
    assert_eq!(members(&store, one).await, [(bert.user, Role::Admin)]);
    assert_eq!(members(&store, other).await, [(bert.user, Role::Admin)]);
    assert_eq!(Check::new(9).finish(&store, 9).await.expect("read"), []);
}

pub(crate) async fn an_account_is_not_removed_while_one_group_is_left_in_its_batch(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let mut groups = [made(&store, anna, 1, &[bert]).await, made(&store, anna, 2, &[bert]).await];
    groups.sort_unstable();
    let batch = OneBatch::gather(&mut test).await;
    drop(batch.submit(Withdraw { group: groups[0], user: anna.user, time_ms: 9 }));
    let first = batch.submit(RemoveUser { user: anna.user });
    drop(batch.submit(Withdraw { group: groups[1], user: anna.user, time_ms: 9 }));
    let second = batch.submit(RemoveUser { user: anna.user });
    let added = batch.submit(change(bert, groups[0], 3, GroupChange::Added(users(&[anna]))));
    batch.commit();
    let answer = |told: crate::one_batch::Outcome<_>| told.expect("it commits").answer;
    assert_eq!(answer(first.await.expect("told")).expect("read"), Removed::InGroups);
    assert_eq!(answer(second.await.expect("told")).expect("read"), Removed::Done);
    let added = added.await.expect("told").expect("it commits").answer;
    assert!(matches!(added, rookery_store::ops::Outcome::Refused(_)), "{added:?}");
    assert_eq!(Check::new(9).finish(&store, 9).await.expect("read"), []);
}

pub(crate) async fn who_is_added_while_being_removed_is_no_member_in_the_end(mut test: UnderTest) {
    let (store, other) = (test.store().await, test.second_store().await);
    let [anna, bert] = people::<2>(&store).await;
    let group = made(&store, bert, 1, &[anna]).await;
    let adding = tokio::spawn(async move {
        for number in 10.. {
            let op = change(bert, group, number, GroupChange::Added(users(&[anna])));
            let refusal = match crate::groups::outcome(&other, op).await {
                rookery_store::ops::Outcome::Refused(refusal) => refusal,
                _ => continue,
            };
            if refusal != rookery_store::ops::Refusal::Nothing {
                return refusal;
            }
        }
        unreachable!("the account goes")
    });
    assert!(remove_user(&store, anna.user, 9).await.expect("it commits"));
    let refusal = adding.await.expect("nothing panics");
    assert_eq!(refusal, rookery_store::ops::Refusal::NoSuchUser(anna.user));
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::groups(&*snapshot, anna.user, None, 9).await.expect("read"), []);
    assert_eq!(members(&store, group).await, [(bert.user, Role::Admin)]);
    assert_eq!(Check::new(9).finish(&store, 9).await.expect("read"), []);
}
