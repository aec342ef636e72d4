//! What is said and done in groups, and when: who makes them, who comes and goes, who speaks. It grows from a seed.
//!
//! Sizes are skewed: most groups are small and one has everybody. The larger a group the less is said in it, so that each
//! gives about as many hand-ups. Members without a client are in groups like others, and do nothing. The stream goes by who would be a member if all it has asked for had been done, in
//! order; what comes otherwise in a storm is refused, and must be refused rightly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use rookery_client::{GroupChange, UserId};

use crate::chaos::Saying;
use crate::chaos::random::{body_bytes, millis};

/// Members of the largest group, as the protocol has it.
const MEMBERS_MAX: usize = 1_024;

/// Users whom one request may name.
pub(super) const AT_ONCE_MAX: usize = 256;

/// How much less is said in larger groups: by this power of their sizes.
const QUIETER: f64 = 0.8;

/// Something that is due in a group. Groups, users and clients are named by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathering {
    /// Since the beginning.
    pub at: Duration,
    /// Which group.
    pub group: usize,
    /// Who acts.
    pub client: usize,
    /// What.
    pub act: GroupAct,
    /// Whether the client crashes so long afterwards, perhaps without having had an answer.
    pub crashes: Option<Duration>,
}

/// What somebody does in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupAct {
    /// Makes it, with these users.
    Make(Vec<usize>),
    /// Says something.
    Say {
        /// What kind of message.
        saying: Saying,
        /// The body's length.
        bytes: usize,
    },
    /// Changes it.
    Change(PlannedChange),
}

/// A change of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedChange {
    /// Adds these.
    Add(Vec<usize>),
    /// Removes these.
    Remove(Vec<usize>),
    /// Leaves.
    Leave,
    /// Makes them an admin.
    Promote(usize),
    /// Makes them one no longer.
    Demote(usize),
    /// Calls it by another number.
    Name(u32),
    /// Ends it.
    Delete,
}

impl PlannedChange {
    /// What to ask for.
    pub fn of(&self, users: impl Fn(&[usize]) -> Vec<UserId>) -> GroupChange {
        match self {
            Self::Add(who) => GroupChange::Added(users(who)),
            Self::Remove(who) => GroupChange::Removed(users(who)),
            Self::Leave => GroupChange::Left { successor: None },
            Self::Promote(who) => GroupChange::Promoted(users(&[*who])),
            Self::Demote(who) => GroupChange::Demoted(users(&[*who])),
            Self::Name(number) => GroupChange::Named(format!("name {number}")),
            Self::Delete => GroupChange::Deleted,
        }
    }
}

/// How much is to happen in groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupRates {
    /// Messages a second.
    pub messages: f64,
    /// Changes a second.
    pub changes: f64,
}

/// The stream.
#[derive(Debug)]
pub struct GroupLoad {
    rng: StdRng,
    at: Duration,
    rates: GroupRates,
    /// Of each user, the first client and how many there are; those without one come last.
    devices: Vec<(usize, usize)>,
    /// Users with a client.
    present: usize,
    groups: Vec<Model>,
    /// More are not made.
    groups_max: usize,
}

/// A group, if all goes as asked.
#[derive(Debug, Default)]
struct Model {
    /// Each with how many had joined before.
    members: BTreeMap<usize, usize>,
    joined: usize,
    admins: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    /// As many members as it is to have, more or less.
    size: usize,
}

impl GroupLoad {
    /// For users with so many devices each, those with none after all others. The groups that there are first are in [`first`](Self::first).
    pub fn new(seed: u64, devices: &[usize], groups: usize, rates: GroupRates) -> Self {
        let present = devices.iter().take_while(|count| **count > 0).count();
        let mut clients = 0;
        let place = |count: &usize| {
            clients += count;
            (clients - count, *count)
        };
        let devices = devices.iter().map(place).collect();
        let rng = StdRng::seed_from_u64(seed ^ 0x6709);
        let groups_max = 2 * groups;
        let at = Duration::ZERO;
        let mut load = Self { rng, at, rates, devices, present, groups: Vec::new(), groups_max };
        let most = load.devices.len().min(MEMBERS_MAX);
        for number in 0..groups {
            // The first has everybody; of the others half are smaller than the square root.
            let even: f64 = if number == 0 { 1.0 } else { load.rng.random() };
            let size = 2.0 * (most as f64 / 2.0).powf(even);
            load.grow(size.round() as usize);
        }
        load
    }

