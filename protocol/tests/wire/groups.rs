//! Groups: what a request may ask for, what travels of a change, and a number that never changes.

use proptest::prelude::*;
use rookery_protocol::*;

use crate::examples::{alice, bob, carol, message_id, user};
use crate::strategies::change;

fn bytes_of<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_value(&mut bytes, value);
    bytes
}

fn users(count: usize) -> Vec<UserId> {
    (1..=count as u64).map(user).collect()
}

#[test]
fn the_number_of_a_group_is_always_the_same_for_its_request() {
    // A retry after an upgrade has to lead to the same group.
    const NUMBER: u64 = 2_950_397_641_210_393;
    let number = |user, device, id| GroupId::made_by(user, DeviceId::new(device), id).get();
    assert_eq!(number(alice(), 1, message_id(0x11)), NUMBER);
    for other in [
        number(bob(), 1, message_id(0x11)),
        number(alice(), 2, message_id(0x11)),
        number(alice(), 1, message_id(0x12)),
    ] {
        assert_ne!(other, NUMBER);
    }
}

proptest! {
    #[test]
    fn a_change_has_the_number_that_it_travels_with(change in change()) {
        let bytes = bytes_of(&change);
        prop_assert_eq!(bytes[0], 0x94);
        let (kind, _) = crate::msgpack::read(&bytes[1..]);
        prop_assert_eq!(kind, crate::vector_file::Value::Uint(change.kind().into()));
    }

    #[test]
    fn what_a_kind_does_not_use_is_not_looked_at(kind in prop::sample::select(vec![4_u8, 7, 8, 9, 11, 12]), count in 0..5_usize) {
        // Whoever writes more than the kind has says nothing by it.
        let fields = (kind, users(count), "text", GroupSettings::default());
        let read: GroupChange = decode_value(&bytes_of(&fields)).unwrap();
        let again: GroupChange = decode_value(&bytes_of(&read)).unwrap();
        prop_assert_eq!(&again, &read);
        prop_assert_eq!(read.kind(), kind);
    }
}

#[test]
fn a_role_that_is_not_known_is_a_members() {
    for number in 0..=u8::MAX {
        let role: Role = decode_value(&bytes_of(&number)).unwrap();
        assert_eq!(role, if number == 1 { Role::Admin } else { Role::Member }, "{number}");
    }
    assert_eq!((u8::from(Role::Member), u8::from(Role::Admin)), (0, 1));
}

#[test]
fn requests_may_ask_for_what_is_within_the_limits() {
    let most = limits::GROUP_USERS_AT_ONCE_MAX;
    for change in [
        GroupChange::Added(users(most)),
        GroupChange::Removed(vec![bob()]),
        GroupChange::Left { successor: None },
        GroupChange::Promoted(vec![bob(), carol()]),
        GroupChange::Demoted(vec![bob()]),
        GroupChange::Named("n".repeat(limits::GROUP_NAME_BYTES_MAX)),
        GroupChange::Described("a\n".repeat(limits::GROUP_ABOUT_BYTES_MAX / 2)),
        GroupChange::Described(String::new()),
        GroupChange::Pictured("p".repeat(limits::GROUP_PICTURE_BYTES_MAX)),
        GroupChange::Set(GroupSettings { backlog: limits::GROUP_BACKLOG_MAX, ..GroupSettings::default() }),
        GroupChange::Deleted,
    ] {
        assert_eq!(change.check(), Ok(()), "{change:?}");
    }
}

#[test]
fn requests_may_not_ask_for_more_nor_for_what_only_the_server_says() {
    use GroupChangeError::*;
    let over = GroupSettings { backlog: limits::GROUP_BACKLOG_MAX + 1, ..GroupSettings::default() };
    for (change, error) in [
        (GroupChange::Added(Vec::new()), Users),
        (GroupChange::Removed(vec![bob(), carol(), bob()]), Users),
        (GroupChange::Promoted(users(limits::GROUP_USERS_AT_ONCE_MAX + 1)), Users),
        (GroupChange::Demoted(Vec::new()), Users),
        (GroupChange::Named(String::new()), Name),
        (GroupChange::Named(" \u{a0}".into()), Name),
        (GroupChange::Named("a\u{7}b".into()), Name),
        (GroupChange::Named("n".repeat(limits::GROUP_NAME_BYTES_MAX + 1)), Name),
        (GroupChange::Described("a".repeat(limits::GROUP_ABOUT_BYTES_MAX + 1)), About),
        (GroupChange::Pictured("p".repeat(limits::GROUP_PICTURE_BYTES_MAX + 1)), Picture),
        (GroupChange::Set(over), Backlog),
        (GroupChange::Left { successor: Some(bob()) }, NoRequest),
        (GroupChange::Created { members: vec![bob()], name: "Team".into() }, NoRequest),
        (GroupChange::Unknown(12), NoRequest),
    ] {
        assert_eq!(change.check(), Err(error), "{change:?}");
    }
}

#[test]
fn a_group_begins_with_a_name_members_named_once_and_settings_within_their_limits() {
    let group = CreateGroup {
        request: RequestId::new(1),
        id: message_id(1),
        name: "Team".into(),
        members: Vec::new(),
        settings: GroupSettings::default(),
    };
    assert_eq!(group.check(), Ok(()));
    assert_eq!(CreateGroup { members: users(256), ..group.clone() }.check(), Ok(()));
    let settings = GroupSettings { backlog: u32::MAX, ..GroupSettings::default() };
    for (group, error) in [
        (CreateGroup { name: "\t".into(), ..group.clone() }, GroupChangeError::Name),
        (CreateGroup { members: vec![bob(), bob()], ..group.clone() }, GroupChangeError::Users),
        (CreateGroup { settings, ..group }, GroupChangeError::Backlog),
    ] {
        assert_eq!(group.check(), Err(error));
    }
}
