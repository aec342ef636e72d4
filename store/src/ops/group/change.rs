//! Changing a group: what it is called, who is in it and what they may do. Each change is an entry of its log.

use rookery_protocol::{ConversationId, GroupChange, GroupId, Role, Seq, UserId, limits};

use crate::error::StoreError;
use crate::keys::group::{self, Group, Member, Members, Membership, members_key, membership_key};
use crate::keys::{self, user};
use crate::op::{Op, Reads, View, Writes};
use crate::ops::entry::{Author, Content, Outcome, Refusal, append, next_seq};

/// A change of a group.
#[derive(Debug, Clone)]
pub struct ChangeGroup {
    /// Which group.
    pub group: GroupId,
    /// Who changes it.
    pub author: Author,
    /// What; [`GroupChange::check`] has found nothing wrong with it.
    pub change: GroupChange,
}

/// What a change makes of a group.
struct Changed {
    /// The entry, which may say less than was asked for, or more.
    entry: GroupChange,
    /// What is to be written of the group, if that changes.
    record: Option<Group>,
    /// Those who are members afterwards; `None`: the group is no more.
    members: Option<Members>,
}

impl ChangeGroup {
    fn conversation(&self) -> ConversationId {
        ConversationId::group(self.group)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Outcome, StoreError> {
        if let Some(objection) = self.author.objection(self.conversation(), view)? {
            return Ok(objection);
        }
        let record = view.get(&group::key(self.group));
        let members = view.get(&members_key(self.group));
        let (Some(record), Some(members)) = (record, members) else {
            return Ok(Outcome::Refused(Refusal::NotMember));
        };
        let (record, before) = (keys::decode::<Group>(&record)?, Members::decode(&members)?);
        let seq = next_seq(self.conversation(), view)?;
        match self.changed(view, record, &before, seq) {
            Ok(changed) => Ok(self.write(writes, &before, changed, seq)),
            Err(refusal) => Ok(Outcome::Refused(refusal)),
        }
    }

    /// What becomes of the group by the entry `seq`.
    fn changed(
        &self,
        view: &View<'_>,
        mut record: Group,
        before: &Members,
        seq: Seq,
    ) -> Result<Changed, Refusal> {
        let me = *before.get(self.author.user).ok_or(Refusal::NotMember)?;
        let admins_only = match &self.change {
            GroupChange::Added(_) => before.settings.only_admins_add,
            GroupChange::Named(_) | GroupChange::Described(_) | GroupChange::Pictured(_) => {
                before.settings.only_admins_edit
            }
            GroupChange::Left { .. } => false,
            _ => true,
        };
        if admins_only && me.role != Role::Admin {
            return Err(Refusal::OnlyAdmins);
        }

        let mut members = before.clone();
        let mut entry = self.change.clone();
        let mut is_new_record = false;
        match &mut entry {
            GroupChange::Added(users) => {
                users.retain(|user| before.get(*user).is_none());
                if let Some(nobody) = users.iter().find(|user| view.get(&user::key(**user)).is_none()) {
                    return Err(Refusal::NoSuchUser(*nobody));
                }
                let from = Seq::new(seq.get().saturating_sub(before.settings.backlog.into()).max(1));
                for user in users.iter() {
                    members.add(Member { user: *user, role: Role::Member, since: seq, from });
                }
                if members.list().len() > limits::GROUP_MEMBERS_MAX {
                    return Err(Refusal::Full);
                }
            }
            GroupChange::Removed(users) => {
                if users.contains(&me.user) {
                    return Err(Refusal::Oneself);
                }
                users.retain(|user| members.remove(*user).is_some());
            }
            GroupChange::Left { successor } => {
                members.remove(me.user);
                *successor = heir(&mut members);
            }
            GroupChange::Promoted(users) => users.retain(|user| set_role(&mut members, *user, Role::Admin)),
            GroupChange::Demoted(users) => {
                users.retain(|user| set_role(&mut members, *user, Role::Member));
                if !has_admin(&members) {
                    return Err(Refusal::LastAdmin);
                }
            }
            GroupChange::Named(name) => {
                is_new_record = record.name != *name;
                record.name.clone_from(name);
            }
            GroupChange::Described(about) => {
                is_new_record = record.about != *about;
                record.about.clone_from(about);
            }
            GroupChange::Pictured(picture) => {
                is_new_record = record.picture != *picture;
                record.picture.clone_from(picture);
            }
            GroupChange::Set(settings) => members.settings = settings.clone(),
            GroupChange::Deleted => {}
            GroupChange::Created { .. } | GroupChange::Unknown(_) => return Err(Refusal::Nothing),
        }
        let is_over = entry == GroupChange::Deleted || members.list().is_empty();
        if !is_over && !is_new_record && members == *before {
            return Err(Refusal::Nothing);
        }
        let record = is_new_record.then_some(record);
        Ok(Changed { entry, record, members: (!is_over).then_some(members) })
    }

    fn write(&self, writes: &mut Writes<'_>, before: &Members, changed: Changed, seq: Seq) -> Outcome {
        let Changed { entry, record, members } = changed;
        if let Some(record) = record {
            writes.put(group::key(self.group), keys::encode(&record));
        }
        match &members {
            Some(members) if members != before => writes.put(members_key(self.group), members.encode()),
            Some(_) => {}
            None => writes.delete(members_key(self.group)),
        }
        let mut told: Vec<UserId> = before.users().collect();
        let is_member = |user| members.as_ref().is_some_and(|members| members.get(user).is_some());
        for gone in before.list().iter().filter(|member| !is_member(member.user)) {
            let membership = Membership { from: gone.from, until: Some(seq) };
            writes.put(membership_key(gone.user, self.group), keys::encode(&membership));
        }
        for new in members.iter().flat_map(Members::list).filter(|member| before.get(member.user).is_none()) {
            let membership = Membership { from: new.from, until: None };
            writes.put(membership_key(new.user, self.group), keys::encode(&membership));
            told.push(new.user);
        }
        append(writes, &self.author, self.conversation(), seq, Content::Change(entry), told)
    }

    fn users(&self) -> &[UserId] {
        match &self.change {
            GroupChange::Added(users) => users,
            _ => &[],
        }
    }
}

/// Gives a member a role. Whether it was another.
fn set_role(members: &mut Members, user: UserId, role: Role) -> bool {
    match members.get_mut(user) {
        Some(member) if member.role != role => {
            member.role = role;
            true
        }
        _ => false,
    }
}

fn has_admin(members: &Members) -> bool {
    members.list().iter().any(|member| member.role == Role::Admin)
}

/// Without any admin, makes one of who has been a member for longest.
fn heir(members: &mut Members) -> Option<UserId> {
    if has_admin(members) {
        return None;
    }
    let oldest = members.list().iter().min_by_key(|member| (member.since, member.user))?.user;
    set_role(members, oldest, Role::Admin);
    Some(oldest)
}

impl Op for ChangeGroup {
    type Answer = Outcome;

    fn reads(&self, reads: &mut Reads) {
        self.author.reads(self.conversation(), reads);
        reads.key(group::key(self.group));
        reads.key(members_key(self.group));
        for user in self.users() {
            reads.key(user::key(*user));
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Outcome {
        self.decide(view, writes).unwrap_or_else(Outcome::Corrupt)
    }

    fn bytes_hint(&self) -> usize {
        // As with messages, plus the members written anew and a membership for each that is changed.
        8 * 1024 + 80 * self.users().len()
    }
}
