//! Those who may do nothing, in groups as elsewhere.

use rookery_protocol::{GroupChange, Role};
use rookery_store::keys::user::Suspension;
use rookery_store::ops::{Outcome, RevokeDevice, SuspendUser};

use crate::engines::UnderTest;
use crate::groups::{accepted, change, create, got, log, made, members, outcome, people, say, sound, users};

pub(crate) async fn a_suspended_user_stays_a_member_and_does_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let suspend = |suspension| SuspendUser { user: anna.user, suspension };
    let suspension = Some(Suspension { since_ms: 5, reason: "spam".into() });
    store.submit(&0, suspend(suspension)).await.expect("it commits").answer.expect("read");
    let left = GroupChange::Left { successor: None };
    for outcome in [
        outcome(&store, create(anna, 2, &[bert])).await,
        outcome(&store, say(anna, group, 3)).await,
        outcome(&store, change(anna, group, 4, left.clone())).await,
        outcome(&store, change(anna, group, 5, GroupChange::Deleted)).await,
        // Not even what was answered before.
        outcome(&store, create(anna, 1, &[bert])).await,
    ] {
        assert!(matches!(&outcome, Outcome::Suspended(reason) if reason == "spam"), "{outcome:?}");
    }
    assert_eq!(members(&store, group).await, [(anna.user, Role::Admin), (bert.user, Role::Member)]);
    accepted(&store, say(bert, group, 6)).await;
    assert_eq!(got(&store, anna.user, group).await, [1, 2]);
    // Others may be in groups with a suspended user, and add one.
    let theirs = made(&store, carl, 7, &[anna]).await;
    assert_eq!(got(&store, anna.user, theirs).await, [1]);
    store.submit(&0, suspend(None)).await.expect("it commits").answer.expect("read");
    accepted(&store, change(anna, group, 4, left)).await;
    sound(&store, group, &people).await;
    sound(&store, theirs, &people).await;
}

pub(crate) async fn a_revoked_device_does_nothing_in_groups(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let revoke = RevokeDevice { user: anna.user, device: anna.device, generation: anna.generation };
    store.submit(&0, revoke).await.expect("it commits").answer.expect("it can be read");
    for outcome in [
        outcome(&store, create(anna, 1, &[bert])).await,
        outcome(&store, create(anna, 2, &[bert])).await,
        outcome(&store, say(anna, group, 3)).await,
        outcome(&store, change(anna, group, 4, GroupChange::Removed(users(&[bert])))).await,
    ] {
        assert!(matches!(outcome, Outcome::Revoked), "{outcome:?}");
    }
    assert_eq!(log(&store, group).await.len(), 1);
    sound(&store, group, &people).await;
}
