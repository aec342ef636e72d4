//! A user follows a channel, or follows it no more. The user's own devices learn of it, and nobody else.

use rookery_protocol::{AccountPart, ConversationId, GroupId, Seq, UserId, limits};

use super::asker::Asker;
use super::entry::Refusal;
use super::settled::Settled;
use crate::error::StoreError;
use crate::keys::channel::{self, Following, count_key, follower_key, following_key, following_prefix};
use crate::keys::conversation::{decode_head, head_key};
use crate::keys::group::{Members, members_key, membership_key};
use crate::keys::inbox::{self, AccountChange, InboxEntry};
use crate::keys::{self, chat, hidden, user};
use crate::op::{KeyRange, Op, Reads, View, Writes};

/// A user follows a channel from now on, or does not.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Who.
    pub user: UserId,
    /// The device that asks for it; `None`: the account is being removed.
    pub asker: Option<Asker>,
    /// Which.
    pub group: GroupId,
    /// Whether. What is no channel any more may still be let go.
    pub follow: bool,
    /// The clock, milliseconds since 1970.
    pub time_ms: u64,
}

impl Follow {
    fn followed(&self) -> KeyRange {
        KeyRange::prefix(&following_prefix(self.user), limits::FOLLOWED_MAX)
    }

    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        if self.follow {
            if let Err(refusal) = self.begin(view, writes)? {
                return Ok(Settled::Refused(refusal));
            }
        } else {
            self.end(view, writes)?;
        }
        Ok(Settled::Done)
    }

    fn begin(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Result<(), Refusal>, StoreError> {
        let Self { user, group, time_ms, .. } = *self;
        if view.get(&user::key(user)).is_none() {
            return Ok(Err(Refusal::NoSuchUser(user)));
        }
        let Some(members) = view.get(&members_key(group)) else { return Ok(Err(Refusal::NoSuchChannel)) };
        if !Members::decode(&members)?.settings.is_channel {
            return Ok(Err(Refusal::NotAChannel));
        }
        if view.get(&following_key(user, group)).is_some() {
            return Ok(Ok(()));
        }
        if view.range(&self.followed()).len() >= limits::FOLLOWED_MAX {
            return Ok(Err(Refusal::TooManyFollowed));
        }
        let head = view.get(&head_key(ConversationId::group(group)));
        let from = head.map(|value| decode_head(&value)).transpose()?.unwrap_or(Seq::ZERO);
        writes.put(following_key(user, group), keys::encode(&Following { since_ms: time_ms, from }));
        writes.put(follower_key(group, user), channel::VALUE);
        writes.put(count_key(group, user), channel::encode_count(self.count(view)? + 1));
        self.tell(writes);
        Ok(Ok(()))
    }

    fn end(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<(), StoreError> {
        let Self { user, group, .. } = *self;
        if view.get(&following_key(user, group)).is_none() {
            return Ok(());
        }
        writes.delete(following_key(user, group));
        writes.delete(follower_key(group, user));
        let conversation = ConversationId::group(group);
        if view.get(&membership_key(user, group)).is_none() {
            // Nothing is left of a conversation that the user has nothing to do with.
            writes.delete(chat::key(user, conversation));
            let prefix = hidden::conversation_prefix(user, conversation);
            let KeyRange { begin, end, .. } = KeyRange::prefix(&prefix, 0);
            writes.clear_range(begin, end);
        }
        match self.count(view)?.saturating_sub(1) {
            0 => writes.delete(count_key(group, user)),
            left => writes.put(count_key(group, user), channel::encode_count(left)),
        }
        self.tell(writes);
        Ok(())
    }

    fn count(&self, view: &View<'_>) -> Result<u64, StoreError> {
        let count = view.get(&count_key(self.group, self.user));
        Ok(count.map(|value| channel::decode_count(&value)).transpose()?.unwrap_or(0))
    }

    fn tell(&self, writes: &mut Writes<'_>) {
        let slot = writes.new_stamp();
        let change = AccountChange { part: AccountPart::Followed, person: None, time_ms: self.time_ms };
        writes.put_stamped(inbox::prefix(self.user), slot, InboxEntry::Account(change).encode());
    }
}

impl Op for Follow {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        if let Some(asker) = &self.asker {
            asker.reads(reads);
        }
        reads.key(following_key(self.user, self.group));
        reads.key(count_key(self.group, self.user));
        reads.key(membership_key(self.user, self.group));
        if self.follow {
            reads.key(user::key(self.user));
            reads.key(members_key(self.group));
            reads.key(head_key(ConversationId::group(self.group)));
            reads.range(self.followed());
        }
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        match &self.asker {
            Some(asker) => Settled::of(asker, view, writes, |writes| self.decide(view, writes)),
            None => self.decide(view, writes).unwrap_or_else(Settled::Corrupt),
        }
    }
}
