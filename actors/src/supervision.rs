//! How often something may be restarted before it is given up.

use std::time::Duration;

use tokio::time::Instant;

/// Restarts within this long count together.
const PERIOD: Duration = Duration::from_secs(60);
/// Restarts allowed in that time: enough for a burst of bad luck, too few to hide a defect that repeats.
const RESTARTS_MAX: u32 = 5;

/// Counts the restarts of one thing. Small, for there is one for every session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RestartBudget {
    since: Option<Instant>,
    spent: u32,
}

impl RestartBudget {
    /// Whether one more restart is allowed, which this counts.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) > PERIOD) {
            *self = Self { since: Some(now), spent: 0 };
        }
        self.spent += 1;
        self.spent <= RESTARTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_allows_five_restarts_a_minute_and_recovers_after_it() {
        let mut budget = RestartBudget::default();
        let start = Instant::now();
        assert!((0..5).all(|_| budget.spend(start)));
        assert!(!budget.spend(start + Duration::from_secs(59)));
        assert!(budget.spend(start + Duration::from_secs(61)));
    }
}