    /// The groups that there are before anything else happens: who makes each, and with whom.
    pub fn first(&mut self) -> Vec<(usize, Vec<usize>)> {
        let groups: Vec<(usize, Vec<usize>)> = self.groups.iter().map(Model::founding).collect();
        groups.into_iter().map(|(founder, others)| (self.client_of(founder), others)).collect()
    }

    /// How many members each group has, the largest first.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.groups.iter().map(|group| group.members.len()).collect();
        sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        sizes
    }

    fn grow(&mut self, size: usize) {
        let members = (0..self.devices.len()).sample(&mut self.rng, size);
        let mut members: BTreeMap<usize, usize> = members.into_iter().map(|user| (user, 0)).collect();
        let present = members.range(..self.present).map(|(user, _)| *user);
        let founder = present.choose(&mut self.rng).unwrap_or_else(|| {
            // Somebody has to make it.
            members.pop_last();
            members.insert(0, 0);
            0
        });
        let admins = BTreeSet::from([founder]);
        self.groups.push(Model { members, joined: 0, admins, gone: BTreeSet::new(), size });
    }

    fn client_of(&mut self, user: usize) -> usize {
        let (first, count) = self.devices[user];
        first + self.rng.random_range(0..count)
    }

    /// One of those with members; of which something is said, the larger the rarer.
    fn pick(&mut self, changes: bool) -> Option<usize> {
        let quieter = if changes { 0.0 } else { QUIETER };
        let weight = |group: &Model| match group.members.len() {
            0 => 0.0,
            size => (size as f64).powf(-quieter),
        };
        let sum: f64 = self.groups.iter().map(weight).sum();
        let mut drawn = self.rng.random::<f64>() * sum;
        let reached = |group: &Model| {
            drawn -= weight(group);
            drawn < 0.0
        };
        let last = self.groups.iter().rposition(|group| !group.members.is_empty())?;
        Some(self.groups.iter().position(reached).unwrap_or(last))
    }

    /// Says something, mostly as a member.
    fn say(&mut self, group: usize) -> (usize, GroupAct) {
        let saying = Saying::random(&mut self.rng);
        let Model { members, admins, .. } = &self.groups[group];
        let present = members.range(..self.present).map(|(user, _)| *user);
        let user = match saying.is_for_admins() {
            true => admins.iter().copied().choose(&mut self.rng),
            false => present.choose(&mut self.rng),
        };
        (user.unwrap_or_default(), GroupAct::Say { saying, bytes: body_bytes(&mut self.rng) })
    }

    /// Changes something, mostly as one who may.
    fn change(&mut self, group: usize) -> (usize, PlannedChange) {
        let (users, present) = (self.devices.len(), self.present);
        let rng = &mut self.rng;
        let model = &mut self.groups[group];
        let user = match rng.random_range(0..20) {
            0 => rng.random_range(0..present),
            1 => model.members.range(..present).map(|(user, _)| *user).choose(rng).unwrap_or_default(),
            _ => model.admins.iter().copied().choose(rng).unwrap_or_default(),
        };
        let several = if rng.random_ratio(1, 5) { rng.random_range(2..=8) } else { 1 };
        let grows = model.members.len() <= model.size;
        let act = match rng.random_range(0..20) {
            0..7 if grows => PlannedChange::Add(model.newcomers(rng, users, several)),
            0..7 => PlannedChange::Remove(model.others(rng, user, several, users)),
            7..11 if model.members.len() > 2 => return model.leave(rng, present),
            7..13 => PlannedChange::Add(model.newcomers(rng, users, 1)),
            13..15 => {
                let another = model.others(rng, user, 1, present).first().copied();
                PlannedChange::Promote(another.unwrap_or(user))
            }
            15 => PlannedChange::Demote(model.admins.iter().copied().choose(rng).unwrap_or(user)),
            _ => PlannedChange::Name(rng.random_range(0..1_000)),
        };
        let nobody = matches!(&act, PlannedChange::Add(who) | PlannedChange::Remove(who) if who.is_empty());
        let act = if nobody { PlannedChange::Name(rng.random_range(0..1_000)) } else { act };
        if model.admins.contains(&user) {
            model.follow(&act);
        }
        (user, act)
    }
}

