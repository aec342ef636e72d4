//! Groups: what each is, who is in it, and in which a user is.
//!
//! | family | key | value |
//! |---|---|---|
//! | `0x30` group | group | [`Group`]; stays when the group is deleted, so that its number is not used again |
//! | `0x31` members | group | [`Members`], in a form of its own; absent when the group has been deleted |
//! | `0x32` member-of | user, group | [`Membership`] |
//!
//! The members are one value, since every message needs all of them: the settings (a byte of flags and the backlog, 4
//! bytes), then 25 bytes for each, by user: user 8, role 1, since 8, from 8, all big-endian.

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

/// The prefix of all groups.
pub fn family_prefix() -> Vec<u8> {
    vec![family::GROUP]
}

/// Where a group's members are.
pub fn members_key(group: GroupId) -> Vec<u8> {
    super::key(family::MEMBERS, &[&group.get().to_be_bytes()])
}

/// The group that a key is about which ends with it: of a group, its members, or a membership.
pub fn group_of(key: &[u8]) -> Option<GroupId> {
    let at = key.len().checked_sub(8)?;
    GroupId::new(u64::from_be_bytes(key[at..].try_into().ok()?)).ok()
}

/// Where is what a user may see of a group.
pub fn membership_key(user: UserId, group: GroupId) -> Vec<u8> {
    user_key(family::MEMBER_OF, user, &group.get().to_be_bytes())
}

/// The prefix of all groups that a user is or was in.
pub fn memberships_prefix(user: UserId) -> Vec<u8> {
    user_key(family::MEMBER_OF, user, &[])
}

impl Members {
    /// These, in any order; each user once.
    pub fn new(settings: GroupSettings, mut list: Vec<Member>) -> Self {
        list.sort_unstable_by_key(|member| member.user);
        Self { settings, list }
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

    /// Somebody, to be changed.
    pub fn get_mut(&mut self, user: UserId) -> Option<&mut Member> {
        self.at(user).ok().map(|at| &mut self.list[at])
    }

    /// Puts somebody in. Whether they were not a member.
    pub fn add(&mut self, member: Member) -> bool {
        let at = self.at(member.user);
        if let Err(at) = at {
            self.list.insert(at, member);
        }
        at.is_err()
    }

    /// Takes somebody out.
    pub fn remove(&mut self, user: UserId) -> Option<Member> {
        self.at(user).ok().map(|at| self.list.remove(at))
    }

    fn at(&self, user: UserId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&user, |member| member.user)
    }

    /// The value.
    pub fn encode(&self) -> Bytes {
        let mut value = Vec::with_capacity(HEADER_BYTES + ENTRY_BYTES * self.list.len());
        let GroupSettings { only_admins_send, only_admins_edit, only_admins_add, backlog } = self.settings;
        let flags = [only_admins_send, only_admins_edit, only_admins_add];
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
        if !entries.len().is_multiple_of(ENTRY_BYTES) || flags > 7 {
            return Err(corrupt());
        }
        let settings = GroupSettings {
            only_admins_send: flags & 1 != 0,
            only_admins_edit: flags & 2 != 0,
            only_admins_add: flags & 4 != 0,
            backlog: u32::from_be_bytes(backlog),
        };
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| corrupt());
        let member = |entry: &[u8]| {
            Ok(Member {
                user: UserId::new(number(&entry[..8])?).map_err(|_| corrupt())?,
                role: Role::from(entry[8]),
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
