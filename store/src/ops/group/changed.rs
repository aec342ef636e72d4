//! What a change makes of a group, and how it is written: the record, the members, and a membership for everybody who
//! comes or goes.

use rookery_protocol::{ConversationId, GroupChange, GroupId, Role, Seq, UserId};

use crate::keys;
use crate::keys::group::{self, Group, Members, Membership, members_key, membership_key};
use crate::op::Writes;
use crate::ops::entry::{Accepted, Author, Content, append};

/// What a change makes of a group.
pub(super) struct Changed {
    /// The entry, which may say less than was asked for, or more.
    pub(super) entry: GroupChange,
    /// What is to be written of the group, if that changes.
    pub(super) record: Option<Group>,
    /// Those who are members afterwards; with nobody left, the group is no more.
    pub(super) members: Members,
}

impl Changed {
    /// Writes the group as it is by the entry `seq`, and the entry, for all who are members before it or after.
    pub(super) fn write(
        self,
        writes: &mut Writes<'_>,
        author: &Author,
        (group, before): (GroupId, &Members),
        seq: Seq,
    ) -> Accepted {
        let Self { entry, record, members } = self;
        if let Some(record) = record {
            writes.put(group::key(group), keys::encode(&record));
        }
        if members.list().is_empty() {
            writes.delete(members_key(group));
        } else if members != *before {
            writes.put(members_key(group), members.encode());
        }
        for gone in before.list().iter().filter(|member| members.get(member.user).is_none()) {
            let membership = Membership { from: gone.from, until: Some(seq) };
            writes.put(membership_key(gone.user, group), keys::encode(&membership));
        }
        let mut told: Vec<UserId> = before.users().collect();
        for new in members.list().iter().filter(|member| before.get(member.user).is_none()) {
            let membership = Membership { from: new.from, until: None };
            writes.put(membership_key(new.user, group), keys::encode(&membership));
            told.push(new.user);
        }
        // By the entry that makes it one, and by that which makes it one no more.
        let is_for_followers = before.settings.is_channel || members.settings.is_channel;
        let conversation = ConversationId::group(group);
        let accepted = append(writes, author, (conversation, seq), Content::Change(entry), told);
        Accepted { is_for_followers, ..accepted }
    }
}

/// Takes a member out who leaves. When nobody who stays is an admin, whoever has been a member for longest becomes one.
pub(super) fn leave(members: &mut Members, user: UserId) -> GroupChange {
    members.remove(user);
    let successor = if members.has_admin() { None } else { members.oldest() };
    if let Some(successor) = successor {
        members.set_role(successor, Role::Admin);
    }
    GroupChange::Left { successor }
}
