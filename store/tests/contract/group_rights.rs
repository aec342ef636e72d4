//! Who may change what of a group.

use rookery_protocol::{GroupChange, GroupId, GroupSettings, Role};
use rookery_store::Store;
use rookery_store::ops::Refusal;

use crate::engines::UnderTest;
use crate::groups::{accepted, change, log, made, members, people, refused, say, sound, users};
use crate::people::At;

const NOBODY_BUT_ADMINS: GroupSettings = GroupSettings {
    only_admins_send: true,
    only_admins_edit: true,
    only_admins_add: true,
    backlog: 0,
    is_channel: false,
};

const EVERYBODY: GroupSettings = GroupSettings {
    only_admins_send: false,
    only_admins_edit: false,
    only_admins_add: false,
    backlog: 0,
    is_channel: false,
};

/// Everything that may be asked for, with what a member is told who may not. Each would change something.
fn changes(other: At, new: At) -> Vec<GroupChange> {
    vec![
        GroupChange::Added(users(&[new])),
        GroupChange::Named("new".into()),
        GroupChange::Described("new".into()),
        GroupChange::Pictured("new".into()),
        GroupChange::Promoted(users(&[other])),
        GroupChange::Removed(users(&[other])),
        GroupChange::Set(GroupSettings { backlog: 5, ..EVERYBODY }),
        GroupChange::Deleted,
    ]
}

async fn set(store: &Store, by: At, group: GroupId, number: u128, settings: &GroupSettings) {
    accepted(store, change(by, group, number, GroupChange::Set(settings.clone()))).await;
}

pub(crate) async fn admins_do_everything_whatever_the_settings(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    for (number, settings) in [(1, NOBODY_BUT_ADMINS), (2, EVERYBODY)] {
        let group = made(&store, anna, number, &[bert]).await;
        set(&store, anna, group, 10, &settings).await;
        accepted(&store, say(anna, group, 11)).await;
        for (number, wanted) in (12..).zip(changes(bert, carl)) {
            accepted(&store, change(anna, group, number, wanted)).await;
        }
        sound(&store, group, &people).await;
    }
}

pub(crate) async fn members_do_what_the_settings_leave_to_them_and_no_more(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl, dora] = people::<4>(&store).await;
    let only = |send, edit, add| GroupSettings {
        only_admins_send: send,
        only_admins_edit: edit,
        only_admins_add: add,
        backlog: 1,
        is_channel: false,
    };
    let all = [only(true, false, false), only(false, true, false), only(false, false, true)];
    for (at, settings) in [NOBODY_BUT_ADMINS, EVERYBODY].into_iter().chain(all).enumerate() {
        let group = made(&store, anna, 1 + at as u128, &[bert, carl]).await;
        set(&store, anna, group, 10, &settings).await;
        let may = |wanted: &GroupChange| match wanted {
            GroupChange::Added(_) => !settings.only_admins_add,
            GroupChange::Named(_) | GroupChange::Described(_) | GroupChange::Pictured(_) => {
                !settings.only_admins_edit
            }
            _ => false,
        };
        let before = log(&store, group).await.len();
        let mut made = 0;
        for (number, wanted) in (20..).zip(changes(carl, dora)) {
            let op = change(bert, group, number, wanted.clone());
            if may(&wanted) {
                accepted(&store, op).await;
                made += 1;
            } else {
                assert_eq!(refused(&store, op).await, Refusal::OnlyAdmins, "{wanted:?}, {settings:?}");
            }
        }
        if settings.only_admins_send {
            assert_eq!(refused(&store, say(bert, group, 40)).await, Refusal::OnlyAdmins);
        } else {
            accepted(&store, say(bert, group, 40)).await;
            made += 1;
        }
        assert_eq!(log(&store, group).await.len(), before + made);
        accepted(&store, change(bert, group, 41, GroupChange::Left { successor: None })).await;
        sound(&store, group, &people).await;
    }
}

pub(crate) async fn who_is_no_member_changes_nothing_whether_there_is_a_group_or_not(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    set(&store, anna, group, 2, &EVERYBODY).await;
    let nothing = GroupId::new(12_345).expect("a small number is an id");
    for (number, wanted) in (10..).zip(changes(bert, carl)) {
        for group in [group, nothing] {
            let op = change(carl, group, number, wanted.clone());
            assert_eq!(refused(&store, op).await, Refusal::NotMember, "{wanted:?}");
        }
    }
    let leave = change(carl, group, 30, GroupChange::Left { successor: None });
    assert_eq!(refused(&store, leave).await, Refusal::NotMember);
    assert_eq!(members(&store, group).await, [(anna.user, Role::Admin), (bert.user, Role::Member)]);
    sound(&store, group, &people).await;
}

pub(crate) async fn what_would_change_nothing_is_refused_and_leaves_no_entry(mut test: UnderTest) {
    let store = test.store().await;
    let people @ [anna, bert, carl] = people::<3>(&store).await;
    let group = made(&store, anna, 1, &[bert]).await;
    let unknown = GroupChange::Unknown(77);
    let created = GroupChange::Created { members: vec![], name: "again".into() };
    for (number, wanted) in (10..).zip([
        GroupChange::Added(users(&[bert, anna])),
        GroupChange::Added(vec![]),
        GroupChange::Removed(users(&[carl])),
        GroupChange::Promoted(users(&[anna, carl])),
        GroupChange::Demoted(users(&[bert, carl])),
        GroupChange::Named("group 1".into()),
        GroupChange::Described(String::new()),
        GroupChange::Pictured(String::new()),
        GroupChange::Set(GroupSettings::default()),
        unknown,
        created,
    ]) {
        let op = change(anna, group, number, wanted.clone());
        assert_eq!(refused(&store, op).await, Refusal::Nothing, "{wanted:?}");
    }
    assert_eq!(log(&store, group).await.len(), 1);
    // Refused is not answered for ever: the same id may say it again when it would change something.
    accepted(&store, change(anna, group, 20, GroupChange::Named("other".into()))).await;
    accepted(&store, change(anna, group, 15, GroupChange::Named("group 1".into()))).await;
    sound(&store, group, &people).await;
}
