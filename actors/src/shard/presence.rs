//! The owner's side: whether this shard's users are there, wherever their devices are. Told of those whom somebody watches;
//! when the others were last seen is put on record.
//!
//! A node that is killed says of nobody when they left. So of those who are there it is put on record every
//! [`RECORDED_EVERY`] that they are, each at a turn of their own: a crash makes nobody who was there for longer seem to have
//! gone earlier than that before it. Of 1,000,000 users who are there it is 1,667 a second, in one operation of each shard, about 26 users each.
//!
//! An owner that has just become one does not know yet who is where: it says nothing of those it does not see.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use rookery_protocol::{Availability, Presence, UserId};
use rookery_store::ops::NoteLastSeen;
use rookery_store::placement::Slot;
use tokio::time::Instant;

use super::actor::{State, TICK};
use crate::cluster::{LinkMessage, Owner};
use crate::connection::Stirring;
use crate::looking::LookingMessage;

/// A user whose last device has gone is offline after this: who comes back at once has not been away.
const LINGER: Duration = Duration::from_secs(2);
/// After which it is put on record when a user was last seen.
const RECORDED_AFTER: Duration = Duration::from_secs(10);
/// How often it is put on record of users who are there that they are.
const RECORDED_EVERY: Duration = Duration::from_secs(600);
/// Ticks in which everybody has a turn.
const TURNS: u64 = RECORDED_EVERY.as_secs() / TICK.as_secs();
/// For hosts to tell a new owner who is there.
const GATHERING: Duration = Duration::from_secs(5);
/// Users in one operation.
const RECORDED_AT_ONCE_MAX: usize = 256;
/// Users who have left and are not on record, at most.
const LEFT_MAX: usize = 65_536;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Presences {
    followed: HashSet<UserId>,
    left: HashMap<UserId, Left>,
    /// Who is there, by their turn to be put on record.
    present: BTreeMap<u64, BTreeSet<UserId>>,
    /// Whose turn it was last.
    turn: u64,
    /// Who has become active or idle here since the last tick.
    stirred: HashMap<UserId, Vec<Stirring>>,
    /// Until then it is not known of all users who is where.
    gathering_until: Option<Instant>,
}

/// A user whose last device has gone.
#[derive(Debug, Clone, Copy)]
struct Left {
    since: Instant,
    since_ms: u64,
    is_told: bool,
}

/// What has become due.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// These may have to be told of.
    tell: Vec<UserId>,
    /// These are put on record.
    record: Vec<(UserId, u64)>,
}

impl Presences {
    /// From now on it is not known of all who is where, for a while.
    pub(super) fn gather(&mut self, now: Instant) {
        self.gathering_until = Some(now + GATHERING);
    }

    /// A user's devices have changed. `is_there`: whether there are any.
    fn changed(&mut self, user: UserId, is_there: bool, now: Instant, now_ms: impl FnOnce() -> u64) {
        if is_there {
            self.left.remove(&user);
            return self.is_present(user);
        }
        if let Some(users) = self.present.get_mut(&turn_of(user)) {
            users.remove(&user);
        }
        if self.left.len() < LEFT_MAX {
            let left = || Left { since: now, since_ms: now_ms(), is_told: false };
            self.left.entry(user).or_insert_with(left);
        }
    }

    /// A user is there.
    fn is_present(&mut self, user: UserId) {
        self.present.entry(turn_of(user)).or_default().insert(user);
    }

    /// How a user is, if it can be said now. `is_active`: whether a device is in use; none if there are no devices.
    fn of(&self, user: UserId, is_active: Option<bool>, now: Instant) -> Option<Presence> {
        let (availability, last_seen_ms) = match (is_active, self.left.get(&user)) {
            (Some(true), _) => (Availability::Online, 0),
            (Some(false), _) => (Availability::Idle, 0),
            (None, _) if self.gathering_until.is_some_and(|until| now < until) => return None,
            (None, Some(left)) if now < left.since + LINGER => return None,
            (None, left) => (Availability::Offline, left.map_or(0, |left| left.since_ms)),
        };
        Some(Presence { user, availability, last_seen_ms })
    }

    fn tick(&mut self, now: Instant, now_ms: u64) -> Due {
        let mut due = Due { tell: self.stirred.drain().map(|(user, _)| user).collect(), record: Vec::new() };
        if self.gathering_until.take_if(|until| now >= *until).is_some() {
            due.tell.extend(&self.followed);
        }
        self.left.retain(|user, left| {
            if !left.is_told && now >= left.since + LINGER {
                left.is_told = true;
                due.tell.push(*user);
            }
            let is_due = now >= left.since + RECORDED_AFTER;
            due.record.extend(is_due.then_some((*user, left.since_ms)));
            !is_due
        });
        self.turn = (self.turn + 1) % TURNS;
        let present = self.present.get(&self.turn).into_iter().flatten();
        due.record.extend(present.map(|user| (*user, now_ms)));
        due
    }

