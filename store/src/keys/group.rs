//! Groups: what each is, who is in it, and in which a user is.
//!
//! | family | key | value |
//! |---|---|---|
//! | `0x30` group | group | [`Group`]; stays when the group is deleted, so that its number is not used again |
//! | `0x31` members | group | [`Members`], in a form of its own; absent when the group has been deleted |
//! | `0x32` member-of | user, group | [`Membership`] |
//!
//! The members are one value, since every message needs all of them: the settings (a byte of flags and the backlog, 4
//! bytes), then 25 bytes for each, by user: user 8, role 1, since 8, from 8, all big-endian. They are written anew whole,
//! so a version reads none with a flag or a role that it would lose.

use bytes::{BufMut, Bytes};
use rookery_protocol::{
    DeviceId, GroupId, GroupMember, GroupSettings, MessageId, Role, Seq, Text, UserId, positional,
};

use super::{family, user_key};
use crate::error::StoreError;

const ENTRY_BYTES: usize = 25;
const HEADER_BYTES: usize = 5;

positional! {
    /// What a group is.
    pub struct Group {
        /// Its name.
        pub name: String as Text,
        /// Its description.
        pub about: String as Text,
        /// The reference of its picture; empty: none.
        pub picture: String as Text,
        /// When it was made, milliseconds since 1970.
        pub created_ms: u64,
        /// Who made it ...
        pub creator: UserId,
        /// ... from which device ...
        pub device: DeviceId,
        /// ... by a request with this id.
        pub id: MessageId,
    }
}

positional! {
    /// Which part of a group's log a user may see.
    pub struct Membership {
        /// From this entry on ...
        pub from: Seq,
        /// ... up to this one, by which the user ceased to be a member; `None` of a member.
        pub until: Option<Seq>,
    }
}

impl Membership {
    /// Whether the user is a member now.
    pub fn is_current(&self) -> bool {
        self.until.is_none()
    }
}

/// A member, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// The entry by which they became a member.
    pub since: Seq,
    /// The first entry they may see.
    pub from: Seq,
}

impl From<Member> for GroupMember {
    fn from(Member { user, role, since, .. }: Member) -> Self {
        Self { user, role, since }
    }
}

/// Who is in a group, and what is left to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    /// What is left to everybody.
    pub settings: GroupSettings,
    /// By user, each once.
    list: Vec<Member>,
}

/// Where a group is.
pub fn key(group: GroupId) -> Vec<u8> {
    super::key(family::GROUP, &[&group.get().to_be_bytes()])
}

/// Where a group's members are.
pub fn members_key(group: GroupId) -> Vec<u8> {
    super::key(family::MEMBERS, &[&group.get().to_be_bytes()])
}

/// The prefix of the members of all groups.
pub fn members_family_prefix() -> Vec<u8> {
    vec![family::MEMBERS]
}

/// Whose members are under a key.
pub fn members_of(key: &[u8]) -> Option<GroupId> {
    let group = key.strip_prefix(&[family::MEMBERS])?.try_into().ok()?;
    GroupId::new(u64::from_be_bytes(group)).ok()
}

/// Where is what a user may see of a group.
pub fn membership_key(user: UserId, group: GroupId) -> Vec<u8> {
    user_key(family::MEMBER_OF, user, &group.get().to_be_bytes())
}

/// The prefix of all memberships.
pub fn memberships_family_prefix() -> Vec<u8> {
    vec![family::MEMBER_OF]
}

/// Whose a membership is, and in which group.
pub fn membership_of(key: &[u8]) -> Option<(UserId, GroupId)> {
    let (user, group) = key.strip_prefix(&[family::MEMBER_OF])?.split_first_chunk()?;
    let user = UserId::new(u64::from_be_bytes(*user)).ok()?;
    Some((user, GroupId::new(u64::from_be_bytes(group.try_into().ok()?)).ok()?))
}

/// The prefix of all groups that a user is or was in.
pub fn memberships_prefix(user: UserId) -> Vec<u8> {
    user_key(family::MEMBER_OF, user, &[])
}

impl Members {
    /// Nobody yet.
    pub fn new(settings: GroupSettings) -> Self {
        Self { settings, list: Vec::new() }
    }

    /// All of them, by user.
    pub fn list(&self) -> &[Member] {
        &self.list
    }

