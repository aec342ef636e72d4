//! How often a user may do what: token buckets, kept only until they are full again.
//!
//! They are each node's own: who is connected to several has one on each. That is for people and their programs; what
//! floods the node itself is bounded by connections, frames in flight and the store's queue.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rookery_protocol::{GroupId, UserId};
use tokio::time::Instant;

/// So many at once, and one more after each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens of a full bucket; at least 1.
    pub burst: u32,
    /// After which there is one token more; above zero.
    pub each: Duration,
}

/// What there are limits for; `None`: there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// Messages and changes of groups.
    pub messages: Option<Rate>,
    /// Those to one group.
    pub group_messages: Option<Rate>,
    /// Groups made.
    pub groups: Option<Rate>,
    /// Members added to groups, those that a group begins with among them.
    pub members: Option<Rate>,
    /// Users looked up by their handles.
    pub lookups: Option<Rate>,
    /// Reports to the moderators.
    pub reports: Option<Rate>,
    /// Changes of the user's own settings, people, and what is shown.
    pub settings: Option<Rate>,
    /// Changes of what a connection looks at, and renewals of that.
    pub watches: Option<Rate>,
    /// Accounts younger than this have a quarter of each.
    pub new_account: Duration,
}

/// How much less of everything new accounts have.
const NEW_ACCOUNT_SHARE: u32 = 4;

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Doing {
    Message,
    GroupMessage(GroupId),
    Group,
    Member,
    Lookup,
    Report,
    Setting,
    Watch,
}

impl Doing {
    /// What there is too much of.
    fn of_what(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::GroupMessage(_) => "messages to this group",
            Self::Group => "new groups",
            Self::Member => "members added to groups",
            Self::Lookup => "lookups of handles",
            Self::Report => "reports",
            Self::Setting => "changes of settings",
            Self::Watch => "watches",
        }
    }
}

/// Who does it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doer {
    pub(crate) user: UserId,
    /// The account is new.
    pub(crate) is_new: bool,
}

/// Too much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    of_what: &'static str,
    /// When it would not be.
    pub(crate) retry_after: Duration,
}

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "too many {} in a short time; retry after the time given", self.of_what)
    }
}

type Key = (UserId, Doing);

/// A bucket is the moment at which it is full again.
type Bucket = Instant;

/// Locks share nothing, so users rarely wait for one another.
const PARTS: usize = 16;

/// Buckets of a part below which nobody looks for full ones.
const PART_MIN: usize = 1_024;

/// All users' buckets on this node.
#[derive(Debug)]
pub(crate) struct Buckets {
    rates: Rates,
    parts: [Mutex<Part>; PARTS],
    hasher: std::hash::RandomState,
}

#[derive(Debug, Default)]
struct Part {
    buckets: HashMap<Key, Bucket>,
    /// When so many are reached, the full ones go.
    clean_at: usize,
}

impl Buckets {
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, parts: Default::default(), hasher: std::hash::RandomState::new() }
    }

    /// Whether an account made then is new now, both in milliseconds since 1970.
    pub(crate) fn is_new(&self, created_ms: u64, now_ms: u64) -> bool {
        u128::from(now_ms.saturating_sub(created_ms)) < self.rates.new_account.as_millis()
    }

    /// Takes so many tokens from each bucket, or none from any. More than one holds are had when it is full.
    pub(crate) fn take(&self, now: Instant, doer: Doer, wanted: &[(Doing, u32)]) -> Result<(), TooMuch> {
        let mut part = self.part(doer.user);
        for (doing, count) in wanted {
            self.full_after(&part, now, doer, (*doing, *count))?;
        }
        for (doing, count) in wanted {
            if let Some(full_at) = self.full_after(&part, now, doer, (*doing, *count))? {
                part.buckets.insert((doer.user, *doing), full_at);
            }
        }
        part.clean(now);
        Ok(())
    }

    /// When a bucket would be full again after so many; `None`: there is none.
    fn full_after(
        &self,
        part: &Part,
        now: Instant,
        doer: Doer,
        (doing, count): (Doing, u32),
    ) -> Result<Option<Bucket>, TooMuch> {
        let Some(Rate { burst, each }) = self.rate(doing).filter(|_| count > 0) else { return Ok(None) };
        let (burst, each) = match doer.is_new {
            true => ((burst / NEW_ACCOUNT_SHARE).max(1), each.saturating_mul(NEW_ACCOUNT_SHARE)),
            false => (burst, each),
        };
        let (whole, cost) = (each.saturating_mul(burst), each.saturating_mul(count.min(burst)));
        let full_at = part.buckets.get(&(doer.user, doing)).copied().unwrap_or(now).max(now) + cost;
        let retry_after = full_at.saturating_duration_since(now + whole);
        if retry_after.is_zero() {
            Ok(Some(full_at))
        } else {
            Err(TooMuch { of_what: doing.of_what(), retry_after })
        }
    }

    fn rate(&self, doing: Doing) -> Option<Rate> {
        match doing {
            Doing::Message => self.rates.messages,
            Doing::GroupMessage(_) => self.rates.group_messages,
            Doing::Group => self.rates.groups,
            Doing::Member => self.rates.members,
            Doing::Lookup => self.rates.lookups,
            Doing::Report => self.rates.reports,
            Doing::Setting => self.rates.settings,
            Doing::Watch => self.rates.watches,
        }
    }

    fn part(&self, user: UserId) -> MutexGuard<'_, Part> {
        let at = self.hasher.hash_one(user) as usize % PARTS;
        self.parts[at].lock().expect("nothing panics while it holds this lock")
    }
}

