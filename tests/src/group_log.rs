//! Who was in a group when, as its log says: its changes, by their places.

use std::collections::BTreeMap;

use rookery_client::{ConversationId, GroupChange, Seq, UserId};

use crate::history::History;

/// A group's changes, each with who made it.
pub type Changes = BTreeMap<Seq, (UserId, GroupChange)>;

/// A membership, or a time as an admin: the entry that began it, and the one that ended it. Both are for the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its first entry.
    pub since: Seq,
    /// Its last entry; none while it lasts.
    pub until: Option<Seq>,
}

impl Interval {
    /// Whether the entry at this place is for the member.
    pub fn holds(&self, seq: Seq) -> bool {
        self.since <= seq && self.until.is_none_or(|until| seq <= until)
    }
}

/// Users' times, each in order.
type Intervals = BTreeMap<UserId, Vec<Interval>>;

fn begin(times: &mut Intervals, user: UserId, since: Seq) {
    let intervals = times.entry(user).or_default();
    if intervals.last().is_none_or(|last| last.until.is_some()) {
        intervals.push(Interval { since, until: None });
    }
}

fn end(times: &mut Intervals, user: UserId, until: Seq) {
    let last = times.get_mut(&user).and_then(|intervals| intervals.last_mut());
    if let Some(last) = last.filter(|last| last.until.is_none()) {
        last.until = Some(until);
    }
}

/// What a group has become by its changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupLog {
    /// Everybody who was ever in it, in order of time.
    intervals: Intervals,
    /// Everybody who was ever an admin.
    admins: Intervals,
    /// What it is called.
    pub name: String,
}

impl GroupLog {
    /// Of these changes.
    pub fn of(changes: &Changes) -> Self {
        let mut log = Self::default();
        for (seq, (sender, change)) in changes {
            log.follow(*seq, *sender, change);
        }
        log
    }

    /// All groups of which anybody was handed a change.
    pub fn all(history: &History) -> BTreeMap<ConversationId, Self> {
        let mut changes: BTreeMap<ConversationId, Changes> = BTreeMap::new();
        for (_, handed) in history.handed() {
            if let Some(change) = &handed.change {
                let changes = changes.entry(handed.conversation).or_default();
                changes.entry(handed.seq).or_insert_with(|| (handed.sender.user, change.clone()));
            }
        }
        changes.iter().map(|(conversation, changes)| (*conversation, Self::of(changes))).collect()
    }

    fn follow(&mut self, seq: Seq, sender: UserId, change: &GroupChange) {
        match change {
            GroupChange::Created { members, name } => {
                self.name.clone_from(name);
                begin(&mut self.admins, sender, seq);
                members.iter().chain([&sender]).for_each(|user| begin(&mut self.intervals, *user, seq));
            }
            GroupChange::Added(users) => {
                users.iter().for_each(|user| begin(&mut self.intervals, *user, seq));
            }
            GroupChange::Removed(users) => users.iter().for_each(|user| self.go(*user, seq)),
            GroupChange::Left { successor } => {
                self.go(sender, seq);
                successor.iter().for_each(|user| begin(&mut self.admins, *user, seq));
            }
            GroupChange::Promoted(users) => {
                users.iter().for_each(|user| begin(&mut self.admins, *user, seq));
            }
            GroupChange::Demoted(users) => users.iter().for_each(|user| end(&mut self.admins, *user, seq)),
            GroupChange::Named(name) => self.name.clone_from(name),
            GroupChange::Deleted => {
                let members: Vec<UserId> = self.members().collect();
                members.into_iter().for_each(|user| self.go(user, seq));
            }
            GroupChange::Described(_)
            | GroupChange::Pictured(_)
            | GroupChange::Set(_)
            | GroupChange::Unknown(_) => {}
        }
    }

    fn go(&mut self, user: UserId, until: Seq) {
        end(&mut self.admins, user, until);
        end(&mut self.intervals, user, until);
    }

