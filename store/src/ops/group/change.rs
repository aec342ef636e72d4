//! Changing a group: what it is called, who is in it and what they may do. Each change is an entry of its log.

use rookery_protocol::{ConversationId, GroupChange, GroupId, Role, Seq, UserId, limits};

use super::changed::{Changed, leave};
use crate::audience::{Aspect, Pair};
use crate::error::StoreError;
use crate::keys::group::{self, Group, Member, Members, members_key};
use crate::keys::{self, user};
use crate::op::{Op, Reads, View, Writes};
use crate::ops::entry::{Author, Outcome, Refusal, next_seq};

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

impl ChangeGroup {
    fn conversation(&self) -> ConversationId {
        ConversationId::group(self.group)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Outcome, StoreError> {
        let standing = match self.author.admitted(self.conversation(), view)? {
            Ok(standing) => standing,
            Err(outcome) => return Ok(outcome),
        };
        let record = view.get(&group::key(self.group));
        let members = view.get(&members_key(self.group));
        let (Some(record), Some(members)) = (record, members) else {
            return Ok(Outcome::Refused(Refusal::NotMember));
        };
        let (record, before) = (keys::decode::<Group>(&record)?, Members::decode(&members)?);
        let seq = next_seq(self.conversation(), view)?;
        let mut unwilling = self.unwilling(view, &before)?;
        if standing.is_shadow_banned {
            // Others would see what it says of the group, and not be told why it does.
            match &self.change {
                GroupChange::Left { .. } => {}
                GroupChange::Added(users) => unwilling = users.first().copied(),
                _ => return Ok(Outcome::Refused(Refusal::OnlyAdmins)),
            }
        }
        Ok(match self.changed(view, record, (&before, unwilling), seq) {
            Ok(changed) => Outcome::Accepted(changed.write(writes, &self.author, (self.group, &before), seq)),
            Err(refusal) => Outcome::Refused(refusal),
        })
    }

    /// What becomes of the group by the entry `seq`.
    fn changed(
        &self,
        view: &View<'_>,
        mut record: Group,
        (before, unwilling): (&Members, Option<UserId>),
        seq: Seq,
    ) -> Result<Changed, Refusal> {
        let me = *before.get(self.author.user).ok_or(Refusal::NotMember)?;
        if me.role != Role::Admin && self.is_for_admins(before) {
            return Err(Refusal::OnlyAdmins);
        }
        let mut members = before.clone();
        let mut entry = self.change.clone();
        let mut is_new_record = false;
        match &mut entry {
            GroupChange::Added(users) => add(view, &mut members, (users, unwilling), seq)?,
            GroupChange::Removed(users) if users.contains(&me.user) => return Err(Refusal::Oneself),
            GroupChange::Removed(users) => users.retain(|user| members.remove(*user)),
            GroupChange::Left { .. } => entry = leave(&mut members, me.user),
            GroupChange::Promoted(users) => users.retain(|user| members.set_role(*user, Role::Admin)),
            GroupChange::Demoted(users) => {
                users.retain(|user| members.set_role(*user, Role::Member));
                if !members.has_admin() {
                    return Err(Refusal::LastAdmin);
                }
            }
            GroupChange::Named(name) => is_new_record = replace(&mut record.name, name),
            GroupChange::Described(about) => is_new_record = replace(&mut record.about, about),
            GroupChange::Pictured(picture) => is_new_record = replace(&mut record.picture, picture),
            GroupChange::Set(settings) => members.settings = settings.clone(),
            GroupChange::Deleted => members = Members::new(before.settings.clone()),
            GroupChange::Created { .. } | GroupChange::Unknown(_) => return Err(Refusal::Nothing),
        }
        if !is_new_record && members == *before {
            return Err(Refusal::Nothing);
        }
        Ok(Changed { entry, record: is_new_record.then_some(record), members })
    }

    fn is_for_admins(&self, before: &Members) -> bool {
        match &self.change {
            GroupChange::Added(_) => before.settings.only_admins_add,
            GroupChange::Named(_) | GroupChange::Described(_) | GroupChange::Pictured(_) => {
                before.settings.only_admins_edit
            }
            GroupChange::Left { .. } => false,
            GroupChange::Removed(_)
            | GroupChange::Promoted(_)
            | GroupChange::Demoted(_)
            | GroupChange::Set(_)
            | GroupChange::Deleted
            | GroupChange::Created { .. }
            | GroupChange::Unknown(_) => true,
        }
    }

    /// Who is to be added, and does not let the author do that.
    fn unwilling(&self, view: &View<'_>, before: &Members) -> Result<Option<UserId>, StoreError> {
        for user in self.added().iter().filter(|user| before.get(**user).is_none()) {
            if !Pair::of(view, self.author.user, *user)?.may_see(Aspect::Groups) {
                return Ok(Some(*user));
            }
        }
        Ok(None)
    }

    /// Those whose accounts must be there.
    fn added(&self) -> &[UserId] {
        match &self.change {
            GroupChange::Added(users) => users,
            _ => &[],
        }
    }
}

/// Puts users in by the entry `seq`, and keeps those of them who were not members.
fn add(
    view: &View<'_>,
    members: &mut Members,
    (users, unwilling): (&mut Vec<UserId>, Option<UserId>),
    seq: Seq,
) -> Result<(), Refusal> {
    users.retain(|user| members.get(*user).is_none());
    if let Some(nobody) = users.iter().find(|user| view.get(&user::key(**user)).is_none()) {
        return Err(Refusal::NoSuchUser(*nobody));
    }
    if let Some(unwilling) = unwilling {
        return Err(Refusal::NotToBeAdded(unwilling));
    }
    let from = Seq::new(seq.get().saturating_sub(members.settings.backlog.into()).max(1));
    users.retain(|user| members.add(Member { user: *user, role: Role::Member, since: seq, from }));
    if members.list().len() > limits::GROUP_MEMBERS_MAX { Err(Refusal::Full) } else { Ok(()) }
}

/// Whether the new text is another.
fn replace(text: &mut String, new: &str) -> bool {
    let is_other = text != new;
    new.clone_into(text);
    is_other
}

impl Op for ChangeGroup {
    type Answer = Outcome;

    fn reads(&self, reads: &mut Reads) {
        self.author.reads(self.conversation(), reads);
        reads.key(group::key(self.group));
        reads.key(members_key(self.group));
        for user in self.added() {
            reads.key(user::key(*user));
            Pair::reads(self.author.user, *user, reads);
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Outcome {
        let decided = self.decide(view, writes);
        self.author.settle(decided, view, writes)
    }

    fn bytes_hint(&self) -> usize {
        // As with messages, plus the members written anew and a membership for each that is changed.
        8 * 1024 + 80 * self.added().len()
    }
}
