//! When a node that has ended is started again.

use std::time::Duration;

/// Until the second start in a row; the first is at once.
const DELAY_MIN: Duration = Duration::from_secs(1);
/// The longest wait.
const DELAY_MAX: Duration = Duration::from_secs(30);
/// Who has lived so long is taken for well again.
const WELL_AFTER: Duration = Duration::from_secs(60);

/// One node's restarts.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    next: Duration,
}

impl Restarts {
    /// How long to wait before the next start of a node that has lived so long.
    pub(super) fn delay(&mut self, lived: Duration) -> Duration {
        if lived >= WELL_AFTER {
            self.next = Duration::ZERO;
        }
        let delay = self.next;
        self.next = (delay * 2).clamp(DELAY_MIN, DELAY_MAX);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_at_once_and_each_later_one_takes_twice_as_long_up_to_half_a_minute() {
        let mut restarts = Restarts::default();
        let delays: Vec<u64> = (0..8).map(|_| restarts.delay(Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_minute_of_life_begins_anew() {
        let mut restarts = Restarts::default();
        restarts.delay(Duration::ZERO);
        restarts.delay(Duration::ZERO);
        assert_eq!(restarts.delay(Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(restarts.delay(Duration::from_secs(59)), DELAY_MIN);
    }
}
