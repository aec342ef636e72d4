//! A day in a messenger, decided by a seed: who knows whom, who is in which group, and who does what next. It knows no node
//! and no clock.

use clap::Args as ClapArgs;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rookery_protocol::limits;

use super::skewed::Skewed;

/// The smallest group: two have a conversation of their own.
const GROUP_MIN: usize = 3;

/// The largest group: as many as one request makes.
const GROUP_MAX: usize = limits::GROUP_USERS_AT_ONCE_MAX;

/// What people are like.
#[derive(Debug, Clone, ClapArgs)]
pub(super) struct Habits {
    /// Users, all connected.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(8..=100_000))]
    pub(super) users: u32,
    /// People each user writes to.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    contacts: u32,
    /// How much more some users write than others, and to some of their contacts than to others: the exponent of Zipf's law; 0 is
    /// not at all.
    #[arg(long, default_value_t = 1.0, value_parser = exponent)]
    skew: f64,
    /// Groups.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    groups: u32,
    /// How much more small groups there are than large ones, of 3 to 256: a group of n is as frequent as 1 / n to this power.
    #[arg(long, default_value_t = 1.5, value_parser = exponent)]
    group_skew: f64,
    /// Messages that go to groups, of 100.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    group_percent: u8,
    /// Messages of two that the reader marks read as they come, of 100.
    #[arg(long, default_value_t = 70, value_parser = clap::value_parser!(u8).range(0..=100))]
    read_percent: u8,
    /// Members who mark a group's message read as it comes, of 100.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    group_read_percent: u8,
    /// Times somebody begins to type to the contact they write to most, for each 100 messages.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    typing_percent: u8,
    /// Times per second that somebody loses the connection and makes another at once.
    #[arg(long, default_value_t = 2.0, value_parser = reconnects)]
    reconnects: f64,
    /// What the day is decided by.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent = text.parse::<f64>().ok().filter(|exponent| (0.0..=4.0).contains(exponent));
    exponent.ok_or_else(|| "an exponent, from 0 to 4".into())
}

fn reconnects(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=10_000.0).contains(rate));
    rate.ok_or_else(|| "a number of reconnects per second, from 0 to 10000".into())
}

/// What is done next, users and groups by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// A message to a contact; whether it is marked read at once.
    Message { from: usize, to: usize, is_read: bool },
    /// A message to a group.
    GroupMessage { from: usize, group: usize },
    /// Somebody begins to type to a contact.
    Typing { from: usize, to: usize },
    /// Somebody loses the connection.
    Reconnect { who: usize },
}

/// The day.
pub(super) struct Day {
    habits: Habits,
    /// Messages per second, over all users.
    rate: f64,
    random: StdRng,
    /// Whom each user writes to, most of all first.
    contacts: Vec<Vec<usize>>,
    /// Who is in each group, the one who made it first.
    groups: Vec<Vec<usize>>,
    user: Skewed,
    contact: Skewed,
    group: Skewed,
}

impl Day {
    /// `rate`: messages per second, over all users. Who knows whom and who is in which group does not depend on it.
    pub(super) fn new(habits: Habits, rate: f64) -> Self {
        let mut random = StdRng::seed_from_u64(habits.seed);
        let users = habits.users as usize;
        let count = (habits.contacts as usize).min(users - 1);
        let others = |random: &mut StdRng, user: usize| -> Vec<usize> {
            let some = sample(random, users - 1, count).into_iter();
            some.map(|other| if other < user { other } else { other + 1 }).collect()
        };
        let contacts = (0..users).map(|user| others(&mut random, user)).collect();
        let size = Skewed::new((GROUP_MIN..=GROUP_MAX).map(|size| (size as f64).powf(-habits.group_skew)));
        let members = |random: &mut StdRng| {
            let size = (GROUP_MIN + size.choose(random)).min(users);
            sample(random, users, size).into_vec()
        };
        let groups: Vec<Vec<usize>> = (0..habits.groups).map(|_| members(&mut random)).collect();
        Self {
            user: Skewed::zipf(users, habits.skew),
            contact: Skewed::zipf(count, habits.skew),
            group: Skewed::zipf(groups.len(), habits.skew),
            habits,
            rate,
            random,
            contacts,
            groups,
        }
    }

    /// Whom each user writes to, most of all first.
    pub(super) fn contacts(&self) -> &[Vec<usize>] {
        &self.contacts
    }

