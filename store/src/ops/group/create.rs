//! Making a group: its record, its members, and the first entry of its log.

use rookery_protocol::{ConversationId, GroupChange, GroupId, GroupSettings, Role, Seq, UserId, limits};

use crate::audience::{Aspect, Pair};
use crate::error::StoreError;
use crate::keys::conversation::SentRecord;
use crate::keys::group::{self, Group, Member, Members, Membership, members_key, membership_key};
use crate::keys::{self, user};
use crate::op::{Op, Reads, View, Writes};
use crate::ops::entry::{Author, Content, Outcome, Refusal, append};

/// A new group. Its number follows from its author's request, so that a retry finds it.
#[derive(Debug, Clone)]
pub struct CreateGroup {
    /// Who makes it, and is its admin.
    pub author: Author,
    /// Its name.
    pub name: String,
    /// The other members. The author may be among them.
    pub members: Vec<UserId>,
    /// What is left to everybody.
    pub settings: GroupSettings,
}

impl CreateGroup {
    /// Its number.
    pub fn group(&self) -> GroupId {
        GroupId::made_by(self.author.user, self.author.device, self.author.id)
    }

    fn conversation(&self) -> ConversationId {
        ConversationId::group(self.group())
    }

    /// Those whom the author puts in.
    fn others(&self) -> impl Iterator<Item = UserId> + '_ {
        self.members.iter().copied().filter(|member| *member != self.author.user)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Outcome, StoreError> {
        let Author { user: creator, device, id, time_ms, .. } = self.author;
        let standing = match self.author.admitted(self.conversation(), view)? {
            Ok(standing) => standing,
            Err(outcome) => return Ok(outcome),
        };
        // Retention takes answers to ids away, but no group: a retry finds that, even when it has been deleted.
        if let Some(existing) = view.get(&group::key(self.group())) {
            let existing: Group = keys::decode(&existing)?;
            let is_same = (existing.creator, existing.device, existing.id) == (creator, device, id);
            let record = SentRecord { seq: Seq::ZERO.next(), time_ms: existing.created_ms };
            return Ok(if is_same { Outcome::Duplicate(record) } else { Outcome::Refused(Refusal::IdTaken) });
        }
        if let Some(nobody) = self.members.iter().find(|member| view.get(&user::key(**member)).is_none()) {
            return Ok(Outcome::Refused(Refusal::NoSuchUser(*nobody)));
        }
        for member in self.others() {
            if standing.is_shadow_banned || !Pair::of(view, creator, member)?.may_see(Aspect::Groups) {
                return Ok(Outcome::Refused(Refusal::NotToBeAdded(member)));
            }
        }
        let first = Seq::ZERO.next();
        let mut members = Members::new(self.settings.clone());
        members.add(Member { user: creator, role: Role::Admin, since: first, from: first });
        for user in &self.members {
            members.add(Member { user: *user, role: Role::Member, since: first, from: first });
        }
        if members.list().len() > limits::GROUP_MEMBERS_MAX {
            return Ok(Outcome::Refused(Refusal::Full));
        }
        let record = Group {
            name: self.name.clone(),
            about: String::new(),
            picture: String::new(),
            created_ms: time_ms,
            creator,
            device,
            id,
        };
        writes.put(group::key(self.group()), keys::encode(&record));
        writes.put(members_key(self.group()), members.encode());
        let membership = keys::encode(&Membership { from: first, until: None });
        for user in members.users() {
            writes.put(membership_key(user, self.group()), membership.clone());
        }
        let others = members.users().filter(|user| *user != creator).collect();
        let content = Content::Change(GroupChange::Created { members: others, name: self.name.clone() });
        let (place, told) = ((self.conversation(), first), members.users().collect());
        Ok(Outcome::Accepted(append(writes, &self.author, place, content, told)))
    }
}

impl Op for CreateGroup {
    type Answer = Outcome;

    fn reads(&self, reads: &mut Reads) {
        self.author.reads(self.conversation(), reads);
        reads.key(group::key(self.group()));
        for member in &self.members {
            reads.key(user::key(*member));
        }
        for member in self.others() {
            Pair::reads(self.author.user, member, reads);
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Outcome {
        let decided = self.decide(view, writes);
        self.author.settle(decided, view, writes)
    }

    fn bytes_hint(&self) -> usize {
        // For each member its place among them, a membership, a pointer and its name in the entry.
        1024 + self.name.len() + 160 * self.members.len()
    }
}
