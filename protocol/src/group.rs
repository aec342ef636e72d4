//! Groups: who may do what in them, and what may change.

use serde::{Deserialize, Serialize};

use crate::positional::List;
use crate::{DeviceId, GroupId, MessageId, Seq, Text, UserId, limits, positional};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub enum Role {
    /// What the group's settings leave to everybody.
    #[default]
    Member,
    /// Everything. A role that a reader does not know is a member's.
    Admin,
}

impl From<u8> for Role {
    fn from(number: u8) -> Self {
        if number == 1 { Self::Admin } else { Self::Member }
    }
}

impl From<Role> for u8 {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => 0,
            Role::Admin => 1,
        }
    }
}

positional! {
    /// What is left to everybody, and what those who join later may see.
    pub struct GroupSettings {
        /// Only admins send: an announcement group.
        pub only_admins_send: bool,
        /// Only admins change name, description and picture, and set the timer of messages that disappear.
        pub only_admins_edit: bool,
        /// Only admins add members.
        pub only_admins_add: bool,
        /// How many messages before its joining a new member may ask for; at most [`limits::GROUP_BACKLOG_MAX`].
        pub backlog: u32,
        since later:
        /// Anyone may follow it: a channel. Who follows sees all of its log, and is no member.
        pub is_channel: bool,
    }
}

impl Default for GroupSettings {
    /// Everybody sends and edits, admins add, nothing from before one's joining is seen, and it is no channel.
    fn default() -> Self {
        Self {
            only_admins_send: false,
            only_admins_edit: false,
            only_admins_add: true,
            backlog: 0,
            is_channel: false,
        }
    }
}

impl GroupSettings {
    /// Whether a group may have them.
    ///
    /// # Errors
    /// [`GroupChangeError::Backlog`] when it is over its limit.
    pub fn check(&self) -> Result<(), GroupChangeError> {
        if self.backlog > limits::GROUP_BACKLOG_MAX { Err(GroupChangeError::Backlog) } else { Ok(()) }
    }
}

positional! {
    /// Somebody in a group.
    pub struct GroupMember {
        /// Who.
        pub user: UserId,
        /// What they may do.
        pub role: Role,
        /// The entry of the log by which they became a member.
        pub since: Seq,
    }
}

/// Something that happens to a group. It is an entry of its conversation's log like any message, so that every member
/// learns of it, in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ChangeFields", into = "ChangeFields")]
pub enum GroupChange {
    /// The sender has made the group, with these members besides; always its first entry, and no request.
    Created {
        /// The other members.
        members: Vec<UserId>,
        /// The group's name.
        name: String,
    },
    /// These have become members.
    Added(Vec<UserId>),
    /// These are members no more, and this is the last entry that they get.
    Removed(Vec<UserId>),
    /// The sender is a member no more, and this is the last entry that they get.
    Left {
        /// Who has become an admin, if the last one has left. Not to be given in a request.
        successor: Option<UserId>,
    },
    /// These have become admins.
    Promoted(Vec<UserId>),
    /// These are admins no more.
    Demoted(Vec<UserId>),
    /// It has another name, of at most [`limits::GROUP_NAME_BYTES_MAX`].
    Named(String),
    /// It has another description, of at most [`limits::GROUP_ABOUT_BYTES_MAX`].
    Described(String),
    /// It has another picture: what clients take for one, of at most [`limits::GROUP_PICTURE_BYTES_MAX`].
    Pictured(String),
    /// It has other settings.
    Set(GroupSettings),
    /// It is no more, and this is its last entry.
    Deleted,
    /// Something that a newer version knows; what it says besides is not kept. Not to be given in a request.
    Unknown(u8),
}

/// A text over its limit, a list of users too long, empty or with somebody in it twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupChangeError {
    /// A name has characters, and not too many.
    #[error("a group's name has 1 to {} bytes and no control characters", limits::GROUP_NAME_BYTES_MAX)]
    Name,
    /// A description is not too long.
    #[error("a group's description has at most {} bytes", limits::GROUP_ABOUT_BYTES_MAX)]
    About,
    /// A picture's reference is not too long.
    #[error("the reference of a group's picture has at most {} bytes", limits::GROUP_PICTURE_BYTES_MAX)]
    Picture,
    /// Somebody, and not too many at once.
    #[error("name 1 to {} users, each once", limits::GROUP_USERS_AT_ONCE_MAX)]
    Users,
    /// The backlog has a limit.
    #[error("a new member may be shown at most {} messages", limits::GROUP_BACKLOG_MAX)]
    Backlog,
    /// Only the server says this.
    #[error("no request can ask for that")]
    NoRequest,
}

/// How every change travels: `[kind, users, text, settings]`, of which each kind uses what it needs. A kind to come finds
/// these of these types as well, and appends what it needs besides. It has to be readable without: a node that does not
/// know it passes on its number alone when it answers HISTORY.
#[derive(Debug)]
#[doc(hidden)]
pub struct ChangeFields(Parts);

positional! {
    struct Parts {
        pub kind: u8,
        pub users: Vec<UserId> as List<UserId>,
        pub text: String as Text,
        pub settings: Option<GroupSettings>,
    }
}

impl Serialize for ChangeFields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ChangeFields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(Self)
    }
}