impl Part {
    /// Forgets buckets that are full. Each look at all of them is paid for by as many new ones.
    fn clean(&mut self, now: Instant) {
        if self.buckets.len() > self.clean_at.max(PART_MIN) {
            self.buckets.retain(|_, full_at| *full_at > now);
            self.clean_at = 2 * self.buckets.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doer(number: u64) -> Doer {
        Doer { user: UserId::new(number).unwrap(), is_new: false }
    }

    fn buckets(burst: u32, each: Duration) -> Buckets {
        let rate = Some(Rate { burst, each });
        let new_account = Duration::from_secs(3600);
        Buckets::new(Rates { messages: rate, members: rate, new_account, ..Rates::default() })
    }

    const EACH: Duration = Duration::from_millis(200);

    #[test]
    fn a_full_bucket_is_had_at_once_and_then_one_after_each_time() {
        let (buckets, begun) = (buckets(3, EACH), Instant::now());
        let take = |at: Duration| buckets.take(begun + at, doer(1), &[(Doing::Message, 1)]);
        assert_eq!([take(Duration::ZERO), take(Duration::ZERO), take(Duration::ZERO)], [Ok(()); 3]);
        let refused = take(Duration::from_millis(50)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(150));
        assert_eq!(refused.to_string(), "too many messages in a short time; retry after the time given");
        // Whoever comes when told is not refused, and who is refused loses nothing.
        assert_eq!(take(Duration::from_millis(200)), Ok(()));
        assert_eq!(take(Duration::from_millis(200)).unwrap_err().retry_after, EACH);
        assert!((0..3).all(|_| take(Duration::from_secs(60)).is_ok()));
        assert!(take(Duration::from_secs(60)).is_err());
    }

    #[test]
    fn users_and_what_they_do_have_buckets_of_their_own_and_some_things_none() {
        let (buckets, now) = (buckets(1, EACH), Instant::now());
        for number in 1..=2 {
            assert!(buckets.take(now, doer(number), &[(Doing::Message, 1)]).is_ok());
            assert!(buckets.take(now, doer(number), &[(Doing::Message, 1)]).is_err());
            assert!(buckets.take(now, doer(number), &[(Doing::Member, 1)]).is_ok());
            assert!((0..100).all(|_| buckets.take(now, doer(number), &[(Doing::Lookup, 1)]).is_ok()));
        }
    }

    #[test]
    fn more_than_a_bucket_holds_is_had_when_it_is_full() {
        let (buckets, now) = (buckets(10, EACH), Instant::now());
        assert!(buckets.take(now, doer(1), &[(Doing::Member, 256)]).is_ok());
        let refused = buckets.take(now, doer(1), &[(Doing::Member, 256)]).unwrap_err();
        assert_eq!(refused.retry_after, EACH * 10);
        assert!(buckets.take(now, doer(1), &[(Doing::Member, 0)]).is_ok());
    }

    #[test]
    fn what_is_refused_for_one_reason_costs_nothing_for_another() {
        let (buckets, now) = (buckets(2, EACH), Instant::now());
        assert!(buckets.take(now, doer(1), &[(Doing::Member, 2)]).is_ok());
        let refused = buckets.take(now, doer(1), &[(Doing::Message, 2), (Doing::Member, 1)]).unwrap_err();
        assert_eq!(refused.of_what, "members added to groups");
        assert!(buckets.take(now, doer(1), &[(Doing::Message, 2)]).is_ok());
    }

    #[test]
    fn new_accounts_have_a_quarter() {
        let (buckets, now) = (buckets(8, EACH), Instant::now());
        assert!(buckets.is_new(1_000, 3_600_999) && !buckets.is_new(1_000, 3_601_000));
        let new = Doer { is_new: true, ..doer(1) };
        assert!((0..2).all(|_| buckets.take(now, new, &[(Doing::Message, 1)]).is_ok()));
        assert_eq!(buckets.take(now, new, &[(Doing::Message, 1)]).unwrap_err().retry_after, EACH * 4);
    }

    #[test]
    fn buckets_that_are_full_again_are_forgotten() {
        let (buckets, begun) = (buckets(1, EACH), Instant::now());
        for number in 1..=200_000_u64 {
            // Five new users a millisecond: no more than a thousand have less than a full bucket at any time.
            let now = begun + Duration::from_micros(200 * number);
            assert!(buckets.take(now, doer(number), &[(Doing::Message, 1)]).is_ok());
        }
        let kept: usize = buckets.parts.iter().map(|part| part.lock().unwrap().buckets.len()).sum();
        assert!(kept <= 2 * PARTS * PART_MIN, "{kept}");
    }
}
