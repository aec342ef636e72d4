//! What operators do to groups, of which they are no members: take somebody out, and end a group.
//!
//! Every entry has a member as its sender, who might have asked for it. Those that nobody has asked for are known by
//! [`NO_DEVICE`].

use rookery_protocol::{ConversationId, DeviceId, GroupChange, GroupId, MessageId, Role, Seq, UserId};

use super::changed::{Changed, leave};
use crate::error::StoreError;
use crate::keys::conversation::head_key;
use crate::keys::group::{Members, members_key};
use crate::op::{Op, Reads, View, Writes};
use crate::ops::entry::{Accepted, Author, next_seq};

/// No device has this number: an operator's hand has written the entry.
const NO_DEVICE: DeviceId = DeviceId::new(0);

/// Takes a member out of a group as if they had left. What they could see so far stays theirs to see. The user need not be
/// a member, and applied again it does nothing.
#[derive(Debug, Clone)]
pub struct RemoveMember {
    /// Which group.
    pub group: GroupId,
    /// Whom.
    pub user: UserId,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// Ends a group. There need not be one, and applied again it does nothing.
#[derive(Debug, Clone)]
pub struct DeleteGroup {
    /// Which group.
    pub group: GroupId,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

/// Declares what [`current`], [`take_out`] and [`end`] look at.
pub(super) fn reads(group: GroupId, reads: &mut Reads) {
    reads.key(members_key(group));
    reads.key(head_key(ConversationId::group(group)));
}

/// Who is in a group; nobody when it is no more.
fn current(view: &View<'_>, group: GroupId) -> Result<Option<Members>, StoreError> {
    view.get(&members_key(group)).map(|value| Members::decode(&value)).transpose()
}

/// In the name of `user`.
fn author(user: UserId, seq: Seq, time_ms: u64) -> Author {
    // Its place makes the id the only one of its kind.
    let id = MessageId::from_bytes(u128::from(seq.get()).to_be_bytes());
    Author { user, device: NO_DEVICE, generation: 0, admitted: 0, id, time_ms }
}

/// Takes a user out; `None` when they are no member.
pub(super) fn take_out(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    (group, user): (GroupId, UserId),
    time_ms: u64,
) -> Result<Option<Accepted>, StoreError> {
    let before = current(view, group)?.filter(|members| members.get(user).is_some());
    let Some(before) = before else { return Ok(None) };
    let seq = next_seq(ConversationId::group(group), view)?;
    let mut members = before.clone();
    let entry = leave(&mut members, user);
    let changed = Changed { entry, record: None, members };
    Ok(Some(changed.write(writes, &author(user, seq, time_ms), (group, &before), seq)))
}

/// Ends a group; `None` when it is no more.
fn end(
    view: &View<'_>,
    writes: &mut Writes<'_>,
    group: GroupId,
    time_ms: u64,
) -> Result<Option<Accepted>, StoreError> {
    let Some(before) = current(view, group)? else { return Ok(None) };
    let Some(deputy) = deputy(&before) else { return Ok(None) };
    let seq = next_seq(ConversationId::group(group), view)?;
    let members = Members::new(before.settings.clone());
    let changed = Changed { entry: GroupChange::Deleted, record: None, members };
    Ok(Some(changed.write(writes, &author(deputy, seq, time_ms), (group, &before), seq)))
}

/// In whose name a group is ended: of its admins, who has been a member for longest.
fn deputy(members: &Members) -> Option<UserId> {
    let admins = members.list().iter().filter(|member| member.role == Role::Admin);
    admins.min_by_key(|admin| (admin.since, admin.user)).map(|admin| admin.user)
}

impl Op for RemoveMember {
    /// The entry by which the user has left; `None` when they were no member.
    type Answer = Result<Option<Accepted>, StoreError>;

    fn reads(&self, declared: &mut Reads) {
        reads(self.group, declared);
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        take_out(view, writes, (self.group, self.user), self.time_ms)
    }

    fn bytes_hint(&self) -> usize {
        8 * 1024
    }
}

impl Op for DeleteGroup {
    /// The last entry; `None` when the group was no more.
    type Answer = Result<Option<Accepted>, StoreError>;

    fn reads(&self, declared: &mut Reads) {
        reads(self.group, declared);
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        end(view, writes, self.group, self.time_ms)
    }

    fn bytes_hint(&self) -> usize {
        8 * 1024
    }
}