    /// Keeps those whose owner this node is. Of the others, returns those who have left, to be put on record.
    fn keep(&mut self, is_mine: impl Fn(UserId) -> bool) -> Vec<(UserId, u64)> {
        self.followed.retain(|user| is_mine(*user));
        self.present.retain(|_, users| {
            users.retain(|user| is_mine(*user));
            !users.is_empty()
        });
        let mut others = Vec::new();
        self.left.retain(|user, left| {
            let is_mine = is_mine(*user);
            others.extend((!is_mine).then_some((*user, left.since_ms)));
            is_mine
        });
        others
    }
}

/// When in a round it is put on record of a user who is there. Users of a shard have all numbers. A shard that has just begun
/// has the first users, who are the only ones of small clusters and tests, last.
fn turn_of(user: UserId) -> u64 {
    TURNS - 1 - user.get() % TURNS
}

impl State {
    /// Somebody watches a user, or nobody does any more.
    pub(super) fn follow(&mut self, user: UserId, follow: bool) {
        if follow {
            self.presences.followed.insert(user);
            self.tell_presence(user);
        } else {
            self.presences.followed.remove(&user);
        }
    }

    /// A user's devices, or what is known of them, have changed.
    pub(super) fn presence_changed(&mut self, user: UserId) {
        if !self.is_mine(user) {
            return;
        }
        let (is_there, clock) = (self.is_active(user).is_some(), &self.context.clock);
        self.presences.changed(user, is_there, Instant::now(), || clock.now_ms());
        self.tell_presence(user);
    }

    fn tell_presence(&self, user: UserId) {
        if self.presences.followed.contains(&user)
            && self.is_mine(user)
            && let Some(presence) = self.presences.of(user, self.is_active(user), Instant::now())
        {
            self.context.looking.tell(LookingMessage::Present(presence));
        }
    }

    /// Whether one of a user's devices, anywhere, is in use; none if there are no devices.
    fn is_active(&self, user: UserId) -> Option<bool> {
        let here = self.entries.get(&user).and_then(|entry| entry.is_active());
        here.max(self.registry.is_active(user))
    }

    fn is_mine(&self, user: UserId) -> bool {
        self.placed.as_ref().is_none_or(|placed| placed.owner(Slot::of_user(user)).is_here())
    }

    /// Somebody has begun or ceased to use a device here. Told with the next tick, and until then heard no
    /// more, for clients may say it as often as they like.
    pub(super) fn stirred(&mut self, user: UserId, stirring: Stirring) {
        if self.entries.contains_key(&user) {
            self.presences.stirred.entry(user).or_default().push(stirring);
        }
    }

    /// Slots have new owners; these users have fewer hosts. `has_gained`: some slots are this node's now that were not.
    pub(super) fn presences_placed(&mut self, fewer: Vec<UserId>, has_gained: bool) {
        if has_gained {
            self.presences.gather(Instant::now());
        }
        let placed = self.placed.clone();
        let is_mine = |user| placed.as_ref().is_none_or(|placed| placed.owner(Slot::of_user(user)).is_here());
        let left = self.presences.keep(is_mine);
        self.record(left);
        if has_gained {
            let here = self.entries.iter().filter(|(_, entry)| !entry.attached.is_empty());
            let mine = here.map(|(user, _)| *user).filter(|user| is_mine(*user));
            mine.for_each(|user| self.presences.is_present(user));
        }
        fewer.into_iter().for_each(|user| self.presence_changed(user));
    }

    pub(super) fn presences_tick(&mut self) {
        let due = self.presences.tick(Instant::now(), self.context.clock.now_ms());
        for user in due.tell {
            self.tell_presence(user);
            self.tell_activity(user);
        }
        self.record(due.record);
    }

    /// Tells a user's owner, if that is another node, which devices here are in use. That asks for no answer: if it gets
    /// lost, the next registration says it.
    fn tell_activity(&mut self, user: UserId) {
        let (Some(cluster), Some(placed)) = (&self.context.cluster, &self.placed) else { return };
        let (Owner::Elsewhere(owner), Some(entry)) =
            (placed.owner(Slot::of_user(user)), self.entries.get(&user))
        else {
            return;
        };
        if self.hosting.is_unanswered(user) || entry.attached.is_empty() {
            return self.register(user);
        }
        let devices = entry.attached.iter().map(|attached| attached.hosted()).collect();
        let (host, number) = (placed.me.clone(), cluster.next_number());
        owner.send(LinkMessage::Host { host, user, number, devices });
    }