mod kind {
    pub(super) const CREATED: u8 = 1;
    pub(super) const ADDED: u8 = 2;
    pub(super) const REMOVED: u8 = 3;
    pub(super) const LEFT: u8 = 4;
    pub(super) const PROMOTED: u8 = 5;
    pub(super) const DEMOTED: u8 = 6;
    pub(super) const NAMED: u8 = 7;
    pub(super) const DESCRIBED: u8 = 8;
    pub(super) const PICTURED: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const DELETED: u8 = 11;
}

impl TryFrom<ChangeFields> for GroupChange {
    type Error = &'static str;

    fn try_from(ChangeFields(fields): ChangeFields) -> Result<Self, &'static str> {
        let Parts { kind, users, text, settings } = fields;
        Ok(match kind {
            kind::CREATED => Self::Created { members: users, name: text },
            kind::ADDED => Self::Added(users),
            kind::REMOVED => Self::Removed(users),
            kind::LEFT => Self::Left { successor: users.first().copied() },
            kind::PROMOTED => Self::Promoted(users),
            kind::DEMOTED => Self::Demoted(users),
            kind::NAMED => Self::Named(text),
            kind::DESCRIBED => Self::Described(text),
            kind::PICTURED => Self::Pictured(text),
            kind::SET => Self::Set(settings.ok_or("settings are missing")?),
            kind::DELETED => Self::Deleted,
            other => Self::Unknown(other),
        })
    }
}

impl From<GroupChange> for ChangeFields {
    fn from(change: GroupChange) -> Self {
        let kind = change.kind();
        let (mut users, mut text, mut settings) = (Vec::new(), String::new(), None);
        match change {
            GroupChange::Created { members, name } => (users, text) = (members, name),
            GroupChange::Added(who)
            | GroupChange::Removed(who)
            | GroupChange::Promoted(who)
            | GroupChange::Demoted(who) => users = who,
            GroupChange::Left { successor } => users.extend(successor),
            GroupChange::Named(new) | GroupChange::Described(new) | GroupChange::Pictured(new) => text = new,
            GroupChange::Set(new) => settings = Some(new),
            GroupChange::Deleted | GroupChange::Unknown(_) => {}
        }
        Self(Parts { kind, users, text, settings })
    }
}

impl GroupChange {
    /// Its number on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Created { .. } => kind::CREATED,
            Self::Added(_) => kind::ADDED,
            Self::Removed(_) => kind::REMOVED,
            Self::Left { .. } => kind::LEFT,
            Self::Promoted(_) => kind::PROMOTED,
            Self::Demoted(_) => kind::DEMOTED,
            Self::Named(_) => kind::NAMED,
            Self::Described(_) => kind::DESCRIBED,
            Self::Pictured(_) => kind::PICTURED,
            Self::Set(_) => kind::SET,
            Self::Deleted => kind::DELETED,
            Self::Unknown(kind) => *kind,
        }
    }

    /// Whether a request may ask for it, whoever does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), GroupChangeError> {
        match self {
            Self::Added(users) | Self::Removed(users) | Self::Promoted(users) | Self::Demoted(users) => {
                if users.is_empty() {
                    Err(GroupChangeError::Users)
                } else {
                    check_users(users)
                }
            }
            Self::Named(name) => check_name(name),
            Self::Described(about) if about.len() > limits::GROUP_ABOUT_BYTES_MAX => {
                Err(GroupChangeError::About)
            }
            Self::Pictured(picture) if picture.len() > limits::GROUP_PICTURE_BYTES_MAX => {
                Err(GroupChangeError::Picture)
            }
            Self::Set(settings) => settings.check(),
            Self::Left { successor: Some(_) } | Self::Created { .. } | Self::Unknown(_) => {
                Err(GroupChangeError::NoRequest)
            }
            _ => Ok(()),
        }
    }
}

/// Whether a group may be called that.
///
/// # Errors
/// [`GroupChangeError::Name`] when it may not.
pub fn check_name(name: &str) -> Result<(), GroupChangeError> {
    let fits = (1..=limits::GROUP_NAME_BYTES_MAX).contains(&name.len());
    if fits && !name.chars().any(char::is_control) && !name.trim().is_empty() {
        Ok(())
    } else {
        Err(GroupChangeError::Name)
    }
}

/// Whether these are not too many at once, and each is named once.
///
/// # Errors
/// [`GroupChangeError::Users`] when they are.
pub fn check_users(users: &[UserId]) -> Result<(), GroupChangeError> {
    if users.len() > limits::GROUP_USERS_AT_ONCE_MAX {
        return Err(GroupChangeError::Users);
    }
    let mut sorted = users.to_vec();
    sorted.sort_unstable();
    let twice = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    if twice { Err(GroupChangeError::Users) } else { Ok(()) }
}

impl GroupId {
    /// The number of the group that a device makes by a request with this id: a retry makes no second group. Never to be
    /// changed, nor to be reckoned by clients, who are told.
    pub fn made_by(user: UserId, device: DeviceId, id: MessageId) -> Self {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&user.get().to_be_bytes());
        bytes[8..12].copy_from_slice(&device.get().to_be_bytes());
        bytes[12..].copy_from_slice(id.as_bytes());
        // FNV-1a, for want of anything that needs more: who meets another's group is told that it exists.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::new(hash % Self::MAX + 1).expect("it is in range")
    }
}
