//! Groups: making them, changing them, and what there is to know of them.

use std::cmp::Ordering;

use rookery_protocol::{
    ConversationId, Group, GroupChange, GroupId, GroupSettings, MemberMark, MessageId, Seq, UserId,
    check_name, check_users, limits,
};

use super::Client;
use crate::machine::{Answer, Call};
use crate::{GroupError, RequestError};

/// Groups that [`Client::groups`] gives at most.
const GROUPS_MAX: usize = 64 * limits::GROUP_LIST_MAX;

/// Groups are changed at once and not from the outbox: messages that are still on their way may come after a change that
/// was asked for later. Their tickets say when they have arrived.
impl Client {
    /// An id for [`create_group_as`](Self::create_group_as) or [`change_group_as`](Self::change_group_as), for those who
    /// keep it so that they can ask again after a restart.
    pub fn new_id(&self) -> MessageId {
        self.shared().new_id()
    }

    /// Makes a group with these members and this user, who is its admin; at most
    /// [`GROUP_USERS_AT_ONCE_MAX`](limits::GROUP_USERS_AT_ONCE_MAX) of them, and more can be added later. The name has at
    /// most [`GROUP_NAME_BYTES_MAX`](limits::GROUP_NAME_BYTES_MAX) bytes.
    ///
    /// The request is repeated over any number of connections until it is answered, or until
    /// [`request_deadline`](crate::Config::request_deadline). Dropping the future does not take it back.
    ///
    /// # Errors
    /// When the server says no ([`NotFound`](crate::ErrorCode::NotFound): a member is nobody), when no server would say
    /// yes, or when it is not known whether the group was made: [`GroupError::Unknown`] has the id to ask again with.
    pub async fn create_group(
        &self,
        name: impl Into<String>,
        members: Vec<UserId>,
        settings: GroupSettings,
    ) -> Result<GroupId, GroupError> {
        self.create_group_as(self.new_id(), name, members, settings).await
    }

    /// As [`create_group`](Self::create_group). With the id of an earlier request it gives the group which that one made,
    /// if it made one: there is never a second.
    ///
    /// # Errors
    /// As [`create_group`](Self::create_group).
    pub async fn create_group_as(
        &self,
        id: MessageId,
        name: impl Into<String>,
        members: Vec<UserId>,
        settings: GroupSettings,
    ) -> Result<GroupId, GroupError> {
        let name = name.into();
        check_name(&name)?;
        check_users(&members)?;
        settings.check()?;
        match self.call_once(id, Call::CreateGroup { id, name, members, settings }).await? {
            Answer::Created(made) => Ok(made.group),
            _ => Err(GroupError::Unknown { id }),
        }
    }

    /// Changes a group, and gives the change's place in the group's conversation and the server's time of it, in
    /// milliseconds since 1970. All members see it there as [`Event::Change`](crate::Event::Change), this client too.
    ///
    /// Repeated as [`create_group`](Self::create_group) is.
    ///
    /// # Errors
    /// When the server says no: [`NotMember`](crate::ErrorCode::NotMember) also when there is no such group,
    /// [`NotAllowed`](crate::ErrorCode::NotAllowed) what is left to admins, or the last admin's ceasing to be one,
    /// [`Full`](crate::ErrorCode::Full), [`BadRequest`](crate::ErrorCode::BadRequest) when nothing would change,
    /// [`NotFound`](crate::ErrorCode::NotFound) when there is no such user. When no server would say yes; or when it is
    /// not known whether the group was changed: [`GroupError::Unknown`] has the id to ask again with.
    pub async fn change_group(&self, group: GroupId, change: GroupChange) -> Result<(Seq, u64), GroupError> {
        self.change_group_as(self.new_id(), group, change).await
    }