impl Model {
    /// Who makes it, and the others.
    fn founding(&self) -> (usize, Vec<usize>) {
        let founder = self.admins.first().copied().unwrap_or_default();
        (founder, self.members.keys().copied().filter(|user| *user != founder).collect())
    }

    /// Some who are not in it, those who were before all others.
    fn newcomers(&self, rng: &mut StdRng, users: usize, count: usize) -> Vec<usize> {
        let mut new: Vec<usize> = self.gone.iter().copied().sample(rng, count);
        if new.is_empty() || rng.random() {
            let count = count - new.len().min(count);
            new.extend(
                (0..users)
                    .filter(|user| !self.members.contains_key(user) && !self.gone.contains(user))
                    .sample(rng, count),
            );
        }
        new
    }

    /// Members before a place among the users, but this one.
    fn others(&self, rng: &mut StdRng, user: usize, count: usize, before: usize) -> Vec<usize> {
        let members = self.members.range(..before).map(|(member, _)| *member);
        members.filter(|member| *member != user).sample(rng, count)
    }

    /// Somebody leaves who is there; but no last admin where one who is not might come after.
    fn leave(&mut self, rng: &mut StdRng, present: usize) -> (usize, PlannedChange) {
        let there = self.members.range(..present).map(|(user, _)| *user);
        let user = there.choose(rng).unwrap_or_default();
        let is_last = self.admins.len() == 1 && self.admins.contains(&user);
        if is_last && self.members.range(present..).next().is_some() {
            return (user, PlannedChange::Name(rng.random_range(0..1_000)));
        }
        self.remove(user);
        if self.admins.is_empty() {
            let oldest = self.members.iter().min_by_key(|(user, joined)| (**joined, **user));
            self.admins.extend(oldest.map(|(user, _)| *user));
        }
        (user, PlannedChange::Leave)
    }

    fn remove(&mut self, user: usize) {
        self.members.remove(&user);
        self.admins.remove(&user);
        self.gone.insert(user);
    }

    fn follow(&mut self, act: &PlannedChange) {
        match act {
            PlannedChange::Add(users) if self.members.len() + users.len() > MEMBERS_MAX => {}
            PlannedChange::Add(users) => {
                self.joined += 1;
                for user in users {
                    self.gone.remove(user);
                    self.members.insert(*user, self.joined);
                }
            }
            PlannedChange::Remove(users) => users.iter().for_each(|user| self.remove(*user)),
            PlannedChange::Promote(user) => _ = self.admins.insert(*user),
            PlannedChange::Demote(user) if self.admins.len() > 1 => _ = self.admins.remove(user),
            _ => {}
        }
    }
}

impl Iterator for GroupLoad {
    type Item = Gathering;

