//! Making a group.

use rookery_protocol::{ConversationId, GroupChange, GroupId, Role, Seq, UserId};
use rookery_store::keys::group::{self, Group};
use rookery_store::ops::{CreateGroup, Outcome, Refusal};
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::groups::{accepted, create, entry, log, made, members, outcome, people, refused, sees, sound, users};
use crate::people::{id, user};
use crate::probe::probe;

pub(crate) async fn a_new_group_has_its_maker_as_admin_and_everybody_has_its_first_entry(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, _] = people::<4>(&store).await;
    let op = create(anna, 1, &[carl, bert]);
    let group = op.group();
    let accepted = accepted(&store, op).await;
    assert_eq!(accepted.seq, Seq::new(1));
    assert_eq!(accepted.told, users(&[anna, bert, carl]));
    let others = users(&[bert, carl]);
    assert_eq!(entry(&accepted), GroupChange::Created { members: others, name: "group 1".into() });
    let expected = [(anna.user, Role::Admin), (bert.user, Role::Member), (carl.user, Role::Member)];
    assert_eq!(members(&store, group).await, expected);
    assert_eq!(sees(&store, bert.user, group).await, Some((1, None)));

    let snapshot = store.snapshot().await.expect("the store can be read");
    let record = queries::group(&*snapshot, group).await.expect("read").expect("it is there");
    assert_eq!((record.name.as_str(), record.created_ms, record.creator), ("group 1", 1, anna.user));
    let groups = queries::groups(&*snapshot, carl.user, None, 10).await.expect("read");
    assert_eq!(groups.iter().map(|(group, _)| *group).collect::<Vec<_>>(), [group]);
    assert_eq!(queries::groups(&*snapshot, carl.user, Some(group), 10).await.expect("read"), []);
    sound(&store, group, &people).await;
}

pub(crate) async fn a_group_made_again_is_the_same_even_when_its_log_is_gone(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 7, &[bert]).await;
    let again = || async {
        match outcome(&store, CreateGroup { name: "other".into(), ..create(anna, 7, &[]) }).await {
            Outcome::Duplicate(record) => assert_eq!((record.seq, record.time_ms), (Seq::new(1), 7)),
            other => panic!("{other:?}"),
        }
    };
    again().await;
    assert_eq!(log(&store, group).await.len(), 1);
    sound(&store, group, &people).await;

    accepted(&store, crate::groups::change(anna, group, 8, GroupChange::Deleted)).await;
    again().await;
    let sent = vec![(anna.user, anna.device, id(7)), (anna.user, anna.device, id(8))];
    let conversation = ConversationId::group(group);
    let trim = rookery_store::ops::TrimLog { conversation, upto: Seq::new(2), sent };
    store.submit(&0, trim).await.expect("it commits");
    again().await;
    assert_eq!(members(&store, group).await, []);
    // Another id is another group.
    assert_ne!(made(&store, anna, 9, &[]).await, group);
}

pub(crate) async fn a_number_that_another_group_has_is_refused(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let op = create(anna, 1, &[bert]);
    let key = group::key(op.group());
    let theirs = Group {
        name: "theirs".into(),
        about: String::new(),
        picture: String::new(),
        created_ms: 1,
        creator: bert.user,
        device: bert.device,
        id: id(1),
    };
    let mut value = Vec::new();
    rookery_protocol::encode_value(&mut value, &theirs);
    let taken = probe(&[], move |_, writes| writes.put(key.clone(), value.clone()));
    store.submit(&0, taken).await.expect("it commits");
    assert_eq!(refused(&store, op).await, Refusal::IdTaken);
    assert_eq!(crate::people::inbox(&store, bert.user).await, []);
}

pub(crate) async fn who_is_named_twice_is_in_a_new_group_once(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert, anna, bert]).await;
    assert_eq!(members(&store, group).await, [(anna.user, Role::Admin), (bert.user, Role::Member)]);
    sound(&store, group, &people).await;
    let alone = made(&store, anna, 2, &[]).await;
    assert_eq!(members(&store, alone).await, [(anna.user, Role::Admin)]);
}

pub(crate) async fn nobody_makes_a_group_with_somebody_who_is_not_there_or_too_many(mut test: UnderTest) {
    let store = test.store().await;
    let [anna, bert] = people::<2>(&store).await;
    let mut op = create(anna, 1, &[bert]);
    op.members.push(user(9));
    let group: GroupId = op.group();
    assert_eq!(refused(&store, op.clone()).await, Refusal::NoSuchUser(user(9)));
    assert_eq!(members(&store, group).await, []);
    assert_eq!(sees(&store, bert.user, group).await, None);
    op.members = crowd(&store, 1_024).await;
    assert_eq!(refused(&store, op.clone()).await, Refusal::Full, "with its maker it would have one too many");
    op.members.pop();
    assert_eq!(accepted(&store, op).await.told.len(), 1_024);
}

/// Users without devices, from 1,001 on.
pub(crate) async fn crowd(store: &rookery_store::Store, count: u64) -> Vec<UserId> {
    let adding = (1_001..=1_000 + count).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { crate::people::add_user(&store, number).await })
    });
    let mut crowd = Vec::new();
    for added in adding.collect::<Vec<_>>() {
        crowd.push(added.await.expect("it is new"));
    }
    crowd
}