    /// As [`change_group`](Self::change_group). With the id of an earlier request it gives the place of the change which
    /// that one made, if it made one: nothing changes twice.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn change_group_as(
        &self,
        id: MessageId,
        group: GroupId,
        change: GroupChange,
    ) -> Result<(Seq, u64), GroupError> {
        change.check()?;
        match self.call_once(id, Call::ChangeGroup { id, group, change }).await? {
            Answer::Changed(sent) => Ok((sent.seq, sent.time_ms)),
            _ => Err(GroupError::Unknown { id }),
        }
    }

    /// Makes these users members, those who are not; at most
    /// [`GROUP_USERS_AT_ONCE_MAX`](limits::GROUP_USERS_AT_ONCE_MAX) at a time.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn add_members(&self, group: GroupId, users: Vec<UserId>) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Added(users)).await
    }

    /// Takes these users out of a group. Nobody removes themselves: that is [`leave_group`](Self::leave_group).
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn remove_members(&self, group: GroupId, users: Vec<UserId>) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Removed(users)).await
    }

    /// Leaves a group. When the last admin does, whoever has been a member for longest becomes one.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn leave_group(&self, group: GroupId) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Left { successor: None }).await
    }

    /// Makes these members admins.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn promote_members(
        &self,
        group: GroupId,
        users: Vec<UserId>,
    ) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Promoted(users)).await
    }

    /// Makes these admins mere members. One must stay.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn demote_members(&self, group: GroupId, users: Vec<UserId>) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Demoted(users)).await
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn rename_group(
        &self,
        group: GroupId,
        name: impl Into<String>,
    ) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Named(name.into())).await
    }

    /// Gives a group another description, of at most [`GROUP_ABOUT_BYTES_MAX`](limits::GROUP_ABOUT_BYTES_MAX) bytes.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn describe_group(
        &self,
        group: GroupId,
        about: impl Into<String>,
    ) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Described(about.into())).await
    }

    /// Changes what a group leaves to everybody, all of it at once.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn set_group(&self, group: GroupId, settings: GroupSettings) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Set(settings)).await
    }

    /// Ends a group. Its number is not used again.
    ///
    /// # Errors
    /// As [`change_group`](Self::change_group).
    pub async fn delete_group(&self, group: GroupId) -> Result<(Seq, u64), GroupError> {
        self.change_group(group, GroupChange::Deleted).await
    }

    /// A group as it is now, with all its members.
    ///
    /// # Errors
    /// When the server says no ([`NotMember`](crate::ErrorCode::NotMember) also when there is no such group), or nothing
    /// in time.
    pub async fn group(&self, group: GroupId) -> Result<Group, RequestError> {
        match self.call(Call::Group(group)).await? {
            Answer::Group(group) => Ok(group),
            _ => Err(RequestError::Closed),
        }
    }

    /// The groups that this user is in, ascending; no more than the first 65,536.
    ///
    /// # Errors
    /// When the server says no, or nothing in time to one of the requests that it takes.
    pub async fn groups(&self) -> Result<Vec<GroupId>, RequestError> {
        let mut groups: Vec<GroupId> = Vec::new();
        loop {
            let after = groups.last().copied();
            let Answer::Groups(page) = self.call(Call::Groups { after }).await? else {
                return Err(RequestError::Closed);
            };
            // A list that goes back would have no end.
            let news = page.groups.into_iter().filter(|group| after.cmp(&Some(*group)) == Ordering::Less);
            let before = groups.len();
            groups.extend(news);
            groups.truncate(GROUPS_MAX);
            if !page.more || groups.len() == before || groups.len() == GROUPS_MAX {
                return Ok(groups);
            }
        }
    }

    /// How far the other members of a conversation have come, by user: those of whom something is known. In groups
    /// nobody is told when that changes; a member's mark may lag a second behind what the member has received.
    ///
    /// # Errors
    /// When the server says no ([`NotMember`](crate::ErrorCode::NotMember) also when there is no such group), or nothing
    /// in time.
    pub async fn receipts(&self, conversation: ConversationId) -> Result<Vec<MemberMark>, RequestError> {
        match self.call(Call::Receipts(conversation)).await? {
            Answer::Receipts(receipts) => Ok(receipts.marks),
            _ => Err(RequestError::Closed),
        }
    }

    /// A call that must not be made twice, whose id is this.
    async fn call_once(&self, id: MessageId, call: Call) -> Result<Answer, GroupError> {
        let answer = self.ask(call).map_err(|error| match error {
            RequestError::Full => GroupError::Full,
            _ => GroupError::Closed,
        })?;
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(RequestError::Refused(refusal))) => Err(GroupError::Refused(refusal)),
            Ok(Err(_)) | Err(_) => Err(GroupError::Unknown { id }),
        }
    }
}
