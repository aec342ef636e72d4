//! What users say of themselves and of others: who may see what of them, what they show, what others are to them. The
//! user's own devices learn of it, and nobody else.

use rookery_protocol::{AccountPart, Person as Told, PrivacySettings, Profile, UserId, limits};

use super::asker::Asker;
use super::entry::Refusal;
use super::settled::Settled;
use crate::error::StoreError;
use crate::keys::inbox::{self, AccountChange, InboxEntry};
use crate::keys::person::{self, Person};
use crate::keys::{self, privacy, profile, user};
use crate::op::{Op, Reads, View, Writes};

/// Lets this be seen of a user.
#[derive(Debug, Clone)]
pub struct SetPrivacy {
    /// Of whom.
    pub asker: Asker,
    /// What, by whom.
    pub privacy: PrivacySettings,
}

/// Shows this of a user.
#[derive(Debug, Clone)]
pub struct SetProfile {
    /// Of whom.
    pub asker: Asker,
    /// What; [`Profile::check`] has found nothing wrong with it. With nothing in it, nothing is shown.
    pub profile: Profile,
}

/// Makes somebody be something to a user, or nothing any more.
#[derive(Debug, Clone)]
pub struct SetPerson {
    /// To whom.
    pub asker: Asker,
    /// Who, and what.
    pub person: Told,
}

/// Puts what has changed into the user's inbox.
fn tell(writes: &mut Writes<'_>, asker: &Asker, part: AccountPart, person: Option<Told>) {
    let slot = writes.new_stamp();
    let change = AccountChange { part, person, time_ms: asker.time_ms };
    writes.put_stamped(inbox::prefix(asker.user), slot, InboxEntry::Account(change).encode());
}

/// Refuses what is to be kept for nobody. Reads the account's key.
fn account(view: &View<'_>, user: UserId) -> Result<(), Refusal> {
    if view.get(&user::key(user)).is_some() { Ok(()) } else { Err(Refusal::NoSuchUser(user)) }
}

/// Writes a value, or none if it is what the absence of one means.
fn put_or_delete<T: serde::Serialize>(writes: &mut Writes<'_>, key: Vec<u8>, value: &T, is_absence: bool) {
    if is_absence { writes.delete(key) } else { writes.put(key, keys::encode(value)) }
}

impl SetPrivacy {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let key = privacy::key(self.asker.user);
        let before: PrivacySettings =
            view.get(&key).map(|value| keys::decode(&value)).transpose()?.unwrap_or_default();
        if before != self.privacy {
            let is_default = self.privacy == PrivacySettings::default();
            put_or_delete(writes, key, &self.privacy, is_default);
            tell(writes, &self.asker, AccountPart::Privacy, None);
        }
        Ok(Settled::Done)
    }
}

impl Op for SetPrivacy {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        self.asker.reads(reads);
        reads.key(privacy::key(self.asker.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }
}

impl SetProfile {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let Profile { name, about, picture } = &self.profile;
        let is_empty = name.is_empty() && about.is_empty() && picture.is_empty();
        let key = profile::key(self.asker.user);
        let before = view.get(&key).map(|value| keys::decode::<Profile>(&value)).transpose()?;
        let is_new = match &before {
            Some(before) => *before != self.profile,
            None => !is_empty,
        };
        if is_new {
            put_or_delete(writes, key, &self.profile, is_empty);
            tell(writes, &self.asker, AccountPart::Profile, None);
        }
        Ok(Settled::Done)
    }
}

impl Op for SetProfile {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        self.asker.reads(reads);
        reads.key(profile::key(self.asker.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }

    fn bytes_hint(&self) -> usize {
        let Profile { name, about, picture } = &self.profile;
        256 + name.len() + about.len() + picture.len()
    }
}

impl SetPerson {
    fn decide(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Result<Settled, StoreError> {
        let (user, other) = (self.asker.user, self.person.user);
        if user == other {
            return Ok(Settled::Refused(Refusal::Yourself));
        }
        let key = person::key(user, other);
        let before: Person =
            view.get(&key).map(|value| keys::decode(&value)).transpose()?.unwrap_or_default();
        let person = Person::from(&self.person);
        if before == person {
            return Ok(Settled::Done);
        }
        // Who has been removed may still be forgotten.
        if !person.is_nothing()
            && let Err(refusal) = account(view, other)
        {
            return Ok(Settled::Refused(refusal));
        }
        let count = view.get(&person::count_key(user));
        let mut count = count.map(|value| person::decode_count(&value)).transpose()?.unwrap_or(0);
        if before.is_nothing() {
            if count >= limits::PEOPLE_PER_USER_MAX as u64 {
                return Ok(Settled::Refused(Refusal::TooManyPeople));
            }
            count += 1;
        } else if person.is_nothing() {
            count = count.saturating_sub(1);
        }
        if count == 0 {
            writes.delete(person::count_key(user));
        } else {
            writes.put(person::count_key(user), person::encode_count(count));
        }
        put_or_delete(writes, key, &person, person.is_nothing());
        tell(writes, &self.asker, AccountPart::People, Some(self.person.clone()));
        Ok(Settled::Done)
    }
}

impl Op for SetPerson {
    type Answer = Settled;

    fn reads(&self, reads: &mut Reads) {
        self.asker.reads(reads);
        reads.key(user::key(self.person.user));
        reads.key(person::key(self.asker.user, self.person.user));
        reads.key(person::count_key(self.asker.user));
    }

    fn apply(&self, view: &View<'_>, writes: &mut Writes<'_>) -> Settled {
        Settled::of(&self.asker, view, writes, |writes| self.decide(view, writes))
    }
}