    /// Who is in each group, the one who made it first.
    pub(super) fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// Deeds per second, of all kinds.
    pub(super) fn rate(&self) -> f64 {
        self.rate * (1.0 + self.typing()) + self.habits.reconnects
    }

    /// The next deed.
    pub(super) fn next(&mut self) -> Deed {
        let part = self.random.random::<f64>() * self.rate();
        if part < self.habits.reconnects {
            return Deed::Reconnect { who: self.random.random_range(0..self.contacts.len()) };
        }
        let from = self.user.choose(&mut self.random);
        if part < self.habits.reconnects + self.rate * self.typing() {
            return Deed::Typing { from, to: self.contacts[from][0] };
        }
        if self.is_one_of(self.habits.group_percent) {
            let group = self.group.choose(&mut self.random);
            let members = &self.groups[group];
            return Deed::GroupMessage { from: members[self.random.random_range(0..members.len())], group };
        }
        let to = self.contacts[from][self.contact.choose(&mut self.random)];
        Deed::Message { from, to, is_read: self.is_one_of(self.habits.read_percent) }
    }

    /// The share of a group's members who mark a message read as it comes.
    pub(super) fn group_readers(&self) -> f64 {
        f64::from(self.habits.group_read_percent) / 100.0
    }

    fn typing(&self) -> f64 {
        f64::from(self.habits.typing_percent) / 100.0
    }

    fn is_one_of(&mut self, percent: u8) -> bool {
        self.random.random_range(0..100) < percent
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn habits(given: &[&str]) -> Habits {
        let command = Habits::augment_args(Command::new("day"));
        let matches = command.get_matches_from(["day"].iter().chain(given));
        Habits::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn the_same_seed_is_the_same_day() {
        let deeds = |seed: &str| {
            let mut day = Day::new(habits(&["--seed", seed]), 200.0);
            (0..1_000).map(|_| day.next()).collect::<Vec<_>>()
        };
        assert_eq!(deeds("7"), deeds("7"));
        assert_ne!(deeds("7"), deeds("8"));
    }

    #[test]
    fn people_write_to_others_and_to_groups_they_are_in() {
        let mut day = Day::new(habits(&["--users", "50", "--groups", "9"]), 200.0);
        for _ in 0..5_000 {
            match day.next() {
                Deed::Message { from, to, .. } => {
                    assert_ne!(from, to);
                    assert!(day.contacts()[from].contains(&to));
                }
                Deed::GroupMessage { from, group } => assert!(day.groups()[group].contains(&from)),
                Deed::Typing { from, to } => assert_eq!(day.contacts()[from][0], to),
                Deed::Reconnect { who } => assert!(who < 50),
            }
        }
    }

    #[test]
    fn deeds_are_as_frequent_as_habits_say() {
        let mut day = Day::new(habits(&["--typing-percent", "50", "--reconnects", "50"]), 100.0);
        let (mut messages, mut to_groups, mut read, mut typing, mut reconnects) = (0, 0, 0, 0, 0);
        for _ in 0..20_000 {
            match day.next() {
                Deed::Message { is_read, .. } => {
                    messages += 1;
                    read += u32::from(is_read);
                }
                Deed::GroupMessage { .. } => to_groups += 1,
                Deed::Typing { .. } => typing += 1,
                Deed::Reconnect { .. } => reconnects += 1,
            }
        }
        let is_near = |count: u32, part: f64, of: u32| {
            let found = f64::from(count) / f64::from(of);
            assert!((part - 0.03..part + 0.03).contains(&found), "{found} is not {part}");
        };
        assert_eq!(day.rate(), 200.0);
        is_near(messages + to_groups, 0.5, 20_000);
        is_near(typing, 0.25, 20_000);
        is_near(reconnects, 0.25, 20_000);
        is_near(to_groups, 0.2, messages + to_groups);
        is_near(read, 0.7, messages);
    }

    #[test]
    fn most_groups_are_small_and_none_is_too_large() {
        let day = Day::new(habits(&["--groups", "2000"]), 200.0);
        let mut sizes: Vec<usize> = day.groups().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert!(sizes[0] == GROUP_MIN && sizes[1_000] < 20 && sizes[1_999] > 100, "{:?}", sizes[1_000]);
        assert!(sizes[1_999] <= GROUP_MAX);
    }
}