    /// Who they are, ascending.
    pub fn users(&self) -> impl ExactSizeIterator<Item = UserId> + '_ {
        self.list.iter().map(|member| member.user)
    }

    /// Somebody, if they are a member.
    pub fn get(&self, user: UserId) -> Option<&Member> {
        self.at(user).ok().map(|at| &self.list[at])
    }

    /// Whether somebody may do everything.
    pub fn has_admin(&self) -> bool {
        self.list.iter().any(|member| member.role == Role::Admin)
    }

    /// Who has been a member for longest; of several, whose number is least.
    pub fn oldest(&self) -> Option<UserId> {
        self.list.iter().min_by_key(|member| (member.since, member.user)).map(|member| member.user)
    }

    /// Gives a member a role. Whether it was another.
    pub fn set_role(&mut self, user: UserId, role: Role) -> bool {
        let changed = self.at(user).ok().map(|at| &mut self.list[at]).filter(|member| member.role != role);
        changed.map(|member| member.role = role).is_some()
    }

    /// Puts somebody in. Whether they were not a member.
    pub fn add(&mut self, member: Member) -> bool {
        let at = self.at(member.user);
        if let Err(at) = at {
            self.list.insert(at, member);
        }
        at.is_err()
    }

    /// Takes somebody out. Whether they were a member.
    pub fn remove(&mut self, user: UserId) -> bool {
        self.at(user).map(|at| self.list.remove(at)).is_ok()
    }

    fn at(&self, user: UserId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&user, |member| member.user)
    }

    /// The value.
    pub fn encode(&self) -> Bytes {
        let mut value = Vec::with_capacity(HEADER_BYTES + ENTRY_BYTES * self.list.len());
        let GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog, is_channel } =
            self.settings;
        let flags = [only_admins_send, only_admins_edit, only_admins_add, is_channel];
        value.put_u8(flags.iter().enumerate().map(|(bit, is_set)| u8::from(*is_set) << bit).sum());
        value.put_u32(backlog);
        for member in &self.list {
            value.put_u64(member.user.get());
            value.put_u8(member.role.into());
            value.put_u64(member.since.get());
            value.put_u64(member.from.get());
        }
        value.into()
    }

    /// The members in a value.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it holds none.
    pub fn decode(value: &[u8]) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("a group's members, {} bytes", value.len()));
        let (header, entries) = value.split_first_chunk::<HEADER_BYTES>().ok_or_else(corrupt)?;
        let [flags, backlog @ ..] = *header;
        if !entries.len().is_multiple_of(ENTRY_BYTES) || flags > 15 {
            return Err(corrupt());
        }
        let settings = GroupSettings {
            only_admins_send: flags & 1 != 0,
            only_admins_edit: flags & 2 != 0,
            only_admins_add: flags & 4 != 0,
            backlog: u32::from_be_bytes(backlog),
            is_channel: flags & 8 != 0,
        };
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| corrupt());
        let member = |entry: &[u8]| {
            Ok(Member {
                user: UserId::new(number(&entry[..8])?).map_err(|_| corrupt())?,
                role: Some(Role::from(entry[8]))
                    .filter(|role| u8::from(*role) == entry[8])
                    .ok_or_else(corrupt)?,
                since: Seq::new(number(&entry[9..17])?),
                from: Seq::new(number(&entry[17..])?),
            })
        };
        let list: Vec<Member> = entries.chunks_exact(ENTRY_BYTES).map(member).collect::<Result<_, _>>()?;
        if list.is_sorted_by(|one, other| one.user < other.user) {
            Ok(Self { settings, list })
        } else {
            Err(corrupt())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;
    use crate::engine::VALUE_BYTES_MAX;

    fn group(number: u64) -> GroupId {
        GroupId::new(number).expect("a small number is an id")
    }

    fn user(number: u64) -> UserId {
        UserId::new(number).expect("a small number is an id")
    }

    fn groups() -> impl Strategy<Value = GroupId> {
        (1..=GroupId::MAX).prop_map(group)
    }

    fn settings() -> impl Strategy<Value = GroupSettings> {
        any::<(bool, bool, bool, u32, bool)>().prop_map(|(send, edit, add, backlog, is_channel)| {
            GroupSettings {
                only_admins_send: send,
                only_admins_edit: edit,
                only_admins_add: add,
                backlog,
                is_channel,
            }
        })
    }

    prop_compose! {
        fn member()(
            user in arbitrary::user(),
            is_admin: bool,
            (since, from) in (arbitrary::seq(), arbitrary::seq()),
        ) -> Member {
            Member { user, role: if is_admin { Role::Admin } else { Role::Member }, since, from }
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(key(group(0x0102)), [0x30, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(members_key(group(0x0102)), [0x31, 0, 0, 0, 0, 0, 0, 1, 2]);
        let membership = membership_key(user(3), group(4));
        assert_eq!(membership, [0x32, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4]);

        let settings = GroupSettings {
            only_admins_send: true,
            only_admins_edit: false,
            only_admins_add: true,
            backlog: 0x0203,
            is_channel: true,
        };
        let mut members = Members::new(settings);
        members.add(Member { user: user(9), role: Role::Admin, since: Seq::new(2), from: Seq::new(1) });
        members.add(Member { user: user(5), role: Role::Member, since: Seq::new(4), from: Seq::new(3) });
        let five = [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3];
        let nine = [0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(members.encode(), [[0b1101, 0, 0, 2, 3].as_slice(), &five, &nine].concat());

        let membership = Membership { from: Seq::new(7), until: None };
        assert_eq!(super::super::encode(&membership)[..], [0x92, 7, 0xc0]);
    }

    #[test]
    fn what_would_be_lost_on_writing_is_not_read() {
        let mut members = Members::new(GroupSettings::default());
        for number in [1, 2] {
            members.add(Member {
                user: user(number),
                role: Role::Member,
                since: Seq::new(1),
                from: Seq::new(1),
            });
        }
        let spoilt = |at: usize, byte: u8| {
            let mut value = members.encode().to_vec();
            value[at] = byte;
            Members::decode(&value)
        };
        assert_eq!(spoilt(0, 0b100).expect("nothing has changed"), members);
        spoilt(0, 0b10000).expect_err("there is no such flag");
        spoilt(5 + 8, 2).expect_err("there is no such role");
        spoilt(5 + 7, 0).expect_err("nobody has this number");
        spoilt(5 + 7, 2).expect_err("one is there twice");
        spoilt(5 + 7, 3).expect_err("they are out of order");
        Members::decode(&members.encode()[..54]).expect_err("something is missing");
    }

    #[test]
    fn the_largest_group_fits_into_a_value() {
        let mut members = Members::new(GroupSettings { backlog: u32::MAX, ..GroupSettings::default() });
        for number in 0..rookery_protocol::limits::GROUP_MEMBERS_MAX as u64 {
            let (since, from) = (Seq::new(u64::MAX), Seq::new(u64::MAX));
            members.add(Member { user: user(UserId::MAX - number), role: Role::Admin, since, from });
        }
        assert!(members.encode().len() <= VALUE_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn keys_name_what_they_are_about_in_its_order(
            one in (arbitrary::user(), groups()),
            other in (arbitrary::user(), groups()),
        ) {
            let membership = membership_key(one.0, one.1);
            prop_assert_eq!(membership_of(&membership), Some(one));
            prop_assert_eq!(membership.cmp(&membership_key(other.0, other.1)), one.cmp(&other));
            prop_assert!(membership.starts_with(&memberships_prefix(one.0)));
            prop_assert!(membership.starts_with(&memberships_family_prefix()));
            let members = members_key(one.1);
            prop_assert_eq!(members_of(&members), Some(one.1));
            prop_assert!(members.starts_with(&members_family_prefix()));
            prop_assert_eq!(key(one.1).cmp(&key(other.1)), one.1.cmp(&other.1));
            prop_assert_eq!(members_key(one.1).cmp(&members_key(other.1)), one.1.cmp(&other.1));
        }

        #[test]
        fn values_read_as_written(
            (name, about, picture) in any::<(String, String, String)>(),
            created_ms: u64,
            (creator, device, id) in (arbitrary::user(), arbitrary::device(), arbitrary::message_id()),
            (from, until) in (arbitrary::seq(), prop::option::of(arbitrary::seq())),
        ) {
            let group = Group { name, about, picture, created_ms, creator, device, id };
            let read = super::super::decode::<Group>(&super::super::encode(&group));
            prop_assert_eq!(read.expect("it was just written"), group);
            let membership = Membership { from, until };
            let read = super::super::decode::<Membership>(&super::super::encode(&membership));
            prop_assert_eq!(read.expect("it was just written"), membership);
        }

        #[test]
        fn members_are_there_once_in_order_and_read_as_written(
            settings in settings(),
            list in prop::collection::vec(member(), 0..40),
        ) {
            let mut members = Members::new(settings);
            let mut expected = std::collections::BTreeMap::new();
            for member in list {
                prop_assert_eq!(members.add(member), !expected.contains_key(&member.user));
                expected.entry(member.user).or_insert(member);
            }
            prop_assert!(members.list().iter().eq(expected.values()));
            prop_assert_eq!(Members::decode(&members.encode()).expect("it was just written"), members.clone());
            for user in expected.keys() {
                prop_assert_eq!(members.get(*user), expected.get(user));
                prop_assert!(members.remove(*user) && !members.remove(*user));
            }
            prop_assert_eq!(members.list(), []);
        }

        /// What is read is written as it was, so nothing is lost when one member changes.
        #[test]
        fn any_bytes_are_members_or_an_error(bytes: Vec<u8>) {
            if let Ok(members) = Members::decode(&bytes) {
                prop_assert_eq!(&members.encode()[..], &bytes[..]);
            }
            let _ = membership_of(&bytes);
        }
    }
}
