//! Taking a user out of a group whose account is about to be removed.

use rookery_protocol::{ConversationId, DeviceId, GroupId, MessageId, UserId};

use super::changed::{Changed, leave};
use crate::error::StoreError;
use crate::keys::conversation::head_key;
use crate::keys::group::{Members, members_key, membership_key};
use crate::op::{Op, Reads, View, Writes};
use crate::ops::entry::{Accepted, Author, next_seq};

/// No device has this number. An operator's hand, not a device, writes that somebody has left.
const NO_DEVICE: DeviceId = DeviceId::new(0);

/// Takes a user out of a group as if they had left, and forgets that they have ever been in it. The user need not be a
/// member, and applied again it does nothing.
///
/// It goes before [`RemoveUser`](super::super::RemoveUser), once for each group: [`remove_user`](crate::remove_user)
/// does all of it.
#[derive(Debug, Clone)]
pub struct Withdraw {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub user: UserId,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

impl Withdraw {
    fn conversation(&self) -> ConversationId {
        ConversationId::group(self.group)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Option<Accepted>, StoreError> {
        let members = view.get(&members_key(self.group));
        let before = members.map(|value| Members::decode(&value)).transpose()?;
        let before = before.filter(|members| members.get(self.user).is_some());
        let left = before.map(|before| self.leave(view, writes, &before)).transpose()?;
        writes.delete(membership_key(self.user, self.group));
        Ok(left)
    }

    fn leave(
        &self,
        view: &View<'_>,
        writes: &mut Writes<'_>,
        before: &Members,
    ) -> Result<Accepted, StoreError> {
        let seq = next_seq(self.conversation(), view)?;
        let author = Author {
            user: self.user,
            device: NO_DEVICE,
            generation: 0,
            // Its place makes it the only one of its kind.
            id: MessageId::from_bytes(u128::from(seq.get()).to_be_bytes()),
            time_ms: self.time_ms,
        };
        let mut members = before.clone();
        let entry = leave(&mut members, self.user);
        let changed = Changed { entry, record: None, members };
        Ok(changed.write(writes, &author, (self.group, before), seq))
    }
}

impl Op for Withdraw {
    /// The entry by which the user has left; `None` when they were no member.
    type Answer = Result<Option<Accepted>, StoreError>;

    fn reads(&self, reads: &mut Reads) {
        reads.key(members_key(self.group));
        reads.key(head_key(self.conversation()));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Self::Answer {
        self.decide(view, writes)
    }

    fn bytes_hint(&self) -> usize {
        8 * 1024
    }
}