    /// Puts on record when users were last seen. What fails is lost: the next time they leave says more.
    fn record(&self, seen: Vec<(UserId, u64)>) {
        for some in seen.chunks(RECORDED_AT_ONCE_MAX) {
            let first = some[0].0;
            let done = |outcome: Result<rookery_store::Committed<_>, _>| {
                if let Err(error) = outcome.and_then(|committed| committed.answer) {
                    tracing::debug!(%error, "when users were last seen could not be put on record");
                }
            };
            if let Err(error) =
                self.context.store.submit_then(&first, NoteLastSeen { seen: some.to_vec() }, done)
            {
                tracing::debug!(%error, "when users were last seen could not be put on record");
            }
        }
    }

    /// The shard ends: what is not on record yet.
    pub(super) fn presences_end(&mut self) {
        let left = self.presences.keep(|_| false);
        self.record(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> UserId {
        UserId::new(1).unwrap()
    }

    fn presence(availability: Availability, last_seen_ms: u64) -> Option<Presence> {
        Some(Presence { user: user(), availability, last_seen_ms })
    }

    #[test]
    fn who_comes_back_at_once_has_not_been_away() {
        let (mut presences, now) = (Presences::default(), Instant::now());
        assert_eq!(presences.of(user(), Some(false), now), presence(Availability::Idle, 0));
        presences.changed(user(), false, now, || 7);
        assert_eq!(presences.of(user(), None, now), None);
        assert_eq!(presences.tick(now, 0), Due::default());
        presences.changed(user(), true, now, || 8);
        assert_eq!(presences.of(user(), Some(true), now), presence(Availability::Online, 0));
        assert_eq!(presences.tick(now + RECORDED_AFTER, 0), Due::default());
    }

    #[test]
    fn who_leaves_is_told_of_once_and_put_on_record_later() {
        let (mut presences, now) = (Presences::default(), Instant::now());
        presences.changed(user(), false, now, || 7);
        presences.changed(user(), false, now + LINGER / 2, || 8);
        let told = presences.tick(now + LINGER, 0);
        assert_eq!(told, Due { tell: vec![user()], record: vec![] });
        assert_eq!(presences.of(user(), None, now + LINGER), presence(Availability::Offline, 7));
        assert_eq!(presences.tick(now + LINGER, 0), Due::default());
        let recorded = presences.tick(now + RECORDED_AFTER, 0);
        assert_eq!(recorded, Due { tell: vec![], record: vec![(user(), 7)] });
        assert_eq!(presences.tick(now + RECORDED_AFTER, 0), Due::default());
        assert_eq!(presences.of(user(), None, now + RECORDED_AFTER), presence(Availability::Offline, 0));
    }

    #[test]
    fn of_who_stays_it_is_put_on_record_at_their_turn() {
        let (mut presences, now) = (Presences::default(), Instant::now());
        presences.changed(user(), true, now, || 7);
        presences.changed(user(), true, now, || 8);
        for round in 0..3 {
            let recorded: Vec<_> =
                (0..TURNS).flat_map(|tick| presences.tick(now, 1_000 * round + tick).record).collect();
            let at = turn_of(user()) - 1;
            assert_eq!(recorded, [(user(), 1_000 * round + at)], "once in a round");
        }
        assert_eq!(presences.keep(|_| false), []);
        assert!((0..TURNS).all(|_| presences.tick(now, 0) == Due::default()), "they are another owner's now");
    }

    #[test]
    fn a_new_owner_takes_nobody_for_offline_until_hosts_have_had_time() {
        let (mut presences, now) = (Presences::default(), Instant::now());
        presences.gather(now);
        presences.followed.insert(user());
        assert_eq!(presences.of(user(), None, now), None);
        assert_eq!(presences.of(user(), Some(true), now), presence(Availability::Online, 0));
        assert_eq!(presences.tick(now + GATHERING / 2, 0), Due::default());
        assert_eq!(presences.tick(now + GATHERING, 0), Due { tell: vec![user()], record: vec![] });
        assert_eq!(presences.of(user(), None, now + GATHERING), presence(Availability::Offline, 0));
    }

    #[test]
    fn who_has_left_a_slot_that_goes_elsewhere_is_put_on_record() {
        let (mut presences, now) = (Presences::default(), Instant::now());
        presences.changed(user(), false, now, || 7);
        assert_eq!(presences.keep(|_| true), []);
        assert_eq!(presences.keep(|_| false), [(user(), 7)]);
        assert_eq!(presences.tick(now + RECORDED_AFTER, 0), Due::default());
    }
}
