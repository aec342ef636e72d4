//! Taking a user out of a group whose account is about to be removed.

use rookery_protocol::{ConversationId, GroupId, UserId};

use super::operator::{self, take_out};
use crate::error::StoreError;
use crate::keys::group::membership_key;
use crate::op::{Op, Reads, View, Writes};
use crate::ops::chat::forget;
use crate::ops::entry::Accepted;

/// Takes a user out of a group as if they had left, and forgets that they have ever been in it. The user need not be a
/// member, and applied again it does nothing.
///
/// It goes before [`RemoveUser`](super::super::RemoveUser), once for each group: [`remove_user`](crate::remove_user)
/// does all of it. Who keeps the account is taken out by a [`RemoveMember`](super::RemoveMember).
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub user: UserId,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

impl Op for Withdraw {
    /// The entry by which the user has left; `None` when they were no member.
    type Answer = Result<Option<Accepted>, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        operator::reads(self.group, reads);
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        let left = take_out(view, writes, (self.group, self.user), self.time_ms)?;
        writes.delete(membership_key(self.user, self.group));
        forget(writes, self.user, ConversationId::group(self.group));
        Ok(left)
    }

    fn bytes_hint(&self) -> usize {
        8 * 1024
    }
}