    fn next(&mut self) -> Option<Gathering> {
        const CRASH_ONE_IN: u32 = 15;
        // About as long as an answer takes.
        const CRASH_AFTER_MS: std::ops::Range<u64> = 0..30;
        const NEW_ONE_IN: u32 = 12;
        const END_ONE_IN: u32 = 40;
        const NEW_SIZES: std::ops::RangeInclusive<usize> = 2..=8;
        let GroupRates { messages, changes } = self.rates;
        let even: f64 = self.rng.random();
        self.at += Duration::from_secs_f64(-(1.0 - even).ln() / (messages + changes).max(0.001));
        let changes = self.rng.random::<f64>() * (messages + changes) < changes;
        let can_grow = self.groups.len() < self.groups_max && self.devices.len() >= *NEW_SIZES.start();
        let (group, user, act) = if changes && can_grow && self.rng.random_ratio(1, NEW_ONE_IN) {
            let size = self.rng.random_range(NEW_SIZES).min(self.devices.len());
            self.grow(size);
            let (founder, others) = self.groups.last()?.founding();
            (self.groups.len() - 1, founder, GroupAct::Make(others))
        } else {
            let group = self.pick(changes)?;
            let is_small = self.groups[group].members.len() <= *NEW_SIZES.end();
            let (user, act) = if changes && is_small && self.rng.random_ratio(1, END_ONE_IN) {
                let model = std::mem::take(&mut self.groups[group]);
                (model.founding().0, GroupAct::Change(PlannedChange::Delete))
            } else if changes {
                let (user, change) = self.change(group);
                (user, GroupAct::Change(change))
            } else {
                self.say(group)
            };
            (group, user, act)
        };
        let client = self.client_of(user);
        let is_change = !matches!(act, GroupAct::Say { .. });
        let crashes = is_change && self.rng.random_ratio(1, CRASH_ONE_IN);
        let crashes = crashes.then(|| millis(&mut self.rng, CRASH_AFTER_MS));
        Some(Gathering { at: self.at, group, client, act, crashes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: GroupRates = GroupRates { messages: 30.0, changes: 3.0 };

    fn load(seed: u64) -> GroupLoad {
        GroupLoad::new(seed, &[1; 150], 20, RATES)
    }

    #[test]
    fn the_same_seed_gives_the_same_doings_and_another_seed_others() {
        let take = |seed| load(seed).take(500).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn one_group_has_everybody_and_most_are_small() {
        for seed in 0..20 {
            let sizes = load(seed).sizes();
            assert_eq!((sizes.len(), sizes[0]), (20, 150));
            assert!(sizes[10] < 50 && sizes.iter().all(|size| *size >= 2), "{sizes:?}");
        }
        assert_eq!(GroupLoad::new(1, &[1; 2_000], 3, RATES).sizes()[0], MEMBERS_MAX);
    }

    #[test]
    fn members_without_a_client_come_and_go_and_do_nothing() {
        let devices: Vec<usize> = std::iter::repeat_n(1, 300).chain(std::iter::repeat_n(0, 900)).collect();
        let mut load = GroupLoad::new(2, &devices, 5, RATES);
        assert_eq!(load.sizes()[0], MEMBERS_MAX);
        assert!(load.first().iter().all(|(founder, _)| *founder < 300));
        let mut moved = BTreeSet::new();
        for doing in load.take(20_000) {
            assert!(doing.client < 300);
            match doing.act {
                GroupAct::Change(PlannedChange::Promote(user)) => assert!(user < 300),
                GroupAct::Change(PlannedChange::Add(users)) if doing.group == 0 => moved.extend(users),
                _ => {}
            }
        }
        assert!(moved.range(300..).count() > 50, "{moved:?}");
    }

    #[test]
    fn people_come_go_and_come_back_all_the_time() {
        let mut gone = BTreeSet::new();
        let (mut back, mut left, mut removed, mut made, mut ended) = (0, 0, 0, 0, 0);
        let doings: Vec<_> = load(1).take_while(|it| it.at < Duration::from_secs(300)).collect();
        for Gathering { group, client, act, .. } in &doings {
            match act {
                GroupAct::Change(PlannedChange::Add(users)) => {
                    back += users.iter().filter(|user| gone.remove(&(*group, **user))).count();
                }
                GroupAct::Change(PlannedChange::Remove(users)) => {
                    removed += users.len();
                    gone.extend(users.iter().map(|user| (*group, *user)));
                }
                GroupAct::Change(PlannedChange::Leave) => {
                    left += 1;
                    gone.insert((*group, *client));
                }
                GroupAct::Make(_) => made += 1,
                GroupAct::Change(PlannedChange::Delete) => ended += 1,
                _ => {}
            }
        }
        assert!(back > 30 && left > 30 && removed > 30, "{back} back, {left} left, {removed} removed");
        assert!(made > 5 && ended > 2, "{made} made, {ended} ended");
        let said = doings.iter().filter(|it| matches!(it.act, GroupAct::Say { .. })).count();
        assert!((8_000..10_000).contains(&said), "{said}");
    }

    #[test]
    fn nobody_is_named_twice_and_no_request_names_too_many() {
        for doing in load(3).take(20_000) {
            if let GroupAct::Change(PlannedChange::Add(users) | PlannedChange::Remove(users))
            | GroupAct::Make(users) = doing.act
            {
                let each: BTreeSet<_> = users.iter().collect();
                assert!(each.len() == users.len() && (1..=AT_ONCE_MAX).contains(&users.len()));
            }
        }
    }
}
