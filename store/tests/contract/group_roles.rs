//! Admins made and unmade.

use rookery_protocol::{GroupChange, GroupSettings, Role};
use rookery_store::ops::Refusal;
use rookery_store::queries;

use crate::engines::UnderTest;
use crate::groups::{accepted, change, entry, made, members, people, refused, sound, users};

pub(crate) async fn admins_are_made_and_unmade_by_admins(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert, carl]).await;
    // Only those are named who were not, and each once.
    let wanted = GroupChange::Promoted(users(&[bert, anna, bert]));
    let promoted = accepted(&store, change(anna, group, 2, wanted)).await;
    assert_eq!(entry(&promoted), GroupChange::Promoted(users(&[bert])));
    let wanted = GroupChange::Demoted(users(&[anna, carl]));
    let demoted = accepted(&store, change(bert, group, 3, wanted)).await;
    assert_eq!(entry(&demoted), GroupChange::Demoted(users(&[anna])));
    let wanted = GroupChange::Promoted(users(&[carl]));
    assert_eq!(refused(&store, change(anna, group, 4, wanted)).await, Refusal::OnlyAdmins);
    let expected = [(anna.user, Role::Member), (bert.user, Role::Admin), (carl.user, Role::Member)];
    assert_eq!(members(&store, group).await, expected);
    sound(&store, group, &people).await;
}

pub(crate) async fn the_last_admin_stays_one(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let unmake = |number, who: &[_]| change(anna, group, number, GroupChange::Demoted(users(who)));
    assert_eq!(refused(&store, unmake(2, &[anna])).await, Refusal::LastAdmin);
    accepted(&store, change(anna, group, 3, GroupChange::Promoted(users(&[bert])))).await;
    assert_eq!(refused(&store, unmake(4, &[anna, bert])).await, Refusal::LastAdmin);
    accepted(&store, unmake(5, &[anna])).await;
    assert_eq!(members(&store, group).await, [(anna.user, Role::Member), (bert.user, Role::Admin)]);
    sound(&store, group, &people).await;
}

pub(crate) async fn texts_and_settings_are_what_they_were_changed_to(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert] = people::<2>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let settings = GroupSettings { only_admins_send: true, backlog: 3, ..GroupSettings::default() };
    for (number, wanted) in (2..).zip([
        GroupChange::Named("crows".into()),
        GroupChange::Described("of a feather".into()),
        GroupChange::Pictured("crow.png".into()),
        GroupChange::Set(settings.clone()),
    ]) {
        assert_eq!(entry(&accepted(&store, change(anna, group, number, wanted.clone())).await), wanted);
    }
    let snapshot = store.snapshot().await.expect("the store can be read");
    let record = queries::group(&*snapshot, group).await.expect("read").expect("it is there");
    let texts = (record.name.as_str(), record.about.as_str(), record.picture.as_str());
    assert_eq!(texts, ("crows", "of a feather", "crow.png"));
    assert_eq!((record.creator, record.created_ms), (anna.user, 1));
    let members = queries::members(&*snapshot, group).await.expect("read").expect("it is there");
    assert_eq!(members.settings, settings);
    sound(&store, group, &people).await;
}
