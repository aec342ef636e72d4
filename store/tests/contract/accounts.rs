//! Users, handles and devices.

use rookery_protocol::{Stamp, UserId};
use rookery_store::keys::device::DEVICES_MAX;
use rookery_store::keys::user::Suspension;
use rookery_store::ops::{
    AddDevice, AddDeviceError, AddUser, AddUserError, NoteLastSeen, Outcome, Refusal, RemoveUser, Removed, RevokeDevice, SuspendUser, Suspended,
};
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::people::{ack, acked, add, add_device, add_user, handle, inbox, message, send, submit, user};

pub(crate) async fn a_handle_belongs_to_one_user_and_adding_again_changes_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let add = |number, name: &str| AddUser { user: user(number), handle: handle(name), time_ms: number };
    store.submit(&0, add(1, "anna")).await.expect("it commits").answer.expect("it is new");
    store.submit(&0, add(1, "anna")).await.expect("it commits").answer.expect("it is the same");
    let taken = store.submit(&0, add(2, "anna")).await.expect("it commits").answer;
    assert!(matches!(taken, Err(AddUserError::HandleTaken(owner)) if owner == user(1)), "{taken:?}");
    let taken = store.submit(&0, add(1, "bert")).await.expect("it commits").answer;
    assert!(matches!(taken, Err(AddUserError::UserTaken)), "{taken:?}");

    let snapshot = store.snapshot().await.expect("the store can be read");
    let found = queries::user_by_handle(&*snapshot, &handle("anna")).await.expect("the store can be read");
    assert_eq!(found, Some(user(1)));
    let users = queries::users(&*snapshot, None, 10).await.expect("the store can be read");
    assert_eq!(users.iter().map(|(user, _)| *user).collect::<Vec<_>>(), [user(1)]);
}

pub(crate) async fn a_removed_user_leaves_no_handle_device_cursor_or_event(mut test: UnderTest) {
    let store = test.store().await;
    let (gone, left) = (add(&store, 1).await, add(&store, 2).await);
    send(&store, left, gone.user, 1).await;
    send(&store, left, gone.user, 2).await;
    let first = inbox(&store, gone.user).await[0].0;
    acked(&store, ack(gone, first, &[])).await;

    let remove = RemoveUser { user: gone.user };
    let removed = async |op: RemoveUser| store.submit(&0, op).await.expect("it commits").answer.expect("read");
    assert_eq!(removed(remove.clone()).await, Removed::Done);
    assert_eq!(removed(remove).await, Removed::NoSuchUser);
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::user(&*snapshot, gone.user).await.expect("read"), None);
    assert_eq!(queries::user_by_handle(&*snapshot, &handle("user1")).await.expect("read"), None);
    assert_eq!(queries::devices(&*snapshot, gone.user).await.expect("read"), []);
    assert_eq!(queries::cursor(&*snapshot, gone.user, gone.device).await.expect("read"), Stamp::ZERO);
    assert_eq!(inbox(&store, gone.user).await, []);
    assert_eq!(inbox(&store, left.user).await.len(), 2, "the other side keeps its events");
    assert!(matches!(submit(&store, message(left, gone.user, 3)).await, Outcome::Refused(Refusal::NoSuchUser(_))));
}

pub(crate) async fn a_user_is_last_seen_at_the_latest_time_and_nobody_at_all_who_is_no_more(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await.user, add(&store, 2).await.user);
    let seen = async |users: &[UserId]| {
        let snapshot = store.snapshot().await.expect("the store can be read");
        queries::last_seen(&*snapshot, users).await.expect("read")
    };
    let note = async |seen: Vec<(UserId, u64)>| {
        store.submit(&0, NoteLastSeen { seen }).await.expect("it commits").answer.expect("read");
    };
    assert_eq!(seen(&[anna, bert]).await, [0, 0]);
    note(vec![(anna, 7), (user(9), 7)]).await;
    note(vec![(bert, 8), (anna, 5)]).await;
    assert_eq!(seen(&[bert, user(9), anna]).await, [8, 0, 7]);
    store.submit(&0, RemoveUser { user: anna }).await.expect("it commits").answer.expect("read");
    note(vec![(anna, 9)]).await;
    assert_eq!(seen(&[anna, bert]).await, [0, 8]);
}

pub(crate) async fn a_device_is_found_by_its_name_and_numbers_are_not_used_again(mut test: UnderTest) {
    let store = test.store().await;
    let user = add_user(&store, 1).await;
    let phone = add_device(&store, user, "phone").await;
    let laptop = add_device(&store, user, "laptop").await;
    assert_eq!(add_device(&store, user, "phone").await, phone);
    assert_eq!((phone.device.get(), laptop.device.get()), (1, 2));
    let unknown = AddDevice { user: crate::people::user(9), name: "phone".into(), time_ms: 1 };
    let answer = store.submit(&0, unknown).await.expect("it commits").answer;
    assert!(matches!(answer, Err(AddDeviceError::NoSuchUser)), "{answer:?}");
}

pub(crate) async fn a_user_has_at_most_so_many_devices(mut test: UnderTest) {
    let store = test.store().await;
    let user = add_user(&store, 1).await;
    let adding = (0..DEVICES_MAX + 3).map(|number| {
        let op = AddDevice { user, name: format!("device {number}"), time_ms: 1 };
        let store = store.clone();
        tokio::spawn(async move { store.submit(&user, op).await.expect("it commits").answer })
    });
    let mut refused = 0;
    for added in adding.collect::<Vec<_>>() {
        match added.await.expect("nothing panics") {
            Ok(_) => {}
            Err(AddDeviceError::TooMany) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused, 3);
    let snapshot = store.snapshot().await.expect("the store can be read");
    assert_eq!(queries::devices(&*snapshot, user).await.expect("read").len(), DEVICES_MAX);
}

pub(crate) async fn revoking_a_generation_twice_revokes_it_once(mut test: UnderTest) {
    let store = test.store().await;
    let at = add(&store, 1).await;
    let revoke = RevokeDevice { user: at.user, device: at.device, generation: at.generation };
    for _ in 0..2 {
        assert!(store.submit(&0, revoke.clone()).await.expect("it commits").answer.expect("it can be read"));
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let device = queries::device(&*snapshot, at.user, at.device).await.expect("read").expect("it is there");
    assert_eq!(device.generation, at.generation + 1);
}

pub(crate) async fn a_suspended_user_keeps_everything_and_sends_nothing(mut test: UnderTest) {
    let store = test.store().await;
    let (anna, bert) = (add(&store, 1).await, add(&store, 2).await);
    let suspension = Some(Suspension { since_ms: 5, reason: "spam".into() });
    let suspend = SuspendUser { user: anna.user, suspension };
    let ask = async |op: SuspendUser| store.submit(&0, op).await.expect("it commits").answer.expect("it can be read");
    assert_eq!(ask(suspend.clone()).await, Suspended::Changed);
    assert_eq!(ask(suspend).await, Suspended::Unchanged);
    let refused = submit(&store, message(anna, bert.user, 1)).await;
    assert!(matches!(&refused, Outcome::Suspended(reason) if reason == "spam"), "{refused:?}");
    // Others may write to a suspended user, who will find it.
    assert!(matches!(submit(&store, message(bert, anna.user, 2)).await, Outcome::Accepted(_)));
    assert_eq!(ask(SuspendUser { user: anna.user, suspension: None }).await, Suspended::Changed);
    assert!(matches!(submit(&store, message(anna, bert.user, 1)).await, Outcome::Accepted(_)));
    assert_eq!(ask(SuspendUser { user: user(9), suspension: None }).await, Suspended::NoSuchUser);
}