    /// The times of a user in the group, in order.
    pub fn intervals(&self, user: UserId) -> &[Interval] {
        self.intervals.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// The times of a user as an admin, in order.
    pub fn as_admin(&self, user: UserId) -> &[Interval] {
        self.admins.get(&user).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everybody for whom the entry at this place is.
    pub fn members_at(&self, seq: Seq) -> impl Iterator<Item = UserId> + '_ {
        let at = move |intervals: &Vec<Interval>| intervals.iter().any(|interval| interval.holds(seq));
        self.intervals.iter().filter(move |(_, intervals)| at(intervals)).map(|(user, _)| *user)
    }

    /// Everybody who is in it now.
    pub fn members(&self) -> impl Iterator<Item = UserId> + '_ {
        let lasts = |intervals: &Vec<Interval>| intervals.last().is_some_and(|last| last.until.is_none());
        self.intervals.iter().filter(move |(_, intervals)| lasts(intervals)).map(|(user, _)| *user)
    }

    /// Everybody who ever was in it, with the last entry that is for them; none while they are.
    pub fn ever(&self) -> impl Iterator<Item = (UserId, Option<Seq>)> + '_ {
        self.intervals.iter().filter_map(|(user, intervals)| Some((*user, intervals.last()?.until)))
    }

    /// How many were in it at one time, at most.
    pub fn members_max(&self) -> usize {
        let mut changes: BTreeMap<Seq, i64> = BTreeMap::new();
        for interval in self.intervals.values().flatten() {
            *changes.entry(interval.since).or_default() += 1;
            if let Some(until) = interval.until {
                *changes.entry(until).or_default() -= 1;
            }
        }
        let counts = changes.values().scan(0, |count, change| {
            *count += change;
            Some(*count)
        });
        counts.max().and_then(|most| usize::try_from(most).ok()).unwrap_or_default()
    }

    /// Whether this member is an admin now.
    pub fn is_admin(&self, user: UserId) -> bool {
        self.as_admin(user).last().is_some_and(|last| last.until.is_none())
    }

    /// What comes next for a user who has had the entry `last`, or none yet; `None` when nothing does.
    pub fn after(&self, user: UserId, last: Option<Seq>) -> Option<Seq> {
        let intervals = self.intervals(user);
        let Some(last) = last else { return intervals.first().map(|first| first.since) };
        match intervals.iter().position(|interval| interval.until == Some(last)) {
            Some(over) => intervals.get(over + 1).map(|next| next.since),
            None => Some(last.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_runs_from_the_entry_that_begins_it_to_the_one_that_ends_it() {
        let user = |number| UserId::new(number).unwrap();
        let (alice, bob, carol) = (user(1), user(2), user(3));
        let changes = [
            (1, alice, GroupChange::Created { members: vec![bob], name: "birds".to_owned() }),
            (3, alice, GroupChange::Added(vec![carol])),
            (5, alice, GroupChange::Removed(vec![bob])),
            (6, alice, GroupChange::Named("fish".to_owned())),
            (9, alice, GroupChange::Added(vec![bob])),
            (10, alice, GroupChange::Left { successor: Some(bob) }),
        ];
        let changes = changes.map(|(seq, by, change)| (Seq::new(seq), (by, change))).into_iter().collect();
        let log = GroupLog::of(&changes);
        let at = |seq| log.members_at(Seq::new(seq)).collect::<Vec<_>>();
        assert_eq!((at(1), at(2)), (vec![alice, bob], vec![alice, bob]));
        assert_eq!((at(5), at(6)), (vec![alice, bob, carol], vec![alice, carol]));
        assert_eq!((at(10), at(11)), (vec![alice, bob, carol], vec![bob, carol]));
        assert_eq!(log.members().collect::<Vec<_>>(), [bob, carol]);
        assert_eq!(log.members_max(), 3);
        let as_admin =
            |since, until: u64| [Interval { since: Seq::new(since), until: Some(Seq::new(until)) }];
        assert_eq!((log.as_admin(alice), log.as_admin(carol)), (&as_admin(1, 10)[..], &[][..]));
        assert_eq!((log.name.as_str(), log.is_admin(bob), log.is_admin(alice)), ("fish", true, false));
        let after = |user, last: Option<u64>| log.after(user, last.map(Seq::new)).map(Seq::get);
        assert_eq!((after(bob, None), after(bob, Some(4)), after(bob, Some(5))), (Some(1), Some(5), Some(9)));
        assert_eq!((after(carol, None), after(alice, Some(10))), (Some(3), None));
    }
}
